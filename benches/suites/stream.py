"""Large results: lineitem to pyarrow's C++ client in one and two streams, numbers alone, compressed, with TLS.

Against pyarrow's C++ Flight server with the same table: from its memory (what the wire can carry) and from the same Parquet files (what
decoding and the wire can). Both are asked in turn; a gigabyte is 10^9 bytes of Arrow buffers that the client got.
"""

import contextlib
import pathlib
import statistics
import sys
import tempfile
import threading
import time

import pyarrow.compute as compute
import pyarrow.flight as flight

from suites import served, store
from suites.figures import note, save, table
from suites.flightsql import client, statement

NUMBERS = ["l_orderkey", "l_partkey", "l_suppkey", "l_linenumber", "l_quantity", "l_extendedprice", "l_discount", "l_tax"]
#: Case: columns (all when none), streams, compression, TLS.
CASES = {
    "all columns, one stream": ([], 1, None, False),
    "all columns, two streams": ([], 2, None, False),
    "numbers, one stream": (NUMBERS, 1, None, False),
    "numbers, two streams": (NUMBERS, 2, None, False),
    "all columns, TLS": ([], 1, None, True),
    "all columns, LZ4": ([], 1, "lz4", False),
    "all columns, ZSTD": ([], 1, "zstd", False),
}


def options(parser) -> None:
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cases", default="", help=f"numbers from 1 to {len(CASES)}, separated by commas [default: all]")
    parser.add_argument("--name", help="of the result [default: stream-SCALE]")


def fetch(server, endpoints, check_column=None) -> tuple[float, int, int, int]:
    """Reads all endpoints at once, each on a connection of its own: seconds, bytes, rows, and the sum of a column when one is named."""
    connections = [client(server) for _ in endpoints]
    found = [None] * len(endpoints)

    def read(number):
        one, options = connections[number]
        size = rows = total = 0
        for chunk in one.do_get(endpoints[number].ticket, options):
            size += chunk.data.nbytes
            rows += chunk.data.num_rows
            if check_column:
                total += compute.sum(chunk.data.column(check_column)).as_py() or 0
        found[number] = (size, rows, total)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(endpoints))]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    for one, _ in connections:
        one.close()
    if None in found:
        raise RuntimeError(f"a stream of {server.name} failed")
    return (seconds, *map(sum, zip(*found)))


def basin_endpoints(server, columns, streams, compression):
    """The tickets of a statement. Planning it is within the time of GetFlightInfo, which is not timed: the peer plans nothing."""
    own = ("x-basin-parallel-export", "x-basin-compression")
    server.headers = {name: value for name, value in server.headers.items() if name not in own}
    if streams > 1:
        server.headers["x-basin-parallel-export"] = str(streams)
    if compression:
        server.headers["x-basin-compression"] = compression
    one, options = client(server)
    info = one.get_flight_info(statement(f"SELECT {', '.join(columns) or '*'} FROM tpch.lineitem"), options)
    one.close()
    return info.endpoints


def plain_endpoints(columns, streams):
    tickets = [f"{','.join(columns)};{part}/{streams}" for part in range(streams)]
    return [flight.FlightEndpoint(flight.Ticket(ticket.encode()), []) for ticket in tickets]


def run(arguments) -> None:
    folder = store.tpch(arguments, arguments.scale)
    files = store.files(folder, "tpch.lineitem")
    numbers = [int(number) for number in arguments.cases.split(",") if number]
    chosen = {case: setting for number, (case, setting) in enumerate(CASES.items(), 1) if not numbers or number in numbers}
    results, peak = {}, 0
    with contextlib.ExitStack() as stack:
        certificates = served.Certificates.make(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())))
        for tls in (False, True):
            cases = {case: setting for case, setting in chosen.items() if setting[3] == tls}
            if not cases:
                continue
            with contextlib.ExitStack() as servers:
                use = certificates if tls else None
                basin = servers.enter_context(served.basin(arguments.basin, folder, tls=use))
                memory = servers.enter_context(served.plain(files, tls=use))
                parquet = servers.enter_context(served.plain(files, tls=use, memory=False))
                for case, (columns, streams, compression, _) in cases.items():
                    results[case] = measured(case, columns, streams, compression, arguments.runs, basin, memory, parquet)
                peak = max(peak, basin.peak_mb())
    result = {"scale": arguments.scale, "runs": arguments.runs, "cases": results, "peak_mb": {"basin": peak}}
    save(arguments, arguments.name or f"stream-{arguments.scale:g}", result)
    print(text(result))


def measured(case, columns, streams, compression, runs, basin, memory, parquet):
    systems = {"basin": lambda: (basin, basin_endpoints(basin, columns, streams, compression))}
    if not compression:
        systems["pyarrow, memory"] = lambda: (memory, plain_endpoints(columns, streams))
        if streams == 1:
            systems["pyarrow, Parquet"] = lambda: (parquet, plain_endpoints(columns, streams))
    expected, found = None, {name: {"seconds": [], "gigabytes": 0.0} for name in systems}
    for turn in range(runs + 1):
        for name, ready in systems.items():
            note(f"{case}: {name}, run {turn} of {runs}")
            server, endpoints = ready()
            seconds, size, rows, total = fetch(server, endpoints, "l_orderkey" if turn == 0 else None)
            if turn == 0:
                expected = expected or (rows, total)
                if (rows, total) != expected:
                    sys.exit(f"{case}, {name}: {rows} rows that sum up to {total}, not {expected}, so no time")
                continue
            if rows != expected[0]:
                sys.exit(f"{case}, {name}: {rows} rows, not {expected[0]}, so no time")
            found[name]["seconds"].append(seconds)
            found[name]["gigabytes"] = size / 1e9
    return found


def rate(one) -> float:
    return one["gigabytes"] / statistics.median(one["seconds"])


def text(result) -> str:
    rows = []
    for case, systems in result["cases"].items():
        ours = rate(systems["basin"])
        for name, one in systems.items():
            share = "" if name == "basin" else f"{ours / rate(one):.2f}"
            rows.append([case, name, f"{one['gigabytes']:.2f}", f"{statistics.median(one['seconds']):.2f}", f"{rate(one):.2f}", share])
    rows.append(["peak memory of Basin's server", "", "", "", f"{result['peak_mb']['basin']:.0f} MB", ""])
    return table(["result", "system", "GB", "seconds", "GB/s", "Basin's rate / its rate"], rows)
