//! Police: an analysed plan -> one that shows what its principal may see, and nothing else.
//!
//! Rows and masks are at the scans already, whose tables were made under the same grants; here each scan is checked to be
//! such a table, and small cells are withheld.

use super::cells;
use super::grants::Grants;
use crate::error::{EngineError, Result};
use crate::plan::{DatasetTable, LocalCatalog, ScanOf, is_granted};
use crate::rollup;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A plan that its principal may have the result of. Made only here.
#[derive(Debug, Clone)]
pub(crate) struct Policed {
    plan: LogicalPlan,
    limited: bool,
}

impl Policed {
    /// Returns the plan, to describe or to run it.
    pub(crate) fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// Returns the same plan with aggregations answered from rollups, each scan checked again. A plan that reads anything
    /// under limits stays as it is.
    ///
    /// # Errors
    /// `PermissionDenied` when a rollup is of a dataset that the grants don't show as a whole.
    pub(crate) fn answered_from_rollups(&self, local: &LocalCatalog) -> Result<Self> {
        if self.limited {
            return Ok(self.clone());
        }
        let plan = rollup::answered(self.plan.clone(), local)?;
        let limited = check(&plan, &local.grants)?;
        Ok(Self { plan, limited })
    }

    /// Tells whether a dataset in it is read under limits.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited
    }
}

/// Applies the policy of `grants` to an analysed plan. `companions` tells whether the result has columns that say what was
/// withheld.
///
/// # Errors
/// `PermissionDenied` when it reads what the grants don't allow, `GroupsOnly` when it shows rows of a dataset with a
/// minimum cell.
pub(crate) fn police(
    state: &SessionState,
    analysed: LogicalPlan,
    grants: &Arc<Grants>,
    companions: bool,
) -> Result<Policed> {
    let limited = check(&analysed, grants)?;
    let Some(withheld) = cells::withhold(&analysed, grants, companions)? else {
        return Ok(Policed { plan: analysed, limited });
    };
    let unbound = !withheld.get_parameter_names()?.is_empty();
    // Types of what was added are coerced. While parameters have no values, not all types are known.
    match state.analyzer().execute_and_check(withheld.clone(), state.config_options(), |_, _| {}) {
        Ok(plan) => Ok(Policed { plan, limited }),
        Err(_) if unbound => Ok(Policed { plan: withheld, limited }),
        Err(error) => Err(error.into()),
    }
}

/// Fails unless each scan of the plan, in subqueries too, is of a table made for these grants; tells whether any of them is
/// limited.
pub(super) fn check(plan: &LogicalPlan, grants: &Arc<Grants>) -> Result<bool> {
    let mut refused = None;
    let mut limited = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            limited |= provider.downcast_ref::<DatasetTable>().is_some_and(|table| table.rules().is_some());
            if !is_granted(provider.as_ref(), grants) {
                refused = Some(scan.table_name.to_string());
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    refused.map_or(Ok(limited), |name| Err(EngineError::PermissionDenied(name)))
}

/// The items that the policy of a plan's datasets looks at, as `schema.dataset.item`.
///
/// # Errors
/// `PolicyBroken` when a row filter can't be applied.
pub(crate) fn policy_columns(plan: &LogicalPlan, state: &SessionState) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            if let Some(table) = provider.downcast_ref::<DatasetTable>()
                && let (ScanOf::Dataset(name), Some(rules)) = (table.of(), table.rules())
            {
                let columns = rules.columns_looked_at(state)?;
                found.extend(columns.into_iter().map(|column| format!("{name}.{column}")));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
