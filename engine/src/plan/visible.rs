//! Visible: what a principal may query, for the metadata calls. The same grants as planning.

use super::providers::LocalCatalog;
use crate::error::Result;
use crate::output::plain_schema;
use crate::session::CATALOG;
use basin_catalog::{DatasetDefinition, DatasetName, Snapshot};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::CatalogProvider;
use std::sync::Arc;

/// What kind of table it is, for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableKind {
    /// A dataset.
    Table,
    /// A table of `basin` or `information_schema`.
    SystemTable,
}

impl TableKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Table, Self::SystemTable];

    /// Returns the name that Flight SQL and JDBC use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "TABLE",
            Self::SystemTable => "SYSTEM TABLE",
        }
    }
}

/// A table that a principal may query.
#[derive(Debug, Clone)]
pub struct VisibleTable {
    /// Schema in SQL.
    pub schema_name: String,
    /// Name in its schema.
    pub name: String,
    /// What kind of table it is.
    pub kind: TableKind,
    /// Columns in the types that clients get.
    pub schema: SchemaRef,
    /// Definition of the dataset; none for system tables.
    pub definition: Option<Arc<DatasetDefinition>>,
}

/// What a principal may query in one snapshot, ordered by schema and name.
#[derive(Debug, Clone)]
pub struct Visible {
    snapshot: Arc<Snapshot>,
    tables: Vec<VisibleTable>,
    schemas: Vec<String>,
}

impl Visible {
    /// Returns the name of the local catalog in SQL.
    #[must_use]
    pub fn catalog_name(&self) -> &'static str {
        CATALOG
    }

    /// Returns the snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Lists the schemas.
    #[must_use]
    pub fn schemas(&self) -> &[String] {
        &self.schemas
    }

    /// Lists the tables.
    #[must_use]
    pub fn tables(&self) -> &[VisibleTable] {
        &self.tables
    }

    pub(crate) async fn of(local: LocalCatalog) -> Result<Self> {
        let local = local.described();
        let snapshot = Arc::clone(local.grants.snapshot());
        let schemas = local.schema_names();
        let mut tables = Vec::new();
        for schema_name in &schemas {
            let Some(schema) = local.schema(schema_name) else { continue };
            let mut names = schema.table_names();
            names.sort();
            for name in names {
                let Some(provider) = schema.table(&name).await? else { continue };
                let dataset = format!("{schema_name}.{name}").parse::<DatasetName>().ok();
                let view = dataset.and_then(|dataset| local.grants.dataset(&dataset));
                let kind = if view.is_some() { TableKind::Table } else { TableKind::SystemTable };
                tables.push(VisibleTable {
                    schema_name: schema_name.clone(),
                    name,
                    kind,
                    schema: plain_schema(&provider.schema()),
                    definition: view.map(|view| Arc::clone(view.definition())),
                });
            }
        }
        Ok(Self { snapshot, tables, schemas })
    }
}
