//! Statement: the walk from text to an analysed plan. Runs on a planner's big stack.

use super::explain::Explain;
use super::lineage::SourceItem;
use super::providers::LocalCatalog;
use super::recent::Optimised;
use super::uses::{self, Uses};
use super::{divide, explain, lineage, names, parameters, parse, substrait};
use crate::cache::Keepable;
use crate::error::{EngineError, Result};
use crate::output::plain_schema;
use crate::policy::{Grants, Policed, police, policy_columns, told};
use crate::request::{Query, QueryOptions};
use crate::session;
use basin_catalog::DatasetName;
use chrono::{DateTime, Utc};
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
    pub(super) logical: Policed,
    pub(super) schema: SchemaRef,
    pub(super) sources: Vec<Option<SourceItem>>,
    pub(super) datasets: Vec<DatasetName>,
    pub(super) uses: Uses,
    /// Under what its result is kept.
    pub(super) keepable: Keepable,
    /// What the optimiser makes of it.
    pub(super) optimised: Optimised,
}

impl Plan {
    /// Returns the datasets that are read, each once, by name.
    pub(crate) fn into_datasets(self) -> Vec<DatasetName> {
        self.datasets
    }

    /// Tells whether the same statement gives the same plan as long as its snapshots and its grants are the same.
    pub(super) fn is_lasting(&self) -> bool {
        self.keepable.is_lasting()
    }

    /// When the grants that it was made under change by themselves.
    pub(super) fn holds_until(&self) -> Option<DateTime<Utc>> {
        self.grants.changes_next()
    }

    /// About how many bytes it takes beside its session.
    pub(super) fn weight(&self) -> usize {
        self.keepable.weight()
    }

    /// Tells whether the result can be fetched in parts that are disjoint and together the whole.
    pub(crate) fn is_divisible(&self) -> bool {
        divide::is_divisible(self.logical.plan())
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
    explain: Explain,
}

/// Plans a statement with the values of its parameters.
pub(crate) async fn plan(work: Work, values: Vec<ScalarValue>) -> Result<Plan> {
    let grants = Arc::clone(&work.local.grants);
    let (results, options) = (Arc::clone(&work.local.results), work.options.clone());
    let companions = !options.without_companions;
    let rollups = (!options.without_rollups).then(|| work.local.clone());
    let Resolved { state, logical, datasets, explain } = resolve(work).await?;
    let types = parameters::infer(&logical, None)?;
    let unbound = match types.is_empty() {
        true => None,
        false => Some(policed_unbound(&state, logical.clone(), &grants, companions)?),
    };
    let bound = parameters::bind(logical, &types, values)?;
    let analysed = analyse(&state, bound)?;
    let uses = match explain {
        Explain::No | Explain::Analyze => {
            let mut uses = uses::of(&analysed);
            uses.policy = policy_columns(&analysed, &state)?.difference(&uses.all()).cloned().collect();
            uses
        }
        // Nothing is read.
        Explain::Plan => Uses::default(),
    };
    let mut logical = police(&state, analysed, &grants, companions)?;
    // Columns come from the dataset's items, and the key from its version, whatever answers.
    let mut sources = lineage::of(logical.plan(), &grants);
    let mut schema = promised(&logical, unbound.as_ref());
    let mut keepable = results.keepable(&options, logical.plan(), &schema);
    if let Some(local) = rollups {
        logical = logical.answered_from_rollups(&local)?;
    }
    if explain != Explain::No {
        let mut told = policies(&grants, &datasets);
        told.push(("result_cache", results.told(&keepable)));
        let described = explain::explained(&state, logical.plan().clone(), explain, told)?;
        logical = policed(&state, described, &grants, companions)?;
        sources = lineage::of(logical.plan(), &grants);
        schema = promised(&logical, unbound.as_ref());
        keepable = Keepable::described();
    }
    Ok(Plan {
        grants,
        state: Arc::new(state),
        logical,
        schema,
        sources,
        datasets,
        uses,
        keepable,
        optimised: Optimised::default(),
    })
}

/// Plans a statement without values. `columns` are the columns that its rows go to, when they go anywhere.
pub(crate) async fn prepare(work: Work, columns: Option<SchemaRef>) -> Result<Outline> {
    let grants = Arc::clone(&work.local.grants);
    let companions = !work.options.without_companions;
    let Resolved { state, logical, datasets, explain } = resolve(work).await?;
    let types = parameters::infer(&logical, columns.as_deref())?;
    let parameters = parameters::schema(&types);
    let logical = match types.is_empty() {
        true => policed(&state, logical, &grants, companions)?,
        false => policed_unbound(&state, logical, &grants, companions)?,
    };
    let told = policies(&grants, &datasets);
    let shown = explain::explained(&state, logical.plan().clone(), explain, told)?;
    let schema = plain_schema(shown.schema().as_arrow());
    Ok(Outline { schema, sources: lineage::of(&shown, &grants), parameters })
}

async fn resolve(work: Work) -> Result<Resolved> {
    let grants = Arc::clone(&work.local.grants);
    let divided = work.options.part.is_some();
    let session = session::of_query(work.template, &work.schema, &work.options)?;
    let mut state = session.with_catalog_list(Arc::new(work.local)).build();
    let config = Arc::clone(state.config_options());
    state.execution_props_mut().mark_start_execution(config);
    let (logical, datasets, explain) = match &work.query {
        Query::Sql(sql) => {
            let (statement, explain) =
                explain::unwrap(parse::statement(sql, work.max_bytes, grants.is_admin())?);
            let statement = Statement::Statement(Box::new(statement));
            let datasets = names::datasets(&state, &statement, &grants)?;
            (explain::described(state.statement_to_plan(statement).await?)?, datasets, explain)
        }
        Query::Substrait(bytes) => {
            let (logical, datasets) = substrait::plan(&state, bytes, work.max_bytes, &grants).await?;
            (logical, datasets, Explain::No)
        }
    };
    if let Some(bytes) = read_bytes(&datasets, &grants).filter(|_| !divided) {
        session::fit(&mut state, bytes);
    }
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&logical)
        .map_err(|_| EngineError::ReadOnly("only queries are accepted: SQL is read-only here".to_owned()))?;
    check_nodes(&logical)?;
    Ok(Resolved { state, logical, datasets, explain })
}

