"""Stores with the data of the suites, made once and kept; the Parquet files that are their newest version."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from suites.figures import note

TABLES = ["region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem"]
#: Who provides what the suites make.
PROVIDER = "11999900MB0BENC00C"
USER, PASSWORD = "suite", "a suite needs a password"
QUERIES = pathlib.Path(__file__).resolve().parents[2] / "tests/tpch/queries"


def basin(arguments, store: pathlib.Path, *words) -> str:
    """Runs a command on a store to its end."""
    ended = subprocess.run([arguments.basin, "--store", store, *words], capture_output=True, text=True,
                           env=os.environ | {"BASIN_PASSWORD": PASSWORD})
    if ended.returncode != 0:
        sys.exit(f"basin {' '.join(map(str, words))} failed ({ended.returncode}): {ended.stderr[-2000:]}")
    return ended.stdout


def manifest(name: str, resource: str, title: dict, abstract: dict, key: list, sort: list, items: list) -> str:
    """The manifest of a dataset that is delivered as Parquet with columns of the items' names; items are names and types."""
    words = lambda text: ", ".join(f'{language} = "{one}"' for language, one in text.items())  # noqa: E731
    columns = "".join(f'{item} = "{item}"\n' for item, _ in items)
    described = "".join(
        f'\n[[items]]\nname = "{item}"\ntype = "{kind}"\nlabel = {{ en = "{item.replace("_", " ")}" }}\n'
        + ('nullable = false\nrole = "key"\n' if item in key else "") for item, kind in items)
    return f"""
[dataset]
name = "{name}"
resource_code = "{resource}"
title = {{ {words(title)} }}
abstract = {{ {words(abstract)} }}
provider = "{PROVIDER}"
formats = ["parquet"]
share_type = "unconditional"
share_modes = ["query"]
open_type = "open"
update_cycle = "day"
issued = 2024-01-01
grade = "general-1"
licence = "CC0-1.0"

[layout]
key = {json.dumps(key)}
sort = {json.dumps(sort)}
partition = []
slice = []

[pooling]
max_rejected_share = 0.0
on_duplicate = "refuse"

[[delivery]]
kind = "parquet"
files = '\\.parquet$'
format = {{ type = "parquet" }}

[delivery.columns]
{columns}{described}"""


def tpch(arguments, scale: float) -> pathlib.Path:
    """A store with TPC-H at a scale factor and the user that the suites sign in as."""
    store = arguments.data / f"tpch-{scale:g}"
    if (store / "ready").exists():
        return store
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    note(f"loading TPC-H at scale factor {scale:g}")
    basin(arguments, store, "bench", "load", "--scale", f"{scale:g}")
    basin(arguments, store, "user", "add", USER)
    (store / "ready").touch()
    return store


def tpch_query(number: int, scale: float) -> str:
    sql = (QUERIES / f"q{number:02}.sql").read_text(encoding="utf-8")
    return sql.replace(" 0.001\n", f" {0.0001 / scale:.12f}\n") if number == 11 else sql


def files(store: pathlib.Path, dataset: str) -> list[str]:
    """The Parquet files of a dataset's newest version."""
    import deltalake

    table = deltalake.DeltaTable(str(store / "data" / dataset.replace(".", "/")))
    return sorted(uri.removeprefix("file://") for uri in table.file_uris())


def linked(store: pathlib.Path, schema: str, tables: list[str]) -> pathlib.Path:
    """A folder with one folder a table that holds the newest version's files and nothing else: links, no copies."""
    folder = store / "links" / schema
    shutil.rmtree(folder, ignore_errors=True)
    for table in tables:
        (folder / table).mkdir(parents=True)
        for number, file in enumerate(files(store, f"{schema}.{table}")):
            os.link(file, folder / table / f"{number:05}.parquet")
    return folder
