//! How far pooling is: counters that any thread adds to and a display reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

const STAGES: [&str; 11] = [
    "starting",
    "hashing",
    "reading",
    "writing",
    "publishing",
    "merging small files",
    "done",
    "reading the catalog",
    "checking files",
    "removing",
    "copying",
];

/// The stage that pooling, or work on a whole store, is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Hashing = 1,
    Reading = 2,
    Writing = 3,
    Publishing = 4,
    Compacting = 5,
    Done = 6,
    Replaying = 7,
    Checking = 8,
    Removing = 9,
    Copying = 10,
}

/// Counters of one pooling; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    stage: AtomicUsize,
    bytes_total: AtomicU64,
    bytes_read: AtomicU64,
    rows_in: AtomicU64,
    rows_rejected: AtomicU64,
    rows_written: AtomicU64,
}

impl Progress {
    /// Names what is being done now, in a few words.
    pub fn stage(&self) -> &'static str {
        STAGES.get(self.counters.stage.load(Relaxed)).copied().unwrap_or("starting")
    }

    /// Returns the bytes that will be read: a file that feeds two datasets counts twice.
    pub fn bytes_total(&self) -> u64 {
        self.counters.bytes_total.load(Relaxed)
    }

    /// Returns the bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.counters.bytes_read.load(Relaxed)
    }

    /// Returns the rows read so far.
    pub fn rows_in(&self) -> u64 {
        self.counters.rows_in.load(Relaxed)
    }

    /// Returns the rows rejected so far.
    pub fn rows_rejected(&self) -> u64 {
        self.counters.rows_rejected.load(Relaxed)
    }

    /// Returns the rows written so far.
    pub fn rows_written(&self) -> u64 {
        self.counters.rows_written.load(Relaxed)
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.counters.stage.store(stage as usize, Relaxed);
    }

    pub(crate) fn expect_bytes(&self, bytes: u64) {
        self.counters.bytes_total.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn read_bytes(&self, bytes: u64) {
        self.counters.bytes_read.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn took_rows(&self, rows_in: u64, rejected: u64) {
        self.counters.rows_in.fetch_add(rows_in, Relaxed);
        self.counters.rows_rejected.fetch_add(rejected, Relaxed);
    }

    pub(crate) fn wrote_rows(&self, rows: u64) {
        self.counters.rows_written.fetch_add(rows, Relaxed);
    }
}
