"""Every Arrow type that SQL gives, through pandas as flightsql-dbapi reads it, with and without NULL."""

import canonical
import target
from report import check, detail

# What the client can't carry: the type, what pyarrow says of it, and why.
LIMITS = {
    "Time64(ns)": ("has non-zero nanoseconds", "a pandas column of times has datetime.time, without nanoseconds"),
    "Interval(YearMonth)": ("month_interval", "pyarrow makes no pandas column of it"),
    "Interval(DayTime)": ("day_time_interval", "pyarrow makes no pandas column of it"),
}
# NULL in a column of floats is NaN in pandas, and `values.tolist()` keeps it so: the client doesn't tell them apart.
NAN_IS_NULL = ("Float16", "Float32", "Float64")


def statement(entry: dict, with_null: bool) -> str:
    cases = " ".join(f"WHEN {number} THEN {sql}" for number, sql in enumerate(entry["sql"], 1))
    count = len(entry["sql"]) + with_null
    numbers = ", ".join(f"({number})" for number in range(1, count + 1))
    return f"SELECT CASE n {cases} END AS v FROM (VALUES {numbers}) AS t(n) ORDER BY n"


def compare(entry: dict, with_null: bool) -> list[str]:
    """What is wrong with a type."""
    name = entry["type"]
    limit = LIMITS.get(name)
    try:
        found = [value for (value,) in target.rows(statement(entry, with_null))]
    except Exception as error:  # whatever the client raises is reported with its type's name
        if limit and limit[0] in str(error):
            detail(f"the client can't carry {name}: {limit[1]}")
            return []
        return [f"{name}: {type(error).__name__}: {error}"]
    if limit:
        return [f"{name}: the client carries it now ({found!r}): take it off the table of limits"]
    expected = entry["text"] + [None] * with_null
    texts = [canonical.text(name, value) for value in found]
    if with_null and name in NAN_IS_NULL and texts[-1] == "NaN":
        detail(f"the client gives NULL of {name} as NaN")
        texts[-1] = None
    pairs = zip(texts, expected, strict=True)
    return [
        f"{name}: found {one!r}, expected {other!r}" for one, other in pairs if not canonical.same(name, one, other)
    ]


def compare_all(with_null: bool) -> None:
    faults = [fault for entry in target.TYPES for fault in compare(entry, with_null)]
    assert not faults, "\n".join(faults)
    detail(f"{len(target.TYPES) - len(LIMITS)} of {len(target.TYPES)} types")


@check("types")
def every_type_arrives() -> None:
    compare_all(with_null=False)


@check("nulls")
def every_type_arrives_with_null() -> None:
    compare_all(with_null=True)


@check("types")
def several_types_arrive_side_by_side() -> None:
    """A result of numbers alone becomes one array of floats in the client; beside a text each stays as it is."""
    [row] = target.rows("SELECT '浙江' AS t, 9007199254740993 AS i, CAST(0.5 AS DOUBLE) AS f, true AS b")
    assert row == ["浙江", 9007199254740993, 0.5, True], row
    [row] = target.rows("SELECT 9007199254740993 AS i, CAST(0.5 AS DOUBLE) AS f")
    assert row == [9007199254740992.0, 0.5], row
    detail("the client turns results of numbers only into floats: 9007199254740993 arrives as 9007199254740992.0")
