//! A soak: deliveries, commits and queries for minutes while one request of ten to the store fails. What the server holds
//! (memory, file descriptors, temporary files) is looked at throughout and must not grow.
//!
//! `BASIN_SOAK_SECONDS` is how long it goes on; docs/reliability.md has the last figures.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use tonic::Code;

use super::faults::Bed;
use super::server::S3Server;
use crate::client::{Client, login, status};
use crate::program::Server;

const SECONDS: u64 = 600;
const CLIENTS: usize = 3;
/// What is read to its end, and what is left in the middle.
const STATEMENTS: [(&str, bool); 5] = [
    ("SELECT count(*), sum(gauge) FROM test.left_bank", true),
    ("SELECT gauge, count(*) FROM test.left_bank GROUP BY 1 ORDER BY 2 DESC, 1", true),
    ("SELECT value FROM generate_series(1, 2000000) ORDER BY value * 7919 % 2000003", true),
    ("SELECT value FROM generate_series(1, 50000000)", false),
    ("SELECT nothing FROM test.left_bank", true),
];
/// Of what it holds in the middle of the run, so much more it may hold at the end.
const GROWTH: f64 = 0.15;
const MORE_DESCRIPTORS: f64 = 16.0;

/// What a server holds at a moment.
#[derive(Debug, Clone, Copy)]
struct Held {
    at: f64,
    resident_mib: f64,
    descriptors: f64,
    files: f64,
}

fn held(server: &Server, spill: &Path, begun: Instant) -> Result<Held> {
    let mut descriptors = 0;
    for process in server.children()?.into_iter().chain([server.id()]) {
        descriptors += std::fs::read_dir(format!("/proc/{process}/fd"))?.count();
    }
    Ok(Held {
        at: begun.elapsed().as_secs_f64(),
        resident_mib: server.resident_bytes()? as f64 / (1024.0 * 1024.0),
        descriptors: descriptors as f64,
        files: files(spill)? as f64,
    })
}

fn files(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        count += if path.is_dir() { files(&path).unwrap_or(0) } else { 1 };
    }
    Ok(count)
}

/// Asks one statement after the other until it is over; an answer or a typed error each.
async fn ask(address: String, over: Arc<AtomicBool>, asked: Arc<AtomicU64>) -> Result<()> {
    let mut client = None;
    while !over.load(Ordering::Relaxed) {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let (sql, to_its_end) =
            STATEMENTS.get(usize::try_from(number)? % STATEMENTS.len()).context("a statement")?;
        let connected = match client.take() {
            Some(client) => client,
            None => match login(&address).await {
                Ok(client) => client,
                // The sign-in needs the store too.
                Err(_) => continue,
            },
        };
        client = Some(connected);
        if let Some(client) = &mut client {
            one(client, sql, *to_its_end).await?;
        }
    }
    Ok(())
}

async fn one(client: &mut Client, sql: &str, to_its_end: bool) -> Result<()> {
    let asked = async {
        let info = client.execute(sql.to_owned(), None).await?;
        for endpoint in info.endpoint {
            let mut rows = client.do_get(endpoint.ticket.unwrap_or_default()).await?;
            while rows.try_next().await?.is_some() && to_its_end {}
        }
        Ok::<_, arrow_flight::error::FlightError>(())
    };
    match asked.await {
        Ok(()) => Ok(()),
        Err(error) => {
            let status = status(error)?;
            let typed = [Code::Unavailable, Code::ResourceExhausted, Code::InvalidArgument];
            ensure!(typed.contains(&status.code()), "{sql}: {status:?}");
            Ok(())
        }
    }
}

/// How much a figure grows in an hour, by least squares.
fn slope_an_hour(samples: &[Held], figure: fn(&Held) -> f64) -> f64 {
    let number = samples.len() as f64;
    let mean = |of: &dyn Fn(&Held) -> f64| samples.iter().map(of).sum::<f64>() / number;
    let (at, value) = (mean(&|held| held.at), mean(&figure));
    let over: f64 = samples.iter().map(|held| (held.at - at) * (figure(held) - value)).sum();
    let under: f64 = samples.iter().map(|held| (held.at - at).powi(2)).sum();
    over / under * 3600.0
}

#[ignore = "takes ten minutes: BASIN_SOAK_SECONDS=600 cargo test --workspace --test e2e soak -- --ignored --nocapture"]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_while_requests_fail() -> Result<()> {
    let seconds = std::env::var("BASIN_SOAK_SECONDS").ok().map_or(Ok(SECONDS), |text| text.parse())?;
    let server = S3Server::start()?;
    let mut bed = Bed::new(&server)?;
    let spill = tempfile::tempdir()?;
    let limits = format!(
        "[engine]\nmemory_mib = 128\nspill_dir = \"{}\"\nhot_columns_mib = 64\nresult_cache_mib = 16\n",
        spill.path().display()
    );
    bed.faulty.configure(&limits)?;
    let serving = bed.faulty.serve()?;
    let mut client = login(serving.address()).await?;
    let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(ask(serving.address().to_owned(), Arc::clone(&over), Arc::clone(&asked))))
        .collect();
    bed.proxy.fail(true);
    let (begun, mut samples, mut round) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        round += 1;
        bed.pool()?;
        bed.fly(&mut client).await?;
        bed.commit(round)?;
        if round % 4 == 1 {
            bed.pool_large(round)?;
        }
        samples.push(held(&serving, spill.path(), begun)?);
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await??;
    }
    bed.proxy.fail(false);
    let deaths = serving.children()?.len();
    ensure!(serving.stop()? == Some(0), "the server did not stop in order");
    bed.settle()?;
    // The first third is warming up.
    let later = samples.get(samples.len() / 3..).context("no samples")?;
    let (first, last) = (later.first().context("no samples")?, later.last().context("no samples")?);
    println!(
        "{seconds} s, {round} rounds, {} statements, {} requests to the store, faults {:?}",
        asked.load(Ordering::Relaxed),
        bed.proxy.requests(),
        bed.proxy.faults()
    );
    for (what, figure) in [
        ("memory in MiB", (|held: &Held| held.resident_mib) as fn(&Held) -> f64),
        ("file descriptors", |held| held.descriptors),
        ("files on the spill disk", |held| held.files),
    ] {
        let (from, to) = (figure(first), figure(last));
        println!(
            "{what}: {from:.0} after a third, {to:.0} at the end, {:+.1} an hour",
            slope_an_hour(later, figure)
        );
    }
    ensure!(deaths == 2, "{deaths} workers at the end");
    let grown = last.resident_mib / first.resident_mib - 1.0;
    ensure!(grown < GROWTH, "memory grew by {:.0} %", grown * 100.0);
    ensure!(last.descriptors - first.descriptors < MORE_DESCRIPTORS, "file descriptors grew: {last:?}");
    Ok(())
}
