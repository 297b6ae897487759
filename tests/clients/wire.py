"""Flight SQL's messages as bytes, and a signed-in connection: what pyarrow leaves to its users.

Source: Flight.proto and FlightSql.proto of Apache Arrow.
"""

import struct

import pyarrow as pa
import pyarrow.flight as flight
from harness import Target

TYPE_URL = b"type.googleapis.com/arrow.flight.protocol.sql."
Options = flight.FlightCallOptions
Value = str | bool | int | None


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: bytes) -> bytes:
    """A protobuf field with bytes in it."""
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def flag(number: int, value: bool) -> bytes:
    return bytes([number << 3, value])


def fields(message: bytes) -> list[tuple[int, bytes | int]]:
    """The fields of a message, in their order; of fixed ones their bytes."""

    def read_varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    found: list[tuple[int, bytes | int]] = []
    at = 0
    while at < len(message):
        number, kind = divmod(read_varint(), 8)
        if kind == 0:
            found.append((number, read_varint()))
            continue
        size = {1: 8, 5: 4}.get(kind) or read_varint()
        found.append((number, message[at : at + size]))
        at += size
    return found


def packed(name: str, body: bytes = b"") -> bytes:
    """A message of Flight SQL as protobuf's Any."""
    return field(1, TYPE_URL + name.encode()) + field(2, body)


def unpacked(message: bytes) -> dict[int, bytes | int]:
    """The fields of a message that came as protobuf's Any."""
    return dict(fields(dict(fields(message))[2]))


def command(name: str, body: bytes = b"") -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_command(packed(name, body))


def statement(sql: str) -> flight.FlightDescriptor:
    return command("CommandStatementQuery", field(1, sql.encode()))


def sign_in(client: flight.FlightClient, target: Target, password: str | None = None) -> Options:
    header = client.authenticate_basic_token(target.user, target.password if password is None else password)
    return Options(headers=[header])


def login(target: Target, password: str | None = None) -> tuple[flight.FlightClient, Options]:
    client = flight.connect(target.uri)
    return client, sign_in(client, target, password)


def token(target: Target) -> str:
    """A bearer token, as the header's value."""
    with flight.connect(target.uri) as client:
        return client.authenticate_basic_token(target.user, target.password)[1].decode()


def fetch(client: flight.FlightClient, options: Options, descriptor: flight.FlightDescriptor) -> pa.Table:
    """Runs a command of one endpoint; its schema must be the promised one."""
    info = client.get_flight_info(descriptor, options)
    [endpoint] = info.endpoints
    table = client.do_get(endpoint.ticket, options).read_all()
    assert table.schema.equals(info.schema, check_metadata=True), f"found {table.schema}, promised {info.schema}"
    return table


def read(target: Target, descriptor: flight.FlightDescriptor) -> pa.Table:
    client, options = login(target)
    with client:
        return fetch(client, options, descriptor)


def act(client: flight.FlightClient, options: Options, name: str, body: bytes = b"") -> list[bytes]:
    return [result.body.to_pybytes() for result in client.do_action(flight.Action(name, body), options)]


def option_value(value: Value) -> bytes:
    """A SessionOptionValue; None unsets."""
    match value:
        case None:
            return b""
        case bool():
            return flag(2, value)
        case int():
            return bytes([3 << 3 | 1]) + struct.pack("<q", value)
        case str():
            return field(1, value.encode())


def set_options(client: flight.FlightClient, options: Options, **values: Value) -> dict[str, int]:
    """SetSessionOptions; gives the names that were refused with their ErrorValue."""
    entries = [field(1, field(1, name.encode()) + field(2, option_value(value))) for name, value in values.items()]
    [result] = act(client, options, "SetSessionOptions", b"".join(entries))
    errors = [dict(fields(entry)) for _, entry in fields(result)]
    return {error[1].decode(): dict(fields(error[2]))[1] for error in errors}


def get_options(client: flight.FlightClient, options: Options) -> dict[str, Value]:
    [result] = act(client, options, "GetSessionOptions")
    entries = [dict(fields(entry)) for _, entry in fields(result)]
    return {entry[1].decode(): read_value(entry[2]) for entry in entries}


def read_value(message: bytes) -> Value:
    [(number, value)] = fields(message)
    match number:
        case 1:
            return value.decode()
        case 2:
            return bool(value)
        case 3:
            return struct.unpack("<q", value)[0]
    raise AssertionError(f"no option has a value of kind {number}")


def close_session(client: flight.FlightClient, options: Options) -> int:
    [result] = act(client, options, "CloseSession")
    return dict(fields(result))[1]


class Session(flight.ClientMiddlewareFactory):
    """Keeps what the server gives a client to bring back: cookies or, without them, a fresh bearer token."""

    def __init__(self, cookies: bool):
        super().__init__()
        self.cookies = cookies
        self.kept: dict[str, str] = {}

    def start_call(self, _: flight.CallInfo) -> flight.ClientMiddleware:
        return SessionCall(self)


class SessionCall(flight.ClientMiddleware):
    """One call of a session."""

    def __init__(self, session: Session):
        super().__init__()
        self.session = session

    def sending_headers(self) -> dict[str, str]:
        return dict(self.session.kept)

    def received_headers(self, headers: dict[str, list[str]]) -> None:
        name, kept_as = ("set-cookie", "cookie") if self.session.cookies else ("authorization", "authorization")
        for value in headers.get(name, []):
            self.session.kept[kept_as] = value.partition(";")[0]
