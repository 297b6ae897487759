//! Flatten: what an aggregation reads, when it is one dataset that is only filtered and computed upon, as expressions over
//! the dataset's items.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

/// A scan, and what is made of its rows one by one.
#[derive(Debug)]
pub(super) struct Flat<'a> {
    pub(super) scan: &'a TableScan,
    /// Each column, over items by their bare names.
    columns: Vec<Expr>,
    /// Conditions that a row must meet, over items.
    pub(super) filters: Vec<Expr>,
    schema: &'a DFSchema,
}

impl<'a> Flat<'a> {
    /// Flattens a plan; none when it does something else to the rows.
    pub(super) fn of(plan: &'a LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
                let schema = scan.projected_schema.as_ref();
                let columns =
                    schema.fields().iter().map(|field| Expr::Column(Column::from_name(field.name())));
                let mut flat = Self { scan, columns: columns.collect(), filters: Vec::new(), schema };
                flat.filters =
                    scan.filters.iter().map(|filter| flat.over_items(filter)).collect::<Option<_>>()?;
                Some(flat)
            }
            LogicalPlan::SubqueryAlias(node) => Some(Self { schema: &node.schema, ..Self::of(&node.input)? }),
            LogicalPlan::Filter(node) => {
                let mut flat = Self::of(&node.input)?;
                let filter = flat.over_items(&node.predicate)?;
                flat.filters.push(filter);
                Some(flat)
            }
            LogicalPlan::Projection(node) => {
                let flat = Self::of(&node.input)?;
                let columns = node.expr.iter().map(|expr| flat.over_items(expr)).collect::<Option<_>>()?;
                Some(Self { columns, schema: &node.schema, ..flat })
            }
            // Anything else decides about rows, or is not one dataset.
            _ => None,
        }
    }

    /// An expression of this plan's columns as one of items; none when it depends on more than one row's values.
    pub(super) fn over_items(&self, expr: &Expr) -> Option<Expr> {
        let mut fits = true;
        let over = expr.clone().transform_down(|expr| {
            let expr = match expr {
                Expr::Column(column) => {
                    let at = self.schema.maybe_index_of_column(&column);
                    match at.and_then(|at| self.columns.get(at)) {
                        Some(over) => {
                            return Ok(Transformed::new(over.clone(), true, TreeNodeRecursion::Jump));
                        }
                        None => Expr::Column(column),
                    }
                }
                other => other,
            };
            if depends_on_more(&expr) {
                fits = false;
                return Ok(Transformed::new(expr, false, TreeNodeRecursion::Stop));
            }
            Ok(Transformed::no(expr))
        });
        let over = over.data().ok().filter(|_| fits)?;
        Some(without_alias(over))
    }
}

fn without_alias(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(alias) => without_alias(*alias.expr),
        other => other,
    }
}

/// Columns here are of another query; the others are not functions of one row's values.
fn depends_on_more(expr: &Expr) -> bool {
    expr.is_volatile_node()
        || matches!(
            expr,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
                | Expr::Placeholder(_)
                | Expr::WindowFunction(_)
                | Expr::Unnest(_)
        )
}
