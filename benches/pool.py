#!/usr/bin/env python3
"""Pools one large CSV with Basin and copies the same file to Parquet with DuckDB, in turn, in one run.

Usage: benches/pool.py --basin PATH --data PATH-OF-bench-data [--rows 10000000] [--runs 5] [--write docs/performance.md]

Needs `pip install -r benches/requirements.txt`. Every run starts a process of its own on a fresh folder; the figures are
whole-process wall time and peak memory (the kernel's accounting of the finished process), medians and ratios of pairs.
Basin's result is checked before it is timed: row count and sums equal DuckDB's. DuckDB is run twice: `COPY` as it comes
(no order, no checks), and ordered as Basin orders.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
PROVIDER = re.search(r'provider = "(\w+)"', (HERE / "visits.toml").read_text()).group(1)
COPY = """
import duckdb, sys
source, target, order = sys.argv[1:4]
duckdb.execute(f"COPY (SELECT * FROM read_csv('{source}') {order}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
"""


def measured(command):
    """Runs a command; gives its wall seconds and peak memory in MB. Fails loudly when the command does."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command[0]} failed ({child.returncode}): {errors.decode()[-2000:]}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def basin(arguments, store, program):
    return [str(program), "--store", str(store), *arguments]


def prepare(store, program):
    """An empty store with the benchmark's provider and dataset."""
    shutil.rmtree(store, ignore_errors=True)
    for arguments in (
        ["org", "put", PROVIDER, "--name-en", "Benchmark bureau", "--name-zh", "基准测试局"],
        ["dataset", "apply", str(HERE / "visits.toml")],
    ):
        subprocess.run(basin(arguments, store, program), check=True, capture_output=True)


SUMS = "count(*) AS n, sum(cost) AS cost, sum(reimbursed) AS reimbursed, sum(age) AS age, max(visit_id) AS last"


def check(source, store, program):
    import duckdb

    types = "{'cost': 'DECIMAL(12,2)', 'reimbursed': 'DECIMAL(12,2)'}"
    [row] = duckdb.execute(f"SELECT {SUMS} FROM read_csv('{source}', types={types})").fetchall()
    expected = [str(value) for value in row]
    run = subprocess.run(
        basin(["sql", f"SELECT {SUMS} FROM bench.visits", "--format", "csv"], store, program),
        check=True, capture_output=True, text=True,
    )
    got = run.stdout.strip().splitlines()[1].split(",")
    if got != expected:
        sys.exit(f"wrong answer, so no time: Basin {got}, DuckDB {expected}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--basin", required=True, type=Path)
    options.add_argument("--data", required=True, type=Path, help="the program bench-data")
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--write", type=Path, help="the document whose section `pooling` is replaced")
    options = options.parse_args()
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        lines = []
        for order in ("shuffled", "by-date"):
            lines += compare(order, folder, options)
    version = subprocess.run([str(options.basin), "--version"], capture_output=True, text=True).stdout.strip()
    text = "\n".join([
        f"`benches/pool.py --rows {options.rows} --runs {options.runs}`; {version}, DuckDB {duckdb.__version__}, "
        f"{os.cpu_count()} cores, {platform.machine()}, {time.strftime('%Y-%m-%d')}.",
        "",
        "| rows arrive | system | seconds (min, median, max) | peak MB | MB/s | Basin / DuckDB, median of pairs |",
        "|---|---|---|---|---|---|",
        *lines,
    ])
    print(text)
    if options.write:
        document = options.write.read_text()
        marks = ("<!-- pooling -->", "<!-- /pooling -->")
        before, rest = document.split(marks[0])
        options.write.write_text(f"{before}{marks[0]}\n{text}\n{marks[1]}{rest.split(marks[1])[1]}")


def compare(order, folder, options):
    source, store, copy = folder / "visits.csv", folder / "store", folder / "copy.parquet"
    with source.open("wb") as out:
        subprocess.run([str(options.data), str(options.rows), order], stdout=out, check=True)
    megabytes = source.stat().st_size / 1e6
    pool = basin(["pool", "bench.visits", str(source), "--provider", PROVIDER, "--json"], store, options.basin)
    by_layout = "ORDER BY visit_date, region_code"
    systems = {
        "Basin: checked, sorted, published": pool,
        "DuckDB COPY": [sys.executable, "-c", COPY, str(source), str(copy), ""],
        "DuckDB COPY, ordered": [sys.executable, "-c", COPY, str(source), str(copy), by_layout],
    }
    figures = {name: [] for name in systems}
    for turn in range(options.runs + 1):
        for name, command in systems.items():
            if command is pool:
                prepare(store, options.basin)
            figure = measured(command)
            if turn == 0 and command is pool:
                check(source, store, options.basin)
            if turn > 0:
                figures[name].append(figure)
            print(f"{order} {turn} {name}: {figure[0]:.1f} s, {figure[1]:.0f} MB", file=sys.stderr)
    ours = figures["Basin: checked, sorted, published"]
    rows = []
    for name, measures in figures.items():
        seconds = [s for s, _ in measures]
        ratio = statistics.median(a[0] / b[0] for a, b in zip(ours, measures))
        rows.append(
            f"| {order} | {name} | {min(seconds):.1f}, {statistics.median(seconds):.1f}, {max(seconds):.1f} "
            f"| {statistics.median(m for _, m in measures):.0f} | {megabytes / statistics.median(seconds):.0f} | {ratio:.2f} |"
        )
    return rows


if __name__ == "__main__":
    main()
