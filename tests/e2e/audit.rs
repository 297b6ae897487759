//! The audit from outside: what survives kill -9, what `basin audit` finds, shows, exports and rolls.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;

use crate::client::{login, query, status};
use crate::program::{Server, run, sql};
use crate::store::{USER, pooled_copy};

const KILLS: u32 = 20;

/// A result that is far from its end when its first batch arrives.
fn long(round: u32) -> String {
    format!("SELECT value AS round_{round} FROM generate_series(1, 1000000000)")
}

fn audit(store: &Path, arguments: &[&str]) -> Result<String> {
    run(store, ["audit"].iter().chain(arguments))?.success()
}

fn search(store: &Path, arguments: &[&str]) -> Result<Vec<Value>> {
    let all = [&["search", "--json", "--limit", "1000"], arguments].concat();
    Ok(serde_json::from_str(&audit(store, &all)?)?)
}

fn member(record: &Value, name: &str) -> String {
    record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// How often each statement of the analyst is recorded, and how it ended.
fn recorded(store: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in search(store, &["--user", USER])? {
        found.entry(member(&record, "sql")).or_default().push(member(&record, "outcome"));
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_kill_9_is_recorded() -> Result<()> {
    let store = pooled_copy()?;
    let mut expected: Vec<String> = Vec::new();
    for round in 0..KILLS {
        let server = Server::serve(store.path())?;
        let mut client = login(server.address()).await?;
        let refused = format!("SELECT hidden_{round} FROM health.city");
        let error = query(&mut client, &refused).await.err().context("it was not refused")?;
        status(error)?;
        let info = client.execute(long(round), None).await?;
        let ticket =
            info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("no ticket")?;
        let mut batches = client.do_get(ticket).await?;
        batches.next().await.context("no first batch")??;
        // Dropped, it is killed.
        drop(server);
        expected.extend([refused, long(round)]);
        let found = recorded(store.path())?;
        for statement in &expected {
            let times = found.get(statement).map_or(0, Vec::len);
            ensure!(times == 1, "round {round}: {statement} is recorded {times} times");
        }
    }
    // Rolled or not, nothing is lost or doubled; whether the queries still run can't be known yet.
    let before = recorded(store.path())?;
    audit(store.path(), &["roll"])?;
    ensure!(recorded(store.path())? == before, "rolling changed what is recorded");
    for round in 0..KILLS {
        ensure!(
            before.get(&long(round)).is_some_and(|ends| ends.concat().is_empty()),
            "round {round} has an end"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_shown_exported_and_rolled() -> Result<()> {
    let store = pooled_copy()?;
    // What the demo asked.
    fs::remove_dir_all(store.path().join("audit"))?;
    let server = Server::serve(store.path())?;
    let mut client = login(server.address()).await?;
    let shown = "SELECT city, confirmed FROM health.city WHERE dead > 10";
    for statement in [shown, "SELECT count(*) FROM health.national", "SELECT count(*) FROM health.national"] {
        query(&mut client, statement).await?;
    }
    let refused = query(&mut client, "SELECT * FROM health.nothing").await;
    ensure!(refused.is_err());
    ensure!(server.stop()? == Some(0));
    sql(store.path(), "SELECT 1", &[])?;

    let check = || -> Result<()> {
        let cases: [(&[&str], usize); 14] = [
            (&["--user", USER], 4),
            (&["--user", USER, "--outcome", "ok"], 3),
            (&["--user", USER, "--outcome", "refused"], 1),
            (&["--user", USER, "--outcome", "running"], 0),
            (&["--user", "nobody"], 0),
            (&["--dataset", "health.national"], 2),
            (&["--dataset", "health.nation"], 0),
            (&["--item", "confirmed"], 1),
            (&["--item", "health.city.dead"], 1),
            (&["--item", "ead"], 0),
            (&["--text", "FROM HEALTH.", "--user", USER], 4),
            (&["--purpose", "research"], 0),
            (&["--user", USER, "--since", "2020-01-01", "--until", "2100-01-01"], 4),
            (&["--user", USER, "--until", "2020-01-01"], 0),
        ];
        for (arguments, expected) in cases {
            let found = search(store.path(), arguments)?.len();
            ensure!(found == expected, "{arguments:?}: {found} instead of {expected}");
        }
        Ok(())
    };
    check()?;
    audit(store.path(), &["roll"])?;
    check()?;

    let record = search(store.path(), &["--item", "health.city.dead"])?.pop().context("no record")?;
    ensure!(member(&record, "output_columns") == "health.city.city,health.city.confirmed");
    ensure!(member(&record, "predicate_columns") == "health.city.dead");
    let words = audit(store.path(), &["show", &member(&record, "query_id")])?;
    for part in [USER, "health.city.city, health.city.confirmed", "outcome     ok", shown] {
        ensure!(words.contains(part), "{part} is missing in {words}");
    }
    let unknown = run(store.path(), ["audit", "show", "00000000-0000-7000-8000-000000000000"])?;
    ensure!(unknown.code == Some(4), "{}", unknown.text());
    exported(store.path())
}

/// Each form is read back with the four records of the analyst.
fn exported(store: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let export = |name: &str| -> Result<fs::File> {
        let path = folder.path().join(name);
        audit(store, &["export", "--user", USER, "--to", &path.to_string_lossy()])?;
        Ok(fs::File::open(path)?)
    };
    let rows = SerializedFileReader::new(export("a.parquet")?)?.metadata().file_metadata().num_rows();
    ensure!(rows == 4, "{rows} rows of Parquet");
    let text = std::io::read_to_string(export("a.jsonl")?)?;
    let lines = text.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Value>, _>>()?;
    ensure!(lines.len() == 4 && lines.iter().all(|line| member(line, "user_name") == USER), "{text}");
    let text = std::io::read_to_string(export("a.csv")?)?;
    ensure!(text.lines().count() == 5 && text.starts_with("query_id,user_name,"), "{text}");
    let refused = run(store, ["audit", "export", "--to", "a.txt"])?;
    ensure!(refused.code == Some(2), "{}", refused.text());
    Ok(())
}
