//! TPC-H at scale factor 0.1, pooled like any dataset and queried through Flight: all 22 answers are right.
//!
//! `basin bench load` delivers the two large tables as Parquet and the rest as CSV. The expected answers
//! (`tpch/answers`) are DuckDB's, made by the script beside them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::client::{login, rows};
use crate::program::{Server, run, sql};
use crate::store::{PASSWORD, USER, with_provider};

const SCALE: f64 = 0.1;
/// Averages and quotients are decimals of few digits here and floats in the expected answers.
const ABSOLUTE: f64 = 1e-4;
/// Sums are exact; this is what a float loses of their digits.
const RELATIVE: f64 = 1e-13;

/// Pools the eight tables at a scale factor.
pub(crate) fn pool_tables(store: &Path, scale: f64) -> Result<()> {
    run(store, ["bench", "load", "--scale", &scale.to_string(), "--memory", "2GiB"])?.success()?;
    Ok(())
}

fn add_user(store: &Path) -> Result<()> {
    let mut command = crate::program::basin(store, ["user", "add", USER])?;
    let output = command.env("BASIN_PASSWORD", PASSWORD).output()?;
    ensure!(output.status.success(), "user add: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_22_answers_are_right() -> Result<()> {
    let store = with_provider()?;
    pool_tables(store.path(), SCALE)?;
    distinct_values_are_estimated(store.path())?;
    add_user(store.path())?;
    let server = Server::serve(store.path())?;
    let mut client = login(server.address()).await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tpch");
    let mut wrong = Vec::new();
    for number in 1..=22 {
        let query = fs::read_to_string(folder.join(format!("queries/q{number:02}.sql")))?;
        let expected = csv_rows(&fs::read_to_string(folder.join(format!("answers/q{number:02}.csv")))?)?;
        match rows(&mut client, &query).await {
            Ok(found) => {
                if let Err(error) = same(expected.get(1..).context("a header")?, &found) {
                    wrong.push(format!("query {number}: {error:#}"));
                }
            }
            Err(error) => wrong.push(format!("query {number}: {error:#}")),
        }
    }
    ensure!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// Keys and texts, few values and many, of one file and of row groups: within 5 % of what they are.
fn distinct_values_are_estimated(store: &Path) -> Result<()> {
    for (table, columns) in [
        ("orders", ["o_orderkey", "o_custkey", "o_clerk", "o_orderdate", "o_comment"].as_slice()),
        (
            "lineitem",
            &["l_orderkey", "l_partkey", "l_shipmode", "l_extendedprice", "l_comment", "l_shipdate"],
        ),
        ("customer", &["c_custkey", "c_name", "c_mktsegment", "c_acctbal"]),
    ] {
        let shown = run(store, ["dataset", "show", &format!("tpch.{table}"), "--json"])?.success()?;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        let counts: Vec<String> = columns.iter().map(|column| format!("count(DISTINCT {column})")).collect();
        let counted = sql(store, &format!("SELECT {} FROM tpch.{table}", counts.join(", ")), &[])?.concat();
        for (column, exact) in columns.iter().zip(counted.split(',')) {
            let exact: u64 = exact.parse()?;
            let estimate = shown["current"]["distinct"][column].as_u64().context("no estimate")?;
            ensure!(estimate.abs_diff(exact) * 20 <= exact, "{table}.{column}: {estimate}, exactly {exact}");
        }
    }
    Ok(())
}

fn same(expected: &[Vec<String>], found: &[Vec<String>]) -> Result<()> {
    ensure!(expected.len() == found.len(), "{} rows, expected {}", found.len(), expected.len());
    for (row, (expected, found)) in expected.iter().zip(found).enumerate() {
        ensure!(expected.len() == found.len(), "{} columns, expected {}", found.len(), expected.len());
        for (expected, found) in expected.iter().zip(found) {
            ensure!(same_value(expected, found), "row {row}: {found}, expected {expected}");
        }
    }
    Ok(())
}

fn same_value(expected: &str, found: &str) -> bool {
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(expected), Ok(found)) => (expected - found).abs() <= ABSOLUTE + RELATIVE * expected.abs(),
        _ => expected == found,
    }
}

/// Splits CSV with quotes into rows and fields.
fn csv_rows(text: &str) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            _ => field.push(c),
        }
    }
    if quoted || !field.is_empty() {
        bail!("the file ends inside a row");
    }
    Ok(rows)
}
