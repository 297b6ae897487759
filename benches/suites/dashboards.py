"""Dashboards: many clients that repeat a mix of small queries; queries/s, p50, p99. And small queries while large ones run.

Basin, with its result cache and without it, ROAPI and Sail on the same Parquet files, each alone on the machine for --seconds, in turn,
--rounds times. Answers are compared with DuckDB's before; row counts are looked at with every answer.
"""

import json
import statistics
import subprocess
import sys

from suites import served, store, tpch
from suites.figures import note, percentiles, save, table
from suites.workers import checked, settings, together

#: What a page of figures asks: by segment, by period, by region, one row.
MIX = {
    "customers by segment": "SELECT c_mktsegment, count(*) AS n, sum(c_acctbal) AS balance FROM tpch.customer GROUP BY c_mktsegment",
    "orders of a month by priority": "SELECT o_orderpriority, count(*) AS n FROM tpch.orders WHERE o_orderdate >= DATE '1996-03-01' "
    "AND o_orderdate < DATE '1996-04-01' GROUP BY o_orderpriority",
    "sales of a day": "SELECT l_returnflag, l_shipmode, sum(l_extendedprice) AS price FROM tpch.lineitem "
    "WHERE l_shipdate = DATE '1997-06-15' GROUP BY l_returnflag, l_shipmode",
    "suppliers by nation": "SELECT n_name, count(*) AS n FROM tpch.supplier JOIN tpch.nation ON s_nationkey = n_nationkey GROUP BY n_name",
    "parts by brand": "SELECT p_brand, avg(p_retailprice) AS price FROM tpch.part GROUP BY p_brand",
    "a customer": "SELECT c_custkey, c_name, c_phone FROM tpch.customer WHERE c_custkey = 1234",
    "orders by year": "SELECT extract(year FROM o_orderdate) AS y, count(*) AS n, sum(o_totalprice) AS total FROM tpch.orders "
    "GROUP BY extract(year FROM o_orderdate)",
    "one": "SELECT 1 AS one",
}
#: What must stay quick, and what runs beside it.
SMALL = {name: MIX[name] for name in ("a customer", "sales of a day", "one")}
LARGE = [9, 18]
#: Processes that the clients are divided into, so that Python's lock is not what is measured.
PROCESSES = 4


def options(parser) -> None:
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="roapi,sail")
    parser.add_argument("--name", help="of the result [default: dashboards-SCALE-CLIENTS]")


def run(arguments) -> None:
    folder = store.tpch(arguments, arguments.scale)
    links = store.linked(folder, "tpch", store.TABLES)
    makers = {
        "basin": lambda: served.basin(arguments.basin, folder),
        "basin, results kept": lambda: served.basin(arguments.basin, folder, kept=True),
        "roapi": lambda: served.roapi(links),
        "sail": lambda: served.sail(links),
    }
    systems = ["basin", "basin, results kept", *filter(None, arguments.peers.split(","))]
    found, wrong = {name: [] for name in systems}, {}
    for turn in range(arguments.rounds):
        for name in systems:
            if name in wrong:
                continue
            with makers[name]() as server:
                try:
                    rows = right_rows(server, MIX, links, folder)
                    note(f"{name}: round {turn + 1} of {arguments.rounds}")
                    found[name].append(load(server, MIX, rows, arguments.clients, arguments.seconds) | {"peak_mb": server.peak_mb()})
                except RuntimeError as error:
                    wrong[name] = str(error)
                    print(f"\n{name}: {error}", file=sys.stderr)
    result = {"scale": arguments.scale, "clients": arguments.clients, "seconds": arguments.seconds, "rounds": arguments.rounds,
              "systems": found, "wrong": wrong, "disturbed": disturbed(arguments, folder, links)}
    save(arguments, arguments.name or f"dashboards-{arguments.scale:g}-{arguments.clients}", result)
    print(text(result))


