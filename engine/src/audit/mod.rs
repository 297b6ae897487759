//! Audit: what is remembered of each query. A record is opened before planning and closed exactly once.
//!
//! Closed records are written in batches, as Parquet files under `audit/` of the store; what a crash can
//! lose is at most the records of the last [`FLUSH_EVERY`]. When the store takes no records for long, new
//! queries are refused: nothing runs that can't be remembered. Reading records is `basin.queries`.

mod columns;
mod entry;
mod storage;

pub(crate) use columns::schema;
pub(crate) use entry::{AuditEntry, Outcome, Record};
pub(crate) use storage::read_all;

use crate::error::{EngineError, Result};
use crate::request::QueryId;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// Time between two flushes.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Records that may wait for a store that does not take them.
const MAX_BACKLOG: usize = 50_000;

/// The audit of one engine.
#[derive(Debug)]
pub(crate) struct AuditLog {
    book: Arc<Book>,
    _writer: AbortOnDropHandle<()>,
}

/// The records that are not stored yet.
#[derive(Debug)]
struct Book {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    pages: Mutex<Pages>,
    flushing: tokio::sync::Mutex<()>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Pages {
    open: BTreeMap<QueryId, Record>,
    closed: BTreeMap<QueryId, Record>,
}

impl AuditLog {
    /// Starts an audit that writes below `folder`, on the I/O runtime.
    pub(crate) fn start(store: Arc<dyn ObjectStore>, folder: Path, io: &Handle) -> Self {
        let book = Arc::new(Book {
            store,
            folder,
            pages: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
            wake: Notify::new(),
        });
        let writer = Arc::clone(&book);
        let task = io.spawn(async move {
            loop {
                writer.wake.notified().await;
                // Gathers the records of a moment into one file.
                tokio::time::sleep(FLUSH_EVERY).await;
                if let Err(error) = writer.flush().await {
                    tracing::error!(%error, "audit records not stored, trying again");
                    writer.wake.notify_one();
                }
            }
        });
        Self { book, _writer: AbortOnDropHandle::new(task) }
    }

    /// Opens the record of a query.
    pub(crate) fn open(&self, record: Record) -> Result<AuditEntry> {
        let mut pages = self.book.pages();
        if pages.closed.len() >= MAX_BACKLOG {
            return Err(EngineError::Busy("the audit can't be written to the store".to_owned()));
        }
        // DoGet walks again under the id of GetFlightInfo: each walk is a record of its own.
        let key = QueryId::new();
        pages.open.insert(key, record);
        drop(pages);
        Ok(AuditEntry::new(key, Arc::clone(&self.book)))
    }

    /// Returns the records that are open or not stored yet.
    pub(crate) fn recent(&self) -> Vec<(QueryId, Record)> {
        let pages = self.book.pages();
        pages.open.iter().chain(&pages.closed).map(|(key, record)| (*key, record.clone())).collect()
    }

    /// Stores all closed records.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.book.flush().await
    }

    pub(crate) fn store(&self) -> (&Arc<dyn ObjectStore>, &Path) {
        (&self.book.store, &self.book.folder)
    }
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, key: QueryId, change: impl FnOnce(&mut Record)) {
        let mut pages = self.pages();
        if let Some(mut record) = pages.open.remove(&key) {
            change(&mut record);
            pages.closed.insert(key, record);
        }
        drop(pages);
        self.wake.notify_one();
    }

    fn remove(&self, key: QueryId) {
        self.pages().open.remove(&key);
    }

    fn edit(&self, key: QueryId, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.pages().open.get_mut(&key) {
            change(record);
        }
    }

    async fn flush(&self) -> Result<()> {
        let _one_at_a_time = self.flushing.lock().await;
        let batch: Vec<(QueryId, Record)> =
            self.pages().closed.iter().map(|(key, record)| (*key, record.clone())).collect();
        if batch.is_empty() {
            return Ok(());
        }
        storage::write(&self.store, &self.folder, &batch).await?;
        // Only now that they are durable do they leave memory: a reader never misses one.
        let mut pages = self.pages();
        for (key, _) in &batch {
            pages.closed.remove(key);
        }
        Ok(())
    }
}
