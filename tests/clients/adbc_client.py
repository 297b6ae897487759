"""The ADBC driver for Flight SQL, what Python, R and many tools connect with: queries and their values."""

import threading
import time

import adbc_driver_flightsql.dbapi as flightsql
import canonical
import pyarrow as pa
import pyarrow.compute as compute
import wire
from adbc import LARGE, LARGE_ROWS, VERSION, Code, Database, Error
from adbc import connect, connect_mtls, connect_tls, connect_token, rows, slow, wait_for_audit
from harness import Target, absent, check, equal, fails, main

for column in ("types", "nulls"):
    absent(column, canonical.PYARROW_INTERVALS)


@check("connect")
def wrong_password_is_refused(target: Target) -> None:
    equal(fails(Error, lambda: connect(target, password="wrong")).status_code, Code.UNAUTHENTICATED)


@check("connect")
def a_token_that_another_got_is_enough(target: Target) -> None:
    with connect_token(target, wire.token(target)) as connection, connection.cursor() as cursor:
        equal(rows(cursor, "SELECT count(*) FROM health.city"), [(5247,)])
    with connect_token(target, "Bearer forged") as connection, connection.cursor() as cursor:
        equal(fails(Error, lambda: cursor.execute("SELECT 1")).status_code, Code.UNAUTHENTICATED)


@check("connect")
def connections_in_parallel(target: Target) -> None:
    failures = []

    def work() -> None:
        try:
            with connect(target) as connection, connection.cursor() as cursor:
                for _ in range(5):
                    equal(rows(cursor, "SELECT count(*) FROM paper.daily"), [(27423,)])
        except Exception as error:  # collected: an exception in a thread is lost otherwise
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


@check("query")
def figures_and_text_arrive(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        equal(rows(cursor, "SELECT count(*) FROM health.city"), [(5247,)])
        equal(rows(cursor, "SELECT count(*) FROM jhu.series"), [(101010,)])
        equal(rows(cursor, "SELECT city FROM paper.daily WHERE date = DATE '2020-01-11'"), [("武汉市",)])


@check("query")
def schema_without_execution(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema("SELECT date, sum(confirmed) AS n FROM health.city GROUP BY date")
        equal(schema.names, ["date", "n"])


@check("query")
def empty_result_keeps_its_schema(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT code, name FROM ref.province WHERE false")
        table = cursor.fetch_arrow_table()
        equal((table.num_rows, table.schema.names), (0, ["code", "name"]))


@check("query")
def partitions_are_read_one_by_one(target: Target) -> None:
    sql = "SELECT bulletin, city, confirmed FROM health.city"
    with connect(target) as connection, connection.cursor() as cursor:
        partitions, schema = cursor.adbc_execute_partitions(sql)
        equal(schema.names, ["bulletin", "city", "confirmed"])
        equal(len(partitions), 1)
        # Another connection reads what this one asked: partitions may travel.
        with connect(target) as other, other.cursor() as reader:
            reader.adbc_read_partition(partitions[0])
            equal(reader.fetch_arrow_table().num_rows, 5247)


@check("types")
def every_type_arrives(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        canonical.compare(target, asked(cursor), canonical.values_are_right, canonical.PYARROW_LIMITS)


@check("nulls")
def every_type_arrives_with_null(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        canonical.compare(target, asked(cursor), canonical.null_is_last, canonical.PYARROW_LIMITS)


def asked(cursor: flightsql.Cursor) -> canonical.Ask:
    def ask_entry(entry: canonical.Entry) -> list[canonical.Text]:
        cursor.execute(entry.question)
        return canonical.texts(cursor.fetch_arrow_table()["v"])

    return ask_entry


@check("types")
def wire_types_are_plain(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, upper(name) AS u, name || 'x' AS x, X'00' AS b FROM ref.province")
        types = [field.type for field in cursor.fetch_arrow_table().schema]
        equal(types, [pa.string(), pa.string(), pa.string(), pa.binary()])


@check("large")
def large_result_arrives_whole(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        [(confirmed,)] = rows(cursor, "SELECT sum(confirmed) FROM jhu.series")
        cursor.execute(f"SELECT a.date, a.country, a.province, a.confirmed, b.code {LARGE}")
        rows_read = bytes_read = total = 0
        for batch in cursor.fetch_record_batch():
            rows_read += batch.num_rows
            bytes_read += batch.nbytes
            total += compute.sum(batch["confirmed"]).as_py()
        equal((rows_read, total), (LARGE_ROWS, 31 * confirmed))
        assert bytes_read > 100_000_000, bytes_read


@check("large")
def large_values_arrive(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        [(text,)] = rows(cursor, "SELECT repeat('浙', 1000000)")
        equal((len(text), set(text)), (1000000, {"浙"}))
        cursor.execute("SELECT repeat('x', 1000000) AS v FROM ref.province")
        equal(cursor.fetch_arrow_table().num_rows, 31)


@check("cancel")
def cancel_ends_a_query(target: Target) -> None:
    sql = slow()
    with connect(target) as connection, connection.cursor() as cursor:
        timer = threading.Timer(1.0, cursor.adbc_cancel)
        timer.start()
        started = time.monotonic()
        try:
            equal(fails(Error, lambda: rows(cursor, sql)).status_code, Code.CANCELLED)
        finally:
            timer.cancel()
        assert time.monotonic() - started < 10, "cancelling took too long"
        equal(rows(cursor, "SELECT 1"), [(1,)])
    wait_for_audit(target, sql, "cancelled")


@check("error")
def errors_say_what_is_wrong(target: Target) -> None:
    cases = [
        ("SELECT confirmd FROM health.city", Code.INVALID_ARGUMENT, "confirmd"),
        ("SELECT * FROM health.village", Code.NOT_FOUND, "health.village"),
        ("DROP TABLE health.city", Code.INVALID_ARGUMENT, "read"),
    ]
    with connect(target) as connection:
        for sql, code, says in cases:
            with connection.cursor() as cursor:
                error = fails(Error, lambda: rows(cursor, sql))
            equal(error.status_code, code)
            assert says in str(error), error


@check("tls")
def tls_with_the_authority(target: Target) -> None:
    with connect_tls(target) as connection, connection.cursor() as cursor:
        equal(rows(cursor, "SELECT count(*) FROM health.city"), [(5247,)])
    error = fails(Error, lambda: connect(target, target.tls_uri))
    assert "certificate" in str(error), error


@check("tls")
def mtls_with_a_certificate(target: Target) -> None:
    with connect_mtls(target) as connection, connection.cursor() as cursor:
        equal(rows(cursor, "SELECT count(*) FROM health.city"), [(5247,)])
    options = {Database.TLS_ROOT_CERTS.value: target.ca.read_text()}
    equal(fails(Error, lambda: connect(target, target.mtls_uri, **options)).status_code, Code.IO)


if __name__ == "__main__":
    main(VERSION)
