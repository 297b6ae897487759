//! Divide: whether a result can be fetched in disjoint parts, each a part of the files of one dataset.
//!
//! Only rows that depend on nothing but themselves can be: one scan, filtered and projected. Any other plan would do
//! all of its work for each part.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::providers::DatasetTable;

/// Tells whether each part of the scan gives a part of the result.
pub(super) fn is_divisible(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().all(is_of_one_row) && is_divisible(&projection.input)
        }
        LogicalPlan::Filter(filter) => is_of_one_row(&filter.predicate) && is_divisible(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => is_divisible(&alias.input),
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source);
            scan.fetch.is_none() && provider.is_ok_and(|provider| provider.is::<DatasetTable>())
        }
        _ => false,
    }
}

/// Tells whether an expression gives the same for a row whichever part computes it.
fn is_of_one_row(expr: &Expr) -> bool {
    let outside = |expr: &Expr| {
        matches!(expr, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_))
            || expr.is_volatile_node()
    };
    let mut alone = true;
    let walked = expr.apply(|expr| {
        alone = alone && !outside(expr);
        Ok(if alone { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && alone
}
