"""Where the servers are, and how flightsql-dbapi is connected to them."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator

import flightsql
import flightsql.sqlalchemy  # noqa: F401  registers `datafusion+flightsql`; its entry point is named `datafusion` only
import sqlalchemy
import sqlalchemy.engine

USER = os.environ["BASIN_USER"]
PASSWORD = os.environ["BASIN_PASSWORD"]
SANDBOX = f"sandbox_{USER}"
TYPES = json.loads(pathlib.Path(os.environ["BASIN_TYPES"]).read_text(encoding="utf-8"))
COUNT = "SELECT count(*) FROM health.city"
SLOW = "SELECT count(*) FROM jhu.series a, jhu.series b WHERE a.confirmed + b.confirmed < -1"


def host_and_port(variable: str) -> dict:
    host, _, port = os.environ[variable].rpartition(":")
    return {"host": host, "port": int(port)}


def client(**changes: object) -> flightsql.FlightSQLClient:
    """A client of the plaintext server."""
    options = host_and_port("BASIN_ADDRESS") | {"user": USER, "password": PASSWORD, "insecure": True}
    return flightsql.FlightSQLClient(**(options | changes))


@contextlib.contextmanager
def connected(**changes: object) -> Iterator[flightsql.dbapi.Connection]:
    """A DB-API connection to the plaintext server."""
    opened = client(**changes)
    with contextlib.closing(opened), flightsql.connect(opened) as connection:
        yield connection


def rows(sql: str, parameters: tuple = (), **changes: object) -> list:
    with connected(**changes) as connection, connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchall()


def url(variable: str = "BASIN_ADDRESS", **query: str) -> str:
    """The URL that a user gives to SQLAlchemy."""
    secret = urllib.parse.quote(PASSWORD, safe="")
    text = f"datafusion+flightsql://{USER}:{secret}@{os.environ[variable]}"
    return f"{text}?{urllib.parse.urlencode(query)}" if query else text


@contextlib.contextmanager
def engine(**query: str) -> Iterator[sqlalchemy.engine.Engine]:
    """A SQLAlchemy engine on the plaintext server."""
    # The dialect writes values into the statement, which SQLAlchemy then keeps for other values: no cache.
    opened = sqlalchemy.create_engine(url(insecure="true", **query), query_cache_size=0)
    try:
        yield opened
    finally:
        opened.dispose()


def count_in_a_process(
    address: str, imports: str = "flightsql.sqlalchemy", **environment: str
) -> subprocess.CompletedProcess:
    """Counts through SQLAlchemy in a process of its own, where nothing was imported and gRPC read no variable yet."""
    program = (
        f"import sys, {imports}, sqlalchemy; print(sqlalchemy.create_engine(sys.argv[1]).execute('{COUNT}').scalar())"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, address]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


def read(opened: flightsql.FlightSQLClient, info: object) -> list[dict]:
    """The rows of a FlightInfo."""
    return opened.do_get(info.endpoints[0].ticket).read_all().to_pylist()
