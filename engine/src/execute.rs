//! Execute: `Admitted` -> `ResultStream`. Decides nothing: it optimises, makes the physical plan and runs
//! it on the CPU runtime, apart from I/O, holding the permit until the stream ends or is dropped.

use crate::admission::AdmittedParts;
use crate::audit::{AuditEntry, Outcome, Receipt};
use crate::cancel::cancellable;
use crate::error::{EngineError, Result};
use crate::output::to_plain;
use crate::policy::{AuthorizedParts, Lease, Withheld, quiet};
use crate::progress::Progress;
use crate::request::{Part, QueryId};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{
    EmptyRecordBatchStream, ExecutionPlan, SendableRecordBatchStream, execute_stream,
};
use futures::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

/// Batches that wait for a slow reader.
const READY_BATCHES: usize = 2;
/// Stack of a CPU worker: deep expressions are evaluated recursively.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// The threads that compute. Nothing else runs on them, so that a busy query never delays I/O.
#[derive(Debug)]
pub(crate) struct CpuRuntime {
    runtime: Option<Runtime>,
}

impl CpuRuntime {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("basin-cpu")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(|error| EngineError::internal("starting the CPU runtime", error))?;
        Ok(Self { runtime: Some(runtime) })
    }

    fn spawn<F>(&self, work: F) -> Result<AbortOnDropHandle<()>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match &self.runtime {
            Some(runtime) => Ok(AbortOnDropHandle::new(runtime.spawn(work))),
            None => Err(EngineError::lost("the CPU runtime has stopped")),
        }
    }
}

