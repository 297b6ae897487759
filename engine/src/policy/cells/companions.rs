//! Companions: a column beside each measure of the result that tells whether its value was withheld, and why.

use super::step::{Rows, Step, column};
use crate::error::Result;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, lit, when};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the name of a companion adds to its measure's.
const SUFFIX: &str = "__conf";

/// The columns of a result, and behind them a companion for each that depends on withheld cells.
///
/// # Errors
/// `GroupsOnly` when its rows may not be shown.
pub(super) fn add(step: Step) -> Result<LogicalPlan> {
    let Rows::Shown(marks) = &step.rows else { return step.stripped() };
    if marks.own.is_empty() {
        return step.stripped();
    }
    let schema = Arc::clone(step.plan.schema());
    let shown: Vec<usize> = (0..schema.fields().len()).filter(|at| !marks.own.contains(at)).collect();
    let mut names: BTreeSet<String> = shown.iter().map(|at| schema.field(*at).name().clone()).collect();
    let mut exprs: Vec<Expr> = shown.iter().map(|at| column(&schema, *at)).collect();
    for at in shown {
        let of: Vec<Expr> = marks.of(at).into_iter().map(|mark| column(&schema, mark)).collect();
        let name = format!("{}{SUFFIX}", schema.field(at).name());
        // A name of the query's own stays what it is.
        if !of.is_empty() && names.insert(name.clone()) {
            exprs.push(strictest(of)?.alias(name));
        }
    }
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(step.plan))?))
}

/// One mark of several: small before withheld before free.
fn strictest(mut marks: Vec<Expr>) -> Result<Expr> {
    if let [Expr::Column(Column { .. })] = marks.as_slice()
        && let Some(only) = marks.pop()
    {
        return Ok(only);
    }
    let any = |letter: &str| marks.iter().cloned().map(|mark| mark.eq(lit(letter))).reduce(Expr::or);
    let (Some(small), Some(withheld)) = (any("A"), any("D")) else { return Ok(lit("F")) };
    Ok(when(small, lit("A")).when(withheld, lit("D")).otherwise(lit("F"))?)
}
