//! Step: a plan on the walk upwards, and what its rows are: to be shown, or to be counted only.

use super::origin::Raw;
use crate::error::Result;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A plan, and what its rows are.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) plan: LogicalPlan,
    pub(super) rows: Rows,
}

/// What rows are.
#[derive(Debug)]
pub(super) enum Rows {
    /// They may be shown.
    Shown(Marks),
    /// They may be counted.
    Raw(Raw),
}

/// Which columns of a plan tell that others were withheld.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    /// Positions of the columns that are marks.
    pub(super) own: BTreeSet<usize>,
    /// For each column the marks that tell of it; empty when there are no marks.
    pub(super) of: Vec<BTreeSet<usize>>,
}

impl Marks {
    /// The marks that tell of a column.
    pub(super) fn of(&self, at: usize) -> BTreeSet<usize> {
        self.of.get(at).cloned().unwrap_or_default()
    }
}

impl Step {
    pub(super) fn shown(plan: LogicalPlan) -> Self {
        Self { plan, rows: Rows::Shown(Marks::default()) }
    }

    /// The plan without marks.
    ///
    /// # Errors
    /// `GroupsOnly` when its rows may not be shown.
    pub(super) fn stripped(self) -> Result<LogicalPlan> {
        match self.rows {
            Rows::Raw(raw) => Err(raw.refuse(
                "its rows are not shown one by one; group them: SELECT …, count(*) … GROUP BY the items of role dimension, region or time",
            )),
            Rows::Shown(marks) if marks.own.is_empty() => Ok(self.plan),
            Rows::Shown(marks) => {
                let columns = (0..self.plan.schema().fields().len()).filter(|at| !marks.own.contains(at));
                let columns: Vec<Expr> = columns.map(|at| column(self.plan.schema(), at)).collect();
                Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(self.plan))?))
            }
        }
    }
}

/// A column of a schema by its position.
pub(super) fn column(schema: &DFSchema, at: usize) -> Expr {
    Expr::Column(Column::from(schema.qualified_field(at)))
}
