//! The one object store that holds everything durable: opened by URL, rooted at the URL's folder.

mod checked;
mod cloud;
mod conformance;
mod durable;
mod profile;
mod settings;
mod transport;
mod unfinished;

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::error::{CatalogError, Result};
use crate::ids::{DatasetName, RollupName};
pub use conformance::{Check, Conformance, conformance};
use durable::DurableFolder;
pub use settings::S3Settings;
pub use unfinished::Unfinished;

/// An opened store.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    url: Url,
    uploads: TaskTracker,
}

/// Only its address: the clients of cloud stores know credentials.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.url)
    }
}

impl Store {
    /// Opens a store for what is to be made in it: as [`Store::open`], and a missing local folder is made.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn create(url: &str) -> Result<Self> {
        Self::create_with(url, &S3Settings::default())
    }

    /// As [`Store::create`], with settings for a cloud store.
    ///
    /// # Errors
    /// As for [`Store::open_with`].
    pub fn create_with(url: &str, settings: &S3Settings) -> Result<Self> {
        let parsed = parse_url(url)?;
        if parsed.scheme() == "file"
            && let Ok(folder) = parsed.to_file_path()
        {
            std::fs::create_dir_all(&folder).map_err(|error| CatalogError::Unavailable {
                url: parsed.to_string(),
                doing: "making its folder".to_owned(),
                source: object_store::Error::Generic { store: "local folder", source: Box::new(error) },
            })?;
        }
        Self::open_with(url, settings)
    }

    /// Opens `file:///path`, a plain path, `s3://bucket/path`, `az://container/path`, `gs://bucket/path` or `memory://`.
    ///
    /// Cloud credentials come from the environment (`AWS_…`, `AZURE_…`, `GOOGLE_…`) or AWS's shared files. Each `memory://`
    /// is a new, empty store.
    ///
    /// # Errors
    /// `Invalid` for a URL that is not understood, `NotACatalog` for a local folder that is not there, `Unavailable` when
    /// the store can't be used.
    pub fn open(url: &str) -> Result<Self> {
        Self::open_with(url, &S3Settings::default())
    }

    /// As [`Store::open`], with settings for a cloud store: of those of Azure and GCS only the retries count.
    ///
    /// # Errors
    /// As for [`Store::open`], and `Invalid` for settings that can't be used.
    pub fn open_with(url: &str, settings: &S3Settings) -> Result<Self> {
        let url = parse_url(url)?;
        let local = |objects: Arc<dyn ObjectStore>| (objects, TaskTracker::new());
        let (objects, uploads): (Arc<dyn ObjectStore>, TaskTracker) = match url.scheme() {
            "file" => {
                let folder =
                    url.to_file_path().map_err(|()| wrong_url(url.as_str(), "it is no local path"))?;
                if !folder.is_dir() && !folder.is_file() {
                    return Err(CatalogError::NotACatalog { url: url.to_string() });
                }
                let folder = DurableFolder::open(&folder);
                let doing = "opening it".to_owned();
                let url = url.to_string();
                local(Arc::new(folder.map_err(|source| CatalogError::Unavailable { url, doing, source })?))
            }
            "memory" => local(Arc::new(InMemory::new())),
            "s3" => cloud::s3(&url, settings, &cloud::Environment::of_process())?,
            "az" => cloud::azure(&url, settings)?,
            "gs" => cloud::google(&url, settings)?,
            other => return Err(wrong_url(url.as_str(), &format!("stores are {SCHEMES}, not {other}://"))),
        };
        Ok(Self { objects, url, uploads })
    }

    /// A store around objects that a test provides.
    #[cfg(test)]
    pub(crate) fn of(objects: Arc<dyn ObjectStore>, url: &str) -> Self {
        Self { objects, url: parse_url(url).unwrap(), uploads: TaskTracker::new() }
    }

    /// The same store with its requests going through another layer, such as one that fails on purpose.
    #[must_use]
    pub fn through(self, layer: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        Self { objects: layer(self.objects), url: self.url, uploads: self.uploads }
    }

    /// The objects, with paths from the store's root. Creation is atomic; on a local disk, what was written is synced.
    #[must_use]
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    /// Waits until each upload in parts is complete or given up, and begins none any more, as whoever ends the process
    /// does: the parts of one that is cut short stay in a cloud store, unseen and paid for.
    pub async fn uploads_end(&self) {
        self.uploads.close();
        self.uploads.wait().await;
    }

    /// Where the store is; holds no secrets.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Folder of the Delta table with a dataset's rows.
    #[must_use]
    pub fn data_path(&self, name: &DatasetName) -> Path {
        Path::from_iter(["data", name.schema(), name.name()])
    }

    /// Folder of the Delta table with a dataset's rejected rows.
    #[must_use]
    pub fn rejects_path(&self, name: &DatasetName) -> Path {
        Path::from_iter(["rejects", name.schema(), name.name()])
    }

    /// Folder of the Delta table with a rollup's rows.
    #[must_use]
    pub fn rollup_path(&self, dataset: &DatasetName, rollup: &RollupName) -> Path {
        Path::from_iter(["rollups", dataset.schema(), dataset.name(), rollup.as_str()])
    }

    /// Folder of the audit records.
    #[must_use]
    pub fn audit_path(&self) -> Path {
        Path::from("audit")
    }

    /// Whether a failed request has certainly ended: in this process or on this machine's disk.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.url.scheme(), "file" | "memory")
    }
}

