"""Connections of the ADBC driver for Flight SQL, which data frames use too."""

import importlib.metadata
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
from harness import Target

Code = adbc_driver_manager.AdbcStatusCode
Error = adbc_driver_manager.Error
Database = adbc_driver_flightsql.DatabaseOptions

HEADER = Database.RPC_CALL_HEADER_PREFIX.value
VERSION = importlib.metadata.version("adbc-driver-flightsql")
LARGE = "FROM jhu.series a CROSS JOIN ref.province b"
LARGE_ROWS = 101_010 * 31


def slow() -> str:
    """A query that would run for hours, and no other like it."""
    return f"SELECT sum(value % 7) AS n FROM generate_series(1, 1000000000000) WHERE '{uuid.uuid4()}' <> ''"


def connect(target: Target, uri: str | None = None, **changes: str) -> flightsql.Connection:
    options = {"username": target.user, "password": target.password} | changes
    return flightsql.connect(uri or target.uri, db_kwargs=options, autocommit=True)


def connect_token(target: Target, header: str, uri: str | None = None) -> flightsql.Connection:
    """A connection with an authorization header that somebody else got; no call is made yet."""
    options = {Database.AUTHORIZATION_HEADER.value: header}
    return flightsql.connect(uri or target.uri, db_kwargs=options, autocommit=True)


def connect_tls(target: Target) -> flightsql.Connection:
    return connect(target, target.tls_uri, **{Database.TLS_ROOT_CERTS.value: target.ca.read_text()})


def connect_mtls(target: Target) -> flightsql.Connection:
    options = {
        Database.TLS_ROOT_CERTS: target.ca,
        Database.MTLS_CERT_CHAIN: target.client_cert,
        Database.MTLS_PRIVATE_KEY: target.client_key,
    }
    return connect(target, target.mtls_uri, **{name.value: path.read_text() for name, path in options.items()})


def rows(cursor: flightsql.Cursor, sql: str, parameters: object = None) -> list[tuple]:
    cursor.execute(sql, parameters)
    return cursor.fetchall()


def ask(target: Target, sql: str, parameters: object = None) -> list[tuple]:
    """The rows of a query, over a connection of its own."""
    with connect(target) as connection, connection.cursor() as cursor:
        return rows(cursor, sql, parameters)


def wait_for_audit(target: Target, sql: str, outcome: str) -> None:
    """Waits until the audit has the statement with that outcome."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = ask(target, "SELECT outcome FROM basin.queries WHERE sql = ?", (sql,))
        if (outcome,) in found:
            return
        time.sleep(0.5)
    raise AssertionError(f"basin.queries has no {outcome} query: {sql}; it has {found}")


def interrupted(do: Callable[[], object], seconds: float = 1.0) -> None:
    """Does what takes minutes, and presses Ctrl-C, which the driver takes as a wish to cancel."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    try:
        do()
    except (KeyboardInterrupt, Error) as error:
        assert time.monotonic() - started < 20, "cancelling took too long"
        assert isinstance(error, KeyboardInterrupt) or error.status_code == Code.CANCELLED, error
    else:
        raise AssertionError("the query ended before it was cancelled")
    finally:
        timer.cancel()
