//! Uses: which items of which datasets reach the result of a plan, and which it uses otherwise: in filters, joins,
//! grouping, order and windows. For the audit; it describes, and decides nothing.
//!
//! Each node gives, for each of its columns, the items that the column is made of. What decides about rows and not
//! about values is gathered on the way. An item that the result neither shows nor depends on is not listed.

use super::providers::{DatasetTable, ScanOf};
use crate::system::{REJECTS, SCHEMA};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Extension, Join, JoinType, LogicalPlan, Partitioning, RecursiveQuery,
    SortExpr, TableScan, Union, Values,
};
use std::collections::{BTreeSet, HashMap};

/// The items that a plan uses, as `schema.dataset.item`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Those that reach the result.
    pub(crate) output: BTreeSet<String>,
    /// The others.
    pub(crate) predicate: BTreeSet<String>,
    /// Those that the policy alone looks at.
    pub(crate) policy: BTreeSet<String>,
}

impl Uses {
    /// Those that the statement names, for whatever.
    pub(super) fn all(&self) -> BTreeSet<String> {
        self.output.union(&self.predicate).cloned().collect()
    }
}

/// Finds what an analysed plan uses.
pub(super) fn of(plan: &LogicalPlan) -> Uses {
    let mut walk = Walk::default();
    let output: Items = walk.plan(plan, None).into_iter().flatten().collect();
    let names = |items: &Items| items.iter().filter_map(|id| walk.names.get(*id).cloned()).collect();
    let predicate = walk.deciding.difference(&output).copied().collect();
    Uses { output: names(&output), predicate: names(&predicate), policy: BTreeSet::new() }
}

/// Items by number.
type Items = BTreeSet<usize>;
/// The items of each column of a node.
type Columns = Vec<Items>;

#[derive(Default)]
struct Walk {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    /// Items that decide about rows.
    deciding: Items,
    /// What the rows of running recursions are made of, by their names.
    recursions: Vec<(String, Columns)>,
}

/// Where the columns in an expression come from.
#[derive(Clone, Copy)]
struct Scope<'a> {
    inputs: &'a [(&'a DFSchema, &'a Columns)],
    outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn column(&self, column: &Column) -> Option<&Items> {
        self.inputs.iter().find_map(|(schema, columns)| columns.get(schema.maybe_index_of_column(column)?))
    }

    /// A column of the nearest query around this one that has it.
    fn outer_column(&self, column: &Column) -> Option<&Items> {
        let outer = self.outer?;
        outer.column(column).or_else(|| outer.outer_column(column))
    }
}

