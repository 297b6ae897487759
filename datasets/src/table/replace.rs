//! Taking replaced slices out of the published files.
//!
//! Files that hold none of them stay as they are, files that hold nothing else fall away, and the
//! rest is rewritten in the same order without the replaced rows.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use arrow::array::{BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use basin_catalog::{DatasetDefinition, SliceKey};
use futures::TryStreamExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::slices::SliceIndex;
use super::{FileSet, FileSpec, TableFile, TableWriter, read};
use crate::{DatasetsError, Result};

/// What remains of a version without the replaced slices.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Files as they were.
    pub(crate) files: FileSet,
    /// New files that hold what remains of others.
    pub(crate) rewritten: Vec<TableFile>,
}

/// Finds and writes what remains of a version's files without the replaced slices.
///
/// # Errors
/// The store's errors; a damaged file.
pub(crate) async fn keep_other_slices(
    files: FileSet,
    definition: &DatasetDefinition,
    replaced: &BTreeSet<SliceKey>,
    spec: &FileSpec,
) -> Result<Kept> {
    let mut kept = Kept::default();
    if definition.layout.slice.is_empty() && !replaced.is_empty() {
        return Ok(kept);
    }
    for (path, file) in files {
        if !may_hold(&file, definition, replaced)? {
            kept.files.insert(path, file);
            continue;
        }
        let remaining_rows = count_remaining(&file, definition, replaced, spec).await?;
        if remaining_rows == file.rows {
            kept.files.insert(path, file);
        } else if remaining_rows > 0 {
            let rewritten = rewrite(&file, definition, replaced, spec).await?;
            let rows: u64 = rewritten.iter().map(|file| file.rows).sum();
            if rows != remaining_rows {
                return Err(DatasetsError::internal(format!(
                    "{path}: {remaining_rows} rows remain, {rows} were rewritten"
                )));
            }
            kept.rewritten.extend(rewritten);
        }
    }
    Ok(kept)
}

/// Whether the statistics allow a file to hold one of the slices.
fn may_hold(file: &TableFile, definition: &DatasetDefinition, slices: &BTreeSet<SliceKey>) -> Result<bool> {
    let index = SliceIndex::new(definition)?;
    let stats: Value = serde_json::from_str(&file.stats).unwrap_or_default();
    let columns: Vec<(&str, &DataType)> = index.types().collect();
    Ok(slices.iter().any(|slice| {
        columns
            .iter()
            .zip(&slice.0)
            .all(|((name, data_type), value)| may_equal(&stats, name, data_type, value.as_deref()))
    }))
}

fn may_equal(stats: &Value, name: &str, data_type: &DataType, value: Option<&str>) -> bool {
    let bound = |kind: &str| stats.get(kind).and_then(|values| values.get(name)).cloned();
    let Some(value) = value else {
        return bound("nullCount").and_then(|count| count.as_u64()).is_none_or(|count| count > 0);
    };
    let compare = |bound: &Value| -> Option<Ordering> {
        match data_type {
            DataType::Utf8 | DataType::Date32 => Some(value.cmp(bound.as_str()?)),
            number if number.is_integer() => {
                Some(value.parse::<i128>().ok()?.cmp(&bound.to_string().parse::<i128>().ok()?))
            }
            _ => None,
        }
    };
    let above = bound("minValues").as_ref().and_then(compare).is_none_or(|order| order != Ordering::Less);
    let below = bound("maxValues").as_ref().and_then(compare).is_none_or(|order| order != Ordering::Greater);
    above && below
}

async fn count_remaining(
    file: &TableFile,
    definition: &DatasetDefinition,
    replaced: &BTreeSet<SliceKey>,
    spec: &FileSpec,
) -> Result<u64> {
    let mut index = SliceIndex::new(definition)?;
    let mut batches = read::batches(&spec.store, &spec.folder, file, Some(&index.columns())).await?;
    let mut rows = 0;
    while let Some(batch) = batches.try_next().await? {
        rows += remaining(&mut index, &batch, replaced)?.true_count() as u64;
    }
    Ok(rows)
}

/// Streams a file through a filter into a new file; encoding runs beside the reading.
async fn rewrite(
    file: &TableFile,
    definition: &DatasetDefinition,
    replaced: &BTreeSet<SliceKey>,
    spec: &FileSpec,
) -> Result<Vec<TableFile>> {
    let mut index = SliceIndex::new(definition)?;
    let mut batches = read::batches(&spec.store, &spec.folder, file, None).await?;
    // The rows stay in the order that they have, which is not today's when the manifest has changed.
    let sort = read::file_order(&spec.store, &spec.folder, file).await?;
    let mut writer = TableWriter::new(FileSpec { sort, ..spec.clone() })?;
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(4);
    let writing = tokio::task::spawn_blocking(move || {
        while let Some(batch) = receiver.blocking_recv() {
            writer.write(&batch)?;
        }
        writer.finish()
    });
    while let Some(batch) = batches.try_next().await? {
        let mask = remaining(&mut index, &batch, replaced)?;
        let batch = read::align(&filter_record_batch(&batch, &mask)?, &spec.schema)?;
        if sender.send(batch).await.is_err() {
            break;
        }
    }
    drop(sender);
    writing.await.map_err(|_| DatasetsError::internal("the writer of a remaining file panicked"))?
}

fn remaining(
    index: &mut SliceIndex,
    batch: &RecordBatch,
    replaced: &BTreeSet<SliceKey>,
) -> Result<BooleanArray> {
    let mut mask = BooleanBufferBuilder::new(batch.num_rows());
    for (range, number) in index.assign(batch)? {
        let is_replaced = index.keys().get(number).is_some_and(|key| replaced.contains(key));
        mask.append_n(range.len(), !is_replaced);
    }
    Ok(BooleanArray::new(mask.finish(), None))
}
