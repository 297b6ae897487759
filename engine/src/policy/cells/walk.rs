//! Walk: from the scans of a plan upwards, what its rows are. Whatever is not known to be harmless to rows that may not
//! be shown is refused.

use super::super::grants::Grants;
use super::super::rules::Rules;
use super::origin::{Origin, Raw};
use super::step::{Marks, Rows, Step, column};
use super::{aggregate, join};
use crate::error::{EngineError, Result};
use crate::plan::{DatasetTable, ScanOf};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{
    Distinct, Expr, LogicalPlan, LogicalPlanBuilder, Projection, SortExpr, Subquery, SubqueryAlias,
    TableScan, TableScanBuilder, Window,
};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One walk over one plan.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    grants: &'a Arc<Grants>,
    /// Aggregations found so far: their marks have names of their own.
    found: Cell<usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(grants: &'a Arc<Grants>) -> Self {
        Self { grants, found: Cell::new(0) }
    }

    /// A number that no other aggregation has.
    fn next(&self) -> usize {
        self.found.replace(self.found.get() + 1)
    }

    /// Walks a plan and its inputs.
    ///
    /// # Errors
    /// `GroupsOnly` when it does with rows what may not be done.
    pub(super) fn walk(&self, plan: LogicalPlan) -> Result<Step> {
        let plan = self.subqueries(plan)?;
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(projection) => {
                let input = self.walk(Arc::unwrap_or_clone(projection.input))?;
                project(projection.expr, input)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.walk(Arc::unwrap_or_clone(alias.input))?;
                let plan = SubqueryAlias::try_new(Arc::new(input.plan), alias.alias)?;
                Ok(Step { plan: LogicalPlan::SubqueryAlias(plan), rows: input.rows })
            }
            LogicalPlan::Filter(filter) => {
                let input = self.walk(Arc::unwrap_or_clone(filter.input))?;
                if let Rows::Raw(raw) = &input.rows
                    && !raw.groups(&filter.predicate, input.plan.schema())
                {
                    return Err(raw.refuse(format!(
                        "its rows are filtered by items of role dimension, region or time, compared with values; not by {}",
                        filter.predicate
                    )));
                }
                let plan = LogicalPlanBuilder::from(input.plan).filter(filter.predicate)?.build()?;
                Ok(Step { plan, rows: input.rows })
            }
            LogicalPlan::Aggregate(aggregate) => {
                let input = self.walk(Arc::unwrap_or_clone(Arc::clone(&aggregate.input)))?;
                aggregate::aggregate(aggregate, input, self.next())
            }
            LogicalPlan::Join(join) => {
                let left = self.walk(Arc::unwrap_or_clone(Arc::clone(&join.left)))?;
                let right = self.walk(Arc::unwrap_or_clone(Arc::clone(&join.right)))?;
                join::join(self.grants, join, left, right)
            }
            LogicalPlan::Distinct(Distinct::All(input)) => distinct(self.walk(Arc::unwrap_or_clone(input))?),
            LogicalPlan::Sort(node) => {
                sort(node.expr, node.fetch, self.walk(Arc::unwrap_or_clone(node.input))?)
            }
            LogicalPlan::Limit(limit) => {
                let input = self.walk(Arc::unwrap_or_clone(Arc::clone(&limit.input)))?;
                let marks = shown_only(input.rows, "its rows can't be picked by LIMIT")?;
                let plan = LogicalPlan::Limit(limit);
                let plan = plan.with_new_exprs(plan.expressions(), vec![input.plan])?;
                Ok(Step { plan, rows: Rows::Shown(marks) })
            }
            LogicalPlan::Window(window) => {
                let input = self.walk(Arc::unwrap_or_clone(window.input))?;
                let marks =
                    shown_only(input.rows, "its rows can't be numbered or compared by window functions")?;
                let plan = Window::try_new(window.window_expr, Arc::new(input.plan))?;
                Ok(Step { plan: LogicalPlan::Window(plan), rows: Rows::Shown(marks) })
            }
            other => self.other(other),
        }
    }

    /// A node that is not known to keep marks in their place, nor rows uncounted.
    fn other(&self, plan: LogicalPlan) -> Result<Step> {
        let inputs = plan.inputs().into_iter().cloned().collect::<Vec<_>>();
        if inputs.is_empty() {
            return Ok(Step::shown(plan));
        }
        let inputs =
            inputs.into_iter().map(|input| self.walk(input)?.stripped()).collect::<Result<Vec<_>>>()?;
        let plan = plan.with_new_exprs(plan.expressions(), inputs)?;
        Ok(Step::shown(plan.recompute_schema()?))
    }

    /// Subqueries in expressions are results of their own.
    fn subqueries(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let walked = plan.map_subqueries(|node| match node {
            LogicalPlan::Subquery(subquery) => {
                let inner = self.walk(Arc::unwrap_or_clone(Arc::clone(&subquery.subquery)));
                let plan = inner.and_then(Step::stripped).map_err(DataFusionError::from)?;
                Ok(Transformed::yes(LogicalPlan::Subquery(Subquery { subquery: Arc::new(plan), ..subquery })))
            }
            other => Ok(Transformed::no(other)),
        });
        Ok(walked.data()?)
    }

    /// A scan of a dataset with a minimum cell gets its unit as a column more.
    fn scan(&self, scan: TableScan) -> Result<Step> {
        let provider = source_as_provider(&scan.source)?;
        let concerned = provider.downcast_ref::<DatasetTable>().and_then(|table| {
            let ScanOf::Dataset(name) = table.of() else { return None };
            let rules = table.rules()?;
            Some((table, name, rules, rules.minimum_cell()?))
        });
        let Some((table, name, rules, cell)) = concerned else {
            return Ok(Step::shown(LogicalPlan::TableScan(scan)));
        };
        let lost = || EngineError::lost("a policed dataset is gone");
        let view = self.grants.dataset(name).ok_or_else(lost)?;
        let counting = rules.with_unit(&view)?;
        let weighted = Rules::is_weighted(&view);
        let width = rules.schema().fields().len();
        let projection = scan.projection.unwrap_or_else(|| (0..width).collect());
        let (unit, present) = (projection.len(), projection.len() + 1);
        let columns = projection.iter().map(|at| {
            let item = rules.schema().fields().get(*at).and_then(|field| view.terms().item(field.name()));
            item.map_or(Origin::Other, |item| Origin::of(item.role))
        });
        let columns = columns.chain([Origin::Unit, Origin::Other]).collect();
        let raw = Raw { dataset: name.clone(), cell, weighted, columns, unit, present };
        if scan.fetch.is_some() {
            return Err(raw.refuse("its rows can't be picked by LIMIT"));
        }
        let projection = projection.into_iter().chain([width, width + 1]).collect();
        let source = provider_as_source(Arc::new(table.under(counting)));
        let plan = TableScanBuilder::new(scan.table_name, source)
            .with_projection(Some(projection))
            .with_filters(scan.filters)
            .build()?;
        if let Some(filter) = plan.filters.iter().find(|filter| !raw.groups(filter, &plan.projected_schema)) {
            return Err(raw.refuse(format!("its rows can't be filtered by {filter}")));
        }
        Ok(Step { plan: LogicalPlan::TableScan(plan), rows: Rows::Raw(raw) })
    }
}

