"""Every Arrow type that SQL gives, as SQL Lab shows it."""

import json
import os
import pathlib

import canonical
import shown
import stage
from report import check, detail
from rest import Refused

TYPES = json.loads(pathlib.Path(os.environ["BASIN_TYPES"]).read_text(encoding="utf-8"))

# What Superset or its driver can't carry: the type, what its error says, and why.
LIMITS = {
    "UInt8": ("UTINYINT", "sqlglot writes TINYINT UNSIGNED as UTINYINT; arrow_cast(…, 'UInt8') passes"),
    "UInt16": ("USMALLINT", "sqlglot writes SMALLINT UNSIGNED as USMALLINT; arrow_cast(…, 'UInt16') passes"),
    "UInt32": ("UINT", "sqlglot writes INT UNSIGNED as UINT; arrow_cast(…, 'UInt32') passes"),
    "UInt64": ("UBIGINT", "sqlglot writes BIGINT UNSIGNED as UBIGINT; arrow_cast(…, 'UInt64') passes up to 2^63"),
    "Binary": ("Error parsing", "sqlglot's generic dialect has no X'…'"),
    "LargeBinary": ("Error parsing", "sqlglot's generic dialect has no X'…'"),
    "BinaryView": ("Error parsing", "sqlglot's generic dialect has no X'…'"),
    "FixedSizeBinary(4)": ("Error parsing", "sqlglot's generic dialect has no X'…'"),
    "Time64(ns)": ("has non-zero nanoseconds", "a pandas column of times has datetime.time, without nanoseconds"),
    "Interval(YearMonth)": ("month_interval", "pyarrow makes no pandas column of it"),
    "Interval(DayTime)": ("day_time_interval", "pyarrow makes no pandas column of it"),
}


def statement(entry: dict, with_null: bool) -> str:
    cases = " ".join(f"WHEN {number} THEN {sql}" for number, sql in enumerate(entry["sql"], 1))
    numbers = ", ".join(f"({number})" for number in range(1, len(entry["sql"]) + with_null + 1))
    return f"SELECT CASE n {cases} END AS v FROM (VALUES {numbers}) AS t(n) ORDER BY n"


def same(name: str, value: object, expected: object) -> bool:
    """Superset's JSON has decimals as floats, and null for what JSON has no number for."""
    if name.startswith("Float") and value is None:
        return expected in (None, "NaN", "Infinity", "-Infinity")
    if name.startswith("Decimal") and value is not None and expected is not None:
        return float(value) == float(expected)
    return canonical.same(name, canonical.text(name, shown.read(name, value)), expected)


def compare(entry: dict, with_null: bool) -> list[str]:
    """What is wrong with a type."""
    name = entry["type"]
    limit = LIMITS.get(name)
    try:
        found = [row["v"] for row in stage.sql(statement(entry, with_null))["data"]]
    except Refused as error:
        if limit and limit[0] in error.body:
            detail(f"Superset can't carry {name}: {limit[1]}")
            return []
        return [f"{name}: {error}"]
    if limit:
        return [f"{name}: Superset carries it now ({found!r}): take it off the table of limits"]
    pairs = zip(found, entry["text"] + [None] * with_null, strict=True)
    return [f"{name}: found {one!r}, expected {other!r}" for one, other in pairs if not same(name, one, other)]


def compare_all(with_null: bool) -> None:
    faults = [fault for entry in TYPES for fault in compare(entry, with_null)]
    assert not faults, "\n".join(faults)
    detail(f"{len(TYPES) - len(LIMITS)} of {len(TYPES)} types; decimals as floats, NaN and infinities as null")


@check("types")
def every_type_is_shown() -> None:
    compare_all(with_null=False)


@check("nulls")
def every_type_is_shown_with_null() -> None:
    compare_all(with_null=True)


@check("types")
def unsigned_numbers_are_shown() -> None:
    """By the name of their type: see the table of limits."""
    greatest = {"UInt8": 255, "UInt16": 65_535, "UInt32": 4_294_967_295, "UInt64": 2**63 - 1}
    for name, value in greatest.items():
        [row] = stage.sql(f"SELECT arrow_cast({value}, '{name}') AS v")["data"]
        assert int(row["v"]) == value, row
