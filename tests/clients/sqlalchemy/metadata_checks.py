"""Catalogs, schemas, tables, columns, types and keys through the calls of FlightSQLClient."""

import contextlib

import pyarrow
import target
from flightsql import TableRef
from report import check, equal

SCHEMAS = {"ref", "health", "paper", "jhu", "basin", "information_schema"}


@check("metadata")
def catalogs_schemas_and_table_types() -> None:
    with contextlib.closing(target.client()) as opened:
        equal(target.read(opened, opened.get_catalogs()), [{"catalog_name": "basin"}])
        schemas = {row["db_schema_name"] for row in target.read(opened, opened.get_db_schemas())}
        assert SCHEMAS <= schemas, schemas
        found = target.read(opened, opened.get_db_schemas(catalog="basin", db_schema_filter_pattern="r_f"))
        equal(found, [{"catalog_name": "basin", "db_schema_name": "ref"}])
        types = [row["table_type"] for row in target.read(opened, opened.get_table_types())]
        equal(sorted(types), ["SYSTEM TABLE", "TABLE", "VIEW"])


@check("metadata")
def tables_by_patterns_and_types() -> None:
    with contextlib.closing(target.client()) as opened:
        found = target.read(opened, opened.get_tables(db_schema_filter_pattern="ref", table_name_filter_pattern="c%"))
        equal(sorted(row["table_name"] for row in found), ["city", "county"])
        equal({row["table_type"] for row in found}, {"TABLE"})
        found = target.read(opened, opened.get_tables(table_types=["SYSTEM TABLE"]))
        equal({row["db_schema_name"] for row in found}, {"basin", "information_schema"})


@check("metadata")
def columns_with_remarks() -> None:
    with contextlib.closing(target.client()) as opened:
        info = opened.get_tables(True, db_schema_filter_pattern="health", table_name_filter_pattern="provincial")
        [table] = target.read(opened, info)
        schema = pyarrow.ipc.open_stream(table["table_schema"]).schema
        equal(schema.names[:4], ["bulletin", "bulletin_date", "issuer", "date"])
        equal((schema.field("date").type, schema.field("date").nullable), (pyarrow.date32(), False))
        remarks = schema.field("confirmed").metadata[b"ARROW:FLIGHT:SQL:REMARKS"].decode()
        assert "确诊" in remarks and "confirmed" in remarks, remarks


@check("metadata")
def types_of_the_server() -> None:
    with contextlib.closing(target.client()) as opened:
        names = {row["type_name"] for row in target.read(opened, opened.get_xdbc_type_info(None))}
        assert {"BIGINT", "VARCHAR", "DATE"} <= names, names
        # 93 is TIMESTAMP in XDBC.
        equal({row["data_type"] for row in target.read(opened, opened.get_xdbc_type_info(93))}, {93})


@check("metadata")
def primary_keys() -> None:
    with target.connected() as connection:
        keys = connection.flightsql_get_primary_keys("provincial", schema="health")
        keys.sort(key=lambda key: key["key_sequence"])
        equal([key["column_name"] for key in keys], ["bulletin", "date", "province_code"])
        equal([key["key_sequence"] for key in keys], [1, 2, 3])


@check("metadata")
def foreign_keys() -> None:
    with target.connected() as connection:
        keys = connection.flightsql_get_foreign_keys("city", schema="ref")
        equal(
            [(key["fk_column_name"], key["pk_table_name"], key["pk_column_name"]) for key in keys],
            [("province_code", "province", "code")],
        )
        opened = connection.client
        province, city = TableRef(db_schema="ref", table="province"), TableRef(db_schema="ref", table="city")
        exported = target.read(opened, opened.get_exported_keys(province))
        assert ("ref", "city") in {(key["fk_db_schema_name"], key["fk_table_name"]) for key in exported}, exported
        equal(target.read(opened, opened.get_cross_reference(province, city)), keys)
