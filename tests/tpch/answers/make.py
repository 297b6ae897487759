"""Makes the expected answers of the 22 TPC-H queries at scale factor 0.1, with DuckDB.

    pip install duckdb==2.0.0 tpchgen-cli==4.0.0
    python make.py

The tables come from the generator that the test uses too (tpchgen, the same output as dbgen);
the answers come from DuckDB alone, so Basin is compared with another engine. NULL is written as NULL.
"""

import csv
import pathlib
import subprocess
import sys
import sysconfig
import tempfile

import duckdb

HERE = pathlib.Path(__file__).parent
TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]


def main() -> None:
    generator = pathlib.Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([generator, "parquet", "-s", "0.1", "--output-dir", folder], check=True)
        database = duckdb.connect()
        database.execute("CREATE SCHEMA tpch")
        for table in TABLES:
            database.execute(f"CREATE TABLE tpch.{table} AS SELECT * FROM '{folder}/{table}.parquet'")
        for query in sorted(HERE.parent.glob("queries/q*.sql")):
            result = database.execute(query.read_text(encoding="utf-8"))
            names = [column[0] for column in result.description]
            rows = result.fetchall()
            with open(HERE / f"{query.stem}.csv", "w", encoding="utf-8", newline="") as answer:
                out = csv.writer(answer, lineterminator="\n")
                out.writerow(names)
                out.writerows([["NULL" if value is None else value for value in row] for row in rows])
            print(query.stem, len(rows), "rows", file=sys.stderr)


if __name__ == "__main__":
    main()
