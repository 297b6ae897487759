//! A dataset's table: sorted Parquet files and the Delta log over them.
//!
//! The walk comes here twice: accepted rows become data files (`writer`), which no reader sees, and
//! publication makes the Delta log point at exactly the target list of files (`delta`). Nothing here
//! decides which rows are accepted or which version is published.

mod delta;
mod distinct;
mod encode;
mod read;
mod replace;
mod sketch;
mod slices;
mod spec;
mod statistics;
mod storage;
mod upload;
mod values;
mod writer;

use std::collections::BTreeMap;

pub(crate) use delta::{DeltaTable, TableShape};
pub(crate) use distinct::{Published, distinct_counts};
pub(crate) use read::{align, batches, file_order, footer};
pub(crate) use replace::keep_other_slices;
pub(crate) use slices::SliceIndex;
pub(crate) use spec::{DataLayout, FileSpec};
pub(crate) use storage::{stored_schema, to_stored};
pub(crate) use values::distinct_values;
pub(crate) use writer::{FILE_BYTES, TableWriter};

/// How files that Basin wrote are signed, before its version.
const WRITER: &str = "basin ";

/// One data file of a table version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableFile {
    /// Path inside the table's folder.
    pub(crate) path: String,
    pub(crate) size_bytes: u64,
    pub(crate) rows: u64,
    /// Milliseconds since the epoch.
    pub(crate) modified_ms: i64,
    pub(crate) partition: BTreeMap<String, Option<String>>,
    /// Delta's statistics of the file, as JSON.
    pub(crate) stats: String,
    /// Where in the file its sketches are; none in files of earlier releases.
    pub(crate) counts: Option<Counts>,
    /// XXH64 of all its bytes; none in files of earlier releases.
    pub(crate) checksum: Option<u64>,
}

/// The place of a file's sketches of distinct values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// Files by their path: the content of a table version.
pub(crate) type FileSet = BTreeMap<String, TableFile>;
