//! Sandbox datasets: what users keep of their own workings, in the same tables and catalog as what is pooled.
//!
//! ```text
//! rows ─► fit ─► table ─► publish
//!         items  Parquet  one catalog commit: all of the rows or none
//! ```
//! Who may write where is decided by the caller; so is which datasets the rows come from.

mod define;
mod fit;
mod publish;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use basin_catalog::{
    Catalog, Change, DatasetName, DatasetState, Digest, ErrorClass, OrganisationCode, UserName,
};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

pub use define::SandboxColumn;

use crate::table::{DataLayout, FileSpec, TableFile, TableWriter, to_stored};
use crate::{DatasetsError, Result};
pub(crate) use fit::Fit;

/// Batches that wait for the writer.
const WAITING_BATCHES: usize = 2;

/// What becomes of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxMode {
    /// A new dataset.
    Create {
        /// Its columns.
        columns: Vec<SandboxColumn>,
        /// Whether it may take the place of one that is there.
        replace: bool,
    },
    /// Rows beside those that are there.
    Append {
        /// The names of the columns that the rows have, in their order; none: all, in the dataset's order. The others are NULL.
        columns: Option<Vec<String>>,
    },
    /// Rows instead of those that are there, which were read from this version.
    Rewrite {
        /// The version's number.
        version: u64,
    },
}

/// A change of a sandbox dataset.
#[derive(Debug, Clone)]
pub struct SandboxWrite {
    /// Which one.
    pub name: DatasetName,
    /// Whose it is.
    pub owner: UserName,
    /// The organisation that answers for it, when the owner works for one.
    pub agency: Option<OrganisationCode>,
    /// The datasets that the rows were read from, and under which access each.
    pub reads: Vec<(DatasetName, Digest)>,
    /// What becomes of the rows.
    pub mode: SandboxMode,
}

/// Refuses something a user asked of a sandbox.
fn refused(reason: impl Into<String>) -> DatasetsError {
    DatasetsError::Sandbox { class: ErrorClass::InvalidInput, reason: reason.into() }
}

/// Writes rows and publishes them by one catalog commit; gives their number. An error of the rows publishes nothing.
///
/// # Errors
/// `Sandbox` when the dataset is there already, is missing, or the rows don't fit it; the stores' errors; those of the rows.
pub async fn write<E: From<DatasetsError>>(
    catalog: &Catalog,
    write: SandboxWrite,
    rows: impl Stream<Item = std::result::Result<RecordBatch, E>> + Send,
) -> std::result::Result<u64, E> {
    let snapshot = catalog.latest().await.map_err(DatasetsError::from)?;
    let state = snapshot.datasets().get(&write.name);
    check(&write, state.map(Arc::as_ref))?;
    let definition = match &write.mode {
        SandboxMode::Create { columns, .. } => Arc::new(define::definition(&snapshot, &write, columns)?),
        SandboxMode::Append { .. } | SandboxMode::Rewrite { .. } => {
            Arc::clone(&state.ok_or_else(|| missing(&write.name))?.definition)
        }
    };
    let items = definition.arrow_schema();
    let spec = FileSpec::of_dataset(catalog, &definition, DataLayout::default());
    let columns = match &write.mode {
        SandboxMode::Append { columns } => columns.clone(),
        SandboxMode::Create { .. } | SandboxMode::Rewrite { .. } => None,
    };
    let fit = Fit::new(&items, columns)?;
    let (files, count) = write_files(spec.clone(), fit, rows).await?;
    publish::publish(catalog, snapshot, &write, definition, (&spec, &files)).await?;
    Ok(count)
}

/// Removes a sandbox dataset; earlier snapshots still have it.
///
/// # Errors
/// `Sandbox` when it is missing or somebody else's; the catalog's errors.
pub async fn drop(catalog: &Catalog, name: &DatasetName, owner: &UserName) -> Result<()> {
    let snapshot = catalog.latest().await?;
    let state = snapshot.datasets().get(name).ok_or_else(|| missing(name))?;
    check_owner(name, state, owner)?;
    catalog.commit(&snapshot, owner.as_str(), vec![Change::DropDataset(name.clone())]).await?;
    Ok(())
}

fn missing(name: &DatasetName) -> DatasetsError {
    let reason = format!("table \"{name}\" does not exist; make it with CREATE TABLE");
    DatasetsError::Sandbox { class: ErrorClass::NotFound, reason }
}

fn check_owner(name: &DatasetName, state: &DatasetState, owner: &UserName) -> Result<()> {
    match &state.definition.sandbox {
        Some(sandbox) if sandbox.owner == *owner => Ok(()),
        // Somebody else's looks absent.
        Some(_) | None => Err(missing(name)),
    }
}

fn check(write: &SandboxWrite, state: Option<&DatasetState>) -> Result<()> {
    if let Some(state) = state {
        check_owner(&write.name, state, &write.owner)?;
    }
    match (&write.mode, state) {
        (SandboxMode::Create { replace: false, .. }, Some(_)) => Err(refused(format!(
            "table \"{}\" exists already; drop it first or write CREATE OR REPLACE",
            write.name
        ))),
        (SandboxMode::Append { .. } | SandboxMode::Rewrite { .. }, None) => Err(missing(&write.name)),
        (SandboxMode::Create { .. }, _)
        | (SandboxMode::Append { .. } | SandboxMode::Rewrite { .. }, Some(_)) => Ok(()),
    }
}

/// Writes all rows as files that nobody sees yet, on a thread of its own.
pub(crate) async fn write_files<E: From<DatasetsError>>(
    spec: FileSpec,
    fit: Fit,
    rows: impl Stream<Item = std::result::Result<RecordBatch, E>> + Send,
) -> std::result::Result<(Vec<TableFile>, u64), E> {
    let (send, mut receive) = mpsc::channel::<RecordBatch>(WAITING_BATCHES);
    let writing = tokio::task::spawn_blocking(move || -> Result<Option<(Vec<TableFile>, u64)>> {
        let stored: SchemaRef = Arc::clone(&spec.schema);
        let mut writer = TableWriter::new(spec)?;
        let mut count = 0;
        while let Some(batch) = receive.blocking_recv() {
            // An empty batch without columns says that the rows are complete.
            if batch.num_columns() == 0 && batch.num_rows() == 0 {
                return Ok(Some((writer.finish()?, count)));
            }
            count += batch.num_rows() as u64;
            writer.write(&to_stored(&fit.fit(&batch)?, &stored)?)?;
        }
        Ok(None)
    });
    let mut rows = std::pin::pin!(rows);
    let mut failed = None;
    while let Some(batch) = rows.next().await {
        let sent = match batch {
            Ok(batch) if batch.num_rows() == 0 => continue,
            Ok(batch) => send.send(batch).await,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        if sent.is_err() {
            break;
        }
    }
    if failed.is_none() {
        // The writer that has failed already says why below.
        let complete = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        let _ = send.send(complete).await;
    }
    std::mem::drop(send);
    let written = writing.await.map_err(|_| DatasetsError::internal("writing rows panicked"));
    match (failed, written) {
        (Some(error), _) => Err(error),
        (None, written) => match written?? {
            Some(written) => Ok(written),
            None => Err(DatasetsError::Cancelled.into()),
        },
    }
}
