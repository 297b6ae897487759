//! Where a call comes from: the address, and the certificate that the TLS handshake proved.

use std::net::IpAddr;

use basin_catalog::Digest;
use tonic::Request;

/// The other end of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(super) address: Option<IpAddr>,
    /// SHA-256 of the client's certificate; rustls has checked its chain, its time and that the client holds its key.
    pub(super) certificate: Option<Digest>,
}

impl Peer {
    /// Returns the other end of the connection that a request came over.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        let certificates = request.peer_certs();
        let leaf = certificates.as_ref().and_then(|chain| chain.first());
        Self {
            address: request.remote_addr().map(|address| address.ip()),
            certificate: leaf.map(|certificate| Digest::of(certificate.as_ref())),
        }
    }
}
