//! `basin.toml` and the settings of a server.
//!
//! The file has units in its names and no secrets: the store's credentials come from the
//! environment or AWS's shared files. Unknown keys are refused with the list of the known ones.

mod oidc;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use basin_catalog::S3Settings;
use basin_engine::EngineConfig;
use serde::Deserialize;

use crate::error::{Result, ServerError};
pub(crate) use oidc::is_loopback;
pub use oidc::{KeyLocation, OidcConfig, TokenAlgorithm};

/// The port that is listened on when none is named.
const DEFAULT_PORT: u16 = 32010;

const MIB: u64 = 1024 * 1024;

/// The content of `basin.toml`. Every key is optional.
///
/// ```toml
/// store = "s3://bucket/basin"      # where everything durable is
///
/// [s3]                             # see S3Settings
/// endpoint = "https://s3.example"
/// region = "eu-central-1"
///
/// [server]
/// listen = "0.0.0.0:32010"
/// allow_plaintext = false          # true: no TLS on other addresses than loopback either
/// token_lifetime_seconds = 86400   # of a bearer token
/// ticket_lifetime_seconds = 3600   # of a ticket, between GetFlightInfo and DoGet
/// handle_lifetime_seconds = 86400  # of a prepared statement
/// poll_lifetime_seconds = 60       # of a polled statement that nobody asks for
/// drain_seconds = 30               # how long running results may go on after SIGTERM
/// workers = 2                      # processes that answer; 0: the server's own and no other
/// worker_memory_mib = 8192         # a worker that takes more is ended
/// max_connections = 1000           # of each worker; clients beyond it are refused
/// metrics_listen = "127.0.0.1:32011"  # /metrics, /healthz, /readyz; default: none
///
/// [server.tls]
/// certificate = "server.pem"       # the chain, PEM
/// key = "server.key"               # PEM
/// client_ca = "clients.pem"        # whose client certificates are taken (mTLS)
/// require_client_certificate = false
///
/// [server.oidc]                    # tokens of an identity provider; see docs/authentication.md
/// issuer = "https://id.example"
/// audience = "basin"
/// jwks_url = "https://id.example/keys"
///
/// [engine]
/// memory_mib = 8192
/// spill_dir = "/var/tmp/basin"
/// spill_mib = 65536
/// max_running = 8
/// max_running_of_user = 6
/// max_waiting = 64
/// queue_timeout_seconds = 60
/// query_timeout_seconds = 3600
/// planning_timeout_seconds = 10
/// max_sql_kib = 1024
/// max_built_mib = 128              # by one function of one batch: repeat, range …
/// target_partitions = 8
/// batch_rows = 8192
/// result_cache_mib = 256           # 0: no results are kept
/// disk_cache_dir = "/var/cache/basin"
/// disk_cache_mib = 8192
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The store's URL.
    pub store: Option<String>,
    /// What else is to be said of a cloud store.
    pub s3: S3Settings,
    /// How to listen.
    pub server: ServerSection,
    /// The engine's limits.
    pub engine: EngineSection,
}

/// The `[server]` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// The address to listen on.
    pub listen: Option<SocketAddr>,
    /// Whether to serve without TLS on other addresses than loopback.
    pub allow_plaintext: Option<bool>,
    /// The lifetime of a bearer token.
    pub token_lifetime_seconds: Option<u64>,
    /// The lifetime of a ticket.
    pub ticket_lifetime_seconds: Option<u64>,
    /// The lifetime of a prepared statement's handle.
    pub handle_lifetime_seconds: Option<u64>,
    /// The lifetime of a polled statement that nobody asks for.
    pub poll_lifetime_seconds: Option<u64>,
    /// How long running results may go on after the signal to stop.
    pub drain_seconds: Option<u64>,
    /// Processes that answer.
    pub workers: Option<usize>,
    /// Memory beyond which a worker is ended.
    pub worker_memory_mib: Option<u64>,
    /// Connections of each worker.
    pub max_connections: Option<usize>,
    /// Where metrics and health are told.
    pub metrics_listen: Option<SocketAddr>,
    /// The TLS files.
    pub tls: Option<TlsFiles>,
    /// Whose identity tokens are taken.
    pub oidc: Option<OidcConfig>,
}

/// The `[engine]` section: whatever is absent keeps the engine's default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// Memory for all queries together.
    pub memory_mib: Option<u64>,
    /// Memory for columns that queries use again and again; 0 keeps none.
    pub hot_columns_mib: Option<u64>,
    /// The folder for spilled intermediate results.
    pub spill_dir: Option<PathBuf>,
    /// How much may be spilled.
    pub spill_mib: Option<u64>,
    /// How many queries run at once.
    pub max_running: Option<usize>,
    /// How many of one user do.
    pub max_running_of_user: Option<usize>,
    /// How many wait for their turn.
    pub max_waiting: Option<usize>,
    /// How long one waits.
    pub queue_timeout_seconds: Option<u64>,
    /// How long one runs.
    pub query_timeout_seconds: Option<u64>,
    /// How long planning takes at most.
    pub planning_timeout_seconds: Option<u64>,
    /// The longest statement.
    pub max_sql_kib: Option<u64>,
    /// What one function may build at once.
    pub max_built_mib: Option<u64>,
    /// Parallel parts of one query.
    pub target_partitions: Option<usize>,
    /// Rows of a batch.
    pub batch_rows: Option<usize>,
    /// Memory for results that are kept.
    pub result_cache_mib: Option<u64>,
    /// The folder for ranges of data files of a cloud store.
    pub disk_cache_dir: Option<PathBuf>,
    /// Disk space for them.
    pub disk_cache_mib: Option<u64>,
}

