//! Stops: a server that is told to stop while it streams, and queries that are ended at any moment. A part never passes for
//! the whole, and what was taken is given back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, CancelFlightInfoRequest, FlightInfo};
use futures::TryStreamExt as _;
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::transport::Channel;

use crate::client::{login, rows};
use crate::program::Server;
use crate::store::pooled_copy;

const STREAMS: usize = 50;
const CANCELS: usize = 500;
const SEED: u64 = 6;
const PATIENCE: Duration = Duration::from_secs(20);

/// How a stream ended: with all its rows, or with an error.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Whole,
    Error,
}

/// Reads a result of so many rows, slower or faster.
async fn read(address: String, number: usize) -> Result<End> {
    let all = 200_000 * (number % 10 + 1);
    let mut client = login(&address).await?;
    let begun = async {
        let info = client.execute(format!("SELECT value FROM generate_series(1, {all})"), None).await?;
        let ticket =
            info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("a ticket")?;
        anyhow::Ok(client.do_get(ticket).await?)
    };
    // Refused, when the server stops before it.
    let Ok(mut stream) = begun.await else { return Ok(End::Error) };
    let mut found = 0;
    loop {
        match stream.try_next().await {
            Ok(Some(batch)) => found += batch.num_rows(),
            Ok(None) if found == all => return Ok(End::Whole),
            Ok(None) => bail!("{found} rows of {all} passed for the whole"),
            Err(_) => return Ok(End::Error),
        }
        tokio::time::sleep(Duration::from_millis(number as u64 % 7 * 30)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_streams_whole_or_with_an_error() -> Result<()> {
    let store = pooled_copy()?;
    let limits = "[server]\ndrain_seconds = 8\n[engine]\nmax_running = 120\nmax_running_of_user = 120\n";
    let server = Server::configured(store.path(), store.path(), limits)?;
    let readers: Vec<_> =
        (0..STREAMS).map(|number| tokio::spawn(read(server.address().to_owned(), number))).collect();
    let mut watcher = login(server.address()).await?;
    let begun = Instant::now();
    while rows(&mut watcher, "SELECT 1 FROM basin.running WHERE stage = 'running'").await?.len()
        <= STREAMS / 2
    {
        ensure!(begun.elapsed() < PATIENCE, "the streams don't run");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(watcher);
    let begun = Instant::now();
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    let (mut whole, mut broken) = (0, 0);
    for reader in readers {
        match reader.await?? {
            End::Whole => whole += 1,
            End::Error => broken += 1,
        }
    }
    ensure!(stopped.await?? == Some(0));
    println!(
        "{whole} streams were whole, {broken} ended with an error, the server after {:?}",
        begun.elapsed()
    );
    ensure!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
    ensure!(whole > 0, "no stream was drained");
    Ok(())
}

/// Cancels by the ticket's FlightInfo.
async fn cancel(client: &mut FlightSqlServiceClient<Channel>, info: FlightInfo) -> Result<()> {
    let body = CancelFlightInfoRequest::new(info).encode_to_vec();
    let mut answer = client.do_action(Action::new("CancelFlightInfo", body)).await?;
    while answer.message().await?.is_some() {}
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_are_ended_at_any_moment_give_everything_back() -> Result<()> {
    const STATEMENTS: [&str; 5] = [
        "SELECT value FROM generate_series(1, 100000000)",
        "SELECT value FROM generate_series(1, 3000000) ORDER BY value * 7919 % 3000017",
        "SELECT count(*) FROM generate_series(1, 100000) a JOIN generate_series(1, 100000) b ON a.value % 7 = b.value % 7",
        "SELECT value % 1000000, count(*) FROM generate_series(1, 30000000) GROUP BY 1",
        "SELECT city, sum(confirmed) OVER (ORDER BY date) FROM health.city",
    ];
    let store = pooled_copy()?;
    let spill = tempfile::tempdir()?;
    let limits = format!(
        "[server]\nmetrics_listen = \"127.0.0.1:0\"\n[engine]\nmemory_mib = 96\nspill_dir = \"{}\"\nhot_columns_mib = 0\nresult_cache_mib = 0\n",
        spill.path().display()
    );
    let server = Server::configured(store.path(), store.path(), &limits)?;
    let mut client = login(server.address()).await?;
    let mut random = StdRng::seed_from_u64(SEED);
    for number in 0..CANCELS {
        let sql = STATEMENTS.get(number % STATEMENTS.len()).context("a statement")?;
        let info = client.execute((*sql).to_owned(), None).await?;
        let ticket =
            info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("a ticket")?;
        let moment = Duration::from_micros(random.random_range(0..40_000));
        let mut reading = client.clone();
        let read = tokio::spawn(async move {
            let mut stream = reading.do_get(ticket).await?;
            while stream.try_next().await?.is_some() {}
            anyhow::Ok(())
        });
        tokio::time::sleep(moment).await;
        if number % 2 == 0 {
            read.abort();
        } else {
            cancel(&mut client, info).await?;
        }
        // It may have come to its end before.
        drop(read.await);
    }
    until_nothing_is_held(&server).await?;
    let left = spilled(spill.path())?;
    ensure!(left.is_empty(), "left on the spill disk: {left:?}");
    println!("{CANCELS} queries ended at random moments: nothing is held any more");
    ensure!(server.stop()? == Some(0));
    Ok(())
}

/// Waits until no place, no memory and no spill disk is taken up.
async fn until_nothing_is_held(server: &Server) -> Result<()> {
    let begun = Instant::now();
    loop {
        let figures = server.metrics()?;
        let sum = |name: &str| -> f64 {
            figures
                .lines()
                .filter(|line| line.starts_with(&format!("{name}{{")))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum()
        };
        let held = [
            "basin_queries_running",
            "basin_queries_waiting",
            "basin_memory_reserved_bytes",
            "basin_spilled_bytes",
        ]
        .map(|name| (name, sum(name)));
        if held.iter().all(|(_, held)| *held == 0.0) {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "still held: {held:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The files on the spill disk, but for the locks of living processes.
fn spilled(folder: &std::path::Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(spilled(&path)?);
        } else if path.file_name().is_some_and(|name| name != "lock") {
            files.push(path);
        }
    }
    Ok(files)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_left_on_the_spill_disk_is_removed_by_the_next() -> Result<()> {
    let store = pooled_copy()?;
    let spill = tempfile::tempdir()?;
    let limits = format!("[engine]\nmemory_mib = 64\nspill_dir = \"{}\"\n", spill.path().display());
    let server = Server::configured(store.path(), store.path(), &limits)?;
    let mut client = login(server.address()).await?;
    let sorting = tokio::spawn(async move {
        rows(&mut client, "SELECT value FROM generate_series(1, 300000000) ORDER BY value * 7919 % 300000017")
            .await
    });
    let begun = Instant::now();
    while spilled(spill.path())?.is_empty() {
        ensure!(begun.elapsed() < PATIENCE, "the sort does not spill");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(server);
    ensure!(sorting.await?.is_err(), "the sort went on without its server");
    ensure!(!spilled(spill.path())?.is_empty(), "a killed server cleaned up");
    let next = Server::configured(store.path(), store.path(), &limits)?;
    let left = spilled(spill.path())?;
    ensure!(left.is_empty(), "left on the spill disk: {left:?}");
    ensure!(next.stop()? == Some(0));
    Ok(())
}
