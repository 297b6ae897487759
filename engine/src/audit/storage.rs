//! Storage: audit records as Parquet files, one a flush, in a folder a day.

use super::AuditLog;
use super::columns::{KEY, rows, schema};
use super::entry::Record;
use crate::error::{EngineError, Result};
use crate::request::QueryId;
use bytes::Bytes;
use chrono::Utc;
use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::DataFusionError;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::collections::HashSet;
use std::sync::Arc;

/// Files read at once.
const CONCURRENCY: usize = 16;

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::internal("the audit could not be read or written", error)
}

/// Stores records durably.
pub(super) async fn write(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    records: &[(QueryId, Record)],
) -> Result<()> {
    let batch = rows(records)?;
    let encoded = tokio::task::spawn_blocking(move || encode(&batch)).await.map_err(fault)??;
    let day = Utc::now().format("%Y-%m-%d");
    let path = Path::parse(format!("{folder}/{day}/{}.parquet", QueryId::new())).map_err(fault)?;
    let once = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    match store.put_opts(&path, encoded.into(), once).await {
        Ok(_) => Ok(()),
        Err(error) => Err(EngineError::Store { source: Box::new(error) }),
    }
}

fn encode(batch: &RecordBatch) -> Result<Bytes> {
    let level = ZstdLevel::try_new(1).map_err(fault)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).map_err(fault)?;
    writer.write(batch).map_err(fault)?;
    Ok(Bytes::from(writer.into_inner().map_err(fault)?))
}

/// Reads all records, stored and recent, of the users that `sees` lets through.
///
/// Shape: the columns of [`schema`], in no order.
pub(crate) async fn read_all<F>(audit: &AuditLog, sees: F) -> Result<Vec<RecordBatch>>
where
    F: Fn(&str) -> bool + Send + Sync,
{
    // Memory first: a record that is stored in between is then read twice, never missed.
    let mut recent = audit.recent();
    let (store, folder) = audit.store();
    let files: Vec<Path> = store
        .list(Some(folder))
        .map_ok(|file| file.location)
        .try_collect()
        .await
        .map_err(|error| EngineError::Store { source: Box::new(error) })?;
    let batches: Vec<Vec<RecordBatch>> = futures::stream::iter(files)
        .map(|path| read_file(store, path))
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let mut out = Vec::new();
    let mut stored = HashSet::new();
    for batch in batches.into_iter().flatten() {
        stored.extend(keys(&batch));
        out.push(visible(&batch, &sees)?);
    }
    recent.retain(|(key, _)| !stored.contains(&key.to_string()));
    out.push(visible(&rows(&recent)?, &sees)?);
    Ok(out)
}

async fn read_file(store: &Arc<dyn ObjectStore>, path: Path) -> Result<Vec<RecordBatch>> {
    let unavailable = |error| EngineError::Store { source: Box::new(error) };
    let bytes = store.get(&path).await.map_err(unavailable)?.bytes().await.map_err(unavailable)?;
    let decode = move || -> Result<Vec<RecordBatch>> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(fault)?;
        reader.build().map_err(fault)?.collect::<std::result::Result<_, _>>().map_err(fault)
    };
    tokio::task::spawn_blocking(decode).await.map_err(fault)?
}

fn keys(batch: &RecordBatch) -> Vec<String> {
    let column = batch.column_by_name(KEY).and_then(|column| column.as_string_opt::<i32>());
    column.map_or_else(Vec::new, |keys| keys.iter().flatten().map(ToOwned::to_owned).collect())
}

/// Keeps the rows whose user may be seen, in the columns of `basin.queries`.
fn visible(batch: &RecordBatch, sees: impl Fn(&str) -> bool) -> Result<RecordBatch> {
    let wanted = schema();
    let indices: Vec<usize> = wanted
        .fields()
        .iter()
        .map(|field| batch.schema().index_of(field.name()))
        .collect::<std::result::Result<_, _>>()
        .map_err(DataFusionError::from)?;
    let users = batch.column_by_name("user_name").and_then(|c| c.as_string_opt::<i32>());
    let keep: BooleanArray = match users {
        Some(users) => users.iter().map(|user| Some(user.is_some_and(&sees))).collect(),
        None => BooleanArray::from(vec![false; batch.num_rows()]),
    };
    let kept = filter_record_batch(batch, &keep).map_err(DataFusionError::from)?;
    let kept = kept.project(&indices).map_err(DataFusionError::from)?;
    // Stored files carry metadata of their own; the columns are what counts.
    Ok(RecordBatch::try_new(wanted, kept.columns().to_vec()).map_err(DataFusionError::from)?)
}
