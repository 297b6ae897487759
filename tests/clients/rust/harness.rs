//! What the checks share: where the server is, how to sign in, and the lines that are printed.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use arrow_flight::FlightInfo;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

pub(crate) type Client = FlightSqlServiceClient<Channel>;

/// A server of the example pack.
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) tls_address: String,
    pub(crate) mtls_address: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) types: PathBuf,
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Target {
    pub(crate) fn from_environment() -> Result<Self> {
        let get = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
        Ok(Self {
            address: get("BASIN_ADDRESS")?,
            tls_address: get("BASIN_TLS_ADDRESS")?,
            mtls_address: get("BASIN_MTLS_ADDRESS")?,
            user: get("BASIN_USER")?,
            password: get("BASIN_PASSWORD")?,
            types: get("BASIN_TYPES")?.into(),
            authority: get("BASIN_CA")?.into(),
            certificate: get("BASIN_CLIENT_CERT")?.into(),
            key: get("BASIN_CLIENT_KEY")?.into(),
        })
    }

    /// Connects without TLS and signs in.
    pub(crate) async fn client(&self) -> Result<Client> {
        let channel = Endpoint::new(format!("http://{}", self.address))?.connect().await?;
        self.signed_in(channel).await
    }

    pub(crate) async fn signed_in(&self, channel: Channel) -> Result<Client> {
        let mut client = FlightSqlServiceClient::new(channel);
        client.handshake(&self.user, &self.password).await?;
        Ok(client)
    }

    /// TLS that trusts the authority; with a certificate of one's own when asked for.
    pub(crate) fn tls(&self, own: bool) -> Result<ClientTlsConfig> {
        let authority = Certificate::from_pem(std::fs::read(&self.authority)?);
        let config = ClientTlsConfig::new().ca_certificate(authority);
        if !own {
            return Ok(config);
        }
        let identity = Identity::from_pem(std::fs::read(&self.certificate)?, std::fs::read(&self.key)?);
        Ok(config.identity(identity))
    }
}

/// Runs a statement and returns its rows.
pub(crate) async fn query(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>> {
    let info = client.execute(sql.to_owned(), None).await?;
    rows(client, &info).await
}

/// Fetches the rows of all endpoints.
pub(crate) async fn rows(client: &mut Client, info: &FlightInfo) -> Result<Vec<RecordBatch>> {
    let mut all = Vec::new();
    for endpoint in &info.endpoint {
        let ticket = endpoint.ticket.clone().context("an endpoint has no ticket")?;
        all.extend(client.do_get(ticket).await?.try_collect::<Vec<_>>().await?);
    }
    Ok(all)
}

/// Counts the checks and prints a line for each.
#[derive(Default)]
pub(crate) struct Run {
    passed: usize,
    failed: usize,
}

impl Run {
    pub(crate) async fn check(&mut self, column: &str, name: &str, check: impl Future<Output = Result<()>>) {
        let started = Instant::now();
        match check.await {
            Ok(()) => {
                self.passed += 1;
                println!("passed {column}: {name} ({:.2} s)", started.elapsed().as_secs_f64());
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED {column}: {name}\n   {error:#}");
            }
        }
    }

    pub(crate) fn finish(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
