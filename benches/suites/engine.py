"""An engine in a process of its own, so that its memory is its own: reads requests, one JSON document a line, and answers them.

    python -m suites.engine duckdb JSON

Started by `workers.py`. A time is from the statement to the last row as Arrow, inside this process.
"""

import json
import os
import sys
import time

import pyarrow as pa

from suites.served import peak_mb


class DuckDb:
    """DuckDB in process, on the same Parquet files; with `native` on tables of its own format, made before anything is timed."""

    def __init__(self, schema, tables, native=None, memory=None, **_):
        import duckdb

        self.database = duckdb.connect(native or ":memory:")
        self.database.execute(f"SET threads = {os.cpu_count()}")
        if memory:
            self.database.execute(f"SET memory_limit = '{memory}'")
        self.database.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        kind = "TABLE IF NOT EXISTS" if native else "VIEW"
        self.database.execute(f"USE {schema}")
        for name, folder in tables.items():
            self.database.execute(f"CREATE {kind} {schema}.{name} AS SELECT * FROM '{folder}/*.parquet'")

    def run(self, sql):
        return self.database.sql(sql).to_arrow_table()


class DataFusion:
    """The DataFusion wheel in process, on the same Parquet files."""

    def __init__(self, schema, tables, **_):
        import datafusion

        self.context = datafusion.SessionContext(datafusion.SessionConfig().with_default_catalog_and_schema("datafusion", schema))
        self.context.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}").collect()
        for name, folder in tables.items():
            self.context.sql(
                f"CREATE EXTERNAL TABLE {schema}.{name} STORED AS PARQUET LOCATION '{folder}/'").collect()

    def run(self, sql):
        return self.context.sql(sql).to_arrow_table()


class Polars:
    """Polars' SQL in process, on the same Parquet files."""

    def __init__(self, schema, tables, **_):
        import polars

        self.context = polars.SQLContext()
        self.schema = schema
        for name, folder in tables.items():
            self.context.register(name, polars.scan_parquet(f"{folder}/*.parquet"))

    def run(self, sql):
        return self.context.execute(sql.replace(f"{self.schema}.", ""), eager=True).to_arrow()


class FlightSql:
    """A Flight SQL server through ADBC."""

    def __init__(self, uri, options, **_):
        import adbc_driver_flightsql.dbapi as flightsql

        self.connection = flightsql.connect(uri, db_kwargs=options, autocommit=True)

    def run(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()


ENGINES = {"duckdb": DuckDb, "datafusion": DataFusion, "polars": Polars, "flightsql": FlightSql}


def answer(engine, request):
    started = time.perf_counter()
    try:
        table = engine.run(request["sql"])
    except Exception as error:  # noqa: BLE001 - whatever it is, the suite tells it
        return {"error": f"{type(error).__name__}: {error}"[:500]}
    seconds = time.perf_counter() - started
    if request.get("save"):
        with pa.ipc.new_file(request["save"], table.schema) as out:
            out.write_table(table)
    return {"seconds": seconds, "rows": table.num_rows}


def main() -> None:
    engine = ENGINES[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        said = {"peak_mb": peak_mb(os.getpid())} if "peak" in request else answer(engine, request)
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
