//! Observe: what the text of a query does with the items of one dataset.
//!
//! Names are resolved by the tables and aliases of the whole statement, and believed only when the query's record
//! names the item too: a column of the same name in another table is not taken for it.

use super::Filter;
use crate::plan::any_statement;
use basin_catalog::DatasetDefinition;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
    JoinConstraint, JoinOperator, ObjectName, Select, SelectItem, TableFactor, Value, Visit, Visitor,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// What one query does.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Observed {
    /// How items are filtered by.
    pub(super) filters: BTreeSet<(String, Filter)>,
    /// What is grouped, once a SELECT.
    pub(super) groups: Vec<Group>,
}

/// An aggregation: dimensions and measures as a rollup names them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// What is grouped by, and what is filtered by.
    pub(super) dimensions: BTreeSet<String>,
    pub(super) measures: BTreeSet<String>,
}

/// Reads a query's text again; none when it can't be read.
pub(super) fn observe(
    sql: &str,
    definition: &DatasetDefinition,
    recorded: &BTreeSet<String>,
) -> Option<Observed> {
    let statement = any_statement(sql, usize::MAX, |_| Ok(())).ok()?;
    let mut names = Names { definition, recorded, mine: BTreeSet::new() };
    let _ = statement.visit(&mut names);
    let mut walk = Walk { names: &names, observed: Observed::default() };
    let _ = statement.visit(&mut walk);
    Some(walk.observed)
}

/// Under which names the statement speaks of the dataset.
struct Names<'a> {
    definition: &'a DatasetDefinition,
    recorded: &'a BTreeSet<String>,
    mine: BTreeSet<String>,
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = table
            && self.is_dataset(name)
        {
            let known_as = alias.as_ref().map(|alias| alias.name.value.to_lowercase());
            self.mine.insert(known_as.unwrap_or_else(|| self.definition.name.name().to_lowercase()));
        }
        ControlFlow::Continue(())
    }
}

impl Names<'_> {
    fn is_dataset(&self, name: &ObjectName) -> bool {
        let parts: Vec<String> =
            name.0.iter().filter_map(|part| Some(part.as_ident()?.value.to_lowercase())).collect();
        let dataset = &self.definition.name;
        match parts.as_slice() {
            [.., schema, table] => *schema == dataset.schema() && *table == dataset.name(),
            [table] => *table == dataset.name(),
            [] => false,
        }
    }

    /// The item that an expression is, as it is or cast.
    fn item(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.item(inner),
            Expr::Identifier(column) => self.named(&column.value),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, column] if self.mine.contains(&table.value.to_lowercase()) => {
                    self.named(&column.value)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn named(&self, column: &str) -> Option<String> {
        let item =
            self.definition.items.iter().find(|item| item.name.as_str().eq_ignore_ascii_case(column))?;
        self.recorded.contains(item.name.as_str()).then(|| item.name.to_string())
    }

    /// A dimension of a rollup: an item, or a period of one.
    fn dimension(&self, expr: &Expr) -> Option<String> {
        if let Some(item) = self.item(expr) {
            return Some(item);
        }
        let Expr::Function(function) = expr else { return None };
        match (name_of(function).as_str(), arguments(function)?.as_slice()) {
            ("date_trunc", [period, of]) => {
                Some(format!("{}({})", text(period)?.to_lowercase(), self.item(of)?))
            }
            _ => None,
        }
    }
}

struct Walk<'a> {
    names: &'a Names<'a>,
    observed: Observed,
}

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut filtered = BTreeSet::new();
        for condition in conditions(select) {
            self.condition(condition, &mut filtered);
        }
        if let Some(group) = self.group(select, &filtered) {
            self.observed.groups.push(group);
        }
        self.observed.filters.extend(filtered);
        ControlFlow::Continue(())
    }
}

