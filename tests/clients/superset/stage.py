"""What the checks work on: Superset, the database and the dataset made in it, and the same server asked directly."""

import functools
import os
import secrets
import urllib.parse

import adbc_driver_flightsql.dbapi
from rest import Superset
from superset_server import ADMIN, Site

USER = os.environ["BASIN_USER"]
SANDBOX = f"sandbox_{USER}"
NAME = "Basin"
_opened: dict[str, object] = {}


def open_stage(site: Site, address: str) -> None:
    _opened.update(site=site, address=address)


def site() -> Site:
    return _opened["site"]


@functools.cache
def superset() -> Superset:
    return Superset(_opened["address"], ADMIN, site().password)


def uri(variable: str = "BASIN_ADDRESS", password: str = os.environ["BASIN_PASSWORD"], **query: str) -> str:
    """The SQLAlchemy URI that a user enters; `datafusion+flightsql` needs an import in superset_config.py first."""
    if variable == "BASIN_ADDRESS":
        query["insecure"] = "true"
    secret = urllib.parse.quote(password, safe="")
    text = f"datafusion://{USER}:{secret}@{os.environ[variable]}"
    return f"{text}?{urllib.parse.urlencode(query)}" if query else text


@functools.cache
def database() -> int:
    """The database that the checks use."""
    return make_database(NAME, uri())


def make_database(name: str, sqlalchemy_uri: str) -> int:
    body = {"database_name": name, "sqlalchemy_uri": sqlalchemy_uri, "expose_in_sqllab": True}
    body |= {"allow_ctas": True, "allow_dml": True, "force_ctas_schema": SANDBOX}
    return superset().post("/api/v1/database/", body)["id"]


@functools.cache
def dataset() -> int:
    """The dataset on health.provincial."""
    body = {"database": database(), "schema": "health", "table_name": "provincial"}
    return superset().post("/api/v1/dataset/", body)["id"]


def sql(statement: str, **options: object) -> dict:
    """The answer of SQL Lab."""
    return superset().sql(database(), statement, **options)


def direct(statement: str) -> list[tuple]:
    """The rows of a statement without Superset: what it must show."""
    options = {"username": USER, "password": os.environ["BASIN_PASSWORD"]}
    address = f"grpc://{os.environ['BASIN_ADDRESS']}"
    with adbc_driver_flightsql.dbapi.connect(address, db_kwargs=options, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


def name() -> str:
    return f"check {secrets.token_hex(4)}"
