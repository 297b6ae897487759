//! A client of the benchmark: asks the queries in an order of its own, again and again, and looks at every answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_flight::error::FlightError;
use basin_catalog::ErrorClass;
use futures::StreamExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::check::{Fingerprint, Taking};
use super::watch::Count;
use crate::commands::error::{CommandError, Result};
use crate::commands::sql::remote::Remote;

/// A statement with its checked answer.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) answer: Fingerprint,
}

/// What all clients share.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) queries: Vec<Checked>,
    pub(super) seed: u64,
    /// No query starts after it; those that run are waited for.
    pub(super) until: Instant,
    pub(super) done: Count,
}

/// One query that was asked and answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Its position among the queries.
    pub(super) query: usize,
    pub(super) time: Duration,
}

/// Asks one statement and fetches every row.
pub(super) async fn ask(remote: &mut Remote, sql: &str) -> Result<(Fingerprint, Duration)> {
    let started = Instant::now();
    let mut answer = remote.query(sql, "").await?;
    let unreadable = |source| CommandError::from(FlightError::Arrow(source));
    let mut taking = Taking::new(answer.schema).map_err(unreadable)?;
    while let Some(batch) = answer.batches.next().await {
        taking.add(&batch?).map_err(unreadable)?;
    }
    Ok((taking.finish(), started.elapsed()))
}

/// Asks until the time is over.
///
/// # Errors
/// Those of a query, and `Internal` for an answer that differs from the checked one.
pub(super) async fn drive(mut remote: Remote, client: u64, work: Arc<Work>) -> Result<Vec<Run>> {
    let mut random = StdRng::seed_from_u64(work.seed.wrapping_add(client));
    let mut order: Vec<(usize, &Checked)> = work.queries.iter().enumerate().collect();
    let mut runs = Vec::new();
    loop {
        order.shuffle(&mut random);
        for (query, Checked { name, sql, answer }) in &order {
            if Instant::now() >= work.until {
                return Ok(runs);
            }
            let (found, time) = ask(&mut remote, sql).await?;
            found.same(answer).map_err(|what| wrong(name, &what))?;
            runs.push(Run { query: *query, time });
            work.done.add(1);
        }
    }
}

/// Says that an answer is wrong, so that nothing is told about its time.
pub(super) fn wrong(name: &str, what: &str) -> CommandError {
    CommandError::refused_with(
        ErrorClass::Internal,
        format!("wrong answer to {name}: {what}"),
        "a wrong answer has no time, so no figure is given",
    )
}
