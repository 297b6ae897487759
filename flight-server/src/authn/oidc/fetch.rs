//! Fetching the provider's keys, from a file or over HTTP. What they are worth is decided by whoever reads them.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, StatusCode, redirect};
use url::Url;

use crate::config::{KeyLocation, is_loopback};
use crate::error::{Result, ServerError};

/// How long one fetch may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A hundred keys with their certificates are far smaller.
const MAX_BYTES: usize = 1024 * 1024;

/// Where the keys come from, ready to be asked.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Url(Client, Url),
}

impl Source {
    /// Gets ready to fetch.
    ///
    /// # Errors
    /// `IdentityProvider` when the system's certificates can't be read.
    pub(super) fn new(location: &KeyLocation) -> Result<Self> {
        match location {
            KeyLocation::File(path) => Ok(Self::File(path.clone())),
            KeyLocation::Url(url) => {
                let near = is_loopback(url);
                // A redirect could lead to where nobody checked that the keys don't travel in the clear.
                let client = Client::builder()
                    .timeout(TIMEOUT)
                    .connect_timeout(CONNECT_TIMEOUT)
                    .redirect(redirect::Policy::none())
                    .https_only(!near);
                let client = if near { client.no_proxy() } else { client };
                let what = "the HTTP client for the identity provider's keys can't be made";
                Ok(Self::Url(client.build().map_err(|error| failed(what, error))?, url.clone()))
            }
        }
    }

    /// Fetches the key set as it is written.
    ///
    /// # Errors
    /// `File`, or `IdentityProvider` when the address doesn't answer with one.
    pub(super) async fn fetch(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => tokio::fs::read(path)
                .await
                .map_err(|source| ServerError::File { path: path.display().to_string(), source }),
            Self::Url(client, url) => get(client, url).await,
        }
    }
}

async fn get(client: &Client, url: &Url) -> Result<Vec<u8>> {
    let refused = |what| ServerError::IdentityProvider { what, source: None };
    let broken = |error| failed("the identity provider's keys can't be fetched", error);
    let mut response = client.get(url.clone()).send().await.map_err(broken)?;
    if response.status() != StatusCode::OK {
        return Err(refused(
            "the identity provider answers the request for its keys with another status than 200",
        ));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if text.len() + chunk.len() > MAX_BYTES {
            return Err(refused("the identity provider's answer is too long for a set of keys"));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn failed(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> ServerError {
    ServerError::IdentityProvider { what, source: Some(Box::new(source)) }
}
