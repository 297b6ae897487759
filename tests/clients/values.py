"""One query with every type that SQL gives, with and without NULL, and what must arrive."""

import datetime
import decimal

UTC = datetime.timezone.utc
CHINA = datetime.timezone(datetime.timedelta(hours=8))

# SQL expression, and the value that Python must see
VALUES = [
    ("true", True),
    ("CAST(-128 AS TINYINT)", -128),
    ("CAST(-32768 AS SMALLINT)", -32768),
    ("CAST(-2147483648 AS INT)", -2147483648),
    ("CAST(-9223372036854775808 AS BIGINT)", -9223372036854775808),
    ("CAST(255 AS TINYINT UNSIGNED)", 255),
    ("CAST(65535 AS SMALLINT UNSIGNED)", 65535),
    ("CAST(4294967295 AS INT UNSIGNED)", 4294967295),
    ("CAST(18446744073709551615 AS BIGINT UNSIGNED)", 18446744073709551615),
    ("CAST(1.5 AS REAL)", 1.5),
    ("CAST(-0.1 AS DOUBLE)", -0.1),
    ("CAST('12345678901234567890.123456' AS DECIMAL(26, 6))", decimal.Decimal("12345678901234567890.123456")),
    ("'温州市 🏙 \"quoted\" '' line'", "温州市 🏙 \"quoted\" ' line"),
    ("''", ""),
    ("X'00ff'", b"\x00\xff"),
    ("DATE '2020-02-29'", datetime.date(2020, 2, 29)),
    ("DATE '0001-01-01'", datetime.date(1, 1, 1)),
    ("CAST('23:59:59.999999' AS TIME)", datetime.time(23, 59, 59, 999999)),
    (
        "arrow_cast('2020-01-23T10:00:00.123456', 'Timestamp(Microsecond, None)')",
        datetime.datetime(2020, 1, 23, 10, 0, 0, 123456),
    ),
    (
        "arrow_cast(arrow_cast('2020-01-23T02:00:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))'), "
        "'Timestamp(Microsecond, Some(\"Asia/Shanghai\"))')",
        datetime.datetime(2020, 1, 23, 10, 0, tzinfo=CHINA),
    ),
    ("arrow_cast('1969-12-31T23:59:59Z', 'Timestamp(Second, Some(\"UTC\"))')", datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ("make_array(1, NULL, 3)", [1, None, 3]),
    ("make_array('浙', '沪')", ["浙", "沪"]),
    ("named_struct('name', '浙江', 'code', 33)", {"name": "浙江", "code": 33}),
    ("make_array(named_struct('a', make_array(1)))", [{"a": [1]}]),
]

SQL = "SELECT " + ", ".join(f"{sql} AS v{number}" for number, (sql, _) in enumerate(VALUES))
# the same types, with a NULL in the first row and the value in the second
NULLS_SQL = (
    "SELECT "
    + ", ".join(f"CASE WHEN n = 2 THEN {sql} END AS v{number}" for number, (sql, _) in enumerate(VALUES))
    + " FROM (VALUES (1), (2)) AS t(n) ORDER BY n"
)
EXPECTED = [value for _, value in VALUES]
