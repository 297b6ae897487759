//! The catalog's objects in the store: log entries, checkpoints, the sealing key.
//!
//! It reads and writes them, and tells "there already" and "not there" from failures. What a commit means is in `catalog`.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::change::Change;
use crate::error::{CatalogError, Result};
use crate::snapshot::Snapshot;
use crate::store::Store;

const LOG: &str = "catalog/log";
const CHECKPOINTS: &str = "catalog/checkpoint";
/// The keys, by name.
pub(crate) const KEYS: [(&str, &str); 2] = [("seal", SEAL_KEY), ("mask", MASK_KEY)];
const SEAL_KEY: &str = "catalog/keys/seal";
const MASK_KEY: &str = "catalog/keys/mask";
/// The form of log entries and checkpoints that this version writes.
const FORMAT: u32 = 1;
/// zstd's own default: checkpoints are small and written rarely.
const ZSTD_LEVEL: i32 = 3;

/// One commit as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: Uuid,
    pub(crate) at: DateTime<Utc>,
    pub(crate) author: String,
    format: u32,
    pub(crate) changes: Vec<Change>,
}

impl Entry {
    pub(crate) fn new(at: DateTime<Utc>, author: &str, changes: Vec<Change>) -> Self {
        Self { id: Uuid::now_v7(), at, author: author.to_owned(), format: FORMAT, changes }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    format: u32,
    snapshot: Snapshot,
}

/// What became of a creation.
#[derive(Debug)]
pub(crate) enum Created {
    /// It was made.
    Yes,
    /// There was one already, perhaps from an earlier attempt of the same request.
    ThereAlready,
    /// The request failed; it may have been carried out.
    Failed(Error),
}

/// The catalog's part of a store.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    store: Store,
    objects: Arc<dyn ObjectStore>,
}

impl Log {
    pub(crate) fn new(store: Store) -> Self {
        let objects = store.objects();
        Self { store, objects }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn unavailable(&self, doing: impl Into<String>, source: Error) -> CatalogError {
        CatalogError::Unavailable { url: self.store.url().to_string(), doing: doing.into(), source }
    }

    /// One commit; none when it was not made yet.
    pub(crate) async fn entry(&self, version: u64) -> Result<Option<Entry>> {
        let path = entry_path(version);
        let Some(bytes) = self.read(&path).await? else { return Ok(None) };
        let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| corrupt(&path, error))?;
        check_format(&path, entry.format)?;
        Ok(Some(entry))
    }

    /// Writes a commit when there is none of its version.
    pub(crate) async fn create_entry(&self, version: u64, entry: &Entry) -> Result<Created> {
        let path = entry_path(version);
        let json = serde_json::to_vec(entry).map_err(|error| corrupt(&path, error))?;
        Ok(self.create(&path, json.into()).await)
    }

    /// The newest version that the log lists, none for an empty log. `after` is a version that is known to exist.
    pub(crate) async fn newest_listed(&self, after: Option<u64>) -> Result<Option<u64>> {
        let folder = Path::from(LOG);
        let listing = match after {
            Some(version) => self.objects.list_with_offset(Some(&folder), &entry_path(version)),
            None => self.objects.list(Some(&folder)),
        };
        let listed: Vec<_> = listing
            .try_filter_map(|meta| async move { Ok(version_of(&meta.location, ".json")) })
            .try_collect()
            .await
            .map_err(|error| self.unavailable("listing the catalog's log", error))?;
        Ok(listed.into_iter().max().or(after))
    }

    /// The versions that have a checkpoint, newest first.
    pub(crate) async fn checkpoints(&self) -> Result<Vec<u64>> {
        let mut versions: Vec<u64> = self
            .objects
            .list(Some(&Path::from(CHECKPOINTS)))
            .try_filter_map(|meta| async move { Ok(version_of(&meta.location, ".json.zst")) })
            .try_collect()
            .await
            .map_err(|error| self.unavailable("listing the catalog's checkpoints", error))?;
        versions.sort_unstable_by(|a, b| b.cmp(a));
        Ok(versions)
    }

