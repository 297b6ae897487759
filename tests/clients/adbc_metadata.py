"""The ADBC driver for Flight SQL: what it says of the server, its tables and their keys."""

import pyarrow as pa
from adbc import VERSION, Code, Error, connect, rows
from harness import Target, absent, check, equal, fails, main

absent("metadata", "the ADBC driver does not ask for keys: the constraints of its get_objects are empty")


@check("info")
def info_names_the_vendor(target: Target) -> None:
    with connect(target) as connection:
        info = connection.adbc_get_info()
    equal(info["vendor_name"], "Basin")
    assert info["vendor_version"] and info["vendor_arrow_version"], info


def objects(target: Target, **arguments: object) -> list[dict]:
    with connect(target) as connection:
        return connection.adbc_get_objects(**arguments).read_all().to_pylist()


@check("metadata")
def objects_at_depth_catalogs(target: Target) -> None:
    found = objects(target, depth="catalogs")
    equal([catalog["catalog_name"] for catalog in found], ["basin"])


@check("metadata")
def objects_at_depth_schemas(target: Target) -> None:
    [catalog] = objects(target, depth="db_schemas")
    names = {schema["db_schema_name"] for schema in catalog["catalog_db_schemas"]}
    assert {"ref", "health", "paper", "jhu", "basin", "information_schema"} <= names, names


@check("metadata")
def objects_at_depth_tables(target: Target) -> None:
    [catalog] = objects(target, depth="tables", db_schema_filter="health")
    [schema] = catalog["catalog_db_schemas"]
    found = {(table["table_name"], table["table_type"]) for table in schema["db_schema_tables"]}
    equal(found, {("national", "TABLE"), ("provincial", "TABLE"), ("city", "TABLE")})


@check("metadata")
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


@check("metadata")
def objects_filter_by_patterns(target: Target) -> None:
    [catalog] = objects(target, depth="tables", db_schema_filter="r_f", table_name_filter="c%")
    found = [t["table_name"] for s in catalog["catalog_db_schemas"] for t in s["db_schema_tables"]]
    equal(sorted(found), ["city", "county"])
    [catalog] = objects(target, depth="tables", table_types_filter=["SYSTEM TABLE"])
    found = {s["db_schema_name"] for s in catalog["catalog_db_schemas"] if s["db_schema_tables"]}
    equal(found, {"basin", "information_schema"})


@check("metadata")
def table_types(target: Target) -> None:
    with connect(target) as connection:
        equal(sorted(connection.adbc_get_table_types()), ["SYSTEM TABLE", "TABLE", "VIEW"])


@check("metadata")
def table_schema(target: Target) -> None:
    with connect(target) as connection:
        schema = connection.adbc_get_table_schema("daily", db_schema_filter="paper")
        equal(schema.field("date").type, pa.date32())
        equal(schema.field("place").type, pa.string())
        equal(schema.field("place").nullable, False)
        equal(schema.field("new_confirmed").type, pa.int64())
        error = fails(Error, lambda: connection.adbc_get_table_schema("village", db_schema_filter="health"))
        equal(error.status_code, Code.NOT_FOUND)


@check("metadata")
def constraints_are_left_out_by_the_driver(target: Target) -> None:
    [catalog] = objects(target, depth="all", db_schema_filter="health", table_name_filter="city")
    [[table]] = [schema["db_schema_tables"] for schema in catalog["catalog_db_schemas"]]
    equal(table["table_constraints"] or [], [])


@check("metadata")
def keys_are_in_the_information_schema(target: Target) -> None:
    with connect(target) as connection, connection.cursor() as cursor:
        found = rows(
            cursor,
            "SELECT k.column_name, k.ordinal_position FROM information_schema.table_constraints c"
            " JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)"
            " WHERE c.table_schema = 'health' AND c.table_name = 'city' AND c.constraint_type = 'PRIMARY KEY'"
            " ORDER BY k.ordinal_position",
        )
        equal([name for name, _ in found], ["bulletin", "date", "province_code", "city", "occurrence"])
        equal([position for _, position in found], [1, 2, 3, 4, 5])
        found = rows(
            cursor,
            "SELECT k.column_name, u.table_schema, u.table_name, u.column_name"
            " FROM information_schema.referential_constraints r"
            " JOIN information_schema.key_column_usage k"
            "   ON k.constraint_schema = r.constraint_schema AND k.constraint_name = r.constraint_name"
            " JOIN information_schema.key_column_usage u"
            "   ON u.constraint_schema = r.unique_constraint_schema AND u.constraint_name = r.unique_constraint_name"
            "  AND u.ordinal_position = k.position_in_unique_constraint"
            " WHERE k.table_schema = 'health' AND k.table_name = 'city' ORDER BY 1",
        )
        equal(found, [("city_code", "ref", "region", "code"), ("province_code", "ref", "region", "code")])


if __name__ == "__main__":
    main(VERSION)
