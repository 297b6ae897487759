"""What SQL Lab shows of a value, read back into what `canonical` of the SQLAlchemy client takes."""

import ast
import datetime
import json
import re

import pandas

DURATION = re.compile(r"(-?)(\d+) days (\d+):(\d+):(\d+(?:\.\d+)?)")
OFFSET = re.compile(r"(\w+)=(-?\d+)")


def read(type_name: str, value: object) -> object:
    """The value that the text or number shown stands for."""
    if value is None:
        return None
    kind = type_name.partition("(")[0]
    if kind in ("Date32", "Date64"):
        return datetime.datetime.fromisoformat(value)
    if kind == "Timestamp":
        return moment(value)
    if kind in ("Time32", "Time64"):
        return datetime.time.fromisoformat(value)
    if kind == "Duration":
        return value if isinstance(value, int) else duration(value)
    if kind == "Interval":
        return pandas.DateOffset(**{name: int(number) for name, number in OFFSET.findall(value)})
    if kind == "Struct":
        return ast.literal_eval(value)
    if kind in ("List", "LargeList", "FixedSizeList", "Map"):
        return json.loads(value)
    if kind in ("Float16", "Float32", "Float64"):
        return float(value)
    return value


def moment(value: object) -> object:
    """A moment with a zone is shown with it; one in nanoseconds without a zone as their number."""
    if isinstance(value, int) or value.lstrip("-").isdigit():
        return int(value)
    # pandas has nanoseconds, datetime has the years 1 and 9999.
    return pandas.Timestamp(value) if "+" in value else datetime.datetime.fromisoformat(value)


def duration(value: str) -> datetime.timedelta:
    """Superset writes the sign before the whole: `-0 days 00:00:01`."""
    sign, days, hours, minutes, seconds = DURATION.fullmatch(value).groups()
    length = datetime.timedelta(int(days), float(seconds), 0, 0, int(minutes), int(hours))
    return -length if sign else length
