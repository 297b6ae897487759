//! Table: a system table as a DataFusion table. Rows are made when it is scanned, never before.

use crate::audit::{self, AuditLog};
use crate::error::Result;
use crate::policy::Grants;
use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::logical_expr::Expr;
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
}

impl SystemTableKind {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Datasets, Self::Items, Self::Versions, Self::Deliveries, Self::Queries];

    /// Name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Datasets => "datasets",
            Self::Items => "items",
            Self::Versions => "versions",
            Self::Deliveries => "deliveries",
            Self::Queries => "queries",
        }
    }

    /// Finds a system table by name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A system table as one principal sees it.
#[derive(Debug)]
pub(crate) struct SystemTable {
    kind: SystemTableKind,
    schema: SchemaRef,
    grants: Arc<Grants>,
    audit: Arc<AuditLog>,
}

impl SystemTable {
    pub(crate) fn new(kind: SystemTableKind, grants: &Arc<Grants>, audit: &Arc<AuditLog>) -> Result<Self> {
        let schema = match kind {
            SystemTableKind::Queries => audit::schema(),
            other => snapshot_rows(other, grants, false)?.schema(),
        };
        Ok(Self { kind, schema, grants: Arc::clone(grants), audit: Arc::clone(audit) })
    }

    /// Tells whether the table was made for these grants.
    pub(crate) fn is_of(&self, grants: &Arc<Grants>) -> bool {
        Arc::ptr_eq(&self.grants, grants)
    }

    async fn rows(&self) -> Result<Vec<RecordBatch>> {
        match self.kind {
            SystemTableKind::Queries => super::queries::rows(&self.audit, &self.grants).await,
            other => Ok(vec![snapshot_rows(other, &self.grants, true)?]),
        }
    }
}

/// Makes the rows of a table from the snapshot; none, but the columns, unless `filled`.
fn snapshot_rows(kind: SystemTableKind, grants: &Grants, filled: bool) -> Result<RecordBatch> {
    let visible: Vec<_> = if filled { grants.visible().collect() } else { Vec::new() };
    match kind {
        SystemTableKind::Datasets => super::datasets::rows(grants.snapshot(), &visible),
        SystemTableKind::Items => super::items::rows(&visible),
        SystemTableKind::Versions => super::versions::rows(&visible),
        SystemTableKind::Deliveries => super::deliveries::rows(&visible),
        SystemTableKind::Queries => Ok(RecordBatch::new_empty(audit::schema())),
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

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        let rows = self.rows().await?;
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