impl Drop for CpuRuntime {
    fn drop(&mut self) {
        // A plain drop waits for the threads, which async callers must not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The rows of a running query, in the types that clients get.
///
/// Dropping it stops the work at the next point where an operator yields, frees the permit and closes the
/// audit record as cancelled. After an error or the end it stays ended.
#[derive(Debug)]
pub struct ResultStream {
    query_id: QueryId,
    schema: SchemaRef,
    batches: mpsc::Receiver<RecordBatch>,
    outcome: oneshot::Receiver<Result<()>>,
    task: Option<AbortOnDropHandle<()>>,
    /// Cancelled when this stream ends or goes.
    stop: Option<DropGuard>,
    lease: Watched,
    /// Fires on the I/O runtime, also when an operator never yields.
    timer: Pin<Box<Sleep>>,
    limit: Duration,
    audit: AuditEntry,
    /// Until it comes, the record is not durable and nothing leaves.
    kept: Option<Receipt>,
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

impl crate::Admitted {
    /// Starts the query.
    ///
    /// # Errors
    /// Internal when the engine's threads are gone.
    pub fn execute(self) -> Result<ResultStream> {
        self.start(None)
    }

    /// Starts the query, and shows in `progress` how far it is. Memory of its operators is kept for that until
    /// the query ends, where it would be given back one by one.
    ///
    /// # Errors
    /// Internal when the engine's threads are gone.
    pub fn execute_watched(self, progress: Progress) -> Result<ResultStream> {
        self.start(Some(progress))
    }

    fn start(self, progress: Option<Progress>) -> Result<ResultStream> {
        let AdmittedParts { plan, permit, deadline } = self.into_parts();
        let lease = Watched::new(&plan);
        let AuthorizedParts { query_id, state, logical, schema, part, timeout, mut audit, shared, .. } = plan;
        let (sender, batches) = mpsc::channel(READY_BATCHES);
        let (report, outcome) = oneshot::channel();
        let timer = {
            let _on_io = shared.io.enter();
            Box::pin(tokio::time::sleep_until(deadline.into()))
        };
        let stop = CancellationToken::new();
        let run = Run {
            shared: Arc::clone(&shared),
            state,
            logical,
            schema: SchemaRef::clone(&schema),
            part,
            withheld: audit.suppressed(),
            sender,
            stop: stop.clone(),
            progress,
        };
        let work = async move {
            let result = run.within(deadline, timeout).await;
            // The place is free before anyone hears that the query has ended.
            drop(permit);
            // A dropped stream listens no more.
            let _ = report.send(result);
        };
        let task = match shared.cpu.spawn(work) {
            Ok(task) => Some(task),
            Err(error) => {
                audit.close(Outcome::of(&error));
                return Err(error);
            }
        };
        let stop = Some(stop.drop_guard());
        let kept = Some(audit.keep());
        Ok(ResultStream {
            query_id,
            schema,
            batches,
            outcome,
            task,
            stop,
            lease,
            timer,
            limit: timeout,
            audit,
            kept,
        })
    }
}

/// What runs on the CPU runtime.
struct Run {
    shared: Arc<crate::engine::Shared>,
    state: Arc<datafusion::execution::session_state::SessionState>,
    logical: crate::policy::Policed,
    schema: SchemaRef,
    part: Option<Part>,
    /// How many cells were withheld.
    withheld: Arc<AtomicU64>,
    sender: mpsc::Sender<RecordBatch>,
    stop: CancellationToken,
    progress: Option<Progress>,
}

impl Run {
    /// Also bounds a query whose reader does not read.
    async fn within(self, deadline: Instant, limit: Duration) -> Result<()> {
        let limited = self.logical.is_limited();
        match tokio::time::timeout_at(deadline.into(), self.run()).await {
            Ok(result) => result.map_err(|error| if limited { quiet(error) } else { error }),
            Err(_) => Err(EngineError::Timeout { what: "the query", limit }),
        }
    }

    async fn run(self) -> Result<()> {
        let physical = cancellable(self.physical().await?, &self.stop)?;
        let _watching = self.progress.as_ref().map(|progress| progress.watch(&physical));
        let mut rows = self.rows(physical)?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            if self.sender.send(to_plain(&batch, &self.schema)?).await.is_err() {
                return Err(EngineError::Cancelled);
            }
        }
        Ok(())
    }

    /// All partitions of a plan, or the one that is the wanted part; a plan may have fewer than there are parts.
    #[expect(clippy::disallowed_methods, reason = "this is the room that runs plans")]
    fn rows(&self, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
        let context = self.context();
        let Some(part) = self.part else { return Ok(execute_stream(plan, context)?) };
        let partitions = plan.properties().output_partitioning().partition_count();
        if partitions > part.of {
            return Err(EngineError::lost("a scan was not divided as it was asked to be"));
        }
        if part.index < partitions {
            return Ok(plan.execute(part.index, context)?);
        }
        Ok(Box::pin(EmptyRecordBatchStream::new(plan.schema())))
    }

    /// The context of the tasks, with where they count the cells that they withhold.
    fn context(&self) -> Arc<TaskContext> {
        let context = TaskContext::from(self.state.as_ref());
        let config = context
            .session_config()
            .clone()
            .with_extension(Arc::new(Withheld::counting(Arc::clone(&self.withheld))));
        Arc::new(context.with_session_config(config))
    }

    async fn physical(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let (state, logical) = (Arc::clone(&self.state), self.logical.plan().clone());
        let plan = async move {
            let optimised = state.optimizer().optimize(logical, state.as_ref(), |_, _| {})?;
            Ok(state.query_planner().create_physical_plan(&optimised, state.as_ref()).await?)
        };
        self.shared.planners.run(plan).await
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

    fn end(&mut self, result: Result<()>) -> Option<Result<RecordBatch>> {
        self.task = None;
        self.stop = None;
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
        if self.task.is_none() {
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
        match self.batches.poll_recv(cx) {
            Poll::Ready(Some(batch)) => {
                let bytes = batch.get_array_memory_size() as u64;
                self.audit.sent(batch.num_rows() as u64, bytes);
                return Poll::Ready(Some(Ok(batch)));
            }
            Poll::Ready(None) => {
                if let Poll::Ready(outcome) = Pin::new(&mut self.outcome).poll(cx) {
                    let lost = |_| Err(EngineError::lost("the query ended unexpectedly"));
                    return Poll::Ready(self.end(outcome.unwrap_or_else(lost)));
                }
            }
            Poll::Pending => {}
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            let limit = self.limit;
            return Poll::Ready(self.end(Err(EngineError::Timeout { what: "the query", limit })));
        }
        Poll::Pending
    }
}
