//! Admission: `Authorized` -> `Admitted`. Who runs, who waits and who is refused, and the time a query
//! gets. A query whose result is kept needs no place, nor does one that waits for another's run of the same. Memory is one pool that all running queries share fairly, spilling beyond their part. It does not
//! look at what a query reads.

use crate::cache::{Answer, Found, Keepable, Recording};
use crate::config::EngineConfig;
use crate::error::{EngineError, Result};
use crate::policy::{Authorized, AuthorizedParts};
use crate::request::QueryId;
use datafusion::arrow::datatypes::SchemaRef;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The places of an engine.
#[derive(Debug)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
    timeout: Duration,
}

/// A place among the running queries; dropping it frees the place.
pub(crate) type Permit = OwnedSemaphorePermit;

/// A query that may run now, or be answered. Made only here, from an [`Authorized`].
#[derive(Debug)]
pub struct Admitted {
    parts: AuthorizedParts,
    entry: Entry,
    deadline: Instant,
}

/// How a query was let in.
#[derive(Debug)]
pub(crate) enum Entry {
    /// It needs no place: its result is kept.
    Answer(Arc<Answer>),
    /// It runs, and is recorded where others may want the same.
    Place { permit: Permit, recording: Option<Box<Recording>> },
}

/// What execution needs.
#[derive(Debug)]
pub(crate) struct AdmittedParts {
    pub(crate) plan: AuthorizedParts,
    pub(crate) entry: Entry,
    pub(crate) deadline: Instant,
}

impl Admission {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.max_running.max(1))),
            waiting: AtomicUsize::new(0),
            max_waiting: config.max_waiting,
            timeout: config.queue_timeout,
        }
    }

    /// Returns the number of free places.
    pub(crate) fn free(&self) -> usize {
        self.places.available_permits()
    }

    fn is_open(&self) -> bool {
        !self.places.is_closed()
    }

    /// Refuses all that wait and come from now on.
    pub(crate) fn close(&self) {
        self.places.close();
    }

    async fn enter(&self) -> Result<Permit> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::Closed) => return Err(stopping()),
            Err(TryAcquireError::NoPermits) => {}
        }
        let _waiting = Waiting::join(self)?;
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(self.timeout, place).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(EngineError::Busy(format!(
                "the server is busy: no place became free within {} s",
                self.timeout.as_secs_f64()
            ))),
        }
    }
}

fn stopping() -> EngineError {
    EngineError::Busy("the server is stopping".to_owned())
}

/// One that waits; leaving the queue, in whatever way, uncounts it.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(admission: &'a Admission) -> Result<Self> {
        let before = admission.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Self(&admission.waiting);
        if before >= admission.max_waiting {
            return Err(EngineError::Busy(format!("the server is busy: {before} queries wait")));
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Authorized {
    /// Waits for a place, or for the result where it is kept or being made. The query's time runs from when it has a
    /// place, less what it waited for the run of another.
    ///
    /// # Errors
    /// `Busy` when too many wait, or no place became free in time; `Timeout` when another's run took too long.
    pub async fn admit(self) -> Result<Admitted> {
        let mut parts = self.into_parts();
        match enter(&parts).await {
            Ok((entry, deadline)) => Ok(Admitted { parts, entry, deadline }),
            Err(error) => Err(parts.audit.fail(error).await),
        }
    }
}

async fn enter(plan: &AuthorizedParts) -> Result<(Entry, Instant)> {
    let (shared, limit) = (&plan.shared, plan.timeout);
    let begun = Instant::now();
    let found = match &plan.keepable {
        Keepable::Known(..) | Keepable::Never(_) => Found::Run,
        Keepable::As(key) => tokio::time::timeout(limit, shared.results.look(key))
            .await
            .map_err(|_| EngineError::Timeout { what: "the query", limit })?,
    };
    let left = limit.saturating_sub(begun.elapsed());
    let recording = match found {
        Found::Answer(answer) if shared.admission.is_open() => {
            return Ok((Entry::Answer(answer), Instant::now() + left));
        }
        Found::Answer(_) => return Err(stopping()),
        Found::Lead(recording) => Some(recording),
        Found::Run => None,
    };
    match shared.admission.enter().await {
        Ok(permit) => Ok((Entry::Place { permit, recording }, Instant::now() + left)),
        Err(error) => {
            // Those that wait for it try for themselves.
            recording.into_iter().for_each(|recording| recording.alone());
            Err(error)
        }
    }
}

impl Admitted {
    /// Returns the identity of the query.
    #[must_use]
    pub fn query_id(&self) -> QueryId {
        self.parts.query_id
    }

    /// Returns the schema of the result.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.parts.schema)
    }

    pub(crate) fn into_parts(self) -> AdmittedParts {
        AdmittedParts { plan: self.parts, entry: self.entry, deadline: self.deadline }
    }
}
