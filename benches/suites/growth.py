"""How time and memory grow: scale factor, files of a dataset, publications of a dataset, datasets of a catalog. Against itself.

Parts: scale (TPC-H at two scale factors), files (planning a point query with 10 and with 10,000 files), publications (the tenth and the
thousandth), catalog (opening one with many datasets and versions).
"""

import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from suites import served, store, tpch
from suites.figures import median_of, note, save, table
from suites.flightsql import client, connect, statement
from suites.workers import suite, together

PARTS = ["files", "publications", "catalog", "scale"]
MANIFEST = pathlib.Path(__file__).resolve().parent.parent / "growth.toml"
PROVIDER = "11999900MB0BENC00C"
READINGS = 100_000


def options(parser) -> None:
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--scales", default="1,10", help="a small and a large scale factor")
    parser.add_argument("--files", default="10,10000", help="a small and a large number of files")
    parser.add_argument("--publications", type=int, default=1000)
    parser.add_argument("--datasets", type=int, default=10_000)
    parser.add_argument("--versions-each", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--name", default="growth", help="of the result")


def run(arguments) -> None:
    measures = {"files": files, "publications": publications, "catalog": catalog, "scale": scale}
    parts = {}
    for part in arguments.parts.split(","):
        note(f"growth: {part}")
        parts[part] = measures[part](arguments)
    save(arguments, arguments.name, {"parts": parts})
    print(text({"parts": parts}))


def ratio(small: float, large: float) -> dict:
    return {"small": small, "large": large, "ratio": large / small}


def scale(arguments) -> dict:
    """Basin's total of the 22 queries, hot, at both scale factors."""
    totals = []
    for factor in map(float, arguments.scales.split(",")):
        folder = store.tpch(arguments, factor)
        queries = {f"Q{number}": store.tpch_query(number, factor) for number in range(1, 23)}
        with served.basin(arguments.basin, folder) as server, together({"basin": tpch.client(server)}, folder.parent / "peers.log") as workers:
            results = suite(workers, queries, arguments.runs)
        totals.append(sum(median_of(query["seconds"])["basin"] for query in results))
    return {"what": f"TPC-H in s, scale factors {arguments.scales}"} | ratio(*totals)


def defined(arguments, folder, name: str, code: str, partition: str) -> None:
    store.basin(arguments, folder, "org", "put", PROVIDER, "--name-en", "Benchmark bureau", "--name-zh", "基准测试局")
    with tempfile.TemporaryDirectory() as place:
        manifest = pathlib.Path(place) / "manifest.toml"
        manifest.write_text(MANIFEST.read_text().replace("NAME", name).replace("CODE", code).replace("PARTITION", partition))
        store.basin(arguments, folder, "dataset", "apply", manifest)


def pooled(arguments, folder, dataset: str, rows) -> float:
    """Pools rows; gives the seconds of the whole command."""
    with tempfile.TemporaryDirectory() as place:
        file = pathlib.Path(place) / "readings.csv"
        file.write_text("day,station,reading,value\n" + "".join(rows))
        started = time.perf_counter()
        store.basin(arguments, folder, "pool", dataset, file, "--provider", PROVIDER)
        return time.perf_counter() - started


def files(arguments) -> dict:
    """GetFlightInfo of a point query: planned, authorised, nothing read. And the whole query through ADBC."""
    folder = arguments.data / "growth-files"
    counts = [int(count) for count in arguments.files.split(",")]
    if not (folder / f"ready-{arguments.files}").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, count in enumerate(counts):
            defined(arguments, folder, f"files{number}", f"90000{number}", '"station"')
            rows = (f"2024-01-01,{reading % count},{reading},{reading / 7:.3f}\n" for reading in range(READINGS))
            pooled(arguments, folder, f"growth.files{number}", rows)
            if (found := len(store.files(folder, f"growth.files{number}"))) != count:
                sys.exit(f"growth.files{number} has {found} files, not {count}")
        store.basin(arguments, folder, "user", "add", store.USER)
        (folder / f"ready-{arguments.files}").touch()
    planning, whole = ([], []), ([], [])
    with served.basin(arguments.basin, folder) as server, connect(server) as connection:
        one, call = client(server)
        for turn in range(220):
            for number in (0, 1):
                sql = f"SELECT value FROM growth.files{number} WHERE station = 7 AND reading = {7 + turn * counts[number]}"
                started = time.perf_counter()
                one.get_flight_info(statement(sql), call)
                planned = time.perf_counter() - started
                with connection.cursor() as cursor:
                    started = time.perf_counter()
                    cursor.execute(sql)
                    rows = cursor.fetch_arrow_table().num_rows
                    asked = time.perf_counter() - started
                if rows != (7 + turn * counts[number] < READINGS):
                    sys.exit(f"{sql}: {rows} rows, so no time")
                if turn >= 20:
                    planning[number].append(planned * 1000)
                    whole[number].append(asked * 1000)
    return {"what": f"planning a point query in ms, {arguments.files} files", "whole_query": ratio(*map(statistics.median, whole)),
            } | ratio(*map(statistics.median, planning))


def publications(arguments) -> dict:
    """The whole command `basin pool` of one day, around the tenth and around the last."""
    with tempfile.TemporaryDirectory(dir=arguments.data) as place:
        folder = pathlib.Path(place) / "store"
        folder.mkdir()
        defined(arguments, folder, "published", "900010", "")
        seconds = []
        for number in range(arguments.publications):
            day = f"{2000 + number // 336}-{number % 336 // 28 + 1:02}-{number % 28 + 1:02}"
            rows = (f"{day},{reading % 50},{reading},{reading / 7:.3f}\n" for reading in range(1000))
            seconds.append(pooled(arguments, folder, "growth.published", rows))
            if number % 10 == 9:
                note(f"publication {number + 1} of {arguments.publications}: {seconds[-1] * 1000:.0f} ms")
        found = store.basin(arguments, folder, "sql", "SELECT count(*) FROM growth.published", "--format", "csv").split()[-1]
        if int(found) != 1000 * arguments.publications:
            sys.exit(f"growth.published has {found} rows, so no time")
    return {"what": f"a publication in s, the tenth and number {arguments.publications} (medians of 10 around)", "seconds": seconds,
            } | ratio(statistics.median(seconds[5:15]), statistics.median(seconds[-10:]))


def catalog(arguments) -> dict:
    """A command that opens the catalog and prints one dataset: time and peak memory of the process."""
    measures = []
    for datasets, versions in ((10, 1), (arguments.datasets, arguments.versions_each)):
        folder = arguments.data / f"growth-catalog-{datasets}-{versions}"
        if not (folder / "catalog").exists():
            subprocess.run([arguments.basin.parent / "bench-catalog", folder, str(datasets), str(versions)], check=True)
        runs = [opened(arguments, folder) for _ in range(arguments.runs)]
        measures.append([statistics.median(one) for one in zip(*runs)])
    (small_seconds, small_mb), (large_seconds, large_mb) = measures
    return {"what": f"opening a catalog in s, 10 datasets and {arguments.datasets} with {arguments.versions_each} versions each",
            "peak_mb": ratio(small_mb, large_mb)} | ratio(small_seconds, large_seconds)


def opened(arguments, folder) -> tuple[float, float]:
    import os

    started = time.perf_counter()
    process = subprocess.Popen([arguments.basin, "--store", folder, "dataset", "show", "many.d000007"], stdout=subprocess.PIPE)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode or b"many.d000007" not in said:
        sys.exit(f"basin dataset show failed ({process.returncode})")
    return seconds, usage.ru_maxrss / 1024


def text(result) -> str:
    rows = []
    for part in result["parts"].values():
        rows.append([part["what"], f"{part['small']:.3g}", f"{part['large']:.3g}", f"{part['ratio']:.2f}"])
        for key, name in (("whole_query", "… the whole query through ADBC, in ms"), ("peak_mb", "… peak memory of the process, in MB")):
            if key in part:
                more = part[key]
                rows.append([name, f"{more['small']:.3g}", f"{more['large']:.3g}", f"{more['ratio']:.2f}"])
    return table(["what grows", "small", "large", "ratio"], rows)
