//! The officer's commands: grants of part of a dataset, policies, policy files, demands and their decisions.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ended, basin, run};
use crate::store::{PASSWORD, PROVIDER, apply, commits, entry, with_provider};

const ITEMS: &str = r#"
[layout]
key = ["well"]

[[items]]
name = "well"
type = "text"
nullable = false
role = "key"

[[items]]
name = "province_code"
type = "text"
role = "region"

[[items]]
name = "depth"
type = "int64"
role = "measure"

[[items]]
name = "users"
type = "int64"
role = "unit_weight"

[[delivery]]
kind = "wells"
files = '^wells\.csv$'
format = { type = "csv", header = true }

[delivery.columns]
well = "well"
province_code = "province"
depth = "depth"
users = "users"
"#;

/// A store with the dataset `test.wells` and the users ann, who is an analyst, and bob.
fn store() -> Result<TempDir> {
    let store = with_provider()?;
    apply(store.path(), &format!("{}{ITEMS}", entry("test.wells", 31)))?;
    for user in [&["ann", "--agency", PROVIDER, "--role", "analyst"][..], &["bob"]] {
        let mut command = basin(store.path(), ["user", "add"].iter().chain(user))?;
        let ended = command.env("BASIN_PASSWORD", PASSWORD).output()?;
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    Ok(store)
}

fn json(store: &Path, arguments: &[&str]) -> Result<Value> {
    let printed = run(store, ["--json"].iter().chain(arguments))?.success()?;
    Ok(serde_json::from_str(&printed)?)
}

fn said(store: &Path, arguments: &[&str]) -> Result<String> {
    run(store, arguments)?.success()
}

fn refused(ended: Ended, code: i32, says: &str) -> Result<()> {
    let text = ended.text();
    ensure!(ended.code == Some(code) && text.contains(says), "{:?}, should say {says}: {text}", ended.code);
    Ok(())
}

fn text_of<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("no {key} in {value}"))
}