    pub(crate) async fn checkpoint(&self, version: u64) -> Result<Snapshot> {
        let path = checkpoint_path(version);
        let missing = || corrupt(&path, "it has gone since it was listed");
        let bytes = self.read(&path).await?.ok_or_else(missing)?;
        let decode = move || -> std::io::Result<Checkpoint> {
            Ok(serde_json::from_reader(zstd::Decoder::new(bytes.as_ref())?)?)
        };
        let decoded = tokio::task::spawn_blocking(decode).await.map_err(|error| corrupt(&path, error))?;
        let checkpoint = decoded.map_err(|error| corrupt(&path, error))?;
        check_format(&path, checkpoint.format)?;
        if checkpoint.snapshot.id().0 != version {
            return Err(corrupt(&path, format!("it holds snapshot {}", checkpoint.snapshot.id())));
        }
        Ok(checkpoint.snapshot)
    }

    /// Writes a checkpoint; the catalog is complete without it.
    pub(crate) async fn write_checkpoint(&self, snapshot: &Arc<Snapshot>) -> Result<()> {
        let path = checkpoint_path(snapshot.id().0);
        let snapshot = Snapshot::clone(snapshot);
        let encode = move || -> std::io::Result<Vec<u8>> {
            let json = serde_json::to_vec(&Checkpoint { format: FORMAT, snapshot })?;
            zstd::encode_all(json.as_slice(), ZSTD_LEVEL)
        };
        let encoded = tokio::task::spawn_blocking(encode).await.map_err(|error| corrupt(&path, error))?;
        let bytes = encoded.map_err(|error| corrupt(&path, error))?;
        self.objects
            .put(&path, bytes.into())
            .await
            .map(drop)
            .map_err(|error| self.unavailable("writing a checkpoint of the catalog", error))
    }

    /// The sealing key, made when there is none.
    pub(crate) async fn seal_key(&self) -> Result<[u8; 32]> {
        self.key(Path::from(SEAL_KEY)).await
    }

    /// The key of masks that hash, made when there is none.
    pub(crate) async fn mask_key(&self) -> Result<[u8; 32]> {
        self.key(Path::from(MASK_KEY)).await
    }

    /// A key that is there; none when it was not made yet.
    pub(crate) async fn kept_key(&self, path: &str) -> Result<Option<[u8; 32]>> {
        let path = Path::from(path);
        self.read(&path).await?.map(|bytes| key(&path, &bytes)).transpose()
    }

    /// An object as it is; none when it is not there.
    pub(crate) async fn raw(&self, path: &Path) -> Result<Option<Bytes>> {
        self.read(path).await
    }

    async fn key(&self, path: Path) -> Result<[u8; 32]> {
        if let Some(bytes) = self.read(&path).await? {
            return key(&path, &bytes);
        }
        let fresh: [u8; 32] = rand::random();
        let created = self.create(&path, Bytes::copy_from_slice(&fresh).into()).await;
        // Whoever made it, and whether or not the reply arrived: the key is what is there now.
        match (self.read(&path).await?, created) {
            (Some(bytes), _) => key(&path, &bytes),
            (None, Created::Failed(error)) => Err(self.unavailable("making a key", error)),
            (None, Created::Yes | Created::ThereAlready) => {
                Err(corrupt(&path, "it was removed while it was made"))
            }
        }
    }

    /// Makes an object when there is none.
    pub(crate) async fn create(&self, path: &Path, payload: PutPayload) -> Created {
        match self.objects.put_opts(path, payload, PutOptions::from(PutMode::Create)).await {
            Ok(_) => Created::Yes,
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Created::ThereAlready,
            Err(error) => Created::Failed(error),
        }
    }

    async fn read(&self, path: &Path) -> Result<Option<Bytes>> {
        let read = async { self.objects.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.unavailable(format!("reading {path}"), error)),
        }
    }
}

pub(crate) fn entry_path(version: u64) -> Path {
    Path::from(format!("{LOG}/{version:020}.json"))
}

pub(crate) fn checkpoint_path(version: u64) -> Path {
    Path::from(format!("{CHECKPOINTS}/{version:020}.json.zst"))
}

fn version_of(path: &Path, suffix: &str) -> Option<u64> {
    let digits = path.filename()?.strip_suffix(suffix)?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

pub(crate) fn corrupt(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> CatalogError {
    CatalogError::Corrupt { path: path.to_string(), source: source.into() }
}

/// The damage of a log whose entries don't follow each other.
pub(crate) fn corrupt_entry(
    version: u64,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> CatalogError {
    corrupt(&entry_path(version), source)
}

fn check_format(path: &Path, format: u32) -> Result<()> {
    if format == FORMAT {
        return Ok(());
    }
    Err(corrupt(path, format!("it has format {format} and this Basin reads {FORMAT}; use a newer Basin")))
}

fn key(path: &Path, bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| corrupt(path, format!("it has {} bytes instead of 32", bytes.len())))
}
