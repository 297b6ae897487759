//! GetTables: names, types and, when asked for, the schema of each table.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow_flight::sql::CommandGetTables;
use basin_engine::Visible;

use super::columns;
use super::metadata::{CATALOG, flight_error};
use crate::error::Result;

/// Returns the visible tables that a command's filters take.
///
/// # Errors
/// `Encode` when Arrow can't write a schema.
pub(super) fn rows(
    visible: &Visible,
    mut query: CommandGetTables,
    language: Option<&str>,
) -> Result<RecordBatch> {
    for table_type in &mut query.table_types {
        *table_type = canonical_type(table_type);
    }
    let with_schema = query.include_schema;
    let mut rows = query.into_builder();
    for table in visible.tables() {
        let item = |name: &str| table.definition.as_ref()?.item(name);
        let names = (table.schema_name.as_str(), table.name.as_str());
        let schema = match with_schema {
            true => columns::of_table(&table.schema, names, item, language),
            false => Schema::empty(),
        };
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
