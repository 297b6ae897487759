//! A worker of `basin serve`: opens the store and answers on the socket that it inherited.

use std::sync::Arc;

use basin_engine::{Engine, EngineConfig};
use basin_flight_server::{BoundServer, Config, Inherited, ServerConfig};
use tokio_util::sync::CancellationToken;

use super::super::error::{CommandError, Result};
use super::super::session::Session;
use super::super::signals;

const GIB: u64 = 1024 * 1024 * 1024;
/// The likelier a process is ended when the system has no memory left; 1000 is the most.
const LIKELY: &str = "700";

/// Answers until the supervisor says stop or is gone, or SIGTERM comes.
pub(super) async fn run(
    session: &Session,
    config: &Config,
    listening: ServerConfig,
    name: String,
) -> Result<()> {
    stand_apart();
    let inherited = Inherited::take().map_err(|source| {
        CommandError::io("--worker is for the processes that `basin serve` starts itself", source)
    })?;
    let (listener, link, supervisor) = inherited.connect(name);
    let catalog = session.open().await?;
    let limits = config.engine().shared_by(listening.workers);
    let engine = Engine::beside(catalog, limits, Arc::new(link.clone()))?;
    let server = BoundServer::inherit(listener, supervisor, engine, listening).await?;
    link.ready().await;
    let shutdown = CancellationToken::new();
    let stopping = async {
        signals::stop().await;
        shutdown.cancel();
    };
    let serving = server.serve(shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stopping => {}
    }
    Ok(serving.await?)
}

/// Ctrl-C in a terminal is for the supervisor, and when the system has no memory left, a worker is ended and not that.
fn stand_apart() {
    #[cfg(unix)]
    if let Err(error) = rustix::process::setsid() {
        tracing::debug!(%error, "the worker stays in its supervisor's session");
    }
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", LIKELY) {
        tracing::debug!(%error, "the system chooses by itself whom to end when memory runs out");
    }
}

/// Memory beyond which a worker is ended: what was configured, or what its queries and caches may have, as much again for
/// what nobody counts, and a GiB for footers, plans and threads.
pub(super) fn memory_limit(config: &Config, listening: &ServerConfig) -> u64 {
    let EngineConfig { memory_bytes, hot_bytes, result_cache_bytes, .. } =
        config.engine().shared_by(listening.workers);
    let counted = memory_bytes.saturating_add(hot_bytes).saturating_add(result_cache_bytes) as u64;
    listening.worker_memory_bytes.unwrap_or_else(|| counted.saturating_mul(2).saturating_add(GIB))
}
