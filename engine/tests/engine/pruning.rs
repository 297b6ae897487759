//! Pruning under a policy: files are skipped by the policy's own filter and by what of the user's may go below it, and
//! by nothing else. A file that is gone tells: a scan that skips it succeeds.

use crate::policed::{ann, provider};
use crate::support::World;
use basin_catalog::{Change, DatasetPolicy, ErrorClass, Mask, RowFilter, Terms};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::collections::BTreeMap;

const CITY: &str = "health.city";

/// Days 18272 and 18273 lie in the first file, day 18273 with no number in the second, which is gone.
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
    let folder = world.catalog.store().data_path(&CITY.parse().unwrap());
    world.catalog.store().objects().delete(&Path::from(format!("{folder}/part-0-1.parquet"))).await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_itself_prunes() {
    let world = world("province = 'Hubei'", None).await;
    assert_eq!(world.ask_as(ann(None), "SELECT count(*) FROM health.city").await.unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_neither_fail_nor_be_observed_prunes() {
    let world = world("city <> 'x'", None).await;
    for predicate in [
        "day = DATE '2020-01-11'",
        "day < DATE '2020-01-12' AND confirmed > 1",
        "province IN ('Hubei')",
        "confirmed BETWEEN 1 AND 99",
    ] {
        let sql = format!("SELECT count(*) FROM health.city WHERE {predicate}");
        assert!(world.ask_as(ann(None), &sql).await.is_ok(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_fail_or_looks_at_masked_values_does_not() {
    let everything = world("city <> 'x'", None).await;
    for predicate in [
        "true",
        "100 / confirmed > 1 AND CAST(city AS INT) = 1",
        "upper(province) = 'HUBEI'",
        "confirmed + 1 = 42",
    ] {
        let sql = format!("SELECT count(*) FROM health.city WHERE {predicate}");
        let error = everything.ask_as(ann(None), &sql).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Internal, "{sql}: {error}");
    }
    let masked = world("city <> 'x'", Some("day")).await;
    let sql = "SELECT count(*) FROM health.city WHERE day = DATE '2020-01-11'";
    let error = masked.ask_as(ann(None), sql).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Internal, "{error}");
}
