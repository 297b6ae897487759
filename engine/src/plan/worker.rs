//! Worker: planning runs on threads of its own with a big stack, and for a limited time.
//!
//! A planner that exceeds its time can't be stopped: it goes on without its caller, and keeps its place
//! until it ends, so that at most so many exist.

use crate::error::{EngineError, Result};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

/// Stack of a planner. Address space only: pages are taken as they are touched.
const STACK_BYTES: usize = 256 * 1024 * 1024;
/// Planners at once for each core; more would only slow each other down.
const PLANNERS_PER_CORE: usize = 4;

/// The planning threads of an engine.
#[derive(Debug, Clone)]
pub(crate) struct Planners {
    places: Arc<Semaphore>,
    io: Handle,
    limit: Duration,
}

impl Planners {
    pub(crate) fn new(cores: usize, io: Handle, limit: Duration) -> Self {
        let places = Arc::new(Semaphore::new(cores.max(1) * PLANNERS_PER_CORE));
        Self { places, io, limit }
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
            std::thread::Builder::new()
                .name("basin-plan".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    let _place = place;
                    // The caller may have given up: then nobody listens.
                    let _ = answer.send(io.block_on(work));
                })
                .map_err(|error| EngineError::internal("starting a planner", error))?;
            result.await.map_err(|_| EngineError::lost("a planner ended early"))?
        };
        match tokio::time::timeout(self.limit, run).await {
            Ok(result) => result,
            Err(_) => Err(EngineError::Timeout { what: "planning the query", limit: self.limit }),
        }
    }
}
