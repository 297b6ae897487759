"""Values for a statement: what the dialect writes into its text, and what of `?` the client loses."""

import datetime

import pyarrow
import sqlalchemy
import target
from report import absent, check, detail, equal
from sqlalchemy import text

absent(
    "parameters",
    "PreparedStatement.execute in flightsql/client.py drops the answer to its values, DoPutPreparedStatementResult, "
    "and goes on with the handle that doesn't hold them; the dialect writes values into the text instead",
)


@check("-")
def values_are_written_into_the_statement() -> None:
    """The dialect's way: text and numbers, quoted by SQLAlchemy."""
    with target.engine() as engine, engine.connect() as connection:

        def value(sql: str, **values: object) -> object:
            return connection.execute(text(sql).bindparams(**values)).scalar()

        sql = "SELECT sum(confirmed) FROM health.city WHERE bulletin = :bulletin AND city = :city"
        equal(value(sql, bulletin="2020-01-23浙江省", city="温州市"), 7)
        equal(value("SELECT CAST(:value AS VARCHAR)", value="' OR 1 = 1 --"), "' OR 1 = 1 --")
        equal(value("SELECT :value + 1", value=2), 3)
        equal(value("SELECT count(*) FROM health.city WHERE city = :city", city=None), 0)
        try:
            value("SELECT :day", day=datetime.date(2020, 1, 23))
        except sqlalchemy.exc.CompileError as error:
            detail(f"SQLAlchemy 1.4 writes no dates: {error}")
        else:
            raise AssertionError("SQLAlchemy writes dates now: check them")


@check("-")
def the_dialect_leaves_late_values_out() -> None:
    """Of the client's faults, those that give wrong rows: they are known, and still there."""
    sql = "SELECT name FROM ref.province WHERE code = :code"
    with target.engine() as engine, engine.connect() as connection:
        equal(connection.execute(text(sql), {"code": "33"}).fetchall(), [])
    detail("values given to execute() become NULL in text(): give them to text(…).bindparams(…)")
    engine = sqlalchemy.create_engine(target.url(insecure="true"))
    with engine.connect() as connection:
        found = [connection.execute(text(sql).bindparams(code=code)).scalar() for code in ("11", "33")]
    engine.dispose()
    equal(found, ["北京市", "北京市"])
    detail("SQLAlchemy keeps a statement with its first values: use create_engine(…, query_cache_size=0)")


@check("-")
def lost_values_are_refused() -> None:
    """A statement never runs without the values that were bound to it."""
    sql = "SELECT name FROM ref.province WHERE code = ?"
    for prepared in [lambda: target.rows(sql, ("33",)), prepared_by_the_dialect]:
        try:
            prepared()
        except pyarrow.ArrowInvalid as error:
            assert "1 parameters and 0 values" in str(error), error
        else:
            raise AssertionError("the values arrived: check `parameters`")


def prepared_by_the_dialect() -> None:
    with target.engine(**{"feature-sqlalchemy-prepared-statements": "on"}) as engine, engine.connect() as connection:
        connection.execute(text("SELECT name FROM ref.province WHERE code = :code"), {"code": "33"})
