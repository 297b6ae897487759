"""Raw Flight calls of pyarrow: sessions in a cookie or a token, what they change, and the other actions."""

import datetime
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.flight as flight
from harness import Target, check, equal, expects_unimplemented, fails, main
from relay import Relay
from wire import Options, Session, act, close_session, command, fetch, field, flag, get_options, login, packed
from wire import set_options, sign_in, statement, token

INVALID_NAME, INVALID_VALUE, CLOSED = 1, 2, 1
UTC = datetime.timezone.utc

expects_unimplemented("DoAction", "BeginTransaction")


def sessions(target: Target) -> Iterator[tuple[flight.FlightClient, Options]]:
    """A client that keeps its session in a cookie, and one that keeps it in its token."""
    for cookies in (True, False):
        with flight.connect(target.uri, middleware=[Session(cookies)]) as client:
            options = sign_in(client, target)
            yield client, options if cookies else Options()


@check("connect")
def options_are_set_read_and_unset(target: Target) -> None:
    values = {
        "catalog": "basin", "schema": "health", "as_of": "2999-01-01", "purpose": "疫情分析", "compression": "zstd",
        "view_types": True, "parallel_export": 2, "timeout": 30, "memory_mib": 256, "language": "zh",
        "rollups": False, "result_cache": False,
    }
    for client, options in sessions(target):
        equal(set_options(client, options, **values), {})
        equal(get_options(client, options), values)
        equal(set_options(client, options, **dict.fromkeys(values)), {})
        defaults = {"catalog": "basin", "compression": "none", "view_types": False, "rollups": True, "result_cache": True}
        equal(get_options(client, options), defaults)


@check("connect")
def a_closed_session_is_forgotten(target: Target) -> None:
    for client, options in sessions(target):
        equal(set_options(client, options, schema="health"), {})
        equal(fetch(client, options, statement("SELECT count(*) AS n FROM city")).to_pylist(), [{"n": 5247}])
        equal(close_session(client, options), CLOSED)
        assert "schema" not in get_options(client, options)


@check("-")
def wrong_options_are_told_by_name(target: Target) -> None:
    wrong = {"compression": "gzip", "timeout": -1, "parallel_export": 0, "as_of": "yesterday", "catalog": "other"}
    for client, options in sessions(target):
        found = set_options(client, options, colour="red", schema="ref", **wrong)
        equal(found, {"colour": INVALID_NAME} | dict.fromkeys(wrong, INVALID_VALUE))
        equal(get_options(client, options)["schema"], "ref")


@check("-")
def a_forged_cookie_is_refused(target: Target) -> None:
    options = Options(headers=[authorization(target), (b"cookie", b"basin-session=Zm9yZ2Vk")])
    with flight.connect(target.uri) as client:
        error = fails(pa.ArrowInvalid, lambda: fetch(client, options, statement("SELECT 1")))
    assert "session" in str(error), error


def authorization(target: Target) -> tuple[bytes, bytes]:
    return (b"authorization", token(target).encode())


@check("-")
def remarks_are_in_the_language_of_the_session(target: Target) -> None:
    body = field(2, b"health") + field(3, b"city") + flag(5, True)
    for client, options in sessions(target):
        for language, has, lacks in [("zh", "累计确诊", "confirmed"), ("en", "confirmed, cumulative", "确诊")]:
            set_options(client, options, language=language)
            tables = fetch(client, options, command("CommandGetTables", body))
            schema = pa.ipc.read_schema(pa.BufferReader(tables["table_schema"][0].as_py()))
            result = fetch(client, options, statement("SELECT confirmed FROM health.city LIMIT 1")).schema
            for found in (schema, result):
                remarks = found.field("confirmed").metadata[b"ARROW:FLIGHT:SQL:REMARKS"].decode()
                assert has in remarks and lacks not in remarks, remarks


@check("-")
def view_types_come_when_asked(target: Target) -> None:
    for client, options in sessions(target):
        set_options(client, options, view_types=True)
        table = fetch(client, options, statement("SELECT name, X'00ff' AS b FROM ref.province ORDER BY code LIMIT 1"))
        equal(table.schema.types, [pa.string_view(), pa.binary_view()])
        equal(table.to_pylist(), [{"name": "北京市", "b": b"\x00\xff"}])


