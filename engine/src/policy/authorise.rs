//! Authorise: `Planned` -> `Authorized`. Checks every dataset of the analysed plan once more, failing
//! closed, and is where row filters, masks and suppression attach to scans. Does not touch SQL text.

use crate::error::{EngineError, Result};
use crate::plan::{Planned, PlannedParts};
use crate::request::QueryId;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;

/// A plan that its principal may run. Made only here, from a [`Planned`].
#[derive(Debug)]
pub struct Authorized {
    parts: PlannedParts,
}

/// What admission needs of an authorised plan.
pub(crate) type AuthorizedParts = PlannedParts;

impl Planned {
    /// Authorises the plan under the grants it was made with.
    ///
    /// # Errors
    /// `PermissionDenied` when the plan reads a dataset that the grants don't allow.
    pub async fn authorize(self) -> Result<Authorized> {
        let span = tracing::debug_span!("authorize", query_id = %self.query_id());
        let mut parts = self.into_parts();
        match span.in_scope(|| check(&parts)) {
            Ok(()) => Ok(Authorized { parts }),
            Err(error) => Err(parts.audit.fail(error).await),
        }
    }
}

impl Authorized {
    /// Returns the identity of the query.
    #[must_use]
    pub fn query_id(&self) -> QueryId {
        self.parts.query_id
    }

    /// Returns the schema of the result.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.parts.schema)
    }

    pub(crate) fn into_parts(self) -> AuthorizedParts {
        self.parts
    }
}

/// Fails unless each scan of the plan, in subqueries too, is of a table made for these grants.
fn check(parts: &PlannedParts) -> Result<()> {
    let mut refused = None;
    parts.logical.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            if !crate::plan::is_granted(provider.as_ref(), &parts.grants) {
                refused = Some(scan.table_name.to_string());
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    refused.map_or(Ok(()), |name| Err(EngineError::PermissionDenied(name)))
}
