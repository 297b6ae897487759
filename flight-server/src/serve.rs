//! The listener: binds, serves, and stops without tearing running results apart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_flight::flight_service_server::FlightServiceServer;
use basin_engine::Engine;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::config::ServerConfig;
use crate::connections::Connections;
use crate::error::{Result, ServerError};
use crate::flight::{FlightSql, Running};
use crate::metrics::{Calls, Health, Process};
use crate::tls;
use crate::workers::SupervisorLink;

const MIB: u32 = 1024 * 1024;

/// HTTP/2's default of 64 KiB halves the throughput of large results.
const STREAM_WINDOW_BYTES: u32 = 4 * MIB;
const CONNECTION_WINDOW_BYTES: u32 = 16 * MIB;
/// Fewer, larger frames: the default of 16 KiB costs a system call each.
const FRAME_BYTES: u32 = MIB;
/// The largest message that is taken: parameters and statements, not data.
const MAX_REQUEST_BYTES: usize = 16 * MIB as usize;
/// Headers: a bearer token, a statement's purpose, tracing; anything larger is no client of ours.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// Open calls of one connection, queued ones included.
const MAX_STREAMS: u32 = 1024;
/// Dead peers are found within this and the timeout below.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a TLS handshake may take.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// After the drain, connections get this long to hear how their results ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server that listens but does not answer yet.
#[derive(Debug)]
pub struct BoundServer {
    incoming: TcpListener,
    address: SocketAddr,
    process: Process,
    service: FlightSql,
    running: Running,
    builder: Server,
    config: ServerConfig,
    supervisor: Option<SupervisorLink>,
}

/// Listens and answers until `shutdown` is cancelled, then drains.
///
/// # Errors
/// Those of [`bind`], and `Transport` when the listener fails.
pub async fn serve(engine: Engine, config: ServerConfig, shutdown: CancellationToken) -> Result<()> {
    bind(engine, config).await?.serve(shutdown).await
}

/// Listens, so that the address is known before anything is answered.
///
/// # Errors
/// `Config` for plaintext on a network, `File` or `Transport` when the TLS files are not usable, `Bind` when the address
/// can't be had, or the catalog's.
pub async fn bind(engine: Engine, config: ServerConfig) -> Result<BoundServer> {
    config.check()?;
    let refused = |source| ServerError::Bind { address: config.listen, source };
    let incoming = TcpListener::bind(config.listen).await.map_err(refused)?;
    BoundServer::on(incoming, engine, config).await
}

async fn builder(config: &ServerConfig) -> Result<Server> {
    let builder = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT));
    match &config.tls {
        Some(files) => Ok(builder.tls_config(tls::load(files).await?.timeout(TLS_TIMEOUT))?),
        None => Ok(builder),
    }
}

impl BoundServer {
    /// Takes a socket that is listened on.
    async fn on(incoming: TcpListener, engine: Engine, config: ServerConfig) -> Result<Self> {
        let builder = builder(&config).await?;
        let refused = |source| ServerError::Bind { address: config.listen, source };
        let address = incoming.local_addr().map_err(refused)?;
        let running = Running::default();
        let process = Process {
            engine,
            calls: Calls::default(),
            connections: Connections::new(config.max_connections),
        };
        let (engine, calls) = (process.engine.clone(), process.calls.clone());
        let service = FlightSql::new(engine, &config, running.clone(), calls).await?;
        Ok(Self { incoming, address, process, service, running, builder, config, supervisor: None })
    }

    /// Takes the socket that a supervisor listens on, for a worker.
    ///
    /// # Errors
    /// As for [`bind`].
    pub async fn inherit(
        incoming: TcpListener,
        supervisor: SupervisorLink,
        engine: Engine,
        config: ServerConfig,
    ) -> Result<Self> {
        Ok(Self { supervisor: Some(supervisor), ..Self::on(incoming, engine, config).await? })
    }

    /// Returns the address that is listened on, with its real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns who tells how the server does.
    #[must_use]
    pub fn health(&self) -> Arc<dyn Health> {
        Arc::new(self.process.clone())
    }

    /// Answers until `shutdown` is cancelled; then refuses new calls, lets running results end for
    /// as long as the drain allows, and ends the rest with an error.
    ///
    /// # Errors
    /// `Transport` when the listener fails.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<()> {
        let mut builder = self.builder;
        let service = FlightServiceServer::new(self.service)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(usize::MAX);
        let closed = CancellationToken::new();
        let incoming = TcpIncoming::from(self.incoming)
            .with_nodelay(Some(true))
            .with_keepalive(Some(KEEPALIVE_INTERVAL));
        let server = builder.add_service(service).serve_with_incoming_shutdown(
            self.process.connections.clone().accept(incoming, self.supervisor.is_some()),
            closed.clone().cancelled_owned(),
        );
        // Dropped with this: without its supervisor a worker stops.
        let _supervised = self.supervisor.map(|supervisor| {
            let carrying = supervisor.carry(self.process.clone(), self.running.clone(), shutdown.clone());
            AbortOnDropHandle::new(tokio::spawn(carrying))
        });
        tracing::info!(address = %self.address, tls = self.config.tls.is_some(), "listening");
        tokio::pin!(server);
        tokio::select! {
            ended = &mut server => Ok(ended?),
            left = drained(&self.running, self.config.drain, shutdown) => {
                closed.cancel();
                // Results that were handed over may still be on their way. Connections that don't close by themselves are
                // dropped with the server.
                let ended = tokio::time::timeout(left.max(FAREWELL), server).await.unwrap_or(Ok(()));
                self.process.engine.close().await?;
                Ok(ended?)
            }
        }
    }
}

/// Waits for the signal to stop, then until running results ended or were ended; returns what is left of the limit.
async fn drained(running: &Running, limit: Duration, shutdown: CancellationToken) -> Duration {
    shutdown.cancelled().await;
    let begun = Instant::now();
    tracing::info!(limit_seconds = limit.as_secs(), "draining");
    if tokio::time::timeout(limit, running.drain()).await.is_err() {
        tracing::warn!("results still running after the drain are ended with an error");
        running.stop();
        // They end at once; this waits for their last message to be taken.
        drop(tokio::time::timeout(FAREWELL, running.drain()).await);
    }
    limit.saturating_sub(begun.elapsed())
}
