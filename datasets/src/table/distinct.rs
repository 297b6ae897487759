//! A version's distinct-value estimates: the union of the sketches of its files.
//!
//! The union itself is kept beside the table for the next version, so that adding files to many does not read
//! them all again; it is only a shortcut, and a version that took files away is counted from its files. Estimates
//! are never a reason to refuse a publication: what can't be read leaves a version without them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::sketch::Sketches;
use super::{FileSet, TableFile};
use crate::{DatasetsError, Result};

/// Files read at once.
const CONCURRENCY: usize = 16;
/// Folder of the unions inside the table's; readers of Delta tables pass over names that begin like this.
const FOLDER: &str = "_distinct";

/// A version of a table with its files; of an earlier one those that may stay, none when none does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published<'a> {
    pub(crate) table_version: u64,
    pub(crate) files: &'a FileSet,
}

/// Estimates the distinct values of a new version by column. Nothing when one of its files has no sketches.
pub(crate) async fn distinct_counts(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    base: Option<Published<'_>>,
    new: Published<'_>,
) -> BTreeMap<String, u64> {
    if new.files.values().any(|file| file.counts.is_none()) {
        return BTreeMap::new();
    }
    let base = base.filter(|base| base.table_version < new.table_version);
    match count(store, folder, base, new).await {
        Ok(union) => union.estimates(),
        Err(error) => {
            tracing::warn!(%folder, %error, "distinct values not estimated");
            BTreeMap::new()
        }
    }
}

async fn count(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    base: Option<Published<'_>>,
    new: Published<'_>,
) -> Result<Sketches> {
    let grown = base
        .filter(|base| !base.files.is_empty() && base.files.keys().all(|path| new.files.contains_key(path)));
    let kept = match grown {
        Some(base) => read_union(store, folder, base.table_version).await?.map(|union| (union, base.files)),
        None => None,
    };
    let (mut union, counted) = match kept {
        Some((union, files)) => (union, Some(files)),
        None => (Sketches::default(), None),
    };
    let rest: Vec<&TableFile> = new
        .files
        .iter()
        .filter(|(path, _)| counted.is_none_or(|files| !files.contains_key(*path)))
        .map(|(_, file)| file)
        .collect();
    let reads: Vec<_> = rest.into_iter().map(|file| read_file(store, folder, file)).collect();
    let mut reads = stream::iter(reads).buffer_unordered(CONCURRENCY);
    while let Some(sketches) = reads.try_next().await? {
        union.merge(sketches)?;
    }
    keep_union(store, folder, base, new.table_version, &union).await;
    Ok(union)
}

async fn read_file(store: &Arc<dyn ObjectStore>, folder: &Path, file: &TableFile) -> Result<Sketches> {
    let counts =
        file.counts.ok_or_else(|| DatasetsError::internal(format!("{} has no sketches", file.path)))?;
    let path = Path::parse(format!("{folder}/{}", file.path))
        .map_err(|source| failed(&file.path, object_store::Error::from(source)))?;
    let range = counts.offset..counts.offset.saturating_add(counts.bytes);
    let bytes = store.get_range(&path, range).await.map_err(|source| failed(&file.path, source))?;
    Sketches::decode(&bytes)
}

fn union_path(folder: &Path, version: u64) -> Path {
    folder.clone().join(FOLDER).join(format!("{version:020}.bin"))
}

/// The union of an earlier version; none when it was not kept.
async fn read_union(store: &Arc<dyn ObjectStore>, folder: &Path, version: u64) -> Result<Option<Sketches>> {
    let path = union_path(folder, version);
    let bytes = match store.get(&path).await {
        Ok(found) => found.bytes().await.map_err(|source| failed(path.as_ref(), source))?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(source) => return Err(failed(path.as_ref(), source)),
    };
    Sketches::decode(&bytes).map(Some)
}

/// Keeps the union for the next version, and lets go of the one that it takes the place of.
async fn keep_union(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    base: Option<Published<'_>>,
    version: u64,
    union: &Sketches,
) {
    let path = union_path(folder, version);
    if let Err(error) = store.put(&path, union.encode().into()).await {
        tracing::warn!(%path, %error, "union of sketches not kept");
        return;
    }
    if let Some(base) = base {
        let path = union_path(folder, base.table_version);
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!(%path, %error, "earlier union of sketches not deleted"),
        }
    }
}

fn failed(what: &str, source: object_store::Error) -> DatasetsError {
    DatasetsError::Store { action: format!("reading the sketches of {what}"), source }
}
