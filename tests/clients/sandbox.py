"""Writing: statements and ingestion into the user's sandbox through ADBC, each stored exactly once."""

import time

import numpy
import pyarrow as pa
from adbc import VERSION, Error, connect, rows
from harness import Target, check, equal, fails, main

SCHEMA = "sandbox_analyst"
ROWS = 1_000_000


def numbers(count: int, first: int = 0) -> pa.Table:
    n = numpy.arange(first, first + count, dtype="int64")
    return pa.table({"n": n, "half": n / 2, "place": pa.array(["武汉市", "北京市"] * (count // 2))})


@check("-")
def an_insert_that_is_never_fetched_is_stored_once(target: Target) -> None:
    with connect(target) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE once (n BIGINT NOT NULL, place VARCHAR)")
        for n in range(100):
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO once VALUES ({n}, '第{n}')")
        with connection.cursor() as cursor:
            found = rows(cursor, f"SELECT n, place FROM {SCHEMA}.once ORDER BY n")
            equal(found, [(n, f"第{n}") for n in range(100)])
            cursor.execute("DROP TABLE once")


@check("-")
def statements_change_a_table(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS provinces")
        cursor.execute(
            "CREATE TABLE provinces AS SELECT province, max(confirmed) AS confirmed FROM health.provincial GROUP BY province"
        )
        made = rows(cursor, f"SELECT count(*), count(confirmed) FROM {SCHEMA}.provinces")
        equal(made, rows(cursor, "SELECT count(*), count(province) FROM (SELECT DISTINCT province FROM health.provincial)"))
        cursor.execute("UPDATE provinces SET confirmed = -1 WHERE province = '浙江省'")
        equal(rows(cursor, f"SELECT province FROM {SCHEMA}.provinces WHERE confirmed < 0"), [("浙江省",)])
        cursor.execute("DELETE FROM provinces WHERE confirmed < 0")
        equal(rows(cursor, f"SELECT count(*) FROM {SCHEMA}.provinces"), [(made[0][0] - 1,)])
        cursor.execute("DROP TABLE provinces")


@check("-")
def a_million_rows_are_ingested_in_every_mode(target: Target) -> None:
    table = numbers(ROWS)
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS million")
        # What is there afterwards: how often each row.
        for mode, times in [("create", 1), ("append", 2), ("replace", 1), ("create_append", 2)]:
            started = time.monotonic()
            # The driver sends no message above 16 MiB: large tables go in batches.
            equal(cursor.adbc_ingest("million", table.to_reader(max_chunksize=65_536), mode=mode), ROWS)
            seconds = time.monotonic() - started
            print(f"   ingest {mode}: {ROWS} rows, {table.nbytes / seconds / 1e6:.0f} MB/s, {seconds:.2f} s")
            found = rows(
                cursor, f"SELECT count(*), count(DISTINCT n), sum(n), count(half), max(place) FROM {SCHEMA}.million"
            )
            equal(found, [(times * ROWS, ROWS, times * ROWS * (ROWS - 1) // 2, times * ROWS, "武汉市")])
        error = fails(Error, lambda: cursor.adbc_ingest("million", numbers(2), mode="create"))
        assert "million" in str(error), error
        equal(rows(cursor, f"SELECT count(*) FROM {SCHEMA}.million"), [(2 * ROWS,)])
        cursor.execute("DROP TABLE million")


@check("-")
def a_failed_ingest_leaves_nothing(target: Target) -> None:
    def batches() -> object:
        yield from numbers(10_000).to_batches()
        raise RuntimeError("the source ended early")

    table = numbers(2)
    reader = pa.RecordBatchReader.from_batches(table.schema, batches())
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS broken")
        fails((Error, RuntimeError), lambda: cursor.adbc_ingest("broken", reader, mode="create"))
        equal(
            rows(cursor, "SELECT count(*) FROM information_schema.tables WHERE table_name = 'broken'"), [(0,)]
        )


@check("-")
def what_a_provider_delivered_is_read_only(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        for sql in ["DELETE FROM health.city", "CREATE TABLE health.mine (n BIGINT)", "DROP TABLE health.city"]:
            error = fails(Error, lambda: cursor.execute(sql))
            assert SCHEMA in str(error), error
        equal(rows(cursor, "SELECT count(*) FROM health.city"), [(5247,)])


if __name__ == "__main__":
    main(VERSION)
