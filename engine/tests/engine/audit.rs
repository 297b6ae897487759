//! The audit: one record a walk, closed once, durable before anything is answered, seen by its owner.

use crate::support::{World, account, lines, principal, user};
use basin_catalog::{Catalog, Change, Principal, Store};
use basin_engine::{Engine, EngineConfig, EngineError, QueryRequest};
use futures::{StreamExt, TryStreamExt};
use std::time::{Duration, Instant};

const MINE: &str =
    "SELECT outcome, count(*) FROM basin.queries WHERE outcome IS NOT NULL GROUP BY 1 ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn each_walk_closes_once_with_its_outcome() {
    let world = World::new().await;
    world.ask("SELECT 1").await.unwrap();
    world.ask("SELECT * FROM health.city").await.unwrap();
    world.ask("SELECT * FROM health.secret").await.unwrap_err();
    world.ask("DROP TABLE x").await.unwrap_err();
    world.ask("SELECT nothing").await.unwrap_err();
    let mut stream =
        world.stream(world.request("SELECT value FROM generate_series(1, 100000000)")).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    drop(world.engine.plan(world.request("SELECT 2")).await.unwrap());
    assert_eq!(world.ask(MINE).await.unwrap(), "cancelled|2\nerror|1\nok|2\nrefused|2");
    let facts = "SELECT datasets, rows, user_name, finished_at >= started_at FROM basin.queries WHERE sql LIKE '%FROM health.city'";
    assert_eq!(world.ask(facts).await.unwrap(), "health.city|3|ann|true");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_their_own_and_admins_all() {
    let world = World::new().await;
    world.ask("SELECT 1").await.unwrap();
    let count = "SELECT count(*) FROM basin.queries WHERE sql = 'SELECT 1'";
    assert_eq!(world.ask_as(user("bob", None), count).await.unwrap(), "0");
    assert_eq!(world.ask_as(principal("root", None, &["admin"], None), count).await.unwrap(), "1");
    assert_eq!(world.ask_as(Principal::operator(), count).await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_outlive_the_engine() {
    let world = World::new().await;
    world.ask("SELECT 1").await.unwrap();
    world.ask("SELECT 1").await.unwrap();
    world.engine.close().await.unwrap();
    let catalog = Catalog::open(Store::open(world.folder.path().to_str().unwrap()).unwrap()).await.unwrap();
    let again =
        World { engine: Engine::new(catalog.clone(), EngineConfig::default()).unwrap(), catalog, ..world };
    again.ask("SELECT 1").await.unwrap();
    assert_eq!(again.ask(MINE).await.unwrap(), "ok|3");
}

/// What a process that starts now finds in the store: nothing of the first one's memory.
async fn found(world: &World, sql: &str) -> String {
    let catalog = Catalog::open(Store::open(world.folder.path().to_str().unwrap()).unwrap()).await.unwrap();
    let engine = Engine::new(catalog, EngineConfig::default()).unwrap();
    let request = QueryRequest { principal: Principal::operator(), ..world.request(sql) };
    let stream = engine.plan(request).await.unwrap().authorize().await.unwrap().admit().await.unwrap();
    let batches: Vec<_> = stream.execute().unwrap().try_collect().await.unwrap();
    lines(&batches)
}

const OUTCOMES: &str =
    "SELECT sql, outcome, rows FROM basin.queries WHERE sql NOT LIKE '%basin.queries%' ORDER BY started_at";

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_stored_before_the_first_batch_or_the_end() {
    let world = World::new().await;
    let many = "SELECT value FROM generate_series(1, 100000000)";
    let mut stream = world.stream(world.request(many)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(found(&world, OUTCOMES).await, format!("{many}||0"));
    let none = "SELECT 1 WHERE false";
    world.ask(none).await.unwrap();
    let stored = found(&world, OUTCOMES).await;
    assert!(stored.contains(none), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_stored_before_they_are_answered() {
    let world = World::with(EngineConfig {
        max_running: 1,
        max_waiting: 0,
        target_partitions: 1,
        ..EngineConfig::default()
    })
    .await;
    for sql in ["SELECT * FROM health.secret", "DROP TABLE x", "SELECT FROM WHERE", "SELECT nothing"] {
        world.ask(sql).await.unwrap_err();
        let stored = found(&world, OUTCOMES).await;
        assert!(stored.lines().last().unwrap().starts_with(sql), "{sql}: {stored}");
    }
    let running =
        world.stream(world.request("SELECT value FROM generate_series(1, 100000000)")).await.unwrap();
    let error = world.ask("SELECT 2").await.unwrap_err();
    assert!(matches!(error, EngineError::Busy(_)), "{error}");
    let stored = found(&world, OUTCOMES).await;
    assert!(stored.contains("SELECT 2|refused|0"), "{stored}");
    drop(running);
    let denied = world.engine.ingest(&world.request("INGEST INTO t"), None, "t").await.unwrap_err();
    assert!(matches!(denied, EngineError::ReadOnly(_)), "{denied}");
    let stored = found(&world, OUTCOMES).await;
    assert!(stored.contains("INGEST INTO t|refused|0"), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_leaves_when_no_record_can_be_stored() {
    let world = World::new().await;
    // Nobody, not even root, can write below a file.
    let audit = world.folder.path().join("audit");
    std::fs::write(&audit, "in the way").unwrap();
    let mut stream = world.stream(world.request("SELECT * FROM health.city")).await.unwrap();
    let (begun, first) = (Instant::now(), stream.next().await.unwrap());
    assert!(matches!(first, Err(EngineError::Busy(_))), "{first:?}");
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert!(stream.next().await.is_none());
    // An error is not answered either, and after a while new queries are refused at once.
    let begun = Instant::now();
    let refused = world.ask("SELECT nothing").await.unwrap_err();
    assert!(matches!(refused, EngineError::Busy(_)), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    std::fs::remove_file(&audit).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.ask("SELECT 1").await.unwrap(), "1");
    let stored = found(&world, OUTCOMES).await;
    assert!(stored.starts_with("SELECT * FROM health.city|refused|0"), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_see_all_queries_and_nothing_else() {
    let world = World::new().await;
    world.ask("SELECT 1").await.unwrap();
    let auditor = || principal("eve", None, &["auditor"], None);
    let count = "SELECT count(*) FROM basin.queries WHERE sql = 'SELECT 1'";
    assert_eq!(world.ask_as(auditor(), count).await.unwrap(), "1");
    world.ask_as(auditor(), "SELECT * FROM health.secret").await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_an_earlier_users_name_does_not_get_its_queries() {
    let world = World::new().await;
    let count = "SELECT count(*) FROM basin.queries WHERE sql = 'SELECT 1'";
    world.ask("SELECT 1").await.unwrap();
    assert_eq!(world.ask(count).await.unwrap(), "1");
    let base = world.catalog.latest().await.unwrap();
    world.catalog.commit(&base, "test", vec![Change::PutUser(account("ann", None, &[]))]).await.unwrap();
    assert_eq!(world.ask(count).await.unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rolled_audit_is_a_delta_table() {
    let world = World::new().await;
    for _ in 0..3 {
        world.ask("SELECT city FROM health.city WHERE confirmed > 1").await.unwrap();
        world.engine.roll_audit().await.unwrap();
    }
    let before = world.ask(MINE).await.unwrap();
    assert_eq!(before, "ok|3");
    // The record of that question itself.
    assert_eq!(world.engine.roll_audit().await.unwrap().records, 1);
    let url = url::Url::from_directory_path(world.folder.path().join("audit")).unwrap();
    let table = deltalake_core::open_table(url).await.unwrap();
    assert_eq!(table.snapshot().unwrap().metadata().partition_columns(), &["day"]);
    let files: Vec<_> = table.get_file_uris().unwrap().collect();
    assert_eq!(files.len(), 1, "small files of a day become one");
    let file = std::fs::File::open(files[0].trim_start_matches("file://")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 4);
    let since = "SELECT count(*) FROM basin.queries WHERE started_at >= now() - INTERVAL '1 day' AND sql LIKE '%health.city%'";
    assert_eq!(world.ask(since).await.unwrap(), "4");
    assert_eq!(
        world.ask("SELECT count(*) FROM basin.queries WHERE started_at < '2020-01-01'").await.unwrap(),
        "0"
    );
}
