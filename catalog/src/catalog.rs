//! The catalog: reads snapshots from the log and adds commits to it. How one commit gets in is in `commit`.

mod commit;
mod copy;
mod verify;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use crate::as_of::AsOf;
use crate::change::Change;
use crate::error::{CatalogError, Result};
use crate::ids::{DatasetName, SnapshotId};
use crate::log::{Created, Entry, Log, corrupt_entry};
use crate::organisation::Node;
use crate::snapshot::Snapshot;
use crate::store::Store;
pub use copy::{check_copy, copy_log, holds_catalog};
pub use verify::{Finding, KeyCheck, LogCheck, PublishedTable, PublishedVersion, TableKind, verify_log};

/// Log entries that are read at once while catching up.
const READ_AHEAD: u64 = 16;
/// Older snapshots that are kept in memory.
const KEPT_SNAPSHOTS: usize = 64;

/// One commit, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// The snapshot it made.
    pub snapshot: SnapshotId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who made it.
    pub author: String,
    /// What it changed, a few words each.
    pub changes: Vec<String>,
    /// The datasets it touched, by name.
    pub datasets: Vec<DatasetName>,
}

/// An opened catalog. Clones share what was read.
#[derive(Debug, Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log: Log,
    latest: Mutex<Arc<Snapshot>>,
    /// When the store was last asked for something newer than `latest`, at the begin of asking.
    looked: Mutex<Option<Instant>>,
    older: Mutex<BTreeMap<SnapshotId, Arc<Snapshot>>>,
    /// Commits of this process wait for each other here instead of colliding in the store.
    committing: tokio::sync::Mutex<()>,
}

impl Catalog {
    /// Makes the catalog of a node; opens the one that exists already.
    ///
    /// # Errors
    /// As `open`; `Invalid` for a node without a name.
    pub async fn create(store: Store, node: Node) -> Result<Self> {
        match Self::open(store.clone()).await {
            Err(CatalogError::NotACatalog { .. }) => {}
            opened => return opened,
        }
        let log = Log::new(store.clone());
        let entry = Entry::new(Utc::now(), "basin", vec![Change::PutNode(node)]);
        Snapshot::genesis(&entry)?;
        match log.create_entry(0, &entry).await? {
            Created::Yes | Created::ThereAlready => Self::open(store).await,
            // When the reply was lost, the catalog is there.
            Created::Failed(error) => match Self::open(store).await {
                Err(CatalogError::NotACatalog { .. }) => Err(log.unavailable("making the catalog", error)),
                opened => opened,
            },
        }
    }

    /// Opens a catalog at its newest snapshot.
    ///
    /// # Errors
    /// `NotACatalog` when the store has none, `Unavailable` when it can't be read, `Corrupt` when an entry is damaged.
    pub async fn open(store: Store) -> Result<Self> {
        let log = Log::new(store);
        let newest = newest_checkpoint(&log, u64::MAX).await?;
        let start = match newest {
            Some(snapshot) => snapshot,
            None => match log.entry(0).await? {
                Some(entry) => first(&entry)?,
                None if log.newest_listed(None).await?.is_none() => {
                    return Err(CatalogError::NotACatalog { url: log.store().url().to_string() });
                }
                None => return Err(corrupt_entry(0, "the log's first entry is missing")),
            },
        };
        let listed = log.newest_listed(Some(start.id().0)).await?.unwrap_or_default();
        let latest = catch_up(&log, start, u64::MAX).await?;
        // A listed entry that was not reached means that one before it is missing: never serve fewer commits than there are.
        if latest.id().0 < listed {
            return Err(corrupt_entry(
                latest.id().0 + 1,
                format!("it is missing, but entry {listed} is there"),
            ));
        }
        let shared = Shared {
            log,
            latest: Mutex::new(Arc::new(latest)),
            looked: Mutex::default(),
            older: Mutex::default(),
            committing: tokio::sync::Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The store it is in.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.shared.log.store()
    }

    /// The newest snapshot; one small request to the store when nothing is new.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    pub async fn latest(&self) -> Result<Arc<Snapshot>> {
        let (began, known) = (Instant::now(), self.known());
        let newest = match self.shared.log.entry(known.id().0 + 1).await? {
            None => known,
            Some(entry) => {
                let next = following(&known, &entry)?;
                self.install(Arc::new(catch_up(&self.shared.log, next, u64::MAX).await?))
            }
        };
        let mut looked = self.looked();
        *looked = (*looked).max(Some(began));
        Ok(newest)
    }

    /// A snapshot that was the newest at `moment` or later. The store is asked only when nobody asked it since.
    ///
    /// # Errors
    /// As [`Catalog::latest`].
    pub async fn latest_since(&self, moment: Instant) -> Result<Arc<Snapshot>> {
        let known = (*self.looked() >= Some(moment)).then(|| self.known());
        match known {
            Some(known) => Ok(known),
            None => self.latest().await,
        }
    }

