//! Supervisor: listens, and keeps the workers. See [`crate::workers`].

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use super::child::WorkerCommand;
use super::keeper::{Keeper, Shop};
use crate::config::ServerConfig;
use crate::error::{Result, ServerError};
use crate::metrics::{Health, text};

/// A server of several processes, listening.
#[derive(Debug)]
pub struct Supervisor {
    shop: Arc<Shop>,
    address: SocketAddr,
    keepers: JoinSet<()>,
}

impl Supervisor {
    /// Listens and starts so many workers; all are ready when it returns.
    ///
    /// # Errors
    /// `Config` for plaintext on a network, `Bind` when the address can't be had, `WorkerEnded` when the first worker
    /// ends before it is ready: it has said why on standard error.
    pub async fn start(config: &ServerConfig, command: WorkerCommand, workers: usize) -> Result<Self> {
        config.check()?;
        let refused = |source| ServerError::Bind { address: config.listen, source };
        let listener = std::net::TcpListener::bind(config.listen).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let shop = Arc::new(Shop {
            command,
            listener,
            fleet: Arc::default(),
            stop: CancellationToken::new(),
            replacements: watch::Sender::new(0),
        });
        let mut supervisor = Self { shop, address, keepers: JoinSet::new() };
        // What keeps a worker from starting keeps all; it is said once.
        let mut first = Keeper::new(&supervisor.shop, 1);
        let child = first.first().await?;
        supervisor.keepers.spawn(first.keep(child));
        let others = (2..=workers.max(1)).map(|place| Keeper::new(&supervisor.shop, place));
        let started = futures::future::join_all(others.map(|mut keeper| async move {
            let child = keeper.first().await;
            child.map(|child| (keeper, child))
        }));
        for started in started.await {
            let (keeper, child) = started?;
            supervisor.keepers.spawn(keeper.keep(child));
        }
        tracing::info!(%address, workers, "workers accept connections");
        Ok(supervisor)
    }

    /// Returns the address that is listened on, with its real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns who tells how the server does.
    #[must_use]
    pub fn health(&self) -> Arc<dyn Health> {
        Arc::new(Watched { shop: Arc::clone(&self.shop) })
    }

    /// Keeps the workers until `shutdown` is cancelled, then has them drain and end. Each message of `replace` has all
    /// workers replaced by new ones, which read the configuration anew; nobody is refused meanwhile.
    pub async fn run(mut self, shutdown: CancellationToken, mut replace: tokio::sync::mpsc::Receiver<()>) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(()) = replace.recv() => {
                    tracing::info!("workers are replaced");
                    self.shop.replacements.send_modify(|count| *count += 1);
                }
                else => {
                    shutdown.cancelled().await;
                    break;
                }
            }
        }
        self.shop.stop.cancel();
        while self.keepers.join_next().await.is_some() {}
    }
}

/// All workers, for whoever watches them.
struct Watched {
    shop: Arc<Shop>,
}

#[async_trait]
impl Health for Watched {
    async fn metrics(&self) -> String {
        text(&self.shop.fleet.figures().await)
    }

    async fn ready(&self) -> std::result::Result<(), String> {
        if self.shop.stop.is_cancelled() {
            return Err("the server is stopping".to_owned());
        }
        self.shop.fleet.takes_queries().await
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.shop.stop.cancel();
    }
}
