//! Explain: plans and columns as rows. Plain text of the optimised logical plan: table names, columns,
//! filters; neither files nor statistics, which could tell about rows.

use crate::error::Result;
use crate::output::plain_type;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::sql::sqlparser::ast::Statement;

/// Takes the query out of an EXPLAIN; tells whether there was one.
pub(super) fn unwrap(statement: Statement) -> (Statement, bool) {
    match statement {
        Statement::Explain { statement, .. } => (*statement, true),
        other => (other, false),
    }
}

/// Describes an analysed plan instead of running it.
pub(super) fn explained(state: &SessionState, analysed: LogicalPlan) -> Result<LogicalPlan> {
    let optimised = state.optimizer().optimize(analysed, state, |_, _| {})?;
    let text = optimised.display_indent().to_string();
    table(&["plan_type", "plan"], vec![vec![lit("logical_plan"), lit(text)]])
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
