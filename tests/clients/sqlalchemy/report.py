"""The lines that a client program prints: see ../README.md."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable

CHECKS: list[tuple[str, Callable[[], None]]] = []
ABSENT: list[tuple[str, str]] = []


def check(column: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Marks a function as a check of a column; it fails by raising."""

    def mark(function: Callable[[], None]) -> Callable[[], None]:
        CHECKS.append((column, function))
        return function

    return mark


def absent(column: str, reason: str) -> None:
    """Says that the client itself can't do what a column asks."""
    ABSENT.append((column, reason))


def detail(text: str) -> None:
    """Prints something of note about a check that goes on."""
    print(f"   {text}", flush=True)


def equal(found: object, expected: object) -> None:
    assert found == expected, f"found {found!r}, expected {expected!r}"


def main(version: str) -> None:
    """Runs the checks, prints how many passed, exits with 1 when one failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="run the checks whose name contains this")
    only = parser.parse_args().only
    print(f"version {version}")
    for column, reason in ABSENT:
        print(f"absent {column}: {reason}")
    passed = failed = 0
    for column, function in CHECKS:
        if only not in function.__name__:
            continue
        name = function.__name__.replace("_", " ")
        started = time.monotonic()
        try:
            function()
        except Exception:  # a check may fail in any way; the next still runs
            failed += 1
            print(f"FAILED {column}: {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f"passed {column}: {name} ({time.monotonic() - started:.2f} s)", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
