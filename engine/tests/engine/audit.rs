//! The audit: one record a walk, closed once, seen by its owner, kept over restarts.

use crate::support::{World, principal, user};
use basin_catalog::{Catalog, Principal, Store};
use basin_engine::{Engine, EngineConfig};
use futures::StreamExt;

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
