//! What a run found: rates and percentiles, per query and in total, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::client::{Checked, Run};
use crate::commands::output;

/// How a run was made.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Setting {
    pub(super) server: String,
    pub(super) version: &'static str,
    /// That of TPC-H; nothing for a statement.
    pub(super) scale: Option<f64>,
    pub(super) clients: u32,
    pub(super) seed: u64,
    /// Whether kept results could answer, and rollups.
    pub(super) result_cache: bool,
    pub(super) rollups: bool,
    /// Against what answers were checked.
    pub(super) checked_against: &'static str,
}

/// What a run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    setting: Setting,
    seconds: f64,
    queries: Vec<Line>,
    total: Line,
}

#[derive(Debug, Serialize)]
struct Line {
    query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    runs: usize,
    queries_per_second: f64,
    /// Nothing when it never ran.
    #[serde(flatten)]
    times: Option<Times>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Times {
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Report {
    pub(super) fn new(setting: Setting, queries: &[Checked], runs: &[Run], elapsed: Duration) -> Self {
        let line = |name: &str, rows, times: Vec<Duration>| Line {
            query: name.to_owned(),
            rows,
            runs: times.len(),
            queries_per_second: times.len() as f64 / elapsed.as_secs_f64(),
            times: percentiles(times),
        };
        let of = |index: usize| runs.iter().filter(move |run| run.query == index).map(|run| run.time);
        let lines = queries.iter().enumerate();
        let lines =
            lines.map(|(index, query)| line(&query.name, Some(query.answer.rows), of(index).collect()));
        let queries = lines.collect();
        let total = line("total", None, runs.iter().map(|run| run.time).collect());
        Self { setting, seconds: elapsed.as_secs_f64(), queries, total }
    }
}

/// Nearest-rank percentiles.
fn percentiles(mut times: Vec<Duration>) -> Option<Times> {
    times.sort_unstable();
    let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
    let rank = |percent: usize| (times.len() * percent).div_ceil(100).saturating_sub(1);
    Some(Times {
        p50_ms: times.get(rank(50)).map(ms)?,
        p90_ms: times.get(rank(90)).map(ms)?,
        p99_ms: times.get(rank(99)).map(ms)?,
        max_ms: times.last().map(ms)?,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.queries.iter().chain([&self.total]).map(|line| {
            let time = |pick: fn(Times) -> f64| {
                line.times.map_or_else(|| "-".to_owned(), |times| format!("{:.2}", pick(times)))
            };
            vec![
                line.query.clone(),
                line.rows.map(output::grouped).unwrap_or_default(),
                output::grouped(line.runs as u64),
                format!("{:.2}", line.queries_per_second),
                time(|times| times.p50_ms),
                time(|times| times.p90_ms),
                time(|times| times.p99_ms),
                time(|times| times.max_ms),
            ]
        });
        let header = ["query", "#rows", "#runs", "#queries/s", "#p50 ms", "#p90 ms", "#p99 ms", "#max ms"];
        writeln!(f, "{}", output::table(&output::header(&header), rows.collect()))?;
        let Setting { server, version, scale, clients, seed, result_cache, rollups, checked_against } =
            &self.setting;
        let on = |on: bool| if on { "on" } else { "off" };
        let what = scale.map_or_else(|| "a statement".to_owned(), |scale| format!("TPC-H at scale {scale}"));
        write!(
            f,
            "{what}, {clients} clients, {:.1} s, seed {seed}, basin {version}, {server}\nresult cache {}, rollups {}; \
             every answer checked against {checked_against}",
            self.seconds,
            on(*result_cache),
            on(*rollups),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let expected = Times { p50_ms: 100.0, p90_ms: 180.0, p99_ms: 198.0, max_ms: 200.0 };
        assert_eq!(percentiles(times), Some(expected));
        let one = Times { p50_ms: 7.0, p90_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 };
        assert_eq!(percentiles(vec![Duration::from_millis(7)]), Some(one));
        assert_eq!(percentiles(Vec::new()), None);
    }
}
