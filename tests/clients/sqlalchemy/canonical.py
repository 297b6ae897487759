"""What flightsql-dbapi gives, as the canonical text of ../README.md.

The client reads each result through pandas: `DataFrame.values.tolist()`. So dates come as `datetime`, nanoseconds as
integers, NULL in a column of floats as NaN and in a column of moments with a zone as NaT.
"""

import datetime
import decimal
import math

import numpy
import pandas

DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1)


def is_null(type_name: str, value: object) -> bool:
    """Whether the client means NULL. NaN is NULL and NaN at once in a column of floats: see the table of limits."""
    return value is None or value is pandas.NaT


def text(type_name: str, value: object) -> object:
    """Canonical text of a value of one of the types of types.json."""
    if is_null(type_name, value):
        return None
    kind, _, inside = type_name.partition("(")
    unit = inside.rstrip(")").split(",")[0]
    if kind in ("Date32", "Date64"):
        return value.date().isoformat()
    if kind in ("Time32", "Time64"):
        return value.strftime("%H:%M:%S") + fraction(value.microsecond * 1000, unit)
    if kind == "Timestamp":
        return moment(value, unit)
    if kind == "Duration":
        return f"{duration(value) // NANOSECONDS[unit]}{unit}"
    if kind == "Interval":
        parts = value.kwds
        return f"{parts.get('months', 0)},{parts.get('days', 0)},{parts.get('nanoseconds', 0)}"
    if kind == "Map":
        return [[nested(key), nested(item)] for key, item in value]
    return nested(value)


def nested(value: object) -> object:
    """Canonical text of plain values, lists and structs."""
    if value is None:
        return None
    if isinstance(value, bool | numpy.bool_):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: nested(item) for name, item in value.items()}
    if isinstance(value, list | numpy.ndarray):
        return [nested(item) for item in value]
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value)
    return str(value)


def fraction(nanoseconds: int, unit: str) -> str:
    digits = DIGITS[unit]
    return f".{nanoseconds:09d}"[: digits + 1] if digits else ""


def moment(value: object, unit: str) -> str:
    nanoseconds = 0
    if isinstance(value, int):
        seconds, nanoseconds = divmod(value, 10**9)
        value = EPOCH + datetime.timedelta(seconds=seconds)
    elif isinstance(value, pandas.Timestamp):
        nanoseconds = value.microsecond * 1000 + value.nanosecond
    else:
        nanoseconds = value.microsecond * 1000
    zone = "" if value.tzinfo is None else "Z"
    if zone:
        value = value.astimezone(UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%S").zfill(19) + fraction(nanoseconds, unit) + zone


def duration(value: object) -> int:
    """The nanoseconds of a duration."""
    if isinstance(value, int):
        return value
    return (value.days * 86_400 + value.seconds) * 10**9 + value.microseconds * 1000


def same(type_name: str, found: object, expected: object) -> bool:
    """Whether two canonical texts are the same; floats are compared as numbers of their width."""
    if not type_name.startswith("Float") or found is None or expected is None:
        return found == expected
    width = numpy.float64 if type_name == "Float64" else numpy.float32
    return numpy.array_equal(width(found), width(expected), equal_nan=True)
