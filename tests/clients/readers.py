"""The tables are plain Delta Lake: deltalake, Polars and DuckDB read the store without Basin.

Each dataset's current version must have the same rows and the same sums through each reader and through SQL.
"""

import subprocess
import time

import deltalake
import duckdb
import polars
import pyarrow.compute as compute
from adbc import ask
from harness import Target, check, equal, main

# dataset, a measure, a text item
DATASETS = [
    ("health.national", "confirmed", "country"),
    ("health.provincial", "confirmed", "province"),
    ("health.city", "confirmed", "city"),
    ("paper.daily", "new_confirmed", "place"),
    ("jhu.series", "dead", "country"),
    ("ref.population", "population", "place"),
]


def through_sql(target: Target, dataset: str, measure: str, text: str) -> tuple[int, int, int]:
    [row] = ask(target, f"SELECT count(*), sum({measure}), count(DISTINCT {text}) FROM {dataset}")
    return tuple(map(int, row))


def table_of(target: Target, dataset: str) -> deltalake.DeltaTable:
    """The current version of the dataset's table."""
    schema, name = dataset.split(".")
    return deltalake.DeltaTable(str(target.store / "data" / schema / name))


def files_of(target: Target, dataset: str) -> list[str]:
    return [path.removeprefix("file://") for path in table_of(target, dataset).file_uris()]


@check("-")
def deltalake_reads_the_same(target: Target) -> None:
    for dataset, measure, text in DATASETS:
        table = table_of(target, dataset).to_pyarrow_table()
        found = (
            table.num_rows,
            compute.sum(table[measure]).as_py(),
            compute.count_distinct(table[text]).as_py(),
        )
        equal((dataset, found), (dataset, through_sql(target, dataset, measure, text)))


@check("-")
def polars_reads_the_same(target: Target) -> None:
    for dataset, measure, text in DATASETS:
        frame = polars.scan_delta(table_of(target, dataset)).select(
            polars.len(), polars.col(measure).sum().alias("sum"), polars.col(text).n_unique().alias("texts")
        )
        found = tuple(map(int, frame.collect().row(0)))
        equal((dataset, found), (dataset, through_sql(target, dataset, measure, text)))


@check("-")
def duckdb_reads_the_same(target: Target) -> None:
    for dataset, measure, text in DATASETS:
        found = duckdb.execute(
            f"SELECT count(*), sum({measure}), count(DISTINCT {text}) FROM read_parquet(?)", [files_of(target, dataset)]
        ).fetchone()
        equal((dataset, tuple(map(int, found))), (dataset, through_sql(target, dataset, measure, text)))


@check("-")
def parquet_files_are_as_readers_want_them(target: Target) -> None:
    for dataset, _, _ in DATASETS:
        [(codecs, groups)] = duckdb.execute(
            "SELECT list(DISTINCT compression), count(DISTINCT (file_name, row_group_id)) FROM parquet_metadata(?)",
            [files_of(target, dataset)],
        ).fetchall()
        equal((dataset, codecs), (dataset, ["ZSTD"]))
        assert groups >= 1


@check("-")
def the_audit_is_a_table_too(target: Target) -> None:
    ask(target, "SELECT count(*) AS read_by_others FROM health.city")
    time.sleep(3)  # How a query ended is stored within two seconds, and only what has ended is rolled.
    subprocess.run([target.program, "--store", target.store, "audit", "roll"], check=True, capture_output=True)
    files = "SELECT sql, output_columns, day FROM read_parquet(?, hive_partitioning = true)"
    table = deltalake.DeltaTable(str(target.store / "audit"))
    found = duckdb.execute(
        f"SELECT count(*) FROM ({files}) WHERE sql LIKE '%read_by_others%'",
        [[path.removeprefix("file://") for path in table.file_uris()]],
    ).fetchone()
    equal(found, (1,))
    frame = polars.scan_delta(table).filter(polars.col("sql").str.contains("read_by_others"))
    equal(frame.select("datasets").collect().to_series().to_list(), ["health.city"])


if __name__ == "__main__":
    main(f"deltalake {deltalake.__version__}, Polars {polars.__version__}, DuckDB {duckdb.__version__}")
