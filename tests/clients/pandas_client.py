"""pandas reads and writes through an ADBC connection."""

import datetime
import decimal
import sys

import adbc_driver_flightsql.dbapi as flightsql
import canonical
import numpy
import pandas
import wire
from adbc import HEADER, LARGE, LARGE_ROWS, Error
from adbc import connect, connect_mtls, connect_tls, connect_token, interrupted, slow, wait_for_audit
from harness import Target, absent, check, equal, fails, main

# The folder `sqlalchemy` beside this file is no package, but pandas would take it for one.
sys.modules["sqlalchemy"] = None
SCHEMA = "sandbox_analyst"
# What frames give for types that they can't hold.
ARROW_LIMITS = canonical.PYARROW_LIMITS | {"Time64(ns)": "'23:59:59.999999'"}
NUMPY_LIMITS = {
    "Interval(YearMonth)": "No known equivalent Pandas block",
    "Interval(DayTime)": "No known equivalent Pandas block",
    "Time64(ns)": "non-zero nanoseconds",
}
NUMPY_INTEGERS = {
    "Int64": "'9223372036854775808'",
    "UInt64": "'18446744073709551616'",
    "List(Int64)": "'9223372036854775808'",
}
NUMPY_FLOATS = dict.fromkeys(["Float16", "Float32", "Float64"], "'nan'")

absent("info", "pandas has no call that asks what the server is")
absent("parameters", "pandas refuses `params` with ADBC connections: 'params' is not implemented for ADBC drivers")
for column in ("types", "nulls"):
    absent(column, canonical.PYARROW_INTERVALS)
absent("types", "pandas has times of day as Python's: microseconds are all they hold")
absent("nulls", "frames of NumPy's types have NaN where an SQL NULL is: floats can't be told from it")
absent("types", "frames of NumPy's types have no NULL in integers: they become floats, and large ones lose digits")


def read(target: Target, sql: str, **arguments: str) -> pandas.DataFrame:
    with connect(target) as connection:
        return pandas.read_sql(sql, connection, **arguments)


@check("connect")
def a_password_or_a_token(target: Target) -> None:
    fails(Error, lambda: connect(target, password="wrong"))
    with connect_token(target, wire.token(target)) as connection:
        equal(int(pandas.read_sql("SELECT 1 AS one", connection)["one"].iloc[0]), 1)
    with connect_token(target, "Bearer forged") as connection:
        fails(pandas.errors.DatabaseError, lambda: pandas.read_sql("SELECT 1 AS one", connection))


@check("query")
def a_query_is_a_frame(target: Target) -> None:
    sql = "SELECT date, province, confirmed FROM health.provincial ORDER BY bulletin, province_code"
    for arguments in ({}, {"dtype_backend": "pyarrow"}, {"dtype_backend": "numpy_nullable"}):
        frame = read(target, sql, **arguments)
        equal((len(frame), int(frame["confirmed"].count())), (641, 611))
        assert "浙江省" in set(frame["province"])
    equal(int(read(target, "SELECT count(*) AS n FROM health.city")["n"].iloc[0]), 5247)
    equal(int(read(target, "SELECT count(*) AS n FROM jhu.series")["n"].iloc[0]), 101010)


@check("query")
def a_table_is_a_frame(target: Target) -> None:
    # With ADBC, pandas forgets the argument `schema` when it reads a table; the session has it.
    with connect(target, **{f"{HEADER}x-basin-schema": "health"}) as connection:
        frame = pandas.read_sql_table("city", connection, columns=["city", "confirmed"])
    equal((len(frame), list(frame.columns)), (5247, ["city", "confirmed"]))


@check("-")
def parameters_are_refused_by_pandas(target: Target) -> None:
    with connect(target) as connection:
        fails(NotImplementedError, lambda: pandas.read_sql("SELECT ?", connection, params=[1]))


@check("types")
def every_type_arrives_in_a_frame_of_arrow(target: Target) -> None:
    with connect(target) as connection:
        canonical.compare(target, asked(connection, "pyarrow"), canonical.padded_values_are_right, ARROW_LIMITS)


@check("types")
def every_type_arrives_in_a_frame_of_numpy(target: Target) -> None:
    with connect(target) as connection:
        limits = NUMPY_LIMITS | NUMPY_INTEGERS
        canonical.compare(target, asked(connection, None), canonical.padded_values_are_right, limits)


@check("nulls")
def every_type_arrives_with_null(target: Target) -> None:
    with connect(target) as connection:
        canonical.compare(target, asked(connection, "pyarrow"), canonical.null_is_last, canonical.PYARROW_LIMITS)
        canonical.compare(target, asked(connection, None), canonical.null_is_last, NUMPY_LIMITS | NUMPY_FLOATS)