/// The order of rows that are counted tells nothing, but how it is made might.
fn sort(exprs: Vec<SortExpr>, fetch: Option<usize>, input: Step) -> Result<Step> {
    match input.rows {
        Rows::Raw(_) if fetch.is_none() => Ok(input),
        Rows::Raw(raw) => Err(raw.refuse("its rows can't be picked by ORDER BY with LIMIT")),
        Rows::Shown(marks) => {
            let plan = LogicalPlanBuilder::from(input.plan).sort_with_limit(exprs, fetch)?;
            Ok(Step { plan: plan.build()?, rows: Rows::Shown(marks) })
        }
    }
}

fn shown_only(rows: Rows, why: &str) -> Result<Marks> {
    match rows {
        Rows::Shown(marks) => Ok(marks),
        Rows::Raw(raw) => Err(raw.refuse(why)),
    }
}

/// The same columns with the unit, or with the marks, behind them.
fn project(exprs: Vec<Expr>, input: Step) -> Result<Step> {
    let schema = Arc::clone(input.plan.schema());
    let width = exprs.len();
    let (extra, rows) = match input.rows {
        Rows::Raw(raw) => {
            let columns = exprs.iter().map(|expr| raw.origin(expr, &schema));
            let columns = columns.chain([Origin::Unit, Origin::Other]).collect();
            let extra = vec![column(&schema, raw.unit), column(&schema, raw.present)];
            (extra, Rows::Raw(Raw { columns, unit: width, present: width + 1, ..raw }))
        }
        Rows::Shown(marks) => {
            let of: Vec<BTreeSet<usize>> = exprs
                .iter()
                .map(|expr| {
                    let refs = expr.column_refs().into_iter();
                    refs.filter_map(|column| schema.index_of_column(column).ok())
                        .flat_map(|at| marks.of(at))
                        .collect()
                })
                .collect();
            let kept: Vec<usize> =
                of.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
            let place = |mark: &usize| kept.iter().position(|kept| kept == mark).map(|at| width + at);
            let of = of.iter().map(|marks| marks.iter().filter_map(place).collect()).collect();
            let extra = kept.iter().map(|mark| column(&schema, *mark)).collect::<Vec<_>>();
            let own = (width..width + kept.len()).collect();
            (extra, Rows::Shown(Marks { own, of }))
        }
    };
    let exprs = exprs.into_iter().chain(extra).collect();
    Ok(Step { plan: LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input.plan))?), rows })
}

/// Distinct groups' values are the groups that there are, as GROUP BY shows them.
fn distinct(input: Step) -> Result<Step> {
    let plan = match &input.rows {
        Rows::Shown(_) => input.stripped()?,
        Rows::Raw(raw) => {
            let schema = Arc::clone(input.plan.schema());
            let shown: Vec<usize> =
                (0..raw.columns.len()).filter(|at| *at != raw.unit && *at != raw.present).collect();
            let columns: Vec<Expr> = shown.iter().map(|at| column(&schema, *at)).collect();
            if let Some(other) = columns.iter().find(|column| !raw.groups(column, &schema)) {
                return Err(raw.refuse(format!("values of {other} are not listed")));
            }
            LogicalPlan::Projection(Projection::try_new(columns, Arc::new(input.plan))?)
        }
    };
    Ok(Step::shown(LogicalPlan::Distinct(Distinct::All(Arc::new(plan)))))
}
