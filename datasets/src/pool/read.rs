//! Reading and conforming in parallel: a thread per open file, workers that conform, bounded queues.
//!
//! Ends early when told to stop or when a queue's other end is gone. The first error is kept for
//! [`Reading::finish`]; the streams get a stand-in for it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use tokio::sync::mpsc;

use super::rejects::RejectSpool;
use crate::arrange::SortInput;
use crate::conform::{CodeLists, Conformer, Routing};
use crate::manifest::{DeliveryKind, Manifest};
use crate::progress::Progress;
use crate::source::{self, OnBytes, RawBatch, SourceFile};
use crate::{DatasetsError, Result};

/// Rows of a raw batch.
pub(super) const BATCH_ROWS: usize = 8192;
/// Conformed batches waiting for one input of the sort.
const SORT_QUEUE: usize = 2;

/// A file with what the manifest says about it.
#[derive(Debug, Clone)]
pub(super) struct PlannedFile {
    pub(super) source: SourceFile,
    pub(super) kind: DeliveryKind,
    pub(super) routing: Routing,
}

/// What is read for one dataset.
#[derive(Debug)]
pub(super) struct ReadPlan {
    pub(super) manifest: Manifest,
    pub(super) files: Vec<PlannedFile>,
    pub(super) code_lists: CodeLists,
    /// Schema of conformed rows.
    pub(super) schema: SchemaRef,
    pub(super) threads: usize,
    pub(super) progress: Progress,
    pub(super) stop: Arc<AtomicBool>,
}

/// Threads at work, and the streams they feed.
#[derive(Debug)]
pub(super) struct Reading {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    plan: ReadPlan,
    next_file: AtomicUsize,
    rows_in: Vec<AtomicU64>,
    rejects: Mutex<RejectSpool>,
    error: Mutex<Option<DatasetsError>>,
}

/// A raw batch with the conformer of its file.
type Job = (Arc<Conformer>, RawBatch);

impl Reading {
    /// Starts the threads.
    ///
    /// # Errors
    /// When threads can't be started.
    pub(super) fn start(
        plan: ReadPlan,
        rejects: RejectSpool,
        file_count: usize,
    ) -> Result<(Self, Vec<SortInput>)> {
        let threads_wanted = plan.threads.max(1);
        let readers = threads_wanted.min(plan.files.len());
        let shared = Arc::new(Shared {
            next_file: AtomicUsize::new(0),
            rows_in: (0..file_count).map(|_| AtomicU64::new(0)).collect(),
            rejects: Mutex::new(rejects),
            error: Mutex::new(None),
            plan,
        });
        let (jobs, receiver) = sync_channel(threads_wanted * 2);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::new();
        for _ in 0..readers {
            let (shared, jobs) = (Arc::clone(&shared), jobs.clone());
            threads.push(spawn("basin-read", move || shared.read_files(&jobs))?);
        }
        let mut inputs = Vec::new();
        for _ in 0..threads_wanted {
            let (sender, input) = mpsc::channel(SORT_QUEUE);
            let (shared, receiver) = (Arc::clone(&shared), Arc::clone(&receiver));
            threads.push(spawn("basin-conform", move || shared.conform(&receiver, &sender))?);
            inputs.push(input);
        }
        Ok((Self { shared, threads }, inputs))
    }

    /// Waits for the threads and gives the rows in by number of the file, and the rejects.
    ///
    /// # Errors
    /// The first error of reading or conforming.
    pub(super) fn finish(self) -> Result<(Vec<u64>, RejectSpool)> {
        for thread in self.threads {
            thread.join().map_err(|_| DatasetsError::internal("a reading thread panicked"))?;
        }
        let shared = Arc::into_inner(self.shared)
            .ok_or_else(|| DatasetsError::internal("a reading thread still runs"))?;
        match shared.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => {
                let rows_in = shared.rows_in.into_iter().map(AtomicU64::into_inner).collect();
                Ok((rows_in, shared.rejects.into_inner().unwrap_or_else(PoisonError::into_inner)))
            }
        }
    }
}

impl Shared {
    fn read_files(&self, jobs: &SyncSender<Job>) {
        while !self.plan.stop.load(Relaxed) {
            let number = self.next_file.fetch_add(1, Relaxed);
            let Some(file) = self.plan.files.get(number) else { return };
            if let Err(error) = self.read_file(file, jobs) {
                self.fail(error);
                return;
            }
        }
    }

    fn read_file(&self, file: &PlannedFile, jobs: &SyncSender<Job>) -> Result<()> {
        let progress = self.plan.progress.clone();
        let on_bytes: OnBytes = Arc::new(move |bytes| progress.read_bytes(bytes));
        let mut conformer: Option<Arc<Conformer>> = None;
        for raw in source::open(&file.source, file.kind.format(), BATCH_ROWS, &on_bytes)? {
            let raw = raw?;
            if self.plan.stop.load(Relaxed) {
                return Err(DatasetsError::Cancelled);
            }
            let conformer = match &mut conformer {
                Some(conformer) => conformer,
                none => none.insert(self.conformer(file, &raw)?),
            };
            if jobs.send((Arc::clone(conformer), raw)).is_err() {
                return Err(DatasetsError::Cancelled);
            }
        }
        Ok(())
    }

    fn conformer(&self, file: &PlannedFile, raw: &RawBatch) -> Result<Arc<Conformer>> {
        let plan = &self.plan;
        let schema = raw.rows.schema();
        let conformer =
            Conformer::new(&plan.manifest, &file.kind, &schema, file.routing.clone(), &plan.code_lists);
        // Among hundreds of files the one at fault must be named.
        let conformer = conformer.map_err(|error| match error {
            DatasetsError::Refused { reason } => {
                DatasetsError::Refused { reason: format!("{}: {reason}", file.source.name) }
            }
            other => other,
        })?;
        Ok(Arc::new(conformer))
    }

    fn conform(
        &self,
        jobs: &Mutex<Receiver<Job>>,
        out: &mpsc::Sender<std::result::Result<RecordBatch, DataFusionError>>,
    ) {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((conformer, raw)) = job else { break };
            let result = self.conform_batch(&conformer, raw);
            match result {
                Ok(rows) if rows.num_rows() == 0 => {}
                Ok(rows) => {
                    if out.blocking_send(Ok(rows)).is_err() {
                        self.fail(DatasetsError::Cancelled);
                        return;
                    }
                }
                Err(error) => {
                    self.fail(error);
                    break;
                }
            }
        }
        if self.error.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            let stopped = DataFusionError::Execution("reading stopped".to_owned());
            // Nobody listens any more when this fails.
            let _ = out.blocking_send(Err(stopped));
        }
    }

    fn conform_batch(&self, conformer: &Conformer, raw: RawBatch) -> Result<RecordBatch> {
        let file = raw.file;
        let conformed = conformer.conform(raw)?;
        if let Some(rows_in) = self.rows_in.get(file as usize) {
            rows_in.fetch_add(conformed.rows_in, Relaxed);
        }
        self.plan.progress.took_rows(conformed.rows_in, conformed.rejects.len() as u64);
        if !conformed.rejects.is_empty() {
            self.rejects.lock().unwrap_or_else(PoisonError::into_inner).push(conformed.rejects)?;
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.schema), conformed.rows.columns().to_vec())?)
    }

    /// Keeps the first error and stops the others.
    fn fail(&self, error: DatasetsError) {
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| matches!(kept, DatasetsError::Cancelled)) {
            *kept = Some(error);
        }
        self.plan.stop.store(true, Relaxed);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|source| DatasetsError::Io { path: name.into(), source })
}
