//! Which items the audit says that a query showed, and which it only used.

use crate::support::World;
use basin_catalog::Principal;
use basin_engine::QueryRequest;

/// SQL, the items that reach the result, those that are used otherwise. `c.` stands for `health.city.`, `k.` for
/// `health.clinic.`
const CASES: [(&str, &str, &str); 34] = [
    ("SELECT 1", "", ""),
    ("SELECT city FROM health.city", "c.city", ""),
    ("SELECT * FROM health.city", "c.city c.confirmed c.day c.province", ""),
    ("SELECT count(*) FROM health.city", "", ""),
    ("SELECT count(*) FROM health.city WHERE confirmed > 1", "", "c.confirmed"),
    ("SELECT city FROM health.city WHERE confirmed > 1 AND city <> 'x'", "c.city", "c.confirmed"),
    ("SELECT upper(city) || 'x' AS confirmed FROM health.city", "c.city", ""),
    ("SELECT city FROM health.city ORDER BY confirmed LIMIT 1", "c.city", "c.confirmed"),
    ("SELECT sum(confirmed) FROM health.city GROUP BY province", "c.confirmed", "c.province"),
    ("SELECT province, sum(confirmed) FROM health.city GROUP BY province", "c.confirmed c.province", ""),
    (
        "SELECT province FROM health.city GROUP BY province HAVING sum(confirmed) > 1",
        "c.province",
        "c.confirmed",
    ),
    ("SELECT sum(confirmed) FILTER (WHERE city = 'x') FROM health.city", "c.confirmed", "c.city"),
    ("SELECT array_agg(city ORDER BY confirmed) FROM health.city", "c.city", "c.confirmed"),
    (
        "SELECT sum(confirmed) FROM health.city GROUP BY ROLLUP (province, day)",
        "c.confirmed",
        "c.day c.province",
    ),
    (
        "SELECT province, day, count(*) FROM health.city GROUP BY GROUPING SETS ((province), (day))",
        "c.day c.province",
        "",
    ),
    ("SELECT CASE WHEN day > '2020-01-01' THEN city END FROM health.city", "c.city c.day", ""),
    (
        "SELECT c.city, k.confirmed FROM health.city c JOIN health.clinic k ON c.day = k.day",
        "c.city k.confirmed",
        "c.day k.day",
    ),
    (
        "SELECT c.city FROM health.city c JOIN health.clinic k USING (city) WHERE k.confirmed > c.confirmed",
        "c.city",
        "c.confirmed k.city k.confirmed",
    ),
    ("SELECT k.city FROM health.city c, health.clinic k", "k.city", ""),
    (
        "SELECT c.city FROM health.city c LEFT SEMI JOIN health.clinic k ON c.city = k.city",
        "c.city",
        "k.city",
    ),
    (
        "WITH t AS (SELECT city AS a, confirmed + 1 AS b, day FROM health.city) SELECT a FROM t WHERE b > 1",
        "c.city",
        "c.confirmed",
    ),
    ("SELECT x.b FROM (SELECT city AS a, province AS b FROM health.city) AS x", "c.province", ""),
    (
        "SELECT city FROM health.city WHERE city IN (SELECT city FROM health.clinic WHERE confirmed > 1)",
        "c.city",
        "k.city k.confirmed",
    ),
    (
        "SELECT city FROM health.city c WHERE EXISTS (SELECT k.day FROM health.clinic k WHERE k.city = c.province)",
        "c.city",
        "c.province k.city",
    ),
    (
        "SELECT city, (SELECT max(k.confirmed) FROM health.clinic k WHERE k.day = c.day) FROM health.city c",
        "c.city k.confirmed",
        "c.day k.day",
    ),
    (
        "SELECT city FROM health.city c WHERE confirmed > (SELECT avg(k.confirmed) FROM health.clinic k WHERE k.city = c.city)",
        "c.city",
        "c.confirmed k.city k.confirmed",
    ),
    ("SELECT city FROM health.city UNION ALL SELECT province FROM health.clinic", "c.city k.province", ""),
    (
        "SELECT count(*) FROM (SELECT city FROM health.city UNION SELECT province FROM health.clinic) AS u",
        "",
        "c.city k.province",
    ),
    ("SELECT city FROM health.city EXCEPT SELECT city FROM health.clinic", "c.city", "k.city"),
    ("SELECT city FROM health.city INTERSECT SELECT province FROM health.clinic", "c.city", "k.province"),
    ("SELECT count(*) FROM (SELECT DISTINCT city FROM health.city) AS d", "", "c.city"),
    (
        "SELECT DISTINCT ON (province) city FROM health.city ORDER BY province, day",
        "c.city",
        "c.day c.province",
    ),
    (
        "SELECT city, sum(confirmed) OVER (PARTITION BY province ORDER BY day) FROM health.city",
        "c.city c.confirmed",
        "c.day c.province",
    ),
    (
        "WITH RECURSIVE r AS (SELECT city AS a, 1 AS n FROM health.city UNION ALL SELECT k.province, r.n + 1 FROM r JOIN health.clinic k ON k.city = r.a WHERE r.n < 3) SELECT a FROM r",
        "c.city k.province",
        "k.city",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn items_are_shown_or_only_used() {
    let world = World::new().await;
    for (sql, output, predicate) in CASES {
        let request = QueryRequest { principal: Principal::operator(), ..world.request(sql) };
        let id = request.query_id;
        world.run(request).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let facts =
            format!("SELECT output_columns, predicate_columns FROM basin.queries WHERE query_id = '{id}'");
        let found = world.ask_as(Principal::operator(), &facts).await.unwrap();
        let names = |short: &str| {
            let full = |item: &str| item.replace("c.", "health.city.").replace("k.", "health.clinic.");
            short.split_whitespace().map(full).collect::<Vec<_>>().join(",")
        };
        assert_eq!(found, format!("{}|{}", names(output), names(predicate)), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explaining_uses_nothing_and_rejects_have_items_too() {
    let world = World::new().await;
    let facts = "SELECT sql, output_columns, policy_columns, cells_suppressed FROM basin.queries WHERE sql NOT LIKE '%basin.queries%'";
    world.ask("EXPLAIN SELECT city FROM health.city").await.unwrap();
    assert_eq!(world.ask(facts).await.unwrap(), "EXPLAIN SELECT city FROM health.city|||0");
}
