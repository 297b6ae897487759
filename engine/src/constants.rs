//! Constants: a constant in a projection is made into as many values as there are rows. One that is large is looked at
//! before: lists and texts that a function made of a few bytes would fill the memory in one allocation.

use crate::error::EngineError;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Smaller ones are not looked at: as often as a batch has rows they are no danger.
const LOOKED_AT_BYTES: usize = 4 * 1024;

/// Puts the large constants of a plan's projections under a limit of bytes for each batch.
pub(crate) fn bounded(plan: Arc<dyn ExecutionPlan>, limit_bytes: usize) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(projection) = node.downcast_ref::<ProjectionExec>() else {
            return Ok(Transformed::no(node));
        };
        let mut changed = false;
        let expressions: Vec<_> = projection
            .expr()
            .iter()
            .map(|projected| {
                let mut projected = projected.clone();
                if let Some(literal) = projected.expr.downcast_ref::<Literal>()
                    && literal.value().size() > LOOKED_AT_BYTES
                {
                    changed = true;
                    projected.expr = Arc::new(Bounded { value: literal.clone(), limit_bytes });
                }
                projected
            })
            .collect();
        if !changed {
            return Ok(Transformed::no(node));
        }
        let input = Arc::clone(projection.input());
        Ok(Transformed::yes(Arc::new(ProjectionExec::try_new(expressions, input)?) as Arc<dyn ExecutionPlan>))
    })
    .data()
}

/// A constant that fails where it would become too many values.
#[derive(Debug, PartialEq, Eq)]
struct Bounded {
    value: Literal,
    limit_bytes: usize,
}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl fmt::Display for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl PhysicalExpr for Bounded {
    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        self.value.return_field(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let bytes = self.value.value().size().saturating_mul(batch.num_rows());
        if bytes > self.limit_bytes {
            return Err(EngineError::TooLarge(format!(
                "a constant would be repeated to about {} MiB at once; at most {} MiB are built",
                bytes / (1024 * 1024),
                self.limit_bytes / (1024 * 1024)
            ))
            .into());
        }
        self.value.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a constant has no child") }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt_sql(f)
    }
}
