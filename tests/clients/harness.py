"""What the client programs share: where the servers are, and checks that are run one by one and counted.

README.md has the contract: the variables that are read here, and the lines that are printed.
"""

import dataclasses
import os
import pathlib
import sys
import time
import traceback
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Target:
    """Three servers of one store that has the example pack."""

    address: str
    tls_address: str
    mtls_address: str
    ca: pathlib.Path
    client_cert: pathlib.Path
    client_key: pathlib.Path
    user: str
    password: str
    program: pathlib.Path
    store: pathlib.Path
    pid: int
    types: pathlib.Path

    @property
    def uri(self) -> str:
        return f"grpc://{self.address}"

    @property
    def tls_uri(self) -> str:
        return f"grpc+tls://{self.tls_address}"

    @property
    def mtls_uri(self) -> str:
        return f"grpc+tls://{self.mtls_address}"


def from_environment() -> Target:
    """The target that the variables name, one for each field."""
    fields = {field.name: field.type for field in dataclasses.fields(Target)}
    missing = [name for name in map(variable, fields) if name not in os.environ]
    if missing:
        sys.exit(f"not set: {', '.join(missing)}; servers.py prints them")
    return Target(**{name: kind(os.environ[variable(name)]) for name, kind in fields.items()})


def variable(field: str) -> str:
    return f"BASIN_{field.upper()}"


Check = Callable[[Target], None]
CHECKS: list[tuple[str, Check]] = []


def check(column: str) -> Callable[[Check], Check]:
    """Marks a function as a check of a column of the matrix, or of none (`-`); it fails by raising."""

    def mark(function: Check) -> Check:
        CHECKS.append((column, function))
        return function

    return mark


def absent(column: str, reason: str) -> None:
    """Says what the client itself can't do, and why."""
    print(f"absent {column}: {reason}", flush=True)


def expects_unimplemented(method: str, command: str) -> None:
    """Announces a call that is refused on purpose: no fault of the server."""
    print(f"expects Unimplemented: {method} {command}".rstrip())


def equal(found: object, expected: object) -> None:
    assert found == expected, f"found {found!r}, expected {expected!r}"


def fails(kinds: type[Exception] | tuple[type[Exception], ...], do: Callable[[], object]) -> Exception:
    """Does what must fail; gives the error."""
    try:
        found = do()
    except kinds as error:
        return error
    raise AssertionError(f"it did not fail: {found!r}")


def main(version: str) -> None:
    """Runs the program's checks, prints how many passed, exits with 1 when one failed."""
    target = from_environment()
    print(f"version {version}")
    passed = failed = 0
    for column, function in CHECKS:
        started = time.monotonic()
        try:
            function(target)
        except Exception:  # a check may fail in any way; the next still runs
            failed += 1
            print(f"FAILED {column}: {function.__name__}")
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f"passed {column}: {function.__name__} ({time.monotonic() - started:.2f} s)", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
