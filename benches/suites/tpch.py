"""TPC-H: Basin through Flight SQL, every row fetched by ADBC, against engines in process on the same Parquet files.

The files are those of the pooled store (lineitem sorted by l_shipdate, orders by o_orderdate). Each query is checked against DuckDB's
answer, asked once more to be hot, then timed in turn. With --cold every engine is a fresh process for each query, and the files are
out of the page cache.
"""

import os
import pathlib

from suites import served, store
from suites.figures import geometric_mean, median_of, note, save, table
from suites.workers import checked, settings, suite, timed, together

PEERS = ["datafusion", "polars", "duckdb-native", "duckdb"]


def options(parser) -> None:
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--cold", action="store_true")
    side_by_side(parser, 22, "tpch-SCALE, with -cold")


def side_by_side(parser, queries: int, name: str) -> None:
    """The options of a suite that asks several engines the same queries."""
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", default="datafusion,duckdb", help=f"of {', '.join(PEERS)}; the last is the one whose answers count")
    parser.add_argument("--queries", default="", help=f"numbers, separated by commas [default: all {queries}]")
    parser.add_argument("--memory-mib", type=int, help="Basin's memory for queries")
    parser.add_argument("--name", help=f"of the result [default: {name}]")


def run(arguments) -> None:
    folder = store.tpch(arguments, arguments.scale)
    links = store.linked(folder, "tpch", store.TABLES)
    tables = {name: str(links / name) for name in store.TABLES}
    numbers = [int(number) for number in arguments.queries.split(",") if number] or range(1, 23)
    queries = {f"Q{number}": store.tpch_query(number, arguments.scale) for number in numbers}
    names = [name for name in arguments.peers.split(",") if name]
    native = folder / "duckdb-native.db"
    peers = {name: settings(name, "tpch", tables, native) for name in names}
    measure = cold if arguments.cold else hot
    results, peaks = measure(arguments, folder, queries, peers)
    result = {"scale": arguments.scale, "runs": arguments.runs, "cold": arguments.cold, "reference": names[-1] if names else None,
              "memory_mib": arguments.memory_mib, "queries": results, "peak_mb": peaks}
    save(arguments, arguments.name or f"tpch-{arguments.scale:g}{'-cold' if arguments.cold else ''}", result)
    print(text(result))


def server(arguments, folder, headers=None):
    config = f"[engine]\nmemory_mib = {arguments.memory_mib}\n" if arguments.memory_mib else None
    return served.basin(arguments.basin, folder, headers, config=config)


def client(one) -> tuple[str, dict]:
    options = one.adbc()
    return "flightsql", {"uri": options.pop("uri"), "options": options}


def hot(arguments, folder, queries, peers, headers=None, columns=lambda query: None):
    """Results of all queries and the peak memory of each engine. `columns`: as `workers.suite` takes it."""
    with server(arguments, folder, headers) as one, together({"basin": client(one)} | peers, folder.parent / "peers.log") as workers:
        results = suite(workers, queries, arguments.runs, columns)
        peaks = {name: worker.peak_mb() for name, worker in workers.items()}
        peaks["basin's client"] = peaks["basin"]
        peaks["basin"] = one.peak_mb()
    return results, peaks


def cold(arguments, folder, queries, peers):
    """Each run of a query in fresh processes, its files read from the disk."""
    results, peaks = [], {}
    for query, sql in queries.items():
        seconds, wrong, rows = {}, {}, {}
        for turn in range(arguments.runs):
            for name in ["basin", *peers]:
                note(f"{query}: cold, run {turn + 1} of {arguments.runs}, {name}")
                evict(folder)
                if name == "basin":
                    with server(arguments, folder) as one, together({name: client(one)}, folder.parent / "peers.log") as workers:
                        times = timed(workers, {name: sql}, 1, wrong)
                        peaks[name] = max(peaks.get(name, 0), one.peak_mb())
                else:
                    with together({name: peers[name]}, folder.parent / "peers.log") as workers:
                        times = timed(workers, {name: sql}, 1, wrong)
                        peaks[name] = max(peaks.get(name, 0), workers[name].peak_mb())
                seconds.setdefault(name, []).extend(times.get(name, []))
        with server(arguments, folder) as one, together({"basin": client(one)} | peers, folder.parent / "peers.log") as workers:
            rows, wrong = checked(workers, {name: sql for name in workers})
        seconds = {name: times for name, times in seconds.items() if name not in wrong}
        results.append({"query": query, "rows": max(rows.values(), default=None), "seconds": seconds, "wrong": wrong})
    return results, peaks


def evict(folder: pathlib.Path) -> None:
    """Asks the kernel to drop the store's files from its page cache, which needs no rights."""
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix in (".parquet", ".db", ".json", ".zst"):
            descriptor = os.open(file, os.O_RDONLY)
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def names_of(result) -> list[str]:
    return list(dict.fromkeys(name for query in result["queries"] for name in [*query["seconds"], *query["wrong"]]))


def ratios(result, name) -> dict[str, float]:
    """By query, a system's time over the reference's."""
    found = {}
    for query in result["queries"]:
        medians = median_of(query["seconds"])
        if name in medians and result["reference"] in medians:
            found[query["query"]] = medians[name] / medians[result["reference"]]
    return found


def text(result) -> str:
    """The result as a table, each system as ratio to the reference."""
    names, reference = names_of(result), result["reference"]
    others = [name for name in names if name != reference]
    by_name = {name: ratios(result, name) for name in others}
    rows = []
    for query in result["queries"]:
        medians = median_of(query["seconds"])
        cells = [f"{by_name[name][query['query']]:.2f}" if query["query"] in by_name[name] else said(query, name) for name in others]
        ms = [f"{medians[name] * 1000:.1f}" if name in medians else "-" for name in ("basin", reference)]
        rows.append([query["query"], *ms, *cells])
    means = [f"{geometric_mean(by_name[name].values()):.2f} (of {len(by_name[name])})" if by_name[name] else "-" for name in others]
    totals = [sum(median_of(query["seconds"]).get(name, 0) for query in result["queries"]) * 1000 for name in ("basin", reference)]
    rows.append(["geometric mean", "", "", *means])
    rows.append(["total", *(f"{total:.0f}" for total in totals), *([""] * len(others))])
    rows.append(["peak MB", *(f"{result['peak_mb'].get(name, 0):.0f}" for name in ("basin", reference)),
                 *(f"{result['peak_mb'].get(name, 0):.0f}" for name in others)])
    return table(["query", "basin ms", f"{reference} ms", *(f"{name} / {reference}" for name in others)], rows)


def said(query, name) -> str:
    why = query["wrong"].get(name, "")
    return "wrong" if why.startswith("wrong") else "fails" if why else "-"
