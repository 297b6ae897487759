//! Polled statements: who owns the work between two polls, and when it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arrow_flight::FlightInfo;
use basin_engine::{Progress, QueryId};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::running::Run;
use super::statement::Rows;
use crate::error::{RETRY_SECONDS, Result, ServerError};

/// The longest that a poll waits for something new.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often a waiting poll looks.
const LOOK: Duration = Duration::from_millis(50);
/// The rise that ends the wait of a poll: it is worth an answer.
const STEP: f64 = 0.01;

/// The statements that are polled in this process.
#[derive(Debug)]
pub(super) struct Polls {
    lifetime: Duration,
    polled: Arc<Mutex<Statements>>,
}

type Statements = HashMap<QueryId, Arc<Polled>>;

/// One polled statement; dropping it ends its work.
#[derive(Debug)]
pub(super) struct Polled {
    info: FlightInfo,
    lifetime: Duration,
    progress: Progress,
    /// The most that was shown: progress never falls.
    shown: Mutex<f64>,
    work: Arc<Work>,
    _task: AbortOnDropHandle<()>,
}

/// What the task that does the work shares with those who ask.
struct Work {
    over: watch::Sender<bool>,
    /// Empty before the end, and when the rows were fetched.
    outcome: Mutex<Option<Result<Rows>>>,
    /// When it is given up; `None` once somebody fetches it.
    deadline: watch::Sender<Option<Instant>>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("over", &*self.over.borrow()).finish_non_exhaustive()
    }
}

/// How a polled statement is.
#[derive(Debug)]
pub(super) enum Seen {
    /// It runs, and so much of it is done.
    Working(f64),
    /// Its rows can be fetched.
    Ready,
    /// It ended with an error, which is told once.
    Failed(ServerError),
    /// Somebody fetched its rows.
    Fetched,
}

impl Polls {
    /// Makes an empty list of statements that are given up when nobody asks for them so long.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, polled: Arc::default() }
    }

    /// Starts the work of a statement under its run.
    pub(super) fn start(
        &self,
        info: FlightInfo,
        progress: Progress,
        run: Run,
        rows: impl Future<Output = Result<Rows>> + Send + 'static,
    ) -> Arc<Polled> {
        let id = run.query_id();
        let work = Arc::new(Work {
            over: watch::Sender::new(false),
            outcome: Mutex::default(),
            deadline: watch::Sender::new(Some(Instant::now() + self.lifetime)),
        });
        let statements = Arc::downgrade(&self.polled);
        let task = own(Arc::clone(&work), statements, run, rows).in_current_span();
        let polled = Arc::new(Polled {
            info,
            lifetime: self.lifetime,
            progress,
            shown: Mutex::default(),
            work,
            _task: AbortOnDropHandle::new(tokio::spawn(task)),
        });
        lock(&self.polled).insert(id, Arc::clone(&polled));
        polled
    }

    /// Returns a statement and gives it another lifetime.
    pub(super) fn get(&self, id: QueryId) -> Option<Arc<Polled>> {
        let polled = lock(&self.polled).get(&id).map(Arc::clone)?;
        polled.renew();
        Some(polled)
    }

    /// Returns a statement for whoever fetches its rows, and forgets it.
    pub(super) fn take(&self, id: QueryId) -> Option<Arc<Polled>> {
        let polled = lock(&self.polled).remove(&id)?;
        polled.work.deadline.send_replace(None);
        Some(polled)
    }

    /// Forgets a statement, which ends its work.
    pub(super) fn forget(&self, id: QueryId) {
        lock(&self.polled).remove(&id);
    }
}

impl Polled {
    /// Returns the info of the result.
    pub(super) fn info(&self) -> &FlightInfo {
        &self.info
    }

    /// Returns when it is given up unless somebody asks before.
    pub(super) fn expires_at(&self) -> DateTime<Utc> {
        Utc::now() + self.lifetime
    }

