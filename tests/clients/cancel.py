"""Cancelling stops the work: the server's CPU time is flat one second later, in each kind of operator.

Every statement would run for minutes or hours. Each is cancelled in both ways that there are: by cancelling the
gRPC stream, and by CancelFlightInfo from another connection. That it is in the operator by then is known from three
things: EXPLAIN names the operator as the lowest one above the scans, the engine's CPU threads have computed for half
a second (planning has threads of its own), and no row came out of an operator that gives none before its end.
"""

import os
import pathlib
import re
import threading
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.flight as flight
from harness import Target, check, equal, main
from wire import field, login, statement

TRILLION = "generate_series(1, 1000000000000)"
TWO_MILLIONS = "generate_series(1, 1000000) a, generate_series(1, 1000000) b"
HASH_JOIN = "generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value % 2 = b.value % 2"
FROM_FILES = "SELECT country FROM jhu.series WHERE sha512(repeat(country, 100)) IS NULL"
WINDOW = "SELECT max(s) FROM (SELECT {} AS s FROM {})"
SLIDING = "sum(value) OVER (ROWS BETWEEN 1000 PRECEDING AND CURRENT ROW)"
SORTED = "row_number() OVER (PARTITION BY value % 10 ORDER BY value DESC)"
# Each kind with the operator of the logical plan that it stays in; a scan has none above it.
STATEMENTS = {
    "scan": (None, f"SELECT value FROM {TRILLION} WHERE value % 7 = 9"),
    "scan of files": (None, " UNION ALL ".join([FROM_FILES] * 60)),
    "sort": ("Sort", f"SELECT value FROM {TRILLION} ORDER BY value * 7919 % 1000003"),
    "top of a sort": ("Sort", f"SELECT value FROM {TRILLION} ORDER BY value DESC LIMIT 1"),
    "hash join": ("Join", f"SELECT count(*) FROM {HASH_JOIN}"),
    "hash join, no match": ("Join", f"SELECT count(*) FROM {HASH_JOIN} AND a.value + b.value < 0"),
    "nested-loop join": ("Join", f"SELECT count(*) FROM {TWO_MILLIONS} WHERE a.value + b.value > 0"),
    "nested-loop join, no match": ("Join", f"SELECT count(*) FROM {TWO_MILLIONS} WHERE a.value + b.value < 0"),
    "cross join": ("Join", f"SELECT sum(a.value * b.value) FROM {TWO_MILLIONS}"),
    "aggregate": ("Aggregate", f"SELECT sum(value % 7) FROM {TRILLION}"),
    "grouped aggregate": ("Aggregate", f"SELECT value % 1000 AS k, count(*) FROM {TRILLION} GROUP BY k"),
    "window": ("WindowAggr", WINDOW.format(SLIDING, TRILLION)),
    "sorted window": ("WindowAggr", WINDOW.format(SORTED, TRILLION)),
}
OPERATORS = re.compile(r"^ *(?:\w+ )?(Sort|Join|Aggregate|WindowAggr)\b", re.MULTILINE)
CANCELLED = b"\x08\x01"
# How soon the work must have ended, and how much CPU time an idle server may take in the second after that.
SECONDS_TO_STOP = 1.0
IDLE_SECONDS = 0.15


def cpu_seconds(stat: pathlib.Path) -> float:
    """The CPU time that a process or thread has used, in user and system mode."""
    after_name = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid: int) -> float:
    return cpu_seconds(pathlib.Path(f"/proc/{pid}/stat"))


def operator_seconds(pid: int) -> float:
    """The CPU time of the threads on which operators run, and nothing else does."""
    threads = [thread for thread in pathlib.Path(f"/proc/{pid}/task").iterdir() if is_operators(thread)]
    assert threads, "the server has no threads for operators"
    return sum(cpu_seconds(thread / "stat") for thread in threads)


def is_operators(thread: pathlib.Path) -> bool:
    try:
        return (thread / "comm").read_text(encoding="utf-8").strip() == "basin-cpu"
    except OSError:  # it has ended
        return False


def wait_until_busy(pid: int, start: float) -> None:
    deadline = time.monotonic() + 20
    while operator_seconds(pid) - start < 0.5:
        assert time.monotonic() < deadline, "the statement does not compute"
        time.sleep(0.02)


