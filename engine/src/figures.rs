//! Figures: how an engine does, for whoever watches it. They hold no data, no statement and no name.

use crate::admission::PlaceFigures;
use crate::audit::Tally;
use crate::cache::{CacheFigures, ResultCache};
use crate::disk::Shelf;
use crate::engine::Engine;
use crate::hot::HotColumns;
use crate::plan::RecentPlans;
use datafusion::execution::memory_pool::MemoryLimit;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How an engine does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineFigures {
    /// Who runs and who waits.
    pub places: PlaceFigures,
    /// Memory that running queries have taken.
    ///
    /// Units: bytes.
    pub memory_reserved_bytes: u64,
    /// What they may take together.
    pub memory_limit_bytes: u64,
    /// What running queries have on the spill disk.
    pub spilled_bytes: u64,
    /// The caches by name.
    pub caches: Vec<(String, CacheFigures)>,
    /// The queries that ended.
    pub queries: Tally,
    /// Audit records whose end is not stored yet.
    pub audit_backlog_records: u64,
    /// Whether the store takes no audit records: queries are refused then.
    pub audit_is_failing: bool,
}

impl Engine {
    /// Tells how the engine does.
    #[must_use]
    pub fn figures(&self) -> EngineFigures {
        let shared = &self.shared;
        let env = shared.template.runtime_env();
        let limit = match env.memory_pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes,
            MemoryLimit::Infinite | MemoryLimit::Unknown => shared.config.memory_bytes,
        };
        let (audit_backlog_records, audit_is_failing) = shared.audit.health();
        EngineFigures {
            places: shared.admission.figures(),
            memory_reserved_bytes: env.memory_pool.reserved() as u64,
            memory_limit_bytes: limit as u64,
            spilled_bytes: env.disk_manager.used_disk_space(),
            caches: caches(&shared.results, Some(&shared.plans), shared.cache.hot(), shared.disk.as_deref()),
            queries: shared.audit.tally(),
            audit_backlog_records,
            audit_is_failing,
        }
    }
}

/// The figures of the caches by their names.
pub(crate) fn caches(
    results: &ResultCache,
    plans: Option<&RecentPlans>,
    hot: Option<&Arc<HotColumns>>,
    disk: Option<&Shelf>,
) -> Vec<(String, CacheFigures)> {
    let results = ("results", results.figures());
    let plans = plans.map(|plans| ("plans", plans.figures()));
    let hot = hot.map(|columns| ("hot columns", columns.figures()));
    let disk = disk.map(|shelf| ("disk", shelf.figures()));
    let all = [Some(results), plans, hot, disk].into_iter().flatten();
    all.map(|(name, figures)| (name.to_owned(), figures)).collect()
}