/// The size of all that is read; none where some of it is hidden, whose size must not show.
fn read_bytes(datasets: &[DatasetName], grants: &Grants) -> Option<u64> {
    let bytes = |name: &DatasetName| {
        let view = grants.dataset(name).filter(|view| view.is_whole())?;
        Some(view.state().current().map_or(0, |version| version.bytes))
    };
    datasets.iter().map(bytes).sum()
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

/// What limits the datasets of a query, in words for whoever asks.
fn policies(grants: &Grants, datasets: &[DatasetName]) -> Vec<(&'static str, String)> {
    let told = |name: &DatasetName| Some(("policy", told(name, grants.dataset(name)?.as_ref())?));
    datasets.iter().filter_map(told).collect()
}

/// The schema that is promised of a plan, and of the same plan before its parameters had values.
fn promised(logical: &Policed, unbound: Option<&Policed>) -> SchemaRef {
    let schema = plain_schema(logical.plan().schema().as_arrow());
    match unbound {
        Some(unbound) => widen(&schema, &plain_schema(unbound.plan().schema().as_arrow())),
        None => schema,
    }
}

/// Analyses a plan and applies the policy to it.
fn policed(
    state: &SessionState,
    plan: LogicalPlan,
    grants: &Arc<Grants>,
    companions: bool,
) -> Result<Policed> {
    police(state, analyse(state, plan)?, grants, companions)
}

/// The same for a plan whose parameters are unbound: coerced as far as they allow.
fn policed_unbound(
    state: &SessionState,
    plan: LogicalPlan,
    grants: &Arc<Grants>,
    companions: bool,
) -> Result<Policed> {
    let analysed = analyse(state, plan.clone()).unwrap_or(plan);
    police(state, analysed, grants, companions)
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
