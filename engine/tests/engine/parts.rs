//! Parts: a divisible result fetched in disjoint parts, and what is not divisible.

use crate::support::{World, lines};
use basin_engine::{Part, QueryOptions};

async fn part(world: &World, sql: &str, part: Part) -> Result<String, basin_engine::EngineError> {
    let options = QueryOptions { part: Some(part), ..QueryOptions::default() };
    world.run(world.request_with(sql, options)).await.map(|batches| lines(&batches))
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_disjoint_and_together_the_whole() {
    let world = World::new().await;
    for sql in [
        "SELECT city, confirmed FROM health.city",
        "SELECT c.city || 'x' AS city FROM health.city c WHERE day = DATE '2020-01-12' OR confirmed IS NULL",
        "SELECT * FROM (SELECT city FROM health.city WHERE confirmed > 0) t",
    ] {
        let mut whole: Vec<String> = world.ask(sql).await.unwrap().lines().map(str::to_owned).collect();
        whole.sort();
        for of in [1, 2, 3, 8] {
            let mut found = Vec::new();
            for index in 0..of {
                let rows = part(&world, sql, Part { index, of }).await.unwrap();
                found.extend(rows.lines().map(str::to_owned));
            }
            found.sort();
            assert_eq!(found, whole, "{sql} in {of}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_other_rows_is_not_divisible() {
    let world = World::new().await;
    for sql in [
        "SELECT count(*) FROM health.city",
        "SELECT city FROM health.city ORDER BY city",
        "SELECT city FROM health.city LIMIT 1",
        "SELECT DISTINCT city FROM health.city",
        "SELECT a.city FROM health.city a JOIN health.city b ON a.city = b.city",
        "SELECT city, row_number() OVER (ORDER BY day) FROM health.city",
        "SELECT city FROM health.city UNION ALL SELECT city FROM health.city",
        "SELECT city FROM health.city WHERE city IN (SELECT city FROM health.city)",
        "SELECT city, random() FROM health.city",
        "SELECT 1",
        "SELECT dataset_name FROM basin.datasets",
    ] {
        let planned = world.engine.plan(world.request(sql)).await.unwrap();
        assert!(!planned.is_divisible(), "{sql}");
        let error = part(&world, sql, Part { index: 0, of: 2 }).await.unwrap_err();
        assert!(error.to_string().contains("parts"), "{sql}: {error}");
    }
}
