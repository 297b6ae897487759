//! One dataset's pass over its files: read, conform, arrange, write.
//!
//! Every stage runs on threads of its own with bounded queues between them. What comes out is files in
//! the store that nothing refers to yet, and numbers that must add up.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use basin_catalog::{DatasetDefinition, SliceKey};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::plan::DatasetPlan;
use super::raw::raw_rows;
use super::read::{BATCH_ROWS, ReadPlan, Reading};
use super::rejects::RejectSpool;
use crate::arrange::{Arranger, FILE_COLUMN, Keep, KeyStage, LINE_COLUMN, Order, SortInput};
use crate::conform::{CodeLists, Reject};
use crate::manifest::OnDuplicate;
use crate::progress::{Progress, Stage};
use crate::table::{FileSpec, SliceIndex, TableFile, TableWriter, to_stored};
use crate::{DatasetsError, Result};

/// Batches waiting for the writer.
const WRITE_QUEUE: usize = 4;
/// Share of the memory budget that sorting may use; the rest is for batches on their way and for encoding.
const SORT_SHARE: usize = 2;

/// What a pass needs beside its plan.
#[derive(Debug)]
pub(super) struct PassContext<'a> {
    pub(super) cpu: Handle,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) spill: &'a Path,
    pub(super) memory_bytes: usize,
    pub(super) threads: usize,
    pub(super) progress: Progress,
}

/// What a pass gives.
#[derive(Debug)]
pub(super) struct PassOutcome {
    /// New data files; none on a dry run.
    pub(super) files: Vec<TableFile>,
    pub(super) slices: Vec<SliceKey>,
    /// By number of the file in the delivery.
    pub(super) rows_in: Vec<u64>,
    pub(super) accepted: Vec<u64>,
    pub(super) rejects: RejectSpool,
    /// Rows that gave way to another with the same key.
    pub(super) key_conflicts: u64,
    pub(super) numbered_rows: u64,
}

/// What the writing thread gives.
struct Written {
    files: Vec<TableFile>,
    slices: Vec<SliceKey>,
    accepted: Vec<u64>,
}

/// What goes to the writing thread; the end is said, so that a cancelled pass is not taken for a short one.
enum Feed {
    Rows(RecordBatch),
    End,
}

/// Runs a pass; without a file specification nothing is written.
///
/// # Errors
/// The first error of any stage.
pub(super) async fn run(
    plan: &DatasetPlan,
    code_lists: CodeLists,
    rejects: RejectSpool,
    spec: Option<FileSpec>,
    context: &PassContext<'_>,
) -> Result<PassOutcome> {
    let definition = Arc::clone(&plan.state.definition);
    let schema = conformed_schema(&definition);
    let file_count = plan.files.iter().map(|file| file.source.index as usize + 1).max().unwrap_or(0);
    let on_duplicate = plan.manifest.pooling().on_duplicate.clone();
    let order = Order::new(&definition, &schema, on_duplicate.number())?;
    let keys = KeyStage::new(&order, keep(&on_duplicate, &schema)?, &schema)?;
    context.progress.enter(Stage::Reading);
    let (reading, inputs) = Reading::start(
        ReadPlan {
            manifest: plan.manifest.clone(),
            files: plan.files.clone(),
            code_lists,
            schema: Arc::clone(&schema),
            threads: context.threads,
            progress: context.progress.clone(),
            stop: Arc::clone(&context.stop),
        },
        rejects,
        file_count,
    )?;
    let (feed, fed) = mpsc::channel(WRITE_QUEUE);
    let written = start_writer(spec, definition, file_count, context.progress.clone(), fed)?;
    let sorters = inputs.len() + usize::from(order.second.is_some());
    let arranger = Arranger::new(context.memory_bytes / SORT_SHARE, sorters, BATCH_ROWS, context.spill)?;
    let arranged = arrange((arranger, order), schema, inputs, keys, feed);
    let arranged = AbortOnDrop(context.cpu.spawn(arranged)).join().await;
    let written =
        written.await.unwrap_or_else(|_| Err(DatasetsError::internal("the writing thread panicked")));
    let read = context.cpu.spawn_blocking(move || reading.finish()).await;
    // In the order of the walk: a later stage's error often only echoes an earlier one's.
    let (rows_in, rejects) = read.map_err(|_| DatasetsError::Cancelled)??;
    let (written, keys) = match (arranged, written) {
        (Err(DatasetsError::Cancelled), Err(error)) | (Err(error), _) | (Ok(_), Err(error)) => {
            return Err(error);
        }
        (Ok(keys), Ok(written)) => (written, keys),
    };
    let numbered_rows = keys.numbered_rows();
    let key_conflicts = keys.conflicts().len() as u64;
    let rejects = reject_conflicts(plan, keys, rejects, context).await?;
    Ok(PassOutcome {
        files: written.files,
        slices: written.slices,
        rows_in,
        accepted: written.accepted,
        rejects,
        key_conflicts,
        numbered_rows,
    })
}

