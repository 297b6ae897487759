//! Aggregate: rows that may be counted -> groups, with the measures of small ones withheld.

use super::node::{Measure, WithheldNode};
use super::origin::{Origin, Raw};
use super::step::{Marks, Rows, Step, column};
use crate::error::Result;
use datafusion::common::DFSchema;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, sum};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, ExprFunctionExt, Extension, LogicalPlan, LogicalPlanBuilder, Operator, lit,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Aggregations whose value tells of a group and of none of its rows.
const OF_MEASURES: [&str; 8] =
    ["sum", "avg", "count", "stddev", "stddev_pop", "var", "var_pop", "approx_distinct"];

/// An aggregation; of rows that may be shown it is one like any other.
/// `number` is one that no other aggregation of the plan has.
pub(super) fn aggregate(aggregate: Aggregate, input: Step, number: usize) -> Result<Step> {
    let raw = match input.rows {
        Rows::Raw(raw) => raw,
        Rows::Shown(_) => {
            let plan = LogicalPlan::Aggregate(aggregate);
            let plan = plan.with_new_exprs(plan.expressions(), vec![input.plan])?;
            return Ok(Step::shown(plan));
        }
    };
    let schema = Arc::clone(input.plan.schema());
    let margins = matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]);
    for expr in grouped(&aggregate.group_expr) {
        if !raw.groups(expr, &schema) {
            return Err(raw
                .refuse(format!("it is grouped by items of role dimension, region or time; not by {expr}")));
        }
    }
    let measures =
        aggregate.aggr_expr.iter().map(|expr| measure(&raw, expr, &schema)).collect::<Result<Vec<_>>>()?;

    let (units, present) = counts(&raw, &schema)?;
    let hidden = [units.alias(format!("__units_{number}")), present.alias(format!("__present_{number}"))];
    let exprs = aggregate.aggr_expr.into_iter().chain(hidden);
    let plan = LogicalPlanBuilder::from(input.plan).aggregate(aggregate.group_expr, exprs)?.build()?;
    let groups = plan.schema().fields().len() - measures.len() - 2;
    let (first, last) = (groups, groups + measures.len());
    let node = WithheldNode::new(plan, raw.cell, measures, margins, format!("__conf_{number}"))?;
    let mut of = vec![BTreeSet::new(); last + 1];
    for marks in of.iter_mut().take(last).skip(first) {
        marks.insert(last);
    }
    Ok(Step {
        plan: LogicalPlan::Extension(Extension { node: Arc::new(node) }),
        rows: Rows::Shown(Marks { own: BTreeSet::from([last]), of }),
    })
}

/// The expressions of GROUP BY, whether in grouping sets or not.
fn grouped(exprs: &[Expr]) -> Vec<&Expr> {
    exprs
        .iter()
        .flat_map(|expr| match expr {
            Expr::GroupingSet(sets) => sets.distinct_expr(),
            other => vec![other],
        })
        .collect()
}

/// How many units a group has, and how many rows tell that it has any.
fn counts(raw: &Raw, schema: &DFSchema) -> Result<(Expr, Expr)> {
    let (unit, present) = (column(schema, raw.unit), column(schema, raw.present));
    if !raw.weighted {
        return Ok((count_distinct(unit), count(present)));
    }
    // An unknown weight is not none: it hides the group unless the known ones suffice.
    let some = Expr::BinaryExpr(BinaryExpr {
        left: Box::new(unit.clone()),
        op: Operator::IsDistinctFrom,
        right: Box::new(lit(0_i64)),
    });
    Ok((sum(unit), count(present).filter(some).build()?))
}

/// Checks that an aggregate tells nothing of single rows.
fn measure(raw: &Raw, expr: &Expr, schema: &DFSchema) -> Result<Measure> {
    let Some(call) = called(expr) else {
        return Err(raw.refuse(format!("{expr} is not an aggregate that can be shown of its groups")));
    };
    let (name, params) = (call.func.name(), &call.params);
    if !OF_MEASURES.contains(&name) {
        return Err(raw.refuse(format!(
            "{name} would show values of single rows; its groups have sum, avg, count, stddev and var"
        )));
    }
    if params.filter.is_some() || !params.order_by.is_empty() {
        return Err(raw.refuse(
            "an aggregate with FILTER or ORDER BY looks at a part of a group; use WHERE or GROUP BY",
        ));
    }
    if params.distinct && name != "count" {
        return Err(
            raw.refuse(format!("{name}(DISTINCT …) would show which values there are; only count has it"))
        );
    }
    let counts = name == "count" || name == "approx_distinct";
    let mut rounded = counts;
    for arg in &params.args {
        let origin = raw.origin(arg, schema);
        let fits = match origin {
            Origin::Measure => true,
            Origin::Weight => {
                rounded |= name == "sum";
                true
            }
            Origin::Free => true,
            Origin::Group | Origin::Unit => counts,
            Origin::Other => false,
        };
        if !fits {
            return Err(raw.refuse(format!(
                "{name} is of an item of role measure or unit_weight as it is; not of {arg}"
            )));
        }
    }
    let additive = (name == "count" && !params.distinct) || name == "sum";
    let weight = name == "sum" && rounded;
    Ok(Measure { rounded, additive, weight })
}

fn called(expr: &Expr) -> Option<&AggregateFunction> {
    match expr {
        Expr::AggregateFunction(call) => Some(call),
        Expr::Alias(alias) => called(&alias.expr),
        _ => None,
    }
}
