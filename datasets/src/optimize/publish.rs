//! Publication of merged files: one Delta commit that nobody sees, then one catalog commit.
//!
//! A delivery that is published meanwhile goes first: what was merged of files that are still there is used, the
//! rest is thrown away.

use std::collections::BTreeSet;
use std::sync::Arc;

use basin_catalog::{
    Catalog, CatalogError, Change, DatasetName, DatasetState, DatasetVersion, ErrorClass, Publication,
    Snapshot,
};
use chrono::Utc;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::table::{
    DeltaTable, FileSet, FileSpec, Published, TableFile, TableShape, distinct_counts, stored_schema,
};
use crate::{DatasetsError, Result};

/// Publications lost to other writers before giving up.
const MAX_ATTEMPTS: u32 = 20;

/// New files that hold the rows of others.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub(super) from: BTreeSet<String>,
    pub(super) files: Vec<TableFile>,
}

/// What is published, with the merges that are in it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) version: DatasetVersion,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) merged: Vec<Merged>,
}

/// Publishes merges as a new version, built on the newest.
///
/// # Errors
/// A conflict when deliveries replaced all of the files meanwhile or other writers keep winning.
pub(super) async fn publish(
    catalog: &Catalog,
    (name, author): (&DatasetName, &str),
    spec: &FileSpec,
    merged: Vec<Merged>,
) -> Result<Done> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let base = catalog.latest().await?;
        let state = base.dataset(name)?;
        let Some(current) = state.current() else { return Err(overtaken(name, &base)) };
        let published = DeltaTable::open(&spec.store, &spec.folder)?.files(current.table_version).await?;
        let there = |merged: &&Merged| merged.from.iter().all(|path| published.contains_key(path));
        let (used, lost): (Vec<_>, Vec<_>) = merged.iter().partition(there);
        if used.is_empty() {
            return Err(overtaken(name, &base));
        }
        let version = commit_table(state, current, spec, (&published, &used)).await?;
        let publication = Publication {
            dataset: name.clone(),
            base_version: current.number,
            version: version.clone(),
            delivery: None,
        };
        match catalog.commit(&base, author, vec![Change::Publish(Box::new(publication))]).await {
            Ok(snapshot) => {
                discard(spec, lost.into_iter().flat_map(|merged| &merged.files)).await;
                return Ok(Done { version, snapshot, merged: used.into_iter().cloned().collect() });
            }
            Err(error) if error.class() == ErrorClass::Conflict && attempt < MAX_ATTEMPTS => {
                tracing::info!(attempt, %error, "another writer published first, computing again");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn commit_table(
    state: &DatasetState,
    current: &DatasetVersion,
    spec: &FileSpec,
    (published, used): (&FileSet, &[&Merged]),
) -> Result<DatasetVersion> {
    let gone: BTreeSet<&String> = used.iter().flat_map(|merged| &merged.from).collect();
    let mut target = published.clone();
    target.retain(|path, _| !gone.contains(path));
    let new = used.iter().flat_map(|merged| &merged.files);
    target.extend(new.map(|file| (file.path.clone(), file.clone())));
    let rows: u64 = target.values().map(|file| file.rows).sum();
    if rows != current.rows {
        let reason = format!("version {} has {} rows, merged they are {rows}", current.number, current.rows);
        return Err(DatasetsError::internal(reason));
    }
    let shape = TableShape {
        schema: stored_schema(&state.definition.arrow_schema()),
        partition: spec.partition.clone(),
    };
    let table_version = DeltaTable::open(&spec.store, &spec.folder)?.commit(&target, &shape).await?;
    let base = Published { table_version: current.table_version, files: published };
    let new = Published { table_version, files: &target };
    Ok(DatasetVersion {
        number: current.number + 1,
        table_version,
        rejects_version: current.rejects_version,
        rows,
        bytes: target.values().map(|file| file.size_bytes).sum(),
        files: target.len() as u64,
        published_at: Utc::now(),
        delivery: None,
        definition_revision: state.revision,
        distinct: distinct_counts(&spec.store, &spec.folder, Some(base), new).await,
    })
}

fn overtaken(name: &DatasetName, base: &Snapshot) -> DatasetsError {
    CatalogError::Conflict { what: format!("dataset {name}"), by: base.id().0 }.into()
}

/// Deletes files that nothing refers to, as far as the store lets it.
pub(super) async fn discard(spec: &FileSpec, files: impl Iterator<Item = &TableFile>) {
    for file in files {
        let Ok(path) = Path::parse(format!("{}/{}", spec.folder, file.path)) else { continue };
        if let Err(error) = spec.store.delete(&path).await {
            tracing::warn!(%path, %error, "merged file that is not used not deleted");
        }
    }
}
