//! Tally: how many queries ended in which way, and how long they took, since the process began. It is read by whoever
//! watches the server, and decides nothing.

use super::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Upper bounds of the classes of durations. A small query takes milliseconds, and the longest an hour.
///
/// Units: seconds.
pub const DURATION_BOUNDS_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0];

/// The queries that ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// How many ended, by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// How many took at most as long as each of [`DURATION_BOUNDS_SECONDS`], and not as short as the one before; the last
    /// are those that took longer.
    pub durations: Vec<u64>,
    /// What they took together.
    ///
    /// Units: seconds.
    pub seconds: f64,
    /// Rows that left.
    pub rows: u64,
    /// Bytes of them, in memory's form.
    pub bytes: u64,
    /// How many were answered from a kept result.
    pub from_cache: u64,
}

impl Tally {
    /// Counts a query that ended.
    pub(super) fn count(&mut self, record: &Record) {
        if let Some(outcome) = record.outcome {
            *self.outcomes.entry(outcome.name().to_owned()).or_default() += 1;
        }
        let took = record.finished_at.map(|end| end - record.started_at).and_then(|took| took.to_std().ok());
        let seconds = took.unwrap_or_default().as_secs_f64();
        self.durations.resize(DURATION_BOUNDS_SECONDS.len() + 1, 0);
        let class = DURATION_BOUNDS_SECONDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.durations.get_mut(class) {
            *count += 1;
        }
        self.seconds += seconds;
        self.rows += record.rows;
        self.bytes += record.bytes;
        self.from_cache += u64::from(record.from_cache);
    }
}