def asked(connection: flightsql.Connection, backend: str | None) -> canonical.Ask:
    def ask(entry: canonical.Entry) -> list[canonical.Text]:
        arguments = {} if backend is None else {"dtype_backend": backend}
        values = pandas.read_sql(entry.question, connection, **arguments)["v"].tolist()
        return [text(entry, value) for value in values]

    return ask


def text(entry: canonical.Entry, value: object) -> canonical.Text:
    """The canonical text of a value as pandas gives it."""
    if value is None or value is pandas.NA or value is pandas.NaT:
        return None
    match value:
        case bool():
            return str(value).lower()
        case float() if "Float" not in entry.type:
            return None if numpy.isnan(value) else str(int(value))
        case decimal.Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex()
        case pandas.Timestamp():
            plain = value if value.tz is None else value.tz_convert("UTC").tz_localize(None)
            return plain.isoformat(timespec="nanoseconds") + ("" if value.tz is None else "Z")
        case pandas.Timedelta():
            return f"{value.as_unit('ns').value}ns"
        case pandas.DateOffset():
            return ",".join(str(value.kwds[part]) for part in ("months", "days", "nanoseconds"))
        case datetime.date() | datetime.time():
            return value.isoformat()
        case dict():
            return {name: text(entry, item) for name, item in value.items()}
        case tuple() if hasattr(value, "months"):
            return ",".join(map(str, value))
        case list() | tuple() | numpy.ndarray():
            return [text(entry, item) for item in value]
    return str(value)


@check("large")
def large_result_arrives_whole(target: Target) -> None:
    [confirmed] = read(target, "SELECT sum(confirmed) AS n FROM jhu.series")["n"]
    frame = read(target, f"SELECT a.date, a.country, a.confirmed, b.code {LARGE}", dtype_backend="pyarrow")
    equal((len(frame), int(frame["confirmed"].sum())), (LARGE_ROWS, 31 * int(confirmed)))


@check("cancel")
def an_interrupt_cancels(target: Target) -> None:
    sql = slow()
    with connect(target) as connection:
        interrupted(lambda: pandas.read_sql(sql, connection))
        equal(int(pandas.read_sql("SELECT 1 AS one", connection)["one"].iloc[0]), 1)
    wait_for_audit(target, sql, "cancelled")


@check("error")
def errors_say_what_is_wrong(target: Target) -> None:
    with connect(target) as connection:
        for sql, says in [
            ("SELECT confirmd FROM health.city", "confirmd"),
            ("SELECT * FROM health.village", "health.village"),
        ]:
            error = fails(pandas.errors.DatabaseError, lambda: pandas.read_sql(sql, connection))
            assert says in str(error), error


@check("metadata")
def a_frame_is_written(target: Target) -> None:
    """pandas asks GetTables whether the table is there, and writes in its three modes."""
    frame = pandas.DataFrame(
        {
            "n": numpy.arange(1000, dtype="int64"),
            "half": numpy.arange(1000) / 2,
            "place": ["武汉市", None] * 500,
            "at": pandas.date_range("2020-01-23", periods=1000, freq="h", tz="Asia/Shanghai"),
        }
    )
    with connect(target) as connection:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS frame")
        write = {"con": connection, "schema": SCHEMA, "index": False}
        equal(frame.to_sql("frame", **write), 1000)
        error = fails(ValueError, lambda: frame.to_sql("frame", **write))
        assert "exists" in str(error), error
        equal(frame.to_sql("frame", if_exists="append", **write), 1000)
        equal(int(pandas.read_sql(f"SELECT count(*) AS n FROM {SCHEMA}.frame", connection)["n"].iloc[0]), 2000)
        equal(frame.to_sql("frame", if_exists="replace", **write), 1000)
        equal(frame.to_sql("frame", if_exists="delete_rows", **write), 1000)
        found = pandas.read_sql(f"SELECT * FROM {SCHEMA}.frame ORDER BY n", connection)
        pandas.testing.assert_frame_equal(found, frame, check_dtype=False)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE frame")


@check("tls")
def tls_and_mtls(target: Target) -> None:
    for connection in (connect_tls(target), connect_mtls(target)):
        with connection:
            equal(int(pandas.read_sql("SELECT count(*) AS n FROM health.city", connection)["n"].iloc[0]), 5247)
    with connect_token(target, wire.token(target), target.tls_uri) as connection:
        error = fails(pandas.errors.DatabaseError, lambda: pandas.read_sql("SELECT 1", connection))
    assert "certificate" in str(error), error


if __name__ == "__main__":
    main(pandas.__version__)
