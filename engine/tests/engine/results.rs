//! Kept results: exact, shared by those with the same access and nobody else, audited like a run, and bounded.

use crate::policed::{self, ann, minimum_cell, rows};
use crate::support::{World, lines, principal, statistics, user};
use basin_catalog::{AsOf, Change, ErrorClass, Grantee};
use basin_engine::{EngineConfig, EngineError, Part, QueryOptions, QueryRequest, ScalarValue};
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use std::time::Duration;

const CITIES: &str =
    "SELECT province, count(*) AS n, max(confirmed) AS m FROM health.city GROUP BY 1 ORDER BY 1";

/// Hits, misses and hits that waited for another's run.
async fn figures(world: &World) -> String {
    let root = principal("root", None, &["admin"], None);
    world
        .ask_as(root, "SELECT hits, misses, shared FROM basin.caches WHERE cache_name = 'results'")
        .await
        .unwrap()
}

/// What EXPLAIN says of a statement's result.
async fn told(world: &World, sql: &str) -> String {
    let rows = world.ask(&format!("EXPLAIN {sql}")).await.unwrap();
    let row = rows.lines().find_map(|row| row.strip_prefix("result_cache|"));
    row.unwrap_or_else(|| unreachable!("{rows}")).to_owned()
}

fn without_cache() -> QueryOptions {
    QueryOptions { without_cache: true, ..QueryOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_result_equals_its_run() {
    let world = World::new().await;
    for sql in [
        CITIES,
        "SELECT * FROM health.city",
        "SELECT city, confirmed FROM health.city WHERE confirmed > 1000",
        "SELECT 1 AS one, 'x' AS text",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
        "SELECT a.city FROM health.city a WHERE a.confirmed = (SELECT max(confirmed) FROM health.city b WHERE b.day = a.day)",
    ] {
        let run = world.stream(world.request(sql)).await.unwrap();
        assert!(run.shelf().is_none(), "{sql}");
        let schema = run.schema();
        let run: Vec<_> = run.try_collect().await.unwrap();
        let kept = world.stream(world.request(sql)).await.unwrap();
        assert!(kept.shelf().is_some(), "{sql}: {}", told(&world, sql).await);
        assert_eq!(kept.schema(), schema);
        let kept: Vec<_> = kept.try_collect().await.unwrap();
        assert_eq!(kept, run, "{sql}");
        let again: Vec<_> = world.run(world.request_with(sql, without_cache())).await.unwrap();
        // Runs may give rows in another order where nobody asked for one.
        let sorted = |rows: &[_]| {
            let mut rows: Vec<String> = lines(rows).lines().map(ToOwned::to_owned).collect();
            rows.sort();
            rows
        };
        assert_eq!(sorted(&again), sorted(&run), "{sql}");
    }
    assert_eq!(figures(&world).await, "6|6|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_another_question() {
    let world = World::new().await;
    let count = "SELECT count(*) FROM health.city";
    assert_eq!(world.ask(count).await.unwrap(), "3");
    let before = world.catalog.latest().await.unwrap().id();
    world.publish("health.city", 2, &[(Some("Hubei"), vec![("Wuhan", 18_274, Some(1))])]).await;
    let now = world.ask(count).await.unwrap();
    assert_ne!(now, "3");
    let earlier = QueryRequest { as_of: AsOf::Snapshot(before), ..world.request(count) };
    assert_eq!(lines(&world.run(earlier).await.unwrap()), "3");
    assert_eq!(world.ask(count).await.unwrap(), now);
    assert_eq!(figures(&world).await, "2|2|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_in_anything_is_another_question() {
    let world = World::new().await;
    let mut answers = vec![];
    for sql in [
        "SELECT max(confirmed) AS m FROM health.city",
        "SELECT max(confirmed) AS n FROM health.city",
        "SELECT min(confirmed) AS m FROM health.city",
        "SELECT max(confirmed) AS m FROM health.city WHERE city < 'X'",
        "SELECT max(confirmed) AS m FROM health.city WHERE city < 'x'",
        "SELECT CAST(max(confirmed) AS INT) AS m FROM health.city",
        "SELECT max(confirmed) + 0.0 AS m FROM health.city",
        "SELECT max(confirmed) + -0.0 AS m FROM health.city",
        "SELECT max(confirmed) AS m FROM health.city LIMIT 1",
    ] {
        let stream = world.stream(world.request(sql)).await.unwrap();
        assert!(stream.shelf().is_none(), "{sql}");
        answers.push(stream.try_collect::<Vec<_>>().await.unwrap());
    }
    let values = |n: i64| vec![ScalarValue::Int64(Some(n))];
    let sql = "SELECT count(*) FROM health.city WHERE confirmed > $1";
    assert_eq!(world.ask_with(sql, values(41)).await.unwrap(), "1");
    assert_eq!(world.ask_with(sql, values(40)).await.unwrap(), "2");
    assert_eq!(world.ask_with(sql, values(41)).await.unwrap(), "1");
    assert_eq!(figures(&world).await, "1|11|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_change_is_never_kept() {
    let world = World::new().await;
    for (sql, why) in [
        ("SELECT random()", "random() may give something else"),
        ("SELECT city FROM health.city ORDER BY uuid()", "uuid() may"),
        ("SELECT now()", "now() may"),
        ("SELECT count(*) FROM health.city WHERE day < current_date", "current_date() may"),
        ("SELECT count(*) FROM health.city WHERE EXISTS (SELECT random() > 0.5)", "random() may"),
        ("SELECT count(*) FROM basin.queries", "basin.queries has no version"),
        ("SELECT count(*) FROM basin.rejects", "has no version"),
        ("SELECT count(*) FROM information_schema.tables", "has no version"),
        ("SELECT count(*) FROM generate_series(1, 3)", "has no version"),
    ] {
        world.ask(sql).await.unwrap();
        let stream = world.stream(world.request(sql)).await.unwrap();
        assert!(stream.shelf().is_none(), "{sql}");
        let told = told(&world, sql).await;
        assert!(told.starts_with("not kept: ") && told.contains(why), "{sql}: {told}");
    }
    let part = QueryOptions { part: Some(Part { index: 0, of: 2 }), ..QueryOptions::default() };
    for _ in 0..2 {
        world.run(world.request_with("SELECT city FROM health.city", part.clone())).await.unwrap();
    }
    world.ask("SELECT 1 / (confirmed - 41) FROM health.city").await.unwrap_err();
    world.ask("SELECT 1 / (confirmed - 41) FROM health.city").await.unwrap_err();
    assert_eq!(figures(&world).await, "0|2|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_whether_it_is_kept() {
    let world = World::new().await;
    assert_eq!(told(&world, CITIES).await, "not kept yet");
    world.ask(CITIES).await.unwrap();
    assert!(told(&world, CITIES).await.starts_with("kept: "));
    let off = world.run(world.request_with(&format!("EXPLAIN {CITIES}"), without_cache())).await.unwrap();
    assert!(lines(&off).contains("not kept: the session wants none"), "{}", lines(&off));
    let off = World::with(EngineConfig { result_cache_bytes: 0, ..EngineConfig::default() }).await;
    off.ask(CITIES).await.unwrap();
    off.ask(CITIES).await.unwrap();
    assert!(told(&off, CITIES).await.contains("the server keeps no results"));
    assert_eq!(figures(&off).await, "0|0|0");
    assert_eq!(world.ask("SELECT count(*) FROM basin.caches").await.unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_access_shares_and_another_does_not() {
    let world = policed::world().await;
    world.commit(vec![rows("province = '33'")]).await;
    let count = "SELECT count(*) FROM health.people";
    let bob = || user("bob", Some(statistics()));
    assert_eq!(world.ask_as(ann(None), count).await.unwrap(), "7");
    // The filter asks for nobody: another user under the same one has the same.
    assert_eq!(world.ask_as(bob(), count).await.unwrap(), "7");
    assert_eq!(figures(&world).await, "1|1|0");
    // All rows, with the same text.
    assert_eq!(world.ask_as(policed::provider(), count).await.unwrap(), "18");
    assert_eq!(figures(&world).await, "1|2|0");
    // A filter that asks who asks is another question for each.
    world.commit(vec![rows("province = '33' OR id = $user")]).await;
    world.ask_as(ann(None), count).await.unwrap();
    world.ask_as(bob(), count).await.unwrap();
    assert_eq!(figures(&world).await, "1|4|0");
    world.ask_as(bob(), count).await.unwrap();
    assert_eq!(figures(&world).await, "2|4|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_and_items_are_part_of_the_question() {
    let world = policed::world().await;
    let names = "SELECT id, name FROM health.people ORDER BY id LIMIT 3";
    let clear = world.ask_as(ann(None), names).await.unwrap();
    world.commit(vec![policed::mask("name", basin_catalog::Mask::Null {})]).await;
    let masked = world.ask_as(ann(None), names).await.unwrap();
    assert_ne!(clear, masked);
    assert_eq!(world.ask_as(policed::provider(), names).await.unwrap(), clear);
    assert_eq!(world.ask_as(ann(None), names).await.unwrap(), masked);
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_cells_are_remembered_of_a_kept_result() {
    let world = policed::world().await;
    world.commit(vec![minimum_cell(5, None)]).await;
    let groups = "SELECT province, sex, count(*) AS n FROM health.people GROUP BY 1, 2 ORDER BY 1, 2";
    let run = world.ask_as(ann(None), groups).await.unwrap();
    assert_eq!(world.ask_as(ann(None), groups).await.unwrap(), run);
    let facts = "SELECT from_cache, cells_suppressed, rows, outcome FROM basin.queries WHERE sql LIKE '%GROUP BY 1, 2%' \
                 AND outcome IS NOT NULL ORDER BY started_at";
    let seen = world.ask_as(ann(None), facts).await.unwrap();
    let seen: Vec<&str> = seen.lines().collect();
    let [first, second] = seen.as_slice() else { unreachable!("{seen:?}") };
    assert_eq!(first.replace("false", "true"), **second);
    assert!(first.starts_with("false|") && !first.contains("|0|"), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_refused_to_whom_it_is_no_longer_granted() {
    let world = World::new().await;
    let to = || Grantee::User("ann".parse().unwrap());
    let grant = world.grant(to(), None, 10).await;
    let clinics = "SELECT count(*) FROM health.clinic";
    assert_eq!(world.ask(clinics).await.unwrap(), "3");
    assert_eq!(world.ask(clinics).await.unwrap(), "3");
    assert_eq!(figures(&world).await, "1|1|0");
    let mut streaming = world.stream(world.request(clinics)).await.unwrap();
    world.commit(vec![Change::RevokeGrant(grant)]).await;
    assert_eq!(world.ask(clinics).await.unwrap_err().class(), ErrorClass::NotFound);
    // Kept rows are under the lease of a run.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let error = streaming.next().await.unwrap().unwrap_err();
    assert!(matches!(error, EngineError::Withdrawn(_)), "{error}");
    // Another grant of the same access is answered from what is kept.
    world.grant(to(), None, 20).await;
    assert_eq!(world.ask(clinics).await.unwrap(), "3");
}

fn one_place() -> EngineConfig {
    EngineConfig { target_partitions: 2, max_running: 1, max_waiting: 1, ..EngineConfig::default() }
}

/// Starts queries that ask the same while the only place is taken.
async fn ask_at_once(
    world: &Arc<World>,
    times: usize,
) -> Vec<tokio::task::JoinHandle<Result<String, EngineError>>> {
    let mut asked = vec![];
    for _ in 0..times {
        let own = Arc::clone(world);
        asked.push(tokio::spawn(async move { own.ask(CITIES).await }));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_at_once_runs_once() {
    let world = Arc::new(World::with(one_place()).await);
    let taken = world.stream(world.request("SELECT value FROM generate_series(1, 100000000)")).await.unwrap();
    // One waits for the place; there is no second seat, and the others need none.
    let asked = ask_at_once(&world, 6).await;
    drop(taken);
    let mut answers = vec![];
    for asked in asked {
        answers.push(asked.await.unwrap().unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert!(figures(&world).await.starts_with("5|1|"), "{}", figures(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_one_that_runs_is_cancelled_another_runs() {
    let world = Arc::new(World::with(one_place()).await);
    let taken = world.stream(world.request("SELECT value FROM generate_series(1, 100000000)")).await.unwrap();
    let mut asked = ask_at_once(&world, 4).await;
    let (first, last) = (asked.remove(0), asked.pop().unwrap());
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    // One that waits for the run of another can go too.
    last.abort();
    assert!(last.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(taken);
    for asked in asked {
        assert_eq!(asked.await.unwrap().unwrap(), world.ask(CITIES).await.unwrap());
    }
    // The first may have gone before it looked, and the last may have led before it went.
    let figures = figures(&world).await;
    assert!(["3|1|", "3|2|", "3|3|"].iter().any(|start| figures.starts_with(start)), "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_has_its_own_time() {
    let world = Arc::new(World::with(one_place()).await);
    let taken = world.stream(world.request("SELECT value FROM generate_series(1, 100000000)")).await.unwrap();
    let asked = ask_at_once(&world, 1).await;
    let briefly = QueryOptions { timeout: Some(Duration::from_millis(200)), ..QueryOptions::default() };
    let error = world.run(world.request_with(CITIES, briefly)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::DeadlineExceeded, "{error}");
    drop(taken);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_delays_nobody_who_waits_for_the_same() {
    let world = World::with(EngineConfig { batch_rows: 1, ..EngineConfig::default() }).await;
    let many = "SELECT a.city, b.city FROM health.city a, health.city b, health.city c";
    let slow = world.stream(world.request(many)).await.unwrap();
    let quick = tokio::time::timeout(Duration::from_secs(10), world.ask(many)).await.unwrap().unwrap();
    assert_eq!(quick.lines().count(), 27);
    let slow: Vec<_> = slow.try_collect().await.unwrap();
    assert_eq!(lines(&slow).lines().count(), 27);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    let world = World::with(EngineConfig {
        result_cache_bytes: 1 << 20,
        target_partitions: 1,
        ..EngineConfig::default()
    })
    .await;
    // More than a sixteenth of the cache.
    let large =
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n";
    for _ in 0..2 {
        let stream = world.stream(world.request(large)).await.unwrap();
        assert!(stream.shelf().is_none());
        assert_eq!(
            stream.try_collect::<Vec<_>>().await.unwrap().iter().map(|b| b.num_rows()).sum::<usize>(),
            20_000
        );
    }
    assert!(told(&world, large).await.contains("larger than what is kept"));
    let root = || principal("root", None, &["admin"], None);
    for n in 0..300 {
        world.ask(&format!("SELECT city, confirmed + {n} FROM health.city")).await.unwrap();
        if n % 50 == 0 {
            let within = "SELECT bytes <= capacity_bytes AND capacity_bytes = 1048576 FROM basin.caches WHERE cache_name = 'results'";
            assert_eq!(world.ask_as(root(), within).await.unwrap(), "true");
        }
    }
    let held = world
        .ask_as(
            root(),
            "SELECT entries > 10 AND entries < 300 FROM basin.caches WHERE cache_name = 'results'",
        )
        .await
        .unwrap();
    assert_eq!(held, "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_statement_is_answered_and_not_kept() {
    let world = World::new().await;
    let deep =
        format!("SELECT count(*) FROM health.city WHERE {}confirmed > 0", "confirmed = 1 OR ".repeat(900));
    for _ in 0..2 {
        assert_eq!(world.ask(&deep).await.unwrap(), "2");
    }
    let wide: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
    let wide = format!("SELECT count(*) FROM health.city WHERE confirmed IN ({})", wide.join(", "));
    for _ in 0..2 {
        assert_eq!(world.ask(&wide).await.unwrap(), "2");
    }
    assert_eq!(figures(&world).await, "1|1|0");
}
