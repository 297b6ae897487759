//! Raw columns against the manifest: finds each item's column, and shows the difference where they do not fit.

use std::collections::BTreeSet;

use arrow::datatypes::Schema;
use basin_catalog::DatasetName;

use crate::error::{DatasetsError, Result};
use crate::manifest::{ColumnSource, DeliveryKind, FromColumn};

/// Finds the column of an item: the first of its names that is present.
pub(super) fn position(schema: &Schema, from: &FromColumn) -> Option<usize> {
    from.names.iter().find_map(|name| schema.index_of(name).ok())
}

/// Refuses columns that vanished and columns that nobody asked for; `in_sql` are those that expressions read.
pub(super) fn compare(
    dataset: &DatasetName,
    kind: &DeliveryKind,
    schema: &Schema,
    in_sql: &BTreeSet<String>,
) -> Result<()> {
    let (mut vanished, mut taken) = (Vec::new(), in_sql.clone());
    for (item, source) in kind.columns() {
        let ColumnSource::Raw(from) = source else { continue };
        match position(schema, from) {
            Some(at) => {
                taken.insert(schema.field(at).name().clone());
            }
            None if from.optional => {}
            None => vanished.push(format!("{} (for item {item})", names(&from.names, " or "))),
        }
    }
    let present: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let added: Vec<String> = present
        .iter()
        .filter(|name| !taken.contains(*name) && !kind.ignore().contains(*name))
        .cloned()
        .collect();
    if vanished.is_empty() && added.is_empty() {
        return Ok(());
    }
    let mut reason = format!("the columns are not those of delivery kind `{}` of {dataset}", kind.kind());
    if !vanished.is_empty() {
        reason.push_str(&format!("; not in the file: {}", vanished.join(", ")));
    }
    if !added.is_empty() {
        reason.push_str(&format!("; in the file but neither mapped nor ignored: {}", names(&added, ", ")));
    }
    reason.push_str(&format!("; the file has: {}", names(&present, ", ")));
    reason.push_str(if added.len() == present.len() {
        ". No column fits: check the delimiter and whether the file has a header"
    } else {
        ". Map a renamed column with from = [\"old\", \"new\"], list unwanted ones under [delivery.ignore], or have the \
         file corrected"
    });
    Err(DatasetsError::Refused { reason })
}

fn names(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}
