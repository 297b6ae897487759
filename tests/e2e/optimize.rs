//! `basin optimize` and `basin advise` from outside: files become few and sorted, rows and deliveries stay, and the
//! queries on record tell how to lay them out.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::program::{run, sql};
use crate::store::{BEDS, PROVIDER, apply, entry, with_provider};

const LAYOUT: &str = r#"
[layout]
key = ["month", "clinic"]
sort = ["month"]
slice = ["month"]
"#;

/// A checksum over the sorted rows.
const ROWS: &str = "SELECT count(*), sha256(string_agg(concat_ws('|', month, clinic, beds), ';' ORDER BY month, clinic)) \
                    FROM test.beds";

fn pool(store: &Path, folder: &Path, month: u32, beds: u32) -> Result<String> {
    let file = folder.join(format!("beds-{month:02}.csv"));
    let mut text = "month,clinic,beds\n".to_owned();
    for clinic in 0..50 {
        text.push_str(&format!("2024-{month:02}-01,{:03},{}\n", (clinic * 7) % 50, beds + clinic));
    }
    fs::write(&file, text)?;
    run(store, ["pool", "test.beds", &file.to_string_lossy(), "--provider", PROVIDER])?.success()
}

fn json(store: &Path, arguments: &[&str]) -> Result<Value> {
    let all = [arguments, &["--json"]].concat();
    Ok(serde_json::from_str(&run(store, all)?.success()?)?)
}

#[test]
fn files_become_few_and_rows_and_deliveries_stay() -> Result<()> {
    let (store, folder) = (with_provider()?, tempfile::tempdir()?);
    let (store, folder) = (store.path(), folder.path());
    apply(store, &(entry("test.beds", 41) + LAYOUT + BEDS))?;
    for month in 1..=6 {
        pool(store, folder, month, month)?;
    }
    let rows = sql(store, ROWS, &[])?;
    let dry = json(store, &["optimize", "test.beds", "--dry-run"])?;
    ensure!(dry[0]["outcome"] == "dry_run" && dry[0]["partitions"][0]["files"] == 6, "{dry}");
    let done = json(store, &["optimize", "--all"])?;
    ensure!(
        done[0]["outcome"] == "published" && done[0]["files_before"] == 6 && done[0]["files_after"] == 1,
        "{done}"
    );
    ensure!(sql(store, ROWS, &[])? == rows, "the rows are others");
    let as_of = sql(store, ROWS, &["--as-of", "8"])?;
    ensure!(as_of == rows, "the version before is not readable: {as_of:?}");
    let again = run(store, ["optimize", "test.beds"])?.success()?;
    ensure!(again.contains("1 files, all as the layout asks"), "{again}");
    let history = run(store, ["dataset", "history", "test.beds"])?.success()?;
    ensure!(history.contains("(optimised)"), "{history}");
    let commits = run(store, ["dataset", "history"])?.success()?;
    ensure!(commits.contains("publish test.beds version 7"), "{commits}");

    // The deliveries are still known, and one month is replaced alone.
    ensure!(pool(store, folder, 2, 2)?.contains("unchanged"), "a delivery is not known any more");
    ensure!(pool(store, folder, 2, 1000)?.contains("250 rows of earlier deliveries kept"), "other rows went");
    let sums = sql(store, "SELECT sum(beds) FROM test.beds GROUP BY month ORDER BY month", &[])?;
    ensure!(sums == ["1275", "51225", "1375", "1425", "1475", "1525"], "{sums:?}");

    ensure!(run(store, ["optimize", "test.none"])?.code == Some(4), "a dataset that is not there");
    ensure!(run(store, ["optimize"])?.code == Some(2), "nothing to optimise");
    Ok(())
}

#[test]
fn queries_on_record_tell_the_layout() -> Result<()> {
    let (store, folder) = (with_provider()?, tempfile::tempdir()?);
    let (store, folder) = (store.path(), folder.path());
    let manifest = entry("test.beds", 42) + LAYOUT + BEDS;
    apply(store, &manifest)?;
    for month in 1..=3 {
        pool(store, folder, month, month)?;
    }
    let nothing = run(store, ["advise", "test.beds"])?.success()?;
    ensure!(nothing.contains("the last 0 queries") && nothing.contains("nothing to change"), "{nothing}");
    for clinic in 0..4 {
        sql(store, &format!("SELECT beds FROM test.beds WHERE clinic = '{clinic:03}' ORDER BY month"), &[])?;
        sql(store, "SELECT month, sum(beds) FROM test.beds GROUP BY month", &[])?;
    }
    let advice = json(store, &["advise", "test.beds", "--last", "100"])?;
    ensure!(advice["queries"] == 8 && advice["understood"] == 8, "{advice}");
    ensure!(
        advice["items"][0]["item"] == "clinic" && advice["items"][0]["filters"]["equal"] == 4,
        "{advice}"
    );
    let sort = advice["manifest"][0].as_str().context("no line")?.to_owned();
    ensure!(sort == r#"sort = ["clinic"]"#, "{advice}");
    let command = advice["commands"][0].as_str().context("no command")?;
    ensure!(command.ends_with("--dimensions 'month' --measures 'sum(beds)'"), "{command}");
    let text = run(store, ["advise", "test.beds"])?.success()?;
    ensure!(text.contains("clinic in 4 of 8 queries (equal 4)"), "{text}");

    // The line is pasted, the manifest applied, the files sorted anew: then there is nothing more to advise on it.
    let rows = sql(store, ROWS, &[])?;
    apply(store, &manifest.replace(r#"sort = ["month"]"#, &sort))?;
    let done = json(store, &["optimize", "test.beds"])?;
    let reasons = done[0]["partitions"][0]["reasons"].to_string();
    ensure!(done[0]["files_after"] == 1 && reasons.contains("other_order"), "{done}");
    ensure!(sql(store, ROWS, &[])? == rows, "the rows are others");
    let explained = sql(store, "EXPLAIN SELECT beds FROM test.beds ORDER BY clinic", &[])?.join("\n");
    ensure!(!explained.contains("SortExec"), "the order is not used:\n{explained}");
    let after = json(store, &["advise", "test.beds"])?;
    ensure!(after["sort"].is_null(), "{after}");
    Ok(())
}
