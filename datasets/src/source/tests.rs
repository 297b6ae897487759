//! Each format and encoding, and what is wrong with files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::util::display::array_value_to_string;
use tempfile::TempDir;

use super::{OnBytes, RawBatch, SourceFile, open};
use crate::error::{DatasetsError, Result};
use crate::manifest::{CsvFormat, Encoding, ExcelFormat, Format};

mod binary;
mod encodings;
mod text;

/// Writes a file and reads it whole; the bytes told of must add up.
pub(crate) fn read(name: &str, bytes: &[u8], format: &Format) -> Result<Vec<RawBatch>> {
    read_in(name, bytes, format, 1000)
}

pub(crate) fn read_in(name: &str, bytes: &[u8], format: &Format, batch_rows: usize) -> Result<Vec<RawBatch>> {
    let folder = TempDir::new().unwrap();
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let file = SourceFile { index: 3, name: name.to_owned(), path, bytes: bytes.len() as u64 };
    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&read);
    let on_bytes: OnBytes = Arc::new(move |bytes| {
        counted.fetch_add(bytes, Ordering::Relaxed);
    });
    let batches: Result<Vec<RawBatch>> = open(&file, format, batch_rows, &on_bytes)?.collect();
    if batches.is_ok() && *format != Format::Arrow {
        assert_eq!(read.load(Ordering::Relaxed), bytes.len() as u64);
    }
    batches
}

pub(crate) fn csv() -> CsvFormat {
    CsvFormat {
        delimiter: b',',
        quote: Some(b'"'),
        header: true,
        names: Vec::new(),
        encoding: Encoding::Auto,
    }
}

/// All cells as text, NULL as `∅`.
fn cells(batches: &[RawBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        assert_eq!(batch.rows.num_rows(), batch.lines.len());
        assert_eq!(batch.file, 3);
        for row in 0..batch.rows.num_rows() {
            rows.push(batch.rows.columns().iter().map(|column| cell(column, row)).collect());
        }
    }
    rows
}

fn cell(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) { "∅".to_owned() } else { array_value_to_string(column, row).unwrap() }
}

fn columns(batches: &[RawBatch]) -> Vec<String> {
    batches[0].rows.schema_ref().fields().iter().map(|field| field.name().clone()).collect()
}

fn lines(batches: &[RawBatch]) -> Vec<u64> {
    batches.iter().flat_map(|batch| batch.lines.clone()).collect()
}

/// The message of a refused file, which must name it.
fn refusal(name: &str, bytes: &[u8], format: &Format) -> String {
    let error = read(name, bytes, format).map(|_| ()).unwrap_err();
    assert!(matches!(error, DatasetsError::Source { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains(name), "{message}");
    message
}
