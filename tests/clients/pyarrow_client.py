"""Raw Flight calls of pyarrow, the protocol itself without a driver that hides it: queries and their values."""

import base64
import datetime
import json
import threading
import time

import canonical
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.flight as flight
from harness import Target, absent, check, equal, fails, main
from wire import Options, act, command, fetch, field, fields, login, packed, read, sign_in, statement, unpacked

for column in ("types", "nulls"):
    absent(column, canonical.PYARROW_INTERVALS)


@check("connect")
def wrong_password_is_refused(target: Target) -> None:
    fails(flight.FlightUnauthenticatedError, lambda: login(target, "wrong"))


@check("connect")
def no_token_is_refused(target: Target) -> None:
    with flight.connect(target.uri) as client:
        for headers in ([], [(b"authorization", b"Bearer forged")]):
            options = Options(headers=headers)
            fails(flight.FlightUnauthenticatedError, lambda: fetch(client, options, statement("SELECT 1")))


@check("connect")
def basic_on_every_call_is_accepted(target: Target) -> None:
    basic = base64.b64encode(f"{target.user}:{target.password}".encode())
    options = Options(headers=[(b"authorization", b"Basic " + basic)])
    with flight.connect(target.uri) as client:
        equal(fetch(client, options, statement("SELECT 1 AS one")).to_pylist(), [{"one": 1}])


@check("query")
def figures_and_text_arrive(target: Target) -> None:
    equal(read(target, statement("SELECT count(*) AS n FROM health.city")).to_pylist(), [{"n": 5247}])
    equal(read(target, statement("SELECT count(*) AS n FROM jhu.series")).to_pylist(), [{"n": 101010}])
    table = read(target, statement("SELECT city FROM paper.daily WHERE date = DATE '2020-01-11'"))
    equal(table.to_pylist(), [{"city": "武汉市"}])


@check("query")
def schema_without_a_result(target: Target) -> None:
    client, options = login(target)
    with client:
        for descriptor in [
            statement("SELECT date, sum(confirmed) AS n FROM health.city GROUP BY date"),
            command("CommandGetTables", bytes([5 << 3, 1])),
            command("CommandGetPrimaryKeys", field(3, b"city")),
        ]:
            promised = client.get_schema(descriptor, options).schema
            info = client.get_flight_info(descriptor, options)
            assert promised.equals(info.schema, check_metadata=True), (promised, info.schema)


@check("query")
def provenance_is_on_the_wire(target: Target) -> None:
    client, options = login(target)
    with client:
        info = client.get_flight_info(statement("SELECT count(*) FROM paper.daily"), options)
    said = json.loads(info.app_metadata)
    assert {"query_id", "snapshot", "datasets"} <= set(said), said
    [dataset] = said["datasets"]
    equal((dataset["dataset"], dataset["licence"]), ("paper.daily", "CC-BY-4.0"))


@check("parameters")
def a_prepared_statement_takes_rows(target: Target) -> None:
    sql = "SELECT count(*) AS n FROM health.city WHERE city = ? AND date >= ? AND confirmed > ?"
    day = datetime.date(2020, 1, 20)
    rows = pa.table({"city": ["武汉市", "温州市", None], "date": [day] * 3, "confirmed": [100, 0, 0]})
    client, options = login(target)
    with client:
        request = packed("ActionCreatePreparedStatementRequest", field(1, sql.encode()))
        [made] = act(client, options, "CreatePreparedStatement", request)
        prepared = unpacked(made)
        parameters = pa.ipc.read_schema(pa.BufferReader(prepared[3]))
        equal([item.type for item in parameters], [pa.string(), pa.date32(), pa.int64()])
        descriptor = command("CommandPreparedStatementQuery", field(1, prepared[1]))
        writer, answers = client.do_put(descriptor, rows.schema, options)
        writer.write_table(rows)
        writer.done_writing()
        answer = answers.read()
        handle = dict(fields(answer.to_pybytes())).get(1, prepared[1])
        writer.close()
        found = fetch(client, options, command("CommandPreparedStatementQuery", field(1, handle)))["n"].to_pylist()
        act(client, options, "ClosePreparedStatement", packed("ActionClosePreparedStatementRequest", field(1, handle)))
    equal((len(found), found[2]), (3, 0))
    assert found[0] > 0 and found[1] > 0, found


