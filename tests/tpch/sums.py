"""Makes sums.json: rows and sums of the columns of the 22 TPC-H queries by scale factor, with DuckDB.

    pip install duckdb==2.0.0 tpchgen-cli==4.0.0
    python sums.py 0.1 1 10

`basin bench run` checks its answers against them. A column without numbers is null; scales that are not named stay as they are.
"""

import decimal
import json
import pathlib
import subprocess
import sys
import sysconfig
import tempfile

import duckdb

HERE = pathlib.Path(__file__).parent
TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]


def total(values):
    numbers = [value for value in values if isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool)]
    if not numbers or len(numbers) < sum(value is not None for value in values):
        return None
    return float(sum(decimal.Decimal(number) for number in numbers))


def main() -> None:
    file = HERE / "sums.json"
    sums = json.loads(file.read_text()) if file.exists() else {}
    generator = pathlib.Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    for scale in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([generator, "parquet", "-s", scale, "--output-dir", folder], check=True)
            database = duckdb.connect()
            database.execute("CREATE SCHEMA tpch")
            for table in TABLES:
                database.execute(f"CREATE VIEW tpch.{table} AS SELECT * FROM '{folder}/{table}.parquet'")
            figures = {}
            for number in range(1, 23):
                sql = (HERE / f"queries/q{number:02}.sql").read_text(encoding="utf-8")
                if number == 11:
                    sql = sql.replace(" 0.001\n", f" {0.0001 / float(scale):.12f}\n")
                result = database.execute(sql)
                columns = list(zip(*result.fetchall())) or [()] * len(result.description)
                figures[str(number)] = {"rows": len(columns[0]), "sums": [total(column) for column in columns]}
                print(scale, number, figures[str(number)]["rows"], "rows", file=sys.stderr)
            sums[scale] = figures
    lines = [
        json.dumps(scale) + ": {\n" + ",\n".join(f"{json.dumps(number)}: {json.dumps(one)}" for number, one in figures.items()) + "\n}"
        for scale, figures in sorted(sums.items(), key=lambda pair: float(pair[0]))
    ]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
