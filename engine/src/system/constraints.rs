//! `information_schema.table_constraints`, `key_column_usage` and `referential_constraints`: keys and references, in the
//! columns that tools ask for.
//!
//! Source: ISO/IEC 9075-11, Information Schema.

use super::build::Columns;
use super::table::position;
use crate::error::Result;
use crate::plan::{Keys, PrimaryKey, Reference};
use crate::session::CATALOG;
use basin_catalog::{DatasetName, ItemName};
use datafusion::arrow::array::RecordBatch;

/// One constraint, whichever kind it is.
enum Constraint<'a> {
    Primary(&'a PrimaryKey),
    Reference(&'a Reference),
}

impl Constraint<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Primary(key) => &key.name,
            Self::Reference(reference) => &reference.name,
        }
    }

    fn dataset(&self) -> &DatasetName {
        match self {
            Self::Primary(key) => &key.dataset,
            Self::Reference(reference) => &reference.dataset,
        }
    }

    fn items(&self) -> &[ItemName] {
        match self {
            Self::Primary(key) => &key.items,
            Self::Reference(reference) => std::slice::from_ref(&reference.item),
        }
    }
}

fn all(keys: &Keys) -> Vec<Constraint<'_>> {
    let primary = keys.primary.iter().map(Constraint::Primary);
    primary.chain(keys.references.iter().map(Constraint::Reference)).collect()
}

pub(super) fn tables(keys: &Keys) -> Result<RecordBatch> {
    let word = |yes: bool| if yes { "YES" } else { "NO" }.to_owned();
    Columns::of(&all(keys))
        .text("constraint_catalog", |_| CATALOG.to_owned())
        .text("constraint_schema", |row| row.dataset().schema().to_owned())
        .text("constraint_name", |row| row.name().to_owned())
        .text("table_catalog", |_| CATALOG.to_owned())
        .text("table_schema", |row| row.dataset().schema().to_owned())
        .text("table_name", |row| row.dataset().name().to_owned())
        .text("constraint_type", |row| match row {
            Constraint::Primary(_) => "PRIMARY KEY".to_owned(),
            Constraint::Reference(_) => "FOREIGN KEY".to_owned(),
        })
        .text("is_deferrable", |_| word(false))
        .text("initially_deferred", |_| word(false))
        // Pooling refuses what breaks a key; a reference is checked where the manifest says so.
        .text("enforced", |row| word(matches!(row, Constraint::Primary(_))))
        .finish()
}

pub(super) fn columns(keys: &Keys) -> Result<RecordBatch> {
    let all = all(keys);
    let columns =
        all.iter().flat_map(|key| key.items().iter().enumerate().map(move |(at, item)| (key, at, item)));
    let rows: Vec<_> = columns.collect();
    Columns::of(&rows)
        .text("constraint_catalog", |_| CATALOG.to_owned())
        .text("constraint_schema", |row| row.0.dataset().schema().to_owned())
        .text("constraint_name", |row| row.0.name().to_owned())
        .text("table_catalog", |_| CATALOG.to_owned())
        .text("table_schema", |row| row.0.dataset().schema().to_owned())
        .text("table_name", |row| row.0.dataset().name().to_owned())
        .text("column_name", |row| row.2.to_string())
        .number("ordinal_position", |row| position(row.1))
        .maybe_number("position_in_unique_constraint", |row| match row.0 {
            Constraint::Primary(_) => None,
            Constraint::Reference(_) => Some(position(row.1)),
        })
        .finish()
}

pub(super) fn references(keys: &Keys) -> Result<RecordBatch> {
    Columns::of(&keys.references)
        .text("constraint_catalog", |_| CATALOG.to_owned())
        .text("constraint_schema", |row| row.dataset.schema().to_owned())
        .text("constraint_name", |row| row.name.clone())
        .text("unique_constraint_catalog", |_| CATALOG.to_owned())
        .text("unique_constraint_schema", |row| row.to.schema().to_owned())
        .text("unique_constraint_name", |row| row.to_key.clone())
        .text("match_option", |_| "NONE".to_owned())
        .text("update_rule", |_| "NO ACTION".to_owned())
        .text("delete_rule", |_| "NO ACTION".to_owned())
        .finish()
}
