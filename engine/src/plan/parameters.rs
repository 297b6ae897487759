//! Parameters: their inferred types, and their values put in place of the placeholders.

use crate::error::{EngineError, Result};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::ParamValues;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::scalar::ScalarValue;
use std::collections::BTreeMap;

/// Types of the parameters by number, from 1; `None` where nothing tells.
pub(super) type Types = BTreeMap<usize, Option<DataType>>;

/// Infers the types of a plan's parameters. `columns` are the columns that its rows go to, when they go anywhere.
pub(super) fn infer(plan: &LogicalPlan, columns: Option<&Schema>) -> Result<Types> {
    let mut types = Types::new();
    for name in plan.get_parameter_names()? {
        types.insert(number(&name)?, None);
    }
    // Parameters that are used with several types have none of their own.
    for (name, inferred) in plan.get_parameter_types().unwrap_or_default() {
        types.insert(number(&name)?, inferred.filter(|data_type| !data_type.is_null()));
    }
    let mut hint = |expr: &Expr, data_type: &DataType| -> Result<()> {
        if let Expr::Placeholder(Placeholder { id, .. }) = expr {
            types.entry(number(id)?).or_default().get_or_insert_with(|| data_type.clone());
        }
        Ok(())
    };
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Limit(limit) => {
                for expr in [&limit.skip, &limit.fetch].into_iter().flatten() {
                    hint(expr, &DataType::Int64)?;
                }
            }
            LogicalPlan::Values(rows) => {
                let columns = columns.map(|schema| schema.fields().as_ref()).unwrap_or_default();
                for (expr, column) in rows.values.iter().flat_map(|row| row.iter().zip(columns)) {
                    hint(expr, column.data_type())?;
                }
            }
            _ => {}
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some((inner, target)) = cast_of(expr) {
                    hint(inner, &target)?;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(types)
}

/// What is cast, and to which type.
fn cast_of(expr: &Expr) -> Option<(&Expr, DataType)> {
    match expr {
        Expr::Cast(cast) => Some((&cast.expr, cast.field.data_type().clone())),
        Expr::TryCast(cast) => Some((&cast.expr, cast.field.data_type().clone())),
        Expr::ScalarFunction(function) if function.name() == "arrow_cast" => {
            let [inner, Expr::Literal(name, _)] = function.args.as_slice() else { return None };
            Some((inner, name.try_as_str().flatten()?.parse().ok()?))
        }
        _ => None,
    }
}

fn number(name: &str) -> Result<usize> {
    name.strip_prefix('$')
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| EngineError::sql(format!("{name} is no parameter: write ? or $1, $2, …")))
}

/// Describes the parameters as columns `$1`, `$2` …; text where nothing tells. Clients that know a type may send it
/// instead.
pub(super) fn schema(types: &Types) -> Schema {
    let last = types.keys().next_back().copied().unwrap_or_default();
    let field = |number: usize| {
        let inferred = types.get(&number).cloned().flatten().unwrap_or(DataType::Utf8);
        Field::new(format!("${number}"), writable(&crate::output::plain_type(&inferred)), true)
    };
    Schema::new((1..=last).map(field).collect::<Vec<_>>())
}

/// The JDBC driver writes milliseconds into whatever unit it is told, so milliseconds is what it is told.
fn writable(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time32(TimeUnit::Millisecond),
        other => other.clone(),
    }
}

/// Puts values in place of the placeholders.
pub(super) fn bind(plan: LogicalPlan, types: &Types, values: Vec<ScalarValue>) -> Result<LogicalPlan> {
    let wanted = types.keys().next_back().copied().unwrap_or_default();
    if values.len() != wanted {
        return Err(EngineError::InvalidParameter(format!(
            "the statement has {wanted} parameters and {} values were given",
            values.len()
        )));
    }
    if values.is_empty() {
        return Ok(plan);
    }
    let fitted: Vec<ScalarValue> = values
        .into_iter()
        .zip(1..)
        .map(|(value, number)| fit(value, types.get(&number).cloned().flatten(), number))
        .collect::<Result<_>>()?;
    Ok(plan.with_param_values(ParamValues::from(fitted))?)
}

/// Casts a value to the inferred type where that loses nothing; other values bind as they arrive and the
/// planner's usual coercions apply.
fn fit(value: ScalarValue, wanted: Option<DataType>, number: usize) -> Result<ScalarValue> {
    let Some(wanted) = wanted else { return Ok(value) };
    let given = value.data_type();
    if given == wanted {
        return Ok(value);
    }
    if value.is_null() {
        return Ok(ScalarValue::try_from(&wanted)?);
    }
    let text =
        |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let whole = given.is_integer() && wanted.is_integer();
    let time = |data_type: &DataType| matches!(data_type, DataType::Time32(_) | DataType::Time64(_));
    let times = time(&given) && time(&wanted);
    if !(text(&given) || whole || times) {
        return Ok(value);
    }
    let same = |cast: &ScalarValue| !times || cast.cast_to(&given).is_ok_and(|back| back == value);
    match value.cast_to(&wanted) {
        Ok(cast) if !cast.is_null() && same(&cast) => Ok(cast),
        _ => Err(EngineError::InvalidParameter(format!(
            "parameter {number} should be of type {}: {value} is none",
            crate::output::plain_type(&wanted)
        ))),
    }
}
