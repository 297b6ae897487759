//! Rollups by the command line: made, shown, used, kept up with deliveries, dropped.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::program::{run, sql};
use crate::store::{PROVIDER, apply, entry, with_provider};

/// The manifest without its `[dataset]` part.
const LAYOUT: &str = r#"
[layout]
sort = ["day"]
slice = ["day"]

[[items]]
name = "day"
type = "date"
nullable = false
role = "time"

[[items]]
name = "clinic"
type = "text"
role = "key"

[[items]]
name = "beds"
type = "int32"
role = "measure"

[[items]]
name = "share"
type = "float64"
role = "measure"

[[items]]
name = "cost"
type = "decimal(10,2)"
role = "measure"

[[delivery]]
kind = "beds"
files = '^beds-.+\.csv$'
format = { type = "csv" }

[delivery.columns]
day = { from = "day", format = "%Y-%m-%d" }
clinic = "clinic"
beds = "beds"
share = "share"
cost = "cost"
"#;

const BY_CLINIC: &str = "SELECT clinic, count(*) AS n, sum(beds) AS b, avg(beds) AS a, sum(cost) AS c FROM test.beds \
                         GROUP BY clinic ORDER BY clinic NULLS FIRST";

/// Delivers a day of 40 rows: ten of each of three clinics, and ten of none.
fn pool(store: &Path, folder: &Path, day: usize) -> Result<String> {
    let file = folder.join(format!("beds-{day:02}.csv"));
    let rows = (0..40).map(|row| {
        let clinic = ["", "a", "b", "c"][row % 4];
        format!("2024-01-{day:02},{clinic},{},0.5,{row}.25\n", row + day)
    });
    fs::write(&file, format!("day,clinic,beds,share,cost\n{}", rows.collect::<String>()))?;
    let ended = run(store, ["pool", "test.beds", &file.to_string_lossy(), "--provider", PROVIDER])?;
    let said = ended.text();
    ended.success()?;
    Ok(said)
}

fn is_answered(store: &Path) -> Result<bool> {
    let plan = sql(store, &format!("EXPLAIN {BY_CLINIC}"), &[])?.join("\n");
    Ok(plan.contains("test.beds rollup clinics"))
}

fn shown(store: &Path) -> Result<Value> {
    let text = run(store, ["rollup", "show", "test.beds", "clinics", "--json"])?.success()?;
    Ok(serde_json::from_str(&text)?)
}

fn create(store: &Path, name: &str, dimensions: &str, measures: &str) -> Result<crate::program::Ended> {
    let (dimensions, measures) = (["--dimensions", dimensions], ["--measures", measures]);
    run(store, [["rollup", "create"], ["test.beds", name], dimensions, measures].concat())
}

#[test]
fn a_rollup_is_kept_up_with_deliveries() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = with_provider()?;
    let store = store.path();
    apply(store, &(entry("test.beds", 41) + LAYOUT))?;
    pool(store, folder.path(), 1)?;
    let before = sql(store, BY_CLINIC, &[])?;
    ensure!(before.len() == 4 && !is_answered(store)?, "{before:?}");

    let measures = "count(*),count(beds),sum(beds),sum(cost)";
    create(store, "clinics", "clinic,month(day)", measures)?.success()?;
    ensure!(is_answered(store)?, "the rollup answers");
    ensure!(sql(store, BY_CLINIC, &[])? == before, "{before:?}");
    let line = shown(store)?;
    ensure!(line["fresh"] == true && line["rows"] == 4 && line["dataset_rows"] == 40, "{line}");
    let dataset = run(store, ["dataset", "show", "test.beds"])?.success()?;
    ensure!(dataset.contains("rollup clinics of test.beds: answers queries of version 1"), "{dataset}");

    let said = pool(store, folder.path(), 2)?;
    ensure!(said.contains("rollup clinics of test.beds: answers queries of version 2"), "{said}");
    ensure!(is_answered(store)?, "it is of the new version");
    let after = sql(store, BY_CLINIC, &[])?;
    ensure!(after.first().is_some_and(|row| row.starts_with(",20,")), "{after:?}");
    ensure!(run(store, ["rollup", "refresh"])?.success()?.contains("nothing to do"), "all are fresh");
    let listed = run(store, ["rollup", "list"])?.success()?;
    ensure!(listed.contains("clinics") && listed.contains("month(day)"), "{listed}");

    run(store, ["rollup", "drop", "test.beds", "clinics"])?.success()?;
    ensure!(!is_answered(store)? && sql(store, BY_CLINIC, &[])? == after, "the dataset answers alike");
    Ok(())
}

#[test]
fn what_no_rollup_can_be_is_told() -> Result<()> {
    let store = with_provider()?;
    let store = store.path();
    apply(store, &(entry("test.beds", 41) + LAYOUT))?;
    for (dimensions, measures, code, told) in [
        ("clinic", "sum(share)", 3, "depends on the order in which they are added"),
        ("share", "sum(beds)", 3, "is of type float64"),
        ("clinic", "sum(clinic)", 3, "sums of numbers only"),
        ("clinic", "avg(beds)", 2, "an average follows from sum and count"),
        ("moon(day)", "sum(beds)", 2, "such as month(day)"),
        ("day(day)", "sum(beds)", 3, "name it without a period"),
        ("ward", "sum(beds)", 3, "has no item ward"),
        ("clinic,clinic", "sum(beds)", 3, "is there twice"),
    ] {
        let ended = create(store, "clinics", dimensions, measures)?;
        ensure!(
            ended.code == Some(code) && ended.text().contains(told),
            "{dimensions} {measures}: {ended:?}"
        );
    }
    // Before the first delivery it is declared and waits.
    let said = create(store, "clinics", "clinic", "sum(beds)")?.success()?;
    ensure!(said.contains("waits for the first rows"), "{said}");
    ensure!(
        create(store, "clinics", "clinic", "sum(beds)")?.text().contains("there is one of this name"),
        "twice"
    );
    let folder = tempfile::tempdir()?;
    let said = pool(store, folder.path(), 1)?;
    ensure!(said.contains("answers queries of version 1"), "{said}");
    let absent = run(store, ["rollup", "show", "test.beds", "wards"])?;
    ensure!(absent.code == Some(4) && absent.text().contains("has no rollup wards"), "{absent:?}");
    Ok(())
}
