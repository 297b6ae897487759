use std::path::Path as FilePath;

use basin_catalog::{AsOf, CatalogError, SnapshotId};

use super::*;
use crate::fsck::tests::{NEW, NEW_ROWS, OLD, checked, files, sound};
use crate::pool::tests::world::{World, name, plain};
use crate::testing::{Death, die_everywhere, dying, open};

fn request(grace: Duration) -> GcRequest {
    GcRequest { apply: true, grace, keep_versions: None, keep: None, threads: 2, author: "test".to_owned() }
}

async fn collected(folder: &FilePath, request: &GcRequest) -> GcReport {
    gc(&open(folder), request, &Progress::default()).await.unwrap()
}

/// A store with two versions, a pooling that died before it published, and an upload that never ended.
async fn littered() -> World {
    let world = World::new(&plain(), true).await;
    world.pool("a.csv", OLD).await.unwrap();
    world.pool("b.csv", NEW).await.unwrap();
    for at in 1.. {
        let death = Death::at(at, false);
        let dead = World::of(dying(&world.folder(), &death)).await;
        let Ok(dead) = dead else { continue };
        drop(dead.pool("c.csv", "date,city,confirmed\n2020-01-23,武汉,9\n").await);
        let unpublished = |orphan: &Orphan| orphan.kind == OrphanKind::UnpublishedVersion;
        if checked(&world.folder(), false).await.orphans.iter().any(unpublished) {
            break;
        }
    }
    std::fs::write(world.folder().join("data/health/city/part.parquet#17"), "half").unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_go_and_what_is_published_stays() {
    let world = littered().await;
    let before = sound(&world.folder()).await;
    let kinds =
        |report: &crate::FsckReport| report.orphans.iter().map(|orphan| orphan.kind).collect::<BTreeSet<_>>();
    for kind in [OrphanKind::UnpublishedFile, OrphanKind::UnpublishedVersion, OrphanKind::Upload] {
        assert!(kinds(&before).contains(&kind), "{kind:?}: {before}");
    }
    let young = collected(&world.folder(), &request(Duration::from_secs(3600))).await;
    assert!(young.removed.is_empty(), "{young}");
    let dry = GcRequest { apply: false, ..request(Duration::ZERO) };
    let told = collected(&world.folder(), &dry).await;
    assert_eq!(sound(&world.folder()).await.orphans.len(), before.orphans.len(), "a dry run changes nothing");
    let done = collected(&world.folder(), &request(Duration::ZERO)).await;
    assert_eq!(done.removed.len(), told.removed.len());
    assert!(!done.removed.is_empty() && done.expired.is_empty() && done.snapshot.is_none(), "{done}");
    let after = sound(&world.folder()).await;
    assert!(after.orphans.is_empty(), "{after}");
    assert_eq!((after.versions, after.files), (before.versions, before.files));
    assert_eq!(world.rows().await, NEW_ROWS);
    assert_eq!(
        world.pool("c.csv", "date,city,confirmed\n2020-01-23,武汉,9\n").await.unwrap().datasets[0].rows_in,
        1
    );
    assert_eq!(world.rows().await.len(), NEW_ROWS.len() + 1);
    sound(&world.folder()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_delta_version_never_names_files_that_are_gone() {
    let world = littered().await;
    collected(&world.folder(), &request(Duration::ZERO)).await;
    let table = world.data();
    let newest = (0..).zip(files(&world.folder(), &["data", "_delta_log", ".json"])).last().unwrap().0;
    let shown = table.files(newest).await.unwrap();
    assert_eq!(shown, world.published(None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_expire_only_when_asked_and_say_so() {
    let world = World::new(&plain(), true).await;
    let first = world.pool("a.csv", OLD).await.unwrap().snapshot;
    world.pool("b.csv", NEW).await.unwrap();
    let folder = world.folder();
    assert!(collected(&folder, &request(Duration::ZERO)).await.removed.is_empty());
    let hour = Duration::from_secs(3600);
    let kept = GcRequest { keep_versions: Some(1), keep: Some(hour), ..request(Duration::ZERO) };
    assert!(collected(&folder, &kept).await.expired.is_empty(), "both rules must let it go");
    let young = GcRequest { keep_versions: Some(1), ..request(hour) };
    assert!(collected(&folder, &young).await.expired.is_empty(), "superseded within the grace period");
    let done = collected(&folder, &GcRequest { keep_versions: Some(1), ..request(Duration::ZERO) }).await;
    assert_eq!((done.expired[0].versions, done.expired[0].kept), (1, 1));
    assert_eq!(done.removed.len(), 1, "the file whose slice was corrected: {done}");
    let report = sound(&folder).await;
    assert_eq!((report.versions, report.snapshot), (3, Some(4)), "rejects stay: {report}");
    let latest = world.catalog.latest().await.unwrap();
    assert_eq!(latest.dataset(&name()).unwrap().versions.len(), 1);
    let past = world.catalog.as_of(&AsOf::Snapshot(first)).await.unwrap();
    let expired = latest.check_kept(past.dataset(&name()).unwrap()).unwrap_err();
    assert!(matches!(&expired, CatalogError::Expired { version: 1, .. }));
    assert!(expired.to_string().contains("version 1 of health.city has expired"), "{expired}");
    assert!(expired.to_string().contains("the oldest that can be read is version 2"), "{expired}");
    assert!(latest.check_kept(latest.dataset(&name()).unwrap()).is_ok());
    assert_eq!(world.rows().await, NEW_ROWS);
    world.pool("c.csv", OLD).await.unwrap();
    sound(&folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_from_a_damaged_store() {
    let world = littered().await;
    let folder = world.folder();
    let published = world.published(None).await;
    let file = folder.join("data/health/city").join(published.keys().next().unwrap());
    std::fs::remove_file(file).unwrap();
    let there = files(&folder, &[]);
    let refused = gc(&open(&folder), &request(Duration::ZERO), &Progress::default()).await.unwrap_err();
    assert!(refused.to_string().contains("damaged") && refused.class() == ErrorClass::Internal, "{refused}");
    assert_eq!(files(&folder, &[]), there);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gc_that_dies_anywhere_leaves_a_sound_store() {
    let world = littered().await;
    let all = GcRequest { keep_versions: Some(1), ..request(Duration::ZERO) };
    let collect = async |store: Store| drop(gc(&store, &all, &Progress::default()).await);
    let check = async |folder: &FilePath| {
        sound(folder).await;
        let world = World::reopened(folder).await;
        assert_eq!(world.rows().await, NEW_ROWS);
        collected(folder, &all).await;
        assert!(sound(folder).await.orphans.is_empty());
        assert_eq!(world.rows().await, NEW_ROWS);
        let first = world.catalog.snapshot(SnapshotId(2)).await.unwrap();
        assert!(world.catalog.latest().await.unwrap().check_kept(first.dataset(&name()).unwrap()).is_err());
    };
    let deaths = die_everywhere(&world.folder(), collect, check).await;
    assert!(deaths > 40, "only {deaths} requests were tried");
}