    /// One snapshot by number.
    ///
    /// # Errors
    /// `NotFound` when there is none of that number; `Unavailable` or `Corrupt`.
    pub async fn snapshot(&self, id: SnapshotId) -> Result<Arc<Snapshot>> {
        let mut known = self.known();
        if id > known.id() {
            known = self.latest().await?;
        }
        if id == known.id() {
            return Ok(known);
        }
        if id > known.id() {
            let hint = format!("; the newest is {}", known.id());
            return Err(CatalogError::NotFound { kind: "snapshot", name: id.to_string(), hint });
        }
        if let Some(kept) = self.kept().get(&id) {
            return Ok(Arc::clone(kept));
        }
        let log = &self.shared.log;
        let start = match newest_checkpoint(log, id.0).await? {
            Some(snapshot) => snapshot,
            None => first(&self.entry(0).await?)?,
        };
        let snapshot = Arc::new(catch_up(log, start, id.0).await?);
        if snapshot.id() != id {
            return Err(corrupt_entry(snapshot.id().0 + 1, "it is missing"));
        }
        self.keep(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The snapshot that is asked for.
    ///
    /// # Errors
    /// `NotFound` when the catalog is younger, or has no snapshot of that number; `Unavailable` or `Corrupt`.
    pub async fn as_of(&self, as_of: &AsOf) -> Result<Arc<Snapshot>> {
        match as_of {
            AsOf::Latest => self.latest().await,
            AsOf::Snapshot(id) => self.snapshot(*id).await,
            AsOf::At(at) => self.at(*at).await,
        }
    }

    async fn at(&self, at: DateTime<Utc>) -> Result<Arc<Snapshot>> {
        let latest = self.latest().await?;
        if latest.committed_at() <= at {
            return Ok(latest);
        }
        let first = self.entry(0).await?.at;
        if at < first {
            let hint = format!("; the catalog begins at {}", first.to_rfc3339());
            return Err(CatalogError::NotFound { kind: "snapshot of", name: at.to_rfc3339(), hint });
        }
        // Commit times never go back: search between one that is early enough and one that is too late.
        let (mut early, mut late) = (0, latest.id().0);
        while late - early > 1 {
            let middle = early + (late - early) / 2;
            if self.entry(middle).await?.at <= at { early = middle } else { late = middle }
        }
        self.snapshot(SnapshotId(early)).await
    }

    /// The newest commits, newest first.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    pub async fn history(&self, limit: usize) -> Result<Vec<CommitSummary>> {
        let latest = self.latest().await?.id().0;
        stream::iter((0..=latest).rev().take(limit))
            .map(|version| async move { Ok(summary(version, &self.entry(version).await?)) })
            .buffered(usize::try_from(READ_AHEAD).unwrap_or(1))
            .try_collect()
            .await
    }

    /// The key that tickets and tokens are sealed with: the same for every process on this store; made at the first call.
    ///
    /// # Errors
    /// `Unavailable`, or `Corrupt` when it has a wrong length.
    pub async fn seal_key(&self) -> Result<[u8; 32]> {
        self.shared.log.seal_key().await
    }

    /// The key that masks hash values with: equal values stay equal for as long as it stays; made at the first call.
    ///
    /// # Errors
    /// As [`Catalog::seal_key`].
    pub async fn mask_key(&self) -> Result<[u8; 32]> {
        self.shared.log.mask_key().await
    }

    async fn entry(&self, version: u64) -> Result<Entry> {
        let missing = || corrupt_entry(version, "it is missing");
        self.shared.log.entry(version).await?.ok_or_else(missing)
    }

    fn looked(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.shared.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers a snapshot as the newest, unless a newer one is known; gives the newest.
    fn install(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let mut latest = self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if snapshot.id() > latest.id() {
            let before = std::mem::replace(&mut *latest, snapshot);
            self.keep(before);
        }
        Arc::clone(&latest)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<SnapshotId, Arc<Snapshot>>> {
        self.shared.older.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, snapshot: Arc<Snapshot>) {
        let mut kept = self.kept();
        kept.insert(snapshot.id(), snapshot);
        if kept.len() > KEPT_SNAPSHOTS {
            kept.pop_first();
        }
    }
}

/// The newest readable checkpoint up to a version.
async fn newest_checkpoint(log: &Log, up_to: u64) -> Result<Option<Snapshot>> {
    for version in log.checkpoints().await?.into_iter().filter(|version| *version <= up_to) {
        match log.checkpoint(version).await {
            Ok(snapshot) => return Ok(Some(snapshot)),
            // The log says the same, only slower.
            Err(CatalogError::Corrupt { path, source }) => {
                tracing::warn!(%path, %source, "unreadable checkpoint, reading the log instead");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Adds the log's entries after a snapshot, up to a version or the log's end.
async fn catch_up(log: &Log, start: Snapshot, up_to: u64) -> Result<Snapshot> {
    let mut snapshot = start;
    loop {
        let next = snapshot.id().0 + 1;
        let last = up_to.min(next.saturating_add(READ_AHEAD - 1));
        let entries: Vec<Option<Entry>> = stream::iter(next..=last)
            .map(|version| log.entry(version))
            .buffered(usize::try_from(READ_AHEAD).unwrap_or(1))
            .try_collect()
            .await?;
        let wanted = entries.len();
        let mut added = 0;
        for entry in entries.into_iter().map_while(|entry| entry) {
            snapshot = following(&snapshot, &entry)?;
            added += 1;
        }
        if added < wanted || wanted == 0 {
            return Ok(snapshot);
        }
    }
}

fn first(entry: &Entry) -> Result<Snapshot> {
    Snapshot::genesis(entry).map_err(|error| corrupt_entry(0, error))
}

fn following(snapshot: &Snapshot, entry: &Entry) -> Result<Snapshot> {
    snapshot.next(entry).map_err(|error| corrupt_entry(snapshot.id().0 + 1, error))
}

fn summary(version: u64, entry: &Entry) -> CommitSummary {
    let mut datasets: Vec<DatasetName> = entry.changes.iter().filter_map(Change::dataset).cloned().collect();
    datasets.sort();
    datasets.dedup();
    CommitSummary {
        snapshot: SnapshotId(version),
        at: entry.at,
        author: entry.author.clone(),
        changes: entry.changes.iter().map(Change::summary).collect(),
        datasets,
    }
}

#[cfg(test)]
mod tests;
