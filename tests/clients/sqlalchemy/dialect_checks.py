"""The SQLAlchemy dialect `datafusion+flightsql`: engine, inspector, reflection, statements."""

import sqlalchemy
import target
from report import check, detail, equal
from sqlalchemy import MetaData, Table, func, select, text


@check("connect")
def an_engine_connects_by_its_url() -> None:
    with target.engine() as engine:
        for _ in range(2):
            with engine.connect() as connection:
                equal(connection.execute(text("SELECT count(*) FROM health.city")).scalar(), 5247)


@check("connect")
def the_short_name_needs_no_import() -> None:
    """The entry point is named `datafusion`; importing flightsql.sqlalchemy adds `datafusion+flightsql`."""
    url = target.url(insecure="true")
    short = target.count_in_a_process(url.replace("datafusion+flightsql:", "datafusion:"), "os")
    equal((short.stdout, short.returncode), ("5247\n", 0))
    assert "NoSuchModuleError" in target.count_in_a_process(url, "os").stderr
    equal(target.count_in_a_process(url).stdout, "5247\n")


@check("info")
def the_dialect_asks_for_what_it_needs() -> None:
    with target.engine() as engine, engine.connect():
        info = engine.dialect.sql_info
        equal((info[0], info[3]), ("Basin", False))
        equal(engine.dialect.identifier_preparer.initial_quote, '"')
        equal((engine.dialect.supports_delete, engine.dialect.supports_alter), (True, True))


@check("metadata")
def the_inspector_lists_schemas_tables_and_columns() -> None:
    with target.engine() as engine:
        inspector = sqlalchemy.inspect(engine)
        assert {"ref", "health", "jhu", "basin"} <= set(inspector.get_schema_names())
        equal(sorted(inspector.get_table_names(schema="health")), ["city", "national", "provincial"])
        equal((inspector.has_table("city", schema="ref"), inspector.has_table("village", schema="ref")), (True, False))
        columns = {column["name"]: column for column in inspector.get_columns("provincial", schema="health")}
        kinds = {name: str(column["type"]) for name, column in columns.items()}
        equal((kinds["date"], kinds["province"], kinds["confirmed"]), ("DATE", "TEXT", "BIGINT"))
        equal((columns["date"]["nullable"], columns["confirmed"]["nullable"]), (False, True))


@check("metadata")
def the_inspector_reads_primary_keys() -> None:
    with target.engine(**{"feature-sqlalchemy-primary-keys": "on"}) as engine:
        key = sqlalchemy.inspect(engine).get_pk_constraint("provincial", schema="health")
        equal(key["constrained_columns"], ["bulletin", "date", "province_code"])
    with target.engine() as engine:
        inspector = sqlalchemy.inspect(engine)
        equal((inspector.get_foreign_keys("city", schema="ref"), inspector.get_view_names()), ([], []))
        detail("the dialect answers without asking the server that there are no foreign keys, indexes and views")


@check("metadata")
def a_schema_is_reflected() -> None:
    with target.engine() as engine:
        metadata = MetaData(schema="ref")
        metadata.reflect(bind=engine)
        assert {"ref.city", "ref.county", "ref.province"} <= set(metadata.tables), list(metadata.tables)
        equal([column.name for column in metadata.tables["ref.city"].columns], ["code", "name", "province_code"])


@check("query")
def a_reflected_table_is_queried() -> None:
    with target.engine() as engine, engine.connect() as connection:
        table = Table("provincial", MetaData(schema="health"), autoload_with=engine)
        statement = (
            select(table.c.province, func.max(table.c.confirmed).label("most"))
            .where(table.c.province.in_(["浙江省", "湖北省"]), table.c.confirmed > 0)
            .group_by(table.c.province)
            .order_by(sqlalchemy.desc("most"))
            .limit(2)
        )
        found = [tuple(row) for row in connection.execute(statement)]
        sql = "SELECT max(confirmed) FROM health.provincial WHERE province = '{}'"
        [[hubei]], [[zhejiang]] = target.rows(sql.format("湖北省")), target.rows(sql.format("浙江省"))
        equal(found, [("湖北省", hubei), ("浙江省", zhejiang)])


@check("error")
def errors_reach_the_user_of_sqlalchemy() -> None:
    with target.engine() as engine, engine.connect() as connection:
        for sql, says in [
            ("SELECT confirmed_on FROM health.city", "confirmed_on"),
            ("SELECT * FROM health.village", "health.village"),
        ]:
            try:
                connection.execute(text(sql))
            except Exception as error:  # pyarrow's errors come as they are: they are not the DB-API's
                assert says in str(error), error
            else:
                raise AssertionError(f"{sql} was run")
        equal(connection.execute(text("SELECT 1")).scalar(), 1)
