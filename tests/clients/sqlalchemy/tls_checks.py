"""TLS with the authority's certificate, mTLS, and the ways a URL has for them."""

import os
import pathlib

import pyarrow.flight
import target
from report import check, detail, equal

# What pyarrow makes of a handshake that fails, by how far it went.
UNREACHED = (pyarrow.flight.FlightUnavailableError, pyarrow.flight.FlightInternalError)
AUTHORITY = pathlib.Path(os.environ["BASIN_CA"]).read_bytes()


def tls(variable: str, **options: object) -> list:
    return target.rows(target.COUNT, **target.host_and_port(variable), insecure=False, **options)


@check("tls")
def the_authority_is_needed() -> None:
    equal(tls("BASIN_TLS_ADDRESS", tls_root_certs=AUTHORITY), [[5247]])
    try:
        tls("BASIN_TLS_ADDRESS")
    except UNREACHED:
        pass
    else:
        raise AssertionError("a server of an unknown authority was trusted")


@check("tls")
def a_client_certificate_is_needed_where_it_is_asked_for() -> None:
    own = {
        "cert_chain": pathlib.Path(os.environ["BASIN_CLIENT_CERT"]).read_bytes(),
        "private_key": pathlib.Path(os.environ["BASIN_CLIENT_KEY"]).read_bytes(),
    }
    equal(tls("BASIN_MTLS_ADDRESS", tls_root_certs=AUTHORITY, **own), [[5247]])
    try:
        tls("BASIN_MTLS_ADDRESS", tls_root_certs=AUTHORITY)
    except UNREACHED:
        pass
    else:
        raise AssertionError("a client without a certificate was let in")


@check("tls")
def a_url_takes_the_authority_from_grpc() -> None:
    """The URL has no place for a certificate; gRPC's own variable does it, for Superset as well."""
    url = target.url("BASIN_TLS_ADDRESS")
    trusting = target.count_in_a_process(url, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=os.environ["BASIN_CA"])
    equal((trusting.stdout, trusting.returncode), ("5247\n", 0))
    assert target.count_in_a_process(url).returncode != 0, "a server of an unknown authority was trusted"
    unverified = target.count_in_a_process(target.url("BASIN_TLS_ADDRESS", disable_server_verification="true"))
    equal((unverified.stdout, unverified.returncode), ("5247\n", 0))
    detail("a URL takes no client certificate: mTLS needs FlightSQLClient(cert_chain=…, private_key=…)")