const SCHEMES: &str =
    "file:///path, a plain path, s3://bucket/path, az://container/path, gs://bucket/path and memory://";

fn wrong_url(url: &str, reason: &str) -> CatalogError {
    CatalogError::invalid(format!("store `{url}`"), reason)
}

fn parse_url(text: &str) -> Result<Url> {
    if text.trim().is_empty() {
        return Err(wrong_url(text, &format!("it is empty; stores are {SCHEMES}")));
    }
    if !text.contains("://") {
        return folder_url(text);
    }
    // The text itself may hold a secret: it is not repeated.
    let url = Url::parse(text).map_err(|error| wrong_url("…", &format!("it is no URL: {error}")))?;
    let has_secret = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    if has_secret {
        return Err(wrong_url(
            "…",
            "leave user, password and ? out of it; credentials come from the environment",
        ));
    }
    if matches!(url.scheme(), "s3" | "az" | "gs") && url.host_str().is_none_or(str::is_empty) {
        return Err(wrong_url(text, &format!("it names no bucket; stores are {SCHEMES}")));
    }
    Ok(url)
}

fn folder_url(text: &str) -> Result<Url> {
    let path: PathBuf = std::path::absolute(FilePath::new(text))
        .map_err(|error| wrong_url(text, &format!("it is no usable path: {error}")))?;
    Url::from_directory_path(&path).map_err(|()| wrong_url(text, "it is no usable path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_understood_or_refused() {
        assert!(Store::open("memory://").is_ok());
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("新");
        assert!(matches!(Store::open(missing.to_str().unwrap()), Err(CatalogError::NotACatalog { .. })));
        assert!(!missing.exists());
        let store = Store::create(missing.to_str().unwrap()).unwrap();
        assert_eq!(store.url().scheme(), "file");
        for (wrong, says) in [
            ("", "empty"),
            ("ftp://host/x", "not ftp"),
            ("s3://", "names no bucket"),
            ("s3://key:secret@bucket/x", "environment"),
            ("az://c/x?sig=secret", "environment"),
        ] {
            let error = Store::open(wrong).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{wrong}: {error}");
        }
    }

    #[test]
    fn tables_have_their_folders() {
        let store = Store::open("memory://").unwrap();
        let name = "health.city".parse().unwrap();
        assert_eq!(store.data_path(&name).as_ref(), "data/health/city");
        assert_eq!(store.rejects_path(&name).as_ref(), "rejects/health/city");
        assert_eq!(store.audit_path().as_ref(), "audit");
    }
}
