//! `basin bench run`: checks every query once, then lets the clients ask for a while and reports.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use basin_catalog::ErrorClass;
use clap::Args;
use futures::TryStreamExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Checked, Run, Work, ask, drive, wrong};
use super::expected::expected;
use super::report::{Report, Setting};
use super::target::{Target, serve_store};
use super::tpch::{QUERY_COUNT, SUPPLIERS, query};
use super::watch::{Count, watched};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::grouped;
use crate::commands::password;
use crate::commands::session::Session;
use crate::commands::sql::Address;
use crate::commands::sql::remote::Remote;

/// Source of the scale factor, and whether there is data at all.
const COUNT_SUPPLIERS: &str = "SELECT count(*) FROM tpch.supplier";

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The Flight SQL server: grpc://host:port or grpc+tls://host:port [default: serve the store in this process]
    #[arg(long, value_name = "URL")]
    server: Option<Address>,
    /// The user to sign in as at the server (password: BASIN_PASSWORD, or asked for)
    #[arg(long, env = "BASIN_USER", value_name = "NAME")]
    user: Option<String>,
    /// A PEM file with the authority that signed the server's certificate [default: the system's]
    #[arg(long, value_name = "FILE", requires = "server")]
    tls_ca: Option<PathBuf>,
    /// Clients that ask at the same time, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// For how long: 30s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    duration: Duration,
    /// The queries of TPC-H to ask, by number [default: all 22]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=22))]
    queries: Vec<u8>,
    /// Ask this statement in place of TPC-H
    #[arg(long, value_name = "SQL", conflicts_with = "queries")]
    statement: Option<String>,
    /// Let results that the server kept answer; their times say nothing of the engine
    #[arg(long)]
    result_cache: bool,
    /// Let rollups answer
    #[arg(long)]
    rollups: bool,
    /// Decides the order in which each client asks
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Reads `60s`, `5m`, `1h`; a bare number is seconds.
fn duration(text: &str) -> std::result::Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let read = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let seconds = read.and_then(|(number, seconds)| Some(number.trim().parse::<f64>().ok()? * seconds));
    seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("{text:?} is not a time: write a number with s, m or h"))
}

pub(crate) async fn run(session: &Session, args: RunArgs) -> Result<()> {
    let report = if let Some(address) = args.server.clone() {
        let target = remote_target(address, &args)?;
        measure(&target, &args).await?
    } else {
        let (server, target) = serve_store(session).await?;
        let target = Target { result_cache: args.result_cache, rollups: args.rollups, ..target };
        let shutdown = CancellationToken::new();
        let serving = async { Ok(server.serve(shutdown.clone()).await?) };
        let measuring = async {
            let report = measure(&target, &args).await;
            shutdown.cancel();
            report
        };
        let ((), report) = tokio::try_join!(serving, measuring)?;
        report
    };
    session.answer(&report)
}

fn remote_target(address: Address, args: &RunArgs) -> Result<Target> {
    let Some(user) = args.user.clone() else {
        return Err(CommandError::usage(
            "no user to sign in as at the server",
            "name one with --user or BASIN_USER",
        ));
    };
    let password = password::existing(&user)?;
    let authority = args.tls_ca.clone();
    let (result_cache, rollups) = (args.result_cache, args.rollups);
    Ok(Target { address, authority, user, password, result_cache, rollups })
}