@check("-")
def compression_saves_bytes_when_asked(target: Target) -> None:
    sizes = {}
    for name in ("none", "lz4", "zstd"):
        with Relay(target.address) as relay:
            with flight.connect(f"grpc://{relay.address}", middleware=[Session(True)]) as client:
                options = sign_in(client, target)
                equal(set_options(client, options, compression=name), {})
                before = relay.received
                sql = "SELECT date, country, confirmed FROM jhu.series ORDER BY country, date"
                table = fetch(client, options, statement(sql))
                sizes[name] = relay.received - before
        equal(table.num_rows, 101010)
    print(f"   bytes: {sizes}")
    assert sizes["none"] > 3 * sizes["lz4"] and sizes["lz4"] > sizes["zstd"], sizes


@check("-")
def a_parallel_export_has_disjoint_parts(target: Target) -> None:
    for client, options in sessions(target):
        set_options(client, options, parallel_export=4)
        info = client.get_flight_info(statement("SELECT date, country, province FROM jhu.series"), options)
        assert 1 < len(info.endpoints) <= 4, len(info.endpoints)
        parts = [client.do_get(endpoint.ticket, options).read_all() for endpoint in info.endpoints]
        equal([part.schema for part in parts], [info.schema] * len(parts))
        equal(sum(part.num_rows for part in parts), 101010)
        # The key of jhu.series: no row is in two parts.
        equal(pa.concat_tables(parts).group_by(info.schema.names).aggregate([]).num_rows, 101010)
        # What can't be divided stays one.
        info = client.get_flight_info(statement("SELECT count(*) AS n FROM jhu.series"), options)
        equal(len(info.endpoints), 1)


@check("-")
def each_option_may_be_a_header(target: Target) -> None:
    headers = [authorization(target), (b"x-basin-view-types", b"true"), (b"x-basin-schema", b"ref")]
    # gRPC's headers are ASCII; a session takes other texts.
    options = Options(headers=[*headers, (b"x-basin-purpose", b"research")])
    with flight.connect(target.uri) as client:
        equal(fetch(client, options, statement("SELECT name FROM province")).schema.types, [pa.string_view()])
        found = get_options(client, options)
        equal((found["schema"], found["view_types"], found["purpose"]), ("ref", True, "research"))
        wrong = Options(headers=[*headers, (b"x-basin-timeout", b"soon")])
        error = fails(pa.ArrowInvalid, lambda: fetch(client, wrong, statement("SELECT 1")))
        assert "x-basin-timeout" in str(error), error


@check("-")
def an_endpoint_is_renewed(target: Target) -> None:
    client, options = login(target)
    with client:
        info = client.get_flight_info(statement("SELECT count(*) AS n FROM health.city"), options)
        [endpoint] = info.endpoints
        assert endpoint.expiration_time.as_py() > datetime.datetime.now(UTC), endpoint
        [result] = act(client, options, "RenewFlightEndpoint", field(1, endpoint.serialize()))
        renewed = flight.FlightEndpoint.deserialize(result)
        assert renewed.expiration_time.as_py() > endpoint.expiration_time.as_py(), renewed
        equal(client.do_get(renewed.ticket, options).read_all().to_pylist(), [{"n": 5247}])


@check("-")
def actions_are_listed(target: Target) -> None:
    client, options = login(target)
    with client:
        names = {action.type for action in client.list_actions(options)}
    wanted = {"CreatePreparedStatement", "ClosePreparedStatement", "CancelFlightInfo", "RenewFlightEndpoint"}
    wanted |= {"SetSessionOptions", "GetSessionOptions", "CloseSession", "CreatePreparedSubstraitPlan"}
    assert wanted <= names, wanted - names


@check("-")
def a_transaction_is_refused_with_a_sentence(target: Target) -> None:
    client, options = login(target)
    with client:
        request = packed("ActionBeginTransactionRequest")
        error = fails(NotImplementedError, lambda: act(client, options, "BeginTransaction", request))
    assert "transactions are not supported" in str(error), error


if __name__ == "__main__":
    main(pa.__version__)