@check("types")
def every_type_arrives(target: Target) -> None:
    client, options = login(target)
    with client:
        canonical.compare(target, asked(client, options), canonical.values_are_right, canonical.PYARROW_LIMITS)


@check("nulls")
def every_type_arrives_with_null(target: Target) -> None:
    client, options = login(target)
    with client:
        canonical.compare(target, asked(client, options), canonical.null_is_last, canonical.PYARROW_LIMITS)


def asked(client: flight.FlightClient, options: Options) -> canonical.Ask:
    return lambda entry: canonical.texts(fetch(client, options, statement(entry.question))["v"])


@check("large")
def large_result_arrives_whole(target: Target) -> None:
    client, options = login(target)
    with client:
        confirmed = fetch(client, options, statement("SELECT sum(confirmed) AS n FROM jhu.series"))["n"][0].as_py()
        sql = "SELECT a.date, a.confirmed, b.name FROM jhu.series a CROSS JOIN ref.province b"
        info = client.get_flight_info(statement(sql), options)
        rows = total = 0
        for chunk in client.do_get(info.endpoints[0].ticket, options):
            rows += chunk.data.num_rows
            total += compute.sum(chunk.data["confirmed"]).as_py()
    equal((rows, total), (3_131_310, 31 * confirmed))


@check("large")
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


@check("cancel")
def cancel_ends_a_stream(target: Target) -> None:
    client, options = login(target)
    with client:
        sql = "SELECT a.date, b.date AS d, a.country FROM jhu.series a CROSS JOIN jhu.series b"
        info = client.get_flight_info(statement(sql), options)
        reader = client.do_get(info.endpoints[0].ticket, options)
        reader.read_chunk()
        threading.Timer(0.2, reader.cancel).start()
        started = time.monotonic()

        def read_on() -> None:
            while time.monotonic() - started < 20:
                reader.read_chunk()

        fails((flight.FlightCancelledError, pa.ArrowCancelled), read_on)
        assert time.monotonic() - started < 10
        equal(fetch(client, options, statement("SELECT 1 AS one")).to_pylist(), [{"one": 1}])


@check("error")
def errors_say_what_is_wrong(target: Target) -> None:
    client, options = login(target)
    with client:
        for sql, kind, says in [
            ("SELECT confirmd FROM health.city", pa.ArrowInvalid, "confirmd"),
            ("SELECT * FROM health.village", KeyError, "health.village"),
        ]:
            error = fails(kind, lambda: fetch(client, options, statement(sql)))
            assert says in str(error), error


@check("tls")
def tls_with_the_authority(target: Target) -> None:
    with flight.connect(target.tls_uri, tls_root_certs=target.ca.read_bytes()) as client:
        equal(fetch(client, sign_in(client, target), statement("SELECT 1 AS one")).to_pylist(), [{"one": 1}])
    with flight.connect(target.tls_uri) as client:
        fails(flight.FlightUnavailableError, lambda: client.get_flight_info(statement("SELECT 1")))


@check("tls")
def mtls_with_a_certificate(target: Target) -> None:
    authority = {"tls_root_certs": target.ca.read_bytes()}
    own = {"cert_chain": target.client_cert.read_bytes(), "private_key": target.client_key.read_bytes()}
    with flight.connect(target.mtls_uri, **authority, **own) as client:
        equal(fetch(client, sign_in(client, target), statement("SELECT 1 AS one")).to_pylist(), [{"one": 1}])
    with flight.connect(target.mtls_uri, **authority) as client:
        fails(flight.FlightUnavailableError, lambda: client.get_flight_info(statement("SELECT 1")))


if __name__ == "__main__":
    main(pa.__version__)
