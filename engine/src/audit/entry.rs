//! Entry: the handle of one open record. Whoever holds it last closes it; dropped, it is cancelled.

use super::book::{Book, Receipt};
use super::record::{Outcome, Reads};
use crate::beside::Stage;
use crate::error::EngineError;
use crate::request::QueryId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An open record. Dropping it closes it as cancelled.
#[derive(Debug)]
pub(crate) struct AuditEntry {
    key: QueryId,
    book: Arc<Book>,
    suppressed: Arc<AtomicU64>,
    closed: bool,
}

impl AuditEntry {
    pub(super) fn new(key: QueryId, book: Arc<Book>, suppressed: Arc<AtomicU64>) -> Self {
        Self { key, book, suppressed, closed: false }
    }

    /// Notes what the query reads.
    pub(crate) fn reads(&self, reads: Reads) {
        self.book.edit(self.key, |record| record.reads = reads);
    }

    /// Notes how far the query is.
    pub(crate) fn stage(&self, stage: Stage) {
        self.book.stage(self.key, stage);
    }

    /// Returns the counter of suppressed cells, for the operator that suppresses them.
    pub(crate) fn suppressed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.suppressed)
    }

    /// Notes that the rows are those of an earlier run, in which so many cells were withheld.
    pub(crate) fn answered_from_cache(&self, withheld: u64) {
        self.suppressed.store(withheld, Ordering::Relaxed);
        self.book.edit(self.key, |record| record.from_cache = true);
    }

    /// Counts rows that left.
    pub(crate) fn sent(&self, rows: u64, bytes: u64) {
        self.book.edit(self.key, |record| {
            record.rows += rows;
            record.bytes += bytes;
        });
    }

    /// Asks for the record to be stored now, as it is. No row and no error may leave before the receipt comes.
    pub(crate) fn keep(&self) -> Receipt {
        self.book.keep(self.key)
    }

    /// Removes the record of a query that was only described: nothing ran, and running it opens another.
    pub(crate) fn withdraw(mut self) {
        self.closed = true;
        self.book.remove(self.key);
    }

    /// Closes the record; a second call changes nothing.
    pub(crate) fn close(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        tracing::debug!(outcome = outcome.name(), "query closed");
        self.book.close(self.key, |record| record.end(outcome));
    }

    /// Closes the record of a query that failed, and returns what to answer once that is stored: the error, or
    /// that it can't be remembered.
    pub(crate) async fn fail(&mut self, error: EngineError) -> EngineError {
        self.close(Outcome::of(&error));
        match self.keep().await {
            Ok(()) => error,
            Err(not_kept) => not_kept,
        }
    }
}

impl Drop for AuditEntry {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled);
    }
}