def lowest_operator(client: flight.FlightClient, options: flight.FlightCallOptions, sql: str) -> str | None:
    """The operator that EXPLAIN shows next above the scans, if there is one besides filters and projections."""
    info = client.get_flight_info(statement(f"EXPLAIN {sql}"), options)
    plan = client.do_get(info.endpoints[0].ticket, options).read_all()["plan"][0].as_py()
    assert "TableScan" in plan, plan
    found = OPERATORS.findall(plan)
    return found[-1] if found else None


class Fetch(threading.Thread):
    """Reads a result in the background until it ends, and keeps how it ended."""

    def __init__(self, client: flight.FlightClient, info: flight.FlightInfo, options: flight.FlightCallOptions):
        super().__init__(daemon=True)
        self.reader = client.do_get(info.endpoints[0].ticket, options)
        self.ended: str = "still runs"
        self.rows = 0
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.rows += self.reader.read_chunk().data.num_rows
        except StopIteration:
            self.ended = "complete"
        except (flight.FlightCancelledError, pa.ArrowCancelled):
            self.ended = "cancelled"
        except Exception as error:  # reported by the thread that looks at it
            self.ended = repr(error)


Cancel = Callable[[Fetch, flight.FlightInfo], None]


def used_after_cancel(target: Target, operator: str | None, sql: str, cancel: Cancel) -> tuple[float, Fetch]:
    """Runs the statement until it is in its operator, cancels it, and gives the CPU time of the second after it
    should have stopped."""
    client, options = login(target)
    with client:
        equal(lowest_operator(client, options, sql), operator)
        info = client.get_flight_info(statement(sql), options)
        start = operator_seconds(target.pid)
        fetch = Fetch(client, info, options)
        wait_until_busy(target.pid, start)
        equal((fetch.ended, fetch.rows), ("still runs", 0))
        cancel(fetch, info)
        time.sleep(SECONDS_TO_STOP)
        before = process_seconds(target.pid)
        time.sleep(1)
        used = process_seconds(target.pid) - before
        if cancel is not by_nothing:
            fetch.join(5)
        return used, fetch


def stops(target: Target, operator: str | None, sql: str, cancel: Cancel) -> None:
    used, fetch = used_after_cancel(target, operator, sql, cancel)
    assert used < IDLE_SECONDS, f"{used:.2f} s of CPU time in the second after it should have stopped"
    equal(fetch.ended, "cancelled")
    client, options = login(target)
    with client:
        info = client.get_flight_info(statement("SELECT 1 AS one"), options)
        equal(client.do_get(info.endpoints[0].ticket, options).read_all().to_pylist(), [{"one": 1}])


def by_nothing(_: Fetch, __: flight.FlightInfo) -> None:
    """Does not cancel: for the check that the measure sees work that goes on."""


def by_stream(fetch: Fetch, _: flight.FlightInfo) -> None:
    fetch.reader.cancel()


def by_info(target: Target) -> Cancel:
    def cancel(_: Fetch, info: flight.FlightInfo) -> None:
        other, options = login(target)
        with other:
            [result] = other.do_action(flight.Action("CancelFlightInfo", field(1, info.serialize())), options)
            equal(result.body.to_pybytes(), CANCELLED)

    return cancel


@check("cancel")
def without_a_cancel_the_cpu_time_rises(target: Target) -> None:
    used, fetch = used_after_cancel(target, *STATEMENTS["aggregate"], by_nothing)
    equal(fetch.ended, "still runs")
    fetch.reader.cancel()
    fetch.join(5)
    # Well above an idle server; a busy machine may give it less than a whole core.
    assert used > 2 * IDLE_SECONDS, f"only {used:.2f} s of CPU time in a second of computing"


def add(kind: str, operator: str | None, sql: str) -> None:
    def stream(target: Target) -> None:
        stops(target, operator, sql, by_stream)

    def info(target: Target) -> None:
        stops(target, operator, sql, by_info(target))

    for function in (stream, info):
        function.__name__ = f"{kind}, cancelled by {function.__name__}"
        check("cancel")(function)


for of_kind, (its_operator, its_sql) in STATEMENTS.items():
    add(of_kind, its_operator, its_sql)

if __name__ == "__main__":
    main(pa.__version__)