/// The PEM files of a TLS listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The server's certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// When given, clients may show a certificate signed by it.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Whether every client must.
    #[serde(default)]
    pub require_client_certificate: bool,
}

/// How a server listens and how long what it issues is good for.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, when given.
    pub tls: Option<TlsFiles>,
    /// Whose identity tokens are taken, when any are.
    pub oidc: Option<OidcConfig>,
    /// Whether to serve without TLS on other addresses than loopback.
    pub allow_plaintext: bool,
    /// The lifetime of a bearer token.
    pub token_lifetime: Duration,
    /// The lifetime of a ticket.
    pub ticket_lifetime: Duration,
    /// The lifetime of a prepared statement's handle.
    pub handle_lifetime: Duration,
    /// The lifetime of a polled statement that nobody asks for.
    pub poll_lifetime: Duration,
    /// How long running results may go on after the signal to stop.
    pub drain: Duration,
    /// Processes that answer; 0: the server's own and no other.
    pub workers: usize,
    /// Memory beyond which a worker is ended; none: what its limits for queries and caches come to, and as much again.
    pub worker_memory_bytes: Option<u64>,
    /// Connections of each process; clients beyond it are refused.
    pub max_connections: usize,
    /// Where metrics and health are told, without TLS or sign-in.
    pub metrics_listen: Option<SocketAddr>,
}

/// Two, so that one is there while the other is started anew; more where there are many cores.
fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).div_ceil(4).max(2)
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            tls: None,
            oidc: None,
            allow_plaintext: false,
            token_lifetime: Duration::from_secs(24 * 3600),
            ticket_lifetime: Duration::from_secs(3600),
            handle_lifetime: Duration::from_secs(24 * 3600),
            poll_lifetime: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            workers: default_workers(),
            worker_memory_bytes: None,
            max_connections: 1_000,
            metrics_listen: None,
        }
    }
}

impl ServerConfig {
    /// Checks that passwords don't cross a network in the clear by accident.
    ///
    /// # Errors
    /// `Config` when there is no TLS, the address is not loopback and plaintext is not allowed, or when certificates are
    /// required and no authority is named.
    pub(crate) fn check(&self) -> Result<()> {
        if self.tls.as_ref().is_some_and(|tls| tls.require_client_certificate && tls.client_ca.is_none()) {
            return Err(ServerError::Config(
                "client certificates are required and nobody is named who signs them: name the authority's \
                 certificate (client_ca, --tls-client-ca)"
                    .to_owned(),
            ));
        }
        if self.tls.is_some() || self.allow_plaintext || self.listen.ip().is_loopback() {
            return Ok(());
        }
        Err(ServerError::Config(format!(
            "{} can be reached from other machines and there is no TLS: name a certificate and a key \
             (--tls-cert, --tls-key), listen on 127.0.0.1, or say --allow-plaintext when TLS ends in \
             front of Basin",
            self.listen
        )))
    }
}

