"""The ADBC driver for Flight SQL: what Python, R and many tools connect with."""

import threading
import time

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pyarrow as pa
import values
from harness import Target, check, equal, main

SLOW = "SELECT count(*) FROM jhu.series a, jhu.series b WHERE a.confirmed + b.confirmed < -1"


def connect(target: Target, **changes: str) -> flightsql.Connection:
    options = {"username": target.user, "password": target.password} | changes
    return flightsql.connect(target.uri, db_kwargs=options, autocommit=True)


def rows(cursor: flightsql.Cursor, sql: str, parameters: object = None) -> list[tuple]:
    cursor.execute(sql, parameters)
    return cursor.fetchall()


@check
def connects_and_queries(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        equal(rows(cursor, "SELECT count(*) FROM health.city"), [(5247,)])


@check
def wrong_password_is_refused(target: Target) -> None:
    try:
        with connect(target, password="wrong") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except adbc_driver_manager.Error as error:
        equal(error.status_code, adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED)
    else:
        raise AssertionError("a wrong password was accepted")


@check
def info_names_the_vendor(target: Target) -> None:
    with connect(target) as connection:
        info = connection.adbc_get_info()
        equal(info["vendor_name"], "Basin")
        assert info["vendor_version"], info


def objects(target: Target, **arguments: str) -> list[dict]:
    with connect(target) as connection:
        return connection.adbc_get_objects(**arguments).read_all().to_pylist()


@check
def objects_at_depth_catalogs(target: Target) -> None:
    found = objects(target, depth="catalogs")
    equal([catalog["catalog_name"] for catalog in found], ["basin"])


@check
def objects_at_depth_schemas(target: Target) -> None:
    [catalog] = objects(target, depth="db_schemas")
    names = {schema["db_schema_name"] for schema in catalog["catalog_db_schemas"]}
    assert {"ref", "health", "paper", "jhu", "basin", "information_schema"} <= names, names


@check
def objects_at_depth_tables(target: Target) -> None:
    [catalog] = objects(target, depth="tables", db_schema_filter="health")
    [schema] = catalog["catalog_db_schemas"]
    found = {(table["table_name"], table["table_type"]) for table in schema["db_schema_tables"]}
    equal(found, {("national", "TABLE"), ("provincial", "TABLE"), ("city", "TABLE")})


@check
def objects_at_depth_columns(target: Target) -> None:
    [catalog] = objects(target, depth="all", db_schema_filter="health", table_name_filter="city")
    [schema] = catalog["catalog_db_schemas"]
    [table] = schema["db_schema_tables"]
    names = [column["column_name"] for column in table["table_columns"]]
    equal(names[:4], ["bulletin", "bulletin_date", "issuer", "date"])
    equal([column["ordinal_position"] for column in table["table_columns"]], list(range(1, len(names) + 1)))
    # The driver drops the remarks here; they are in the table's schema.
    with connect(target) as connection:
        schema = connection.adbc_get_table_schema("city", db_schema_filter="health")
    remarks = schema.field("confirmed").metadata[b"ARROW:FLIGHT:SQL:REMARKS"].decode()
    assert "确诊" in remarks and "confirmed" in remarks, remarks


@check
def objects_filter_by_patterns(target: Target) -> None:
    [catalog] = objects(target, depth="tables", db_schema_filter="r_f", table_name_filter="c%")
    found = [t["table_name"] for s in catalog["catalog_db_schemas"] for t in s["db_schema_tables"]]
    equal(sorted(found), ["city", "county"])
    [catalog] = objects(target, depth="tables", table_types_filter=["SYSTEM TABLE"])
    found = {s["db_schema_name"] for s in catalog["catalog_db_schemas"] if s["db_schema_tables"]}
    equal(found, {"basin", "information_schema"})


@check
def table_types(target: Target) -> None:
    with connect(target) as connection:
        equal(sorted(connection.adbc_get_table_types()), ["SYSTEM TABLE", "TABLE", "VIEW"])


@check
def table_schema(target: Target) -> None:
    with connect(target) as connection:
        schema = connection.adbc_get_table_schema("daily", db_schema_filter="paper")
        equal(schema.field("date").type, pa.date32())
        equal(schema.field("place").type, pa.string())
        equal(schema.field("place").nullable, False)
        equal(schema.field("new_confirmed").type, pa.int64())


@check
def schema_without_execution(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema("SELECT date, sum(confirmed) AS n FROM health.city GROUP BY date")
        equal(schema.names, ["date", "n"])


@check
def parameters_with_question_marks(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        sql = "SELECT confirmed FROM health.city WHERE bulletin = ? AND city = ? ORDER BY occurrence"
        equal(rows(cursor, sql, ("2020-01-23浙江省", "温州市")), [(6,), (1,)])
        equal(rows(cursor, "SELECT city FROM health.city WHERE confirmed > ? ORDER BY 1 LIMIT ?", (10000, 1)), [("武汉市",)])


@check
def parameters_with_numbers(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        sql = "SELECT count(*) FROM health.city WHERE city = $2 AND province = $1 OR city = $2 AND province IS NULL"
        [(count,)] = rows(cursor, sql, ("湖北省", "武汉市"))
        assert count > 0, count


@check
def parameters_of_every_kind(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        day = values.datetime.date(2020, 1, 23)
        [(count,)] = rows(cursor, "SELECT count(*) FROM health.city WHERE date = ?", (day,))
        assert count > 0, count
        equal(rows(cursor, "SELECT count(*) FROM health.city WHERE city = ?", (None,)), [(0,)])
        price = values.decimal.Decimal("2.50")
        equal(rows(cursor, "SELECT CAST(? AS DECIMAL(9, 2)) + 1", (price,)), [(values.decimal.Decimal("3.50"),)])
        equal(rows(cursor, "SELECT CAST(? AS VARCHAR)", ("' OR 1 = 1 --",)), [("' OR 1 = 1 --",)])


@check
def parameters_several_rows(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.adbc_prepare("SELECT name FROM ref.province WHERE code = ?")
        found = []
        for code in ("11", "33", "99"):
            found += rows(cursor, "SELECT name FROM ref.province WHERE code = ?", (code,))
        equal(found, [("北京市",), ("浙江省",)])


@check
def prepared_statement_knows_its_parameters(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_prepare("SELECT * FROM health.city WHERE confirmed > ? AND city = ?")
        equal([field.type for field in schema], [pa.int64(), pa.string()])


@check
def every_type_arrives(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        [row] = rows(cursor, values.SQL)
        for (sql, expected), found in zip(values.VALUES, row, strict=True):
            assert found == expected, f"{sql}: found {found!r}, expected {expected!r}"


@check
def every_type_arrives_with_nulls(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        nulls, row = rows(cursor, values.NULLS_SQL)
        equal(set(nulls), {None})
        for (sql, expected), found in zip(values.VALUES, row, strict=True):
            assert found == expected, f"{sql}: found {found!r}, expected {expected!r}"


@check
def intervals_arrive(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT INTERVAL '14 months 3 days' AS i, DATE '2020-01-31' + INTERVAL '1 month' AS d")
        [row] = cursor.fetch_arrow_table().to_pylist()
        equal((row["i"].months, row["i"].days, row["i"].nanoseconds), (14, 3, 0))
        equal(str(row["d"])[:10], "2020-02-29")


@check
def wire_types_are_plain(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, upper(name) AS u, name || 'x' AS x, X'00' AS b FROM ref.province")
        types = [field.type for field in cursor.fetch_arrow_table().schema]
        equal(types, [pa.string(), pa.string(), pa.string(), pa.binary()])


@check
def empty_result_keeps_its_schema(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT code, name FROM ref.province WHERE false")
        table = cursor.fetch_arrow_table()
        equal((table.num_rows, table.schema.names), (0, ["code", "name"]))


@check
def large_result_arrives_whole(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.date, a.country, a.province, a.confirmed, b.code FROM jhu.series a CROSS JOIN ref.province b"
        )
        rows_read = bytes_read = 0
        for batch in cursor.fetch_record_batch():
            rows_read += batch.num_rows
            bytes_read += batch.nbytes
        equal(rows_read, 101010 * 31)
        assert bytes_read > 100_000_000, bytes_read


@check
def large_values_arrive(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        [(text,)] = rows(cursor, "SELECT repeat('浙', 1000000)")
        equal((len(text), set(text)), (1000000, {"浙"}))
        cursor.execute("SELECT repeat('x', 1000000) AS v FROM ref.province")
        equal(cursor.fetch_arrow_table().num_rows, 31)


@check
def cancel_ends_a_query(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        timer = threading.Timer(1.0, cursor.adbc_cancel)
        timer.start()
        started = time.monotonic()
        try:
            cursor.execute(SLOW)
            cursor.fetchall()
        except adbc_driver_manager.Error as error:
            equal(error.status_code, adbc_driver_manager.AdbcStatusCode.CANCELLED)
        else:
            raise AssertionError("the query ended before it was cancelled")
        finally:
            timer.cancel()
        assert time.monotonic() - started < 10, "cancelling took too long"
    with connect(target) as connection, connection.cursor() as cursor:
        equal(rows(cursor, "SELECT 1"), [(1,)])


@check
def cancelled_query_is_audited(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            sql = "SELECT count(*) FROM basin.queries WHERE outcome = 'cancelled'"
            if rows(cursor, sql) != [(0,)]:
                return
            time.sleep(0.2)
        raise AssertionError("no cancelled query in basin.queries")


@check
def errors_say_what_is_wrong(target: Target) -> None:
    codes = adbc_driver_manager.AdbcStatusCode
    cases = [
        ("SELECT confirmd FROM health.city", codes.INVALID_ARGUMENT, "confirmd"),
        ("SELECT * FROM health.village", codes.NOT_FOUND, "health.village"),
        ("DROP TABLE health.city", codes.INVALID_ARGUMENT, "read"),
    ]
    with connect(target) as connection:
        for sql, code, says in cases:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(sql)
                    cursor.fetchall()
                except adbc_driver_manager.Error as error:
                    equal(error.status_code, code)
                    assert says in str(error), error
                else:
                    raise AssertionError(f"{sql} was run")


@check
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


if __name__ == "__main__":
    main()
