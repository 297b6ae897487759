//! Delivering again: the same bytes change nothing, a corrected file replaces its slice, and an
//! earlier snapshot still gives the earlier figure.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::pack::{BULLETINS, BULLETINS_PROVIDER, csv_files, raw};
use crate::program::{Ended, run, sql};
use crate::store::{commits, pooled_copy};

const BULLETIN: &str = "2020-01-23浙江省";

fn pool<I>(store: &Path, files: I) -> Result<Ended>
where
    I: IntoIterator<Item = OsString>,
{
    let mut arguments: Vec<OsString> = vec!["pool".into(), BULLETINS.into()];
    arguments.extend(files);
    arguments.extend(["--provider", BULLETINS_PROVIDER, "--json"].map(OsString::from));
    run(store, arguments)
}

/// The number of the newest commit.
fn snapshot(store: &Path) -> Result<String> {
    let newest = commits(store)?.pop().context("a commit")?;
    let number: u64 = newest.trim_end_matches(".json").parse()?;
    Ok(number.to_string())
}

/// Each bulletin's rows and figures in a dataset, as of a snapshot or now.
fn figures(store: &Path, dataset: &str, as_of: Option<&str>) -> Result<Vec<String>> {
    let statement = format!(
        "SELECT bulletin, count(*), sum(confirmed) FROM health.{dataset} GROUP BY bulletin ORDER BY bulletin"
    );
    match as_of {
        Some(snapshot) => sql(store, &statement, &["--as-of", snapshot]),
        None => sql(store, &statement, &[]),
    }
}

/// What differs between two lists of lines, the new ones.
fn changed(before: &[String], after: &[String]) -> Vec<String> {
    after.iter().filter(|line| !before.contains(line)).cloned().collect()
}

#[test]
fn same_bytes_again_change_nothing() -> Result<()> {
    let store = pooled_copy()?;
    let before = commits(store.path())?;
    let files = csv_files("health-commission-bulletins")?;
    let report = pool(store.path(), files.into_iter().map(Into::into))?.success()?;
    let report: Value = serde_json::from_str(&report)?;
    ensure!(report.get("outcome") == Some(&Value::from("unchanged")), "{report}");
    ensure!(commits(store.path())? == before, "a commit was made");
    Ok(())
}

#[test]
fn demo_again_changes_nothing() -> Result<()> {
    let store = pooled_copy()?;
    let before = commits(store.path())?;
    let demo = crate::program::Server::start(
        store.path(),
        ["demo", "--listen", "127.0.0.1:0", "--password", crate::store::PASSWORD],
    )?;
    ensure!(demo.stop()? == Some(0), "the demo did not stop well");
    ensure!(commits(store.path())? == before, "a commit was made");
    Ok(())
}

#[test]
fn corrected_file_replaces_its_slice_only() -> Result<()> {
    let store = pooled_copy()?;
    let earlier = snapshot(store.path())?;
    let before = figures(store.path(), "provincial", None)?;
    let cities = figures(store.path(), "city", None)?;

    let folder = tempfile::tempdir()?;
    let file = folder.path().join(format!("{BULLETIN}.csv"));
    let published = fs::read_to_string(raw().join(format!("health-commission-bulletins/{BULLETIN}.csv")))?;
    ensure!(published.contains("浙江省,330000,,,43,"), "the province's row isn't as expected");
    fs::write(&file, published.replace("浙江省,330000,,,43,", "浙江省,330000,,,1043,"))?;
    let report: Value = serde_json::from_str(&pool(store.path(), [file.into()])?.success()?)?;
    ensure!(report.get("outcome") == Some(&Value::from("published")), "{report}");

    let after = figures(store.path(), "provincial", None)?;
    ensure!(changed(&before, &after) == [format!("{BULLETIN},1,1043")], "{:?}", changed(&before, &after));
    ensure!(after.len() == before.len(), "{} bulletins, {} before", after.len(), before.len());
    ensure!(figures(store.path(), "city", None)? == cities, "the cities' figures changed");
    ensure!(figures(store.path(), "provincial", Some(&earlier))? == before, "the earlier snapshot changed");
    Ok(())
}

#[test]
fn slice_without_rows_is_emptied() -> Result<()> {
    let store = pooled_copy()?;
    let earlier = snapshot(store.path())?;
    let before = figures(store.path(), "city", None)?;

    let folder = tempfile::tempdir()?;
    let file = folder.path().join(format!("{BULLETIN}.csv"));
    let published = fs::read_to_string(raw().join(format!("health-commission-bulletins/{BULLETIN}.csv")))?;
    let province: Vec<&str> = published.lines().take(2).collect();
    fs::write(&file, format!("{}\n", province.join("\n")))?;
    pool(store.path(), [file.into()])?.success()?;

    let after = figures(store.path(), "city", None)?;
    let gone: Vec<String> = changed(&after, &before);
    ensure!(gone.len() == 1 && gone.iter().all(|line| line.starts_with(BULLETIN)), "gone: {gone:?}");
    ensure!(changed(&before, &after).is_empty(), "new: {:?}", changed(&before, &after));
    ensure!(figures(store.path(), "city", Some(&earlier))? == before, "the earlier snapshot changed");
    Ok(())
}