#[test]
fn grants_are_of_part_of_a_dataset() -> Result<()> {
    let store = store()?;
    let add = |more: &[&str]| {
        let start = ["grant", "add", "test.wells", "--basis", "order 1"];
        json(store.path(), &start.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let part = ["--role", "analyst", "--purpose", "survey", "--item", "well", "--item", "depth"];
    let more = ["--rows", "province_code = $region", "--unmask", "depth", "--exact", "--until", "2099-01-01"];
    let given = add(&part.iter().chain(&more).copied().collect::<Vec<_>>())?;
    add(&["--user", "bob"])?;
    let shown = said(store.path(), &["grant", "show", text_of(&given, "grant")?])?;
    for words in
        ["role analyst", "purpose: survey", "items depth, well", "rows where province_code = $region"]
    {
        ensure!(shown.contains(words), "{words} isn't in\n{shown}");
    }
    for words in
        ["without mask depth", "cells of any size", "until 2099-01-01T00:00:00Z: in force", "order 1"]
    {
        ensure!(shown.contains(words), "{words} isn't in\n{shown}");
    }
    let count = |filter: &[&str]| -> Result<usize> {
        let start = ["grant", "list"];
        let list = json(store.path(), &start.iter().chain(filter).copied().collect::<Vec<_>>())?;
        Ok(list.as_array().map_or(0, Vec::len))
    };
    ensure!(count(&[])? == 2 && count(&["--dataset", "test.wells"])? == 2);
    ensure!(count(&["--user", "ann"])? == 1 && count(&["--user", "bob"])? == 1);
    ensure!(count(&["--role", "analyst"])? == 1 && count(&["--purpose", "other"])? == 0);
    let before = commits(store.path())?;
    for (wrong, code, says) in [
        (&["--user", "bob", "--item", "height"][..], 3, "no item height"),
        (&["--user", "bob", "--unmask", "height"], 3, "no item height"),
        (&["--user", "bob", "--rows", " "], 2, "condition in SQL"),
        (&["--user", "bob", "--rows", "height > 1"], 3, "height"),
        (&["--user", "bob", "--rows", "depth / 0 = 1"], 3, ""),
        (&["--user", "bob", "--rows", "depth IN (SELECT 1)"], 3, ""),
    ] {
        let start = ["grant", "add", "test.wells", "--basis", "order 1"];
        refused(run(store.path(), start.iter().chain(wrong))?, code, says)?;
    }
    ensure!(commits(store.path())? == before, "a refused grant was committed");
    Ok(())
}

#[test]
fn policies_are_set_shown_and_removed() -> Result<()> {
    let store = store()?;
    let set = |more: &[&str]| {
        let start = ["policy", "set", "test.wells", "--basis", "order 2"];
        run(store.path(), start.iter().chain(more))
    };
    let masks = ["--mask", "well=keyed-hash", "--mask", "province_code=code:2", "--mask", "depth=range:10"];
    let terms = ["--rows", "depth IS NOT NULL", "--minimum-cell", "10", "--round-to", "5", "--grants-only"];
    let all: Vec<&str> = masks.iter().chain(&terms).copied().collect();
    ensure!(set(&all)?.success()?.contains("policy of test.wells set"));
    ensure!(set(&all)?.success()?.contains("unchanged"));
    let shown = said(store.path(), &["policy", "show", "test.wells"])?;
    for words in [
        "everybody else needs a grant",
        "rows where depth IS NOT NULL",
        "fewer than 10 units",
        "multiples of 5",
        "order 2",
        "province_code: its first 2 characters (policy)",
        "depth: the lower bound of its range of 10 (policy)",
    ] {
        ensure!(shown.contains(words), "{words} isn't in\n{shown}");
    }
    ensure!(set(&["--mask", "depth=null"])?.success()?.contains("changed"));
    ensure!(said(store.path(), &["policy", "list"])?.contains("depth is always NULL"));
    let before = commits(store.path())?;
    for (wrong, code, says) in [
        (&[][..], 3, "asks nothing"),
        (&["--mask", "height=null"], 3, "no such item"),
        (&["--mask", "depth=code:2"], 3, "mask of depth"),
        (&["--mask", "depth=secret"], 2, "range:WIDTH"),
        (&["--mask", "depth=null", "--mask", "depth=deny"], 2, "two masks"),
        (&["--minimum-cell", "1"], 3, "between 2 and 1000"),
        (&["--rows", "height > 1"], 3, "height"),
    ] {
        refused(set(wrong)?, code, says)?;
    }
    refused(
        run(store.path(), ["policy", "set", "test.absent", "--basis", "x", "--grants-only"])?,
        4,
        "absent",
    )?;
    ensure!(commits(store.path())? == before, "a refused policy was committed");
    ensure!(said(store.path(), &["policy", "remove", "test.wells"])?.contains("removed"));
    refused(run(store.path(), ["policy", "remove", "test.wells"])?, 4, "basin policy list")
}

#[test]
fn a_manifest_may_hold_terms() -> Result<()> {
    let store = with_provider()?;
    let terms = |rows: &str| {
        let policy = format!("[policy]\nrows = \"{rows}\"\nminimum_cell = {{ k = 5 }}\n");
        format!("{}{policy}{ITEMS}", entry("test.wells", 31))
    };
    for wrong in ["height > 1", "depth / 0 = 1", "depth"] {
        let error = apply(store.path(), &terms(wrong)).err().context("it was applied")?;
        ensure!(error.to_string().contains("exit code Some(3)"), "{wrong}: {error}");
    }
    apply(store.path(), &terms("province_code = $region"))?;
    let shown = said(store.path(), &["policy", "show", "test.wells"])?;
    ensure!(
        shown.contains("rows where province_code = $region") && shown.contains("fewer than 5"),
        "{shown}"
    );
    Ok(())
}

const FILE: &str = r#"
[[roles]]
name = "surveyor"
description = "Surveys."

[[policies]]
dataset = "test.wells"
minimum_cell = { k = 5 }
basis = "order 3"

[[grants]]
dataset = "test.wells"
to = { role = "surveyor" }
purpose = "survey"
rows = "depth > 10"
until = 2099-01-01
basis = "order 4"
"#;

#[test]
fn a_policy_file_is_applied_once_and_pruned_when_asked() -> Result<()> {
    let store = store()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("policy.toml");
    let apply = |text: &str, more: &[&str]| -> Result<Ended> {
        fs::write(&file, text)?;
        let start = ["policy".as_ref(), "apply".as_ref(), file.as_os_str()];
        run(store.path(), start.into_iter().chain(more.iter().map(AsRef::as_ref)))
    };
    let before = commits(store.path())?;
    ensure!(apply(FILE, &["--dry-run"])?.success()?.contains("3 added, 0 changed, 0 removed"));
    ensure!(commits(store.path())? == before, "a dry run committed");
    ensure!(apply(FILE, &[])?.success()?.contains("3 added, 0 changed, 0 removed"));
    let after = commits(store.path())?;
    ensure!(after.len() == before.len() + 1, "one commit");
    ensure!(apply(FILE, &["--prune"])?.success()?.contains("0 added, 0 changed, 0 removed"));
    ensure!(commits(store.path())? == after, "the same file changed something");
    // A changed grant is another one: the old one stays until it is pruned, and is said to.
    let changed = FILE.replace("depth > 10", "depth > 20").replace("k = 5", "k = 9");
    let said_so = apply(&changed, &[])?.success()?;
    for words in [
        "changed   policy of test.wells",
        "it was: groups of fewer than 5",
        "left      grant",
        "1 added, 1 changed",
    ] {
        ensure!(said_so.contains(words), "{words} isn't in\n{said_so}");
    }
    ensure!(apply(&changed, &["--prune"])?.success()?.contains("0 added, 0 changed, 1 removed"));
    let empty = apply("datasets = [\"test.wells\"]", &["--prune"])?.success()?;
    ensure!(empty.contains("2 removed"), "{empty}");
    for (wrong, code, says) in [
        (FILE.replace("grants]]", "grant]]"), 3, "unknown field"),
        (FILE.replace("surveyor\" }", "painter\" }"), 3, ""),
        (FILE.replace("test.wells", "test.absent"), 4, "test.absent"),
        (FILE.replace("depth > 10", "height > 10"), 3, "height"),
        (FILE.replace("2099-01-01", "1999-01-01"), 3, "ends before it begins"),
    ] {
        for more in [&["--dry-run"][..], &[]] {
            let ended = apply(&wrong, more)?;
            let code = if says.is_empty() { 4 } else { code };
            refused(ended, code, says)?;
        }
    }
    Ok(())
}

#[test]
fn demands_are_made_and_decided_once() -> Result<()> {
    let store = store()?;
    let make = |more: &[&str]| -> Result<String> {
        let start = ["demand", "make", "test.wells", "--purpose", "survey", "--reason", "a study"];
        let made = json(store.path(), &start.iter().chain(more).copied().collect::<Vec<_>>())?;
        Ok(text_of(&made, "demand")?.to_owned())
    };
    let part = ["--user", "bob", "--item", "well", "--item", "depth", "--rows", "depth > 10"];
    let urgent = make(&part.iter().chain(&["--deadline", "2098-01-01"]).copied().collect::<Vec<_>>())?;
    let other = make(&["--user", "ann", "--until", "2099-01-01"])?;
    let inbox = json(store.path(), &["demand", "list", "--open"])?;
    let first = inbox.get(0).context("a demand")?;
    ensure!(text_of(first, "id")? == urgent && text_of(first, "state")? == "open");
    refused(
        run(store.path(), ["demand", "grant", &urgent, "--basis", "order 5", "--item", "users"])?,
        3,
        "more than",
    )?;
    let narrowed =
        ["demand", "grant", &urgent, "--basis", "order 5", "--item", "depth", "--rows", "depth < 20"];
    let given = json(store.path(), &narrowed)?;
    let grant = json(store.path(), &["grant", "show", text_of(&given, "grant")?])?;
    ensure!(text_of(&grant, "to")? == "user bob" && text_of(&grant, "purpose")? == "survey");
    ensure!(text_of(&grant, "rows")? == "(depth > 10) AND (depth < 20)");
    ensure!(grant.get("items") == Some(&serde_json::json!(["depth"])));
    ensure!(said(store.path(), &["demand", "refuse", &other, "--basis", "order 6"])?.contains("refused"));
    for again in [&urgent, &other] {
        refused(run(store.path(), ["demand", "refuse", again, "--basis", "x"])?, 6, "decided already")?;
    }
    ensure!(json(store.path(), &["demand", "list", "--open"])? == serde_json::json!([]));
    let shown = said(store.path(), &["demand", "show", &other])?;
    ensure!(shown.contains("refused") && shown.contains("order 6") && shown.contains(PROVIDER), "{shown}");
    refused(
        run(store.path(), ["demand", "show", "00000000-0000-7000-8000-000000000000"])?,
        4,
        "demand list",
    )?;
    let absent = ["demand", "make", "test.wells", "--user", "zoe", "--purpose", "x", "--reason", "y"];
    refused(run(store.path(), absent)?, 4, "zoe")
}
