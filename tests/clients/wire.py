"""Flight SQL's commands as bytes, and a signed-in connection: what pyarrow leaves to its users."""

import pyarrow.flight as flight
from harness import Target

TYPE_URL = b"type.googleapis.com/arrow.flight.protocol.sql."


def field(number: int, value: bytes) -> bytes:
    """A protobuf field with bytes in it."""
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def command(name: str, body: bytes = b"") -> flight.FlightDescriptor:
    """A Flight SQL command, as protobuf's Any."""
    return flight.FlightDescriptor.for_command(field(1, TYPE_URL + name.encode()) + field(2, body))


def statement(sql: str) -> flight.FlightDescriptor:
    return command("CommandStatementQuery", field(1, sql.encode()))


def login(target: Target, password: str | None = None) -> tuple[flight.FlightClient, flight.FlightCallOptions]:
    client = flight.connect(target.uri)
    header = client.authenticate_basic_token(target.user, target.password if password is None else password)
    return client, flight.FlightCallOptions(headers=[header])
