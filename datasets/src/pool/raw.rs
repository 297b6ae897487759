//! The raw text of given rows, by reading their files a second time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::read::{BATCH_ROWS, PlannedFile};
use crate::arrange::Place;
use crate::source::{self, OnBytes};
use crate::{DatasetsError, Result};

/// Calls `each` with the raw text of every wanted row.
///
/// # Errors
/// When a file can't be read again, or no longer has a wanted row.
pub(super) fn raw_rows(
    files: &[PlannedFile],
    mut wanted: BTreeSet<Place>,
    mut each: impl FnMut(Place, String) -> Result<()>,
) -> Result<()> {
    let on_bytes: OnBytes = Arc::new(|_| ());
    for file in files {
        let index = file.source.index;
        if wanted.range((index, 0)..=(index, u64::MAX)).next().is_none() {
            continue;
        }
        for batch in source::open(&file.source, file.kind.format(), BATCH_ROWS, &on_bytes)? {
            let batch = batch?;
            for (row, line) in batch.lines.iter().enumerate() {
                if wanted.remove(&(index, *line)) {
                    each((index, *line), batch.raw.text(row))?;
                }
            }
        }
    }
    match wanted.first() {
        None => Ok(()),
        Some((file, line)) => {
            Err(DatasetsError::internal(format!("line {line} of file {file} was not found again")))
        }
    }
}
