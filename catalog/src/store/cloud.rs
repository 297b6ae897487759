//! Cloud stores: from an address, settings and the environment to a client of the service. Each is used through
//! [`Checked`] and [`Connector`]; nobody else makes one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use tokio_util::task::TaskTracker;
use url::Url;

use super::checked::Checked;
use super::profile::Profile;
use super::settings::S3Settings;
use super::transport::{Conflicts, Connector};
use super::wrong_url;
use crate::error::{CatalogError, Result};

/// The longest pause between two attempts: a store that is back is found soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A client, and what it is uploading in parts.
type Opened = (Arc<dyn ObjectStore>, TaskTracker);

/// Variables of the environment; those that are empty count as absent, as for AWS's own tools.
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(super) fn of_process() -> Self {
        Self::of(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    pub(super) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn of_s3(&self) -> impl Iterator<Item = (AmazonS3ConfigKey, &String)> {
        let named = self.0.iter().filter(|(name, _)| name.starts_with("AWS_"));
        named.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
    }

    pub(super) fn in_home(&self, path: &str) -> Option<PathBuf> {
        let home = self.get("HOME").or_else(|| self.get("USERPROFILE"))?;
        Some(FilePath::new(home).join(path))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Opens `s3://bucket/path`. The environment wins over the settings, and these over the profile.
pub(super) fn s3(url: &Url, settings: &S3Settings, environment: &Environment) -> Result<Opened> {
    let bucket = builder(url, settings, environment)?.build();
    below(bucket.map_err(|error| unusable(url, error))?, url)
}

fn builder(url: &Url, settings: &S3Settings, environment: &Environment) -> Result<AmazonS3Builder> {
    let profile = match environment.get("AWS_ACCESS_KEY_ID") {
        Some(_) => Profile::default(),
        None => Profile::read(settings, environment)?,
    };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client_options(settings)?)
        .with_retry(retry(settings))
        .with_http_connector(Connector::new(Conflicts::Repeated));
    if let Some(region) = settings.region.as_ref().or(profile.region.as_ref()) {
        builder = builder.with_region(region);
    }
    if let Some(keys) = &profile.keys {
        builder = builder.with_access_key_id(&keys.id).with_secret_access_key(&keys.secret);
        builder = match &keys.token {
            Some(token) => builder.with_token(token),
            None => builder,
        };
    }
    for (key, value) in environment.of_s3() {
        // A token without its key belongs to other keys than the profile's.
        let of_keys = matches!(key, AmazonS3ConfigKey::SecretAccessKey | AmazonS3ConfigKey::Token);
        if !of_keys || profile.keys.is_none() {
            builder = builder.with_config(key, value);
        }
    }
    let named = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let endpoint = named.iter().find_map(|name| environment.get(name));
    let endpoint = endpoint.or(settings.endpoint.as_deref()).or(profile.endpoint.as_deref());
    if settings.path_style == Some(false) {
        builder = builder.with_virtual_hosted_style_request(true);
    }
    if let Some(endpoint) = endpoint {
        let hosted = settings.path_style == Some(false);
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, address(endpoint, url, hosted)?);
        check_tls(endpoint, settings, environment)?;
    }
    Ok(builder.with_url(url.as_str()))
}

/// Opens `az://container/path`; credentials come from the environment (`AZURE_…`).
pub(super) fn azure(url: &Url, settings: &S3Settings) -> Result<Opened> {
    let builder = MicrosoftAzureBuilder::from_env()
        .with_url(url.as_str())
        .with_retry(retry(settings))
        .with_http_connector(Connector::new(Conflicts::Told));
    below(builder.build().map_err(|error| unusable(url, error))?, url)
}

/// Opens `gs://bucket/path`; credentials come from the environment (`GOOGLE_…`).
pub(super) fn google(url: &Url, settings: &S3Settings) -> Result<Opened> {
    let builder = GoogleCloudStorageBuilder::from_env()
        .with_url(url.as_str())
        .with_retry(retry(settings))
        .with_http_connector(Connector::new(Conflicts::Told));
    below(builder.build().map_err(|error| unusable(url, error))?, url)
}

fn retry(settings: &S3Settings) -> RetryConfig {
    RetryConfig {
        max_retries: settings.retries(),
        retry_timeout: settings.retry_within(),
        backoff: BackoffConfig { max_backoff: LONGEST_PAUSE, ..BackoffConfig::default() },
    }
}

fn client_options(settings: &S3Settings) -> Result<ClientOptions> {
    let mut options = ClientOptions::new()
        .with_timeout(settings.request_timeout())
        .with_connect_timeout(settings.connect_timeout())
        .with_allow_http(settings.allow_http.unwrap_or(false));
    if let Some(file) = &settings.ca_certificate {
        let wrong =
            |reason: String| CatalogError::invalid(format!("ca_certificate {}", file.display()), reason);
        let pem = std::fs::read(file).map_err(|error| wrong(format!("it can't be read: {error}")))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
        if certificates.is_empty() {
            return Err(wrong("it holds no certificate in PEM form".to_owned()));
        }
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

/// The endpoint as requests need it: with the bucket before the host's name when it does not stand in the path.
fn address(endpoint: &str, url: &Url, hosted: bool) -> Result<String> {
    let wrong = |reason: String| CatalogError::invalid("endpoint of the store", reason);
    // The text itself may hold a secret: it is not repeated.
    let mut parsed = Url::parse(endpoint)
        .map_err(|error| wrong(format!("it is no URL like https://s3.example: {error}")))?;
    let is_plain = parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none();
    let Some(host) = parsed.host_str().filter(|_| is_plain && matches!(parsed.scheme(), "http" | "https"))
    else {
        return Err(wrong("it is https:// or http:// and a host, without user, password and ?".to_owned()));
    };
    if hosted {
        let host = format!("{}.{host}", url.host_str().unwrap_or_default());
        parsed.set_host(Some(&host)).map_err(|error| wrong(format!("{host} is no host: {error}")))?;
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

fn check_tls(endpoint: &str, settings: &S3Settings, environment: &Environment) -> Result<()> {
    let by_environment = environment.get("AWS_ALLOW_HTTP").map(str::to_ascii_lowercase);
    let allowed = by_environment.map_or(settings.allow_http == Some(true), |value| {
        matches!(value.as_str(), "true" | "1" | "yes" | "on" | "y")
    });
    if allowed || !endpoint.starts_with("http://") {
        return Ok(());
    }
    Err(CatalogError::invalid(
        "endpoint of the store",
        "it has no TLS, so that data would cross the network in the clear: name an https:// endpoint, or say \
         allow_http = true in [s3] of basin.toml (or AWS_ALLOW_HTTP=true)",
    ))
}

fn unusable(url: &Url, source: object_store::Error) -> CatalogError {
    CatalogError::Unavailable { url: url.to_string(), doing: "opening it".to_owned(), source }
}

/// The part of a bucket below the URL's path.
fn below(bucket: impl ObjectStore, url: &Url) -> Result<Opened> {
    let path =
        Path::from_url_path(url.path()).map_err(|error| wrong_url(url.as_str(), &error.to_string()))?;
    let objects: Arc<dyn ObjectStore> =
        if path.as_ref().is_empty() { Arc::new(bucket) } else { Arc::new(PrefixStore::new(bucket, path)) };
    let uploads = TaskTracker::new();
    Ok((Arc::new(Checked::new(objects, url, uploads.clone())), uploads))
}

#[cfg(test)]
mod tests;
