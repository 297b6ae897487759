"""Whether two answers are the same: rows in any order, numbers within what a float of them loses."""

import decimal
import math

ABSOLUTE, RELATIVE = 1e-4, 1e-9


def plain(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, str):
        return value.rstrip()
    return value


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def key(row):
    """What isn't a number first, so that rows stand in the same order although their numbers differ a little."""
    exact = [str(value) for value in row if not is_number(value)]
    numbers = [round(float(value), 3) for value in row if is_number(value) and not math.isnan(value)]
    return exact, numbers


def rows_of(table, columns=None):
    names = range(table.num_columns) if columns is None else columns
    values = [[plain(value) for value in table.column(name).to_pylist()] for name in names]
    return sorted(zip(*values), key=key)


def difference(found, expected, columns=None) -> str | None:
    """Says how two Arrow tables differ, in all columns or in those whose positions are given; nothing when they don't."""
    if found.num_rows != expected.num_rows:
        return f"{found.num_rows} rows, not {expected.num_rows}"
    if found.num_columns != expected.num_columns:
        return f"{found.num_columns} columns, not {expected.num_columns}"
    for number, (one, other) in enumerate(zip(rows_of(found, columns), rows_of(expected, columns))):
        for value, wanted in zip(one, other):
            if not same(value, wanted):
                return f"row {number}: {value!r}, not {wanted!r}"
    return None


def same(value, wanted) -> bool:
    if is_number(value) and is_number(wanted):
        return value == wanted or abs(value - wanted) <= ABSOLUTE + RELATIVE * abs(wanted)
    return value == wanted or str(value) == str(wanted)
