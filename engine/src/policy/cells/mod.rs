//! Cells: the minimum cell. Rows of a dataset that declares one leave the engine in groups only, and what a small group
//! holds is withheld.
//!
//! An analysed plan is walked from its scans upwards. Rows of such a dataset may be filtered and joined by what is safe,
//! and must end in an aggregation, above which a `WithheldNode` takes the measures of small groups away; all that comes
//! later sees NULL there. In a result with margins, further cells are withheld until none follows from them
//! (`complement`). Each measure that reaches the result gets a companion `<measure>__conf`: F free, A small, D withheld to
//! protect another (SDMX CL_CONF_STATUS). It does not say which datasets have a minimum cell: `access` does.

mod aggregate;
mod companions;
mod complement;
mod join;
mod node;
mod operator;
mod origin;
mod step;
mod walk;

pub(crate) use node::{is_withheld, planner};
pub(crate) use operator::Withheld;

use super::grants::Grants;
use crate::error::Result;
use crate::plan::DatasetTable;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use std::sync::Arc;

/// Makes small cells disappear from what a plan gives; none when no dataset in it has a minimum cell. `companions` tells
/// whether the result has columns that say what was withheld.
///
/// # Errors
/// `GroupsOnly` when the plan would show rows, or a value of one of them.
pub(super) fn withhold(
    plan: &LogicalPlan,
    grants: &Arc<Grants>,
    companions: bool,
) -> Result<Option<LogicalPlan>> {
    let mut concerned = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let table = provider.downcast_ref::<DatasetTable>();
            concerned |= table.and_then(|table| table.rules()?.minimum_cell()).is_some();
        }
        Ok(if concerned { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if !concerned {
        return Ok(None);
    }
    let step = walk::Walk::new(grants).walk(plan.clone())?;
    Ok(Some(if companions { companions::add(step)? } else { step.stripped()? }))
}
