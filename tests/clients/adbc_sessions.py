"""The ADBC driver for Flight SQL: sessions, and what they change in results; plans instead of SQL; transactions."""

import json
from collections.abc import Iterator

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flightsql
import datafusion
import datafusion.substrait
import pyarrow as pa
from adbc import HEADER, VERSION, Code, Database, Error, connect, rows, slow
from harness import Target, check, equal, fails, main
from relay import Relay

Connection = adbc_driver_flightsql.ConnectionOptions
COOKIES = {Database.WITH_COOKIE_MIDDLEWARE.value: "true"}
ALL = Connection.OPTION_SESSION_OPTIONS.value
ONE = Connection.OPTION_SESSION_OPTION_PREFIX.value
FLAG = Connection.OPTION_BOOL_SESSION_OPTION_PREFIX.value
ERASE = Connection.OPTION_ERASE_SESSION_OPTION_PREFIX.value


def sessions(target: Target) -> Iterator[flightsql.Connection]:
    """A connection that keeps its session in a cookie, and one that keeps it in its token."""
    for options in (COOKIES, {}):
        with connect(target, **options) as connection:
            # At the end of a cursor Go collects garbage, and then the driver takes the first token once more: see
            # a_session_outlives_cursors. Here nothing is lost by it yet.
            connection.cursor().close()
            yield connection


def choose(connection: flightsql.Connection, **options: object) -> None:
    """Sets options until the connection brings them: arrow-go may drop the headers of an answer, and with them the
    session, when it takes the end of the stream for a cancel (the race of finishFunc in its client.go)."""
    for _ in range(50):
        connection.adbc_connection.set_options(**options)
        found = options_of(connection)
        if all(is_brought(found, name, value) for name, value in options.items()):
            return
    raise AssertionError(f"{options} are not brought: {found}")


def is_brought(found: dict, name: str, value: object) -> bool:
    known = found.get(name.rpartition(".")[2])
    return known in (None, False, "none") if name.startswith(ERASE) else str(known).lower() == str(value).lower()


def options_of(connection: flightsql.Connection) -> dict:
    return json.loads(connection.adbc_connection.get_option(ALL))


@check("-")
def options_are_set_read_and_erased(target: Target) -> None:
    for connection in sessions(target):
        handle = connection.adbc_connection
        choose(connection, **{f"{ONE}schema": "health", f"{ONE}language": "zh", f"{FLAG}view_types": "true"})
        # The driver sends Python's numbers as numbers.
        choose(connection, **{f"{ONE}timeout": 30})
        found = options_of(connection)
        expected = {"catalog": "basin", "schema": "health", "language": "zh", "view_types": True, "timeout": 30}
        equal({name: found.get(name) for name in expected}, expected)
        equal(handle.get_option(f"{ONE}schema"), "health")
        choose(connection, **{f"{ERASE}schema": ""})
        assert "schema" not in options_of(connection)


@check("-")
def a_session_outlives_cursors(target: Target) -> None:
    for options in (COOKIES, {}):
        with connect(target, **options) as connection:
            choose(connection, **{f"{ONE}schema": "health"})
            for _ in range(3):
                with connection.cursor() as cursor:
                    equal(rows(cursor, "SELECT count(*) FROM city"), [(5247,)])


@check("-")
def wrong_options_are_refused(target: Target) -> None:
    for connection in sessions(target):
        for name, value in [("compression", "gzip"), ("timeout", "-1"), ("colour", "red"), ("catalog", "other")]:
            error = fails(Error, lambda: connection.adbc_connection.set_options(**{f"{ONE}{name}": value}))
            assert name in str(error), error


@check("-")
def the_schema_of_a_session_is_where_names_are_found(target: Target) -> None:
    for connection in sessions(target):
        choose(connection, **{f"{ONE}schema": "health"})
        with connection.cursor() as cursor:
            equal(rows(cursor, "SELECT count(*) FROM city"), [(5247,)])
        equal(connection.adbc_current_db_schema, "health")


@check("-")
def the_snapshot_of_a_session_is_what_is_asked(target: Target) -> None:
    for connection in sessions(target):
        # Before the first delivery the dataset had no rows.
        choose(connection, **{f"{ONE}as_of": "1"})
        with connection.cursor() as cursor:
            equal(rows(cursor, "SELECT count(*) FROM health.city"), [(0,)])
        choose(connection, **{f"{ERASE}as_of": ""})
        with connection.cursor() as cursor:
            equal(rows(cursor, "SELECT count(*) FROM health.city"), [(5247,)])


@check("-")
def a_timeout_ends_a_query(target: Target) -> None:
    for connection in sessions(target):
        choose(connection, **{f"{ONE}timeout": "1"})
        with connection.cursor() as cursor:
            equal(fails(Error, lambda: rows(cursor, slow())).status_code, Code.TIMEOUT)


