//! Gather: the figures of one process. What each means, and what to do about it, is in docs/operations.md.

use std::time::Duration;

use async_trait::async_trait;
use basin_engine::{DURATION_BOUNDS_SECONDS, Engine, EngineFigures, Tally};

use super::calls::Calls;
use super::family::{Family, Kind, figure, merged, text};
use super::http::Health;
use crate::connections::Connections;

/// How long the store may take to answer a server that is ready.
const STORE_WITHIN: Duration = Duration::from_secs(3);

/// One process that answers, for whoever watches it.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) engine: Engine,
    pub(crate) calls: Calls,
    pub(crate) connections: Connections,
}

impl Process {
    /// Returns its figures.
    pub(crate) fn figures(&self) -> Vec<Family> {
        of_process(&self.engine.figures(), &self.calls, self.connections.open())
    }

    /// Checks that the store answers.
    ///
    /// # Errors
    /// What it says instead.
    pub(crate) async fn reaches_its_store(&self) -> std::result::Result<(), String> {
        match tokio::time::timeout(STORE_WITHIN, self.engine.catalog().latest()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the store did not answer within {} s", STORE_WITHIN.as_secs())),
        }
    }
}

#[async_trait]
impl Health for Process {
    async fn metrics(&self) -> String {
        text(&merged(vec![(self.engine.process().to_owned(), self.figures())]))
    }

    async fn ready(&self) -> std::result::Result<(), String> {
        self.reaches_its_store().await
    }
}

fn of_process(engine: &EngineFigures, calls: &Calls, connections: usize) -> Vec<Family> {
    let mut families = vec![calls.family()];
    families.extend(of_queries(&engine.queries));
    let now = [
        ("basin_queries_running", "Queries that run.", engine.places.running as u64),
        ("basin_queries_waiting", "Queries that wait for a place.", engine.places.waiting as u64),
        ("basin_connections", "Open connections.", connections as u64),
        (
            "basin_memory_reserved_bytes",
            "Memory that running queries have taken.",
            engine.memory_reserved_bytes,
        ),
        ("basin_memory_limit_bytes", "Memory that running queries may take.", engine.memory_limit_bytes),
        ("basin_spilled_bytes", "What running queries have on the spill disk.", engine.spilled_bytes),
        (
            "basin_audit_backlog_records",
            "Audit records whose end is not stored yet.",
            engine.audit_backlog_records,
        ),
        (
            "basin_audit_failing",
            "1 when the store takes no audit records, and queries are refused.",
            u64::from(engine.audit_is_failing),
        ),
    ];
    families.extend(now.map(|(name, help, value)| Family::gauge(name, help, figure(value))));
    families.extend(of_caches(engine));
    families
}

fn of_queries(queries: &Tally) -> Vec<Family> {
    let outcomes = Family::new(Kind::Counter, "basin_queries_total", "Queries that ended, by outcome.");
    let outcomes = queries
        .outcomes
        .iter()
        .fold(outcomes, |family, (outcome, count)| family.with(&[("outcome", outcome)], figure(*count)));
    let counters = [
        ("basin_query_rows_total", "Rows that left.", queries.rows),
        ("basin_query_bytes_total", "Bytes of the rows that left, as in memory.", queries.bytes),
        ("basin_queries_from_cache_total", "Queries answered from a kept result.", queries.from_cache),
    ];
    let mut families = vec![
        outcomes,
        Family::histogram(
            "basin_query_seconds",
            "How long queries took from their planning to their last row.",
            &DURATION_BOUNDS_SECONDS,
            &queries.durations,
            queries.seconds,
        ),
    ];
    families.extend(counters.map(|(name, help, value)| Family::counter(name, help, figure(value))));
    families
}

fn of_caches(engine: &EngineFigures) -> Vec<Family> {
    let of = |kind, name, help, value: fn(&basin_engine::CacheFigures) -> u64| {
        engine.caches.iter().fold(Family::new(kind, name, help), |family, (cache, figures)| {
            family.with(&[("cache", cache)], figure(value(figures)))
        })
    };
    vec![
        of(Kind::Gauge, "basin_cache_entries", "What a cache holds.", |cache| cache.entries),
        of(Kind::Gauge, "basin_cache_bytes", "Memory that a cache takes.", |cache| cache.bytes),
        of(Kind::Gauge, "basin_cache_capacity_bytes", "Memory that a cache may take.", |cache| {
            cache.capacity_bytes
        }),
        of(Kind::Counter, "basin_cache_hits_total", "How often a cache had what was asked for.", |cache| {
            cache.hits
        }),
        of(
            Kind::Counter,
            "basin_cache_misses_total",
            "How often a cache had not what was asked for.",
            |cache| cache.misses,
        ),
    ]
}
