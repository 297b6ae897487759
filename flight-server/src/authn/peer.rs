//! Where a call comes from: the address, the certificate that the TLS handshake proved, and whether its connection is one
//! too many.

use std::net::IpAddr;

use basin_catalog::Digest;
use tonic::Request;
use tonic::transport::server::TlsConnectInfo;

use crate::error::{Result, ServerError};
use crate::lingering::ConnectionInfo;

/// The other end of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(super) address: Option<IpAddr>,
    /// SHA-256 of the client's certificate; rustls has checked its chain, its time and that the client holds its key.
    pub(super) certificate: Option<Digest>,
    /// The limit that its connection is beyond.
    pub(super) refused: Option<usize>,
}

impl Peer {
    /// Returns the other end of the connection that a request came over.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        let extensions = request.extensions();
        let tls = extensions.get::<TlsConnectInfo<ConnectionInfo>>();
        let info = tls.map(TlsConnectInfo::get_ref).or_else(|| extensions.get::<ConnectionInfo>());
        let certificates = tls.and_then(TlsConnectInfo::peer_certs);
        let leaf = certificates.as_ref().and_then(|chain| chain.first());
        Self {
            address: info.and_then(|info| info.address).map(|address| address.ip()),
            certificate: leaf.map(|certificate| Digest::of(certificate.as_ref())),
            refused: info.and_then(|info| info.refused),
        }
    }

    /// Refuses the calls of a connection that is one too many.
    ///
    /// # Errors
    /// `TooManyConnections`.
    pub(crate) fn fits(&self) -> Result<()> {
        self.refused.map_or(Ok(()), |limit| Err(ServerError::TooManyConnections { limit }))
    }
}
