"""types.json: each of its entries asked of a server, and Arrow values as its canonical text."""

import dataclasses
import datetime
import json
import re
from collections.abc import Callable

import numpy
import pyarrow as pa
from harness import Target

DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
EPOCH = datetime.datetime(1970, 1, 1)
PYARROW_INTERVALS = "pyarrow has no class for intervals of months or of days and milliseconds: no values"
# What pyarrow gives for types that it can't show: the number of the type.
PYARROW_LIMITS = {"Interval(YearMonth)": "KeyError(21)", "Interval(DayTime)": "KeyError(22)"}
MOMENT = re.compile(r"((?:\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d)(?:\.(\d+))?(Z?)")
DURATION = re.compile(r"(-?\d+)(s|ms|us|ns)")
Text = str | None | list["Text"] | dict[str, "Text"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A type, expressions of it, and what each must give."""

    type: str
    sql: list[str]
    text: list[Text]

    @property
    def question(self) -> str:
        """A query of the values and a last row of NULL."""
        cases = " ".join(f"WHEN {number} THEN {sql}" for number, sql in enumerate(self.sql, 1))
        numbers = ", ".join(f"({number})" for number in range(1, len(self.sql) + 2))
        return f"SELECT CASE n {cases} END AS v FROM (VALUES {numbers}) AS t(n) ORDER BY n"


def entries(target: Target) -> list[Entry]:
    return [Entry(**entry) for entry in json.loads(target.types.read_text(encoding="utf-8"))]


Ask = Callable[[Entry], list[Text]]
Same = Callable[[Entry, list[Text]], bool]


def compare(target: Target, ask: Ask, same: Same, limits: dict[str, str]) -> None:
    """Asks every entry; fails with all that were wrong. Of the types that the client can't show, `limits` has what it
    gives instead: it must give just that."""
    wrong = []
    for entry in entries(target):
        try:
            found: object = ask(entry)
        except Exception as error:  # an entry may fail in any way; the others are still asked
            found = error
        right = not isinstance(found, Exception) and same(entry, found)
        if entry.type in limits:
            if limits[entry.type] not in repr(found):
                wrong.append(f"{entry.type}: found {found!r}, the client's limit was {limits[entry.type]}")
        elif not right:
            wrong.append(f"{entry.type}: found {found!r}, expected {entry.text!r} and NULL")
    assert not wrong, "\n".join([f"{len(wrong)} types:", *wrong])


def values_are_right(entry: Entry, found: list[Text]) -> bool:
    """Compares all rows but the last, which is NULL; floats as numbers of their width."""
    kind = {"Float16": numpy.float32, "Float32": numpy.float32, "Float64": numpy.float64}.get(entry.type)
    if kind is None or len(found) != len(entry.text) + 1:
        return found[:-1] == entry.text
    pairs = [(kind(one), kind(other)) for one, other in zip(found[:-1], entry.text, strict=True)]
    return all(one == other or (numpy.isnan(one) and numpy.isnan(other)) for one, other in pairs)


def null_is_last(entry: Entry, found: list[Text]) -> bool:
    return len(found) == len(entry.text) + 1 and found[-1] is None and None not in found[:-1]


def texts(column: pa.ChunkedArray) -> list[Text]:
    return [text(value) for chunk in column.chunks for value in chunk]


def text(value: pa.Scalar) -> Text:
    """The canonical text of a value; from the value as Arrow has it, so that nanoseconds survive."""
    kind = value.type
    if not value.is_valid:
        return None
    if pa.types.is_map(kind):
        return [[text(pair["key"]), text(pair["value"])] for pair in value.values]
    if pa.types.is_struct(kind):
        return {name: text(value[name]) for name in kind.names}
    if pa.types.is_nested(kind):
        return [text(item) for item in value.values]
    if pa.types.is_boolean(kind):
        return str(value.as_py()).lower()
    if pa.types.is_decimal(kind):
        return f"{value.as_py():f}"
    if pa.types.is_interval(kind):
        return ",".join(map(str, value.as_py()))
    if pa.types.is_date(kind):
        days = value.value if pa.types.is_date32(kind) else value.value // 86_400_000
        return moment(days * 86_400, "s").partition("T")[0]
    if pa.types.is_time(kind):
        return moment(value.value, kind.unit).partition("T")[2]
    if pa.types.is_timestamp(kind):
        return moment(value.value, kind.unit) + ("Z" if kind.tz else "")
    if pa.types.is_duration(kind):
        return f"{value.value}{kind.unit}"
    python = value.as_py()
    return python.hex() if isinstance(python, bytes) else str(python)


def moment(count: int, unit: str) -> str:
    """A date and time from its distance to 1970, with as many digits of a second as the unit has."""
    digits = DIGITS[unit]
    seconds, fraction = divmod(count, 10**digits)
    whole = (EPOCH + datetime.timedelta(seconds=seconds)).isoformat()
    return f"{whole}.{fraction:0{digits}}" if digits else whole


def padded(found: Text) -> Text:
    """A moment with nine digits of a second, a duration in nanoseconds: for clients that have a unit of their own."""
    if not isinstance(found, str):
        return found
    if parts := MOMENT.fullmatch(found):
        return f"{parts[1]}.{parts[2] or '':0<9}{parts[3]}"
    if parts := DURATION.fullmatch(found):
        return f"{int(parts[1]) * 10 ** (9 - DIGITS[parts[2]])}ns"
    return found


def padded_values_are_right(entry: Entry, found: list[Text]) -> bool:
    padded_entry = dataclasses.replace(entry, text=[padded(one) for one in entry.text])
    return values_are_right(padded_entry, [padded(one) for one in found])
