"""Clients of a Flight SQL server: ADBC's, and pyarrow's C++ one for streams."""

import pyarrow.flight as flight

TYPE_URL = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"


def connect(server):
    """An ADBC connection."""
    import adbc_driver_flightsql.dbapi as flightsql

    return flightsql.connect(server.uri, db_kwargs={k: v for k, v in server.adbc().items() if k != "uri"}, autocommit=True)


def client(server) -> tuple[flight.FlightClient, flight.FlightCallOptions]:
    """pyarrow's client, signed in."""
    more = {"tls_root_certs": server.authority.read_bytes()} if server.authority else {}
    one = flight.FlightClient(server.uri.replace("grpc://", "grpc+tcp://"), **more)
    headers = [(name.encode(), value.encode()) for name, value in server.headers.items()]
    if server.user:
        headers.append(one.authenticate_basic_token(server.user, server.password))
    return one, flight.FlightCallOptions(headers=headers)


def statement(sql: str) -> flight.FlightDescriptor:
    """The command of a statement. Source: FlightSql.proto, CommandStatementQuery, within google.protobuf.Any."""
    return flight.FlightDescriptor.for_command(field(1, TYPE_URL) + field(2, field(1, sql.encode())))


def field(number: int, value: bytes) -> bytes:
    """A protobuf field with bytes in it."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
