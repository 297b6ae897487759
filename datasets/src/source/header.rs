//! Names of raw columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{DatasetsError, Result};

/// Makes the schema of text columns from a header; a column without a name is called `column_N`.
///
/// # Errors
/// `Source` when a name stands twice, since which one is meant can't be known.
pub(super) fn text_schema(file: &str, names: impl IntoIterator<Item = String>) -> Result<SchemaRef> {
    let mut fields = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let name = match name.trim() {
            "" => format!("column_{}", index + 1),
            name => name.to_owned(),
        };
        fields.push(Field::new(name, DataType::Utf8, true));
    }
    unique(file, fields.iter().map(Field::name))?;
    Ok(Arc::new(Schema::new(fields)))
}

/// Refuses a name that stands twice.
pub(super) fn unique<'a>(file: &str, names: impl IntoIterator<Item = &'a String>) -> Result<()> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&String> = names.into_iter().filter(|name| !seen.insert(*name)).collect();
    if twice.is_empty() {
        return Ok(());
    }
    let names = twice.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Err(DatasetsError::file(
        file,
        format!(
            "the header names {names} more than once, so which one is meant is not known; have the header corrected"
        ),
    ))
}
