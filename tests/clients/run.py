"""Runs the client programs against servers of their own and writes docs/conformance.md.

    python run.py --basin target/debug/basin [--rust-client PATH] [--all] [--only NAME]… [--check]

Exits with 1 when a check failed, a column was left out, a call was answered with Unimplemented that no program had
announced, a server didn't end well, or, with --check, when docs/conformance.md is not what this run would write.
"""

import argparse
import contextlib
import dataclasses
import difflib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import matrix
from clients import HERE, Client, clients
from servers import Served, served

CONFORMANCE = HERE.parent.parent / "docs" / "conformance.md"
# How long a program may take; the first run of a heavy one installs much.
LIMIT_SECONDS = 600
HEAVY_LIMIT_SECONDS = 1800
# A call's line may come into the log after the client has gone.
LOG_SECONDS = 0.5


@dataclasses.dataclass
class Result:
    """What a client's programs said, and what the server's log says of them."""

    row: matrix.Row = dataclasses.field(default_factory=matrix.Row)
    passed: int = 0
    failed: int = 0
    expected: set[str] = dataclasses.field(default_factory=set)

    def take(self, line: str) -> None:
        """Reads a line of the contract; others are only for people."""
        if said := re.match(r"(passed|FAILED) (\S+): ", line):
            green = said[1] == "passed"
            self.passed += green
            self.failed += not green
            mark = matrix.GREEN if green and self.row.marks.get(said[2]) != matrix.RED else matrix.RED
            self.row.marks[said[2]] = mark
        elif said := re.match(r"absent (\S+): (.+)", line):
            reasons = self.row.reasons.setdefault(said[1], [])
            if said[2] not in reasons:
                reasons.append(said[2])
        elif said := re.match(r"version (.+)", line):
            self.row.version = self.row.version or said[1]
        elif said := re.match(r"expects Unimplemented: (.+)", line):
            self.expected.add(said[1])

    def fail(self, reason: str) -> None:
        self.failed += 1
        print(f"FAILED -: {reason}", flush=True)


def run_program(
    command: list[str | pathlib.Path], limit: int, environment: dict[str, str], result: Result
) -> None:
    """Runs a program to its end, or the time limit in seconds, and takes its lines as they come."""
    name = " ".join(str(part).removeprefix(f"{HERE}/") for part in command if part != sys.executable)
    counts: list[re.Match] = []

    def read() -> None:
        for line in process.stdout:
            print(line, end="", flush=True)
            result.take(line.rstrip())
            counts.extend(filter(None, [re.match(r"(\d+) passed, (\d+) failed$", line)]))

    print(f"-- {name}", flush=True)
    before = (result.passed, result.failed)
    try:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | environment,
            start_new_session=True,
        )
    except OSError as error:
        return result.fail(f"{name} can't be run: {error}")
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    code: int | str = f"its time limit, {limit} s"
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # What it left behind, and itself when it still runs.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    reader.join(10)
    said = (result.passed - before[0], result.failed - before[1])
    if [tuple(map(int, count.groups())) for count in counts] != [said]:
        result.fail(f"{name} ended with {code}, not with the counts of its checks: {said[0]} passed, {said[1]} failed")
    elif bool(code) != bool(said[1]):
        result.fail(f"{name} ended with {code}")


def run_client(client: Client, running: Served) -> Result:
    """Runs a client's programs, and then reads the log of their calls."""
    result = Result()
    start = running.log.stat().st_size
    for command in client.commands:
        run_program(command, HEAVY_LIMIT_SECONDS if client.heavy else LIMIT_SECONDS, running.environment, result)
    time.sleep(LOG_SECONDS)
    refused = set()
    for call in calls(running.log, start):
        method, command = call["method"], call.get("command") or ""
        commands = result.row.commands.setdefault(method, [])
        if (command or "-") not in commands:
            commands.append(command or "-")
        if call.get("code") == "Unimplemented":
            refused.add(f"{method} {command}".strip())
    for what in sorted(refused - result.expected):
        result.fail(f"{client.name} was answered with Unimplemented: {what}")
    for column in matrix.COLUMNS if client.title else []:
        if not result.row.marks.get(column) and not result.row.reasons.get(column):
            result.row.marks[column] = matrix.RED
            result.fail(f"{client.name} says nothing of the column {column}")
    print(f"-- {client.name}: {result.passed} passed, {result.failed} failed\n", flush=True)
    return result


def calls(log: pathlib.Path, start: int) -> list[dict]:
    """The calls that were answered since the log had that size."""
    with open(log, "rb") as lines:
        lines.seek(start)
        found = [json.loads(line)["fields"] for line in lines if line.startswith(b"{") and line.endswith(b"}\n")]
    return [fields for fields in found if fields.get("message") == "answered"]


def rows_of(results: dict[str, Result], all_clients: list[Client]) -> dict[str, matrix.Row]:
    """The rows of the matrix: this run's, and for the others what the file has."""
    old = matrix.read(CONFORMANCE.read_text(encoding="utf-8")) if CONFORMANCE.exists() else {}
    ran = {client.title: results[client.name].row for client in all_clients if client.name in results}
    titles = [client.title for client in all_clients if client.title]
    return {title: row for title in titles if (row := ran.get(title) or old.get(title))}


def settle(text: str, check: bool) -> bool:
    """Writes the file, or compares it; says whether it is as it must be."""
    old = CONFORMANCE.read_text(encoding="utf-8") if CONFORMANCE.exists() else ""
    if not check:
        CONFORMANCE.write_text(text, encoding="utf-8")
    elif text != old:
        print("docs/conformance.md is not what this run found; run tests/run clients and commit it:")
        print("\n".join(difflib.unified_diff(old.splitlines(), text.splitlines(), "written", "found", lineterm="")))
        return False
    return True


def main() -> None:
    # What is started in the background ignores Ctrl-C, and so would the clients that are ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    parser.add_argument("--basin", required=True, type=pathlib.Path, help="the binary")
    parser.add_argument("--rust-client", type=pathlib.Path, help="the program of the Rust client")
    parser.add_argument("--all", action="store_true", help="the heavy clients too")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this client")
    parser.add_argument("--check", action="store_true", help="compare docs/conformance.md instead of writing it")
    arguments = parser.parse_args()
    rust_client = arguments.rust_client and arguments.rust_client.resolve()
    all_clients = clients(rust_client)
    if unknown := set(arguments.only) - {client.name for client in all_clients}:
        parser.error(f"no such client: {', '.join(unknown)}; there are {', '.join(c.name for c in all_clients)}")
    results: dict[str, Result] = {}
    ended_well = True
    try:
        with served(arguments.basin.resolve()) as running:
            for client in all_clients:
                chosen = client.name in arguments.only if arguments.only else arguments.all or not client.heavy
                if chosen and client.commands:
                    results[client.name] = run_client(client, running)
    except RuntimeError as error:  # what the clients found counts all the same
        print(error)
        ended_well = False
    passed = sum(result.passed for result in results.values())
    failed = sum(result.failed for result in results.values()) + (not ended_well)
    failed += not settle(matrix.write(rows_of(results, all_clients)), arguments.check)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