/// The items, all nullable so far, and where each row came from.
fn conformed_schema(definition: &DatasetDefinition) -> SchemaRef {
    let items = definition.arrow_schema();
    let mut fields: Vec<Field> =
        items.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    fields.push(Field::new(FILE_COLUMN, DataType::UInt32, false));
    fields.push(Field::new(LINE_COLUMN, DataType::UInt64, false));
    Arc::new(Schema::new(fields))
}

fn keep(on_duplicate: &OnDuplicate, schema: &Schema) -> Result<Keep> {
    Ok(match on_duplicate {
        OnDuplicate::Refuse | OnDuplicate::First | OnDuplicate::Reject => Keep::First,
        OnDuplicate::Last => Keep::Last,
        OnDuplicate::Number(item) => Keep::Numbered { column: schema.index_of(item.as_str())? },
    })
}

/// Sorts, resolves keys, sorts again where the table's order needs it, and feeds the writer.
async fn arrange(
    (arranger, order): (Arranger, Order),
    schema: SchemaRef,
    inputs: Vec<SortInput>,
    mut keys: KeyStage,
    feed: mpsc::Sender<Feed>,
) -> Result<KeyStage> {
    let mut rows = match &order.first {
        Some(columns) => arranger.sort(&schema, columns, inputs)?,
        None => Arranger::unsorted(&schema, inputs),
    };
    let Some(second) = &order.second else {
        while let Some(batch) = rows.next().await {
            for batch in keys.push(&batch?)? {
                send(&feed, Feed::Rows(batch)).await?;
            }
        }
        for batch in keys.finish() {
            send(&feed, Feed::Rows(batch)).await?;
        }
        send(&feed, Feed::End).await?;
        return Ok(keys);
    };
    let (sender, input) = mpsc::channel(WRITE_QUEUE);
    let sorted = arranger.sort(&schema, second, vec![input])?;
    let (keys, ()) = futures::try_join!(resolve(rows, keys, sender), forward(sorted, &feed))?;
    send(&feed, Feed::End).await?;
    Ok(keys)
}

/// Resolves keys between two sorts.
async fn resolve(
    mut rows: SendableRecordBatchStream,
    mut keys: KeyStage,
    out: mpsc::Sender<std::result::Result<RecordBatch, DataFusionError>>,
) -> Result<KeyStage> {
    while let Some(batch) = rows.next().await {
        for batch in keys.push(&batch?)? {
            out.send(Ok(batch)).await.map_err(|_| DatasetsError::Cancelled)?;
        }
    }
    for batch in keys.finish() {
        out.send(Ok(batch)).await.map_err(|_| DatasetsError::Cancelled)?;
    }
    Ok(keys)
}

async fn forward(mut rows: SendableRecordBatchStream, feed: &mpsc::Sender<Feed>) -> Result<()> {
    while let Some(batch) = rows.next().await {
        send(feed, Feed::Rows(batch?)).await?;
    }
    Ok(())
}

async fn send(feed: &mpsc::Sender<Feed>, message: Feed) -> Result<()> {
    feed.send(message).await.map_err(|_| DatasetsError::Cancelled)
}

