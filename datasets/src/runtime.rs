//! Threads of one piece of work that end with it: a runtime for CPU work, and a signal for plain threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{DatasetsError, Result};

/// A runtime apart from the caller's, so that sorting never delays other people's requests.
#[derive(Debug)]
pub(crate) struct CpuRuntime {
    runtime: Option<Runtime>,
    stop: Arc<AtomicBool>,
}

impl CpuRuntime {
    /// Starts the threads.
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("basin-pool")
            .enable_all()
            .build()
            .map_err(|source| DatasetsError::Io { path: "pooling threads".into(), source })?;
        Ok(Self { runtime: Some(runtime), stop: Arc::new(AtomicBool::new(false)) })
    }

    /// Where CPU work is spawned.
    pub(crate) fn handle(&self) -> Result<Handle> {
        let runtime = self.runtime.as_ref().ok_or(DatasetsError::Cancelled)?;
        Ok(runtime.handle().clone())
    }

    /// Set once the pooling ends, however it ends.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }
}

impl Drop for CpuRuntime {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(runtime) = self.runtime.take() {
            // Not awaited: dropping may happen inside another runtime, where waiting would panic.
            runtime.shutdown_background();
        }
    }
}
