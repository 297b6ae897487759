//! Distinct-value estimates follow what a version holds: over slices, replaced slices, checkpoints, and old files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use basin_catalog::{Change, DatasetVersion, Publication};

use super::world::{World, name, plain};
use crate::table::{FileSet, TableFile, TableShape, stored_schema};

/// A day on which `cities` cities from `first` on report.
fn day(day: u32, first: u32, cities: u32) -> String {
    let mut text = "date,city,confirmed\n".to_owned();
    for city in first..first + cities {
        let _ = writeln!(text, "2020-01-{day:02},city {city},{}", city % 50);
    }
    text
}

async fn estimates(world: &World) -> BTreeMap<String, u64> {
    let snapshot = world.catalog.latest().await.unwrap();
    snapshot.dataset(&name()).unwrap().current().unwrap().distinct.clone()
}

fn assert_near(estimates: &BTreeMap<String, u64>, item: &str, exact: u64) {
    let estimate = estimates[item];
    assert!(estimate.abs_diff(exact) * 20 <= exact, "{item}: {estimate}, exactly {exact}");
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_are_the_union_over_slices() {
    for on_disk in [false, true] {
        let world = World::new(&plain(), on_disk).await;
        world.pool("a.csv", &day(1, 0, 4_000)).await.unwrap();
        world.pool("b.csv", &day(2, 2_000, 4_000)).await.unwrap();
        let now = estimates(&world).await;
        assert_near(&now, "city", 6_000);
        assert_eq!((now["date"], now["confirmed"], now["occurrence"]), (2, 50, 1));
        // The second day is corrected: its cities are not counted any more, and what stays is.
        world.pool("c.csv", &day(2, 0, 100)).await.unwrap();
        assert_near(&estimates(&world).await, "city", 4_000);
        // A file of both days is rewritten when one of them is replaced.
        let both = day(1, 0, 3_000) + day(2, 3_000, 3_000).split_once('\n').unwrap().1;
        world.pool("d.csv", &both).await.unwrap();
        assert_near(&estimates(&world).await, "city", 6_000);
        world.pool("e.csv", &day(2, 0, 1)).await.unwrap();
        assert_near(&estimates(&world).await, "city", 3_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_outlive_checkpoints_and_lost_unions() {
    let world = World::new(&plain(), true).await;
    for number in 1..=12 {
        world.pool("a.csv", &day(number, number * 100, 200)).await.unwrap();
    }
    assert_near(&estimates(&world).await, "city", 1_300);
    let folder = world.catalog.store().data_path(&name()).join("_distinct");
    let store = world.catalog.store().objects();
    let unions = store.list_with_delimiter(Some(&folder)).await.unwrap().objects;
    assert_eq!(unions.len(), 1, "one union a dataset is kept");
    object_store::ObjectStoreExt::delete(store.as_ref(), &unions[0].location).await.unwrap();
    world.pool("a.csv", &day(13, 1_300, 200)).await.unwrap();
    assert_near(&estimates(&world).await, "city", 1_400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_files_of_earlier_releases_has_none() {
    let world = World::new(&plain(), false).await;
    world.pool("a.csv", &day(1, 0, 100)).await.unwrap();
    // As an earlier release wrote it: a file without sketches.
    let old: FileSet = world
        .published(None)
        .await
        .into_iter()
        .map(|(path, file)| (path, TableFile { counts: None, ..file }))
        .collect();
    let shape = TableShape {
        schema: stored_schema(
            &world.catalog.latest().await.unwrap().dataset(&name()).unwrap().definition.arrow_schema(),
        ),
        partition: Vec::new(),
    };
    world.data().commit(&FileSet::new(), &shape).await.unwrap();
    let table_version = world.data().commit(&old, &shape).await.unwrap();
    let snapshot = world.catalog.latest().await.unwrap();
    let current = snapshot.dataset(&name()).unwrap().current().unwrap();
    let version = DatasetVersion {
        number: 2,
        table_version,
        delivery: None,
        distinct: BTreeMap::new(),
        ..current.clone()
    };
    let publication = Publication { dataset: name(), base_version: 1, version, delivery: None };
    let changes = vec![Change::Publish(Box::new(publication))];
    world.catalog.commit(&snapshot, "test", changes).await.unwrap();
    world.pool("b.csv", &day(2, 0, 100)).await.unwrap();
    assert!(estimates(&world).await.is_empty());
    // Once the old file is gone, the version is counted again.
    world.pool("c.csv", &day(1, 0, 300)).await.unwrap();
    assert_near(&estimates(&world).await, "city", 300);
}