/// Starts the thread that counts, casts and encodes.
fn start_writer(
    spec: Option<FileSpec>,
    definition: Arc<DatasetDefinition>,
    file_count: usize,
    progress: Progress,
    fed: mpsc::Receiver<Feed>,
) -> Result<oneshot::Receiver<Result<Written>>> {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("basin-write".to_owned());
    let work = move || {
        // The receiver is gone when the pooling was dropped: nobody asks any more.
        let _ = sender.send(write(spec, &definition, file_count, &progress, fed));
    };
    thread.spawn(work).map_err(|source| DatasetsError::Io { path: "basin-write".into(), source })?;
    Ok(receiver)
}

fn write(
    spec: Option<FileSpec>,
    definition: &DatasetDefinition,
    file_count: usize,
    progress: &Progress,
    mut fed: mpsc::Receiver<Feed>,
) -> Result<Written> {
    let mut slices = SliceIndex::new(definition)?;
    let mut accepted = vec![0_u64; file_count];
    let stored = spec.as_ref().map(|spec| Arc::clone(&spec.schema));
    let mut writer = spec.map(TableWriter::new).transpose()?;
    let mut started = false;
    loop {
        let batch = match fed.blocking_recv() {
            Some(Feed::Rows(batch)) => batch,
            Some(Feed::End) => break,
            None => return Err(DatasetsError::Cancelled),
        };
        if !std::mem::replace(&mut started, true) {
            progress.enter(Stage::Writing);
        }
        count_files(&batch, &mut accepted)?;
        slices.assign(&batch)?;
        if let (Some(writer), Some(stored)) = (&mut writer, &stored) {
            writer.write(&to_stored(&batch, stored)?)?;
        }
        progress.wrote_rows(batch.num_rows() as u64);
    }
    let files = writer.map(TableWriter::finish).transpose()?.unwrap_or_default();
    Ok(Written { files, slices: slices.keys().to_vec(), accepted })
}

fn count_files(batch: &RecordBatch, accepted: &mut [u64]) -> Result<()> {
    let files = batch.column_by_name(FILE_COLUMN).and_then(|column| column.as_primitive_opt::<UInt32Type>());
    let files = files.ok_or_else(|| DatasetsError::internal("rows lack their file"))?;
    for file in files.values() {
        let count = accepted.get_mut(*file as usize);
        *count.ok_or_else(|| DatasetsError::internal("a row names a file that was not delivered"))? += 1;
    }
    Ok(())
}

/// Turns key conflicts into rejects, with their raw text from a second reading.
async fn reject_conflicts(
    plan: &DatasetPlan,
    keys: KeyStage,
    mut rejects: RejectSpool,
    context: &PassContext<'_>,
) -> Result<RejectSpool> {
    if keys.conflicts().is_empty() {
        return Ok(rejects);
    }
    context.progress.took_rows(0, keys.conflicts().len() as u64);
    let files = plan.files.clone();
    let reading = move || {
        let conflicts: BTreeMap<_, _> =
            keys.conflicts().iter().map(|conflict| (conflict.dropped, conflict.kept)).collect();
        let names: BTreeMap<u32, String> =
            files.iter().map(|file| (file.source.index, file.source.name.clone())).collect();
        raw_rows(&files, conflicts.keys().copied().collect(), |place, raw| {
            let kept = conflicts.get(&place).copied().unwrap_or(place);
            let name = names.get(&kept.0).map_or("", String::as_str);
            let reason = format!("has the same key as {name}:{}, which was kept", kept.1);
            rejects.push(vec![Reject {
                file: place.0,
                line: place.1,
                raw,
                rule: "key".to_owned(),
                item: None,
                reason,
            }])
        })?;
        Ok(rejects)
    };
    context.cpu.spawn_blocking(reading).await.map_err(|_| DatasetsError::Cancelled)?
}

/// A task that ends with its owner.
struct AbortOnDrop<T>(tokio::task::JoinHandle<Result<T>>);

impl<T> AbortOnDrop<T> {
    async fn join(mut self) -> Result<T> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) if error.is_cancelled() => Err(DatasetsError::Cancelled),
            Err(_) => Err(DatasetsError::internal("sorting panicked")),
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
