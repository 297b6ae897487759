"""Raw Flight calls of pyarrow: what the server says of itself, its tables, their columns and keys."""

import pyarrow as pa
from harness import Target, check, equal, main
from wire import command, field, flag, read, statement

REGION = ["basin", "ref", "region", "code"]


@check("info")
def sql_info(target: Target) -> None:
    table = read(target, command("CommandGetSqlInfo"))
    equal(table.schema.names, ["info_name", "value"])
    values = {row["info_name"]: row["value"] for row in table.to_pylist()}
    assert {0, 1, 2, 3, 8, 504} <= set(values), set(values)
    equal(values[0], "Basin")
    assert values[1], values[1]


@check("info")
def sql_info_of_some_codes(target: Target) -> None:
    table = read(target, command("CommandGetSqlInfo", field(1, bytes([0, 8]))))
    equal(table["info_name"].to_pylist(), [0, 8])


@check("info")
def type_info(target: Target) -> None:
    table = read(target, command("CommandGetXdbcTypeInfo"))
    equal(table.schema.names[:3], ["type_name", "data_type", "column_size"])
    assert table.num_rows > 10, table.num_rows


@check("metadata")
def catalogs(target: Target) -> None:
    equal(read(target, command("CommandGetCatalogs")).to_pylist(), [{"catalog_name": "basin"}])


@check("metadata")
def schemas(target: Target) -> None:
    table = read(target, command("CommandGetDbSchemas"))
    equal(table.schema.names, ["catalog_name", "db_schema_name"])
    assert {"ref", "health", "paper", "jhu", "basin"} <= set(table["db_schema_name"].to_pylist())


@check("metadata")
def tables_with_their_schema(target: Target) -> None:
    table = read(target, command("CommandGetTables", field(2, b"health") + flag(5, True)))
    equal(table.schema.names, ["catalog_name", "db_schema_name", "table_name", "table_type", "table_schema"])
    equal(table["table_name"].to_pylist(), ["city", "national", "provincial"])
    schema = pa.ipc.read_schema(pa.BufferReader(table["table_schema"][0].as_py()))
    metadata = schema.field("confirmed").metadata
    equal(metadata[b"ARROW:FLIGHT:SQL:TABLE_NAME"], b"city")
    assert "确诊".encode() in metadata[b"ARROW:FLIGHT:SQL:REMARKS"], metadata


@check("metadata")
def tables_without_their_schema(target: Target) -> None:
    table = read(target, command("CommandGetTables", field(3, b"da%")))
    equal(len(table.schema.names), 4)
    equal(
        [(row["db_schema_name"], row["table_name"]) for row in table.to_pylist() if row["table_type"] == "TABLE"],
        [("paper", "daily")],
    )


@check("metadata")
def table_types(target: Target) -> None:
    found = read(target, command("CommandGetTableTypes"))["table_type"].to_pylist()
    equal(sorted(found), ["SYSTEM TABLE", "TABLE", "VIEW"])


@check("metadata")
def primary_keys(target: Target) -> None:
    table = read(target, command("CommandGetPrimaryKeys", field(2, b"health") + field(3, b"city")))
    names = ["catalog_name", "db_schema_name", "table_name", "column_name", "key_name", "key_sequence"]
    equal(table.schema.names, names)
    equal(table.schema.field("key_sequence").type, pa.int32())
    key = ["bulletin", "date", "province_code", "city", "occurrence"]
    found = [tuple(row[name] for name in names if name != "key_name") for row in table.to_pylist()]
    equal(found, [("basin", "health", "city", name, number) for number, name in enumerate(key, 1)])
    [name] = set(table["key_name"].to_pylist())
    assert name, "the key has no name"
    equal(read(target, command("CommandGetPrimaryKeys", field(2, b"health") + field(3, b"village"))).num_rows, 0)


def references(table: pa.Table) -> list[tuple[list[str], list[str]]]:
    """The referring and the referred column of each row."""
    parts = ["catalog_name", "db_schema_name", "table_name", "column_name"]
    rows = table.to_pylist()
    equal([(row["key_sequence"], row["update_rule"], row["delete_rule"]) for row in rows], [(1, 3, 3)] * len(rows))
    return sorted(([row[f"fk_{part}"] for part in parts], [row[f"pk_{part}"] for part in parts]) for row in rows)


def of_city(column: str) -> list[str]:
    return ["basin", "health", "city", column]


@check("metadata")
def imported_keys(target: Target) -> None:
    table = read(target, command("CommandGetImportedKeys", field(2, b"health") + field(3, b"city")))
    equal(references(table), [(of_city("city_code"), REGION), (of_city("province_code"), REGION)])


@check("metadata")
def exported_keys(target: Target) -> None:
    table = read(target, command("CommandGetExportedKeys", field(2, b"ref") + field(3, b"region")))
    found = {tuple(referring[1:]) for referring, referred in references(table) if referred == REGION}
    expected = {("health", "city", "province_code"), ("health", "city", "city_code")}
    assert expected < found, found


@check("metadata")
def cross_reference(target: Target) -> None:
    body = field(2, b"ref") + field(3, b"region") + field(5, b"health") + field(6, b"city")
    found = references(read(target, command("CommandGetCrossReference", body)))
    equal(found, [(of_city("city_code"), REGION), (of_city("province_code"), REGION)])
    body = field(2, b"ref") + field(3, b"province") + field(5, b"health") + field(6, b"city")
    equal(read(target, command("CommandGetCrossReference", body)).num_rows, 0)


@check("metadata")
def columns_of_a_result_say_where_they_are_from(target: Target) -> None:
    sql = "SELECT confirmed, city AS place, confirmed + 1 AS more FROM health.city"
    schema = read(target, statement(sql)).schema
    said = {name.decode().rpartition(":")[2]: value for name, value in schema.field("confirmed").metadata.items()}
    equal((said["TABLE_NAME"], said["SCHEMA_NAME"], said["CATALOG_NAME"]), (b"city", b"health", b"basin"))
    equal(said["PRECISION"], b"19")
    # Remarks come only with a language: the JDBC driver takes them for the column's label.
    assert said["TYPE_NAME"] and said["SCALE"] == b"0" and "REMARKS" not in said, said
    equal(schema.field("place").metadata[b"ARROW:FLIGHT:SQL:TABLE_NAME"], b"city")
    assert b"ARROW:FLIGHT:SQL:TABLE_NAME" not in (schema.field("more").metadata or {}), schema


if __name__ == "__main__":
    main(pa.__version__)