impl Walk {
    fn plan(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Columns {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, outer),
            LogicalPlan::Projection(node) => self.on(&node.input, outer, |walk, scope, _| {
                node.expr.iter().map(|expr| walk.expr(expr, scope)).collect()
            }),
            LogicalPlan::Filter(node) => self.deciding_on(&node.input, outer, [&node.predicate]),
            LogicalPlan::Sort(node) => {
                self.deciding_on(&node.input, outer, node.expr.iter().map(|sort| &sort.expr))
            }
            LogicalPlan::Limit(node) => {
                let bounds = node.skip.iter().chain(&node.fetch).map(AsRef::as_ref);
                self.deciding_on(&node.input, outer, bounds)
            }
            LogicalPlan::Repartition(node) => match &node.partitioning_scheme {
                Partitioning::DistributeBy(by) | Partitioning::Hash(by, _) => {
                    self.deciding_on(&node.input, outer, by)
                }
                Partitioning::RoundRobinBatch(_) | Partitioning::Range(_) => self.plan(&node.input, outer),
            },
            LogicalPlan::Window(node) => self.on(&node.input, outer, |walk, scope, columns| {
                let added = node.window_expr.iter().map(|expr| walk.expr(expr, scope));
                columns.iter().cloned().chain(added.collect::<Columns>()).collect()
            }),
            LogicalPlan::Aggregate(node) => self.aggregate(node, outer),
            LogicalPlan::Join(node) => self.join(node, outer),
            LogicalPlan::Union(node) => self.union(node, outer),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let columns = self.plan(input, outer);
                self.deciding.extend(columns.iter().flatten());
                columns
            }
            LogicalPlan::Distinct(Distinct::On(node)) => self.on(&node.input, outer, |walk, scope, _| {
                walk.decide(&node.on_expr, scope);
                walk.order(node.sort_expr.iter().flatten(), scope);
                node.select_expr.iter().map(|expr| walk.expr(expr, scope)).collect()
            }),
            LogicalPlan::SubqueryAlias(node) => self.plan(&node.input, outer),
            LogicalPlan::Subquery(node) => self.plan(&node.subquery, outer),
            LogicalPlan::Unnest(node) => {
                let columns = self.plan(&node.input, outer);
                let from = node.dependency_indices.iter();
                from.map(|at| columns.get(*at).cloned().unwrap_or_default()).collect()
            }
            LogicalPlan::Values(node) => self.values(node, outer),
            LogicalPlan::RecursiveQuery(node) => self.recursion(node, outer),
            LogicalPlan::Extension(node) => self.extension(node, outer),
            LogicalPlan::EmptyRelation(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_) => self.anything(plan, outer),
        }
    }

    fn values(&mut self, node: &Values, outer: Option<&Scope<'_>>) -> Columns {
        let nowhere = Scope { inputs: &[], outer };
        let mut columns = vec![Items::new(); node.schema.fields().len()];
        for row in &node.values {
            for (column, value) in columns.iter_mut().zip(row) {
                column.extend(self.expr(value, &nowhere));
            }
        }
        columns
    }

    /// Walks a node's only input, and what the node makes of it.
    fn on(
        &mut self,
        input: &LogicalPlan,
        outer: Option<&Scope<'_>>,
        make: impl FnOnce(&mut Self, &Scope<'_>, &Columns) -> Columns,
    ) -> Columns {
        let columns = self.plan(input, outer);
        let inputs = [(input.schema().as_ref(), &columns)];
        make(self, &Scope { inputs: &inputs, outer }, &columns)
    }

    /// A node that passes its input on and only decides about rows.
    fn deciding_on<'e>(
        &mut self,
        input: &LogicalPlan,
        outer: Option<&Scope<'_>>,
        exprs: impl IntoIterator<Item = &'e Expr>,
    ) -> Columns {
        self.on(input, outer, |walk, scope, columns| {
            walk.decide(exprs, scope);
            columns.clone()
        })
    }

    fn scan(&mut self, scan: &TableScan, outer: Option<&Scope<'_>>) -> Columns {
        let name = scan.table_name.table();
        let running = self.recursions.iter().rev().find(|(recursion, _)| recursion == name);
        let provider = source_as_provider(&scan.source).ok();
        let table = provider.as_ref().and_then(|provider| provider.downcast_ref::<DatasetTable>());
        let columns = match (table.map(DatasetTable::of), running) {
            (Some(ScanOf::Dataset(dataset)), _) => self.items(scan, &dataset.to_string()),
            (Some(ScanOf::Rejects(_)), _) => self.items(scan, &format!("{SCHEMA}.{REJECTS}")),
            // Uses are told of the plan before rollups answer it.
            (Some(ScanOf::System | ScanOf::Rollup(_)), _) => {
                vec![Items::new(); scan.projected_schema.fields().len()]
            }
            (None, Some((_, columns))) => {
                let all = || (0..columns.len()).collect();
                let shown = scan.projection.clone().unwrap_or_else(all);
                shown.into_iter().map(|at| columns.get(at).cloned().unwrap_or_default()).collect()
            }
            (None, None) => vec![Items::new(); scan.projected_schema.fields().len()],
        };
        let inputs = [(scan.projected_schema.as_ref(), &columns)];
        self.decide(&scan.filters, &Scope { inputs: &inputs, outer });
        columns
    }

    fn items(&mut self, scan: &TableScan, dataset: &str) -> Columns {
        let fields = scan.projected_schema.fields().iter();
        fields.map(|field| Items::from([self.number(format!("{dataset}.{}", field.name()))])).collect()
    }

    fn number(&mut self, name: String) -> usize {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.names.len();
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    fn aggregate(&mut self, node: &Aggregate, outer: Option<&Scope<'_>>) -> Columns {
        self.on(&node.input, outer, |walk, scope, _| {
            let groups: Vec<&Expr> = match node.group_expr.as_slice() {
                [Expr::GroupingSet(sets)] => distinct(sets),
                plain => plain.iter().collect(),
            };
            walk.decide(groups.iter().copied(), scope);
            let mut columns: Columns = groups.into_iter().map(|expr| walk.expr(expr, scope)).collect();
            // Grouping sets add a column that tells them apart.
            columns.resize(node.schema.fields().len().saturating_sub(node.aggr_expr.len()), Items::new());
            columns.extend(node.aggr_expr.iter().map(|expr| walk.expr(expr, scope)).collect::<Columns>());
            columns
        })
    }

    fn join(&mut self, node: &Join, outer: Option<&Scope<'_>>) -> Columns {
        let left = self.plan(&node.left, outer);
        let left_input = [(node.left.schema().as_ref(), &left)];
        // A lateral right side sees the left one.
        let right = self.plan(&node.right, Some(&Scope { inputs: &left_input, outer }));
        let both = [(node.left.schema().as_ref(), &left), (node.right.schema().as_ref(), &right)];
        let scope = Scope { inputs: &both, outer };
        self.decide(node.on.iter().flat_map(|(left, right)| [left, right]), &scope);
        self.decide(&node.filter, &scope);
        match node.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => [left, right].concat(),
            JoinType::LeftSemi | JoinType::LeftAnti => left,
            JoinType::RightSemi | JoinType::RightAnti => right,
            // The mark tells whether there was a match; what it was made of was gathered above.
            JoinType::LeftMark => [left, vec![Items::new()]].concat(),
            JoinType::RightMark => [right, vec![Items::new()]].concat(),
        }
    }

    fn union(&mut self, node: &Union, outer: Option<&Scope<'_>>) -> Columns {
        let mut columns = vec![Items::new(); node.schema.fields().len()];
        for input in &node.inputs {
            merge(&mut columns, self.plan(input, outer));
        }
        columns
    }

    /// Repeats the recursive term until its columns are made of nothing new.
    fn recursion(&mut self, node: &RecursiveQuery, outer: Option<&Scope<'_>>) -> Columns {
        let mut columns = self.plan(&node.static_term, outer);
        loop {
            let before = columns.clone();
            self.recursions.push((node.name.clone(), before.clone()));
            let added = self.plan(&node.recursive_term, outer);
            self.recursions.pop();
            merge(&mut columns, added);
            if columns == before {
                break;
            }
        }
        if node.is_distinct {
            self.deciding.extend(columns.iter().flatten());
        }
        columns
    }

    /// A node of our own with one input of the same columns passes them on.
    fn extension(&mut self, node: &Extension, outer: Option<&Scope<'_>>) -> Columns {
        let width = node.node.schema().fields().len();
        if let [input] = node.node.inputs().as_slice()
            && input.schema().fields().len() == width
        {
            return self.deciding_on(input, outer, &node.node.expressions());
        }
        self.anything(&LogicalPlan::Extension(node.clone()), outer)
    }

    /// A node of which nothing is known: each of its columns may hold any item below it.
    fn anything(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Columns {
        let inputs = plan.inputs().into_iter().flat_map(|input| self.plan(input, outer));
        let all: Items = inputs.flatten().collect();
        vec![all; plan.schema().fields().len()]
    }

    fn decide<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>, scope: &Scope<'_>) {
        for expr in exprs {
            let items = self.expr(expr, scope);
            self.deciding.extend(items);
        }
    }

    fn order<'e>(&mut self, order: impl IntoIterator<Item = &'e SortExpr>, scope: &Scope<'_>) {
        self.decide(order.into_iter().map(|sort| &sort.expr), scope);
    }

    /// The items that the value of an expression is made of.
    fn expr(&mut self, expr: &Expr, scope: &Scope<'_>) -> Items {
        let mut items = Items::new();
        // The walk itself can't fail.
        let _ = expr.apply(|expr| Ok(self.part(expr, scope, &mut items)));
        items
    }

    fn part(&mut self, expr: &Expr, scope: &Scope<'_>, items: &mut Items) -> TreeNodeRecursion {
        match expr {
            Expr::Column(column) => items.extend(scope.column(column).into_iter().flatten()),
            Expr::OuterReferenceColumn(_, column) => {
                items.extend(scope.outer_column(column).into_iter().flatten());
            }
            Expr::ScalarSubquery(subquery) => {
                items.extend(self.plan(&subquery.subquery, Some(scope)).into_iter().flatten());
            }
            Expr::InSubquery(node) => {
                items.extend(self.plan(&node.subquery.subquery, Some(scope)).into_iter().flatten());
            }
            Expr::SetComparison(node) => {
                items.extend(self.plan(&node.subquery.subquery, Some(scope)).into_iter().flatten());
            }
            // Whether there are rows, not what they hold.
            Expr::Exists(node) => drop(self.plan(&node.subquery.subquery, Some(scope))),
            Expr::AggregateFunction(function) => {
                let params = &function.params;
                self.decide(params.filter.as_deref(), scope);
                self.order(&params.order_by, scope);
                params.args.iter().for_each(|arg| items.extend(self.expr(arg, scope)));
                return TreeNodeRecursion::Jump;
            }
            Expr::WindowFunction(function) => {
                let params = &function.params;
                self.decide(params.filter.as_deref(), scope);
                self.decide(&params.partition_by, scope);
                self.order(&params.order_by, scope);
                params.args.iter().for_each(|arg| items.extend(self.expr(arg, scope)));
                return TreeNodeRecursion::Jump;
            }
            // Made of their parts, which follow.
            _ => {}
        }
        TreeNodeRecursion::Continue
    }
}

fn merge(columns: &mut Columns, more: Columns) {
    for (column, more) in columns.iter_mut().zip(more) {
        column.extend(more);
    }
}

/// The expressions of grouping sets, each once, in the order of the node's columns.
fn distinct(sets: &GroupingSet) -> Vec<&Expr> {
    sets.distinct_expr()
}
