//! Rows: a row filter's text -> the condition on a dataset's items, for one principal.

use super::grants::Grants;
use super::safe::is_safe;
use crate::error::{EngineError, Result};
use basin_catalog::{DatasetDefinition, RowFilter};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

const WHAT_IS_ACCEPTED: &str = "write comparisons, IN lists, BETWEEN, LIKE and IS NULL over the dataset's items, with AND, OR, NOT, \
     and $user, $agency, $region, $purpose for who asks: nothing that can fail, no functions, no subqueries";

/// What stands for the placeholders of a filter.
#[derive(Debug, Clone, Default)]
pub(super) struct Asker {
    user: Option<String>,
    agency: Option<String>,
    region: Option<String>,
    purpose: Option<String>,
}

impl Asker {
    pub(super) fn of(grants: &Grants) -> Self {
        let principal = grants.principal();
        Self {
            user: Some(principal.user().to_string()),
            agency: principal.agency().map(ToString::to_string),
            region: grants.region().map(ToString::to_string),
            purpose: principal.purpose().map(ToOwned::to_owned),
        }
    }

    /// The same without what none of some filters can ask for.
    pub(super) fn as_far_as<'a>(&self, filters: impl Iterator<Item = &'a RowFilter>) -> Self {
        let texts: Vec<&str> = filters.map(RowFilter::as_str).collect();
        let kept = |placeholder: &str, value: &Option<String>| {
            value.clone().filter(|_| texts.iter().any(|text| text.contains(placeholder)))
        };
        Self {
            user: kept("$user", &self.user),
            agency: kept("$agency", &self.agency),
            region: kept("$region", &self.region),
            purpose: kept("$purpose", &self.purpose),
        }
    }

    fn value(&self, placeholder: &str) -> Option<&Option<String>> {
        match placeholder {
            "$user" => Some(&self.user),
            "$agency" => Some(&self.agency),
            "$region" => Some(&self.region),
            "$purpose" => Some(&self.purpose),
            _ => None,
        }
    }
}

/// Parses a filter over the columns of a dataset; NULL for the asker's facts that are not known.
///
/// # Errors
/// `InvalidSql` when it is not such a condition, or could fail on some row.
pub(super) fn condition(
    state: &SessionState,
    filter: &RowFilter,
    schema: &Schema,
    asker: &Asker,
) -> Result<Expr> {
    let columns = DFSchema::try_from(schema.clone())?;
    let parsed = state.create_logical_expr(filter.as_str(), &columns)?;
    let bound = parsed
        .transform(|expr| {
            let Expr::Placeholder(placeholder) = &expr else { return Ok(Transformed::no(expr)) };
            match asker.value(&placeholder.id) {
                Some(value) => Ok(Transformed::yes(lit(ScalarValue::Utf8(value.clone())))),
                None => Err(EngineError::sql(format!("there is no {}", placeholder.id)).into()),
            }
        })
        .data()?;
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(columns.clone()))
        .with_config_options(Arc::clone(state.config_options()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let condition = simplifier.simplify(simplifier.coerce(bound, &columns)?)?;
    let type_of = |column: &Column| Some(schema.field_with_name(&column.name).ok()?.data_type().clone());
    if !is_safe(&condition, &type_of) {
        return Err(EngineError::sql(format!("{filter}: {WHAT_IS_ACCEPTED}")));
    }
    if condition.get_type(&columns)? != datafusion::arrow::datatypes::DataType::Boolean {
        return Err(EngineError::sql(format!("{filter} is no condition; {WHAT_IS_ACCEPTED}")));
    }
    Ok(condition)
}

/// Checks that a row filter can be applied to a dataset, whoever asks.
///
/// # Errors
/// `InvalidSql`, saying what is accepted.
pub fn check_row_filter(definition: &DatasetDefinition, filter: &RowFilter) -> Result<()> {
    let state = SessionStateBuilder::new().with_default_features().build();
    let some = || Some(String::new());
    let asker = Asker { user: some(), agency: some(), region: some(), purpose: some() };
    let schema = crate::table::views_inside(&definition.arrow_schema());
    condition(&state, filter, &schema, &asker).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::{DataType, Field};

    #[test]
    fn filters_are_conditions_that_cannot_fail() {
        let state = SessionStateBuilder::new().with_default_features().build();
        let schema = Schema::new(vec![
            Field::new("province_code", DataType::Utf8View, true),
            Field::new("n", DataType::Int64, true),
            Field::new("day", DataType::Date32, true),
        ]);
        let asker = Asker { region: Some("330000".to_owned()), ..Asker::default() };
        let check =
            |text: &str| condition(&state, &RowFilter::try_from(text.to_owned()).unwrap(), &schema, &asker);
        let found = check("province_code = $region AND n > 3").unwrap().to_string();
        assert!(found.contains("330000") && !found.contains('$'), "{found}");
        for right in [
            "day >= DATE '2020-01-01'",
            "province_code IN ('1', '2') OR n IS NULL",
            "true",
            "province_code LIKE '33%'",
        ] {
            check(right).unwrap_or_else(|error| panic!("{right}: {error}"));
        }
        for wrong in [
            "n / 0 = 1",
            "CAST(province_code AS INT) = 1",
            "absent = 1",
            "n",
            "n > (SELECT 1)",
            "$secret = '1'",
            "random() > 0.5",
            "province_code = ",
            "substr(province_code, 1, 2) = '33'",
        ] {
            assert!(check(wrong).is_err(), "{wrong}: {:?}", check(wrong));
        }
    }
}