def right_rows(server, queries, links, folder) -> dict[str, int]:
    """Asks each query once beside DuckDB; gives the rows of the answers.

    Raises RuntimeError for one that fails or is wrong.
    """
    tables = {name: str(links / name) for name in store.TABLES}
    peers = {"it": tpch.client(server), "duckdb": settings("duckdb", "tpch", tables)}
    rows = {}
    with together(peers, folder.parent / "peers.log") as workers:
        for name, sql in queries.items():
            counted, wrong = checked(workers, {"it": server.sql(sql), "duckdb": sql})
            if wrong:
                raise RuntimeError(f"{name}: {wrong}")
            rows[name] = counted["it"]
    return rows


def load(server, queries, rows, clients, seconds) -> dict:
    """Lets the clients ask for a while."""
    options = server.adbc()
    base = {"uri": options.pop("uri"), "options": options, "queries": {name: server.sql(sql) for name, sql in queries.items()},
            "rows": rows, "seconds": seconds, "seed": 1}
    shares = [clients // PROCESSES + (number < clients % PROCESSES) for number in range(PROCESSES)]
    processes, first = [], 0
    for share in filter(None, shares):
        words = [sys.executable, "-m", "suites.dashboard_client", json.dumps(base | {"clients": share, "first": first})]
        processes.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        first += share
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]
    if any(process.returncode for process in processes):
        why = next((errors for _, errors in said if errors.strip()), "a client failed").strip().splitlines()[-1]
        raise RuntimeError(why)
    clients_times = [times for out, _ in said for times in json.loads(out)]
    by_query = {name: [time for times in clients_times for time in times[name]] for name in queries}
    every = [time for times in by_query.values() for time in times]
    return {"queries_per_second": len(every) / seconds, "all": percentiles(every),
            "queries": {name: percentiles(times) for name, times in by_query.items() if times}}


def disturbed(arguments, folder, links) -> dict:
    """Small queries alone, and while two large ones run again and again."""
    note("small queries, quiet and beside large ones")
    with served.basin(arguments.basin, folder) as server:
        rows = right_rows(server, SMALL, links, folder)
        quiet = load(server, SMALL, rows, 4, arguments.seconds)
        options = server.adbc()
        setting = {"uri": options.pop("uri"), "options": options, "seconds": arguments.seconds + 5, "seed": 1, "clients": 2, "first": 0}
        large = {f"Q{number}": store.tpch_query(number, arguments.scale) for number in LARGE}
        large_rows = right_rows(server, large, links, folder)
        words = [sys.executable, "-m", "suites.dashboard_client", json.dumps(setting | {"queries": large, "rows": large_rows})]
        beside = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        beside.stdout.readline()
        beside.stdin.write("go\n")
        beside.stdin.flush()
        busy = load(server, SMALL, rows, 4, arguments.seconds)
        beside.communicate()
    return {"quiet": quiet, "busy": busy}


def text(result) -> str:
    rows, rates = [], {}
    for name, rounds in result["systems"].items():
        if not rounds:
            rows.append([name, "can't", "", "", "", "", ""])
            continue
        rates[name] = statistics.median(one["queries_per_second"] for one in rounds)
    for name, rate in rates.items():
        rounds = result["systems"][name]
        at = lambda which: statistics.median(one["all"][which] for one in rounds)  # noqa: E731
        ratios = [f"{rates[own] / rate:.1f}" if own in rates else "-" for own in ("basin", "basin, results kept")]
        rows.append([name, f"{rate:.0f}", f"{at('p50'):.1f}", f"{at('p99'):.1f}", f"{max(one['peak_mb'] for one in rounds):.0f}", *ratios])
    quiet, busy = (result["disturbed"][which]["all"] for which in ("quiet", "busy"))
    return "\n".join([
        table(["system", "queries/s", "p50 ms", "p99 ms", "peak MB", "Basin / it", "results kept / it"], rows), "",
        table(["small queries, 4 clients", "p50 ms", "p99 ms"],
              [["quiet", f"{quiet['p50']:.1f}", f"{quiet['p99']:.1f}"], ["beside two large ones", f"{busy['p50']:.1f}", f"{busy['p99']:.1f}"],
               ["ratio", f"{busy['p50'] / quiet['p50']:.1f}", f"{busy['p99'] / quiet['p99']:.1f}"]]),
    ])
