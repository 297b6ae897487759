"""A dashboard answered from rollups, and the same queries answered from the datasets: Basin against itself, result cache off.

The answers of both are compared before they are timed; each is then asked in turn.
"""

from suites import served, store, tpch
from suites.answers import difference
from suites.figures import geometric_mean, median_of, note, save, table
from suites.flightsql import connect
from suites.workers import timed, together

#: Name of the rollup, dataset, dimensions, measures.
ROLLUPS = [
    ("by_day", "tpch.lineitem", "l_returnflag,l_linestatus,l_shipmode,l_shipdate",
     "sum(l_quantity),sum(l_extendedprice),count(l_orderkey),max(l_extendedprice)"),
    ("by_month", "tpch.orders", "o_orderpriority,o_orderstatus,month(o_orderdate)", "sum(o_totalprice),count(o_orderkey),max(o_totalprice)"),
]
QUERIES = {
    "sales by year": "SELECT extract(year FROM l_shipdate) AS y, sum(l_extendedprice) AS price, count(*) AS n FROM tpch.lineitem GROUP BY 1",
    "sales by month of a mode": "SELECT date_trunc('month', l_shipdate) AS m, sum(l_quantity) AS quantity FROM tpch.lineitem "
    "WHERE l_shipmode = 'AIR' GROUP BY 1",
    "returned by mode": "SELECT l_shipmode, sum(l_extendedprice) AS price FROM tpch.lineitem WHERE l_returnflag = 'R' GROUP BY 1",
    "flags": "SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice) AS price, count(*) AS n "
    "FROM tpch.lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY 1, 2",
    "orders by priority": "SELECT o_orderpriority, count(*) AS n, max(o_totalprice) AS most FROM tpch.orders GROUP BY 1",
    "orders by quarter": "SELECT date_trunc('quarter', o_orderdate) AS q, sum(o_totalprice) AS total FROM tpch.orders GROUP BY 1",
    "open orders by year": "SELECT extract(year FROM o_orderdate) AS y, count(*) AS n FROM tpch.orders WHERE o_orderstatus = 'O' GROUP BY 1",
}


def options(parser) -> None:
    parser.add_argument("--scale", type=float, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--name", help="of the result [default: rollups-SCALE]")


def declare(arguments, folder) -> None:
    """Makes the rollups that aren't there."""
    listed = store.basin(arguments, folder, "rollup", "list", "--json")
    for name, dataset, dimensions, measures in ROLLUPS:
        if f'"{name}"' not in listed:
            note(f"making the rollup {name} of {dataset}")
            store.basin(arguments, folder, "rollup", "create", dataset, name, "--dimensions", dimensions, "--measures", measures)


def answers(server) -> dict:
    with connect(server) as connection, connection.cursor() as cursor:
        found = {}
        for name, sql in QUERIES.items():
            cursor.execute(sql)
            found[name] = cursor.fetch_arrow_table()
        return found


def run(arguments) -> None:
    folder = store.tpch(arguments, arguments.scale)
    declare(arguments, folder)
    results = []
    with served.basin(arguments.basin, folder, {"x-basin-rollups": "true"}) as one:
        base = served.Server(one.name, one.uri, one.process, one.user, one.password, one.headers | {"x-basin-rollups": "false"})
        found, expected = answers(one), answers(base)
        peers = {"rollups": tpch.client(one), "datasets": tpch.client(base)}
        with together(peers, folder.parent / "peers.log") as workers:
            for name, sql in QUERIES.items():
                wrong = {"rollups": why} if (why := difference(found[name], expected[name])) else {}
                note(f"{name}: timing")
                seconds = timed(workers, {worker: sql for worker in workers}, arguments.runs, wrong)
                results.append({"query": name, "rows": found[name].num_rows, "seconds": seconds, "wrong": wrong})
    result = {"scale": arguments.scale, "runs": arguments.runs, "queries": results}
    save(arguments, arguments.name or f"rollups-{arguments.scale:g}", result)
    print(text(result))


def text(result) -> str:
    rows, ratios = [], []
    for query in result["queries"]:
        medians = median_of(query["seconds"])
        if "rollups" not in medians:
            rows.append([query["query"], "", "wrong", ""])
            continue
        ratios.append(medians["datasets"] / medians["rollups"])
        rows.append([query["query"], *(f"{medians[name] * 1000:.1f}" for name in ("datasets", "rollups")), f"{ratios[-1]:.0f}"])
    rows.append(["geometric mean", "", "", f"{geometric_mean(ratios):.0f}"])
    return table(["query", "from datasets ms", "from rollups ms", "times faster"], rows)
