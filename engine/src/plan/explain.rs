//! Explain: plans and columns as rows. Plain text of the optimised logical plan: table names, columns,
//! filters; neither files nor statistics, which could tell about rows.

use crate::error::Result;
use crate::output::plain_type;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::sql::sqlparser::ast::Statement;

/// What is told of a query instead of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explain {
    /// Nothing: it is run.
    No,
    /// Its plan.
    Plan,
    /// Its plan, and what running it took. For administrators: it tells of all rows.
    Analyze,
}

/// Takes the query out of an EXPLAIN.
pub(super) fn unwrap(statement: Statement) -> (Statement, Explain) {
    match statement {
        Statement::Explain { analyze: true, statement, .. } => (*statement, Explain::Analyze),
        Statement::Explain { statement, .. } => (*statement, Explain::Plan),
        other => (other, Explain::No),
    }
}

/// Describes a plan instead of running it, or what running it takes. `told` are further rows: their kinds and texts.
pub(super) fn explained(
    state: &SessionState,
    plan: LogicalPlan,
    explain: Explain,
    told: Vec<(&str, String)>,
) -> Result<LogicalPlan> {
    match explain {
        Explain::No => Ok(plan),
        Explain::Plan => {
            let optimised = state.optimizer().optimize(plan, state, |_, _| {})?;
            let text = optimised.display_indent().to_string();
            let told = told.into_iter().map(|(kind, text)| vec![lit(kind), lit(text)]);
            let rows = std::iter::once(vec![lit("logical_plan"), lit(text)]).chain(told);
            table(&["plan_type", "plan"], rows.collect())
        }
        Explain::Analyze => Ok(LogicalPlanBuilder::from(plan).explain(false, true)?.build()?),
    }
}

/// Turns DESCRIBE into rows; other plans stay.
pub(super) fn described(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::DescribeTable(describe) = &plan else { return Ok(plan) };
    let rows = describe.schema.fields().iter().map(|field| {
        vec![
            lit(field.name().clone()),
            lit(plain_type(field.data_type()).to_string()),
            lit(if field.is_nullable() { "YES" } else { "NO" }),
        ]
    });
    table(&["column_name", "data_type", "is_nullable"], rows.collect())
}

fn table(names: &[&str], rows: Vec<Vec<Expr>>) -> Result<LogicalPlan> {
    let columns = names.iter().zip(1..).map(|(name, at)| col(format!("column{at}")).alias(*name));
    Ok(LogicalPlanBuilder::values(rows)?.project(columns)?.build()?)
}
