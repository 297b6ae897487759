"""The ADBC driver for Flight SQL: prepared statements and what is bound to them."""

import datetime
import decimal

import pyarrow as pa
from adbc import VERSION, Error, connect, rows
from harness import Target, check, equal, fails, main


@check("parameters")
def parameters_with_question_marks(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        sql = "SELECT confirmed FROM health.city WHERE bulletin = ? AND city = ? ORDER BY occurrence"
        equal(rows(cursor, sql, ("2020-01-23浙江省", "温州市")), [(6,), (1,)])
        sql = "SELECT city FROM health.city WHERE confirmed > ? ORDER BY 1 LIMIT ?"
        equal(rows(cursor, sql, (10000, 1)), [("武汉市",)])


@check("parameters")
def parameters_with_numbers(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        sql = "SELECT count(*) FROM health.city WHERE city = $2 AND province = $1 OR city = $2 AND province IS NULL"
        [(count,)] = rows(cursor, sql, ("湖北省", "武汉市"))
        assert count > 0, count


@check("parameters")
def parameters_of_every_kind(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        day = datetime.date(2020, 1, 23)
        [(count,)] = rows(cursor, "SELECT count(*) FROM health.city WHERE date = ?", (day,))
        assert count > 0, count
        equal(rows(cursor, "SELECT count(*) FROM health.city WHERE city = ?", (None,)), [(0,)])
        price = decimal.Decimal("2.50")
        equal(rows(cursor, "SELECT CAST(? AS DECIMAL(9, 2)) + 1", (price,)), [(decimal.Decimal("3.50"),)])
        equal(rows(cursor, "SELECT CAST(? AS VARCHAR)", ("' OR 1 = 1 --",)), [("' OR 1 = 1 --",)])


@check("parameters")
def several_rows_give_the_rows_of_each(target: Target) -> None:
    """The driver binds rows as they are; the result is that of every row, in turn."""
    codes = pa.table({"code": ["11", "33", "99"]})
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM ref.province WHERE code = ?", codes)
        equal(cursor.fetchall(), [("北京市",), ("浙江省",)])


@check("parameters")
def a_prepared_statement_runs_again(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        sql = "SELECT name FROM ref.province WHERE code = ?"
        cursor.adbc_prepare(sql)
        found = [rows(cursor, sql, (code,)) for code in ("11", "33", "99")]
        equal(found, [[("北京市",)], [("浙江省",)], []])


@check("parameters")
def prepared_statement_knows_its_parameters(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_prepare("SELECT * FROM health.city WHERE confirmed > ? AND city = ?")
        equal([field.type for field in schema], [pa.int64(), pa.string()])


@check("parameters")
def executemany_inserts_every_row(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE many (n BIGINT, place VARCHAR)")
        cursor.executemany("INSERT INTO many VALUES (?, ?)", [(1, "武汉"), (2, None), (None, "北京")])
        found = rows(cursor, "SELECT n, place FROM sandbox_analyst.many ORDER BY n NULLS LAST")
        equal(found, [(1, "武汉"), (2, None), (None, "北京")])
        cursor.execute("DROP TABLE many")


@check("parameters")
def too_few_values_are_refused(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        sql = "SELECT count(*) FROM health.city WHERE confirmed > ? AND city = ?"
        fails(Error, lambda: rows(cursor, sql, (1,)))


if __name__ == "__main__":
    main(VERSION)
