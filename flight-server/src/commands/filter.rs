//! Row filters on the command line and in files: checked against the dataset before anything is committed.

use basin_catalog::{DatasetDefinition, RowFilter};
use basin_engine::check_row_filter;

use super::error::Result;

/// Checks that a row filter names items of the dataset and holds nothing that could fail.
///
/// # Errors
/// The engine's, saying what is wrong.
pub(crate) fn check(definition: &DatasetDefinition, rows: &RowFilter) -> Result<()> {
    Ok(check_row_filter(definition, rows)?)
}
