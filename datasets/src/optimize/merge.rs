//! Files of one partition become new files with the same rows in the layout's order, in bounded memory.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use basin_catalog::ItemName;
use datafusion::error::DataFusionError;
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::choose::Group;
use crate::arrange::{Arranger, SortInput};
use crate::progress::Progress;
use crate::table::{FileSpec, TableFile, TableWriter, align, batches};
use crate::{DatasetsError, Result};

/// Rows of one batch in the sort.
const BATCH_ROWS: usize = 8192;
/// Batches that may wait between two stages.
const QUEUE: usize = 4;
/// Share of the memory budget that sorting may use; the rest is for reading and encoding.
const SORT_SHARE: usize = 2;

/// What merging needs beside the files.
#[derive(Debug)]
pub(super) struct MergeContext<'a> {
    pub(super) cpu: Handle,
    pub(super) spill: &'a Path,
    pub(super) memory_bytes: usize,
    pub(super) threads: usize,
    pub(super) progress: &'a Progress,
    /// The item that numbers rows with equal keys, last in the order.
    pub(super) number: Option<&'a ItemName>,
}

/// Writes the rows of a group as new files.
///
/// # Errors
/// The store's errors, a damaged file, or more to sort than the disk takes.
pub(super) async fn merge(
    group: &Group,
    spec: &FileSpec,
    context: &MergeContext<'_>,
) -> Result<Vec<TableFile>> {
    let mut readers = JoinSet::new();
    let sorted = !spec.sort.is_empty();
    // Without an order the rows stay as they came: one file after the other.
    let inputs = read(group, spec, if sorted { context.threads } else { 1 }, context, &mut readers);
    let mut rows = if sorted {
        let number = context.number.map(ItemName::as_str);
        let columns = spec.sort.iter().map(String::as_str).chain(number);
        let columns = columns.map(|name| Ok(spec.schema.index_of(name)?)).collect::<Result<Vec<_>>>()?;
        let memory_bytes = context.memory_bytes / SORT_SHARE;
        let arranger = Arranger::new(memory_bytes, inputs.len(), BATCH_ROWS, context.spill)?;
        let _in_cpu = context.cpu.enter();
        arranger.sort(&spec.schema, &columns, inputs)?
    } else {
        Arranger::unsorted(&spec.schema, inputs)
    };
    let (feed, fed) = mpsc::channel(QUEUE);
    let spec = spec.clone();
    let writing = context.cpu.spawn_blocking(move || write(spec, fed));
    let progress = context.progress.clone();
    let mut sorting = JoinSet::new();
    let feeding = async move {
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            progress.wrote_rows(batch.num_rows() as u64);
            // When the writer is gone its own error says why.
            if feed.send(Some(batch)).await.is_err() {
                return Ok(());
            }
        }
        let _ = feed.send(None).await;
        Ok::<(), DatasetsError>(())
    };
    sorting.spawn_on(feeding, &context.cpu);
    while let Some(fed) = sorting.join_next().await {
        fed.map_err(|_| DatasetsError::internal("sorting panicked"))??;
    }
    let files = writing.await.map_err(|_| DatasetsError::internal("the writing thread panicked"))??;
    let written: u64 = files.iter().map(|file| file.rows).sum();
    if written != group.rows() {
        let reason = format!("{} rows became {written} while files were merged", group.rows());
        return Err(DatasetsError::internal(reason));
    }
    Ok(files)
}

/// Writes what is fed; a feed that ends without saying so was cancelled.
fn write(spec: FileSpec, mut fed: mpsc::Receiver<Option<RecordBatch>>) -> Result<Vec<TableFile>> {
    let mut writer = TableWriter::new(spec)?;
    while let Some(batch) = fed.blocking_recv() {
        match batch {
            Some(batch) => writer.write(&batch)?,
            None => return writer.finish(),
        }
    }
    Err(DatasetsError::Cancelled)
}

/// Starts tasks that read the files, dealt out among them; `readers` ends them.
fn read(
    group: &Group,
    spec: &FileSpec,
    count: usize,
    context: &MergeContext<'_>,
    readers: &mut JoinSet<()>,
) -> Vec<SortInput> {
    let count = count.clamp(1, group.files.len().max(1));
    let mut inputs = Vec::with_capacity(count);
    for first in 0..count {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let files: Vec<TableFile> = group.files.iter().skip(first).step_by(count).cloned().collect();
        let (spec, progress) = (spec.clone(), context.progress.clone());
        let reading = async move {
            if let Err(error) = read_files(files, &spec, &progress, &sender).await {
                // Nobody listens any more when the sort has failed.
                let _ = sender.send(Err(DataFusionError::External(Box::new(error)))).await;
            }
        };
        readers.spawn_on(reading, &context.cpu);
        inputs.push(receiver);
    }
    inputs
}

async fn read_files(
    files: Vec<TableFile>,
    spec: &FileSpec,
    progress: &Progress,
    out: &mpsc::Sender<std::result::Result<RecordBatch, DataFusionError>>,
) -> Result<()> {
    for file in files {
        let mut rows = batches(&spec.store, &spec.folder, &file, None).await?;
        while let Some(batch) = rows.try_next().await? {
            progress.took_rows(batch.num_rows() as u64, 0);
            let batch = align(&batch, &Arc::clone(&spec.schema))?;
            if out.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
        progress.read_bytes(file.size_bytes);
    }
    Ok(())
}
