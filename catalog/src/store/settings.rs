//! What can be said of a cloud store besides its address. No secrets are among it, so that it may be shown.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// One request with its answer's body; a large body that takes longer is resumed where it stopped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// A server that does not take a connection within this time is down or far overloaded.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Retries of one request: at one fault in ten, one request of ten million runs out of them.
const RETRIES: usize = 6;
/// Enough for a hiccup, short enough that a person still waits.
const RETRY_WITHIN: Duration = Duration::from_secs(30);

/// The section `[s3]` of `basin.toml`. What is absent is taken from the environment, the profile, or the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Settings {
    /// Where the service is; none: Amazon's own in the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// Whether the bucket stands in the path (default), or before the host's name.
    pub path_style: Option<bool>,
    /// Whether the endpoint may be without TLS.
    pub allow_http: Option<bool>,
    /// PEM file of authorities that are trusted besides the usual ones.
    pub ca_certificate: Option<PathBuf>,
    /// The profile of the shared files of credentials and settings.
    pub profile: Option<String>,
    /// The shared file of credentials; none: `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// How long a connection may take.
    pub connect_timeout_seconds: Option<u64>,
    /// How long one request may take, its answer's body included.
    pub request_timeout_seconds: Option<u64>,
    /// How often a request is repeated.
    pub retries: Option<usize>,
    /// After how long a request is not repeated any more.
    pub retry_seconds: Option<u64>,
}

impl S3Settings {
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout_seconds.map_or(CONNECT_TIMEOUT, Duration::from_secs)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.request_timeout_seconds.map_or(REQUEST_TIMEOUT, Duration::from_secs)
    }

    pub(super) fn retries(&self) -> usize {
        self.retries.unwrap_or(RETRIES)
    }

    pub(super) fn retry_within(&self) -> Duration {
        self.retry_seconds.map_or(RETRY_WITHIN, Duration::from_secs)
    }
}
