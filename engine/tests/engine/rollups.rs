//! Rollups: what is answered from one is what the dataset answers, from files, from hot columns and from kept results;
//! what can't be exact, or may not be seen, is not answered from one. `BASIN_ROLLUP_QUERIES` says how many queries are generated (400).

mod sales;

use crate::support::{health, lines, principal, statistics, user};
use basin_catalog::{AsOf, Change, DatasetPolicy, Principal, RowFilter, Terms};
use basin_engine::QueryRequest;
use sales::{Random, SALES, Sales, sorted};
use std::collections::BTreeMap;

const QUERIES: usize = 400;

const GROUPS: [&str; 10] = [
    "region",
    "kind",
    "day",
    "date_trunc('month', day)",
    "extract(year FROM day)",
    "upper(region)",
    "date_trunc('quarter', day)",
    "date_trunc('week', moment)",
    "kind || coalesce(region, '?')",
    "day > DATE '1970-02-01'",
];
const FILTERS: [&str; 11] = [
    "region = 'r1'",
    "region IS NULL",
    "kind IN ('kind 1', 'kind 2')",
    "kind LIKE '%2'",
    "day >= DATE '1970-01-15'",
    "date_trunc('month', day) = TIMESTAMP '1970-02-01'",
    "extract(month FROM day) < 4",
    "(region IS DISTINCT FROM 'r2')",
    "date_trunc('month', moment) >= TIMESTAMP '1970-02-01'",
    "kind > region",
    "units > 3",
];
const AGGREGATES: [&str; 26] = [
    "avg(amount)",
    "avg(amount) FILTER (WHERE region IS NOT NULL)",
    "count(*)",
    "count(amount)",
    "sum(amount)",
    "min(amount)",
    "max(amount)",
    "sum(units)",
    "count(units)",
    "avg(units)",
    "min(units)",
    "sum(big)",
    "avg(big)",
    "count(big)",
    "max(price)",
    "min(day)",
    "max(kind)",
    "count(DISTINCT region)",
    "count(DISTINCT units)",
    "count(region)",
    "count(kind)",
    "sum(units) FILTER (WHERE kind = 'kind 1')",
    "count(*) FILTER (WHERE region IS NULL)",
    "sum(amount) / count(*)",
    "max(region)",
    "avg(units) FILTER (WHERE kind < 'kind 2')",
];

