//! Lineage: which columns of a result are items, unchanged; and names without schema, keys and constraints.

use crate::support::{World, user};
use basin_catalog::AsOf;
use basin_engine::{QueryOptions, SourceItem};

/// The dataset and item of each column, `-` where it is none.
async fn items(world: &World, sql: &str) -> String {
    let planned = world.engine.plan(world.request(sql)).await.unwrap();
    let name = |source: &SourceItem| format!("{}.{}", source.dataset().name, source.item().unwrap().name);
    let names = planned.sources().iter().map(|source| source.as_ref().map_or("-".to_owned(), name));
    names.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_passed_on_keep_their_item() {
    let world = World::new().await;
    for (sql, expected) in [
        ("SELECT city, confirmed FROM health.city", "health.city.city health.city.confirmed"),
        ("SELECT confirmed AS n, confirmed + 1 FROM health.city", "health.city.confirmed -"),
        (
            "WITH c AS (SELECT city AS place FROM health.city WHERE day IS NOT NULL) SELECT place FROM c ORDER BY 1 LIMIT 1",
            "health.city.city",
        ),
        ("SELECT province, sum(confirmed) FROM health.city GROUP BY province", "health.city.province -"),
        ("SELECT province, sum(confirmed) FROM health.city GROUP BY ROLLUP (province)", "- -"),
        ("SELECT DISTINCT day FROM health.city", "health.city.day"),
        (
            "SELECT a.city, b.day FROM health.city a JOIN health.city b USING (city)",
            "health.city.city health.city.day",
        ),
        (
            "SELECT city FROM health.city a WHERE EXISTS (SELECT 1 FROM health.city b WHERE a.city = b.city)",
            "health.city.city",
        ),
        ("SELECT day, row_number() OVER (ORDER BY day) FROM health.city", "health.city.day -"),
        ("SELECT city FROM health.city UNION ALL SELECT city FROM health.city", "-"),
        ("SELECT 1 AS city", "-"),
        ("EXPLAIN SELECT city FROM health.city", "- -"),
    ] {
        assert_eq!(items(&world, sql).await, expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_without_schema_are_looked_for_where_the_session_says() {
    let world = World::new().await;
    let health = QueryOptions { schema: Some("health".to_owned()), ..QueryOptions::default() };
    let request = world.request_with("WITH c AS (SELECT * FROM city) SELECT count(*) FROM c", health.clone());
    assert_eq!(crate::support::lines(&world.run(request).await.unwrap()), "3");
    let nowhere = world.ask("SELECT * FROM city").await.unwrap_err().to_string();
    assert!(nowhere.contains("\"city\" does not exist") && nowhere.contains("health.city"), "{nowhere}");
    // Hidden and absent read the same without a schema too.
    let hidden = world.run(world.request_with("SELECT * FROM secret", health.clone())).await.unwrap_err();
    let absent = world.run(world.request_with("SELECT * FROM secrex", health)).await.unwrap_err();
    assert_eq!(hidden.to_string().replace("secret", "secrex"), absent.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn constraints_are_those_of_visible_datasets() {
    let world = World::new().await;
    let sql = "SELECT table_name, constraint_name, constraint_type FROM information_schema.table_constraints";
    assert_eq!(world.ask(sql).await.unwrap(), "city|city_pkey|PRIMARY KEY");
    let sql = "SELECT column_name, ordinal_position FROM information_schema.key_column_usage ORDER BY 2";
    assert_eq!(world.ask(sql).await.unwrap(), "city|1\nday|2");
    let visible = world.engine.visible(&user("ann", None), &AsOf::Latest).await.unwrap();
    let keys = world.engine.keys(&user("ann", None), &AsOf::Latest).await.unwrap();
    let names: Vec<String> = keys.primary.iter().map(|key| key.dataset.to_string()).collect();
    assert_eq!(names, ["health.city"]);
    assert!(visible.tables().iter().any(|table| table.name == "referential_constraints"));
}
