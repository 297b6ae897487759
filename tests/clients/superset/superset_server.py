"""A Superset server on loopback: its metadata in SQLite in a temporary folder, its secrets made for this run.

    python superset_server.py PATH

makes the empty metadata database that runs start from.
"""

import contextlib
import dataclasses
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

HERE = pathlib.Path(__file__).parent
PROGRAMS = pathlib.Path(sys.executable).parent
ADMIN = "admin"
START_SECONDS = 180


@dataclasses.dataclass(frozen=True)
class Site:
    """A folder with the metadata of one Superset, and the password of its administrator."""

    folder: pathlib.Path
    secret: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(42))
    password: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(16))

    def environment(self) -> dict[str, str]:
        own = {
            "SUPERSET_CONFIG_PATH": str(HERE / "superset_config.py"),
            "SUPERSET_HOME": str(self.folder),
            "CHECKS_SECRET_KEY": self.secret,
            "CHECKS_METADATA": str(self.folder / "metadata.db"),
        }
        # The path of the checks' own modules is not Superset's.
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | own

    def command(self, *arguments: str) -> None:
        """Runs a command of Superset to its end."""
        done = subprocess.run(
            [PROGRAMS / "superset", *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            sys.exit(f"superset {arguments[0]} ended with {done.returncode}:\n{done.stdout}")


def make_template(path: pathlib.Path) -> None:
    """Makes the metadata database with all tables, roles and permissions."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(pathlib.Path(folder))
        site.command("db", "upgrade")
        site.command("init")
        shutil.move(site.folder / "metadata.db", path)


@contextlib.contextmanager
def new_site() -> Iterator[Site]:
    """A site from the template, with an administrator."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(pathlib.Path(folder))
        shutil.copy(os.environ["CHECKS_TEMPLATE"], site.folder / "metadata.db")
        name = ["--firstname", "Test", "--lastname", "Admin", "--email", "admin@example.org"]
        site.command("fab", "create-admin", "--username", ADMIN, "--password", site.password, *name)
        yield site


@contextlib.contextmanager
def serving(site: Site, **environment: str) -> Iterator[str]:
    """Serves a site until the block ends; gives its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    workers = ["--workers", "1", "--worker-class", "gthread", "--threads", "4", "--timeout", "600"]
    with open(site.folder / "server.log", "a", encoding="utf-8") as log:
        server = subprocess.Popen(
            [PROGRAMS / "gunicorn", "--bind", address, *workers, "superset.app:create_app()"],
            env=site.environment() | environment,
            stdout=log,
            stderr=log,
        )
        try:
            wait(server, address, site)
            yield f"http://{address}"
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait(server: subprocess.Popen, address: str, site: Site) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"http://{address}/health", timeout=10)
            return
        time.sleep(0.5)
    sys.exit(f"Superset did not start:\n{(site.folder / 'server.log').read_text(encoding='utf-8')[-4000:]}")


if __name__ == "__main__":
    make_template(pathlib.Path(sys.argv[1]))
