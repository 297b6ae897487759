//! Kept plans: nothing is planned twice, and a plan is used as long as it is what planning would give, no longer.

use crate::support::{World, principal, user};
use basin_catalog::{Change, ErrorClass, Grant, GrantId, Grantee};
use basin_engine::{EngineConfig, QueryOptions, ScalarValue};
use std::time::Duration;

/// An engine that keeps no results, so that each query is planned and run.
async fn world() -> World {
    World::with(EngineConfig { target_partitions: 2, result_cache_bytes: 0, ..EngineConfig::default() }).await
}

/// Hits and misses.
async fn figures(world: &World) -> String {
    let root = principal("root", None, &["admin"], None);
    let asked = "SELECT hits, misses FROM basin.caches WHERE cache_name = 'plans'";
    let found = world.ask_as(root, asked).await.unwrap();
    let (hits, misses) = found.split_once('|').unwrap();
    // This question is one of them.
    format!("{hits}|{}", misses.parse::<u64>().unwrap() - 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_is_planned_once() {
    let world = world().await;
    let count = "SELECT count(*) FROM health.city WHERE confirmed > 10";
    let expected = world.ask(count).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.ask(count).await.unwrap(), expected);
    }
    assert_eq!(figures(&world).await, "3|1");
    let unwanted = QueryOptions { without_cache: true, ..QueryOptions::default() };
    for _ in 0..2 {
        world.run(world.request_with(count, unwanted.clone())).await.unwrap();
    }
    assert_eq!(figures(&world).await, "4|3", "the earlier look at the figures was a miss, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_names_and_who_asks_make_another_plan() {
    let world = world().await;
    let above = "SELECT count(*) FROM health.city WHERE confirmed > $1";
    let value = |n: i64| vec![ScalarValue::Int64(Some(n))];
    assert_eq!(world.ask_with(above, value(41)).await.unwrap(), "1");
    assert_eq!(world.ask_with(above, value(40)).await.unwrap(), "2");
    assert_eq!(world.ask_with(above, vec![ScalarValue::Int32(Some(41))]).await.unwrap(), "1");
    let schema = |name: &str| QueryOptions { schema: Some(name.to_owned()), ..QueryOptions::default() };
    let bare = "SELECT count(*) FROM city";
    world.run(world.request_with(bare, schema("health"))).await.unwrap();
    assert!(world.run(world.request_with(bare, schema("other"))).await.is_err());
    assert_eq!(figures(&world).await, "0|5");
    let clinics = "SELECT count(*) FROM health.clinic";
    let root = principal("root", None, &["admin"], None);
    assert_eq!(world.ask_as(root, clinics).await.unwrap(), "3");
    assert_eq!(world.ask(clinics).await.unwrap_err().class(), ErrorClass::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_and_a_new_policy_make_another_plan() {
    let world = world().await;
    let count = "SELECT count(*) FROM health.city";
    assert_eq!(world.ask(count).await.unwrap(), "3");
    world.publish("health.city", 2, &[(Some("Hubei"), vec![("Wuhan", 18_274, Some(1))])]).await;
    assert_eq!(world.ask(count).await.unwrap(), "4");
    let clinics = "SELECT count(*) FROM health.clinic";
    let grant = world.grant(Grantee::User("ann".parse().unwrap()), None, 10).await;
    assert_eq!(world.ask(clinics).await.unwrap(), "3");
    world.commit(vec![Change::RevokeGrant(grant)]).await;
    assert_eq!(world.ask(clinics).await.unwrap_err().class(), ErrorClass::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_ends_with_the_grant_that_it_rests_on() {
    let world = world().await;
    let id = world.grant(Grantee::User("ann".parse().unwrap()), None, 10).await;
    let long = Grant::clone(&world.catalog.latest().await.unwrap().grants()[&id]);
    let until = chrono::Utc::now() + chrono::Duration::seconds(2);
    let short = Grant { id: GrantId::fresh(), not_after: Some(until), ..long };
    world.commit(vec![Change::RevokeGrant(id), Change::PutGrant(short)]).await;
    let clinics = "SELECT count(*) FROM health.clinic";
    assert_eq!(world.ask(clinics).await.unwrap(), "3");
    assert_eq!(world.ask(clinics).await.unwrap(), "3");
    assert_eq!(figures(&world).await, "1|1");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(world.ask(clinics).await.unwrap_err().class(), ErrorClass::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tells_the_time_is_planned_each_time() {
    let world = world().await;
    for sql in ["SELECT now()", "SELECT city, random() FROM health.city ORDER BY 1, 2"] {
        let first = world.ask(sql).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_ne!(world.ask_as(user("ann", None), sql).await.unwrap(), first, "{sql}");
        assert_ne!(world.ask(sql).await.unwrap(), first, "{sql}");
    }
    assert!(figures(&world).await.starts_with("0|"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plan_serves_many_at_once() {
    let world = world().await;
    let sql = "SELECT province, city, count(*) AS n, sum(confirmed) AS s FROM health.city a WHERE EXISTS \
               (SELECT 1 FROM health.city b WHERE b.city = a.city) GROUP BY 1, 2 ORDER BY 1, 2";
    let expected = world.ask(sql).await.unwrap();
    let asked = (0..16).map(|_| world.ask(sql));
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer.unwrap(), expected);
    }
    assert_eq!(figures(&world).await, "16|1");
}
