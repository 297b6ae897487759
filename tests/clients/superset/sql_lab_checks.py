"""Statements in SQL Lab: figures, Chinese text, errors, a table made of a result."""

import json
import secrets

import stage
from report import check, detail, equal
from rest import Refused


@check("query")
def figures_and_chinese_text() -> None:
    equal(stage.sql("SELECT count(*) AS n FROM health.city")["data"], [{"n": 5247}])
    equal(stage.sql("SELECT count(*) AS n FROM jhu.series")["data"], [{"n": 101010}])
    equal(stage.sql("SELECT name AS 名称 FROM ref.province WHERE code = '33'")["data"], [{"名称": "浙江省"}])


@check("query")
def an_aggregate_with_its_types() -> None:
    sql = (
        "SELECT province, date, max(confirmed) AS most, avg(confirmed) AS mean FROM health.provincial "
        "WHERE date >= DATE '2020-02-01' AND province IN ('浙江省', '湖北省') "
        "GROUP BY province, date ORDER BY date, province LIMIT 20"
    )
    answer = stage.sql(sql)
    expected = [
        {"province": province, "date": f"{date}T00:00:00", "most": most, "mean": mean}
        for province, date, most, mean in stage.direct(sql)
    ]
    equal(answer["data"], expected)
    equal(
        {column["name"]: column["type"] for column in answer["columns"]},
        {"province": "STRING", "date": "DATETIME", "most": "INT", "mean": "FLOAT"},
    )
    equal([column["is_dttm"] for column in answer["columns"]], [False, True, False, False])


@check("query")
def limits_and_common_table_expressions() -> None:
    equal(len(stage.sql("SELECT * FROM health.city", queryLimit=10)["data"]), 10)
    equal(len(stage.sql("SELECT * FROM health.city LIMIT 3")["data"]), 3)
    sql = (
        "WITH last AS (SELECT max(date) AS date FROM paper.daily) "
        "SELECT count(*) AS n FROM paper.daily JOIN last USING (date)"
    )
    equal(stage.sql(sql)["data"], [{"n": stage.direct(sql)[0][0]}])


@check("large")
def three_million_rows_are_exported() -> None:
    """Superset's page shows 10,000 of them; the file has all."""
    name = secrets.token_hex(5)
    answer = stage.sql(
        "SELECT a.confirmed FROM jhu.series a CROSS JOIN ref.province b", queryLimit=4_000_000, client_id=name
    )
    equal(answer["query"]["rows"], 3_131_310)
    head, *values = stage.superset().answer("GET", f"/api/v1/sqllab/export/{name}/").text.removeprefix("\ufeff").split()
    equal((head, len(values)), ("confirmed", 3_131_310))
    equal(sum(map(int, values)), stage.direct("SELECT sum(confirmed) * 31 FROM jhu.series")[0][0])


@check("-")
def a_table_is_made_of_a_result() -> None:
    stage.sql(f"DROP TABLE IF EXISTS {stage.SANDBOX}.superset_made")
    options = {"select_as_cta": True, "ctas_method": "TABLE", "tmp_table_name": "superset_made"}
    stage.sql("SELECT code, name FROM ref.province", **options)
    equal(stage.sql(f"SELECT count(*) AS n FROM {stage.SANDBOX}.superset_made")["data"], [{"n": 31}])
    stage.sql(f"DROP TABLE {stage.SANDBOX}.superset_made")


@check("error")
def errors_are_shown_to_the_user() -> None:
    cases = [
        ("SELECT confirmed_on FROM health.city", "confirmed_on"),
        ("SELECT * FROM health.village", "health.village"),
        ("DELETE FROM health.city WHERE confirmed < 0", stage.SANDBOX),
    ]
    for sql, says in cases:
        try:
            stage.sql(sql)
        except Refused as error:
            [shown] = json.loads(error.body)["errors"]
            assert says in shown["message"], shown
            detail(f"the user is shown: {shown['message'][:160]}")
        else:
            raise AssertionError(f"{sql} was run")
