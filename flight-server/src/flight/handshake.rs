//! Handshake: credentials or a linked certificate in, a session token out.

use std::time::Duration;

use arrow_flight::{HandshakeRequest, HandshakeResponse};
use futures::stream::{self, BoxStream, StreamExt};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Response, Status, Streaming};

use super::service::FlightSql;
use crate::authn::{Credentials, Identity, Peer};
use crate::error::{Result, ServerError};

/// How long a caller without credentials may take to send them.
const PATIENCE: Duration = Duration::from_secs(10);

const NO_CREDENTIALS: &str = "Handshake needs `Authorization: Basic …` with user and password, or a client certificate that \
                              is linked to a user";

impl FlightSql {
    /// Answers a handshake: the token is in the header and in the payload, as clients read either.
    ///
    /// # Errors
    /// `Unauthenticated`, `TooManyAttempts`, or the catalog's.
    pub(super) async fn shake_hands(
        &self,
        metadata: &MetadataMap,
        peer: &Peer,
        mut messages: Streaming<HandshakeRequest>,
    ) -> Result<Response<BoxStream<'static, std::result::Result<HandshakeResponse, Status>>>> {
        let (identity, by_header) = match Credentials::from_metadata(metadata)? {
            Some(credentials) => (self.authenticator.check(credentials, peer).await?, true),
            None => (self.without_header(peer, &mut messages).await?, false),
        };
        let token = self.authenticator.issue(&identity, Vec::new())?;
        let header = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| ServerError::Internal("a token is no header value"))?;
        let answer = HandshakeResponse { protocol_version: 0, payload: token.into() };
        let message = (!(by_header && reads_headers_only(metadata))).then_some(Ok(answer));
        let mut response = Response::new(stream::iter(message).boxed());
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn without_header(
        &self,
        peer: &Peer,
        messages: &mut Streaming<HandshakeRequest>,
    ) -> Result<Identity> {
        if let Some(credentials) = from_payload(messages).await {
            return self.authenticator.check(credentials, peer).await;
        }
        let by_certificate = self.authenticator.check_certificate(peer).await?;
        by_certificate.ok_or(ServerError::Unauthenticated(NO_CREDENTIALS))
    }
}

/// arrow-go reads one message and leaves the stream open; when its garbage collector ends that later, the headers of this
/// answer come once more and put the first token in the place of the session's. Without a message the stream ends here.
fn reads_headers_only(metadata: &MetadataMap) -> bool {
    let agent = metadata.get("user-agent").and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.contains("grpc-go/"))
}

/// Older clients send user and password in the first message. Whoever is not known yet gets little time.
async fn from_payload(messages: &mut Streaming<HandshakeRequest>) -> Option<Credentials> {
    let message = tokio::time::timeout(PATIENCE, messages.message()).await.ok()?.ok()??;
    Credentials::from_payload(&message.payload)
}
