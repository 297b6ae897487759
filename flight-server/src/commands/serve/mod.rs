//! `basin serve`: the store over Arrow Flight SQL, until SIGTERM or Ctrl-C.
//!
//! The process that is started supervises: `worker` is what the processes do that it starts, `replace` tells when others take
//! their places.

mod replace;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use basin_engine::Engine;
use basin_flight_server::{
    Config, Health, MetricsEndpoint, ServerConfig, Supervisor, TlsFiles, WorkerCommand, bind,
};
use clap::Args;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::{CommandError, Result};
use super::output::print;
use super::session::Session;
use super::signals;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:32010]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The certificate chain (PEM); with it clients must use TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The authority whose client certificates are taken (PEM); `basin user link` says whose they are
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Refuse clients without such a certificate
    #[arg(long)]
    require_client_certificate: bool,
    /// Serve without TLS on other addresses than loopback too, e.g. behind a proxy that has TLS
    #[arg(long)]
    allow_plaintext: bool,
    /// Processes that answer, so that what kills one takes only its own queries with it; 0: this process
    /// [default: 2, or a quarter of the cores if that is more]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// The address for /metrics, /healthz and /readyz: HTTP without sign-in [default: none]
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    /// The name of the worker that this process is; its supervisor gives it
    #[arg(long, hide = true)]
    worker: Option<String>,
}

pub(crate) async fn run(session: &Session, args: ServeArgs) -> Result<()> {
    let config = session.config();
    let worker = args.worker.clone();
    let listening = listening(config.server(), args)?;
    match worker {
        Some(name) => worker::run(session, config, listening, name).await,
        None if listening.workers == 0 => alone(session, config, listening).await,
        None => supervise(config, listening).await,
    }
}

/// Serves in this process and no other.
async fn alone(session: &Session, config: &Config, listening: ServerConfig) -> Result<()> {
    let catalog = session.open().await?;
    let engine = Engine::new(catalog, config.engine())?;
    let metrics = metrics(&listening).await?;
    let server = bind(engine, listening).await?;
    let shutdown = CancellationToken::new();
    let told = told(metrics, server.health())?;
    print(format!("ready {}", server.local_addr()))?;
    let serving = server.serve(shutdown.clone());
    tokio::pin!(serving, told);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        ended = &mut told => ended?,
        () = signals::stop() => {}
    }
    shutdown.cancel();
    Ok(serving.await?)
}

/// Listens for those who watch, if an address was named.
async fn metrics(listening: &ServerConfig) -> Result<Option<MetricsEndpoint>> {
    Ok(match listening.metrics_listen {
        Some(address) => Some(MetricsEndpoint::bind(address).await?),
        None => None,
    })
}

/// Says where metrics are told, and tells them. Never ends by itself.
fn told(
    metrics: Option<MetricsEndpoint>,
    health: Arc<dyn Health>,
) -> Result<impl Future<Output = Result<()>>> {
    if let Some(metrics) = &metrics {
        print(format!("metrics http://{}/metrics", metrics.local_addr()))?;
    }
    Ok(async move {
        match metrics {
            Some(metrics) => Ok(metrics.serve(health).await?),
            None => std::future::pending().await,
        }
    })
}

/// Serves by workers: processes of this program with the same arguments.
async fn supervise(config: &Config, listening: ServerConfig) -> Result<()> {
    let program = std::env::current_exe()
        .map_err(|source| CommandError::io("the program's own file can't be found", source))?;
    let command = WorkerCommand {
        program,
        arguments: std::env::args_os().skip(1).collect(),
        memory_limit_bytes: worker::memory_limit(config, &listening),
        drain: listening.drain,
    };
    let (replace, replacements) = mpsc::channel(1);
    let watching = replace::watch(replace, listening.tls.clone());
    // From here on a signal to stop is not lost while workers start.
    let shutdown = CancellationToken::new();
    let supervising = async {
        let metrics = metrics(&listening).await?;
        let supervisor = Supervisor::start(&listening, command, listening.workers).await?;
        let told = told(metrics, supervisor.health())?;
        print(format!("ready {}", supervisor.local_addr()))?;
        tokio::select! {
            () = supervisor.run(shutdown.clone(), replacements) => Ok(()),
            ended = told => ended,
        }
    };
    tokio::pin!(supervising);
    tokio::select! {
        ended = &mut supervising => return ended,
        () = watching => {}
        () = signals::stop() => shutdown.cancel(),
    }
    supervising.await
}

fn listening(mut config: ServerConfig, args: ServeArgs) -> Result<ServerConfig> {
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let (Some(certificate), Some(key)) = (args.tls_cert, args.tls_key) {
        let files = config.tls.take();
        let (client_ca, require_client_certificate) =
            files.map_or((None, false), |files| (files.client_ca, files.require_client_certificate));
        config.tls = Some(TlsFiles { certificate, key, client_ca, require_client_certificate });
    }
    if let Some(tls) = &mut config.tls {
        tls.client_ca = args.tls_client_ca.or(tls.client_ca.take());
        tls.require_client_certificate |= args.require_client_certificate;
    } else if args.tls_client_ca.is_some() || args.require_client_certificate {
        return Err(CommandError::usage(
            "client certificates are asked for and there is no TLS",
            "name the server's own certificate and key: --tls-cert FILE --tls-key FILE",
        ));
    }
    config.allow_plaintext |= args.allow_plaintext;
    config.workers = args.workers.unwrap_or(config.workers);
    config.metrics_listen = args.metrics_listen.or(config.metrics_listen);
    Ok(config)
}
