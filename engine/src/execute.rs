//! Execute: `Admitted` -> `ResultStream`. Decides nothing: it optimises, makes the physical plan and runs
//! it on the CPU runtime, apart from I/O, holding the permit until the run ends or its stream is dropped. What the cache
//! answers is not run.

use crate::admission::{AdmittedParts, Entry, Permit};
use crate::audit::Outcome;
use crate::cache::{AnswerRows, Recording};
use crate::cancel::cancellable;
use crate::constants::bounded;
use crate::error::{EngineError, Result};
use crate::output::to_plain;
use crate::plan::Optimised;
use crate::policy::{AuthorizedParts, Withheld, quiet};
use crate::progress::Progress;
use crate::request::{Part, QueryId};
use crate::result::{Held, Leaving, Ready, ResultStream, Rows, Running};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{
    EmptyRecordBatchStream, ExecutionPlan, SendableRecordBatchStream, execute_stream,
};
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// Batches that wait for a slow reader.
const READY_BATCHES: usize = 2;
/// Threads for each core. A large query keeps as many busy as it has parts; with more than that a small one that comes
/// gets a thread at once, and the system shares the cores between both.
const THREADS_PER_CORE: usize = 3;
/// Stack of a CPU worker: deep expressions are evaluated recursively.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// The threads that compute. Nothing else runs on them, so that a busy query never delays I/O.
#[derive(Debug)]
pub(crate) struct CpuRuntime {
    runtime: Option<Runtime>,
}

impl CpuRuntime {
    pub(crate) fn start(cores: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.max(1) * THREADS_PER_CORE)
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
        let AdmittedParts { plan, entry, deadline } = self.into_parts();
        let leaving = Leaving::of(&plan, deadline);
        match entry {
            Entry::Answer(answer) => {
                plan.audit.answered_from_cache(answer.withheld());
                Ok(leaving.with(Rows::Kept(AnswerRows::of(answer)), plan.audit))
            }
            Entry::Place { permit, recording } => {
                let AuthorizedParts {
                    query_id,
                    state,
                    logical,
                    optimised,
                    schema,
                    part,
                    timeout,
                    mut audit,
                    shared,
                    ..
                } = plan;
                let (sender, batches) = mpsc::unbounded_channel();
                let places = Arc::new(Semaphore::new(READY_BATCHES));
                let run = Run {
                    query_id,
                    shared,
                    state,
                    logical,
                    optimised,
                    schema,
                    part,
                    withheld: audit.suppressed(),
                    reader: Reader { sender, places, recording },
                    stop: CancellationToken::new(),
                    progress,
                };
                match run.spawn(permit, deadline, timeout, batches) {
                    Ok(running) => Ok(leaving.with(Rows::Run(running), audit)),
                    Err(error) => {
                        audit.close(Outcome::of(&error));
                        Err(error)
                    }
                }
            }
        }
    }
}

/// Who gets the rows: the query's own reader, and the cache.
struct Reader {
    sender: mpsc::UnboundedSender<Ready>,
    places: Arc<Semaphore>,
    recording: Option<Box<Recording>>,
}

impl Reader {
    /// Hands a batch over. A run that is recorded does not wait for its own reader, so that a slow one delays nobody who
    /// waits for the same; its rows are few, and counted.
    async fn send(&mut self, batch: RecordBatch) -> Result<()> {
        let held = match self.recording.take().and_then(|recording| recording.add(&batch)) {
            Some((recording, memory)) => {
                self.recording = Some(recording);
                Held::Memory(memory)
            }
            None => tokio::select! {
                biased;
                () = self.sender.closed() => return Err(EngineError::Cancelled),
                place = Arc::clone(&self.places).acquire_owned() => {
                    Held::Place(place.map_err(|_| EngineError::Cancelled)?)
                }
            },
        };
        self.sender.send(Ready { batch, _held: held }).map_err(|_| EngineError::Cancelled)
    }

    /// Ends the recording as the run ended. Another run that waits leads in place of a cancelled one.
    fn end(&mut self, result: &Result<()>, withheld: u64) {
        match (self.recording.take(), result) {
            (None, _) | (Some(_), Err(EngineError::Cancelled)) => {}
            (Some(recording), Ok(())) => recording.finish(withheld),
            (Some(recording), Err(_)) => recording.alone(),
        }
    }
}

/// What runs on the CPU runtime.
struct Run {
    query_id: QueryId,
    shared: Arc<crate::engine::Shared>,
    state: Arc<datafusion::execution::session_state::SessionState>,
    logical: crate::policy::Policed,
    optimised: Optimised,
    schema: SchemaRef,
    part: Option<Part>,
    /// How many cells were withheld.
    withheld: Arc<AtomicU64>,
    reader: Reader,
    stop: CancellationToken,
    progress: Option<Progress>,
}

impl Run {
    fn spawn(
        self,
        permit: Permit,
        deadline: Instant,
        limit: Duration,
        batches: mpsc::UnboundedReceiver<Ready>,
    ) -> Result<Running> {
        let (report, outcome) = oneshot::channel();
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        let span = tracing::debug_span!("execute", query_id = %self.query_id);
        let work = async move {
            let result = self.within(deadline, limit).await;
            // The place is free before anyone hears that the query has ended.
            drop(permit);
            // A dropped stream listens no more.
            let _ = report.send(result);
        };
        let task = shared.cpu.spawn(work.instrument(span))?;
        Ok(Running { batches, outcome, _task: task, _stop: stop.drop_guard() })
    }

    /// Also bounds a query whose reader does not read.
    async fn within(mut self, deadline: Instant, limit: Duration) -> Result<()> {
        let limited = self.logical.is_limited();
        let result = match tokio::time::timeout_at(deadline.into(), self.run()).await {
            Ok(result) => result.map_err(|error| if limited { quiet(error) } else { error }),
            Err(_) => Err(EngineError::Timeout { what: "the query", limit }),
        };
        self.reader.end(&result, self.withheld.load(Ordering::Relaxed));
        result
    }

    async fn run(&mut self) -> Result<()> {
        let limit = self.shared.config.max_built_bytes;
        let physical = bounded(cancellable(self.physical().await?, &self.stop)?, limit)?;
        let _watching = self.progress.as_ref().map(|progress| progress.watch(&physical));
        let mut rows = self.rows(physical)?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            self.reader.send(to_plain(&batch, &self.schema)?).await?;
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
        let (state, logical) = (Arc::clone(&self.state), self.logical.clone());
        let known = Arc::clone(&self.optimised);
        let plan = async move {
            let optimised = match known.get() {
                Some(optimised) => optimised,
                None => {
                    let plan = logical.plan().clone();
                    let plan = state.optimizer().optimize(plan, state.as_ref(), |_, _| {})?;
                    // Another run of the same plan may have been quicker, with the same.
                    known.get_or_init(|| plan)
                }
            };
            Ok(state.query_planner().create_physical_plan(optimised, state.as_ref()).await?)
        };
        self.shared.planners.run(plan).await
    }
}
