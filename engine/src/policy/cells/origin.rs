//! Origin: what a column of rows that may be counted only is, and so what may be done with it.

use super::super::safe::{cannot_fail, parts};
use crate::error::EngineError;
use basin_catalog::{DatasetName, ItemRole, MinimumCell};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Of another table, or the same for each row.
    Free,
    /// An item of role dimension, region or time: groups and filters.
    Group,
    /// An item of role measure: is summed and averaged.
    Measure,
    /// The item of role `unit_weight`.
    Weight,
    /// The item of role `unit_id`: is counted.
    Unit,
    /// Anything else: is not looked at.
    Other,
}

impl Origin {
    /// What an item of a role is.
    pub(super) fn of(role: ItemRole) -> Self {
        match role {
            ItemRole::Dimension | ItemRole::Region | ItemRole::Time => Self::Group,
            ItemRole::Measure => Self::Measure,
            ItemRole::UnitWeight => Self::Weight,
            ItemRole::UnitId => Self::Unit,
            ItemRole::Key | ItemRole::Attribute => Self::Other,
        }
    }

    fn groups(self) -> bool {
        match self {
            Self::Free | Self::Group => true,
            Self::Measure | Self::Weight | Self::Unit | Self::Other => false,
        }
    }
}

/// Rows that may be counted and not shown.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) dataset: DatasetName,
    pub(super) cell: MinimumCell,
    /// Whether the unit column is a weight; else it is an id.
    pub(super) weighted: bool,
    /// One for each column of the plan.
    pub(super) columns: Vec<Origin>,
    /// Position of the unit.
    pub(super) unit: usize,
    /// Position of the column that is NULL where an outer join found no row.
    pub(super) present: usize,
}

/// Functions that give for a group's value one that tells no more, and fail for no value.
const GROUPING_FUNCTIONS: [&str; 13] = [
    "date_trunc",
    "date_part",
    "lower",
    "upper",
    "left",
    "right",
    "substr",
    "coalesce",
    "concat",
    "btrim",
    "ltrim",
    "rtrim",
    "character_length",
];

impl Raw {
    /// The refusal of what can't be done with the rows.
    pub(super) fn refuse(&self, why: impl Into<String>) -> EngineError {
        EngineError::GroupsOnly { dataset: self.dataset.to_string(), why: why.into() }
    }

    /// What a column is; a column that is not there is not looked at.
    pub(super) fn column(&self, column: &Column, schema: &DFSchema) -> Origin {
        let at = schema.index_of_column(column).ok();
        at.and_then(|at| self.columns.get(at).copied()).unwrap_or(Origin::Other)
    }

    /// What an expression is.
    pub(super) fn origin(&self, expr: &Expr, schema: &DFSchema) -> Origin {
        match expr {
            Expr::Column(column) => self.column(column, schema),
            Expr::Alias(alias) => self.origin(&alias.expr, schema),
            Expr::Cast(cast) => {
                let inner = self.origin(&cast.expr, schema);
                match (inner, type_of(&cast.expr, schema)) {
                    (Origin::Measure | Origin::Weight, Some(from))
                        if cannot_fail(&from, cast.field.data_type()) =>
                    {
                        inner
                    }
                    _ if self.groups(expr, schema) => Origin::Group,
                    _ => Origin::Other,
                }
            }
            other if other.column_refs().iter().all(|column| self.column(column, schema) == Origin::Free) => {
                if has_subquery(other) {
                    Origin::Other
                } else {
                    Origin::Free
                }
            }
            other if self.groups(other, schema) => Origin::Group,
            _ => Origin::Other,
        }
    }

    /// Tells whether rows may be grouped and filtered by an expression: it looks at groups' values only and can't fail.
    pub(super) fn groups(&self, expr: &Expr, schema: &DFSchema) -> bool {
        let groups = |expr: &Expr| self.groups(expr, schema);
        if is_constant(expr) {
            return true;
        }
        match expr {
            Expr::Column(column) => self.column(column, schema).groups(),
            Expr::OuterReferenceColumn(..) => true,
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                groups(left) && groups(right)
            }
            Expr::Like(Like { expr, pattern, .. }) => groups(expr) && is_constant(pattern),
            Expr::Cast(cast) => {
                let from = type_of(&cast.expr, schema);
                groups(&cast.expr) && from.is_some_and(|from| shows_as(&from, cast.field.data_type()))
            }
            Expr::ScalarFunction(call) => {
                GROUPING_FUNCTIONS.contains(&call.func.name()) && call.args.iter().all(groups)
            }
            // What they give comes from rows that may be shown; where the outer row comes in, it is not looked into.
            Expr::InSubquery(query) => groups(&query.expr) && query.subquery.outer_ref_columns.is_empty(),
            Expr::ScalarSubquery(query) => query.outer_ref_columns.is_empty(),
            Expr::Exists(query) => query.subquery.outer_ref_columns.is_empty(),
            other => parts(other).is_some_and(|parts| parts.into_iter().all(groups)),
        }
    }
}

fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    use datafusion::logical_expr::ExprSchemable;
    expr.get_type(schema).ok()
}

/// Casts of a group's value that fail for no value: those that lose nothing, and any value as text.
fn shows_as(from: &DataType, to: &DataType) -> bool {
    cannot_fail(from, to)
        || to.is_string()
        || (*from == DataType::Date32 && matches!(to, DataType::Timestamp(..)))
}

/// Tells whether an expression is the same for all rows, and so tells of none, even when it fails.
fn is_constant(expr: &Expr) -> bool {
    use datafusion::common::tree_node::TreeNode;
    let varies = |expr: &Expr| {
        let of_rows = matches!(
            expr,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        );
        Ok(of_rows || expr.is_volatile_node())
    };
    !expr.exists(varies).unwrap_or(true)
}

fn has_subquery(expr: &Expr) -> bool {
    use datafusion::common::tree_node::TreeNode;
    let subquery =
        |expr: &Expr| Ok(matches!(expr, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)));
    expr.exists(subquery).unwrap_or(true)
}
