//! GetTables: names, types and, when asked for, the schema of each table with what drivers read from
//! the fields' metadata.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::sql::CommandGetTables;
use basin_catalog::DatasetDefinition;
use basin_engine::{Visible, VisibleTable};

use super::metadata::{CATALOG, flight_error};
use super::xdbc::type_name;
use crate::encode::wire_schema;
use crate::error::Result;

/// Returns the visible tables that a command's filters take.
///
/// # Errors
/// `Encode` when Arrow can't write a schema.
pub(super) fn rows(visible: &Visible, mut query: CommandGetTables) -> Result<RecordBatch> {
    for table_type in &mut query.table_types {
        *table_type = canonical_type(table_type);
    }
    let with_schema = query.include_schema;
    let mut rows = query.into_builder();
    for table in visible.tables() {
        let schema = if with_schema { described(table) } else { Schema::empty() };
        rows.append(CATALOG, &table.schema_name, &table.name, table.kind.as_str(), &schema)
            .map_err(flight_error)?;
    }
    rows.build().map_err(flight_error)
}

/// Clients write the types in any case, and the SQL standard's name for a table.
fn canonical_type(name: &str) -> String {
    match name.trim().to_uppercase().as_str() {
        "BASE TABLE" => "TABLE".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns a table's wire schema with the metadata that JDBC and ODBC drivers report of its columns.
///
/// Source: Flight SQL, column metadata (`ARROW:FLIGHT:SQL:*`).
fn described(table: &VisibleTable) -> Schema {
    let fields: Vec<Field> = wire_schema(&table.schema)
        .fields()
        .iter()
        .map(|field| {
            let mut metadata = field.metadata().clone();
            metadata.extend(column_metadata(table, field));
            field.as_ref().clone().with_metadata(metadata)
        })
        .collect();
    Schema::new(fields)
}

fn column_metadata(table: &VisibleTable, field: &Field) -> HashMap<String, String> {
    let mut metadata = HashMap::new();
    let mut put = |key: &str, value: String| {
        metadata.insert(format!("ARROW:FLIGHT:SQL:{key}"), value);
    };
    put("CATALOG_NAME", CATALOG.to_owned());
    put("SCHEMA_NAME", table.schema_name.clone());
    put("TABLE_NAME", table.name.clone());
    put("TYPE_NAME", type_name(field.data_type()).to_owned());
    if let Some((precision, scale)) = precision_and_scale(field.data_type()) {
        put("PRECISION", precision.to_string());
        put("SCALE", scale.to_string());
    }
    put("IS_AUTO_INCREMENT", "0".to_owned());
    put("IS_CASE_SENSITIVE", "1".to_owned());
    put("IS_READ_ONLY", "1".to_owned());
    put("IS_SEARCHABLE", "1".to_owned());
    if let Some(remarks) = table.definition.as_ref().and_then(|definition| remarks(definition, field.name()))
    {
        put("REMARKS", remarks);
    }
    metadata
}

/// The label of an item in every language and its unit, as in "confirmed, cumulative / 确诊 [person]".
fn remarks(definition: &DatasetDefinition, name: &str) -> Option<String> {
    let item = definition.item(name)?;
    let mut labels = vec![item.label.best()];
    labels.extend(item.label.iter().map(|(_, text)| text).filter(|text| *text != item.label.best()));
    let label = labels.join(" / ");
    Some(match &item.unit {
        Some(unit) => format!("{label} [{unit}]"),
        None => label,
    })
}

fn precision_and_scale(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal128(precision, scale) => Some((*precision, *scale)),
        DataType::Int8 | DataType::UInt8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt16 => Some((5, 0)),
        DataType::Int32 | DataType::UInt32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::UInt64 => Some((20, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_types_are_taken_as_clients_write_them() {
        for (written, canonical) in
            [("base table", "TABLE"), ("Table", "TABLE"), ("system table", "SYSTEM TABLE"), ("view", "VIEW")]
        {
            assert_eq!(canonical_type(written), canonical);
        }
    }
}
