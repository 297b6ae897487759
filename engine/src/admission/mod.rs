//! Admission: `Authorized` -> `Admitted`. Who runs, who waits and who is refused, and the time a query
//! gets. A query whose result is kept needs no place, nor does one that waits for another's run of the same; metadata needs
//! none either. Memory is one pool that all running queries share fairly, spilling beyond their part. It does not look at
//! what a query reads.

use crate::beside::Stage;
use crate::cache::{Answer, Found, Keepable, Recording};
use crate::config::EngineConfig;
use crate::error::{EngineError, Result};
use crate::policy::{Authorized, AuthorizedParts};
use crate::request::QueryId;
use datafusion::arrow::datatypes::SchemaRef;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument;

mod places;

pub(crate) use places::Permit;
pub use places::PlaceFigures;
use places::Places;

/// The places of an engine, and how long they are waited for.
#[derive(Debug)]
pub(crate) struct Admission {
    places: Arc<Places>,
    timeout: Duration,
}

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
        let places = Places::new(config.max_running, config.max_running_of_user, config.max_waiting);
        Self { places, timeout: config.queue_timeout }
    }

    /// Returns the number of free places.
    pub(crate) fn free(&self) -> usize {
        self.places.free()
    }

    /// Returns how many queries run and wait.
    pub(crate) fn figures(&self) -> PlaceFigures {
        self.places.figures()
    }

    /// Refuses all that wait and come from now on.
    pub(crate) fn close(&self) {
        self.places.close();
    }
}

impl Authorized {
    /// Waits for a place, or for the result where it is kept or being made. The query's time runs from here on: it covers the
    /// waiting, the run, and the reading of its rows.
    ///
    /// # Errors
    /// `Busy` when too many wait, or no place became free in time; `Timeout` when another's run took too long.
    pub async fn admit(self) -> Result<Admitted> {
        let mut parts = self.into_parts();
        let span = tracing::debug_span!("admit", query_id = %parts.query_id);
        match enter(&parts).instrument(span).await {
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
    let (deadline, user) = (begun + limit, plan.grants.principal().user().as_str());
    let recording = match found {
        Found::Answer(answer) if shared.admission.places.is_open() => {
            return Ok((Entry::Answer(answer), deadline));
        }
        Found::Answer(_) => return Err(places::stopping()),
        Found::Lead(recording) => Some(recording),
        Found::Run => None,
    };
    plan.audit.stage(Stage::Waiting);
    let longest = shared.admission.timeout.min(deadline.saturating_duration_since(Instant::now()));
    let entered = shared.admission.places.enter(user, longest).await;
    plan.audit.stage(Stage::Running);
    match entered {
        Ok(permit) => Ok((Entry::Place { permit, recording }, deadline)),
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
