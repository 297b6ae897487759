//! Table: a system table as a DataFusion table. Rows are made when it is scanned, never before.

use super::SCHEMA;
use crate::audit::{self, DaysWanted};
use crate::error::Result;
use crate::plan::{Keys, LocalCatalog};
use crate::policy::{Grants, View};
use async_trait::async_trait;
use basin_catalog::DatasetName;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, INFORMATION_SCHEMA_TABLES};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use serde::Serialize;
use std::sync::Arc;

/// Which system table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemTableKind {
    Datasets,
    Items,
    Versions,
    Deliveries,
    Queries,
    Running,
    Demands,
    Caches,
    TableConstraints,
    KeyColumnUsage,
    ReferentialConstraints,
}

impl SystemTableKind {
    const ALL: [Self; 11] = [
        Self::Datasets,
        Self::Items,
        Self::Versions,
        Self::Deliveries,
        Self::Queries,
        Self::Running,
        Self::Demands,
        Self::Caches,
        Self::TableConstraints,
        Self::KeyColumnUsage,
        Self::ReferentialConstraints,
    ];

    /// Lists those of a schema.
    pub(crate) fn of_schema(schema: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| kind.schema() == schema)
    }

    fn schema(self) -> &'static str {
        match self {
            Self::Datasets
            | Self::Items
            | Self::Versions
            | Self::Deliveries
            | Self::Queries
            | Self::Running
            | Self::Demands
            | Self::Caches => SCHEMA,
            Self::TableConstraints | Self::KeyColumnUsage | Self::ReferentialConstraints => {
                INFORMATION_SCHEMA
            }
        }
    }

    /// Name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Datasets => "datasets",
            Self::Items => "items",
            Self::Versions => "versions",
            Self::Deliveries => "deliveries",
            Self::Queries => "queries",
            Self::Running => "running",
            Self::Demands => "demands",
            Self::Caches => "caches",
            Self::TableConstraints => "table_constraints",
            Self::KeyColumnUsage => "key_column_usage",
            Self::ReferentialConstraints => "referential_constraints",
        }
    }

    /// Finds a system table by its schema and name.
    pub(crate) fn of(schema: &str, name: &str) -> Option<Self> {
        Self::of_schema(schema).find(|kind| kind.name() == name)
    }
}

/// Table of information_schema that would show the engine's settings.
pub(crate) const SETTINGS: &str = "df_settings";

/// Tells whether information_schema has a table: DataFusion's without the engine's settings, and ours.
pub(crate) fn in_information_schema(name: &str) -> bool {
    let theirs = INFORMATION_SCHEMA_TABLES.contains(&name) && name != SETTINGS;
    theirs || SystemTableKind::of(INFORMATION_SCHEMA, name).is_some()
}

/// A system table as one principal sees it.
#[derive(Debug)]
pub(crate) struct SystemTable {
    kind: SystemTableKind,
    schema: SchemaRef,
    local: LocalCatalog,
}

impl SystemTable {
    pub(crate) fn new(kind: SystemTableKind, local: &LocalCatalog) -> Result<Self> {
        let schema = match kind {
            SystemTableKind::Queries => audit::schema(),
            SystemTableKind::Caches => super::caches::none()?.schema(),
            SystemTableKind::Running => super::running::none()?.schema(),
            other => snapshot_rows(other, &local.grants, false)?.schema(),
        };
        Ok(Self { kind, schema, local: local.clone() })
    }

    /// Tells whether the table was made for these grants.
    pub(crate) fn is_of(&self, grants: &Arc<Grants>) -> bool {
        Arc::ptr_eq(&self.local.grants, grants)
    }

    async fn rows(&self, filters: &[Expr]) -> Result<Vec<RecordBatch>> {
        match self.kind {
            SystemTableKind::Queries => {
                super::queries::rows(&self.local.audit, &self.local.grants, DaysWanted::of(filters)).await
            }
            SystemTableKind::Caches => Ok(vec![super::caches::rows(&self.local)?]),
            SystemTableKind::Running => {
                Ok(vec![super::running::rows(&self.local.audit, &self.local.grants).await?])
            }
            other => Ok(vec![snapshot_rows(other, &self.local.grants, true)?]),
        }
    }
}

/// Makes the rows of a table from the snapshot; none, but the columns, unless `filled`.
fn snapshot_rows(kind: SystemTableKind, grants: &Grants, filled: bool) -> Result<RecordBatch> {
    let visible: Vec<(&DatasetName, Arc<View>)> =
        if filled { grants.visible().collect() } else { Vec::new() };
    let keys = || if filled { Keys::of(grants) } else { Keys::default() };
    match kind {
        SystemTableKind::Datasets => super::datasets::rows(grants.snapshot(), &visible),
        SystemTableKind::Items => super::items::rows(&visible),
        SystemTableKind::Versions => super::versions::rows(&visible),
        SystemTableKind::Deliveries => super::deliveries::rows(&visible),
        SystemTableKind::Demands => super::demands::rows(grants, filled),
        SystemTableKind::Queries => Ok(RecordBatch::new_empty(audit::schema())),
        SystemTableKind::Caches => super::caches::none(),
        SystemTableKind::Running => super::running::none(),
        SystemTableKind::TableConstraints => super::constraints::tables(&keys()),
        SystemTableKind::KeyColumnUsage => super::constraints::columns(&keys()),
        SystemTableKind::ReferentialConstraints => super::constraints::references(&keys()),
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters only tell which days of the audit need not be read.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::common::Result<Vec<TableProviderFilterPushDown>> {
        let pushed = match self.kind {
            SystemTableKind::Queries => TableProviderFilterPushDown::Inexact,
            SystemTableKind::Datasets
            | SystemTableKind::Items
            | SystemTableKind::Versions
            | SystemTableKind::Deliveries
            | SystemTableKind::Demands
            | SystemTableKind::Running
            | SystemTableKind::Caches
            | SystemTableKind::TableConstraints
            | SystemTableKind::KeyColumnUsage
            | SystemTableKind::ReferentialConstraints => TableProviderFilterPushDown::Unsupported,
        };
        Ok(vec![pushed; filters.len()])
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        let rows = self.rows(filters).await?;
        let plan: Arc<dyn ExecutionPlan> =
            MemorySourceConfig::try_new_exec(&[rows], self.schema(), projection.cloned())?;
        Ok(plan)
    }
}

/// Returns a word of a vocabulary, as manifests spell it.
pub(super) fn word<T: Serialize>(term: &T) -> String {
    let value = serde_json::to_value(term).ok();
    value.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// Counts from 1, as SQL does.
pub(super) fn position(index: usize) -> u64 {
    index as u64 + 1
}
