//! `basin.caches`: one row a cache of this server's process: what it holds, and how often it had what was asked. For
//! administrators: it tells of what others ask.

use super::build::Columns;
use crate::cache::CacheFigures;
use crate::error::Result;
use crate::policy::Grants;
use datafusion::arrow::array::RecordBatch;

/// A cache by its name.
pub(super) type Named = (&'static str, CacheFigures);

pub(super) fn rows(grants: &Grants, caches: &[Named]) -> Result<RecordBatch> {
    let seen = if grants.is_admin() { caches } else { &[] };
    Columns::of(seen)
        .text("cache_name", |row| row.0.to_owned())
        .number("entries", |row| row.1.entries)
        .number("bytes", |row| row.1.bytes)
        .number("capacity_bytes", |row| row.1.capacity_bytes)
        .number("hits", |row| row.1.hits)
        .number("misses", |row| row.1.misses)
        .number("shared", |row| row.1.shared)
        .finish()
}
