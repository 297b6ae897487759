"""A synthetic table of page views, `bench.hits`: 105 columns with the skew of real traffic, from a seed; its manifest; 43 queries on it.

Shaped after ClickBench (few sites have most views, most searches are blank, a wide table of which a query needs little); no row, name or
query is taken from it. DuckDB computes the rows, each from its number alone, so that they are the same whatever the number of threads.
"""

import pathlib

from suites import store

SITE = 62


def u(salt: int, of: str = "i") -> str:
    """A number from 0 to 1 for each row."""
    return f"(hash({of}, {salt})::DOUBLE / 18446744073709551616.0)"


def pick(count: int, salt: int, skew: float = 1.0) -> str:
    """A whole number below `count`; the larger the skew, the more often a small one."""
    return f"floor({count} * pow({u(salt)}, {skew}))::BIGINT"


def seldom(share: float, salt: int, value: str, otherwise: str) -> str:
    return f"CASE WHEN {u(salt)} < {share} THEN {value} ELSE {otherwise} END"


def words(salt: int, count: int = 3) -> str:
    parts = [f"'w' || {pick(20_000, salt + n, 4)}" for n in range(count)]
    return " || ' ' || ".join(parts)


def columns(rows: int) -> list[tuple[str, str, str]]:
    """Name, type of the manifest, DuckDB expression of `i`."""
    users = max(1, rows // 6)
    url = ("'http://' || " + seldom(0.0005, 60, "'google.'", "'site'") + f" || {pick(5000, 61, 3)} || '.example/' || "
           f"{pick(40, 62, 2)} || '/page' || {pick(100_000, 63, 4)} || '?q=' || {pick(1000, 64, 6)}")
    referer = seldom(0.45, 65, "''", f"'https://' || {seldom(0.3, 66, chr(39) + 'www.' + chr(39), chr(39) * 2)} || 'site' || "
                     f"{pick(5000, 67, 3)} || '.example/from/' || {pick(50_000, 68, 3)}")
    title = f"{words(71, 4)} || {seldom(0.002, 70, chr(39) + ' Google' + chr(39), chr(39) * 2)}"
    named = [
        ("watch_id", "int64", "(hash(i, 1) >> 1)::BIGINT"),
        ("event_date", "date", f"(DATE '2013-07-01' + {pick(31, 2)}::INTEGER)"),
        ("event_time", "timestamp", f"(DATE '2013-07-01' + {pick(31, 2)}::INTEGER)::TIMESTAMP + to_seconds({pick(86_400, 3)})"),
        ("counter_id", "int32", f"({seldom(0.06, 4, str(SITE), pick(6000, 5, 4))})::INTEGER"),
        ("user_id", "int64", f"(hash({pick(users, 6, 2)}, 7) >> 1)::BIGINT"),
        ("client_ip", "int32", f"((hash({pick(users, 6, 2)}, 8) >> 33)::BIGINT)::INTEGER"),
        ("region_id", "int32", f"{pick(5000, 9, 5)}::INTEGER"),
        ("url", "text", url),
        ("title", "text", title),
        ("referer", "text", referer),
        ("url_hash", "int64", f"(hash({url}) >> 1)::BIGINT"),
        ("referer_hash", "int64", f"(hash({referer}) >> 1)::BIGINT"),
        ("search_phrase", "text", seldom(0.87, 10, "''", words(11, 2))),
        ("search_engine_id", "int16", f"({seldom(0.85, 14, '0', pick(90, 15, 3))})::SMALLINT"),
        ("adv_engine_id", "int16", f"({seldom(0.97, 16, '0', pick(60, 17, 3))})::SMALLINT"),
        ("traffic_source_id", "int16", f"({pick(12, 18, 2)} - 1)::SMALLINT"),
        ("mobile_phone", "int16", f"({seldom(0.9, 19, '0', pick(120, 20, 2))})::SMALLINT"),
        ("mobile_phone_model", "text", seldom(0.93, 21, "''", f"'model ' || {pick(160, 22, 3)}")),
        ("resolution_width", "int16", f"(320 + 16 * {pick(120, 23, 1)})::SMALLINT"),
        ("window_client_width", "int16", f"(300 + {pick(1700, 24, 1)})::SMALLINT"),
        ("window_client_height", "int16", f"(200 + {pick(1000, 25, 1)})::SMALLINT"),
        ("is_refresh", "int16", f"({seldom(0.12, 26, '1', '0')})::SMALLINT"),
        ("is_link", "int16", f"({seldom(0.05, 27, '1', '0')})::SMALLINT"),
        ("is_download", "int16", f"({seldom(0.01, 28, '1', '0')})::SMALLINT"),
        ("dont_count_hits", "int16", f"({seldom(0.03, 29, '1', '0')})::SMALLINT"),
    ]
    more = []
    for number in range(105 - len(named)):
        salt = 100 + number
        kind = number % 8
        if kind == 7:
            more.append((f"text_{number:02}", "text", seldom(0.8, salt, "''", f"'t' || {pick(3000, salt + 200, 3)}")))
        elif kind == 6:
            more.append((f"number_{number:02}", "int64", f"(hash(i, {salt}) >> 20)::BIGINT"))
        elif kind in (4, 5):
            more.append((f"count_{number:02}", "int32", f"{pick(10 ** (kind + number % 3 - 1), salt, 4)}::INTEGER"))
        else:
            more.append((f"flag_{number:02}", "int16", f"({seldom(0.9, salt, '0', pick(2 + number, salt + 200, 2))})::SMALLINT"))
    return named + more


def manifest(rows: int) -> str:
    title = {"zh": "页面访问（基准测试）", "en": "Page views (benchmark)"}
    abstract = {"zh": "用于基准测试的合成页面访问。", "en": "Synthetic page views."}
    items = [(name, kind) for name, kind, _ in columns(rows)]
    return store.manifest("bench.hits", "306001/900020", title, abstract, ["watch_id"], ["counter_id", "event_time"], items)


def generate(file: pathlib.Path, rows: int) -> None:
    """Writes the delivery, streaming."""
    import duckdb

    expressions = ", ".join(f"{expression} AS {name}" for name, _, expression in columns(rows))
    duckdb.connect().execute(
        f"COPY (SELECT {expressions} FROM range({rows}) t(i)) TO '{file}' (FORMAT parquet, ROW_GROUP_SIZE 122880)")


def queries() -> dict[str, tuple[str, list[int] | None]]:
    """Each with the positions of the columns that must agree: groups that tie at a LIMIT may be others; none: rows only."""
    t, top = "FROM bench.hits", "ORDER BY c DESC LIMIT 10"
    site = f"counter_id = {SITE} AND event_date BETWEEN DATE '2013-07-01' AND DATE '2013-07-31'"
    seen = f"{t} WHERE {site} AND dont_count_hits = 0 AND is_refresh = 0"
    sums = ", ".join(f"sum(resolution_width + {number}) AS s{number}" for number in range(90))
    asked = "search_phrase <> ''"
    host = "regexp_replace(referer, '^https?://(?:www\\.)?([^/]+)/.*$', '\\1')"
    user = "(SELECT max(user_id) FROM bench.hits WHERE counter_id = 1)"
    listed = [
        (f"SELECT count(*) AS c {t}", None),
        (f"SELECT count(*) AS c {t} WHERE adv_engine_id <> 0", None),
        (f"SELECT sum(adv_engine_id) AS s, count(*) AS c, avg(resolution_width) AS a {t}", None),
        (f"SELECT avg(CAST(user_id AS DOUBLE)) AS a {t}", None),
        (f"SELECT count(DISTINCT user_id) AS c {t}", None),
        (f"SELECT count(DISTINCT search_phrase) AS c {t}", None),
        (f"SELECT min(event_date) AS first, max(event_date) AS last {t}", None),
        (f"SELECT adv_engine_id, count(*) AS c {t} WHERE adv_engine_id <> 0 GROUP BY adv_engine_id ORDER BY c DESC", None),
        (f"SELECT region_id, count(DISTINCT user_id) AS c {t} GROUP BY region_id {top}", [1]),
        (f"SELECT region_id, sum(adv_engine_id) AS s, count(*) AS c, avg(resolution_width) AS a, count(DISTINCT user_id) AS users "
         f"{t} GROUP BY region_id {top}", [2]),
        (f"SELECT mobile_phone_model, count(DISTINCT user_id) AS c {t} WHERE mobile_phone_model <> '' GROUP BY mobile_phone_model {top}", [1]),
        (f"SELECT mobile_phone, mobile_phone_model, count(DISTINCT user_id) AS c {t} WHERE mobile_phone_model <> '' "
         f"GROUP BY mobile_phone, mobile_phone_model {top}", [2]),
        (f"SELECT search_phrase, count(*) AS c {t} WHERE {asked} GROUP BY search_phrase {top}", [1]),
        (f"SELECT search_phrase, count(DISTINCT user_id) AS c {t} WHERE {asked} GROUP BY search_phrase {top}", [1]),
        (f"SELECT search_engine_id, search_phrase, count(*) AS c {t} WHERE {asked} GROUP BY search_engine_id, search_phrase {top}", [2]),
        (f"SELECT user_id, count(*) AS c {t} GROUP BY user_id {top}", [1]),
        (f"SELECT user_id, search_phrase, count(*) AS c {t} GROUP BY user_id, search_phrase {top}", [2]),
        (f"SELECT user_id, search_phrase, count(*) AS c {t} GROUP BY user_id, search_phrase LIMIT 10", []),
        (f"SELECT user_id, extract(minute FROM event_time) AS m, search_phrase, count(*) AS c {t} "
         f"GROUP BY user_id, extract(minute FROM event_time), search_phrase {top}", [3]),
        (f"SELECT user_id {t} WHERE user_id = {user}", None),
        (f"SELECT count(*) AS c {t} WHERE url LIKE '%google%'", None),
        (f"SELECT search_phrase, min(url) AS u, count(*) AS c {t} WHERE url LIKE '%google%' AND {asked} GROUP BY search_phrase {top}", [2]),
        (f"SELECT search_phrase, min(url) AS u, min(title) AS t, count(*) AS c, count(DISTINCT user_id) AS users {t} "
         f"WHERE title LIKE '%Google%' AND url NOT LIKE '%.google.%' AND {asked} GROUP BY search_phrase {top}", [3]),
        (f"SELECT * {t} WHERE url LIKE '%google%' ORDER BY event_time LIMIT 10", [2]),
        (f"SELECT search_phrase, event_time {t} WHERE {asked} ORDER BY event_time LIMIT 10", [1]),
        (f"SELECT search_phrase {t} WHERE {asked} ORDER BY search_phrase LIMIT 10", None),
        (f"SELECT search_phrase, event_time {t} WHERE {asked} ORDER BY event_time, search_phrase LIMIT 10", None),
        (f"SELECT counter_id, avg(length(url)) AS l, count(*) AS c {t} WHERE url <> '' GROUP BY counter_id "
         "HAVING count(*) > 1000 ORDER BY l DESC LIMIT 25", [1]),
        (f"SELECT {host} AS k, avg(length(referer)) AS l, count(*) AS c, min(referer) AS r {t} WHERE referer <> '' GROUP BY {host} "
         "HAVING count(*) > 1000 ORDER BY l DESC LIMIT 25", [1]),
        (f"SELECT {sums} {t}", None),
        (f"SELECT search_engine_id, client_ip, count(*) AS c, sum(is_refresh) AS s, avg(resolution_width) AS a {t} WHERE {asked} "
         f"GROUP BY search_engine_id, client_ip {top}", [2]),
        (f"SELECT watch_id, client_ip, count(*) AS c, sum(is_refresh) AS s, avg(resolution_width) AS a {t} WHERE {asked} "
         f"GROUP BY watch_id, client_ip {top}", [2]),
        (f"SELECT watch_id, client_ip, count(*) AS c, sum(is_refresh) AS s, avg(resolution_width) AS a {t} "
         f"GROUP BY watch_id, client_ip {top}", [2]),
        (f"SELECT url, count(*) AS c {t} GROUP BY url {top}", [1]),
        (f"SELECT 1 AS one, url, count(*) AS c {t} GROUP BY url {top}", [2]),
        (f"SELECT client_ip, client_ip - 1 AS i1, client_ip - 2 AS i2, client_ip - 3 AS i3, count(*) AS c {t} "
         f"GROUP BY client_ip {top}", [4]),
        (f"SELECT url, count(*) AS c {seen} AND url <> '' GROUP BY url {top}", [1]),
        (f"SELECT title, count(*) AS c {seen} AND title <> '' GROUP BY title {top}", [1]),
        (f"SELECT url, count(*) AS c {t} WHERE {site} AND is_refresh = 0 AND is_link <> 0 AND is_download = 0 GROUP BY url "
         "ORDER BY c DESC LIMIT 10 OFFSET 100", [1]),
        ("SELECT traffic_source_id, search_engine_id, adv_engine_id, CASE WHEN search_engine_id = 0 AND adv_engine_id = 0 THEN referer "
         f"ELSE '' END AS src, url AS dst, count(*) AS c {t} WHERE {site} AND is_refresh = 0 "
         "GROUP BY traffic_source_id, search_engine_id, adv_engine_id, src, dst ORDER BY c DESC LIMIT 10 OFFSET 100", [5]),
        (f"SELECT url_hash, event_date, count(*) AS c {t} WHERE {site} AND is_refresh = 0 AND traffic_source_id IN (-1, 6) AND referer_hash = "
         f"(SELECT max(referer_hash) {t} WHERE {site}) GROUP BY url_hash, event_date {top}", [2]),
        (f"SELECT window_client_width, window_client_height, count(*) AS c {seen} AND url_hash = (SELECT max(url_hash) {t} WHERE {site}) "
         f"GROUP BY window_client_width, window_client_height {top}", [2]),
        (f"SELECT date_trunc('minute', event_time) AS m, count(*) AS c {t} WHERE counter_id = {SITE} AND event_date BETWEEN DATE '2013-07-14' "
         "AND DATE '2013-07-15' AND is_refresh = 0 AND dont_count_hits = 0 GROUP BY date_trunc('minute', event_time) ORDER BY m LIMIT 10", None),
    ]
    return {f"Q{number}": query for number, query in enumerate(listed, 1)}