    /// Waits until it is over, but not longer than this.
    pub(super) async fn over_within(&self, longest: Duration) {
        let mut over = self.work.over.subscribe();
        drop(tokio::time::timeout(longest, over.wait_for(|over| *over)).await);
        self.renew();
    }

    /// Waits until there is something new to tell, or for as long as a poll waits.
    pub(super) async fn changed(&self) {
        let worth = *lock(&self.shown) + STEP;
        let until = Instant::now() + LONGEST_WAIT;
        while !*self.work.over.borrow() && self.progress.fraction() < worth && Instant::now() < until {
            self.over_within(LOOK).await;
        }
    }

    /// Tells how it is.
    pub(super) fn seen(&self) -> Seen {
        if !*self.work.over.borrow() {
            let mut shown = lock(&self.shown);
            *shown = shown.max(self.progress.fraction());
            return Seen::Working(*shown);
        }
        let mut outcome = lock(&self.work.outcome);
        match outcome.take() {
            Some(Ok(rows)) => {
                *outcome = Some(Ok(rows));
                Seen::Ready
            }
            Some(Err(error)) => Seen::Failed(error),
            None => Seen::Fetched,
        }
    }

    /// Waits for the rows and takes them.
    ///
    /// # Errors
    /// The statement's, or `UnknownPoll` when they were taken.
    pub(super) async fn rows(&self) -> Result<Rows> {
        let mut over = self.work.over.subscribe();
        // Its sender is in `self`.
        drop(over.wait_for(|over| *over).await);
        lock(&self.work.outcome).take().unwrap_or(Err(ServerError::UnknownPoll))
    }

    fn renew(&self) {
        self.work.deadline.send_if_modified(|deadline| match deadline {
            Some(at) => {
                *at = Instant::now() + self.lifetime;
                true
            }
            None => false,
        });
    }
}

/// Does the work, then keeps its outcome until it is fetched, given up or cancelled.
async fn own(
    work: Arc<Work>,
    statements: Weak<Mutex<Statements>>,
    run: Run,
    rows: impl Future<Output = Result<Rows>> + Send,
) {
    let (id, closing) = (run.query_id(), run.closing());
    let wanted = || given_up(work.deadline.subscribe(), closing.clone());
    let outcome = run.step(async {
        tokio::select! {
            biased;
            why = wanted() => Err(why),
            rows = first_rows(rows) => rows,
        }
    });
    let mut outcome = outcome.await;
    if outcome.is_ok() {
        *lock(&work.outcome) = Some(outcome);
        work.over.send_replace(true);
        outcome = run.step(async { Err(wanted().await) }).await;
    }
    // What ended the wait is told to those who still ask; rows that somebody took stay taken.
    let kept = lock(&work.outcome).take().is_some() || !*work.over.borrow();
    if kept {
        *lock(&work.outcome) = Some(outcome);
    }
    work.over.send_replace(true);
    drop(run);
    wanted().await;
    if let Some(statements) = statements.upgrade() {
        lock(&statements).remove(&id);
    }
}

/// Waits until nobody asks any more in time, or nobody can because the server is stopping.
async fn given_up(mut deadline: watch::Receiver<Option<Instant>>, closing: CancellationToken) -> ServerError {
    loop {
        let at = *deadline.borrow_and_update();
        let Some(at) = at else { return std::future::pending().await };
        tokio::select! {
            () = tokio::time::sleep_until(at) => return ServerError::UnknownPoll,
            () = closing.cancelled() => return ServerError::Draining { retry_seconds: RETRY_SECONDS },
            // Its sender is held by the task that waits here.
            _ = deadline.changed() => {}
        }
    }
}

/// Waits for the first rows, or for the end of a result that has none.
async fn first_rows(rows: impl Future<Output = Result<Rows>>) -> Result<Rows> {
    let Rows { schema, batches } = rows.await?;
    let mut batches = batches.fuse();
    let first = batches.next().await.transpose()?;
    Ok(Rows { schema, batches: stream::iter(first.map(Ok)).chain(batches).boxed() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
