"""What the client scripts share: where the server is, and checks that are run one by one and counted."""

import argparse
import dataclasses
import pathlib
import sys
import time
import traceback
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Target:
    """A server that serves the example pack, its store and its process."""

    address: str
    user: str
    password: str
    store: pathlib.Path
    pid: int

    @property
    def uri(self) -> str:
        return f"grpc://{self.address}"


CHECKS: list[Callable[[Target], None]] = []


def check(function: Callable[[Target], None]) -> Callable[[Target], None]:
    """Marks a function as a check; it fails by raising."""
    CHECKS.append(function)
    return function


def equal(found: object, expected: object) -> None:
    assert found == expected, f"found {found!r}, expected {expected!r}"


def main() -> None:
    """Runs the script's checks, prints how many passed, exits with 1 when one failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--store", required=True, type=pathlib.Path)
    parser.add_argument("--pid", required=True, type=int, help="the server's process")
    parser.add_argument("--only", default="", help="run the checks whose name contains this")
    arguments = parser.parse_args()
    target = Target(arguments.address, arguments.user, arguments.password, arguments.store, arguments.pid)
    passed = failed = 0
    for function in CHECKS:
        if arguments.only not in function.__name__:
            continue
        started = time.monotonic()
        try:
            function(target)
        except Exception:  # a check may fail in any way; the next still runs
            failed += 1
            print(f"FAILED {function.__name__}")
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f"passed {function.__name__} ({time.monotonic() - started:.2f} s)")
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
