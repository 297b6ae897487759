//! The operator's commands on a whole store: fsck, gc, backup, restore.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::program::{run, sql};
use crate::store::{BEDS, PROVIDER, apply, entry, with_provider};

const ROWS: &str = "SELECT month, clinic, beds FROM test.beds ORDER BY month, clinic";
const REJECTS: &str = "SELECT file_name, line, rule FROM basin.rejects ORDER BY file_name, line";
const NOT_FOUND: i32 = 4;
const CONFLICT: i32 = 6;

/// A store with three versions of a dataset and a rollup of the newest.
fn pooled() -> Result<tempfile::TempDir> {
    let store = with_provider()?;
    let layout = "[layout]\nsort = [\"month\"]\nslice = [\"month\"]\n[pooling]\nmax_rejected_share = 0.5\n";
    apply(store.path(), &format!("{}{layout}{BEDS}", entry("test.beds", 21)))?;
    for (name, beds) in [("a", 1), ("b", 2), ("c", 3)] {
        let file = store.path().join(format!("beds-{name}.csv"));
        let rows = format!(
            "month,clinic,beds\n2024-01-01,North,{beds}\n2024-01-01,South,{beds}\n2024-01-01,East,x\n"
        );
        fs::write(&file, rows)?;
        let file = file.to_string_lossy().into_owned();
        run(store.path(), ["pool", "test.beds", &file, "--provider", PROVIDER])?.success()?;
    }
    let declare =
        ["rollup", "create", "test.beds", "by_month", "--dimensions", "month", "--measures", "sum(beds)"];
    run(store.path(), declare)?.success()?;
    Ok(store)
}

fn json(store: &Path, arguments: &[&str]) -> Result<Value> {
    let arguments = arguments.iter().copied().chain(["--json"]);
    Ok(serde_json::from_str(&run(store, arguments)?.success()?)?)
}

fn parquet(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn fsck_tells_sound_from_damaged() -> Result<()> {
    let store = pooled()?;
    let sound = json(store.path(), &["fsck", "--deep"])?;
    ensure!(sound["sound"] == true && sound["tables"] == 3 && sound["deep"] == true, "{sound}");
    let file = parquet(&store.path().join("data/test/beds"))?.pop().context("no file")?;
    let whole = fs::read(&file)?;
    for (harm, deep, exit) in
        [(whole.len() / 3, false, 0), (whole.len() / 3, true, 1), (whole.len() - 5, false, 1)]
    {
        let mut bytes = whole.clone();
        *bytes.get_mut(harm).context("too short")? ^= 0x10;
        fs::write(&file, bytes)?;
        let ended = run(store.path(), ["fsck"].into_iter().chain(deep.then_some("--deep")))?;
        ensure!(ended.code == Some(exit), "{:?} {}", ended.code, ended.text());
        let name = file.file_name().context("no name")?.to_string_lossy().into_owned();
        ensure!(
            exit == 0 || (ended.stdout.contains(&name) && ended.stdout.contains("DAMAGED")),
            "{}",
            ended.text()
        );
    }
    fs::write(&file, whole)?;
    run(store.path(), ["fsck"])?.success()?;
    let nothing = run(tempfile::tempdir()?.path(), ["fsck"])?;
    ensure!(nothing.code == Some(NOT_FOUND), "{}", nothing.text());
    Ok(())
}

#[test]
fn gc_removes_what_it_said_and_expired_versions_say_so() -> Result<()> {
    let store = pooled()?;
    let folder = store.path().join("data/test/beds");
    let rows = sql(store.path(), ROWS, &[])?;
    fs::write(folder.join("part-stray.parquet"), "of a pooling that died")?;
    let asked = ["gc", "--grace-hours", "0", "--keep-versions", "2"];
    let told = json(store.path(), &asked)?;
    ensure!(told["applied"] == false && parquet(&folder)?.len() == 4, "a dry run changed something: {told}");
    let young = json(store.path(), &["gc", "--apply"])?;
    ensure!(
        young["removed"].as_array().is_some_and(Vec::is_empty) && parquet(&folder)?.len() == 4,
        "{young}"
    );
    let done = json(store.path(), &[asked.as_slice(), &["--apply"]].concat())?;
    ensure!(
        done["removed"] == told["removed"] || done["removed_bytes"] == told["removed_bytes"],
        "{done} {told}"
    );
    ensure!(done["expired"][0]["versions"] == 1 && done["expired"][0]["kept"] == 2, "{done}");
    ensure!(parquet(&folder)?.len() == 2, "{done}");
    run(store.path(), ["fsck", "--deep"])?.success()?;

    ensure!(sql(store.path(), ROWS, &[])? == rows);
    ensure!(sql(store.path(), ROWS, &["--as-of", "4"])? == ["2024-01-01,North,2", "2024-01-01,South,2"]);
    let expired = run(store.path(), ["sql", ROWS, "--as-of", "3"])?;
    ensure!(expired.code == Some(NOT_FOUND), "{:?} {}", expired.code, expired.text());
    ensure!(
        expired.text().contains("version 1 of test.beds has expired")
            && expired.text().contains("the oldest that can be read is version 2"),
        "{}",
        expired.text()
    );
    ensure!(sql(store.path(), REJECTS, &["--as-of", "3"])?.len() == 1, "rejects don't expire");
    let versions = sql(store.path(), "SELECT version FROM basin.versions ORDER BY version", &[])?;
    ensure!(versions == ["2", "3"], "{versions:?}");
    Ok(())
}

#[test]
fn a_restored_backup_answers_the_same() -> Result<()> {
    let (store, copy, back) = (pooled()?, tempfile::tempdir()?, tempfile::tempdir()?);
    let to = copy.path().to_string_lossy().into_owned();
    let made = json(store.path(), &["backup", &to, "--with-audit"])?;
    ensure!(made["kept"] == 0 && made["audit"] == true, "{made}");
    let again = json(store.path(), &["backup", &to])?;
    ensure!(again["copied_bytes"] == 0, "{again}");
    let target = back.path().join("restored");
    json(&target, &["restore", &to])?;
    run(&target, ["fsck", "--deep"])?.success()?;
    let by_month = "SELECT month, sum(beds) AS beds FROM test.beds GROUP BY month";
    for statement in [ROWS, REJECTS, by_month] {
        for as_of in ["3", "4", "7"] {
            let of = |store: &Path| sql(store, statement, &["--as-of", as_of]);
            ensure!(of(&target)? == of(store.path())?, "{statement} as of {as_of}");
        }
    }
    let over = run(&target, ["restore", &to])?;
    ensure!(
        over.code == Some(CONFLICT) && over.text().contains("holds a catalog already"),
        "{}",
        over.text()
    );
    let none = run(&back.path().join("other"), ["restore", &store.path().to_string_lossy()])?;
    ensure!(none.code == Some(NOT_FOUND), "{}", none.text());
    Ok(())
}