fn generated(random: &mut Random) -> String {
    let groups = random.some(&GROUPS, 0, 3);
    let filters = random.some(&FILTERS, 0, 2);
    let aggregates = random.some(&AGGREGATES, 1, 4);
    let columns: Vec<String> =
        groups.iter().chain(&aggregates).enumerate().map(|(at, expr)| format!("{expr} AS c{at}")).collect();
    let filter = if filters.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", filters.join(random.one(&[" AND ", " OR "])))
    };
    let source = match random.below(4) {
        0 => format!("(SELECT * FROM {SALES}{filter}) AS s"),
        1 => format!(
            "(SELECT region, kind, day, moment, amount, units, big, price FROM {SALES} AS t{filter}) AS s"
        ),
        _ => format!("{SALES}{filter}"),
    };
    let listed = groups.join(", ");
    let grouping = match (groups.len(), random.below(6)) {
        (0, _) => String::new(),
        (_, 0) => format!(" GROUP BY ROLLUP ({listed})"),
        (_, 1) => format!(" GROUP BY CUBE ({listed})"),
        (_, 2) => format!(" GROUP BY GROUPING SETS (({listed}), ())"),
        _ => format!(" GROUP BY {listed}"),
    };
    let having = if random.below(4) == 0 { " HAVING count(*) > 20" } else { "" };
    let query = format!("SELECT {} FROM {source}{grouping}{having}", columns.join(", "));
    match random.below(5) {
        0 => format!("WITH q AS ({query}) SELECT count(*), max(c0) FROM q"),
        _ => query,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_queries_are_answered_alike() {
    let sales = Sales::new().await;
    let queries =
        std::env::var("BASIN_ROLLUP_QUERIES").ok().and_then(|text| text.parse().ok()).unwrap_or(QUERIES);
    let mut random = Random(20_201_125);
    let mut answered: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..queries {
        if let Some(by) = sales.same(&generated(&mut random)).await {
            *answered.entry(by).or_default() += 1;
        }
    }
    println!("{queries} queries, answered from rollups: {answered:?}");
    assert!(answered.len() == 3, "{answered:?}");
    assert!(answered.values().sum::<usize>() * 4 > queries, "too few: {answered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollup_can_tell_it_tells() {
    let sales = Sales::new().await;
    for (sql, by) in [
        ("SELECT region, sum(amount) FROM health.sales GROUP BY region", "fine"),
        ("SELECT region, avg(units), min(units) FROM health.sales GROUP BY region", "monthly"),
        (
            "SELECT extract(year FROM day) AS y, sum(big) FROM health.sales GROUP BY y ORDER BY y LIMIT 1",
            "monthly",
        ),
        ("SELECT date_trunc('day', moment) AS d, count(*) FROM health.sales GROUP BY d", "daily"),
        ("SELECT sum(units) FROM health.sales WHERE region = 'nowhere'", "monthly"),
        ("SELECT count(*), count(amount), max(amount) FROM health.sales WHERE kind = 'nothing'", "fine"),
        ("SELECT region FROM health.sales GROUP BY region HAVING count(*) > 100", "monthly"),
    ] {
        // `fine` and `monthly` may both do; the smaller one is taken.
        let found = sales.same(sql).await;
        assert!(found == Some(by) || (by == "fine" && found == Some("monthly")), "{found:?}: {sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_exact_is_read_from_the_dataset() {
    let sales = Sales::new().await;
    for sql in [
        "SELECT region, count(DISTINCT units) FROM health.sales GROUP BY region",
        "SELECT region, sum(DISTINCT units) FROM health.sales GROUP BY region",
        "SELECT region, sum(amount) FROM health.sales WHERE units > 3 GROUP BY region",
        "SELECT region, sum(amount) FILTER (WHERE units > 3) FROM health.sales GROUP BY region",
        "SELECT region, avg(big) FROM health.sales GROUP BY region",
        "SELECT units, count(*) FROM health.sales GROUP BY units",
        "SELECT region, sum(amount + 1) FROM health.sales GROUP BY region",
        "SELECT region, min(big) FROM health.sales GROUP BY region",
        "SELECT date_trunc('week', day) AS w, sum(big) FROM health.sales GROUP BY w",
        "SELECT region, count(*) FROM (SELECT * FROM health.sales LIMIT 10000) AS s GROUP BY region",
        "SELECT s.region, count(*) FROM health.sales AS s JOIN health.city AS c ON s.region = c.city GROUP BY s.region",
        "SELECT count(*), max(amount) FROM health.sales",
    ] {
        assert_eq!(sales.same(sql).await, None, "{sql}");
    }
    // Nothing of its kind is answered alike twice.
    let random = sales
        .explained(
            user("ann", Some(statistics())),
            "SELECT region, count(*) FROM health.sales WHERE random() < 0.5 GROUP BY region",
        )
        .await;
    assert!(!random.contains("rollup"), "{random}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_version_that_is_read_is_told() {
    let mut sales = Sales::new().await;
    let sql = "SELECT region, kind, sum(amount), count(*) FROM health.sales GROUP BY region, kind";
    let before = sales.world.catalog.latest().await.unwrap().id();
    assert_eq!(sales.same(sql).await, Some("fine"));
    let old = sorted(&sales.base(Principal::operator(), sql).await);
    sales.publish(2).await;
    assert_eq!(sales.same(sql).await, None);
    let as_of = QueryRequest {
        as_of: AsOf::Snapshot(before),
        ..sales.request(user("ann", Some(statistics())), sql, false)
    };
    assert_eq!(sorted(&sales.world.run(as_of.clone()).await.unwrap()), old);
    let explain = QueryRequest { query: basin_engine::Query::Sql(format!("EXPLAIN {sql}")), ..as_of };
    assert!(lines(&sales.world.run(explain).await.unwrap()).contains("rollup fine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_limited_gets_the_dataset_under_the_limits() {
    let sales = Sales::new().await;
    let rows: RowFilter = serde_json::from_value("region = 'r1'".into()).unwrap();
    let policy = DatasetPolicy {
        dataset: SALES.parse().unwrap(),
        terms: Terms { rows: Some(rows), ..Terms::default() },
        grants_only: false,
        masks: BTreeMap::new(),
        basis: "a law".to_owned(),
    };
    sales.world.commit(vec![Change::PutPolicy(Box::new(policy))]).await;
    let sql = "SELECT region, count(*) FROM health.sales GROUP BY region";
    let ann = || user("ann", Some(statistics()));
    assert!(!sales.explained(ann(), sql).await.contains("rollup"));
    let answer = lines(&sales.world.run(sales.request(ann(), sql, false)).await.unwrap());
    assert!(answer.starts_with("r1|") && answer.lines().count() == 1, "{answer}");
    // The provider sees all of it.
    let provider = principal("eve", Some(health()), &[], None);
    assert!(sales.explained(provider, sql).await.contains("rollup"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_reaches_a_rollup() {
    let sales = Sales::new().await;
    for name in
        ["\"health.sales rollup fine\"", "health.\"sales rollup fine\"", "health.fine", "rollups.fine"]
    {
        let error =
            sales.world.ask_as(Principal::operator(), &format!("SELECT * FROM {name}")).await.unwrap_err();
        assert!(
            error.to_string().contains("does not exist") || error.to_string().contains("not found"),
            "{error}"
        );
    }
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%fine%' OR table_name LIKE '%rollup%'";
    assert_eq!(sales.world.ask_as(Principal::operator(), tables).await.unwrap(), "");
}
