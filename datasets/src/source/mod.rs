//! Delivered files to raw rows: decoding and splitting, nothing else.
//!
//! Second room of the walk. Each reader streams batches of raw columns named by the file's header; text formats give
//! text with blank as NULL, Parquet, Arrow give their own types. What the columns mean is decided in `conform`.
//! Memory is bounded by a block and a batch, except for workbooks, whose sheet is held whole.

mod block;
mod csv;
mod decode;
mod excel;
mod footer;
mod frames;
mod header;
mod json;
mod native;
mod pages;
mod raw;
mod split;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use footer::impossible;
pub(crate) use raw::{RawBatch, RawRows};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{DatasetsError, Result};
use crate::manifest::Format;

/// A delivered file on the local disk.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// Position in the delivery, from 0.
    pub(crate) index: u32,
    /// Name without folders.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Told of each portion of bytes read.
pub(crate) type OnBytes = Arc<dyn Fn(u64) + Send + Sync>;

/// Batches of one file; the first is always there, with the columns and possibly without rows.
pub(crate) type RawBatches = Box<dyn Iterator<Item = Result<RawBatch>> + Send>;

/// Opens a file for reading in batches of at most `batch_rows` rows.
///
/// # Errors
/// `Source` when the file is empty, cut off, in another encoding or without a usable header; `Io` when it can't be read.
pub(crate) fn open(
    file: &SourceFile,
    format: &Format,
    batch_rows: usize,
    on_bytes: &OnBytes,
) -> Result<RawBatches> {
    let batch_rows = batch_rows.max(1);
    if file.bytes == 0 {
        return Err(DatasetsError::file(&file.name, "the file is empty (0 bytes); deliver it again"));
    }
    let batches = guarded(&file.name, || open_format(file, format, batch_rows, on_bytes))??;
    Ok(Box::new(Guarded { name: file.name.clone(), batches, done: false }))
}

fn open_format(
    file: &SourceFile,
    format: &Format,
    batch_rows: usize,
    on_bytes: &OnBytes,
) -> Result<RawBatches> {
    match format {
        Format::Csv(csv) => csv::open(file, csv, batch_rows, on_bytes),
        Format::Json(encoding) => json::open(file, *encoding, json::Form::Array, batch_rows, on_bytes),
        Format::JsonLines(encoding) => json::open(file, *encoding, json::Form::Lines, batch_rows, on_bytes),
        Format::Parquet => native::open_parquet(file, batch_rows, on_bytes),
        Format::Arrow => native::open_arrow(file, on_bytes),
        Format::Excel(excel) => excel::open(file, excel, batch_rows, on_bytes),
    }
}

/// Batches of a reader that may panic on a damaged file.
struct Guarded {
    name: String,
    batches: RawBatches,
    done: bool,
}

impl Iterator for Guarded {
    type Item = Result<RawBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = guarded(&self.name, || self.batches.next());
        self.done = !matches!(next, Ok(Some(Ok(_))));
        next.unwrap_or_else(|error| Some(Err(error)))
    }
}

/// Turns a panic of a library that reads somebody's file into an error that names the file: the reader is not used again.
fn guarded<T>(name: &str, read: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        let reason = "the file can't be read: its reader gave up on it; it may be damaged: deliver it again";
        DatasetsError::file_because(name, reason, text)
    })
}

/// Runs a reader's step function until it says that nothing is left, or fails.
struct Steps<F> {
    step: F,
    done: bool,
}

impl<F: FnMut() -> Result<Option<RawBatch>>> Iterator for Steps<F> {
    type Item = Result<RawBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = (self.step)().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Boxes a step function as the batches of a file.
fn batches(step: impl FnMut() -> Result<Option<RawBatch>> + Send + 'static) -> RawBatches {
    Box::new(Steps { step, done: false })
}
