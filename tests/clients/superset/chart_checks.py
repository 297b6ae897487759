"""A dataset's charts: saved, and their figures compared with the same query without Superset."""

import csv
import datetime
import io
import json

import stage
from report import check, equal
from rest import Refused

SUM = {"expressionType": "SIMPLE", "column": {"column_name": "confirmed"}, "aggregate": "SUM", "label": "confirmed"}


def context(**query: object) -> dict:
    return {
        "datasource": {"id": stage.dataset(), "type": "table"},
        "force": True,
        "queries": [{"metrics": [SUM], "row_limit": 1000} | query],
        "result_format": "json",
        "result_type": "full",
    }


def data(**query: object) -> list[dict]:
    return stage.superset().post("/api/v1/chart/data", context(**query))["result"][0]["data"]


def milliseconds(date: datetime.date) -> int:
    """Superset writes moments so for the charts in the browser."""
    return int(datetime.datetime(date.year, date.month, date.day, tzinfo=datetime.timezone.utc).timestamp() * 1000)


def time_axis(grain: str | None = None) -> dict:
    axis = {"columnType": "BASE_AXIS", "sqlExpression": "date", "label": "date", "expressionType": "SQL"}
    return axis | ({"timeGrain": grain} if grain else {})


def save(kind: str, body: dict, **form: object) -> int:
    parameters = {"viz_type": kind, "datasource": f"{stage.dataset()}__table"} | form
    chart = {
        "slice_name": stage.name(),
        "viz_type": kind,
        "datasource_id": stage.dataset(),
        "datasource_type": "table",
        "params": json.dumps(parameters),
        "query_context": json.dumps(body),
    }
    return stage.superset().post("/api/v1/chart/", chart)["id"]


@check("query")
def a_table_chart() -> None:
    body = context(columns=["province"], orderby=[[SUM, False]], filters=[{"col": "confirmed", "op": ">", "val": 0}])
    chart = save("table", body, groupby=["province"])
    found = stage.superset().get(f"/api/v1/chart/{chart}/data/")["result"][0]["data"]
    sql = (
        "SELECT province, sum(confirmed) AS n FROM health.provincial WHERE confirmed > 0 "
        "GROUP BY province ORDER BY n DESC"
    )
    equal([(row["province"], row["confirmed"]) for row in found], [tuple(row) for row in stage.direct(sql)])


@check("query")
def a_bar_chart_by_date() -> None:
    body = context(columns=[time_axis()], orderby=[["date", True]])
    chart = save("echarts_timeseries_bar", body, x_axis="date", metrics=[SUM])
    found = stage.superset().get(f"/api/v1/chart/{chart}/data/")["result"][0]["data"]
    expected = stage.direct("SELECT date, sum(confirmed) FROM health.provincial GROUP BY date ORDER BY date")
    equal([(row["date"], row["confirmed"]) for row in found], [(milliseconds(date), n) for date, n in expected])


@check("query")
def a_bar_chart_by_week_of_a_month() -> None:
    """The grain is one of superset_config.py's; the range becomes a comparison of a date with a text."""
    found = data(
        columns=[time_axis("P1W")], orderby=[["date", True]], time_range="2020-02-01 : 2020-03-01", granularity="date"
    )
    sql = (
        "SELECT date_trunc('week', date) AS week, sum(confirmed) FROM health.provincial "
        "WHERE date >= DATE '2020-02-01' AND date < DATE '2020-03-01' GROUP BY week ORDER BY week"
    )
    equal(
        [(row["date"], row["confirmed"]) for row in found], [(milliseconds(week), n) for week, n in stage.direct(sql)]
    )


@check("query")
def values_to_filter_by() -> None:
    found = stage.superset().get(f"/api/v1/datasource/table/{stage.dataset()}/column/province/values/")["result"]
    equal(set(found), {province for (province,) in stage.direct("SELECT DISTINCT province FROM health.provincial")})
    filters = [
        {"col": "province", "op": "IN", "val": ["浙江省", "湖北省"]},
        {"col": "date", "op": "TEMPORAL_RANGE", "val": "2020-02-01 : 2020-02-02"},
    ]
    sql = (
        "SELECT sum(confirmed) FROM health.provincial "
        "WHERE province IN ('浙江省', '湖北省') AND date = DATE '2020-02-01'"
    )
    equal(data(columns=[], filters=filters), [{"confirmed": stage.direct(sql)[0][0]}])


@check("query")
def a_chart_as_csv() -> None:
    body = context(columns=["province"], orderby=[["province", True]]) | {"result_format": "csv"}
    text = stage.superset().answer("POST", "/api/v1/chart/data", json=body).text
    found = [
        (row["province"], int(row["confirmed"])) for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    ]
    equal(dict(found), dict(stage.direct("SELECT province, sum(confirmed) FROM health.provincial GROUP BY province")))


@check("error")
def a_chart_shows_its_error() -> None:
    metric = {"expressionType": "SQL", "sqlExpression": "sum(confirmed_on)", "label": "n"}
    try:
        data(columns=["province"], metrics=[metric])
    except Refused as error:
        assert "confirmed_on" in error.body, error
    else:
        raise AssertionError("an unknown column was charted")
