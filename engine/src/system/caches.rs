//! `basin.caches`: one row a cache of this server's process: what it holds, and how often it had what was asked. For
//! administrators: it tells of what others ask.

use super::build::Columns;
use crate::cache::CacheFigures;
use crate::error::Result;
use crate::figures;
use crate::plan::LocalCatalog;
use datafusion::arrow::array::RecordBatch;

/// A cache by its name.
type Named = (String, CacheFigures);

/// The columns without rows.
pub(super) fn none() -> Result<RecordBatch> {
    table(&[])
}

pub(super) fn rows(local: &LocalCatalog) -> Result<RecordBatch> {
    if !local.grants.is_admin() {
        return none();
    }
    let (results, plans) = (&local.results, local.plans.upgrade());
    table(&figures::caches(results, plans.as_deref(), local.cache.hot(), local.disk.as_deref()))
}

fn table(caches: &[Named]) -> Result<RecordBatch> {
    Columns::of(caches)
        .text("cache_name", |row| row.0.clone())
        .number("entries", |row| row.1.entries)
        .number("bytes", |row| row.1.bytes)
        .number("capacity_bytes", |row| row.1.capacity_bytes)
        .number("hits", |row| row.1.hits)
        .number("misses", |row| row.1.misses)
        .number("shared", |row| row.1.shared)
        .finish()
}
