//! Verify: whether the log is whole and its checkpoints say the same, and which table versions it ever published. It changes
//! nothing, and needs no catalog that opens.

mod published;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use object_store::path::Path;
use serde::Serialize;

use super::READ_AHEAD;
use crate::error::{CatalogError, Result};
use crate::log::{KEYS, Log, checkpoint_path, entry_path};
use crate::snapshot::Snapshot;
use crate::store::Store;
pub use published::{PublishedTable, PublishedVersion, TableKind};

/// Something that is wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The object or the folder, below the store's root.
    pub object: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub todo: String,
}

impl Finding {
    /// Describes damage.
    pub fn new(object: impl ToString, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { object: object.to_string(), what: what.into(), todo: todo.into() }
    }
}

/// Whether a key of the catalog is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyCheck {
    /// Its name.
    pub name: &'static str,
    /// False: none was made yet, or it was lost; the two look alike.
    pub present: bool,
}

/// What a look at the whole log found.
#[derive(Debug, Clone, Default)]
pub struct LogCheck {
    /// Entries that follow each other from the first.
    pub entries: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// The keys.
    pub keys: Vec<KeyCheck>,
    /// What is wrong.
    pub damage: Vec<Finding>,
    /// The snapshot that the entries make; none when there is not even a first.
    pub newest: Option<Arc<Snapshot>>,
    /// The tables by their folders, those of dropped datasets too: earlier states name them.
    pub published: BTreeMap<Path, PublishedTable>,
}

const RESTORE: &str = "put it back from a backup (basin restore) or a copy of the store";

/// Reads the whole log of a store, or its part up to a version.
///
/// # Errors
/// `NotACatalog` when there is none, `Unavailable` when the store can't be read. Damage is a finding, not an error.
pub async fn verify_log(store: &Store, up_to: Option<u64>) -> Result<LogCheck> {
    let log = Log::new(store.clone());
    let Some(listed) = log.newest_listed(None).await? else {
        return Err(CatalogError::NotACatalog { url: store.url().to_string() });
    };
    let last = up_to.map_or(listed, |up_to| up_to.min(listed));
    let mut checkpoints: BTreeSet<u64> = log
        .checkpoints()
        .await?
        .into_iter()
        .filter(|version| up_to.is_none_or(|up_to| *version <= up_to))
        .collect();
    let mut check = LogCheck::default();
    check.look_at_keys(&log).await?;
    let reads = stream::iter(0..=last).map(|version| log.entry(version));
    let mut entries = reads.buffered(usize::try_from(READ_AHEAD).unwrap_or(1));
    while let Some(entry) = entries.next().await {
        let version = check.entries;
        let Some(entry) = found(entry, &mut check.damage)? else {
            if check.damage.iter().all(|finding| finding.object != entry_path(version).as_ref()) {
                let what = format!("it is missing, but entry {listed} is there");
                check.damage.push(Finding::new(entry_path(version), what, RESTORE));
            }
            return Ok(check);
        };
        let next = match &check.newest {
            None => Snapshot::genesis(&entry),
            Some(before) => before.next(&entry),
        };
        let next = match next {
            Ok(next) => Arc::new(next),
            Err(error) => {
                let what = format!("it does not follow the entries before it: {error}");
                check.damage.push(Finding::new(entry_path(version), what, RESTORE));
                return Ok(check);
            }
        };
        check.entries += 1;
        published::note(&mut check.published, store, &entry, &next);
        if checkpoints.remove(&version) {
            check.compare(&log, &next).await?;
        }
        check.newest = Some(next);
    }
    for version in checkpoints {
        let what = format!("it is of a snapshot that the log does not have; the newest is {last}");
        check.damage.push(Finding::new(checkpoint_path(version), what, RESTORE));
    }
    Ok(check)
}

/// Damage is a finding; a store that fails is an error.
fn found<T>(read: Result<Option<T>>, damage: &mut Vec<Finding>) -> Result<Option<T>> {
    match read {
        Err(CatalogError::Corrupt { path, source }) => {
            damage.push(Finding::new(path, format!("it can't be read: {source}"), RESTORE));
            Ok(None)
        }
        other => other,
    }
}

impl LogCheck {
    async fn look_at_keys(&mut self, log: &Log) -> Result<()> {
        for (name, path) in KEYS {
            let key = found(log.kept_key(path).await, &mut self.damage)?;
            self.keys.push(KeyCheck { name, present: key.is_some() });
        }
        Ok(())
    }

    async fn compare(&mut self, log: &Log, replayed: &Snapshot) -> Result<()> {
        let version = replayed.id().0;
        let before = self.damage.len();
        let kept = found(log.checkpoint(version).await.map(Some), &mut self.damage)?;
        // Without a checkpoint Basin reads the entries before it, which are whole.
        let todo = "delete it: the log says the same, and is right";
        self.damage.iter_mut().skip(before).for_each(|finding| todo.clone_into(&mut finding.todo));
        let Some(kept) = kept else { return Ok(()) };
        self.checkpoints += 1;
        if kept != *replayed {
            self.damage.push(Finding::new(
                checkpoint_path(version),
                "it does not say what the log's entries say",
                todo,
            ));
        }
        Ok(())
    }

    /// The published versions of a table that can still be read, by the number of the Delta version, with what `kept_from`
    /// says in place of the newest snapshot.
    #[must_use]
    pub fn readable<'a>(
        &self,
        table: &'a PublishedTable,
        kept_from: Option<u64>,
    ) -> BTreeMap<u64, &'a PublishedVersion> {
        let from = kept_from.or_else(|| self.newest.as_ref()?.kept_from(&table.dataset)).unwrap_or_default();
        let is_named = |version: &PublishedVersion| version.superseded_at.is_none();
        let stays = |version: &PublishedVersion| match table.kind {
            TableKind::Rejects => true,
            TableKind::Data => version.table_version >= from,
            TableKind::Rollup => version.of_table_version >= from || is_named(version),
        };
        let kept = table.versions.values().filter(|version| stays(version));
        kept.map(|version| (version.table_version, version)).collect()
    }
}
