//! Result: the rows of a query as they leave, of a run or of the cache. Nothing leaves before its record is durable, after
//! the access that it rests on is over, or after the query's time. It makes no rows.

use crate::audit::{AuditEntry, Outcome, Receipt};
use crate::cache::{AnswerRows, Reservation, Shelf};
use crate::error::{EngineError, Result};
use crate::policy::{AuthorizedParts, Lease};
use crate::request::QueryId;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Sleep;
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;

/// The rows of a query, in the types that clients get.
///
/// Dropping it stops the work at the next point where an operator yields, frees the permit and closes the
/// audit record as cancelled. After an error or the end it stays ended.
#[derive(Debug)]
pub struct ResultStream {
    query_id: QueryId,
    schema: SchemaRef,
    rows: Rows,
    lease: Watched,
    /// Fires on the I/O runtime, also when an operator never yields.
    timer: Pin<Box<Sleep>>,
    limit: Duration,
    audit: AuditEntry,
    /// Until it comes, the record is not durable and nothing leaves.
    kept: Option<Receipt>,
}

/// Where rows come from.
#[derive(Debug)]
pub(crate) enum Rows {
    Run(Running),
    Kept(AnswerRows),
    Ended,
}

/// A run on the CPU runtime. Dropping it ends the run.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) batches: mpsc::UnboundedReceiver<Ready>,
    pub(crate) outcome: oneshot::Receiver<Result<()>>,
    pub(crate) _task: AbortOnDropHandle<()>,
    /// Cancelled with this.
    pub(crate) _stop: DropGuard,
}

/// A batch that waits for its reader.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) batch: RecordBatch,
    /// Given back when the batch leaves.
    pub(crate) _held: Held,
}

/// What a batch that waits holds.
#[derive(Debug)]
#[expect(dead_code, reason = "what is held is only given back")]
pub(crate) enum Held {
    /// One of the few places for a slow reader.
    Place(OwnedSemaphorePermit),
    /// Memory that is counted as the cache's.
    Memory(Arc<Reservation>),
}

/// Waits for the end of what a query's access rests on, whether its rows are read or not: rows that are ready must not
/// leave when their reader comes back late.
#[derive(Debug)]
struct Watched(AbortOnDropHandle<EngineError>);

impl Watched {
    fn new(plan: &AuthorizedParts) -> Self {
        let datasets = plan.provenance.iter().map(|from| from.dataset.clone());
        let lease = Lease::new(&plan.shared.policy, &plan.grants, datasets);
        Self(AbortOnDropHandle::new(plan.shared.io.spawn(lease.lost())))
    }

    /// Why the access is over, when it is.
    fn lost(&mut self, cx: &mut Context<'_>) -> Poll<EngineError> {
        let gone = |_| EngineError::lost("nothing watches the policy of a query any more");
        Pin::new(&mut self.0).poll(cx).map(|lost| lost.unwrap_or_else(gone))
    }
}

/// A result before it has rows: the access is watched from here.
#[derive(Debug)]
pub(crate) struct Leaving {
    query_id: QueryId,
    schema: SchemaRef,
    lease: Watched,
    timer: Pin<Box<Sleep>>,
    limit: Duration,
}

impl Leaving {
    pub(crate) fn of(plan: &AuthorizedParts, deadline: Instant) -> Self {
        let lease = Watched::new(plan);
        let _on_io = plan.shared.io.enter();
        Self {
            query_id: plan.query_id,
            schema: SchemaRef::clone(&plan.schema),
            lease,
            timer: Box::pin(tokio::time::sleep_until(deadline.into())),
            limit: plan.timeout,
        }
    }

    /// Lets rows leave once the record is durable.
    pub(crate) fn with(self, rows: Rows, audit: AuditEntry) -> ResultStream {
        let Self { query_id, schema, lease, timer, limit } = self;
        let kept = Some(audit.keep());
        ResultStream { query_id, schema, rows, lease, timer, limit, audit, kept }
    }
}

impl Rows {
    /// The next batch; none at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RecordBatch>>> {
        match self {
            Self::Run(run) => match run.batches.poll_recv(cx) {
                Poll::Ready(Some(ready)) => Poll::Ready(Ok(Some(ready.batch))),
                Poll::Ready(None) => Pin::new(&mut run.outcome).poll(cx).map(|outcome| {
                    let lost = |_| Err(EngineError::lost("the query ended unexpectedly"));
                    outcome.unwrap_or_else(lost).map(|()| None)
                }),
                Poll::Pending => Poll::Pending,
            },
            Self::Kept(rows) => Poll::Ready(Ok(rows.next())),
            Self::Ended => Poll::Ready(Ok(None)),
        }
    }
}

impl ResultStream {
    /// Returns the schema of the rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Returns the identity of the query.
    #[must_use]
    pub fn query_id(&self) -> QueryId {
        self.query_id
    }

    /// Returns where forms of the result are kept when it is a kept one; its batches come in the same order each time.
    #[must_use]
    pub fn shelf(&self) -> Option<Shelf> {
        match &self.rows {
            Rows::Kept(rows) => Some(rows.shelf()),
            Rows::Run(_) | Rows::Ended => None,
        }
    }

    fn end(&mut self, result: Result<()>) -> Option<Result<RecordBatch>> {
        self.rows = Rows::Ended;
        match result {
            Ok(()) => {
                self.audit.close(Outcome::Ok);
                None
            }
            Err(error) => {
                if let EngineError::Internal { what, source } = &error {
                    tracing::error!(query_id = %self.query_id, what, ?source, "query failed");
                }
                self.audit.close(Outcome::of(&error));
                Some(Err(error))
            }
        }
    }
}

impl Stream for ResultStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if matches!(self.rows, Rows::Ended) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(lost) = self.lease.lost(cx) {
            return Poll::Ready(self.end(Err(lost)));
        }
        if let Some(receipt) = &mut self.kept {
            let kept = ready!(Pin::new(receipt).poll(cx));
            self.kept = None;
            if let Err(error) = kept {
                return Poll::Ready(self.end(Err(error)));
            }
        }
        match self.rows.poll_next(cx) {
            Poll::Ready(Ok(Some(batch))) => {
                let bytes = batch.get_array_memory_size() as u64;
                self.audit.sent(batch.num_rows() as u64, bytes);
                Poll::Ready(Some(Ok(batch)))
            }
            Poll::Ready(Ok(None)) => Poll::Ready(self.end(Ok(()))),
            Poll::Ready(Err(error)) => Poll::Ready(self.end(Err(error))),
            Poll::Pending => match self.timer.as_mut().poll(cx) {
                Poll::Ready(()) => {
                    let limit = self.limit;
                    Poll::Ready(self.end(Err(EngineError::Timeout { what: "the query", limit })))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }
}
