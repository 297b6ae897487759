//! Book: the records that are not stored yet, and the task that stores them.
//!
//! A record is written when somebody waits for it, at once; while one write is under way, what others wait for
//! gathers, and goes into the next object together. Ends that nobody waits for are written every
//! [`FLUSH_EVERY`].

use super::journal;
use super::record::{Outcome, Record};
use super::tally::Tally;
use crate::beside::{Beside, OpenRecord, RunningQuery, Stage};
use crate::error::{EngineError, Result};
use crate::request::QueryId;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Sleep;

/// Time between two writes that nobody waits for.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// How long a query waits for its record to be stored.
const STORED_WITHIN: Duration = Duration::from_secs(10);
/// After writes have failed for so long, new queries don't wait: they are refused at once.
const REFUSED_AFTER: Duration = Duration::from_secs(5);
/// A write that takes longer counts as failed, and is tried again.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// Pause after a write that failed.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Records that may wait for a store that does not take them.
const MAX_BACKLOG: usize = 50_000;

/// The records that are not stored yet.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) folder: Path,
    io: Handle,
    pub(super) beside: Arc<dyn Beside>,
    pages: Mutex<Pages>,
    flushing: tokio::sync::Mutex<()>,
    /// Somebody waits.
    urgent: Notify,
    /// A record was closed.
    closed: Notify,
    /// Objects written since they were last asked for.
    written: AtomicUsize,
    /// Told of each write.
    pub(super) wrote: Notify,
}

#[derive(Debug, Default)]
struct Pages {
    open: BTreeMap<QueryId, Page>,
    closed: BTreeMap<QueryId, Record>,
    /// Open records that are to be stored as they are.
    wanted: BTreeSet<QueryId>,
    waiting: Vec<oneshot::Sender<()>>,
    failing_since: Option<Instant>,
    tally: Tally,
}

#[derive(Debug)]
struct Page {
    record: Record,
    stage: Stage,
    suppressed: Arc<AtomicU64>,
}

impl Page {
    fn now(&self) -> Record {
        let cells_suppressed = self.suppressed.load(Ordering::Relaxed);
        Record { cells_suppressed, ..self.record.clone() }
    }
}

/// What goes into one object.
struct Batch {
    records: Vec<Record>,
    wanted: BTreeSet<QueryId>,
    waiting: Vec<oneshot::Sender<()>>,
}

/// Comes when a record is stored. Fails when that takes too long.
#[derive(Debug)]
pub(crate) struct Receipt {
    stored: oneshot::Receiver<()>,
    timer: Pin<Box<Sleep>>,
}

impl Future for Receipt {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.stored).poll(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => return Poll::Ready(Err(not_kept())),
            Poll::Pending => {}
        }
        self.timer.as_mut().poll(cx).map(|()| Err(not_kept()))
    }
}

fn not_kept() -> EngineError {
    EngineError::Busy("the audit can't be written to the store, and nothing runs without it".to_owned())
}

