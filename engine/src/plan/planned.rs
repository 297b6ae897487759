//! Planned: an analysed plan that nobody authorised yet, and what was learnt on the way.

use super::lineage::SourceItem;
use super::recent::Optimised;
use super::statement::Plan;
use crate::audit::{AuditEntry, Reads};
use crate::cache::Keepable;
use crate::engine::Shared;
use crate::policy::{Grants, Policed};
use crate::request::{Part, QueryId};
use basin_catalog::{DatasetName, Digest, OrganisationCode, Snapshot};
use chrono::NaiveDate;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::session_state::SessionState;
use std::sync::Arc;
use std::time::Duration;

/// Where a result comes from: one dataset that the query reads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Provenance {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its version; none when nothing was pooled yet.
    pub version: Option<u64>,
    /// Who provides it.
    pub provider: OrganisationCode,
    /// Under which licence.
    pub licence: String,
    /// When it was issued.
    pub issued: NaiveDate,
    /// Under which access it is read: equal when the policy shows the same of it.
    #[serde(skip)]
    pub access: Digest,
}

/// A read-only plan against visible datasets. It can't be executed before it is authorised:
///
/// ```compile_fail,E0599
/// fn skip_the_policy(planned: basin_engine::Planned) {
///     let _ = planned.execute();
/// }
/// ```
///
/// ```compile_fail,E0599
/// async fn skip_admission(authorized: basin_engine::Authorized) {
///     let _ = authorized.execute();
/// }
/// ```
///
/// ```
/// async fn the_walk(planned: basin_engine::Planned) -> Result<(), basin_engine::EngineError> {
///     let _rows = planned.authorize().await?.admit().await?.execute()?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Planned {
    parts: PlannedParts,
}

/// What the later rooms need.
#[derive(Debug)]
pub(crate) struct PlannedParts {
    pub(crate) query_id: QueryId,
    pub(crate) grants: Arc<Grants>,
    pub(crate) state: Arc<SessionState>,
    pub(crate) logical: Policed,
    pub(crate) schema: SchemaRef,
    pub(crate) sources: Vec<Option<SourceItem>>,
    pub(crate) part: Option<Part>,
    pub(crate) divisible: bool,
    pub(crate) keepable: Keepable,
    pub(crate) optimised: Optimised,
    pub(crate) provenance: Vec<Provenance>,
    pub(crate) timeout: Duration,
    pub(crate) audit: AuditEntry,
    pub(crate) shared: Arc<Shared>,
}

impl Planned {
    pub(crate) fn new(run: Run, plan: &Plan, audit: AuditEntry, shared: Arc<Shared>) -> Self {
        let Run { query_id, timeout, part } = run;
        let (provenance, divisible) = (provenance(plan), plan.is_divisible());
        let join = |texts: Vec<String>| texts.join(",");
        let grants = plan.datasets.iter().flat_map(|name| plan.grants.used(name));
        audit.reads(Reads {
            snapshot: Some(plan.grants.snapshot().id()),
            datasets: join(plan.datasets.iter().map(ToString::to_string).collect()),
            grants: join(grants.map(|grant| grant.to_string()).collect()),
            output_columns: join(plan.uses.output.iter().cloned().collect()),
            predicate_columns: join(plan.uses.predicate.iter().cloned().collect()),
            policy_columns: join(plan.uses.policy.iter().cloned().collect()),
        });
        Self {
            parts: PlannedParts {
                query_id,
                provenance,
                grants: Arc::clone(&plan.grants),
                state: Arc::clone(&plan.state),
                logical: plan.logical.clone(),
                schema: SchemaRef::clone(&plan.schema),
                sources: plan.sources.clone(),
                part,
                divisible,
                keepable: plan.keepable.clone(),
                optimised: Arc::clone(&plan.optimised),
                timeout,
                audit,
                shared,
            },
        }
    }

    /// Returns the schema of the result, in the types that clients get.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.parts.schema)
    }

    /// Returns for each column of the result the dataset's item that it is, unchanged.
    #[must_use]
    pub fn sources(&self) -> &[Option<SourceItem>] {
        &self.parts.sources
    }

    /// Tells whether the result can be fetched in parts that are disjoint and together the whole.
    #[must_use]
    pub fn is_divisible(&self) -> bool {
        self.parts.divisible
    }

    /// Returns the snapshot that is read.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        self.parts.grants.snapshot()
    }

    /// Returns the identity of the query.
    #[must_use]
    pub fn query_id(&self) -> QueryId {
        self.parts.query_id
    }

    /// Lists the datasets that the query reads, by name.
    #[must_use]
    pub fn provenance(&self) -> Vec<Provenance> {
        self.parts.provenance.clone()
    }

    /// Ends the walk here: the query was described, nothing was read, and no record is kept.
    pub fn withdraw(self) {
        self.parts.audit.withdraw();
    }

    pub(crate) fn into_parts(self) -> PlannedParts {
        self.parts
    }
}

impl Plan {
    /// What is known of the statement before it runs; it has no parameters.
    pub(crate) fn prepared(&self) -> Prepared {
        Prepared {
            schema: SchemaRef::clone(&self.schema),
            sources: self.sources.clone(),
            parameters: Schema::empty(),
            is_update: false,
            snapshot: Arc::clone(self.grants.snapshot()),
        }
    }
}

/// How a planned query is to be run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) query_id: QueryId,
    pub(crate) timeout: Duration,
    pub(crate) part: Option<Part>,
}

fn provenance(plan: &Plan) -> Vec<Provenance> {
    let of = |name: &DatasetName| {
        let view = plan.grants.dataset(name)?;
        let state = view.state();
        let entry = &state.definition.entry;
        Some(Provenance {
            dataset: name.clone(),
            version: state.current().map(|version| version.number),
            provider: entry.provider.clone(),
            licence: entry.licence.to_string(),
            issued: entry.issued,
            access: plan.grants.digest(name),
        })
    };
    plan.datasets.iter().filter_map(of).collect()
}

/// What is known of a statement whose parameters have no values yet.
#[derive(Debug)]
pub struct Prepared {
    /// Schema of the result, in the types that clients get.
    pub schema: SchemaRef,
    /// For each column of the result the dataset's item that it is, unchanged.
    pub sources: Vec<Option<SourceItem>>,
    /// The parameters as columns `$1`, `$2` …; type Null where nothing tells.
    pub parameters: Schema,
    /// Whether the statement changes something; its schema is empty then.
    pub is_update: bool,
    /// The snapshot that it was planned against.
    pub snapshot: Arc<Snapshot>,
}
