"""Engines side by side: each query is asked of all, its answers compared, then timed in turn."""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import pyarrow as pa

from suites.answers import difference
from suites.figures import note


class Worker:
    """An engine's process."""

    def __init__(self, name: str, kind: str, setting: dict, log: pathlib.Path):
        self.name = name
        self.log = open(log, "ab")
        self.process = subprocess.Popen([sys.executable, "-m", "suites.engine", kind, json.dumps(setting)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.said()

    def ask(self, **request) -> dict:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.said()

    def said(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended: see {self.log.name}")
        return json.loads(line)

    def peak_mb(self) -> float:
        return self.ask(peak=True)["peak_mb"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.log.close()


def settings(name: str, schema: str, tables: dict, native: pathlib.Path | None = None) -> tuple[str, dict]:
    """The kind and setting of a peer in process."""
    if name == "duckdb-native":
        return "duckdb", {"schema": schema, "tables": tables, "native": str(native)}
    return name, {"schema": schema, "tables": tables}


@contextlib.contextmanager
def together(peers: dict[str, tuple[str, dict]], log: pathlib.Path):
    """The workers of several engines, by name."""
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, (kind, setting) in peers.items():
            workers[name] = Worker(name, kind, setting, log)
            stack.callback(workers[name].close)
        yield workers


def checked(workers: dict[str, Worker], sql: dict[str, str], columns=None) -> tuple[dict, dict]:
    """Asks each engine once. The first that answers is the last word; gives each one's rows, and what is wrong with whom.

    `columns`: the positions of columns that must agree; all of them when it is None.
    """
    answers, wrong = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, worker in workers.items():
            file = f"{folder}/{name}.arrow"
            said = worker.ask(sql=sql[name], save=file)
            if "error" in said:
                wrong[name] = said["error"]
            else:
                answers[name] = pa.ipc.open_file(pa.memory_map(file)).read_all()
        reference = next((answers[name] for name in reversed(list(workers)) if name in answers), None)
        for name, answer in answers.items():
            if why := difference(answer, reference, columns):
                wrong[name] = f"wrong answer: {why}"
        return {name: answer.num_rows for name, answer in answers.items()}, wrong


def timed(workers: dict[str, Worker], sql: dict[str, str], runs: int, wrong: dict) -> dict[str, list[float]]:
    """Times of each engine whose answer is right, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in workers if name not in wrong}
    for _ in range(runs):
        for name in seconds:
            said = workers[name].ask(sql=sql[name])
            if "error" in said:
                sys.exit(f"{name} failed where it had answered: {said['error']}")
            seconds[name].append(said["seconds"])
    return seconds


def suite(workers: dict[str, Worker], queries: dict[str, str], runs: int, columns=lambda query: None) -> list[dict]:
    """All queries: checked, then timed."""
    results = []
    for query, sql in queries.items():
        note(f"{query}: checking")
        texts = {name: sql for name in workers}
        rows, wrong = checked(workers, texts, columns(query))
        note(f"{query}: timing")
        seconds = timed(workers, texts, runs, wrong)
        results.append({"query": query, "rows": max(rows.values(), default=None), "seconds": seconds, "wrong": wrong})
        for name, why in wrong.items():
            print(f"\n{query}, {name}: {why}", file=sys.stderr)
    return results
