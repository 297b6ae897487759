//! Limits: places, time, memory, size; and that dropping a stream stops the work.

use crate::support::World;
use basin_catalog::ErrorClass;
use basin_engine::{EngineConfig, QueryOptions};
use futures::StreamExt;
use std::time::{Duration, Instant};

/// Never ends in a test's time, in each kind of operator.
const ENDLESS: [&str; 8] = [
    "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b WHERE a.value + b.value = -1",
    "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value % 2 = b.value % 2 AND a.value + b.value < 0",
    "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value % 2 = b.value % 2",
    "SELECT sum(a.value * b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
    "SELECT max(s) FROM (SELECT sum(value) OVER (ROWS BETWEEN 1000 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 1000000000000))",
    "SELECT a.value FROM generate_series(1, 1000000000000) a ORDER BY a.value DESC LIMIT 1",
    "SELECT sum(a.value % 7) FROM generate_series(1, 1000000000000) a",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
];

fn small() -> EngineConfig {
    EngineConfig { target_partitions: 2, max_running: 1, max_waiting: 1, ..EngineConfig::default() }
}

fn briefly() -> QueryOptions {
    QueryOptions { timeout: Some(Duration::from_millis(300)), ..QueryOptions::default() }
}

async fn wait_for_place(world: &World) -> Duration {
    let start = Instant::now();
    while world.engine.free_places() == 0 && start.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_stream_stops_the_work() {
    let world = World::with(small()).await;
    for sql in ENDLESS {
        let mut stream = world.stream(world.request(sql)).await.unwrap();
        assert_eq!(world.engine.free_places(), 0);
        let _ = tokio::time::timeout(Duration::from_millis(200), stream.next()).await;
        drop(stream);
        let waited = wait_for_place(&world).await;
        assert!(waited < Duration::from_secs(1), "{sql}: {waited:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_at_its_limit() {
    let world = World::with(small()).await;
    for sql in ENDLESS {
        let request = world.request_with(sql, briefly());
        let start = Instant::now();
        let error = world.run(request).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::DeadlineExceeded, "{error}");
        assert!(start.elapsed() < Duration::from_secs(3), "{sql}: {:?}", start.elapsed());
        wait_for_place(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unread_stream_ends_at_its_limit_too() {
    let world = World::with(small()).await;
    let request = world.request_with("SELECT value FROM generate_series(1, 100000000)", briefly());
    let mut stream = world.stream(request).await.unwrap();
    stream.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(world.engine.free_places(), 1);
    let mut last = None;
    while let Some(batch) = stream.next().await {
        last = Some(batch);
    }
    assert_eq!(last.unwrap().unwrap_err().class(), ErrorClass::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_and_then_refuses() {
    let config = EngineConfig { queue_timeout: Duration::from_millis(200), ..small() };
    let world = World::with(config).await;
    let running = world.stream(world.request(ENDLESS[0])).await.unwrap();
    let late = world.ask("SELECT 1").await.unwrap_err();
    assert_eq!(late.class(), ErrorClass::ResourceExhausted, "{late}");
    let (first, second) = tokio::join!(world.ask("SELECT 1"), world.ask("SELECT 1"));
    assert!(first.is_err() && second.is_err());
    drop(running);
    wait_for_place(&world).await;
    assert_eq!(world.ask("SELECT 1").await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn spills_or_fails_alone() {
    let config = EngineConfig { memory_bytes: 30 << 20, ..small() };
    let world = World::with(config).await;
    let sorted =
        world.request("SELECT value FROM generate_series(1, 4000000) ORDER BY value * 7919 % 4000003");
    let batches = world.run(sorted).await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 4_000_000);
    let bomb = "SELECT array_agg(value) FROM generate_series(1, 50000000)";
    let error = world.ask(bomb).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ResourceExhausted, "{error}");
    assert!(!error.to_string().contains("consumer"), "{error}");
    assert_eq!(world.ask("SELECT 1").await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_statements_are_refused_and_kill_nothing() {
    let world = World::new().await;
    let ors = |terms: usize| format!("SELECT 1 WHERE {}", vec!["1 = 2"; terms].join(" OR "));
    let bombs = [
        ors(20_000),
        ors(4_000),
        vec!["SELECT 1"; 10_000].join(" UNION ALL "),
        format!("SELECT {}", vec!["1"; 5_000].join(" + ")),
        format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500)),
        format!("SELECT {}true", "NOT ".repeat(5_000)),
        format!("SELECT {}1", "- ".repeat(5_000)),
        format!("SELECT '{}'", "x".repeat(1 << 20)),
    ];
    for bomb in bombs {
        let start = Instant::now();
        let error = world.ask(&bomb).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{error}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    let mut ctes = "WITH c0 AS (SELECT 1 AS a)".to_owned();
    for level in 1..=14 {
        let before = level - 1;
        ctes.push_str(&format!(", c{level} AS (SELECT x.a FROM c{before} x, c{before} y)"));
    }
    let error = world.ask(&format!("{ctes} SELECT count(*) FROM c14")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::InvalidInput, "{error}");
    assert_eq!(world.ask(&ors(300)).await.unwrap(), "");
    let list: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    let sql = format!("SELECT count(*) FROM health.city WHERE confirmed IN ({})", list.join(","));
    assert_eq!(world.ask(&sql).await.unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_bounds_one_query_and_no_other() {
    let world = World::new().await;
    let sql = "SELECT array_length(array_agg(value)) FROM generate_series(1, 1000000)";
    let budget = QueryOptions { memory_bytes: Some(1 << 20), ..QueryOptions::default() };
    let error = world.run(world.request_with(sql, budget.clone())).await.unwrap_err();
    assert!(matches!(error, basin_engine::EngineError::OutOfMemory { .. }), "{error:?}");
    assert_eq!(world.ask(sql).await.unwrap(), "1000000");
    // What fits runs, and what may spill does.
    let small = world.request_with("SELECT count(*) FROM health.city", budget);
    assert_eq!(crate::support::lines(&world.run(small).await.unwrap()), "3");
    let budget = QueryOptions { memory_bytes: Some(24 << 20), ..QueryOptions::default() };
    let sql =
        "SELECT sum(value) FROM (SELECT value FROM generate_series(1, 4000000) ORDER BY value % 1000, value)";
    let sorted = world.run(world.request_with(sql, budget)).await.unwrap();
    assert_eq!(crate::support::lines(&sorted), "8000002000000");
}