impl Walk<'_> {
    fn condition(&self, condition: &Expr, filtered: &mut BTreeSet<(String, Filter)>) {
        let mut add = |item: Option<String>, filter| filtered.extend(item.map(|item| (item, filter)));
        match condition {
            Expr::Nested(inner) => self.condition(inner, filtered),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.condition(left, filtered);
                self.condition(right, filtered);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                // Several values of one item are like a list of them; of different items no file can be skipped.
                let (mut one, mut other) = (BTreeSet::new(), BTreeSet::new());
                self.condition(left, &mut one);
                self.condition(right, &mut other);
                filtered.extend(one.intersection(&other).cloned());
            }
            Expr::BinaryOp { left, op, right } => {
                let filter = match op {
                    BinaryOperator::Eq => Filter::Equal,
                    BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => {
                        Filter::Range
                    }
                    _ => return,
                };
                match (self.names.item(left), self.names.item(right)) {
                    (item @ Some(_), None) | (None, item @ Some(_)) => {
                        let other = if self.names.item(left).is_some() { right } else { left };
                        let joins = is_column(other);
                        if !joins || filter == Filter::Equal {
                            add(item, if joins { Filter::Join } else { filter });
                        }
                    }
                    (Some(_), Some(_)) | (None, None) => {}
                }
            }
            Expr::InList { expr, negated: false, .. } => add(self.names.item(expr), Filter::Equal),
            Expr::Between { expr, negated: false, .. } => add(self.names.item(expr), Filter::Range),
            Expr::Like { negated: false, expr, pattern, .. }
                if text(pattern).is_some_and(|pattern| !pattern.starts_with(['%', '_'])) =>
            {
                add(self.names.item(expr), Filter::Range);
            }
            _ => {}
        }
    }

    /// An aggregation that a rollup could answer; none when it is something else.
    fn group(&self, select: &Select, filtered: &BTreeSet<(String, Filter)>) -> Option<Group> {
        let joins = select.from.iter().any(|table| !table.joins.is_empty()) || select.from.len() != 1;
        let GroupByExpr::Expressions(by, modifiers) = &select.group_by else { return None };
        if joins || !modifiers.is_empty() {
            return None;
        }
        let mut group = Group::default();
        for expr in by {
            // A number or an alias stands for what is selected under it.
            let selected =
                select.projection.iter().enumerate().find_map(|(at, item)| selected(item, at, expr));
            group.dimensions.insert(self.names.dimension(selected.unwrap_or(expr))?);
        }
        for item in &select.projection {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
                return None;
            };
            match self.measures(expr) {
                Some(measures) => group.measures.extend(measures),
                None => {
                    self.names.dimension(expr).filter(|dimension| group.dimensions.contains(dimension))?;
                }
            }
        }
        if group.measures.is_empty() {
            return None;
        }
        group.dimensions.extend(filtered.iter().map(|(item, _)| item.clone()));
        (!group.dimensions.is_empty()).then_some(group)
    }

    /// The measures that an aggregate needs.
    fn measures(&self, expr: &Expr) -> Option<Vec<String>> {
        let function = match expr {
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => return self.measures(inner),
            Expr::Function(function) => function,
            _ => return None,
        };
        let plain = function.filter.is_none() && function.over.is_none() && !is_distinct(function);
        let name = name_of(function);
        if !plain {
            return None;
        }
        if name == "count"
            && arguments(function).is_none_or(|arguments| arguments.iter().all(|a| !is_column(a)))
        {
            return Some(vec!["count(*)".to_owned()]);
        }
        let arguments = arguments(function)?;
        let [argument] = arguments.as_slice() else { return None };
        let item = self.names.item(argument)?;
        match name.as_str() {
            "count" | "sum" | "min" | "max" => Some(vec![format!("{name}({item})")]),
            "avg" | "mean" => Some(vec![format!("sum({item})"), format!("count({item})")]),
            _ => None,
        }
    }
}

/// What a position or an alias of GROUP BY stands for.
fn selected<'a>(item: &'a SelectItem, at: usize, by: &Expr) -> Option<&'a Expr> {
    match (item, by) {
        (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }, Expr::Value(value)) => {
            matches!(&value.value, Value::Number(number, _) if *number == (at + 1).to_string())
                .then_some(expr)
        }
        (SelectItem::ExprWithAlias { expr, alias }, Expr::Identifier(name)) => {
            (alias.value == name.value).then_some(expr)
        }
        _ => None,
    }
}

/// WHERE and the conditions of joins.
fn conditions(select: &Select) -> Vec<&Expr> {
    let joins = select.from.iter().flat_map(|table| &table.joins);
    let on = joins.filter_map(|join| match &join.join_operator {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on))
        | JoinOperator::Right(JoinConstraint::On(on))
        | JoinOperator::RightOuter(JoinConstraint::On(on)) => Some(on),
        _ => None,
    });
    select.selection.iter().chain(on).collect()
}

fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_column(inner),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        _ => false,
    }
}

fn name_of(function: &Function) -> String {
    let last = function.name.0.last().and_then(|part| part.as_ident());
    last.map(|name| name.value.to_lowercase()).unwrap_or_default()
}

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment.is_some())
}

/// The arguments of a function that has only expressions; `*` is none.
fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Items by the number of queries that use them.
pub(super) fn tally<'a>(
    observed: impl Iterator<Item = &'a Observed>,
) -> BTreeMap<&'a str, BTreeSet<(Filter, usize)>> {
    let mut found: BTreeMap<&str, BTreeSet<(Filter, usize)>> = BTreeMap::new();
    for (number, query) in observed.enumerate() {
        for (item, filter) in &query.filters {
            found.entry(item).or_default().insert((*filter, number));
        }
    }
    found
}
