//! Audit: what is remembered of each query. A record is opened before planning and closed exactly once.
//!
//! Nothing leaves before the record that it belongs to is durable: neither the first batch, nor the end of an
//! empty result, nor an error. The end of a query that was answered follows within seconds; the record of a process
//! that was killed in between ends as `unknown`. When the store takes no records, queries are refused.
//!
//! | file | what it does |
//! |---|---|
//! | `record`, `entry` | what is remembered; the handle of one open record |
//! | `book` | records in memory, and when they are written |
//! | `journal` | small objects of JSON lines |
//! | `table`, `merge`, `roll` | the Delta table that the journal is rolled into |
//! | `tally` | counts of the queries that ended |
//! | `read`, `columns` | all of them as rows, each record once: `basin.queries` |
//!
//! Who may see which record is not decided here but in `policy`.

mod book;
mod columns;
mod entry;
mod journal;
mod merge;
mod read;
mod record;
mod roll;
mod table;
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use book::Receipt;
pub(crate) use columns::schema;
pub(crate) use entry::AuditEntry;
pub(crate) use read::{DaysWanted, read_all};
pub(crate) use record::{Outcome, Reads, Record};
pub use roll::Rolled;
pub use tally::{DURATION_BOUNDS_SECONDS, Tally};

use crate::beside::{Beside, OpenRecord, RunningQuery};
use crate::error::{EngineError, Result};
use book::Book;
use object_store::ObjectStore;
use object_store::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// Time between two rolls.
const ROLL_EVERY: Duration = Duration::from_secs(300);
/// So many new objects are rolled earlier, to keep reading quick …
const ROLL_OBJECTS: usize = 2_000;
/// … but never more often than this: each roll writes the newest file of the day anew.
const ROLL_PAUSE: Duration = Duration::from_secs(30);
/// A query that began so long before its time was over has ended, though clocks differ.
const GRACE: Duration = Duration::from_secs(60);

/// The audit of one engine.
#[derive(Debug)]
pub(crate) struct AuditLog {
    book: Arc<Book>,
    longest: Duration,
    _writer: AbortOnDropHandle<()>,
    _roller: AbortOnDropHandle<()>,
}

impl AuditLog {
    /// Starts an audit that writes below `folder`, on the I/O runtime. No query takes longer than `longest`.
    pub(crate) fn start(
        (store, folder): (Arc<dyn ObjectStore>, Path),
        io: &Handle,
        longest: Duration,
        beside: Arc<dyn Beside>,
    ) -> Self {
        let book = Arc::new(Book::new(store, folder, io.clone(), beside));
        let writer = Arc::clone(&book);
        let writer = io.spawn(async move { writer.write().await });
        let roller = io.spawn(roll_now_and_then(Arc::clone(&book)));
        Self {
            book,
            longest: longest + GRACE,
            _writer: AbortOnDropHandle::new(writer),
            _roller: AbortOnDropHandle::new(roller),
        }
    }

    /// Opens the record of a query.
    pub(crate) async fn open(&self, mut record: Record) -> Result<AuditEntry> {
        record.ends_by = record.started_at + self.longest;
        let key = record.key;
        let suppressed = self.book.open(record).await?;
        Ok(AuditEntry::new(key, Arc::clone(&self.book), suppressed))
    }

    /// Lists the queries that are open, of all processes of the server.
    pub(crate) async fn running(&self) -> Vec<RunningQuery> {
        self.book.running().await
    }

    /// Lists those of this process.
    pub(crate) fn running_here(&self) -> Vec<RunningQuery> {
        self.book.running_here()
    }

    /// Ends the open records of a process that died, and stores them.
    pub(crate) async fn bury(&self, records: &[OpenRecord], cause: &str) -> Result<()> {
        self.book.bury(records, cause);
        self.book.flush().await
    }

    /// Stores all closed records.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.book.flush().await
    }

    /// Rolls what the journal holds into the table.
    pub(crate) async fn roll(&self) -> Result<Rolled> {
        self.flush().await?;
        roll::roll(&self.book.store, &self.book.folder).await
    }

    /// Tells how many queries ended how.
    pub(crate) fn tally(&self) -> Tally {
        self.book.tally()
    }

    /// Tells how many ends are not stored yet, and whether the store takes none.
    pub(crate) fn health(&self) -> (u64, bool) {
        self.book.health()
    }

    /// Returns who stands beside the engine.
    pub(crate) fn beside(&self) -> &dyn Beside {
        self.book.beside.as_ref()
    }

    fn recent(&self) -> Vec<Record> {
        self.book.recent()
    }

    fn store(&self) -> (&Arc<dyn ObjectStore>, &Path) {
        (&self.book.store, &self.book.folder)
    }
}

async fn roll_now_and_then(book: Arc<Book>) {
    loop {
        tokio::time::sleep(ROLL_PAUSE).await;
        let many = async {
            while book.written() < ROLL_OBJECTS {
                book.wrote.notified().await;
            }
        };
        // Either is a reason to look.
        let _ = tokio::time::timeout(ROLL_EVERY.saturating_sub(ROLL_PAUSE), many).await;
        book.take_written();
        match roll::roll(&book.store, &book.folder).await {
            Ok(rolled) => tracing::debug!(?rolled, "audit rolled"),
            Err(error) => tracing::warn!(%error, "the audit was not rolled, trying again later"),
        }
    }
}

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::internal("the audit could not be read or written", error)
}
