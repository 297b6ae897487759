//! Formats with their own types: Parquet, and Arrow IPC as a file or a stream.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::decode::unreadable;
use super::footer::impossible;
use super::frames::{check_file, check_stream};
use super::header::unique;
use super::pages::check_pages;
use super::raw::{RawBatch, RawRows};
use super::{OnBytes, RawBatches, SourceFile, batches};
use crate::error::{DatasetsError, Result};

/// First bytes of an Arrow IPC file; a stream has none.
const ARROW_MAGIC: &[u8] = b"ARROW1";

/// Opens a Parquet file.
pub(super) fn open_parquet(file: &SourceFile, batch_rows: usize, on_bytes: &OnBytes) -> Result<RawBatches> {
    let refuse = |error| {
        let reason =
            "the file can't be read as Parquet; it may be cut off or in another format: deliver it again";
        DatasetsError::file_because(&file.name, reason, error)
    };
    let mut opened = File::open(&file.path).map_err(|error| unreadable(file, error))?;
    let same = opened.try_clone().map_err(|error| unreadable(file, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(same).map_err(refuse)?;
    if let Some(what) = impossible(builder.metadata(), file.bytes) {
        return Err(refuse(ParquetError::General(what)));
    }
    check_pages(&mut opened, builder.metadata()).map_err(refuse)?;
    let rows = builder.metadata().file_metadata().num_rows().unsigned_abs();
    let reader = builder.with_batch_size(batch_rows).build().map_err(refuse)?;
    stream(file, reader, Some(rows), on_bytes)
}

/// Opens Arrow IPC.
pub(super) fn open_arrow(file: &SourceFile, on_bytes: &OnBytes) -> Result<RawBatches> {
    let refuse = |error: ArrowError| {
        let reason =
            "the file can't be read as Arrow IPC; it may be cut off or in another format: deliver it again";
        DatasetsError::file_because(&file.name, reason, error)
    };
    let mut opened = File::open(&file.path).map_err(|error| unreadable(file, error))?;
    let mut start = Vec::new();
    (&mut opened)
        .take(ARROW_MAGIC.len() as u64)
        .read_to_end(&mut start)
        .map_err(|error| unreadable(file, error))?;
    let is_file = start == ARROW_MAGIC;
    let check = if is_file { check_file } else { check_stream };
    check(&mut opened, file.bytes).map_err(refuse)?;
    opened.seek(SeekFrom::Start(0)).map_err(|error| unreadable(file, error))?;
    let opened = BufReader::new(opened);
    if is_file {
        stream(file, FileReader::try_new(opened, None).map_err(refuse)?, None, on_bytes)
    } else {
        stream(file, StreamReader::try_new(opened, None).map_err(refuse)?, None, on_bytes)
    }
}

/// Numbers the rows of a reader and reports progress by the share of its rows, or all at the end.
fn stream(
    file: &SourceFile,
    mut reader: impl RecordBatchReader + Send + 'static,
    rows: Option<u64>,
    on_bytes: &OnBytes,
) -> Result<RawBatches> {
    let schema = nullable(&reader.schema());
    unique(&file.name, schema.fields().iter().map(|field| field.name()))?;
    let (file, on_bytes) = (file.clone(), Arc::clone(on_bytes));
    let name: Arc<str> = Arc::from(file.name.as_str());
    let (mut seen, mut reported, mut first) = (0_u64, 0_u64, true);
    Ok(batches(move || {
        let batch = match reader.next().transpose() {
            Ok(Some(batch)) => batch,
            Ok(None) => {
                on_bytes(file.bytes.saturating_sub(std::mem::replace(&mut reported, file.bytes)));
                if !std::mem::take(&mut first) {
                    return Ok(None);
                }
                RecordBatch::new_empty(Arc::clone(&schema))
            }
            Err(error) => {
                let reason =
                    format!("the file can't be read behind row {seen}; it may be cut off: deliver it again");
                return Err(DatasetsError::file_because(&file.name, reason, error));
            }
        };
        first = false;
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&schema),
            batch.columns().to_vec(),
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
        )?;
        let lines: Vec<u64> = (1..=batch.num_rows() as u64).map(|row| seen + row).collect();
        seen += batch.num_rows() as u64;
        if let Some(rows) = rows.filter(|rows| *rows > 0) {
            let read = (u128::from(file.bytes) * u128::from(seen.min(rows)) / u128::from(rows)) as u64;
            on_bytes(read.saturating_sub(reported));
            reported = reported.max(read);
        }
        Ok(Some(RawBatch {
            file: file.index,
            name: Arc::clone(&name),
            raw: RawRows::Columns(batch.clone()),
            rows: batch,
            lines,
            malformed: Vec::new(),
        }))
    }))
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), true))
        .collect();
    Arc::new(Schema::new(fields))
}
