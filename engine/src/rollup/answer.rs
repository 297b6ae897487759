//! Answer: each aggregation of a plan that a rollup can tell exactly is computed from it.

use super::flatten::Flat;
use super::matching::Matching;
use super::measures::{Measures, Regrouped};
use crate::error::Result;
use crate::plan::{DatasetTable, LocalCatalog, ScanOf};
use crate::table::views_inside;
use basin_catalog::{DatasetState, DatasetVersion, RollupState};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{DFSchema, TableReference};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast};
use std::sync::Arc;

/// Sums of so many rows fit the type of a sum of decimals, which has ten digits more.
const SUMMED_ROWS: u64 = 1_000_000_000;

/// Answers a plan's aggregations, in subqueries too, from rollups where they give the same rows.
pub(crate) fn answered(plan: LogicalPlan, local: &LocalCatalog) -> Result<LogicalPlan> {
    let answered = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = &node else { return Ok(Transformed::no(node)) };
        Ok(match from_rollup(aggregate, local) {
            Some(answer) => Transformed::yes(answer),
            None => Transformed::no(node),
        })
    });
    Ok(answered.data()?)
}

/// The smallest rollup's answer.
fn from_rollup(aggregate: &Aggregate, local: &LocalCatalog) -> Option<LogicalPlan> {
    let flat = Flat::of(&aggregate.input)?;
    let provider = source_as_provider(&flat.scan.source).ok()?;
    let table = provider.downcast_ref::<DatasetTable>()?;
    let ScanOf::Dataset(name) = table.of() else { return None };
    let view = local.grants.dataset(name)?;
    if !view.is_whole() || table.rules().is_some() {
        return None;
    }
    let state = view.state();
    let version = state.current().filter(|version| version.rows <= SUMMED_ROWS)?;
    let mut rollups: Vec<&RollupState> =
        state.rollups.values().filter(|rollup| is_usable(rollup, state, version)).collect();
    rollups.sort_by_key(|rollup| rollup.made.as_ref().map(|made| made.rows));
    rollups.into_iter().find_map(|rollup| Asked { aggregate, flat: &flat, state }.of(rollup, local))
}

/// Of exactly the version that is read, and smaller.
fn is_usable(rollup: &RollupState, state: &DatasetState, version: &DatasetVersion) -> bool {
    state.is_fresh(rollup) && rollup.made.as_ref().is_some_and(|made| made.rows < version.rows)
}

/// An aggregation of a dataset.
struct Asked<'a> {
    aggregate: &'a Aggregate,
    flat: &'a Flat<'a>,
    state: &'a DatasetState,
}

