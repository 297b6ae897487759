//! Several processes: one that dies takes its own queries with it and no others, each reaches the queries of all, and they
//! are replaced without anybody noticing.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use arrow_flight::Action;
use futures::TryStreamExt as _;
use tonic::Code;

use crate::client::{Client, login, query, rows, status};
use crate::program::{Server, basin, run, sql};
use crate::store::{PASSWORD, USER, pooled, pooled_copy};

/// Runs until it is ended.
const ENDLESS: &str =
    "SELECT sum(a.value % 7) FROM generate_series(1, 1000000000000) a /* endless */ WHERE a.value > 0";
const PATIENCE: Duration = Duration::from_secs(20);

/// The workers of a server by their names, with their process ids.
fn workers(server: &Server) -> Result<BTreeMap<String, u32>> {
    let mut found = BTreeMap::new();
    for child in server.children()? {
        let line = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
        let mut words = line.split('\0').skip_while(|word| *word != "--worker");
        if let Some(name) = words.nth(1) {
            found.insert(name.to_owned(), child);
        }
    }
    Ok(found)
}

/// The worker that answers a client.
pub(crate) async fn worker_of(client: &mut Client) -> Result<String> {
    let found =
        rows(client, "SELECT process FROM basin.running WHERE sql LIKE '%whose am I%' -- whose am I").await?;
    Ok(found.first().and_then(|row| row.first()).context("the own query does not run")?.clone())
}

/// Two clients at different workers, with the names of these.
pub(crate) async fn two_apart(server: &Server) -> Result<[(Client, String); 2]> {
    let mut first = login(server.address()).await?;
    let name = worker_of(&mut first).await?;
    for _ in 0..200 {
        let mut second = login(server.address()).await?;
        let other = worker_of(&mut second).await?;
        if other != name {
            return Ok([(first, name), (second, other)]);
        }
    }
    bail!("200 connections went to one worker")
}

