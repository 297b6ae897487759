//! Join: rows that may be counted, joined with rows that may be shown.
//!
//! Units are counted once each, however often a join repeats their rows. Weights are not: they are summed, so that
//! nothing may repeat them.

use super::super::grants::Grants;
use super::origin::{Origin, Raw};
use super::step::{Marks, Rows, Step};
use crate::error::Result;
use crate::plan::{DatasetTable, ScanOf};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn join(grants: &Grants, join: Join, left: Step, right: Step) -> Result<Step> {
    let widths = (left.plan.schema().fields().len(), right.plan.schema().fields().len());
    let all = left.plan.schema().join(right.plan.schema())?;
    let names = |side: fn(&(Expr, Expr)) -> &Expr| join.on.iter().map(side).filter_map(as_column).collect();
    let rows = match (left.rows, right.rows) {
        (Rows::Shown(left), Rows::Shown(right)) => {
            Rows::Shown(marks(join.join_type, widths.0, &left, &right))
        }
        (Rows::Raw(raw), Rows::Raw(_)) => {
            return Err(
                raw.refuse("it is joined with rows that are not shown either; group each first, then join")
            );
        }
        (Rows::Raw(raw), Rows::Shown(_)) => {
            let beside = beside(&raw, widths, true);
            check(&beside, &join, &all, |(left, _)| left)?;
            if raw.weighted
                && repeats(join.join_type)
                && !is_unique(grants, &right.plan, &names(|(_, right)| right))
            {
                return Err(repeated(&raw));
            }
            Rows::Raw(placed(raw, beside, join.join_type, true)?)
        }
        (Rows::Shown(_), Rows::Raw(raw)) => {
            let beside = beside(&raw, widths, false);
            check(&beside, &join, &all, |(_, right)| right)?;
            if raw.weighted
                && repeats(join.join_type)
                && !is_unique(grants, &left.plan, &names(|(left, _)| left))
            {
                return Err(repeated(&raw));
            }
            Rows::Raw(placed(raw, beside, join.join_type, false)?)
        }
    };
    let plan = Join::try_new(
        Arc::new(left.plan),
        Arc::new(right.plan),
        join.on,
        join.filter,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    Ok(Step { plan: LogicalPlan::Join(plan), rows })
}

fn repeated(raw: &Raw) -> crate::error::EngineError {
    raw.refuse("a join could count its units more than once; join by the other table's key, or group first, then join")
}

/// The columns of both sides, one beside the other.
fn beside(raw: &Raw, (left, right): (usize, usize), raw_is_left: bool) -> Raw {
    let free = |count: usize| std::iter::repeat_n(Origin::Free, count);
    if raw_is_left {
        let columns = raw.columns.iter().copied().chain(free(right)).collect();
        return Raw { columns, ..raw.clone() };
    }
    let columns = free(left).chain(raw.columns.iter().copied()).collect();
    Raw { columns, unit: raw.unit + left, present: raw.present + left, ..raw.clone() }
}

/// The condition looks at groups' values only; what it does with the other side's rows is free.
fn check(beside: &Raw, join: &Join, all: &DFSchema, side: fn(&(Expr, Expr)) -> &Expr) -> Result<()> {
    for expr in join.on.iter().map(side).chain(&join.filter) {
        if !beside.groups(expr, all) {
            let why = format!("it is joined by items of role dimension, region or time; not by {expr}");
            return Err(beside.refuse(why));
        }
    }
    Ok(())
}

/// What comes up: both sides, or ours alone.
fn placed(raw: Raw, beside: Raw, kind: JoinType, raw_is_left: bool) -> Result<Raw> {
    match kind {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => Ok(beside),
        JoinType::LeftSemi | JoinType::LeftAnti if raw_is_left => Ok(raw),
        JoinType::RightSemi | JoinType::RightAnti if !raw_is_left => Ok(raw),
        JoinType::LeftSemi
        | JoinType::LeftAnti
        | JoinType::RightSemi
        | JoinType::RightAnti
        | JoinType::LeftMark
        | JoinType::RightMark => Err(raw.refuse(
            "this kind of join would show which of its rows there are; use an inner or outer join and group its rows",
        )),
    }
}

/// Whether one row of a side may come up more than once.
fn repeats(kind: JoinType) -> bool {
    match kind {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => true,
        JoinType::LeftSemi
        | JoinType::LeftAnti
        | JoinType::LeftMark
        | JoinType::RightSemi
        | JoinType::RightAnti
        | JoinType::RightMark => false,
    }
}

/// Marks of both sides, of those that come up.
fn marks(kind: JoinType, left: usize, of_left: &Marks, of_right: &Marks) -> Marks {
    let moved = |marks: &BTreeSet<usize>| marks.iter().map(|at| at + left).collect::<BTreeSet<_>>();
    match kind {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => of_left.clone(),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => of_right.clone(),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            let own = of_left.own.iter().copied().chain(moved(&of_right.own)).collect();
            let padded = (0..left).map(|at| of_left.of(at));
            let of = padded.chain(of_right.of.iter().map(moved)).collect();
            Marks { own, of }
        }
    }
}

fn as_column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(Column { name, .. }) => Some(name.clone()),
        _ => None,
    }
}

/// Tells whether no two rows of a plan are equal in the named columns.
fn is_unique(grants: &Grants, plan: &LogicalPlan, names: &BTreeSet<String>) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => is_unique(grants, &alias.input, names),
        LogicalPlan::Filter(filter) => is_unique(grants, &filter.input, names),
        LogicalPlan::Projection(projection) => {
            // Only columns that keep their name.
            let kept = projection.expr.iter().filter_map(as_column).collect::<BTreeSet<_>>();
            is_unique(grants, &projection.input, &names.intersection(&kept).cloned().collect())
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            input.schema().fields().iter().all(|field| names.contains(field.name()))
        }
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.iter().all(|expr| as_column(expr).is_some_and(|name| names.contains(&name)))
        }
        LogicalPlan::TableScan(scan) => {
            let Ok(provider) = source_as_provider(&scan.source) else { return false };
            let Some(ScanOf::Dataset(name)) = provider.downcast_ref::<DatasetTable>().map(DatasetTable::of)
            else {
                return false;
            };
            let Some(view) = grants.dataset(name) else { return false };
            let key = &view.definition().layout.key;
            !key.is_empty() && key.iter().all(|item| names.contains(item.as_str()))
        }
        _ => false,
    }
}
