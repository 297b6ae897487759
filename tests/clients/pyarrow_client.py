"""Raw Flight calls of pyarrow: the protocol itself, without a driver that hides it."""

import base64
import json
import threading
import time

import pyarrow as pa
import pyarrow.flight as flight
import values
from harness import Target, check, equal, main
from wire import command, field, login, statement


def read(target: Target, descriptor: flight.FlightDescriptor) -> pa.Table:
    client, options = login(target)
    with client:
        info = client.get_flight_info(descriptor, options)
        [endpoint] = info.endpoints
        table = client.do_get(endpoint.ticket, options).read_all()
        equal(table.schema, info.schema)
        return table


@check
def connects_and_queries(target: Target) -> None:
    table = read(target, statement("SELECT count(*) AS n FROM health.city"))
    equal(table.to_pylist(), [{"n": 5247}])


@check
def wrong_password_is_refused(target: Target) -> None:
    try:
        login(target, "wrong")
    except flight.FlightUnauthenticatedError:
        return
    raise AssertionError("a wrong password was accepted")


@check
def no_token_is_refused(target: Target) -> None:
    with flight.connect(target.uri) as client:
        for headers in ([], [(b"authorization", b"Bearer forged")]):
            try:
                client.get_flight_info(statement("SELECT 1"), flight.FlightCallOptions(headers=headers))
            except flight.FlightUnauthenticatedError:
                continue
            raise AssertionError(f"{headers} was accepted")


@check
def basic_on_every_call_is_accepted(target: Target) -> None:
    basic = base64.b64encode(f"{target.user}:{target.password}".encode())
    options = flight.FlightCallOptions(headers=[(b"authorization", b"Basic " + basic)])
    with flight.connect(target.uri) as client:
        info = client.get_flight_info(statement("SELECT 1 AS one"), options)
        equal(client.do_get(info.endpoints[0].ticket, options).read_all().to_pylist(), [{"one": 1}])


@check
def catalogs(target: Target) -> None:
    equal(read(target, command("CommandGetCatalogs")).to_pylist(), [{"catalog_name": "basin"}])


@check
def schemas(target: Target) -> None:
    table = read(target, command("CommandGetDbSchemas"))
    equal(table.schema.names, ["catalog_name", "db_schema_name"])
    assert {"ref", "health", "paper", "jhu", "basin"} <= set(table["db_schema_name"].to_pylist())


@check
def tables_with_their_schema(target: Target) -> None:
    include = bytes([5 << 3, 1])
    table = read(target, command("CommandGetTables", field(2, b"health") + include))
    equal(table.schema.names, ["catalog_name", "db_schema_name", "table_name", "table_type", "table_schema"])
    equal(table["table_name"].to_pylist(), ["city", "national", "provincial"])
    schema = pa.ipc.read_schema(pa.BufferReader(table["table_schema"][0].as_py()))
    metadata = schema.field("confirmed").metadata
    equal(metadata[b"ARROW:FLIGHT:SQL:TABLE_NAME"], b"city")
    assert "确诊".encode() in metadata[b"ARROW:FLIGHT:SQL:REMARKS"], metadata


@check
def tables_without_their_schema(target: Target) -> None:
    table = read(target, command("CommandGetTables", field(3, b"da%")))
    equal(len(table.schema.names), 4)
    equal(
        [(row["db_schema_name"], row["table_name"]) for row in table.to_pylist() if row["table_type"] == "TABLE"],
        [("paper", "daily")],
    )


@check
def table_types(target: Target) -> None:
    equal(sorted(read(target, command("CommandGetTableTypes"))["table_type"].to_pylist()), ["SYSTEM TABLE", "TABLE", "VIEW"])


@check
def sql_info(target: Target) -> None:
    table = read(target, command("CommandGetSqlInfo"))
    equal(table.schema.names, ["info_name", "value"])
    codes = set(table["info_name"].to_pylist())
    assert {0, 1, 2, 3, 8, 504} <= codes, codes


@check
def every_type_arrives(target: Target) -> None:
    [row] = read(target, statement(values.SQL)).to_pylist()
    for (sql, expected), found in zip(values.VALUES, row.values(), strict=True):
        assert found == expected, f"{sql}: found {found!r}, expected {expected!r}"


@check
def chinese_text_arrives(target: Target) -> None:
    table = read(target, statement("SELECT city FROM paper.daily WHERE date = DATE '2020-01-11'"))
    equal(table.to_pylist(), [{"city": "武汉市"}])


@check
def provenance_is_on_the_wire(target: Target) -> None:
    client, options = login(target)
    with client:
        info = client.get_flight_info(statement("SELECT count(*) FROM paper.daily"), options)
    said = json.loads(info.app_metadata)
    assert {"query_id", "snapshot", "datasets"} <= set(said), said
    [dataset] = said["datasets"]
    equal((dataset["dataset"], dataset["licence"]), ("paper.daily", "CC-BY-4.0"))


@check
def messages_stay_below_16_mib(target: Target) -> None:
    client, options = login(target)
    with client:
        sql = "SELECT source_url_1 || repeat('x', 1000) AS v FROM paper.daily WHERE source_url_1 IS NOT NULL"
        info = client.get_flight_info(statement(sql), options)
        rows = 0
        for chunk in client.do_get(info.endpoints[0].ticket, options):
            assert chunk.data.nbytes < 16 * 1024 * 1024, chunk.data.nbytes
            rows += chunk.data.num_rows
        assert rows > 20000, rows


@check
def cancel_ends_a_stream(target: Target) -> None:
    client, options = login(target)
    with client:
        sql = "SELECT a.date, b.date AS d, a.country FROM jhu.series a CROSS JOIN jhu.series b"
        info = client.get_flight_info(statement(sql), options)
        reader = client.do_get(info.endpoints[0].ticket, options)
        reader.read_chunk()
        threading.Timer(0.2, reader.cancel).start()
        started = time.monotonic()
        try:
            while time.monotonic() - started < 20:
                reader.read_chunk()
        except (flight.FlightCancelledError, pa.ArrowCancelled):
            assert time.monotonic() - started < 10
            return
    raise AssertionError("the stream went on after it was cancelled")


if __name__ == "__main__":
    main()