impl Config {
    /// Reads a configuration from its text.
    ///
    /// # Errors
    /// `Config` with the place and, for an unknown key, the known ones.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| ServerError::Config(error.to_string()))
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// `File` when it can't be read, else those of [`Config::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ServerError::File { path: path.display().to_string(), source })?;
        Self::parse(&text).map_err(|error| ServerError::Config(format!("{}: {error}", path.display())))
    }

    /// Returns the server's settings: the file's, and the defaults for the rest.
    #[must_use]
    pub fn server(&self) -> ServerConfig {
        let section = &self.server;
        let default = ServerConfig::default();
        let seconds = |value: Option<u64>, or: Duration| value.map_or(or, Duration::from_secs);
        ServerConfig {
            listen: section.listen.unwrap_or(default.listen),
            tls: section.tls.clone(),
            oidc: section.oidc.clone(),
            allow_plaintext: section.allow_plaintext.unwrap_or(default.allow_plaintext),
            token_lifetime: seconds(section.token_lifetime_seconds, default.token_lifetime),
            ticket_lifetime: seconds(section.ticket_lifetime_seconds, default.ticket_lifetime),
            handle_lifetime: seconds(section.handle_lifetime_seconds, default.handle_lifetime),
            poll_lifetime: seconds(section.poll_lifetime_seconds, default.poll_lifetime),
            drain: seconds(section.drain_seconds, default.drain),
            workers: section.workers.unwrap_or(default.workers),
            worker_memory_bytes: section.worker_memory_mib.map(|mib| mib.saturating_mul(MIB)),
            max_connections: section.max_connections.unwrap_or(default.max_connections),
            metrics_listen: section.metrics_listen,
        }
    }

    /// Returns the engine's settings: the file's, and the engine's defaults for the rest.
    #[must_use]
    pub fn engine(&self) -> EngineConfig {
        let section = &self.engine;
        let default = EngineConfig::default();
        let bytes = |mib: u64| usize::try_from(mib.saturating_mul(MIB)).unwrap_or(usize::MAX);
        let seconds = |value: Option<u64>, or: Duration| value.map_or(or, Duration::from_secs);
        EngineConfig {
            memory_bytes: section.memory_mib.map_or(default.memory_bytes, bytes),
            hot_bytes: section.hot_columns_mib.map_or(default.hot_bytes, bytes),
            spill_dir: section.spill_dir.clone().or(default.spill_dir),
            spill_bytes: section.spill_mib.map_or(default.spill_bytes, |mib| mib.saturating_mul(MIB)),
            max_running: section.max_running.unwrap_or(default.max_running),
            max_running_of_user: section
                .max_running_of_user
                .unwrap_or(section.max_running.map_or(default.max_running_of_user, |all| all - all / 4)),
            max_waiting: section.max_waiting.unwrap_or(default.max_waiting),
            queue_timeout: seconds(section.queue_timeout_seconds, default.queue_timeout),
            query_timeout: seconds(section.query_timeout_seconds, default.query_timeout),
            planning_timeout: seconds(section.planning_timeout_seconds, default.planning_timeout),
            max_sql_bytes: section.max_sql_kib.map_or(default.max_sql_bytes, |kib| {
                usize::try_from(kib.saturating_mul(1024)).unwrap_or(usize::MAX)
            }),
            max_built_bytes: section.max_built_mib.map_or(default.max_built_bytes, bytes),
            target_partitions: section.target_partitions.unwrap_or(default.target_partitions),
            batch_rows: section.batch_rows.unwrap_or(default.batch_rows),
            result_cache_bytes: section.result_cache_mib.map_or(default.result_cache_bytes, bytes),
            disk_cache_dir: section.disk_cache_dir.clone().or(default.disk_cache_dir),
            disk_cache_bytes: section
                .disk_cache_mib
                .map_or(default.disk_cache_bytes, |mib| mib.saturating_mul(MIB)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.server().listen, ServerConfig::default().listen);
        assert_eq!(config.engine().max_running, EngineConfig::default().max_running);
    }

    #[test]
    fn every_section_is_read() {
        let config = Config::parse(
            "store = 's3://b/p'\n[server]\nlisten = '0.0.0.0:1'\ndrain_seconds = 5\n\
             [server.tls]\ncertificate = 'a'\nkey = 'b'\n[engine]\nmemory_mib = 2\n",
        )
        .unwrap();
        assert_eq!(config.store.as_deref(), Some("s3://b/p"));
        assert_eq!(config.server().drain, Duration::from_secs(5));
        assert!(config.server().check().is_ok());
        assert_eq!(config.engine().memory_bytes, 2 * 1024 * 1024);
    }

    #[test]
    fn what_the_documentation_shows_is_read() {
        for (text, is_whole) in [
            (include_str!("../../docs/configuration.md"), true),
            (include_str!("../../docs/authentication.md"), false),
        ] {
            let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
            let config = Config::parse(example).unwrap();
            assert!(config.server.oidc.is_some());
            assert_eq!(config.server.tls.is_some(), is_whole);
        }
    }

    #[test]
    fn certificates_that_nobody_signs_cant_be_required() {
        let files = |client_ca| TlsFiles {
            certificate: "a".into(),
            key: "b".into(),
            client_ca,
            require_client_certificate: true,
        };
        let config = |client_ca| ServerConfig { tls: Some(files(client_ca)), ..ServerConfig::default() };
        assert!(config(None).check().unwrap_err().to_string().contains("--tls-client-ca"));
        assert!(config(Some("c".into())).check().is_ok());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        for text in ["[server]\nlitsen = 'x'\n", "sever = 1\n", "[engine]\nmemory = 1\n"] {
            let message = Config::parse(text).unwrap_err().to_string();
            assert!(message.contains("unknown field"), "{message}");
            assert!(message.contains("expected one of"), "{message}");
        }
    }

    #[test]
    fn plaintext_stays_on_loopback_unless_allowed() {
        let mut config =
            ServerConfig { listen: SocketAddr::from(([0, 0, 0, 0], 1)), ..ServerConfig::default() };
        assert!(config.check().is_err());
        config.allow_plaintext = true;
        assert!(config.check().is_ok());
        config.allow_plaintext = false;
        config.listen = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(config.check().is_ok());
    }
}
