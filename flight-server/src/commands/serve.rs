//! `basin serve`: the store over Arrow Flight SQL, until SIGTERM or Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;

use basin_engine::Engine;
use basin_flight_server::{ServerConfig, TlsFiles, bind};
use clap::Args;
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
}

pub(crate) async fn run(session: &Session, args: ServeArgs) -> Result<()> {
    let config = session.config();
    let listening = listening(config.server(), args)?;
    let catalog = session.open().await?;
    let engine = Engine::new(catalog, config.engine())?;
    let server = bind(engine, listening).await?;
    let shutdown = CancellationToken::new();
    print(format!("ready {}", server.local_addr()))?;
    let stopping = async {
        signals::stop().await;
        shutdown.cancel();
        Ok(())
    };
    tokio::try_join!(server.serve(shutdown.clone()), stopping)?;
    Ok(())
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
    Ok(config)
}
