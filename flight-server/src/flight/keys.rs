//! GetPrimaryKeys, GetImportedKeys, GetExportedKeys and GetCrossReference: the catalog's keys as rows, so that tools draw
//! the joins.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::UpdateDeleteRules;
use basin_engine::{Keys, Reference};

use super::metadata::CATALOG;
use crate::error::Result;

/// Which table a command means: an unset part takes any, an empty one means "without" and takes none.
#[derive(Debug, Clone, Default)]
pub(super) struct TableFilter {
    pub(super) catalog: Option<String>,
    pub(super) schema: Option<String>,
    /// None: any table.
    pub(super) table: Option<String>,
}

impl TableFilter {
    pub(super) fn new(catalog: Option<String>, schema: Option<String>, table: String) -> Self {
        Self { catalog, schema, table: Some(table) }
    }

    fn takes(&self, schema: &str, table: &str) -> bool {
        let fits = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        fits(&self.catalog, CATALOG) && fits(&self.schema, schema) && fits(&self.table, table)
    }
}

/// The schema of GetPrimaryKeys.
pub(super) fn primary_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

/// Returns the primary keys of the tables that a filter takes.
///
/// # Errors
/// `Encode` when Arrow can't build the rows.
pub(super) fn primary(keys: &Keys, filter: &TableFilter) -> Result<RecordBatch> {
    let taken = keys.primary.iter().filter(|key| filter.takes(key.dataset.schema(), key.dataset.name()));
    let rows: Vec<_> = taken.flat_map(|key| key.items.iter().zip(1..).map(move |row| (key, row))).collect();
    let text = |get: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows.len()).map(get)))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|_| CATALOG.to_owned()),
        text(&|at| rows[at].0.dataset.schema().to_owned()),
        text(&|at| rows[at].0.dataset.name().to_owned()),
        text(&|at| rows[at].1.0.to_string()),
        text(&|at| rows[at].0.name.clone()),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(_, (_, sequence))| *sequence))),
    ];
    Ok(RecordBatch::try_new(primary_schema(), columns)?)
}

/// The schema of the other three commands.
pub(super) fn reference_schema() -> SchemaRef {
    let mut fields = Vec::new();
    for side in ["pk", "fk"] {
        fields.push(Field::new(format!("{side}_catalog_name"), DataType::Utf8, true));
        fields.push(Field::new(format!("{side}_db_schema_name"), DataType::Utf8, true));
        fields.push(Field::new(format!("{side}_table_name"), DataType::Utf8, false));
        fields.push(Field::new(format!("{side}_column_name"), DataType::Utf8, false));
    }
    fields.extend([
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]);
    Arc::new(Schema::new(fields))
}

/// Returns the references from tables that `from` takes to tables that `to` takes, in the order of the specification.
///
/// # Errors
/// `Encode` when Arrow can't build the rows.
pub(super) fn references(keys: &Keys, to: &TableFilter, from: &TableFilter) -> Result<RecordBatch> {
    let mut rows: Vec<&Reference> = keys
        .references
        .iter()
        .filter(|row| to.takes(row.to.schema(), row.to.name()))
        .filter(|row| from.takes(row.dataset.schema(), row.dataset.name()))
        .collect();
    rows.sort_by_key(|row| (&row.to, &row.to_key, &row.dataset, &row.name));
    let text = |get: &dyn Fn(&Reference) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| get(row))))
    };
    let rule: ArrayRef = Arc::new(UInt8Array::from(vec![UpdateDeleteRules::NoAction as u8; rows.len()]));
    let columns: Vec<ArrayRef> = vec![
        text(&|_| CATALOG.to_owned()),
        text(&|row| row.to.schema().to_owned()),
        text(&|row| row.to.name().to_owned()),
        text(&|row| row.to_item.to_string()),
        text(&|_| CATALOG.to_owned()),
        text(&|row| row.dataset.schema().to_owned()),
        text(&|row| row.dataset.name().to_owned()),
        text(&|row| row.item.to_string()),
        Arc::new(Int32Array::from(vec![1; rows.len()])),
        text(&|row| row.name.clone()),
        text(&|row| row.to_key.clone()),
        Arc::clone(&rule),
        rule,
    ];
    Ok(RecordBatch::try_new(reference_schema(), columns)?)
}
