use std::path::{Path, PathBuf};

use basin_catalog::Catalog;

use super::*;
use crate::pool::tests::world::{World, plain};
use crate::testing::{die_everywhere, open};

pub(crate) const OLD: &str =
    "date,city,confirmed\n2020-01-20,武汉,1\n2020-01-20,宜昌,2\n2020-01-21,武汉,3\nx,武汉,3\n";
/// Corrects one day, adds another, and has a reject of its own.
pub(crate) const NEW: &str = "date,city,confirmed\n2020-01-21,武汉,30\n2020-01-22,宜昌,4\ny,武汉,3\n";
pub(crate) const OLD_ROWS: [&str; 3] = ["2020-01-20|宜昌|2|1", "2020-01-20|武汉|1|1", "2020-01-21|武汉|3|1"];
pub(crate) const NEW_ROWS: [&str; 4] =
    ["2020-01-20|宜昌|2|1", "2020-01-20|武汉|1|1", "2020-01-21|武汉|30|1", "2020-01-22|宜昌|4|1"];

pub(crate) async fn checked(folder: &Path, deep: bool) -> FsckReport {
    fsck(&open(folder), deep, 2, &Progress::default()).await.unwrap()
}

pub(crate) async fn sound(folder: &Path) -> FsckReport {
    let report = checked(folder, true).await;
    assert!(report.sound, "{report}");
    report
}

/// The objects below a folder whose path has all the words.
pub(crate) fn files(folder: &Path, words: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, words));
        } else if words.iter().all(|word| path.to_str().unwrap().contains(word)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_sound_and_its_figures_add_up() {
    let world = World::new(&plain(), true).await;
    world.pool("a.csv", OLD).await.unwrap();
    world.pool("b.csv", NEW).await.unwrap();
    let report = sound(&world.folder()).await;
    // Data and rejects, two versions each; the slice that was corrected had its file rewritten.
    assert_eq!((report.tables, report.versions, report.files), (2, 4, 5), "{report}");
    assert_eq!((report.snapshot, report.entries), (Some(3), 4));
    assert!(report.orphans.is_empty(), "{report}");
    assert!(report.keys.iter().all(|key| !key.present));
    world.catalog.seal_key().await.unwrap();
    assert!(sound(&world.folder()).await.keys[0].present);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_and_named() {
    type Harm = fn(&Path) -> String;
    let name = |folder: &Path, file: &Path| file.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    let harms: [(Harm, &str); 9] = [
        (|at| remove(at, &["data", ".parquet"]), "missing"),
        (|at| change(at, &["data", ".parquet"], |bytes| bytes.push(0)), "bytes instead of"),
        (|at| change(at, &["data", ".parquet"], |bytes| flip_last(bytes, 9)), "footer"),
        (|at| remove(at, &["rejects", ".parquet"]), "missing"),
        (|at| remove(at, &["data", "_delta_log", "0000.json"]), "can't be read"),
        (|at| remove(at, &["catalog", "log", "0001.json"]), "missing, but entry 32 is there"),
        (|at| change(at, &["catalog", "log", "0002.json"], |bytes| bytes.truncate(40)), "can't be read"),
        (|at| change(at, &["catalog", "keys", "seal"], |bytes| bytes.truncate(31)), "31 bytes instead of 32"),
        (|at| change(at, &["catalog", "checkpoint"], |bytes| flip_last(bytes, 20)), "delete it"),
    ];
    let world = World::new(&plain(), true).await;
    world.pool("a.csv", OLD).await.unwrap();
    world.pool("b.csv", NEW).await.unwrap();
    world.catalog.seal_key().await.unwrap();
    crate::testing::checkpointed(&world.catalog).await;
    for (harm, says) in harms {
        let copy = tempfile::tempdir().unwrap();
        crate::testing::copy_folder(&world.folder(), copy.path());
        let object = harm(copy.path());
        let report = checked(copy.path(), false).await;
        assert!(!report.sound, "{object} {says}");
        let text = report.to_string();
        let object = name(copy.path(), Path::new(&object));
        assert!(text.contains(&object) && text.contains(says), "{object} {says}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_deep_look_finds_a_damaged_page() {
    let world = World::new(&plain(), true).await;
    world.pool("a.csv", OLD).await.unwrap();
    let object = change(&world.folder(), &["data", ".parquet"], |bytes| bytes[40] ^= 1);
    assert!(checked(&world.folder(), false).await.sound);
    let report = checked(&world.folder(), true).await;
    let name = Path::new(&object).file_name().unwrap().to_str().unwrap();
    assert!(!report.sound && report.damage[0].object.ends_with(name), "{report}");
}

fn remove(folder: &Path, words: &[&str]) -> String {
    let file = files(folder, words).remove(0);
    std::fs::remove_file(&file).unwrap();
    file.to_str().unwrap().to_owned()
}

fn change(folder: &Path, words: &[&str], harm: fn(&mut Vec<u8>)) -> String {
    let file = files(folder, words).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    harm(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}

fn flip_last(bytes: &mut [u8], from_end: usize) {
    let at = bytes.len() - from_end;
    bytes[at] ^= 0xff;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooling_that_dies_anywhere_leaves_old_or_new() {
    let world = World::new(&plain(), true).await;
    world.pool("a.csv", OLD).await.unwrap();
    let pool = async |store| {
        if let Ok(world) = World::of(store).await {
            drop(world.pool("b.csv", NEW).await);
        }
    };
    let check = async |folder: &Path| {
        sound(folder).await;
        let world = World::reopened(folder).await;
        let rows = world.rows().await;
        assert!(rows == OLD_ROWS || rows == NEW_ROWS, "{rows:?}");
        world.pool("b.csv", NEW).await.unwrap();
        assert_eq!(world.rows().await, NEW_ROWS);
        assert_eq!(world.rejects().await.len(), 2);
        let versions = Catalog::open(open(folder)).await.unwrap().latest().await.unwrap();
        assert_eq!(versions.id().0, 3);
        sound(folder).await;
    };
    let deaths = die_everywhere(&world.folder(), pool, check).await;
    assert!(deaths > 40, "only {deaths} requests were tried");
}