@check("-")
def view_types_come_when_asked(target: Target) -> None:
    sql = "SELECT name, X'00ff' AS b, make_array(name) AS l FROM ref.province ORDER BY code LIMIT 1"
    for connection in sessions(target):
        choose(connection, **{f"{FLAG}view_types": "true"})
        with connection.cursor() as cursor:
            cursor.execute(sql)
            table = cursor.fetch_arrow_table()
        # What is nested stays plain.
        text, data, texts = (field.type for field in table.schema)
        equal((text, data, texts.value_type), (pa.string_view(), pa.binary_view(), pa.string()))
        equal(table.to_pylist(), [{"name": "北京市", "b": b"\x00\xff", "l": ["北京市"]}])


@check("-")
def compression_saves_bytes_when_asked(target: Target) -> None:
    sizes = {}
    for name in ("none", "lz4", "zstd"):
        with Relay(target.address) as relay, connect(target, f"grpc://{relay.address}") as connection:
            choose(connection, **{f"{ONE}compression": name})
            before = relay.received
            with connection.cursor() as cursor:
                cursor.execute("SELECT date, country, confirmed FROM jhu.series ORDER BY country, date")
                table = cursor.fetch_arrow_table()
            sizes[name] = relay.received - before
        equal(table.num_rows, 101010)
    print(f"   bytes: {sizes}")
    assert sizes["none"] > 3 * sizes["lz4"] and sizes["lz4"] > sizes["zstd"], sizes


@check("-")
def a_parallel_export_has_disjoint_parts(target: Target) -> None:
    sql = "SELECT date, country, province FROM jhu.series"
    for connection in sessions(target):
        choose(connection, **{f"{ONE}parallel_export": "4"})
        with connection.cursor() as cursor:
            partitions, _ = cursor.adbc_execute_partitions(sql)
            assert 1 < len(partitions) <= 4, len(partitions)
            parts = []
            for partition in partitions:
                cursor.adbc_read_partition(partition)
                parts.append(cursor.fetch_arrow_table())
            equal(sum(part.num_rows for part in parts), 101010)
            # The key of jhu.series: no row is in two parts.
            keys = pa.concat_tables(parts).group_by(["date", "country", "province"]).aggregate([])
            equal(keys.num_rows, 101010)
            # Read as one result, the parts are the whole too.
            equal(rows(cursor, "SELECT count(*), sum(confirmed) FROM jhu.series")[0][0], 101010)
            cursor.execute(sql)
            equal(cursor.fetch_arrow_table().num_rows, 101010)


@check("-")
def a_table_of_several_files_is_divided(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        for number in range(4):
            part = pa.table({"n": pa.array(range(number * 10_000, (number + 1) * 10_000), pa.int64())})
            cursor.adbc_ingest("divided", part, mode="append" if number else "replace")
        choose(connection, **{f"{ONE}parallel_export": "4"})
        partitions, _ = cursor.adbc_execute_partitions("SELECT n FROM sandbox_analyst.divided")
        parts = []
        for partition in partitions:
            cursor.adbc_read_partition(partition)
            parts.append(set(cursor.fetch_arrow_table()["n"].to_pylist()))
        equal(sum(map(len, parts)), 40_000)
        equal(set().union(*parts), set(range(40_000)))
        assert sum(map(bool, parts)) > 1, [len(part) for part in parts]
        cursor.execute("DROP TABLE divided")


@check("-")
def each_option_may_be_a_header(target: Target) -> None:
    with connect(target, **{f"{HEADER}x-basin-view-types": "true", f"{HEADER}x-basin-schema": "ref"}) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM province")
            equal(cursor.fetch_arrow_table().schema.field("name").type, pa.string_view())


@check("-")
def a_substrait_plan_runs(target: Target) -> None:
    context = datafusion.SessionContext()
    context.sql("CREATE SCHEMA health").collect()
    context.sql("CREATE TABLE health.city (city VARCHAR, confirmed BIGINT)").collect()
    sql = "SELECT city, max(confirmed) AS n FROM health.city WHERE city IN ('武汉市', '温州市') GROUP BY city"
    plan = datafusion.substrait.Serde.serialize_bytes(sql, context)
    with connect(target) as connection, connection.cursor() as cursor:
        found = rows(cursor, plan)
        equal(sorted(found), sorted(rows(cursor, sql)))
        equal(len(found), 2)


@check("-")
def a_connection_without_transactions_says_so(target: Target) -> None:
    """The driver asks GetSqlInfo whether there are transactions, and goes on without."""
    with connect(target) as connection:
        fails(Error, lambda: connection.adbc_connection.set_autocommit(False))
        with connection.cursor() as cursor:
            equal(rows(cursor, "SELECT 1"), [(1,)])


if __name__ == "__main__":
    main(VERSION)
