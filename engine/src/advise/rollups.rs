//! Rollups: aggregations that were asked again and again, put together by what they group by.

use super::Asked;
use super::observe::{Group, Observed};
use serde::Serialize;
use std::collections::BTreeSet;

/// Fewer queries are no habit.
const MIN_QUERIES: u64 = 2;
/// More dimensions than this leave hardly fewer rows than there are.
const MAX_DIMENSIONS: usize = 6;
/// The most that are told.
const MAX_ROLLUPS: usize = 5;

/// A rollup that would have answered queries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RollupAdvice {
    /// What is grouped or filtered by: items, or periods of them such as `month(day)`.
    pub dimensions: Vec<String>,
    /// What is asked of the groups.
    pub measures: Vec<String>,
    /// Queries that it would have answered.
    pub queries: u64,
    /// Time that those took.
    pub seconds: f64,
}

/// Finds the rollups that would have answered the most, the most first.
///
/// A query that groups by less is answered from a rollup with more dimensions, so it counts for that one too.
pub(super) fn advise(observed: &[(&Asked, Observed)]) -> Vec<RollupAdvice> {
    let asked: Vec<(&Asked, &Group)> = observed
        .iter()
        .flat_map(|(asked, query)| query.groups.iter().map(move |group| (*asked, group)))
        .filter(|(_, group)| group.dimensions.len() <= MAX_DIMENSIONS)
        .collect();
    let shapes: BTreeSet<&BTreeSet<String>> = asked.iter().map(|(_, group)| &group.dimensions).collect();
    let wider =
        |shape: &BTreeSet<String>| shapes.iter().any(|other| shape.is_subset(other) && shape != *other);
    let mut found: Vec<RollupAdvice> = Vec::new();
    for shape in shapes.iter().filter(|shape| !wider(shape)) {
        let answered = asked.iter().filter(|(_, group)| group.dimensions.is_subset(shape));
        let measures: BTreeSet<&String> = answered.clone().flat_map(|(_, group)| &group.measures).collect();
        found.push(RollupAdvice {
            dimensions: shape.iter().cloned().collect(),
            measures: measures.into_iter().cloned().collect(),
            queries: answered.clone().count() as u64,
            seconds: answered.map(|(asked, _)| asked.took.as_secs_f64()).sum(),
        });
    }
    found.retain(|rollup| rollup.queries >= MIN_QUERIES);
    found.sort_by(|a, b| b.queries.cmp(&a.queries).then(b.seconds.total_cmp(&a.seconds)));
    found.truncate(MAX_ROLLUPS);
    found
}