impl Book {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        folder: Path,
        io: Handle,
        beside: Arc<dyn Beside>,
    ) -> Self {
        Self {
            store,
            folder,
            io,
            beside,
            pages: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
            urgent: Notify::new(),
            closed: Notify::new(),
            written: AtomicUsize::new(0),
            wrote: Notify::new(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a record, unless records can't be stored.
    pub(super) async fn open(&self, record: Record) -> Result<Arc<AtomicU64>> {
        let open = record.kept_outside()?;
        let suppressed = self.enter(record)?;
        self.beside.opened(open).await;
        Ok(suppressed)
    }

    fn enter(&self, record: Record) -> Result<Arc<AtomicU64>> {
        let mut pages = self.pages();
        let failing = pages.failing_since.is_some_and(|since| since.elapsed() > REFUSED_AFTER);
        if failing || pages.closed.len() >= MAX_BACKLOG {
            return Err(not_kept());
        }
        let suppressed = Arc::new(AtomicU64::new(0));
        let page = Page { record, stage: Stage::Planning, suppressed: Arc::clone(&suppressed) };
        pages.open.insert(page.record.key, page);
        Ok(suppressed)
    }

    pub(super) fn edit(&self, key: QueryId, change: impl FnOnce(&mut Record)) {
        if let Some(page) = self.pages().open.get_mut(&key) {
            change(&mut page.record);
        }
    }

    pub(super) fn remove(&self, key: QueryId) {
        let mut pages = self.pages();
        pages.open.remove(&key);
        pages.wanted.remove(&key);
        drop(pages);
        self.beside.ended(vec![key]);
    }

    pub(super) fn stage(&self, key: QueryId, stage: Stage) {
        if let Some(page) = self.pages().open.get_mut(&key) {
            page.stage = stage;
        }
    }

    /// Takes over the records of a process that died; those that it had not ended end now.
    pub(super) fn bury(&self, records: &[OpenRecord], cause: &str) {
        let mut pages = self.pages();
        for open in records {
            match serde_json::from_str::<Record>(&open.json) {
                Ok(mut record) => {
                    if !record.is_closed() {
                        record.end(Outcome::Died(cause.to_owned()));
                    }
                    pages.closed.insert(record.key, record);
                }
                Err(error) => tracing::error!(key = %open.key, %error, "an open record can't be read"),
            }
        }
        drop(pages);
        self.closed.notify_one();
    }

    /// Lists what is open here and in the other processes of the server.
    pub(super) async fn running(&self) -> Vec<RunningQuery> {
        let mut queries = self.running_here();
        queries.extend(self.beside.running().await);
        queries
    }

    /// Lists what is open here.
    pub(super) fn running_here(&self) -> Vec<RunningQuery> {
        let process = self.beside.process();
        self.pages().open.values().map(|page| page.record.running(page.stage, process)).collect()
    }

    pub(super) fn close(&self, key: QueryId, change: impl FnOnce(&mut Record)) {
        let mut pages = self.pages();
        if let Some(page) = pages.open.remove(&key) {
            let mut record = page.now();
            change(&mut record);
            pages.wanted.remove(&key);
            match record.kept_outside() {
                Ok(record) => self.beside.closed(record),
                Err(error) => tracing::error!(%key, %error, "the end of a query is kept in its process only"),
            }
            pages.tally.count(&record);
            pages.closed.insert(key, record);
        }
        drop(pages);
        self.closed.notify_one();
    }

    /// Tells how many queries ended how.
    pub(super) fn tally(&self) -> Tally {
        self.pages().tally.clone()
    }

    /// Tells how many ends are not stored yet, and whether the store takes none.
    pub(super) fn health(&self) -> (u64, bool) {
        let pages = self.pages();
        (pages.closed.len() as u64, pages.failing_since.is_some())
    }

    /// Has a record stored now.
    pub(super) fn keep(&self, key: QueryId) -> Receipt {
        let (sender, stored) = oneshot::channel();
        let mut pages = self.pages();
        if pages.open.contains_key(&key) {
            pages.wanted.insert(key);
        }
        pages.waiting.push(sender);
        drop(pages);
        self.urgent.notify_one();
        let _on_io = self.io.enter();
        Receipt { stored, timer: Box::pin(tokio::time::sleep(STORED_WITHIN)) }
    }

    /// Returns the records that are open or not stored yet.
    pub(super) fn recent(&self) -> Vec<Record> {
        let pages = self.pages();
        pages.open.values().map(Page::now).chain(pages.closed.values().cloned()).collect()
    }

    /// Returns how many objects were written since the last call.
    pub(super) fn take_written(&self) -> usize {
        self.written.swap(0, Ordering::Relaxed)
    }

    /// Tells how many objects [`Self::take_written`] would return.
    pub(super) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Stores what is to be stored, for as long as it is polled.
    pub(super) async fn write(&self) {
        loop {
            let closed = async {
                self.closed.notified().await;
                // Gathers the ends of a moment into one object.
                tokio::time::sleep(FLUSH_EVERY).await;
            };
            tokio::select! {
                biased;
                () = self.urgent.notified() => {}
                () = closed => {}
            }
            if let Err(error) = self.flush().await {
                tracing::error!(%error, "audit records not stored, trying again");
                tokio::time::sleep(RETRY_AFTER).await;
                self.urgent.notify_one();
            }
        }
    }

    /// Stores all closed records, and the open ones that somebody waits for, in one object.
    pub(super) async fn flush(&self) -> Result<()> {
        let _one_at_a_time = self.flushing.lock().await;
        let batch = self.pages().take();
        if batch.records.is_empty() {
            self.pages().stored(batch);
            return Ok(());
        }
        let write = journal::write(&self.store, &self.folder, &batch.records);
        let outcome = tokio::time::timeout(WRITE_WITHIN, write).await;
        match outcome.unwrap_or_else(|late| Err(EngineError::Store { source: Box::new(late) })) {
            Ok(_) => {
                let ended = self.pages().stored(batch);
                self.beside.ended(ended);
                self.written.fetch_add(1, Ordering::Relaxed);
                self.wrote.notify_one();
                Ok(())
            }
            Err(error) => {
                self.pages().put_back(batch);
                Err(error)
            }
        }
    }
}

impl Pages {
    fn take(&mut self) -> Batch {
        let wanted = std::mem::take(&mut self.wanted);
        let opened = wanted.iter().filter_map(|key| self.open.get(key)).map(Page::now);
        let records = opened.chain(self.closed.values().cloned()).collect();
        Batch { records, wanted, waiting: std::mem::take(&mut self.waiting) }
    }

    /// Only now that they are durable do closed records leave memory: a reader never misses one. Returns which they were.
    fn stored(&mut self, batch: Batch) -> Vec<QueryId> {
        self.failing_since = None;
        let closed = batch.records.iter().filter(|record| record.is_closed());
        let ended: Vec<QueryId> = closed.map(|record| record.key).collect();
        for key in &ended {
            self.closed.remove(key);
        }
        for waiting in batch.waiting {
            // Whoever gave up hears nothing.
            let _ = waiting.send(());
        }
        ended
    }

    fn put_back(&mut self, batch: Batch) {
        self.failing_since.get_or_insert_with(Instant::now);
        self.wanted.extend(batch.wanted.into_iter().filter(|key| self.open.contains_key(key)));
        // Whoever gave up needs no answer any more.
        self.waiting.extend(batch.waiting.into_iter().filter(|waiting| !waiting.is_closed()));
    }
}
