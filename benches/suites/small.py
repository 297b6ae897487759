"""Small calls of one client through ADBC: SELECT 1, a point lookup on a sorted key, a metadata call; p50, p99, p99.9.

Against ROAPI, Sail and a plain Flight server of pyarrow (which knows no SQL: what a round trip costs), and DuckDB in process. Calls are
made in turn, one of each system a round; keys are drawn from a seed, so that nobody answers from a cache of results.
"""

import contextlib
import random
import sys
import time

from suites import served, store
from suites.figures import note, percentiles, save, table
from suites.flightsql import connect

LOOKUP = "SELECT c_custkey, c_name, c_acctbal FROM tpch.customer WHERE c_custkey = {key}"
CUSTOMERS = 150_000


def options(parser) -> None:
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--peers", default="roapi,sail,pyarrow,duckdb")
    parser.add_argument("--name", help="of the result [default: small-SCALE]")


class Adbc:
    """A server through ADBC."""

    def __init__(self, stack, server):
        self.server = server
        self.connection = stack.enter_context(connect(server))

    def select(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(self.server.sql(sql))
            return cursor.fetch_arrow_table()

    def tables(self):
        return self.connection.adbc_get_objects(depth="tables").read_all()


class InProcess:
    """DuckDB in this process, for what the wire costs."""

    def __init__(self, links):
        import duckdb

        self.database = duckdb.connect()
        self.database.execute("CREATE SCHEMA tpch")
        for folder in links.iterdir():
            self.database.execute(f"CREATE VIEW tpch.{folder.name} AS SELECT * FROM '{folder}/*.parquet'")

    def select(self, sql):
        return self.database.sql(sql).to_arrow_table()


def run(arguments) -> None:
    folder = store.tpch(arguments, arguments.scale)
    links = store.linked(folder, "tpch", store.TABLES)
    with contextlib.ExitStack() as stack:
        systems = {"basin": Adbc(stack, stack.enter_context(served.basin(arguments.basin, folder)))}
        makers = {"roapi": lambda: served.roapi(links), "sail": lambda: served.sail(links), "pyarrow": served.plain}
        for name in filter(None, arguments.peers.split(",")):
            note(f"starting {name}")
            systems[name] = InProcess(links) if name == "duckdb" else Adbc(stack, stack.enter_context(makers[name]()))
        customers = int(CUSTOMERS * arguments.scale)
        cases = {
            "SELECT 1": (lambda system, _: system.select("SELECT 1 AS one"), one_row),
            "point lookup": (lambda system, key: system.select(LOOKUP.format(key=key)), right_customer),
            "metadata": (lambda system, _: system.tables(), lambda answer, _: answer.num_rows > 0),
        }
        results, wrong = {}, {}
        for case, (call, is_right) in cases.items():
            results[case], wrong[case] = measured(case, call, is_right, systems, customers, arguments.rounds)
    result = {"scale": arguments.scale, "rounds": arguments.rounds, "cases": results, "wrong": wrong}
    save(arguments, arguments.name or f"small-{arguments.scale:g}", result)
    print(text(result))


def one_row(answer, _) -> bool:
    return answer.num_rows == 1


def right_customer(answer, key) -> bool:
    row = answer.to_pylist()
    return len(row) == 1 and row[0]["c_custkey"] == key and row[0]["c_name"] == f"Customer#{key:09}"


def measured(case, call, is_right, systems, customers, rounds):
    """Percentiles by system. A system that can't, or answers wrongly, has none."""
    wrong = {}
    for name, system in systems.items():
        try:
            if not is_right(call(system, 7), 7):
                wrong[name] = "wrong answer"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            wrong[name] = f"{type(error).__name__}: {error}"[:300]
    for name, why in wrong.items():
        print(f"\n{case}, {name}: {why}", file=sys.stderr)
    times = {name: [] for name in systems if name not in wrong}
    keys = random.Random(1)
    for number in range(rounds + rounds // 10):
        key = keys.randint(1, customers)
        for name in times:
            started = time.perf_counter()
            answer = call(systems[name], key)
            seconds = time.perf_counter() - started
            if not is_right(answer, key):
                sys.exit(f"{case}, {name}: a wrong answer for key {key}, so no time")
            if number >= rounds // 10:  # the first ones warm up
                times[name].append(seconds)
        if number % 100 == 0:
            note(f"{case}: {number} of {rounds}")
    return {name: percentiles(one) for name, one in times.items()}, wrong


def text(result) -> str:
    rows = []
    for case, systems in result["cases"].items():
        for name, times in systems.items():
            ratio = f"{systems['basin']['p50'] / times['p50']:.2f}" if "basin" in systems else "-"
            rows.append([case, name, *(f"{times[at]:.2f}" for at in ("p50", "p99", "p99.9", "max")), ratio])
        rows += [[case, name, "can't", "", "", "", ""] for name in result["wrong"][case]]
    return table(["call", "system", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "Basin's p50 / its p50"], rows)
