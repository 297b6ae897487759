//! Recent: plans of statements that were asked before, for the same principal who asks the same of the same snapshot
//! under the same policy, so that nothing is parsed, resolved and analysed twice.
//!
//! A plan is of two snapshots and of who asks, all of which never change; what changes by itself (the begin and the end of
//! a grant, functions such as `now()`) either ends the plan's time or keeps it from being kept. It decides nothing: each
//! run of a kept plan is authorised and audited anew.

use super::statement::Plan;
use crate::cache::CacheFigures;
use crate::request::{Query, QueryRequest};
use basin_catalog::{Principal, Snapshot, SnapshotId};
use chrono::{DateTime, Utc};
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Memory for all of them, about.
const CAPACITY_BYTES: u64 = 64 * 1024 * 1024;
/// What a plan takes at least: most of it is the session's registry of functions.
const PLAN_BYTES: usize = 96 * 1024;

/// All that decides a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    principal: Principal,
    data: SnapshotId,
    policy: SnapshotId,
    query: Query,
    parameters: Vec<ScalarValue>,
    schema: Option<String>,
    without_companions: bool,
    without_rollups: bool,
    without_cache: bool,
}

impl PlanKey {
    /// Tells what decides the plan of a request; none when its session is of one run only.
    pub(crate) fn of(request: &QueryRequest, data: &Snapshot, policy: &Snapshot) -> Option<Self> {
        let options = &request.options;
        (options.part.is_none() && options.memory_bytes.is_none()).then(|| Self {
            principal: request.principal.clone(),
            data: data.id(),
            policy: policy.id(),
            query: request.query.clone(),
            parameters: request.parameters.clone(),
            schema: options.schema.clone(),
            without_companions: options.without_companions,
            without_rollups: options.without_rollups,
            without_cache: options.without_cache,
        })
    }

    fn weight(&self) -> usize {
        let query = match &self.query {
            Query::Sql(sql) => sql.len(),
            Query::Substrait(bytes) => bytes.len(),
        };
        query + self.parameters.iter().map(ScalarValue::size).sum::<usize>()
    }
}

/// A plan, and until when it holds.
#[derive(Debug, Clone)]
struct Entry {
    plan: Arc<Plan>,
    until: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
struct Weigh;

impl Weighter<PlanKey, Entry> for Weigh {
    fn weight(&self, key: &PlanKey, entry: &Entry) -> u64 {
        (PLAN_BYTES + key.weight() + entry.plan.weight()) as u64
    }
}

/// The optimised form of a plan, made by its first run.
pub(crate) type Optimised = Arc<OnceLock<LogicalPlan>>;

/// The plans that an engine keeps.
#[derive(Debug)]
pub(crate) struct RecentPlans {
    plans: Option<Cache<PlanKey, Entry, Weigh>>,
    /// The newest policy that was seen: plans under older ones are never asked for again.
    policy: Mutex<SnapshotId>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl RecentPlans {
    pub(crate) fn new() -> Self {
        let mut options = OptionsBuilder::new();
        let expected = CAPACITY_BYTES as usize / PLAN_BYTES;
        options.shards(1).weight_capacity(CAPACITY_BYTES).estimated_items_capacity(expected);
        let cache = |options| Cache::with_options(options, Weigh, Default::default(), Default::default());
        Self {
            plans: options.build().ok().map(cache),
            policy: Mutex::new(SnapshotId(0)),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Finds the plan of a request.
    pub(crate) fn get(&self, key: &PlanKey) -> Option<Arc<Plan>> {
        let kept = self.plans.as_ref().and_then(|plans| plans.get(key));
        let plan = kept.filter(|kept| kept.until.is_none_or(|until| Utc::now() < until));
        let count = if plan.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        plan.map(|kept| kept.plan)
    }

    /// Keeps a plan, if it is what the same statement would give the next time.
    pub(crate) fn put(&self, key: PlanKey, plan: &Arc<Plan>) {
        let Some(plans) = self.plans.as_ref().filter(|_| plan.is_lasting()) else { return };
        {
            let mut newest = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
            if key.policy > *newest {
                *newest = key.policy;
                plans.clear();
            }
        }
        plans.insert(key, Entry { plan: Arc::clone(plan), until: plan.holds_until() });
    }

    /// Tells how it does.
    pub(crate) fn figures(&self) -> CacheFigures {
        CacheFigures {
            entries: self.plans.as_ref().map_or(0, |plans| plans.len() as u64),
            bytes: self.plans.as_ref().map_or(0, Cache::weight),
            capacity_bytes: CAPACITY_BYTES,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            shared: 0,
        }
    }
}
