"""Figures of a suite: medians, means of ratios, percentiles; the machine they are of; the file they are kept in."""

import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata

PEERS = ["adbc-driver-flightsql", "datafusion", "duckdb", "polars", "pyarrow", "pysail", "roapi"]


def note(text: str) -> None:
    """Says how far a suite is, on stderr: over the same line on a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{text:<100}", end=end, file=sys.stderr, flush=True)


def geometric_mean(ratios) -> float:
    ratios = list(ratios)
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def percentile(times, percent: float) -> float:
    """The nearest rank."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def percentiles(times) -> dict:
    """Of times in seconds, in milliseconds."""
    ms = {name: percentile(times, at) * 1000 for name, at in (("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9))}
    return ms | {"max": max(times) * 1000, "runs": len(times)}


def median_of(seconds: dict) -> dict:
    return {name: statistics.median(times) for name, times in seconds.items() if times}


def versions(basin: pathlib.Path) -> dict:
    said = subprocess.run([basin, "--version"], capture_output=True, text=True, check=True).stdout
    return {"basin": said.split()[-1]} | {name: metadata.version(name) for name in PEERS}


def save(arguments, name: str, result: dict) -> None:
    """Keeps a result with what is needed to read it."""
    whole = {
        "suite": arguments.suite,
        "command": command(arguments),
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine(), "system": platform.system()},
        "versions": versions(arguments.basin),
        "profile": arguments.basin.resolve().parent.name,
    } | result
    arguments.results.mkdir(parents=True, exist_ok=True)
    file = arguments.results / f"{name}.json"
    file.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"kept in {file}", file=sys.stderr)


def command(arguments) -> str:
    """The command without the paths of this machine."""
    words, skip = [], False
    for word in sys.argv[1:]:
        if not skip and word not in ("--basin", "--data", "--results"):
            words.append(word)
        skip = word in ("--basin", "--data", "--results")
    return " ".join(["benches/run", *words])


def table(header: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
