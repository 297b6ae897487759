//! Publication: Delta commits that nobody sees, then one catalog commit for all datasets.
//!
//! The target of a Delta commit is computed from the published version, never from the log's newest
//! one, so that what a crashed or slower run left behind is superseded. When another writer publishes
//! first, the target is computed again; the new data files are used as they are.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use std::time::Duration;

use arrow::ipc::reader::StreamReader;
use basin_catalog::{Catalog, Change, DatasetVersion, Delivery, ErrorClass, Publication, Snapshot};
use chrono::Utc;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::runtime::Handle;

use super::plan::DatasetPlan;
use super::rejects::reject_schema;
use super::{Pooling, verdict};
use crate::report::{DatasetReport, Outcome, PoolReport};
use crate::table::{
    DeltaTable, FileSet, FileSpec, Published, TableFile, TableShape, TableWriter, distinct_counts,
    keep_other_slices,
};
use crate::{DatasetsError, Result};

/// So soon after it was written no file is removed, whatever grace period was given in hours.
const SURELY_THERE: Duration = Duration::from_secs(1800);
/// Publications lost to other writers before giving up.
const MAX_ATTEMPTS: u32 = 20;

/// One dataset's part of a delivery, ready to be published.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) plan: DatasetPlan,
    pub(super) delivery: Delivery,
    pub(super) files: Vec<TableFile>,
    pub(super) spec: FileSpec,
    pub(super) rejected_rows: Option<StreamReader<BufReader<File>>>,
    pub(super) reject_files: Vec<TableFile>,
    pub(super) key_conflicts: u64,
    pub(super) report: DatasetReport,
}

impl Ready {
    /// Writes the rejected rows as files of the rejects table.
    pub(super) async fn write_rejects(&mut self, pooling: &Pooling<'_>) -> Result<()> {
        let Some(rows) = self.rejected_rows.take() else { return Ok(()) };
        if pooling.request.dry_run {
            return Ok(());
        }
        let spec = FileSpec {
            folder: pooling.catalog.store().rejects_path(self.plan.name()),
            schema: reject_schema(),
            partition: Vec::new(),
            sort: Vec::new(),
            bloom: Vec::new(),
            counted: false,
            store: Arc::clone(&self.spec.store),
            runtime: Handle::current(),
        };
        let writing = move || {
            let mut writer = TableWriter::new(spec)?;
            for batch in rows {
                writer.write(&batch?)?;
            }
            writer.finish()
        };
        let task = pooling.cpu.handle()?.spawn_blocking(writing);
        self.reject_files = task.await.map_err(|_| DatasetsError::internal("writing rejects panicked"))??;
        Ok(())
    }
}

