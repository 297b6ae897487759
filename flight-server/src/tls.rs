//! TLS for the listener, with rustls and ring.
//!
//! It reads the files that the configuration names; it makes no certificates.

use std::path::Path;

use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::config::TlsFiles;
use crate::error::{Result, ServerError};

/// Makes ring the process's cryptography, for the server and for every TLS client in it.
///
/// The first call decides; later calls change nothing. The binary calls it first, because several
/// providers are linked and rustls refuses to choose.
pub fn install_crypto() {
    // An error only says that a provider is installed already, which is what is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Reads the TLS files of a server.
///
/// # Errors
/// `File` when one can't be read. Whether its content is usable shows when the server is built.
pub(crate) async fn load(files: &TlsFiles) -> Result<ServerTlsConfig> {
    let certificate = read(&files.certificate).await?;
    let key = read(&files.key).await?;
    let config = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
    Ok(match &files.client_ca {
        // Whether a caller without a certificate is let in further is decided in `authn`.
        Some(path) => config
            .client_ca_root(Certificate::from_pem(read(path).await?))
            .client_auth_optional(!files.require_client_certificate),
        None => config,
    })
}

async fn read(path: &Path) -> Result<Vec<u8>> {
    tokio::fs::read(path)
        .await
        .map_err(|source| ServerError::File { path: path.display().to_string(), source })
}