impl Asked<'_> {
    fn of(&self, rollup: &RollupState, local: &LocalCatalog) -> Option<LogicalPlan> {
        let items = DFSchema::try_from(views_inside(&self.state.definition.arrow_schema())).ok()?;
        let matching = Matching { rollup: &rollup.declared, items: &items };
        let measures = Measures { matching, made: rollup.made.as_ref()? };
        let group = |expr: &Expr| self.flat.over_items(expr).and_then(|expr| matching.over_dimensions(&expr));
        let filters = self.flat.filters.iter().map(|filter| matching.over_dimensions(filter));
        let filters = filters.collect::<Option<Vec<_>>>()?;
        let groups = self.aggregate.group_expr.iter().map(|expr| grouped(expr, &group));
        let groups = groups.collect::<Option<Vec<_>>>()?;
        let regrouped = self.aggregate.aggr_expr.iter().map(|expr| measures.regrouped(expr, self.flat));
        let regrouped = regrouped.collect::<Option<Vec<Regrouped>>>()?;
        if filters.is_empty() && groups.is_empty() && regrouped.iter().all(|one| one.is_told) {
            return None;
        }
        let scan = scan(rollup, self.state, local)?;
        match self.built(scan, filters, groups, &regrouped) {
            Ok(plan) => plan.filter(|plan| is_same(plan.schema(), &self.aggregate.schema)),
            Err(error) => {
                tracing::debug!(%error, "an aggregation is not answered from a rollup");
                None
            }
        }
    }

    /// Filters and groups the rollup's rows, and gives the columns that the aggregation has.
    fn built(
        &self,
        scan: LogicalPlan,
        filters: Vec<Expr>,
        groups: Vec<Expr>,
        regrouped: &[Regrouped],
    ) -> datafusion::common::Result<Option<LogicalPlan>> {
        let mut builder = LogicalPlanBuilder::from(scan);
        if let Some(filter) = conjunction(filters) {
            builder = builder.filter(filter)?;
        }
        let input = Arc::new(builder.build()?);
        let qualified = |expr: Expr| datafusion::logical_expr::expr_rewriter::normalize_col(expr, &input);
        let groups = groups.into_iter().map(qualified).collect::<datafusion::common::Result<Vec<_>>>()?;
        let named = regrouped.iter().flat_map(|one| &one.aggregates).zip(0..);
        let aggregates = named.map(|(expr, at)| Ok(qualified(expr.clone())?.alias(format!("_{at}"))));
        let aggregates = aggregates.collect::<datafusion::common::Result<Vec<_>>>()?;
        let over = LogicalPlan::Aggregate(Aggregate::try_new(input, groups, aggregates)?);
        let Some(columns) = self.columns(over.schema(), regrouped)? else { return Ok(None) };
        LogicalPlanBuilder::from(over).project(columns)?.build().map(Some)
    }

    /// The aggregation's columns, under its names, from those of the aggregation over groups.
    fn columns(
        &self,
        over: &DFSchema,
        regrouped: &[Regrouped],
    ) -> datafusion::common::Result<Option<Vec<Expr>>> {
        let wanted = &self.aggregate.schema;
        let mut own = over.columns().into_iter().map(Expr::Column);
        let groups = wanted.fields().len().saturating_sub(regrouped.len());
        let mut made: Vec<Expr> = own.by_ref().take(groups).collect();
        for one in regrouped {
            let columns: Vec<Expr> = own.by_ref().take(one.aggregates.len()).collect();
            let Some(finished) = one.finished(&columns) else { return Ok(None) };
            made.push(finished);
        }
        let mut columns = Vec::with_capacity(made.len());
        for (expr, (qualifier, field)) in made.into_iter().zip(wanted.iter()) {
            let fits = expr.get_type(over)? == *field.data_type();
            let expr = if fits { expr } else { cast(expr, field.data_type().clone()) };
            columns.push(expr.alias_qualified(qualifier.cloned(), field.name()));
        }
        Ok(Some(columns))
    }
}

/// A grouping over dimensions; of grouping sets, each expression.
fn grouped(expr: &Expr, group: &impl Fn(&Expr) -> Option<Expr>) -> Option<Expr> {
    let all = |exprs: &[Expr]| exprs.iter().map(group).collect::<Option<Vec<_>>>();
    Some(match expr {
        Expr::GroupingSet(GroupingSet::Rollup(exprs)) => Expr::GroupingSet(GroupingSet::Rollup(all(exprs)?)),
        Expr::GroupingSet(GroupingSet::Cube(exprs)) => Expr::GroupingSet(GroupingSet::Cube(all(exprs)?)),
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => {
            let sets = sets.iter().map(|set| all(set)).collect::<Option<Vec<_>>>()?;
            Expr::GroupingSet(GroupingSet::GroupingSets(sets))
        }
        plain => group(plain)?,
    })
}

/// A scan whose name says in EXPLAIN what answers; nothing is found under it.
fn scan(rollup: &RollupState, state: &DatasetState, local: &LocalCatalog) -> Option<LogicalPlan> {
    let declared = &rollup.declared;
    let columns = declared.columns(&state.definition).ok()?;
    let table = local.rollup(rollup, views_inside(&Schema::new(columns)))?;
    let name = format!("{} rollup {}", declared.dataset, declared.name);
    let scan = LogicalPlanBuilder::scan(TableReference::bare(name), provider_as_source(table), None).ok()?;
    scan.build().ok()
}

/// Names, types and what may be NULL: nothing above can tell a difference.
fn is_same(answer: &DFSchema, wanted: &DFSchema) -> bool {
    answer.fields().len() == wanted.fields().len()
        && answer.iter().zip(wanted.iter()).all(|((by, ours), (of, theirs))| {
            by == of
                && ours.name() == theirs.name()
                && ours.data_type() == theirs.data_type()
                && ours.is_nullable() == theirs.is_nullable()
        })
}
