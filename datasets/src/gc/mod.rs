//! Gc: removes what nothing refers to, and versions that the caller wants kept no longer.
//!
//! Order is all there is to its safety. The objects are listed before the catalog is read, so that what is published meanwhile
//! is known. Versions leave the catalog by a commit first; files go afterwards, and only those that no version refers to that
//! is left, published or young. A crash in between leaves orphans for the next run. A damaged store is left alone.

mod expire;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use basin_catalog::{Catalog, Change, ErrorClass, Expiry, LogCheck, Store, TableKind, Unfinished};
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};

pub use report::GcReport;

use crate::fsck::{Orphan, OrphanKind, Survey, look, orphans};
use crate::progress::{Progress, Stage};
use crate::table::DeltaTable;
use crate::{DatasetsError, Result};

/// Deletions at once.
const CONCURRENCY: usize = 16;

/// What is to be removed.
#[derive(Debug, Clone)]
pub struct GcRequest {
    /// Whether to remove it, or only to say what would be.
    pub apply: bool,
    /// How old an orphan, and how long superseded a version must be: longer than any pooling takes.
    pub grace: Duration,
    /// The newest versions of each dataset that are kept; none: all.
    pub keep_versions: Option<u64>,
    /// How long a version is kept that is not the newest any more; none: for ever.
    pub keep: Option<Duration>,
    /// Threads that look at files.
    pub threads: usize,
    /// Who makes the commit.
    pub author: String,
}

/// Removes orphans, and expired versions when asked.
///
/// # Errors
/// A refusal when the store is damaged; the catalog's and the store's own. Whatever was removed until then, nobody can read.
pub async fn gc(store: &Store, request: &GcRequest, progress: &Progress) -> Result<GcReport> {
    let started = Instant::now();
    let (objects, check) = look(store, progress).await?;
    refuse_damage(!check.damage.is_empty())?;
    let now = Utc::now();
    let expiry = expire::decide(&check, request, now);
    let mut survey = Survey::kept(store, &objects, &check, &by_folder(&check, &expiry)).await?;
    survey.check_files(store, false, request.threads, progress).await?;
    refuse_damage(!survey.damage.is_empty())?;
    let before = earlier(now, request.grace);
    let held = held(&survey, before);
    let found = orphans(store, &survey).await?;
    let goes = |orphan: &Orphan| {
        orphan.kind != OrphanKind::UnpublishedVersion
            && orphan.modified < before
            && !held.contains(&orphan.object)
    };
    let (removed, kept): (Vec<Orphan>, Vec<Orphan>) = found.into_iter().partition(goes);
    let expired = expire::told(&check, &expiry);
    let mut report = GcReport::new(store, request, (expired, removed, kept));
    if request.apply {
        report.snapshot = commit(store, expiry, &request.author).await?;
        supersede(store, &survey, &report.removed, before).await?;
        remove(store, &report.removed, progress).await?;
    }
    progress.enter(Stage::Done);
    report.elapsed_seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

fn refuse_damage(damaged: bool) -> Result<()> {
    if !damaged {
        return Ok(());
    }
    Err(DatasetsError::Upkeep {
        class: ErrorClass::Internal,
        reason: "the store is damaged: nothing is removed from it. See `basin fsck`, and repair it first"
            .to_owned(),
    })
}

/// The moment so long before another.
fn earlier(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    chrono::Duration::from_std(by)
        .ok()
        .and_then(|by| now.checked_sub_signed(by))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Rollups of a dataset expire with the versions that they are made of.
fn by_folder(check: &LogCheck, expiry: &Expiry) -> BTreeMap<Path, u64> {
    let tables = check.published.iter().filter(|(_, table)| table.kind != TableKind::Rejects);
    tables
        .filter_map(|(folder, table)| Some((folder.clone(), *expiry.kept_from.get(&table.dataset)?)))
        .collect()
}

/// The objects of unpublished versions that are young: a pooling may be about to publish them.
fn held(survey: &Survey, before: DateTime<Utc>) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for table in &survey.tables {
        let young = table.unpublished.iter().filter(|(version, _)| {
            let entry = table.objects.get(&format!("_delta_log/{version:020}.json"));
            entry.is_none_or(|entry| entry.last_modified >= before)
        });
        held.extend(young.flat_map(|(_, files)| files.keys().map(|path| format!("{}/{path}", table.folder))));
    }
    held
}

/// Versions leave the catalog before their files do.
async fn commit(store: &Store, expiry: Expiry, author: &str) -> Result<Option<u64>> {
    if expiry.kept_from.is_empty() {
        return Ok(None);
    }
    let catalog = Catalog::open(store.clone()).await?;
    let base = catalog.latest().await?;
    let made = catalog.commit(&base, author, vec![Change::Expire(expiry)]).await?;
    Ok(Some(made.id().0))
}

/// Readers of a Delta table other than Basin follow its newest version: where that is one that nobody published and whose
/// files go, another takes its place that holds what is published.
async fn supersede(store: &Store, survey: &Survey, removed: &[Orphan], before: DateTime<Utc>) -> Result<()> {
    for table in &survey.tables {
        let Some(last) = table.delta_versions().pop_last() else { continue };
        let Some(files) = table.unpublished.get(&last) else { continue };
        let entry = table.objects.get(&format!("_delta_log/{last:020}.json"));
        let is_old = entry.is_some_and(|entry| entry.last_modified < before);
        let of_it = |orphan: &Orphan| {
            let inside =
                orphan.object.strip_prefix(table.folder.as_ref()).and_then(|path| path.strip_prefix('/'));
            inside.is_some_and(|inside| files.contains_key(inside))
        };
        if is_old && removed.iter().any(of_it) {
            DeltaTable::open(&store.objects(), &table.folder)?.supersede(table.newest).await?;
        }
    }
    Ok(())
}

async fn remove(store: &Store, orphans: &[Orphan], progress: &Progress) -> Result<()> {
    progress.enter(Stage::Removing);
    progress.expect_bytes(orphans.iter().map(|orphan| orphan.bytes).sum());
    let work = orphans.iter().map(|orphan| async move {
        if orphan.kind == OrphanKind::Upload {
            let upload =
                Unfinished { name: orphan.object.clone(), bytes: orphan.bytes, modified: orphan.modified };
            store.remove_unfinished(&upload).await?;
        } else {
            delete(store, &orphan.object).await?;
        }
        progress.read_bytes(orphan.bytes);
        Ok::<(), DatasetsError>(())
    });
    stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn delete(store: &Store, object: &str) -> Result<()> {
    let failed = |source| DatasetsError::Store { action: format!("removing {object}"), source };
    let path = Path::parse(object).map_err(|source| failed(source.into()))?;
    match store.objects().delete(&path).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(source) => Err(failed(source)),
    }
}