/// Starts the endless query, and waits until it runs; gives its id, and its end.
async fn start_endless(
    client: &Client,
    other: &mut Client,
) -> Result<(String, tokio::task::JoinHandle<std::result::Result<usize, tonic::Status>>)> {
    let mut asking = client.clone();
    let running = tokio::spawn(async move {
        let ended = query(&mut asking, ENDLESS).await;
        ended
            .map(|batches| batches.len())
            .map_err(|error| status(error).unwrap_or_else(|error| tonic::Status::internal(error.to_string())))
    });
    let begun = Instant::now();
    loop {
        let found = rows(
            other,
            "SELECT query_id FROM basin.running WHERE sql LIKE '%endless%' AND stage = 'running' AND sql NOT LIKE '%LIKE%'",
        );
        if let Some(id) = found.await?.first().and_then(|row| row.first()) {
            return Ok((id.clone(), running));
        }
        ensure!(begun.elapsed() < PATIENCE, "the endless query does not run");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_takes_only_its_own_queries_with_it() -> Result<()> {
    let store = pooled_copy()?;
    let server = Server::serve(store.path())?;
    let [(first, name), (mut second, _)] = two_apart(&server).await?;
    let (id, running) = start_endless(&first, &mut second).await?;
    let process = *workers(&server)?.get(&name).context("the worker is not there")?;
    ensure!(Command::new("kill").args(["-9", &process.to_string()]).status()?.success());
    let ended = running.await?.err().context("the query went on without its worker")?;
    ensure!(matches!(ended.code(), Code::Unavailable | Code::Unknown), "{ended:?}");
    // The other worker's client notices nothing, and sees how the query ended.
    let begun = Instant::now();
    loop {
        let sql = format!("SELECT outcome, message FROM basin.queries WHERE query_id = '{id}'");
        let found = rows(&mut second, &sql).await?;
        if let [row] = found.as_slice()
            && row.first().is_some_and(|outcome| outcome == "died")
        {
            ensure!(row.get(1).is_some_and(|message| message.contains("SIGKILL")), "{row:?}");
            break;
        }
        ensure!(begun.elapsed() < PATIENCE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Another takes its place.
    let begun = Instant::now();
    while workers(&server)?.len() < 2 {
        ensure!(begun.elapsed() < PATIENCE, "no worker was started in its place");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(!workers(&server)?.contains_key(&name), "the dead one is still there");
    two_apart(&server).await?;
    ensure!(server.stop()? == Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_ended_from_another_worker() -> Result<()> {
    let store = pooled_copy()?;
    run(store.path(), ["user", "add", "other", "--external"])?.success()?;
    let server = Server::serve(store.path())?;
    let [(first, _), (mut second, _)] = two_apart(&server).await?;
    let (id, running) = start_endless(&first, &mut second).await?;
    let body = format!(r#"{{"query":"{id}"}}"#);
    let mut answers = second.do_action(Action::new("basin.Kill", body.clone())).await?;
    ensure!(answers.message().await?.is_none());
    let ended = running.await?.err().context("the query went on")?;
    ensure!(ended.code() == Code::Cancelled, "{ended:?}");
    // What has ended, and what never was, can't be ended.
    let again = second.do_action(Action::new("basin.Kill", body)).await;
    let again = match again {
        Ok(mut answers) => answers.message().await.err().context("it was ended twice")?,
        Err(error) => tonic::Status::internal(error.to_string()),
    };
    ensure!(again.code() == Code::NotFound || again.message().contains(&id), "{again:?}");
    // By the command.
    let (id, running) = start_endless(&first, &mut second).await?;
    let at = format!("grpc://{}", server.address());
    let command = |words: &[&str]| -> Result<std::process::Output> {
        let words = [&["query"], words, &["--server", at.as_str(), "--user", USER]].concat();
        Ok(basin(store.path(), words)?.env("BASIN_PASSWORD", PASSWORD).output()?)
    };
    let listed = command(&["list"])?;
    ensure!(String::from_utf8_lossy(&listed.stdout).contains(&id), "{listed:?}");
    let killed = command(&["kill", &id])?;
    ensure!(killed.status.code() == Some(0), "{killed:?}");
    let ended = running.await?.err().context("the query went on")?;
    ensure!(ended.code() == Code::Cancelled, "{ended:?}");
    let absent = command(&["kill", &id])?;
    ensure!(absent.status.code() == Some(4), "{absent:?}");
    ensure!(server.stop()? == Some(0));
    let ended =
        "SELECT count(*) FROM basin.queries WHERE outcome = 'cancelled' AND sql LIKE '%/* endless */%'";
    let outcomes = sql(store.path(), ended, &[])?;
    ensure!(outcomes == ["2"], "{outcomes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_replaced_while_a_result_is_read() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let before = workers(&server)?;
    let mut client = login(server.address()).await?;
    let info = client.execute("SELECT value FROM generate_series(1, 3000000)".to_owned(), None).await?;
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("a ticket")?;
    let mut stream = client.do_get(ticket).await?;
    let mut found = stream.try_next().await?.context("no rows")?.num_rows();
    ensure!(Command::new("kill").args(["-HUP", &server.id().to_string()]).status()?.success());
    let begun = Instant::now();
    loop {
        let now = workers(&server)?;
        if now.keys().filter(|name| !before.contains_key(*name)).count() == 2 {
            break;
        }
        ensure!(begun.elapsed() < PATIENCE, "{now:?}");
        thread::sleep(Duration::from_millis(50));
    }
    while let Some(batch) = stream.try_next().await? {
        found += batch.num_rows();
    }
    ensure!(found == 3_000_000, "{found} rows");
    let begun = Instant::now();
    while before.contains_key(&worker_of(&mut login(server.address()).await?).await?) {
        ensure!(begun.elapsed() < PATIENCE, "an old worker answers");
    }
    ensure!(server.stop()? == Some(0));
    Ok(())
}

#[test]
fn workers_end_with_their_supervisor() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let workers = workers(&server)?;
    ensure!(workers.len() == 2, "{workers:?}");
    ensure!(Command::new("kill").args(["-9", &server.id().to_string()]).status()?.success());
    let begun = Instant::now();
    while workers.values().any(|worker| std::fs::exists(format!("/proc/{worker}/exe")).unwrap_or(false)) {
        ensure!(begun.elapsed() < PATIENCE, "a worker goes on without its supervisor");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[test]
fn what_keeps_a_worker_from_starting_is_said_once() -> Result<()> {
    let missing = tempfile::tempdir()?.path().join("absent");
    let ended = run(&missing, ["serve", "--listen", "127.0.0.1:0"])?;
    ensure!(ended.code == Some(4), "{ended:?}");
    ensure!(ended.stderr.matches("error:").count() == 1 && ended.stderr.contains("absent"), "{ended:?}");
    Ok(())
}
