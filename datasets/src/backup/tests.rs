use std::path::Path as FilePath;

use tempfile::TempDir;

use super::*;
use crate::fsck::tests::{NEW, NEW_ROWS, OLD, OLD_ROWS, files, sound};
use crate::pool::tests::world::{World, plain};
use crate::testing::{die_everywhere, open};

async fn backed_up(from: &FilePath, to: &FilePath) -> Result<BackupReport> {
    backup(&open(from), &open(to), false, &Progress::default()).await
}

async fn restored(from: &FilePath) -> Result<(TempDir, World)> {
    let to = TempDir::new().unwrap();
    restore(&open(from), &open(to.path()), false, &Progress::default()).await?;
    sound(to.path()).await;
    let world = World::reopened(to.path()).await;
    Ok((to, world))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_incremental_and_restores_the_same() {
    let (world, copy) = (World::new(&plain(), true).await, TempDir::new().unwrap());
    world.catalog.mask_key().await.unwrap();
    world.pool("a.csv", OLD).await.unwrap();
    let first = backed_up(&world.folder(), copy.path()).await.unwrap();
    assert_eq!((first.snapshot, first.kept), (2, 0));
    assert_eq!(restored(copy.path()).await.unwrap().1.rows().await, OLD_ROWS);
    world.pool("b.csv", NEW).await.unwrap();
    let second = backed_up(&world.folder(), copy.path()).await.unwrap();
    // One data file, one of rejects, and an entry in the log of each.
    assert_eq!((second.snapshot, second.kept), (3, 4), "{second}");
    let (_folder, again) = restored(copy.path()).await.unwrap();
    assert_eq!(again.rows().await, NEW_ROWS);
    assert_eq!(again.rejects().await, world.rejects().await);
    assert_eq!(again.catalog.mask_key().await.unwrap(), world.catalog.mask_key().await.unwrap());
    assert_eq!(*again.catalog.latest().await.unwrap(), *world.catalog.latest().await.unwrap());
    let third = backed_up(&world.folder(), copy.path()).await.unwrap();
    assert_eq!(third.copied_bytes, 0, "{third}");
    // The restored store goes on by itself.
    again.pool("c.csv", "date,city,confirmed\n2020-01-25,武汉,1\n").await.unwrap();
    sound(&again.folder()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_are_never_written_over() {
    let (world, copy) = (World::new(&plain(), true).await, TempDir::new().unwrap());
    let other = World::new(&plain(), true).await;
    world.pool("a.csv", OLD).await.unwrap();
    backed_up(&world.folder(), copy.path()).await.unwrap();
    let into_other = backed_up(&world.folder(), &other.folder()).await.unwrap_err();
    assert!(into_other.to_string().contains("another catalog"), "{into_other}");
    let over = restore(&open(copy.path()), &other.catalog.store().clone(), false, &Progress::default()).await;
    let over = over.unwrap_err();
    assert!(over.to_string().contains("holds a catalog already"), "{over}");
    assert_eq!(over.class(), ErrorClass::Conflict);
    let itself = backed_up(&world.folder(), &world.folder()).await.unwrap_err();
    assert_eq!(itself.class(), ErrorClass::InvalidInput);
    let none = restored(&world.folder()).await.err().unwrap();
    assert_eq!(none.class(), ErrorClass::NotFound, "{none}");
    std::fs::remove_file(files(&world.folder(), &["data", ".parquet"]).remove(0)).unwrap();
    let broken = backed_up(&world.folder(), TempDir::new().unwrap().path()).await.unwrap_err();
    assert!(broken.to_string().contains(".parquet"), "{broken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_dies_anywhere_is_none_or_the_one_before() {
    let (world, empty, older) =
        (World::new(&plain(), true).await, TempDir::new().unwrap(), TempDir::new().unwrap());
    world.pool("a.csv", OLD).await.unwrap();
    backed_up(&world.folder(), older.path()).await.unwrap();
    world.pool("b.csv", NEW).await.unwrap();
    let from = world.folder();
    for (base, before) in [(empty.path(), false), (older.path(), true)] {
        let work = async |to| drop(backup(&open(&from), &to, false, &Progress::default()).await);
        let check = async |copy: &FilePath| {
            match restored(copy).await {
                Ok((_folder, restored)) => {
                    let rows = restored.rows().await;
                    assert!(rows == NEW_ROWS || (before && rows == OLD_ROWS), "{rows:?}");
                }
                Err(error) => {
                    assert!(!before && error.to_string().contains("no backup that is whole"), "{error}")
                }
            }
            backed_up(&from, copy).await.unwrap();
            assert_eq!(restored(copy).await.unwrap().1.rows().await, NEW_ROWS);
        };
        assert!(die_everywhere(base, work, check).await > 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restoration_that_dies_anywhere_is_no_catalog_and_can_be_repeated() {
    let (world, copy, empty) =
        (World::new(&plain(), true).await, TempDir::new().unwrap(), TempDir::new().unwrap());
    world.pool("a.csv", OLD).await.unwrap();
    backed_up(&world.folder(), copy.path()).await.unwrap();
    let work = async |to| drop(restore(&open(copy.path()), &to, false, &Progress::default()).await);
    let check = async |to: &FilePath| {
        if !holds_catalog(&open(to)).await.unwrap() {
            assert!(basin_catalog::Catalog::open(open(to)).await.is_err());
            restore(&open(copy.path()), &open(to), false, &Progress::default()).await.unwrap();
        }
        sound(to).await;
        assert_eq!(World::reopened(to).await.rows().await, OLD_ROWS);
    };
    assert!(die_everywhere(empty.path(), work, check).await > 20);
}
