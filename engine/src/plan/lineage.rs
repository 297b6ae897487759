//! Lineage: which columns of a result are items of a dataset, unchanged.
//!
//! What a column is called or how it is computed tells nothing here: only a column that is passed on as it is keeps
//! its item. It describes; it decides nothing.

use super::providers::{DatasetTable, ScanOf};
use crate::policy::Grants;
use basin_catalog::{DatasetDefinition, Item};
use datafusion::common::JoinType;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use std::sync::Arc;

/// The item that a column of a result is.
#[derive(Debug, Clone)]
pub struct SourceItem {
    definition: Arc<DatasetDefinition>,
    position: usize,
}

impl SourceItem {
    /// Returns the definition of the dataset that has the item.
    #[must_use]
    pub fn dataset(&self) -> &DatasetDefinition {
        &self.definition
    }

    /// Returns the item.
    #[must_use]
    pub fn item(&self) -> Option<&Item> {
        self.definition.items.get(self.position)
    }
}

/// Finds for each column of a plan's result the item that it is, if it is one.
pub(super) fn of(plan: &LogicalPlan, grants: &Grants) -> Vec<Option<SourceItem>> {
    (0..plan.schema().fields().len()).map(|at| source(plan, at, grants)).collect()
}

fn source(plan: &LogicalPlan, at: usize, grants: &Grants) -> Option<SourceItem> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source).ok()?;
            let ScanOf::Dataset(name) = provider.downcast_ref::<DatasetTable>()?.of() else { return None };
            let definition = Arc::clone(grants.dataset(name)?.definition());
            let column = scan.projected_schema.fields().get(at)?;
            let position = definition.items.iter().position(|item| item.name.as_str() == column.name())?;
            Some(SourceItem { definition, position })
        }
        LogicalPlan::Projection(projection) => {
            through(projection.expr.get(at)?, projection.input.as_ref(), grants)
        }
        // Grouping sets put NULL where a column is not grouped by, and add a column: nothing is told of them.
        LogicalPlan::Aggregate(aggregate) => {
            if matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
                return None;
            }
            through(aggregate.group_expr.get(at)?, aggregate.input.as_ref(), grants)
        }
        LogicalPlan::Window(window) => within(window.input.as_ref(), at, grants),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti => source(&join.right, at, grants),
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => within(&join.left, at, grants),
            JoinType::RightMark => within(&join.right, at, grants),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                let left = join.left.schema().fields().len();
                match at.checked_sub(left) {
                    Some(at) => source(&join.right, at, grants),
                    None => source(&join.left, at, grants),
                }
            }
        },
        LogicalPlan::Filter(filter) => source(&filter.input, at, grants),
        LogicalPlan::Sort(sort) => source(&sort.input, at, grants),
        LogicalPlan::Limit(limit) => source(&limit.input, at, grants),
        LogicalPlan::SubqueryAlias(alias) => source(&alias.input, at, grants),
        LogicalPlan::Distinct(Distinct::All(input)) => source(input, at, grants),
        LogicalPlan::Repartition(repartition) => source(&repartition.input, at, grants),
        _ => None,
    }
}

/// A column of the input, or one that the node adds.
fn within(input: &LogicalPlan, at: usize, grants: &Grants) -> Option<SourceItem> {
    (at < input.schema().fields().len()).then(|| source(input, at, grants)).flatten()
}

fn through(expr: &Expr, input: &LogicalPlan, grants: &Grants) -> Option<SourceItem> {
    match expr {
        Expr::Alias(alias) => through(&alias.expr, input, grants),
        Expr::Column(column) => source(input, input.schema().index_of_column(column).ok()?, grants),
        _ => None,
    }
}
