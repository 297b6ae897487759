//! One data file against what the Delta log says of it: there, of its size, with a footer that fits; deep: every page.

use std::hash::Hasher;
use std::sync::Arc;

use basin_catalog::Finding;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::file::metadata::ParquetMetaData;
use twox_hash::XxHash64;

use super::told;
use crate::table::{TableFile, batches, footer};
use crate::{DatasetsError, Result};

const RESTORE: &str = "put it back from a backup (basin restore) or a copy of the store, or deliver its rows again: \
                       queries that need it fail until then";

/// Says that a file is damaged.
pub(super) fn damaged(object: impl ToString, what: impl Into<String>) -> Finding {
    Finding::new(object, what, RESTORE)
}

/// Checks a file; `listed` is the size that the listing told, none when it had no such file.
///
/// # Errors
/// A store that does not answer: that is no damage.
pub(super) async fn check(
    store: &Arc<dyn ObjectStore>,
    (folder, file): (&Path, &TableFile),
    listed: Option<u64>,
    deep: bool,
) -> Result<Option<Finding>> {
    let object = format!("{folder}/{}", file.path);
    let damage = |what: String| Ok(Some(damaged(&object, what)));
    let size = match listed {
        Some(size) => size,
        // It may be younger than the listing.
        None => match store.head(&path(&object)?).await {
            Ok(found) => found.size,
            Err(object_store::Error::NotFound { .. }) => return damage("it is missing".to_owned()),
            Err(source) => return Err(failed(&object, source)),
        },
    };
    if size != file.size_bytes {
        return damage(format!("it has {size} bytes instead of {}", file.size_bytes));
    }
    let footer = match footer(store, folder, file).await {
        Ok(footer) => footer,
        Err(error) => return unreadable(&object, "its footer can't be read", error),
    };
    if let Some(what) = wrong_footer(&footer, file) {
        return damage(what);
    }
    if !deep {
        return Ok(None);
    }
    if let Some(what) = wrong_bytes(store, &object, file).await? {
        return damage(what);
    }
    match decode(store, folder, file).await {
        Ok(rows) if rows == file.rows => Ok(None),
        Ok(rows) => damage(format!("its pages hold {rows} rows instead of {}", file.rows)),
        Err(error) => unreadable(&object, "its pages can't be read", error),
    }
}

/// Tells damage from a store that does not answer.
fn unreadable(object: &str, what: &str, error: DatasetsError) -> Result<Option<Finding>> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(step) = cause {
        if let Some(store) = step.downcast_ref::<object_store::Error>()
            && !matches!(store, object_store::Error::NotFound { .. })
        {
            return Err(error);
        }
        cause = step.source();
    }
    Ok(Some(damaged(object, format!("{what}: {}", told(&error)))))
}

fn wrong_footer(footer: &ParquetMetaData, file: &TableFile) -> Option<String> {
    let rows = footer.file_metadata().num_rows().unsigned_abs();
    let grouped: u64 = footer.row_groups().iter().map(|group| group.num_rows().unsigned_abs()).sum();
    if rows != file.rows || grouped != file.rows {
        return Some(format!(
            "its footer says {rows} rows ({grouped} in row groups) instead of {}",
            file.rows
        ));
    }
    None
}

/// Holds the bytes against the checksum that was taken when they were written. Decoding alone would pass over a changed value.
async fn wrong_bytes(store: &Arc<dyn ObjectStore>, object: &str, file: &TableFile) -> Result<Option<String>> {
    let Some(expected) = file.checksum else { return Ok(None) };
    let found = store.get(&path(object)?).await.map_err(|source| failed(object, source))?;
    let (mut chunks, mut hash) = (found.into_stream(), XxHash64::default());
    while let Some(chunk) = chunks.try_next().await.map_err(|source| failed(object, source))? {
        hash.write(&chunk);
    }
    Ok((hash.finish() != expected).then(|| "its bytes are not those that were written (checksum)".to_owned()))
}

async fn decode(store: &Arc<dyn ObjectStore>, folder: &Path, file: &TableFile) -> Result<u64> {
    let mut read = batches(store, folder, file, None).await?;
    let mut rows = 0;
    while let Some(batch) = read.try_next().await? {
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}

fn path(object: &str) -> Result<Path> {
    Path::parse(object).map_err(|source| failed(object, source.into()))
}

fn failed(object: &str, source: object_store::Error) -> DatasetsError {
    DatasetsError::Store { action: format!("looking for {object}"), source }
}
