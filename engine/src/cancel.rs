//! Cancel: makes the one operator stop that does not yield by itself.
//!
//! A dropped task ends where its operators yield, and DataFusion's do so within milliseconds, except a
//! nested-loop join whose filter matches nothing: it compares all pairs of a batch in one go. Its filter
//! is therefore wrapped in an expression that fails once the query is cancelled.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Makes the plan's nested-loop joins stop when `token` is cancelled.
pub(crate) fn cancellable(
    plan: Arc<dyn ExecutionPlan>,
    token: &CancellationToken,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else {
            return Ok(Transformed::no(node));
        };
        let Some(filter) = join.filter() else { return Ok(Transformed::no(node)) };
        let expression = Arc::new(Watched { inner: Arc::clone(filter.expression()), token: token.clone() });
        let watched =
            JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()));
        let join = NestedLoopJoinExec::try_new(
            Arc::clone(join.left()),
            Arc::clone(join.right()),
            Some(watched),
            join.join_type(),
            join.projection().as_ref().map(|columns| columns.to_vec()),
        )?;
        Ok(Transformed::yes(Arc::new(join) as Arc<dyn ExecutionPlan>))
    })
    .data()
}

/// An expression that fails once its query is cancelled.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn PhysicalExpr>,
    token: CancellationToken,
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Watched {
    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.token.is_cancelled() {
            return exec_err!("the query was cancelled");
        }
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.is_empty()) {
            (Some(inner), true) => Ok(Arc::new(Self { inner, token: self.token.clone() })),
            _ => internal_err!("a watched expression has one child"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
