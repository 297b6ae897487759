//! The metadata commands: what a principal may see, as rows.
//!
//! Names come from the same grants as planning does, so hidden and absent look alike.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_flight::error::FlightError;

use super::call::Call;
use super::command::Metadata;
use super::keys;
use super::service::FlightSql;
use super::{sql_info, tables};
use crate::error::{Result, ServerError};

/// The one catalog: the local node's.
pub(super) const CATALOG: &str = "basin";

/// The table types that tools may filter by; nothing is a view yet.
const TABLE_TYPES: [&str; 3] = ["SYSTEM TABLE", "TABLE", "VIEW"];

impl FlightSql {
    /// Returns the schema of a metadata command's rows.
    pub(super) fn metadata_schema(&self, metadata: &Metadata) -> SchemaRef {
        match metadata {
            Metadata::Catalogs => one_column("catalog_name"),
            Metadata::Schemas(query) => query.clone().into_builder().schema(),
            Metadata::Tables(query) => query.clone().into_builder().schema(),
            Metadata::TableTypes => one_column("table_type"),
            Metadata::SqlInfo(_) => SchemaRef::clone(&self.sql_info_schema),
            Metadata::XdbcTypeInfo(_) => self.type_info.schema(),
            Metadata::PrimaryKeys(_) => keys::primary_schema(),
            Metadata::References { .. } => keys::reference_schema(),
        }
    }

    /// Returns the rows of a metadata command, in the order that the specification sets.
    ///
    /// # Errors
    /// The engine's or the catalog's.
    pub(super) async fn metadata_rows(&self, call: &Call, metadata: Metadata) -> Result<RecordBatch> {
        match metadata {
            Metadata::Catalogs => names("catalog_name", &[CATALOG]),
            Metadata::TableTypes => names("table_type", &TABLE_TYPES),
            Metadata::Schemas(query) => {
                let visible = self.engine.visible(&call.principal, &call.as_of).await?;
                let mut rows = query.into_builder();
                for schema in visible.schemas() {
                    rows.append(CATALOG, schema);
                }
                rows.build().map_err(flight_error)
            }
            Metadata::Tables(query) => {
                let visible = self.engine.visible(&call.principal, &call.as_of).await?;
                tables::rows(&visible, query, call.options.language.as_deref())
            }
            Metadata::PrimaryKeys(filter) => {
                keys::primary(&self.engine.keys(&call.principal, &call.as_of).await?, &filter)
            }
            Metadata::References { to, from } => {
                keys::references(&self.engine.keys(&call.principal, &call.as_of).await?, &to, &from)
            }
            Metadata::SqlInfo(query) => {
                let rows = query.into_builder(&self.sql_info).build().map_err(flight_error)?;
                sql_info::specified(&rows)
            }
            Metadata::XdbcTypeInfo(query) => {
                query.into_builder(&self.type_info).build().map_err(flight_error)
            }
        }
    }
}

/// Unwraps the errors of arrow-flight's builders, which only Arrow causes.
pub(super) fn flight_error(error: FlightError) -> ServerError {
    match error {
        FlightError::Arrow(error) => ServerError::Encode(error),
        other => ServerError::Encode(ArrowError::from_external_error(Box::new(other))),
    }
}

fn one_column(name: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, false)]))
}

fn names(column: &str, values: &[&str]) -> Result<RecordBatch> {
    let values: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    Ok(RecordBatch::try_new(one_column(column), vec![values])?)
}
