//! Merge: records into a day's files, so that each stands there once, as it ended.
//!
//! Small files are taken into the new one, and so is any file that may hold one of the records: keys are in the
//! order of time, so there is rarely one.

use super::columns::{KEY, OUTCOME, conform, rows, stored_schema, texts};
use super::fault;
use super::journal::unavailable;
use super::record::{Ended, Record};
use super::table::{DAY, TableChange, TableFile, folder_of};
use crate::error::Result;
use bytes::Bytes;
use chrono::{NaiveDate, Utc};
use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::{concat_batches, filter_record_batch, sort_to_indices, take_record_batch};
use datafusion::common::DataFusionError;
use deltalake_core::kernel::Add;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Files below this are taken into the next one: some 50,000 records.
const SMALL_BYTES: u64 = 8 * 1024 * 1024;

/// A day and the records that began on it, by key.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) day: NaiveDate,
    pub(super) records: BTreeMap<String, Record>,
}

impl Day {
    fn takes(&self, file: &TableFile) -> bool {
        let (Some(first), Some(last)) = (self.records.keys().next(), self.records.keys().next_back()) else {
            return false;
        };
        let overlaps = file.keys.as_ref().is_none_or(|(least, greatest)| first <= greatest && least <= last);
        file.day == self.day && (file.bytes < SMALL_BYTES || overlaps)
    }
}

/// Writes the file that holds a day's new records, and notes it in `change` with those it replaces. Nothing is
/// written when all of them are in the table already. Returns where the file is, and how many records are new.
pub(super) async fn merge(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    files: &[TableFile],
    day: Day,
) -> Result<Option<Merged>> {
    let date = day.day;
    let taken: Vec<TableFile> = files.iter().filter(|file| day.takes(file)).cloned().collect();
    let mut contents = Vec::with_capacity(taken.len());
    for file in &taken {
        contents
            .push(store.get(&file.location).await.map_err(unavailable)?.bytes().await.map_err(unavailable)?);
    }
    let merged =
        tokio::task::spawn_blocking(move || merged(contents, day.records)).await.map_err(fault)??;
    let Some(Encoded { bytes, stats, records }) = merged else { return Ok(None) };
    let path = format!("{}/part-{}.parquet", folder_of(date), Uuid::now_v7());
    let location = Path::parse(format!("{folder}/{path}")).map_err(fault)?;
    let add = Add {
        path,
        partition_values: HashMap::from([(DAY.to_owned(), Some(date.to_string()))]),
        size: bytes.len() as i64,
        modification_time: Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(stats),
        ..Add::default()
    };
    store.put(&location, bytes.into()).await.map_err(unavailable)?;
    let removed = taken.into_iter().map(|file| file.path).collect();
    Ok(Some(Merged { location, records, change: TableChange { added: vec![add], removed } }))
}

/// What merging one day came to.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) location: Path,
    /// Records that the table did not have, or not as they ended.
    pub(super) records: u64,
    pub(super) change: TableChange,
}

struct Encoded {
    bytes: Bytes,
    stats: String,
    records: u64,
}

fn merged(contents: Vec<Bytes>, mut new: BTreeMap<String, Record>) -> Result<Option<Encoded>> {
    let schema = stored_schema();
    let mut batches = Vec::new();
    for bytes in contents {
        for batch in decode(bytes)? {
            let kept = without_superseded(&batch, &mut new)?;
            batches.push(conform(&kept, &schema)?);
        }
    }
    if new.is_empty() {
        return Ok(None);
    }
    let records = new.len() as u64;
    batches.push(rows(&new.into_values().collect::<Vec<_>>())?);
    let all = concat_batches(&schema, &batches).map_err(DataFusionError::from)?;
    let at = schema.index_of(KEY).map_err(DataFusionError::from)?;
    let order = sort_to_indices(all.column(at), None, None).map_err(DataFusionError::from)?;
    let sorted = take_record_batch(&all, &order).map_err(DataFusionError::from)?;
    Ok(Some(Encoded { stats: stats(&sorted), bytes: encode(&sorted)?, records }))
}

/// Drops the rows that a new record says better, and the new records that are there already.
fn without_superseded(batch: &RecordBatch, new: &mut BTreeMap<String, Record>) -> Result<RecordBatch> {
    let (keys, outcomes) = (texts(batch, KEY), texts(batch, OUTCOME));
    let keep = keys.into_iter().zip(outcomes).map(|(key, outcome)| {
        let Some(key) = key else { return true };
        let Some(record) = new.get(key) else { return true };
        // An end that came late replaces one that was not known.
        if outcome == Some(Ended::Unknown.name()) && record.is_closed() {
            return false;
        }
        new.remove(key);
        true
    });
    let keep: BooleanArray = keep.map(Some).collect();
    Ok(filter_record_batch(batch, &keep).map_err(DataFusionError::from)?)
}

/// The figures that Delta keeps of a file: keys in order, so the first and the last bound them.
fn stats(sorted: &RecordBatch) -> String {
    let keys = texts(sorted, KEY);
    let bound = |key: Option<&Option<&str>>| serde_json::json!({ KEY: key.copied().flatten() });
    let stats = serde_json::json!({
        "numRecords": sorted.num_rows(),
        "minValues": bound(keys.first()),
        "maxValues": bound(keys.last()),
        "nullCount": { KEY: 0 },
    });
    stats.to_string()
}

fn encode(batch: &RecordBatch) -> Result<Bytes> {
    let level = ZstdLevel::try_new(3).map_err(fault)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).map_err(fault)?;
    writer.write(batch).map_err(fault)?;
    Ok(Bytes::from(writer.into_inner().map_err(fault)?))
}

/// Reads the rows of a file.
pub(super) fn decode(bytes: Bytes) -> Result<Vec<RecordBatch>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(fault)?;
    reader.build().map_err(fault)?.collect::<std::result::Result<_, _>>().map_err(fault)
}
