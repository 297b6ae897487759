"""The connection as Superset's page for databases makes it: in plaintext, with TLS, with wrong credentials."""

import stage
from report import check, detail, equal
from rest import Refused, Superset
from superset_server import ADMIN, serving


def test(uri: str, superset: Superset | None = None) -> str:
    """The button *Test connection*."""
    body = {"database_name": stage.name(), "sqlalchemy_uri": uri}
    return (superset or stage.superset()).post("/api/v1/database/test_connection/", body)["message"]


def refused(uri: str, superset: Superset | None = None) -> str:
    try:
        test(uri, superset)
    except Refused as error:
        return error.body
    raise AssertionError("the connection was accepted")


@check("connect")
def a_connection_is_tested_and_kept() -> None:
    equal(test(stage.uri()), "OK")
    kept = stage.superset().get(f"/api/v1/database/{stage.database()}/connection")["result"]
    equal((kept["database_name"], kept["backend"], kept["driver"]), (stage.NAME, "datafusion", "flightsql"))
    assert ":XXXXXXXXXX@" in kept["sqlalchemy_uri"], kept["sqlalchemy_uri"]


@check("connect")
def a_wrong_password_is_refused() -> None:
    detail(f"the user is shown: {refused(stage.uri(password='wrong'))[:200]}")


@check("tls")
def the_authority_comes_from_grpc() -> None:
    """This Superset was started with GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: see client.py."""
    equal(test(stage.uri("BASIN_TLS_ADDRESS")), "OK")
    refused(stage.uri("BASIN_MTLS_ADDRESS"))
    detail("a URI takes no client certificate: Superset can't sign in where mTLS is asked for")


@check("tls")
def without_the_authority_it_fails() -> None:
    with serving(stage.site()) as address:
        other = Superset(address, ADMIN, stage.site().password)
        refused(stage.uri("BASIN_TLS_ADDRESS"), other)
        equal(test(stage.uri("BASIN_TLS_ADDRESS", disable_server_verification="true"), other), "OK")