/// Publishes everything that is ready in one catalog commit.
///
/// # Errors
/// The stores' errors; a conflict when the definition changed meanwhile or other writers keep winning.
pub(super) async fn publish(pooling: &Pooling<'_>, ready: Vec<Ready>) -> Result<PoolReport> {
    let mut base = Arc::clone(pooling.snapshot);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut changes = Vec::new();
        let mut reports = Vec::new();
        for ready in &ready {
            let version = commit_tables(pooling, &base, ready).await?;
            reports.push(DatasetReport {
                version: Some(version.number),
                rows_retained: version.rows - ready.delivery.rows_accepted,
                ..ready.report.clone()
            });
            changes.push(Change::Publish(Box::new(Publication {
                dataset: ready.plan.name().clone(),
                base_version: version.number - 1,
                version,
                delivery: Some(ready.delivery.clone()),
            })));
        }
        match pooling.catalog.commit(&base, &pooling.request.author, changes).await {
            Ok(snapshot) => return Ok(verdict::report(Outcome::Published, &snapshot, reports)),
            Err(error) if error.class() == ErrorClass::Conflict && attempt < MAX_ATTEMPTS => {
                tracing::info!(attempt, %error, "another writer published first, computing again");
                base = pooling.catalog.latest().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Commits one dataset's tables and gives the version to publish.
async fn commit_tables(pooling: &Pooling<'_>, base: &Snapshot, ready: &Ready) -> Result<DatasetVersion> {
    let name = ready.plan.name();
    let state = base.dataset(name)?;
    if state.revision != ready.plan.state.revision {
        let reason = format!("the definition of {name} changed while this delivery was read: pool it again");
        return Err(DatasetsError::Refused { reason });
    }
    let store = pooling.catalog.store();
    let current = state.current();
    let data = DeltaTable::open(&ready.spec.store, &store.data_path(name))?;
    let published = match current {
        Some(current) => data.files(current.table_version).await?,
        None => FileSet::new(),
    };
    still_there(&ready.spec, &store.data_path(name), &ready.files).await?;
    still_there(&ready.spec, &store.rejects_path(name), &ready.reject_files).await?;
    let target = target(pooling, ready, published.clone()).await?;
    let shape =
        TableShape { schema: Arc::clone(&ready.spec.schema), partition: ready.spec.partition.clone() };
    let table_version = data.commit(&target, &shape).await?;
    let base = current.map(|current| Published { table_version: current.table_version, files: &published });
    let new = Published { table_version, files: &target };
    let distinct = distinct_counts(&ready.spec.store, &ready.spec.folder, base, new).await;
    let published_rejects = current.and_then(|current| current.rejects_version);
    let rejects_version = commit_rejects(ready, &store.rejects_path(name), published_rejects).await?;
    Ok(DatasetVersion {
        number: current.map_or(0, |current| current.number) + 1,
        table_version,
        rejects_version,
        rows: target.values().map(|file| file.rows).sum(),
        bytes: target.values().map(|file| file.size_bytes).sum(),
        files: target.len() as u64,
        published_at: Utc::now(),
        delivery: Some(ready.delivery.id.clone()),
        definition_revision: state.revision,
        distinct,
    })
}

/// Looks for files that were written long ago: `basin gc` takes what is older than its grace period and not published.
///
/// # Errors
/// A refusal that names the first that is gone.
async fn still_there(spec: &FileSpec, folder: &Path, files: &[TableFile]) -> Result<()> {
    let young_ms = Utc::now().timestamp_millis().saturating_sub(SURELY_THERE.as_millis() as i64);
    for file in files.iter().filter(|file| file.modified_ms < young_ms) {
        let action = || format!("looking for {}", file.path);
        let path = Path::parse(format!("{folder}/{}", file.path))
            .map_err(|source| DatasetsError::Store { action: action(), source: source.into() })?;
        match spec.store.head(&path).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => {
                let reason = format!(
                    "{path} was removed before it was published: this pooling took longer than the grace period of \
                     `basin gc`; pool again, and give gc a longer one"
                );
                return Err(DatasetsError::Refused { reason });
            }
            Err(source) => return Err(DatasetsError::Store { action: action(), source }),
        }
    }
    Ok(())
}

/// The files of the new version: what other slices keep, and the delivery's own.
async fn target(pooling: &Pooling<'_>, ready: &Ready, published: FileSet) -> Result<FileSet> {
    let definition = Arc::clone(&ready.plan.state.definition);
    let replaced: BTreeSet<_> = ready.delivery.slices.iter().cloned().collect();
    let spec = ready.spec.clone();
    let keeping = async move { keep_other_slices(published, &definition, &replaced, &spec).await };
    let task = pooling.cpu.handle()?.spawn(keeping);
    let kept = task.await.map_err(|_| DatasetsError::internal("rewriting published files panicked"))??;
    let mut target = kept.files;
    let new = kept.rewritten.into_iter().chain(ready.files.iter().cloned());
    target.extend(new.map(|file| (file.path.clone(), file)));
    Ok(target)
}

/// Appends the delivery's rejects; the earlier ones stay as history.
async fn commit_rejects(ready: &Ready, folder: &Path, published: Option<u64>) -> Result<Option<u64>> {
    if ready.reject_files.is_empty() {
        return Ok(published);
    }
    let table = DeltaTable::open(&ready.spec.store, folder)?;
    let mut target = match published {
        Some(version) => table.files(version).await?,
        None => FileSet::new(),
    };
    target.extend(ready.reject_files.iter().map(|file| (file.path.clone(), file.clone())));
    let shape = TableShape { schema: reject_schema(), partition: Vec::new() };
    Ok(Some(table.commit(&target, &shape).await?))
}

/// Deletes files that nothing refers to, as far as the store lets it.
pub(super) async fn discard(catalog: &Catalog, ready: &[Ready]) {
    let store = catalog.store();
    for ready in ready {
        let name = ready.plan.name();
        let data = ready.files.iter().map(|file| (store.data_path(name), file));
        let rejects = ready.reject_files.iter().map(|file| (store.rejects_path(name), file));
        for (folder, file) in data.chain(rejects) {
            let Ok(path) = Path::parse(format!("{folder}/{}", file.path)) else { continue };
            if let Err(error) = ready.spec.store.delete(&path).await {
                tracing::warn!(%path, %error, "file of a refused delivery not deleted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::world::{World, name, plain};
    use crate::table::DataLayout;

    #[tokio::test]
    async fn a_file_that_was_removed_meanwhile_is_not_published() {
        let world = World::new(&plain(), true).await;
        world.pool("a.csv", "date,city,confirmed\n2020-01-20,武汉,1\n").await.unwrap();
        let snapshot = world.catalog.latest().await.unwrap();
        let definition = &snapshot.dataset(&name()).unwrap().definition;
        let spec = FileSpec::of_dataset(&world.catalog, definition, DataLayout::default());
        let there = world.published(None).await.into_values().next().unwrap();
        let old = TableFile { modified_ms: 0, ..there.clone() };
        let gone = TableFile { path: "part-gone.parquet".to_owned(), ..there };
        assert!(
            still_there(&spec, &spec.folder, &[old.clone(), gone.clone()]).await.is_ok(),
            "the second is young"
        );
        let error =
            still_there(&spec, &spec.folder, &[old, TableFile { modified_ms: 0, ..gone }]).await.unwrap_err();
        assert!(matches!(error, DatasetsError::Refused { .. }) && error.to_string().contains("part-gone"));
    }
}
