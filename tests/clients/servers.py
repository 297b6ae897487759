"""The servers that clients are run against: one store with the example pack, served in plaintext, with TLS and with mTLS.

    python servers.py --basin target/debug/basin

prints the variables that client programs take, and serves until it is interrupted.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

import trustme

HERE = pathlib.Path(__file__).parent
USER = "analyst"
PASSWORD = "clients need a password"


@dataclasses.dataclass(frozen=True)
class Served:
    """What runs, and what client programs are told of it."""

    environment: dict[str, str]
    log: pathlib.Path
    processes: list[subprocess.Popen]


def ready(server: subprocess.Popen) -> str:
    """Waits for the line `ready ADDR`; gives ADDR."""
    printed = []
    for line in server.stdout:
        if line.startswith("ready "):
            threading.Thread(target=server.stdout.read, daemon=True).start()
            return line.removeprefix("ready ").strip()
        printed.append(line)
    sys.exit(f"the server ended before it was ready:\n{''.join(printed)}")


def certificates(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Makes an authority, a server's certificate for localhost and a client's, as PEM files."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, issued in [
        ("server", authority.issue_cert("localhost", "127.0.0.1")),
        ("client", authority.issue_cert("analyst@example.org")),
    ]:
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(folder / f"{name}.pem", append=number > 0)
    return {name: folder / name for name in ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"]}


@contextlib.contextmanager
def served(basin: pathlib.Path) -> Iterator[Served]:
    """Serves until the block ends. The plaintext server must then end well."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store, log_path, files = folder / "store", folder / "server.log", certificates(folder)
        log = stack.enter_context(open(log_path, "w", encoding="utf-8"))
        processes: list[subprocess.Popen] = []

        def start(*arguments: str | pathlib.Path) -> str:
            server = subprocess.Popen(
                [basin, "--store", store, "--log", "json", *arguments, "--listen", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=os.environ | {"BASIN_LOG": "warn,basin_flight_server=info"},
            )
            processes.append(server)
            return ready(server)

        def localhost(address: str) -> str:
            return f"localhost:{address.rpartition(':')[2]}"

        try:
            tls = ["--tls-cert", files["server.pem"], "--tls-key", files["server.key"]]
            mutual = [*tls, "--tls-client-ca", files["ca.pem"], "--require-client-certificate"]
            environment = {
                "BASIN_ADDRESS": start("demo", "--password", PASSWORD),
                "BASIN_TLS_ADDRESS": localhost(start("serve", *tls)),
                "BASIN_MTLS_ADDRESS": localhost(start("serve", *mutual)),
                "BASIN_CA": str(files["ca.pem"]),
                "BASIN_CLIENT_CERT": str(files["client.pem"]),
                "BASIN_CLIENT_KEY": str(files["client.key"]),
                "BASIN_USER": USER,
                "BASIN_PASSWORD": PASSWORD,
                "BASIN_PROGRAM": str(basin),
                "BASIN_STORE": str(store),
                "BASIN_PID": str(processes[0].pid),
                "BASIN_TYPES": str(HERE / "types.json"),
            }
            yield Served(environment, log_path, processes)
        finally:
            for server in processes:
                server.send_signal(signal.SIGTERM)
            codes = [server.wait(timeout=60) for server in processes]
        if any(codes):
            raise RuntimeError(f"the servers ended with {codes}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--basin", required=True, type=pathlib.Path, help="the binary")
    with served(parser.parse_args().basin.resolve()) as running:
        for name, value in running.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        print(f"# log: {running.log}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
