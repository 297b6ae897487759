//! Worker: planning runs on threads of its own with a big stack, and for a limited time.
//!
//! A planner that exceeds its time can't be stopped: it goes on without its caller, and keeps its place
//! until it ends, so that at most so many exist. A thread is kept for a while for what is planned next.

use crate::error::{EngineError, Result};
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{self, SendError, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

/// Stack of a planner. Address space only: pages are taken as they are touched.
const STACK_BYTES: usize = 256 * 1024 * 1024;
/// Planners at once for each core; more would only slow each other down.
const PLANNERS_PER_CORE: usize = 4;
/// How long a thread waits for more to plan.
const IDLE: Duration = Duration::from_secs(10);
/// A thread that planned for longer may have touched much of its stack, which is given back only with the thread.
const SHORT: Duration = Duration::from_millis(20);

/// The planning threads of an engine.
#[derive(Debug, Clone)]
pub(crate) struct Planners {
    places: Arc<Semaphore>,
    idle: Arc<IdleThreads>,
    io: Handle,
    limit: Duration,
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that wait for more. Dropped, they end.
#[derive(Debug, Default)]
struct IdleThreads(Mutex<Vec<Sender<Job>>>);

impl IdleThreads {
    fn take(&self) -> Option<Sender<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, thread: Sender<Job>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }
}

impl Planners {
    pub(crate) fn new(cores: usize, io: Handle, limit: Duration) -> Self {
        let places = Arc::new(Semaphore::new(cores.max(1) * PLANNERS_PER_CORE));
        Self { places, idle: Arc::default(), io, limit }
    }

    /// Runs work on a planner; I/O that it awaits happens on the I/O runtime.
    pub(crate) fn run<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<'_, T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        // On the heap before anyone awaits it: a plan's state is too large for the callers' stacks.
        self.run_boxed(Box::pin(work))
    }

    async fn run_boxed<T: Send + 'static>(
        &self,
        work: Pin<Box<impl Future<Output = Result<T>> + Send + 'static>>,
    ) -> Result<T> {
        let run = async {
            let place = Arc::clone(&self.places)
                .acquire_owned()
                .await
                .map_err(|closed| EngineError::internal("planning was stopped", closed))?;
            let (answer, result) = oneshot::channel();
            let io = self.io.clone();
            self.start(Box::new(move || {
                let _place = place;
                // The caller may have given up: then nobody listens.
                let _ = answer.send(io.block_on(work));
            }))?;
            result.await.map_err(|_| EngineError::lost("a planner ended early"))?
        };
        match tokio::time::timeout(self.limit, run).await {
            Ok(result) => result,
            Err(_) => Err(EngineError::Timeout { what: "planning the query", limit: self.limit }),
        }
    }

    /// Hands a job to a thread that waits, or to a new one.
    fn start(&self, mut job: Job) -> Result<()> {
        while let Some(thread) = self.idle.take() {
            match thread.send(job) {
                Ok(()) => return Ok(()),
                // It has waited long enough.
                Err(SendError(back)) => job = back,
            }
        }
        let idle = Arc::downgrade(&self.idle);
        std::thread::Builder::new()
            .name("basin-plan".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || serve(job, &idle))
            .map_err(|error| EngineError::internal("starting a planner", error))?;
        Ok(())
    }
}

/// Does one job after the other, as long as they come.
fn serve(mut job: Job, idle: &Weak<IdleThreads>) {
    loop {
        let begun = Instant::now();
        job();
        let Some(idle) = idle.upgrade().filter(|_| begun.elapsed() < SHORT) else { return };
        let (sender, jobs) = mpsc::channel();
        idle.put(sender);
        drop(idle);
        match jobs.recv_timeout(IDLE) {
            Ok(next) => job = next,
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn thread(planners: &Planners, busy: Duration) -> std::thread::ThreadId {
        let work = async move {
            std::thread::sleep(busy);
            Ok(std::thread::current().id())
        };
        let id = planners.run(work).await.unwrap();
        // Its thread says that it is idle just after it answered.
        tokio::time::sleep(Duration::from_millis(50)).await;
        id
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_thread_plans_again_unless_it_planned_for_long() {
        let planners = Planners::new(1, Handle::current(), Duration::from_secs(5));
        let first = thread(&planners, Duration::ZERO).await;
        assert_eq!(first, thread(&planners, SHORT * 2).await);
        assert_ne!(first, thread(&planners, Duration::ZERO).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_planner_that_panics_takes_only_its_own_query_with_it() {
        let planners = Planners::new(1, Handle::current(), Duration::from_secs(5));
        let lost = planners.run::<(), _>(async { unreachable!("the planner's own fault") }).await;
        assert!(matches!(lost, Err(EngineError::Internal { .. })), "{lost:?}");
        thread(&planners, Duration::ZERO).await;
        assert_eq!(planners.places.available_permits(), PLANNERS_PER_CORE);
    }
}
