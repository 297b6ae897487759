"""Servers that a suite asks: Basin, its peers, and a plain Flight server of pyarrow; each a process of its own, ended with its block."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

from suites.store import PASSWORD, USER


@dataclass
class Server:
    """A Flight server that runs, and how a client reaches it."""

    name: str
    uri: str
    process: subprocess.Popen
    user: str | None = None
    password: str | None = None
    headers: dict = field(default_factory=dict)
    authority: pathlib.Path | None = None
    #: How the tables of a schema are called there.
    rename: dict = field(default_factory=dict)

    def adbc(self) -> dict:
        """The options of an ADBC connection."""
        options = {"uri": self.uri}
        if self.user:
            options |= {"username": self.user, "password": self.password}
        if self.authority:
            options["adbc.flight.sql.client_option.tls_root_certs"] = self.authority.read_text()
        return options | {f"adbc.flight.sql.rpc.call_header.{name}": value for name, value in self.headers.items()}

    def sql(self, text: str) -> str:
        """A statement with the names that this server knows."""
        for name, own in self.rename.items():
            text = text.replace(name, own)
        return text

    def peak_mb(self) -> float:
        """The most memory that it held at once."""
        return peak_mb(self.process.pid)


def peak_mb(pid: int) -> float:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(words: list, log: pathlib.Path, **more):
    """A process with its log; killed at the end of the block when it doesn't end by itself."""
    with open(log, "ab") as out:
        process = subprocess.Popen([str(word) for word in words], stderr=out, **({"stdout": out} | more))
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def basin(program: pathlib.Path, store: pathlib.Path, headers: dict | None = None, *, config: str | None = None,
          tls: "Certificates | None" = None, kept: bool = False):
    """Basin on a store; clients send the headers with every call. `kept`: results that it keeps and rollups may answer."""
    headers = ({} if kept else {"x-basin-result-cache": "false", "x-basin-rollups": "false"}) | (headers or {})
    words = [program, "--store", store, "serve", "--listen", "127.0.0.1:0"]
    if tls:
        words += ["--tls-cert", tls.certificate, "--tls-key", tls.key]
    with tempfile.TemporaryDirectory() as folder:
        if config:
            file = pathlib.Path(folder) / "basin.toml"
            file.write_text(config)
            words += ["--config", file]
        log = store.parent / f"{store.name}.log"
        with running(words, log, stdout=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline()
            if not line.startswith("ready "):
                sys.exit(f"basin serve ended before it was ready: see {log}")
            threading.Thread(target=process.stdout.read, daemon=True).start()
            scheme = "grpc+tls" if tls else "grpc"
            port = line.strip().rsplit(":", 1)[1]
            uri = f"{scheme}://localhost:{port}" if tls else f"{scheme}://127.0.0.1:{port}"
            yield Server("basin", uri, process, USER, PASSWORD, headers, tls.authority if tls else None)


def wait_for(server: Server, statement: str, seconds: float = 120) -> None:
    """Waits until a server answers."""
    from suites.flightsql import connect

    until, why = time.monotonic() + seconds, None
    while time.monotonic() < until and server.process.poll() is None:
        try:
            with connect(server) as connection, connection.cursor() as cursor:
                cursor.execute(statement)
                cursor.fetch_arrow_table()
            return
        except Exception as error:  # noqa: BLE001 - any failure means: not yet
            why = error
            time.sleep(0.3)
    raise RuntimeError(f"{server.name} doesn't answer: {why}")


def tool(name: str) -> str:
    return str(pathlib.Path(sys.executable).parent / name)


@contextlib.contextmanager
def roapi(tables: pathlib.Path, schema: str = "tpch"):
    """ROAPI on folders of Parquet files; it holds no more of them in memory than it chooses to."""
    names = sorted(folder.name for folder in tables.iterdir())
    flight = f"127.0.0.1:{free_port()}"
    words = [tool("roapi"), "--addr-http", f"127.0.0.1:{free_port()}", "--addr-postgres", f"127.0.0.1:{free_port()}",
             "--addr-flight-sql", flight]
    for name in names:
        words += ["--table", f"{name}={tables / name},format=parquet,use_memory_table=false"]
    with running(words, tables.parent / "roapi.log") as process:
        server = Server("roapi", f"grpc://{flight}", process, rename={f"{schema}.": ""})
        wait_for(server, "SELECT 1")
        yield server


@contextlib.contextmanager
def sail(tables: pathlib.Path, schema: str = "tpch"):
    """Sail on folders of Parquet files, read where a statement names them."""
    port = free_port()
    words = [tool("sail"), "flight", "server", "--ip", "127.0.0.1", "--port", port]
    names = sorted((folder.name for folder in tables.iterdir()), key=len, reverse=True)
    rename = {f"{schema}.{name}": f"parquet.`{tables / name}`" for name in names}
    with running(words, tables.parent / "sail.log", env=os.environ | {"RUST_LOG": "error"}) as process:
        server = Server("sail", f"grpc://127.0.0.1:{port}", process, rename=rename)
        wait_for(server, "SELECT 1")
        yield server


@contextlib.contextmanager
def plain(files: list[str] = (), *, tls: "Certificates | None" = None, memory: bool = True):
    """pyarrow's C++ Flight server with one table, from memory or from its Parquet files; see `flight_server.py`."""
    words = [sys.executable, "-m", "suites.flight_server", "--memory" if memory else "--files"]
    if tls:
        words += ["--certificate", tls.certificate, "--key", tls.key]
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        with running([*words, *files], log, stdout=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline()
            if not line.startswith("ready "):
                sys.exit(f"the plain Flight server ended before it was ready: {log.read_text()[-2000:]}")
            scheme = "grpc+tls" if tls else "grpc"
            uri = f"{scheme}://localhost:{line.split()[1]}"
            yield Server("pyarrow", uri, process, authority=tls.authority if tls else None)


@dataclass(frozen=True)
class Certificates:
    """A server's certificate for localhost and the authority that signed it, as PEM files."""

    authority: pathlib.Path
    certificate: pathlib.Path
    key: pathlib.Path

    @classmethod
    def make(cls, folder: pathlib.Path) -> "Certificates":
        import trustme

        authority, files = trustme.CA(), cls(folder / "ca.pem", folder / "server.pem", folder / "server.key")
        authority.cert_pem.write_to_path(files.authority)
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(files.key)
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(files.certificate, append=number > 0)
        return files
