//! Copying a catalog into another store, after what it refers to: its log up to a version, its keys, its newest checkpoint.

use std::sync::Arc;

use object_store::path::Path;

use super::newest_checkpoint;
use crate::error::{CatalogError, Result};
use crate::log::{Created, KEYS, Log, corrupt, entry_path};
use crate::store::Store;

/// Whether a store holds a catalog, sound or not. A copy that did not get to its end is none.
///
/// # Errors
/// `Unavailable`.
pub async fn holds_catalog(store: &Store) -> Result<bool> {
    let log = Log::new(store.clone());
    Ok(log.raw(&entry_path(0)).await?.is_some() || !log.checkpoints().await?.is_empty())
}

/// Checks that a store holds no catalog, or an earlier state of the same one.
///
/// # Errors
/// `Invalid` when it holds another; `Unavailable`.
pub async fn check_copy(from: &Store, to: &Store, version: u64) -> Result<()> {
    let (source, target) = (Log::new(from.clone()), Log::new(to.clone()));
    let mut objects: Vec<Path> = KEYS.iter().map(|(_, path)| Path::from(*path)).collect();
    if let Some(newest) = target.newest_listed(None).await? {
        objects.extend([entry_path(0), entry_path(newest.min(version))]);
    }
    for path in objects {
        if let Some(there) = target.raw(&path).await?
            && source.raw(&path).await?.is_none_or(|here| here != there)
        {
            return Err(other(to, &path));
        }
    }
    Ok(())
}

/// Copies the catalog up to a version, without what is there already; gives the number of objects.
///
/// The first entry comes last where there is none yet: until then nobody takes the copy for a catalog.
///
/// # Errors
/// As [`check_copy`]; `Corrupt` when an entry is missing.
pub async fn copy_log(from: &Store, to: &Store, version: u64) -> Result<u64> {
    check_copy(from, to, version).await?;
    let (source, target) = (Log::new(from.clone()), Log::new(to.clone()));
    let mut copied = 0;
    for (_, path) in KEYS {
        copied += copy(&source, &target, Path::from(path), false).await?;
    }
    let whole = target.raw(&entry_path(0)).await?.is_some();
    let mut versions: Vec<u64> = (0..=version).collect();
    if whole {
        let there = target.newest_listed(None).await?.unwrap_or_default();
        versions.retain(|version| *version > there);
    } else {
        versions.reverse();
    }
    for version in versions {
        copied += copy(&source, &target, entry_path(version), true).await?;
    }
    // Only a shortcut: it may be of an earlier snapshot.
    if let Some(checkpoint) = newest_checkpoint(&source, version).await? {
        target.write_checkpoint(&Arc::new(checkpoint)).await?;
        copied += 1;
    }
    Ok(copied)
}

async fn copy(source: &Log, target: &Log, path: Path, required: bool) -> Result<u64> {
    let bytes = match source.raw(&path).await? {
        Some(bytes) => bytes,
        None if required => return Err(corrupt(&path, "it is missing")),
        None => return Ok(0),
    };
    match target.create(&path, bytes.clone().into()).await {
        Created::Yes => Ok(1),
        Created::ThereAlready if target.raw(&path).await?.as_ref() == Some(&bytes) => Ok(0),
        Created::ThereAlready => Err(other(target.store(), &path)),
        Created::Failed(error) => Err(target.unavailable(format!("writing {path}"), error)),
    }
}

fn other(to: &Store, path: &Path) -> CatalogError {
    let reason = format!("it holds another catalog (its {path} is another); name an empty place");
    CatalogError::invalid(format!("store {}", to.url()), reason)
}
