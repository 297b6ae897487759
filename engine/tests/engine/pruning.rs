//! Pruning under a policy: files are skipped by the policy's own filter and by what of the user's may go below it, and
//! by nothing else. A file of zeros tells: a scan that skips it succeeds.

use crate::policed::{ann, provider};
use crate::support::World;
use basin_catalog::{Change, DatasetPolicy, ErrorClass, Mask, RowFilter, Terms};
use std::collections::BTreeMap;
use std::io::Write;

const CITY: &str = "health.city";

/// The first file, with two days of numbers, is damaged; the second has one day without a number.
async fn world(rows: &str, masked: Option<&str>) -> World {
    let world = World::new().await;
    let rows = RowFilter::try_from(rows.to_owned()).unwrap();
    let masks = masked.map(|item| (item.parse().unwrap(), Mask::Null {}));
    let policy = DatasetPolicy {
        dataset: CITY.parse().unwrap(),
        grants_only: false,
        terms: Terms { rows: Some(rows), minimum_cell: None },
        masks: BTreeMap::from_iter(masks),
        basis: "a rule".to_owned(),
    };
    world.commit(vec![Change::PutPolicy(Box::new(policy))]).await;
    // The files of a version are looked at once, all of them.
    world.ask_as(provider(), "SELECT count(*) FROM health.city").await.unwrap();
    let file = world.folder.path().join("data/health/city/part-0-0.parquet");
    let bytes = std::fs::metadata(&file).unwrap().len();
    let mut file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.write_all(&vec![0; usize::try_from(bytes).unwrap()]).unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_itself_prunes() {
    let world = world("confirmed IS NULL", None).await;
    assert_eq!(world.ask_as(ann(None), "SELECT max(city) FROM health.city").await.unwrap(), "北京");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_neither_fail_nor_be_observed_prunes() {
    let world = world("city <> 'x'", None).await;
    for predicate in [
        "confirmed IS NULL",
        "day > DATE '2020-01-12'",
        "confirmed > 99 AND city <> 'y'",
        "province IN ('Hunan')",
        "confirmed BETWEEN 50 AND 99",
    ] {
        let sql = format!("SELECT max(city) FROM health.city WHERE {predicate}");
        assert!(world.ask_as(ann(None), &sql).await.is_ok(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_fail_or_looks_at_masked_values_does_not() {
    let everything = world("city <> 'x'", None).await;
    for predicate in ["true", "100 / confirmed > 200", "upper(city) = 'Y'", "confirmed + 1 > 99"] {
        let sql = format!("SELECT max(city) FROM health.city WHERE {predicate}");
        let error =
            everything.ask_as(ann(None), &sql).await.err().unwrap_or_else(|| panic!("{sql} was answered"));
        assert_eq!(error.class(), ErrorClass::Internal, "{sql}: {error}");
    }
    let masked = world("city <> 'x'", Some("confirmed")).await;
    let sql = "SELECT max(city) FROM health.city WHERE confirmed > 99";
    let error = masked.ask_as(ann(None), sql).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Internal, "{error}");
}
