"""43 queries shaped after ClickBench's on a synthetic `hits` of 105 columns: Basin through Flight SQL against DuckDB on the same Parquet files.

The rows come from a seed and are pooled like any delivery, sorted by site and time; see `hits.py`.
"""

import shutil
import tempfile

from suites import hits, store, tpch
from suites.figures import note, save
from suites.workers import settings

text = tpch.text


def options(parser) -> None:
    parser.add_argument("--rows", type=int, default=10_000_000)
    tpch.side_by_side(parser, 43, "clickbench-ROWS")


def pooled(arguments):
    """A store with the table and the user that the suites sign in as."""
    folder = arguments.data / f"hits-{arguments.rows}"
    if (folder / "ready").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store.basin(arguments, folder, "org", "put", store.PROVIDER, "--name-en", "Benchmark bureau", "--name-zh", "基准测试局")
    with tempfile.TemporaryDirectory(dir=arguments.data) as place:
        manifest, file = (f"{place}/{name}" for name in ("hits.toml", "hits.parquet"))
        with open(manifest, "w", encoding="utf-8") as out:
            out.write(hits.manifest(arguments.rows))
        store.basin(arguments, folder, "dataset", "apply", manifest)
        note(f"making {arguments.rows} page views")
        hits.generate(file, arguments.rows)
        note(f"pooling {arguments.rows} page views")
        store.basin(arguments, folder, "pool", "bench.hits", file, "--provider", store.PROVIDER, "--memory", "2GiB")
    store.basin(arguments, folder, "user", "add", store.USER)
    (folder / "ready").touch()
    return folder


def run(arguments) -> None:
    folder = pooled(arguments)
    links = store.linked(folder, "bench", ["hits"])
    wanted = {f"Q{number}" for number in arguments.queries.split(",") if number}
    listed = {name: query for name, query in hits.queries().items() if not wanted or name in wanted}
    names = [name for name in arguments.peers.split(",") if name]
    peers = {name: settings(name, "bench", {"hits": str(links / "hits")}, folder / "duckdb-native.db") for name in names}
    queries = {name: sql for name, (sql, _) in listed.items()}
    results, peaks = tpch.hot(arguments, folder, queries, peers, columns=lambda query: listed[query][1])
    result = {"rows": arguments.rows, "runs": arguments.runs, "reference": names[-1] if names else None,
              "queries": results, "peak_mb": peaks}
    save(arguments, arguments.name or f"clickbench-{arguments.rows}", result)
    print(text(result))
