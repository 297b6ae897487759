"""What the lists of SQL Lab and of the dataset's page show: schemas, tables, columns, keys."""

import stage
from report import check, equal

COLUMNS = ["bulletin", "bulletin_date", "issuer", "date", "country", "country_code", "province", "province_code"]
COLUMNS += ["confirmed", "suspected", "cured", "dead"]


def table(database: int) -> dict:
    """What SQL Lab shows beside a table's name."""
    return stage.superset().get(f"/api/v1/database/{database}/table_metadata/?name=provincial&schema=health")


@check("metadata")
def schemas_are_listed() -> None:
    found = set(stage.superset().get(f"/api/v1/database/{stage.database()}/schemas/")["result"])
    assert {"ref", "health", "paper", "jhu", "basin", "information_schema"} <= found, found


@check("metadata")
def tables_are_listed() -> None:
    path = f"/api/v1/database/{stage.database()}/tables/"
    found = stage.superset().get(path, {"schema_name": "health", "force": True})["result"]
    equal(sorted(table["value"] for table in found), ["city", "national", "provincial"])
    equal({table["type"] for table in found}, {"table"})


@check("metadata")
def columns_are_shown() -> None:
    found = table(stage.database())
    equal([column["name"] for column in found["columns"]], COLUMNS)
    kinds = {column["name"]: column["type"] for column in found["columns"]}
    equal((kinds["date"], kinds["province"], kinds["confirmed"]), ("DATE", "TEXT", "BIGINT"))
    select = found["selectStar"]
    assert "health.provincial" in select and "LIMIT 100" in select, select
    equal(len(stage.sql(select)["data"]), 100)


@check("metadata")
def the_primary_key_is_asked_for() -> None:
    """The dialect asks only when the URI says so. Superset then makes None of the names: see `absent` in client.py."""
    keyed = stage.make_database(f"{stage.NAME} with keys", stage.uri(**{"feature-sqlalchemy-primary-keys": "on"}))
    equal(table(keyed)["primaryKey"], {"constrained_columns": None, "name": None})


@check("metadata")
def a_dataset_knows_its_columns() -> None:
    found = stage.superset().get(f"/api/v1/dataset/{stage.dataset()}")["result"]
    columns = {column["column_name"]: column for column in found["columns"]}
    equal(list(columns), COLUMNS)
    equal((columns["date"]["type"], columns["date"]["is_dttm"]), ("DATE", True))
    equal((columns["confirmed"]["type"], columns["confirmed"]["is_dttm"]), ("BIGINT", False))
    assert found["main_dttm_col"] in ("date", "bulletin_date"), found["main_dttm_col"]
