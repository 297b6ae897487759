"""Superset's configuration for the checks: what differs from its defaults, and what users of Basin are told to set."""

import os

# Of this run only: made by superset_server.py.
SECRET_KEY = os.environ["CHECKS_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.environ["CHECKS_METADATA"]

# A plain HTTP server on loopback.
TALISMAN_ENABLED = False

# For a chart or an export of millions of rows; 100,000 by default.
SQL_MAX_ROW = 5_000_000

# Superset has no engine specification for `datafusion` and takes its generic one, `base`, which has no time grains.
TIME_GRAIN_ADDON_EXPRESSIONS = {
    "base": {
        "PT1S": "date_trunc('second', {col})",
        "PT1M": "date_trunc('minute', {col})",
        "PT1H": "date_trunc('hour', {col})",
        "P1D": "date_trunc('day', {col})",
        "P1W": "date_trunc('week', {col})",
        "P1M": "date_trunc('month', {col})",
        "P3M": "date_trunc('quarter', {col})",
        "P1Y": "date_trunc('year', {col})",
    }
}
