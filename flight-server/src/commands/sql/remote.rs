//! A Flight SQL server as a source of answers: signs in once, then sends statements with the
//! bearer token it was given.

use std::path::Path;
use std::time::Duration;

use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, FlightInfo, HandshakeRequest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use basin_engine::QueryId;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::address::Address;
use super::source::Answer;
use crate::commands::error::{CommandError, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Other servers than Basin may send messages larger than its 16 MiB.
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// The default window of 64 KiB halves the throughput of a result.
const WINDOW_BYTES: u32 = 8 << 20;
/// Headers by which a session tells Basin what it wants.
const PURPOSE_HEADER: &str = "x-basin-purpose";
const AS_OF_HEADER: &str = "x-basin-as-of";
const RESULT_CACHE_HEADER: &str = "x-basin-result-cache";
const ROLLUPS_HEADER: &str = "x-basin-rollups";

/// Who signs in, and for what.
pub(crate) struct SignIn {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) purpose: Option<String>,
}

/// A server that has accepted our user.
#[derive(Debug)]
pub(crate) struct Remote {
    client: FlightSqlServiceClient<Channel>,
}

impl Remote {
    /// Connects and signs in.
    ///
    /// # Errors
    /// `Connection` when the server can't be reached, `Answer` when it refuses the user.
    pub(crate) async fn connect(
        address: &Address,
        authority: Option<&Path>,
        sign_in: SignIn,
    ) -> Result<Self> {
        let channel =
            endpoint(address, authority)?.connect().await.map_err(|source| CommandError::Connection {
                what: format!("can't connect to {}", address.endpoint()),
                hint: "check that the server runs, its address, and grpc:// against grpc+tls://",
                source: Box::new(source),
            })?;
        let mut service = FlightServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let token = handshake(&mut service, &sign_in).await?;
        let mut client = FlightSqlServiceClient::new_from_inner(service);
        client.set_token(token);
        if let Some(purpose) = sign_in.purpose {
            client.set_header(PURPOSE_HEADER, purpose);
        }
        Ok(Self { client })
    }

    /// Says what may answer in place of a run over the datasets: kept results, rollups. Other servers than Basin are
    /// told, and don't care.
    pub(crate) fn answered_by(mut self, result_cache: bool, rollups: bool) -> Self {
        self.client.set_header(RESULT_CACHE_HEADER, result_cache.to_string());
        self.client.set_header(ROLLUPS_HEADER, rollups.to_string());
        self
    }

    /// Ends a query.
    pub(crate) async fn kill(mut self, query: QueryId) -> Result<()> {
        let body = serde_json::json!({ "query": query }).to_string();
        let mut answers = self.client.do_action(Action::new("basin.Kill", body)).await?;
        while answers.message().await?.is_some() {}
        Ok(())
    }

    /// Runs one statement as of a state ("" is the latest).
    pub(crate) async fn query(&mut self, sql: &str, as_of: &str) -> Result<Answer> {
        let mut client = self.client.clone();
        if !as_of.is_empty() {
            client.set_header(AS_OF_HEADER, as_of);
        }
        let info = client.execute(sql.to_owned(), None).await?;
        let FlightInfo { endpoint: endpoints, .. } = &info;
        let tickets: Vec<_> = endpoints.iter().filter_map(|endpoint| endpoint.ticket.clone()).collect();
        let schema = info.try_decode_schema().map_err(FlightError::Arrow)?;
        let batches = stream::iter(tickets)
            .then(move |ticket| {
                let mut client = client.clone();
                async move { client.do_get(ticket).await }
            })
            .try_flatten()
            .map_err(CommandError::from)
            .boxed();
        Ok(Answer { schema: schema.into(), batches })
    }
}

fn endpoint(address: &Address, authority: Option<&Path>) -> Result<Endpoint> {
    let unusable = |source: tonic::transport::Error| CommandError::Connection {
        what: format!("can't connect to {}", address.endpoint()),
        hint: "check the address in --server and the file in --tls-ca",
        source: Box::new(source),
    };
    let endpoint = Endpoint::from_shared(address.endpoint())
        .map_err(unusable)?
        .connect_timeout(CONNECT_TIMEOUT)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    if !address.tls {
        return Ok(endpoint);
    }
    let tls = match authority {
        None => ClientTlsConfig::new().with_native_roots(),
        Some(path) => {
            let pem = std::fs::read(path)
                .map_err(|source| CommandError::io(format!("{} can't be read", path.display()), source))?;
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
        }
    };
    endpoint.tls_config(tls).map_err(unusable)
}

/// Signs in. The client's own handshake turns a refusal into text and loses its status.
async fn handshake(service: &mut FlightServiceClient<Channel>, sign_in: &SignIn) -> Result<String> {
    let secret = BASE64_STANDARD.encode(format!("{}:{}", sign_in.user, sign_in.password));
    let mut header = MetadataValue::try_from(format!("Basic {secret}"))
        .map_err(|_| Status::invalid_argument("the password can't be sent"))?;
    header.set_sensitive(true);
    let mut request = Request::new(stream::iter([HandshakeRequest::default()]));
    request.metadata_mut().insert("authorization", header);
    let response = service.handshake(request).await?;
    let token = response
        .metadata()
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::to_owned);
    match token {
        Some(token) => Ok(token),
        None => Err(Status::unauthenticated("the server gave no token for this user").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_absent_is_said_to_be() {
        let address: Address = "grpc://127.0.0.1:1".parse().unwrap();
        let sign_in = SignIn { user: "u".into(), password: "p".into(), purpose: None };
        let error = Remote::connect(&address, None, sign_in).await.unwrap_err();
        assert_eq!(error.to_string(), "can't connect to http://127.0.0.1:1");
        assert!(matches!(error, CommandError::Connection { .. }));
    }
}
