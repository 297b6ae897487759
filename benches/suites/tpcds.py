"""TPC-DS: 99 queries through Flight SQL, every row fetched by ADBC, against engines in process on the same Parquet files.

Rows and queries are those of DuckDB's generator, which runs in an environment of its own (it is not made for the newest DuckDB). The rows
are pooled like any delivery, fact tables sorted by their day. Each query is checked against DuckDB's answer before it is timed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import venv

from suites import store, tpch
from suites.figures import note, save
from suites.workers import settings

SCHEMA = "tpcds"
#: What names a row, and what rows are sorted by where it isn't that.
TABLES = {
    "call_center": ("cc_call_center_sk", ""), "catalog_page": ("cp_catalog_page_sk", ""),
    "catalog_returns": ("cr_item_sk cr_order_number", "cr_returned_date_sk"),
    "catalog_sales": ("cs_item_sk cs_order_number", "cs_sold_date_sk"),
    "customer": ("c_customer_sk", ""), "customer_address": ("ca_address_sk", ""), "customer_demographics": ("cd_demo_sk", ""),
    "date_dim": ("d_date_sk", ""), "household_demographics": ("hd_demo_sk", ""), "income_band": ("ib_income_band_sk", ""),
    "inventory": ("inv_date_sk inv_item_sk inv_warehouse_sk", ""), "item": ("i_item_sk", ""), "promotion": ("p_promo_sk", ""),
    "reason": ("r_reason_sk", ""), "ship_mode": ("sm_ship_mode_sk", ""), "store": ("s_store_sk", ""),
    "store_returns": ("sr_item_sk sr_ticket_number", "sr_returned_date_sk"),
    "store_sales": ("ss_item_sk ss_ticket_number", "ss_sold_date_sk"),
    "time_dim": ("t_time_sk", ""), "warehouse": ("w_warehouse_sk", ""), "web_page": ("wp_web_page_sk", ""),
    "web_returns": ("wr_item_sk wr_order_number", "wr_returned_date_sk"),
    "web_sales": ("ws_item_sk ws_order_number", "ws_sold_date_sk"), "web_site": ("web_site_sk", ""),
}
TYPES = {"INTEGER": "int32", "BIGINT": "int64", "VARCHAR": "text", "DATE": "date"}
GENERATE = """
import json, sys
import duckdb, duckdb_extensions
folder, scale = sys.argv[1], float(sys.argv[2])
duckdb_extensions.import_extension("tpcds")
database = duckdb.connect()
database.load_extension("tpcds")
database.execute(f"CALL dsdgen(sf={scale})")
tables = {}
for name, in database.sql("SELECT table_name FROM duckdb_tables()").fetchall():
    tables[name] = [row[:2] for row in database.sql(f"DESCRIBE {name}").fetchall()]
    database.execute(f"COPY {name} TO '{folder}/{name}.parquet' (FORMAT parquet)")
queries = dict(database.sql("SELECT query_nr, query FROM tpcds_queries()").fetchall())
json.dump({"tables": tables, "queries": queries}, open(f"{folder}/made.json", "w"))
"""

text = tpch.text


def options(parser) -> None:
    parser.add_argument("--scale", type=float, default=1)
    tpch.side_by_side(parser, 99, "tpcds-SCALE")


def manifest(number: int, table: str, columns: list) -> str:
    key, sort = (names.split() for names in TABLES[table])
    title = table.replace("_", " ")
    title = {"zh": f"{title}（基准测试）", "en": f"{title} (TPC-DS)"}
    abstract = {"zh": "用于基准测试的合成数据。", "en": "Synthetic rows of TPC-DS."}
    items = [(name, TYPES.get(kind) or kind.lower()) for name, kind in columns]
    return store.manifest(f"{SCHEMA}.{table}", f"306001/9002{number:02}", title, abstract, key, sort + key, items)


def generator() -> pathlib.Path:
    """The Python that has DuckDB's generator: beside the environment of the suites."""
    pins = pathlib.Path(__file__).resolve().parent.parent / "tpcds-requirements.txt"
    folder = pathlib.Path(sys.prefix).parent / "tpcds-generator"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists() or ready.read_text() != pins.read_text():
        note("installing the generator")
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins], check=True)
        ready.write_text(pins.read_text())
    return python


def pooled(arguments) -> pathlib.Path:
    """A store with the tables and the user that the suites sign in as; the queries lie beside it."""
    folder = arguments.data / f"tpcds-{arguments.scale:g}"
    if (folder / "ready").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store.basin(arguments, folder, "org", "put", store.PROVIDER, "--name-en", "Benchmark bureau", "--name-zh", "基准测试局")
    with tempfile.TemporaryDirectory(dir=arguments.data) as place:
        note(f"making TPC-DS at scale factor {arguments.scale:g}")
        subprocess.run([generator(), "-c", GENERATE, place, str(arguments.scale)], check=True)
        made = json.loads(pathlib.Path(place, "made.json").read_text())
        for number, (table, columns) in enumerate(made["tables"].items()):
            note(f"pooling {table}")
            definition = pathlib.Path(place, f"{table}.toml")
            definition.write_text(manifest(number, table, columns), encoding="utf-8")
            store.basin(arguments, folder, "dataset", "apply", definition)
            file = os.path.join(place, f"{table}.parquet")
            store.basin(arguments, folder, "pool", f"{SCHEMA}.{table}", file, "--provider", store.PROVIDER, "--memory", "2GiB")
        (folder / "queries.json").write_text(json.dumps(made["queries"]))
    store.basin(arguments, folder, "user", "add", store.USER)
    (folder / "ready").touch()
    return folder


def run(arguments) -> None:
    folder = pooled(arguments)
    links = store.linked(folder, SCHEMA, list(TABLES))
    tables = {name: str(links / name) for name in TABLES}
    wanted = {number for number in arguments.queries.split(",") if number}
    texts = json.loads((folder / "queries.json").read_text())
    queries = {f"Q{number}": sql.strip().rstrip(";") for number, sql in texts.items() if not wanted or number in wanted}
    names = [name for name in arguments.peers.split(",") if name]
    peers = {name: settings(name, SCHEMA, tables, folder / "duckdb-native.db") for name in names}
    results, peaks = tpch.hot(arguments, folder, queries, peers, {"x-basin-schema": SCHEMA})
    result = {"scale": arguments.scale, "runs": arguments.runs, "reference": names[-1] if names else None,
              "queries": results, "peak_mb": peaks}
    save(arguments, arguments.name or f"tpcds-{arguments.scale:g}", result)
    print(text(result))
