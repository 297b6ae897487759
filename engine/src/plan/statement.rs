//! Statement: the walk from text to an analysed plan. Runs on a planner's big stack.

use super::lineage::SourceItem;
use super::providers::LocalCatalog;
use super::uses::{self, Uses};
use super::{divide, explain, lineage, names, parameters, parse, substrait};
use crate::error::{EngineError, Result};
use crate::output::plain_schema;
use crate::policy::Grants;
use crate::request::{Query, QueryOptions};
use crate::session;
use basin_catalog::DatasetName;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement;
use std::sync::Arc;

/// Nodes of a plan. Doubling a CTE fourteen times makes 16,384 scans.
const MAX_PLAN_NODES: usize = 5_000;

/// What a planner gets.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) query: Query,
    pub(crate) max_bytes: usize,
    pub(crate) template: SessionState,
    /// Where names without schema are looked for.
    pub(crate) schema: String,
    pub(crate) options: QueryOptions,
    pub(crate) local: LocalCatalog,
}

/// An analysed plan.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) grants: Arc<Grants>,
    pub(super) state: Arc<SessionState>,
    pub(super) logical: LogicalPlan,
    pub(super) schema: SchemaRef,
    pub(super) sources: Vec<Option<SourceItem>>,
    pub(super) datasets: Vec<DatasetName>,
    pub(super) uses: Uses,
}

impl Plan {
    /// Tells whether the result can be fetched in parts that are disjoint and together the whole.
    pub(crate) fn is_divisible(&self) -> bool {
        divide::is_divisible(&self.logical)
    }
}

/// What is known of a statement without values.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) schema: SchemaRef,
    pub(crate) sources: Vec<Option<SourceItem>>,
    pub(crate) parameters: Schema,
}

/// A statement whose tables are resolved.
struct Resolved {
    state: SessionState,
    logical: LogicalPlan,
    datasets: Vec<DatasetName>,
    explain: bool,
}

/// Plans a statement with the values of its parameters.
pub(crate) async fn plan(work: Work, values: Vec<ScalarValue>) -> Result<Plan> {
    let grants = Arc::clone(&work.local.grants);
    let Resolved { state, logical, datasets, explain } = resolve(work).await?;
    let types = parameters::infer(&logical, None)?;
    let unbound = (!types.is_empty()).then(|| output_schema(&state, logical.clone()));
    let bound = parameters::bind(logical, &types, values)?;
    let mut analysed = analyse(&state, bound)?;
    if explain {
        analysed = analyse(&state, explain::explained(&state, analysed)?)?;
    }
    let mut schema = plain_schema(analysed.schema().as_arrow());
    if let Some(unbound) = unbound {
        schema = widen(&schema, &unbound);
    }
    let (sources, uses) = (lineage::of(&analysed, &grants), uses::of(&analysed));
    Ok(Plan { grants, state: Arc::new(state), logical: analysed, schema, sources, datasets, uses })
}

/// Plans a statement without values. `columns` are the columns that its rows go to, when they go anywhere.
pub(crate) async fn prepare(work: Work, columns: Option<SchemaRef>) -> Result<Outline> {
    let grants = Arc::clone(&work.local.grants);
    let Resolved { state, logical, explain, .. } = resolve(work).await?;
    let types = parameters::infer(&logical, columns.as_deref())?;
    let parameters = parameters::schema(&types);
    if types.is_empty() {
        let mut analysed = analyse(&state, logical)?;
        if explain {
            analysed = explain::explained(&state, analysed)?;
        }
        let schema = plain_schema(analysed.schema().as_arrow());
        return Ok(Outline { schema, sources: lineage::of(&analysed, &grants), parameters });
    }
    if explain {
        let explained = explain::explained(&state, logical)?;
        let schema = plain_schema(explained.schema().as_arrow());
        return Ok(Outline { schema, sources: lineage::of(&explained, &grants), parameters });
    }
    let sources = lineage::of(&logical, &grants);
    Ok(Outline { schema: output_schema(&state, logical), sources, parameters })
}

async fn resolve(work: Work) -> Result<Resolved> {
    let grants = Arc::clone(&work.local.grants);
    let session = session::of_query(work.template, &work.schema, &work.options)?;
    let mut state = session.with_catalog_list(Arc::new(work.local)).build();
    let config = Arc::clone(state.config_options());
    state.execution_props_mut().mark_start_execution(config);
    let (logical, datasets, explain) = match &work.query {
        Query::Sql(sql) => {
            let (statement, explain) = explain::unwrap(parse::statement(sql, work.max_bytes)?);
            let statement = Statement::Statement(Box::new(statement));
            let datasets = names::datasets(&state, &statement, &grants)?;
            (explain::described(state.statement_to_plan(statement).await?)?, datasets, explain)
        }
        Query::Substrait(bytes) => {
            let (logical, datasets) = substrait::plan(&state, bytes, work.max_bytes, &grants).await?;
            (logical, datasets, false)
        }
    };
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&logical)
        .map_err(|_| EngineError::ReadOnly("only queries are accepted: SQL is read-only here".to_owned()))?;
    check_nodes(&logical)?;
    Ok(Resolved { state, logical, datasets, explain })
}

fn check_nodes(plan: &LogicalPlan) -> Result<()> {
    let mut nodes = 0_usize;
    plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(if nodes > MAX_PLAN_NODES { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if nodes > MAX_PLAN_NODES {
        return Err(EngineError::TooLarge(format!(
            "the statement makes a plan of more than {MAX_PLAN_NODES} steps; write fewer joins and repeated subqueries"
        )));
    }
    Ok(())
}

/// Resolves types and coercions, and checks that the plan is sound.
fn analyse(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?)
}

/// Schema of a plan whose parameters may be unbound: coerced as far as they allow.
fn output_schema(state: &SessionState, plan: LogicalPlan) -> SchemaRef {
    let as_parsed = plain_schema(plan.schema().as_arrow());
    match analyse(state, plan) {
        Ok(analysed) => plain_schema(analysed.schema().as_arrow()),
        Err(_) => as_parsed,
    }
}

/// Marks what may be NULL before or after binding, so that a prepared statement, its FlightInfo and its
/// stream tell the same nullability.
fn widen(bound: &Schema, unbound: &Schema) -> SchemaRef {
    let fields = bound.fields().iter().enumerate().map(|(at, field)| {
        let before = unbound.fields().get(at).is_none_or(|field| field.is_nullable());
        Field::clone(field).with_nullable(field.is_nullable() || before)
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), bound.metadata().clone()))
}
