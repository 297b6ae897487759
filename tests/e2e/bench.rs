//! `basin bench`: what it loads is measured with checked answers, and a wrong answer has no figure.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::program::{run, sql};

#[test]
fn loaded_tables_are_measured() -> Result<()> {
    let store = tempfile::tempdir()?;
    for scale in ["0.02", "0.01"] {
        run(store.path(), ["bench", "load", "--scale", scale])?.success()?;
    }
    let rows = sql(store.path(), "SELECT count(*) FROM tpch.orders", &[])?;
    ensure!(rows == ["15000"], "loading at another scale replaces what was there: {rows:?}");
    let words = ["bench", "run", "--clients", "3", "--duration", "1s", "--queries", "6,1", "--json"];
    let report: Value = serde_json::from_str(&run(store.path(), words)?.success()?)?;
    ensure!(report["scale"] == 0.01 && report["clients"] == 3, "{report}");
    let queries = report["queries"].as_array().context("queries")?;
    ensure!(queries.len() == 2 && queries.iter().all(|query| query["runs"].as_u64() > Some(0)), "{report}");
    let runs: u64 = queries.iter().filter_map(|query| query["runs"].as_u64()).sum();
    ensure!(report["total"]["runs"] == runs, "{report}");
    let at = |name: &str| report["total"][name].as_f64().context("a percentile");
    ensure!(at("p50_ms")? <= at("p99_ms")? && at("p99_ms")? <= at("max_ms")?, "{report}");
    Ok(())
}

#[test]
fn a_wrong_answer_has_no_figure() -> Result<()> {
    let store = tempfile::tempdir()?;
    run(store.path(), ["bench", "load", "--scale", "0.01"])?.success()?;
    let ended = run(store.path(), ["bench", "run", "--duration", "1s", "--statement", "SELECT random()"])?;
    ensure!(ended.code == Some(1) && ended.stdout.is_empty(), "{ended:?}");
    ensure!(ended.stderr.contains("wrong answer to statement"), "{ended:?}");
    Ok(())
}

#[test]
fn a_store_without_data_says_what_to_do() -> Result<()> {
    let store = crate::store::with_provider()?;
    let ended = run(store.path(), ["bench", "run", "--duration", "1s"])?;
    ensure!(ended.code == Some(4) && ended.stderr.contains("basin bench load"), "{ended:?}");
    Ok(())
}
