"""Polars reads and writes through an ADBC connection."""

import datetime
import threading
import time

import adbc_driver_flightsql.dbapi as flightsql
import canonical
import polars
import pyarrow as pa
import wire
from adbc import LARGE, LARGE_ROWS, Code, Error
from adbc import connect, connect_mtls, connect_tls, connect_token, slow, wait_for_audit
from harness import Target, absent, check, equal, fails, main

TABLE = "sandbox_analyst.polars_frame"
# What Polars gives for types that it doesn't have.
INTERVALS = {
    "Interval(YearMonth)": "not supported by Polars",
    "Interval(DayTime)": "operator does not support primitive",
    "Interval(MonthDayNano)": "could not import",
}

absent("info", "Polars has no call that asks what the server is")
for column in ("types", "nulls"):
    absent(column, "Polars has no type for intervals and refuses them")


def read(target: Target, sql: str) -> polars.DataFrame:
    with connect(target) as connection:
        return polars.read_database(sql, connection)


@check("connect")
def a_password_or_a_token(target: Target) -> None:
    fails(Error, lambda: connect(target, password="wrong"))
    with connect_token(target, wire.token(target)) as connection:
        equal(polars.read_database("SELECT 1", connection).item(), 1)
    with connect_token(target, "Bearer forged") as connection:
        error = fails(Error, lambda: polars.read_database("SELECT 1", connection))
        equal(error.status_code, Code.UNAUTHENTICATED)


@check("query")
def a_query_is_a_frame(target: Target) -> None:
    sql = "SELECT date, province, confirmed FROM health.provincial ORDER BY bulletin, province_code"
    frame = read(target, sql)
    equal((frame.height, frame["confirmed"].count()), (641, 611))
    equal(frame.schema["date"], polars.Date)
    assert "浙江省" in set(frame["province"])
    equal(read(target, "SELECT count(*) AS n FROM health.city").item(), 5247)


@check("query")
def a_query_comes_in_batches(target: Target) -> None:
    with connect(target) as connection:
        batches = polars.read_database(
            "SELECT * FROM jhu.series", connection, iter_batches=True, batch_size=10000
        )
        equal(sum(batch.height for batch in batches), 101010)


@check("parameters")
def parameters_are_bound(target: Target) -> None:
    cases = [
        ("SELECT count(*) FROM paper.daily WHERE place = ?", ["湖北"], 1289),
        ("SELECT count(*) FROM health.city WHERE city = ?", [None], 0),
        ("SELECT count(*) FROM jhu.series WHERE date = ?", [datetime.date(2020, 1, 22)], 273),
        ("SELECT CAST(? AS BIGINT) + 1", [41], 42),
    ]
    with connect(target) as connection:
        for sql, parameters, expected in cases:
            frame = polars.read_database(sql, connection, execute_options={"parameters": parameters})
            equal((sql, frame.item()), (sql, expected))


@check("types")
def every_type_arrives(target: Target) -> None:
    with connect(target) as connection:
        canonical.compare(target, asked(connection), canonical.padded_values_are_right, INTERVALS)


@check("nulls")
def every_type_arrives_with_null(target: Target) -> None:
    with connect(target) as connection:
        canonical.compare(target, asked(connection), canonical.null_is_last, INTERVALS)


def asked(connection: flightsql.Connection) -> canonical.Ask:
    def ask(entry: canonical.Entry) -> list[canonical.Text]:
        try:
            series = polars.read_database(entry.question, connection)["v"]
        except polars.exceptions.PanicException as panic:  # not an Exception, but an answer all the same
            raise ValueError(str(panic)) from panic
        found = canonical.texts(pa.chunked_array([series.to_arrow()]))
        # Polars has no dates of milliseconds: they are moments.
        return [text and text.removesuffix("T00:00:00.000") for text in found] if entry.type == "Date64" else found

    return ask


@check("large")
def large_result_arrives_whole(target: Target) -> None:
    confirmed = read(target, "SELECT sum(confirmed) FROM jhu.series").item()
    frame = read(target, f"SELECT a.date, a.country, a.confirmed, b.code {LARGE}")
    equal((frame.height, frame["confirmed"].sum()), (LARGE_ROWS, 31 * confirmed))


@check("cancel")
def the_cursor_that_it_reads_from_cancels(target: Target) -> None:
    """Polars has no call of its own, and Ctrl-C waits until the result is there."""
    sql = slow()
    with connect(target) as connection, connection.cursor() as cursor:
        timer = threading.Timer(1.0, cursor.adbc_cancel)
        timer.start()
        started = time.monotonic()
        try:
            error = fails((Error, polars.exceptions.ComputeError), lambda: polars.read_database(sql, cursor))
        finally:
            timer.cancel()
        assert "cancel" in str(error).lower(), error
        assert time.monotonic() - started < 10, "cancelling took too long"
        equal(polars.read_database("SELECT 1", connection).item(), 1)
    wait_for_audit(target, sql, "cancelled")


@check("error")
def errors_say_what_is_wrong(target: Target) -> None:
    with connect(target) as connection:
        for sql, code, says in [
            ("SELECT confirmd FROM health.city", Code.INVALID_ARGUMENT, "confirmd"),
            ("SELECT * FROM health.village", Code.NOT_FOUND, "health.village"),
        ]:
            error = fails(Error, lambda: polars.read_database(sql, connection))
            equal(error.status_code, code)
            assert says in str(error), error


@check("metadata")
def a_frame_is_written(target: Target) -> None:
    """Polars asks for the table's schema when it appends, and writes in its three modes."""
    frame = polars.DataFrame(
        {
            "n": range(1000),
            "half": [n / 2 for n in range(1000)],
            "place": ["武汉市", None] * 500,
            "day": [datetime.date(2020, 1, 23)] * 1000,
        }
    )
    with connect(target) as connection:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS polars_frame")

        def write(mode: str) -> int:
            return frame.write_database(TABLE, connection, engine="adbc", if_table_exists=mode)

        equal(write("append"), 1000)
        equal(write("append"), 1000)
        equal(polars.read_database(f"SELECT count(*) FROM {TABLE}", connection).item(), 2000)
        fails(Error, lambda: write("fail"))
        equal(write("replace"), 1000)
        found = polars.read_database(f"SELECT * FROM {TABLE} ORDER BY n", connection)
        assert found.equals(frame), found
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE polars_frame")
        equal(write("fail"), 1000)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE polars_frame")


@check("tls")
def tls_and_mtls(target: Target) -> None:
    for connection in (connect_tls(target), connect_mtls(target)):
        with connection:
            equal(polars.read_database("SELECT count(*) FROM health.city", connection).item(), 5247)
    with connect_token(target, wire.token(target), target.tls_uri) as connection:
        error = fails(Error, lambda: polars.read_database("SELECT 1", connection))
    assert "certificate" in str(error), error


if __name__ == "__main__":
    main(polars.__version__)