async fn measure(target: &Target, args: &RunArgs) -> Result<Report> {
    let mut first = target.connect().await?;
    let (queries, scale, checked_against) = match &args.statement {
        Some(sql) => (vec![checked(&mut first, "statement", sql).await?], None, "the first one"),
        None => {
            let scale = scale(&mut first).await?;
            let (queries, against) = tpch(&mut first, &args.queries, scale).await?;
            (queries, Some(scale), against)
        }
    };
    let mut remotes = vec![first];
    while remotes.len() < args.clients as usize {
        remotes.push(target.connect().await?);
    }
    let started = Instant::now();
    let work =
        Arc::new(Work { queries, seed: args.seed, until: started + args.duration, done: Count::default() });
    let runs = run_all(remotes, &work, args.duration).await?;
    let elapsed = started.elapsed();
    let setting = Setting {
        server: target.address.endpoint(),
        version: env!("CARGO_PKG_VERSION"),
        scale,
        clients: args.clients,
        seed: args.seed,
        result_cache: args.result_cache,
        rollups: args.rollups,
        checked_against,
    };
    Ok(Report::new(setting, &work.queries, &runs, elapsed))
}

/// Lets every client run to its end; the first error ends them all.
async fn run_all(remotes: Vec<Remote>, work: &Arc<Work>, duration: Duration) -> Result<Vec<Run>> {
    let mut clients = JoinSet::new();
    for (number, remote) in (0..).zip(remotes) {
        clients.spawn(drive(remote, number, Arc::clone(work)));
    }
    let position = || {
        let left = work.until.saturating_duration_since(Instant::now());
        let at = duration.saturating_sub(left).as_millis() as u64;
        (at, format!("{} queries answered", grouped(work.done.get())))
    };
    let all = async {
        let mut runs = Vec::new();
        while let Some(ended) = clients.join_next().await {
            let ended = ended.map_err(|_| CommandError::refused(ErrorClass::Internal, "a client stopped"))?;
            runs.extend(ended?);
        }
        Ok(runs)
    };
    watched(duration.as_millis() as u64, position, all).await
}

/// Asks a query twice and keeps its answer; what comes after is compared with it.
async fn checked(remote: &mut Remote, name: &str, sql: &str) -> Result<Checked> {
    let (answer, _) = ask(remote, sql).await?;
    let (again, _) = ask(remote, sql).await?;
    again.same(&answer).map_err(|what| wrong(name, &format!("asked twice, {what}")))?;
    Ok(Checked { name: name.to_owned(), sql: sql.to_owned(), answer })
}

/// Checks the queries of TPC-H, against another engine's figures where there are any.
async fn tpch(remote: &mut Remote, numbers: &[u8], scale: f64) -> Result<(Vec<Checked>, &'static str)> {
    let numbers = if numbers.is_empty() { (1..=QUERY_COUNT).collect() } else { numbers.to_vec() };
    let figures = expected(scale)?;
    let done = Count::default();
    let position = || (done.get(), "checking the answers".to_owned());
    let checking = async {
        let mut queries = Vec::with_capacity(numbers.len());
        for number in &numbers {
            let name = format!("Q{number}");
            let query = checked(remote, &name, &query(*number, scale)?).await?;
            if let Some(expected) = figures.as_ref().and_then(|figures| figures.get(number)) {
                query.answer.expected(expected).map_err(|what| wrong(&name, &what))?;
            }
            queries.push(query);
            done.add(1);
        }
        Ok::<_, CommandError>(queries)
    };
    let queries = watched(numbers.len() as u64, position, checking).await?;
    let against = if figures.is_some() { "DuckDB's rows and sums" } else { "the first one" };
    Ok((queries, against))
}

/// Finds out at which scale factor the data is.
async fn scale(remote: &mut Remote) -> Result<f64> {
    let batches: Vec<_> = remote.query(COUNT_SUPPLIERS, "").await?.batches.try_collect().await?;
    let count = batches.iter().find_map(|batch| {
        let column = batch.columns().first()?.as_primitive_opt::<Int64Type>()?;
        column.values().first().copied()
    });
    match count {
        Some(suppliers) if suppliers > 0 => Ok(suppliers as f64 / SUPPLIERS),
        Some(_) | None => Err(CommandError::refused_with(
            ErrorClass::NotFound,
            "tpch.supplier is empty",
            "load the data: basin bench load",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        for wrong in ["", "s", "0s", "-1s", "soon", "1d", "1e300h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
