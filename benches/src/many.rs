//! A catalog of many datasets with many versions: what publications leave in the log, without their data.
//!
//! Queries on these datasets fail; opening, listing and publishing is what they are for.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use basin_catalog::{
    Catalog, Change, DatasetName, DatasetVersion, DeliveredFile, Delivery, DeliveryId, Digest, LocalText,
    Node, NodeKind, Organisation, Publication, SliceKey, Store,
};
use basin_datasets::Manifest;
use chrono::Utc;

use crate::visits;

/// How many datasets one commit defines or publishes.
const PER_COMMIT: usize = 500;
const AUTHOR: &str = "benchmark";

/// How large the catalog becomes.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Datasets in it.
    pub datasets: usize,
    /// Versions that each has.
    pub versions_each: u64,
}

/// Makes the catalog in an empty store.
///
/// # Errors
/// Those of the catalog.
pub async fn make(store: Store, size: Size) -> Result<Catalog> {
    let mut name = LocalText::default();
    name.insert("en", "Benchmark");
    name.insert("zh", "基准测试");
    let node = Node { id: "benchmark".parse()?, kind: NodeKind::Hub, name: name.clone(), region: None };
    let catalog = Catalog::create(store, node).await?;
    let manifest = Manifest::parse(visits::MANIFEST)?;
    let code = manifest.definition().entry.provider.clone();
    let organisation = Organisation { code, name, region: None, node: None };
    commit(&catalog, vec![Change::PutOrganisation(organisation)]).await?;
    let numbers: Vec<usize> = (1..=size.datasets).collect();
    for numbers in numbers.chunks(PER_COMMIT) {
        let changes = numbers.iter().map(|number| definition(*number)).collect::<Result<_>>()?;
        commit(&catalog, changes).await?;
    }
    for version in 1..=size.versions_each {
        for numbers in numbers.chunks(PER_COMMIT) {
            let changes = numbers.iter().map(|number| publication(&manifest, *number, version));
            commit(&catalog, changes.collect::<Result<_>>()?).await?;
        }
    }
    Ok(catalog)
}

async fn commit(catalog: &Catalog, changes: Vec<Change>) -> Result<()> {
    let snapshot = catalog.latest().await?;
    catalog.commit(&snapshot, AUTHOR, changes).await.context("committing")?;
    Ok(())
}

fn dataset(number: usize) -> Result<DatasetName> {
    Ok(format!("many.d{number:06}").parse()?)
}

fn definition(number: usize) -> Result<Change> {
    let text = visits::MANIFEST
        .replace("bench.visits", &dataset(number)?.to_string())
        .replace("306001/900001", &format!("306001/{number:06}"));
    Ok(Change::ApplyDataset(Box::new(Manifest::parse(&text)?.definition().clone())))
}

fn publication(manifest: &Manifest, number: usize, version: u64) -> Result<Change> {
    let rows = 10_000 + number as u64;
    let id = DeliveryId::fresh();
    let digest = Digest::of(format!("{number} {version}").as_bytes());
    let file = DeliveredFile {
        name: format!("{number}-{version}.csv"),
        bytes: rows * 100,
        sha256: digest.clone(),
        rows_in: rows,
        rows_accepted: rows,
        rows_rejected: 0,
    };
    let delivery = Delivery {
        id: id.clone(),
        digest,
        provider: manifest.definition().entry.provider.clone(),
        kind: "csv".to_owned(),
        received_at: Utc::now(),
        files: vec![file],
        slices: vec![SliceKey(Vec::new())],
        rows_in: rows,
        rows_accepted: rows,
        rows_rejected: 0,
        rejected_by_rule: BTreeMap::new(),
        numbered_keys: 0,
    };
    let distinct = manifest.definition().items.iter().map(|item| (item.name.to_string(), rows / 2)).collect();
    let version = DatasetVersion {
        number: version,
        table_version: version,
        rejects_version: None,
        rows,
        bytes: rows * 40,
        files: 1,
        published_at: Utc::now(),
        delivery: Some(id),
        definition_revision: 1,
        distinct,
    };
    Ok(Change::Publish(Box::new(Publication {
        dataset: dataset(number)?,
        base_version: version.number - 1,
        version,
        delivery: Some(delivery),
    })))
}
