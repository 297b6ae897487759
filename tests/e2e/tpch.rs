//! TPC-H at scale factor 0.1, pooled like any dataset and queried through Flight: all 22 answers are right.
//!
//! The two large tables are delivered as Parquet, the rest as CSV. The expected answers
//! (`tpch/answers`) are DuckDB's, made by the script beside them.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use arrow::array::RecordBatchReader;
use parquet::arrow::ArrowWriter;
use tpchgen::csv::{CustomerCsv, NationCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{LineItemArrow, OrderArrow};

use crate::client::{login, rows};
use crate::program::{Server, run, sql};
use crate::store::{PASSWORD, PROVIDER, USER, with_provider};

const SCALE: f64 = 0.1;
/// Averages and quotients are decimals of few digits here and floats in the expected answers.
const ABSOLUTE: f64 = 1e-4;
/// Sums are exact; this is what a float loses of their digits.
const RELATIVE: f64 = 1e-13;

macro_rules! write_csv {
    ($folder:expr, $scale:expr, $name:literal, $generator:ident, $csv:ident) => {{
        let file = $folder.join(concat!($name, ".csv"));
        let mut out = BufWriter::new(File::create(&file)?);
        writeln!(out, "{}", $csv::header())?;
        for row in $generator::new($scale, 1, 1).iter() {
            writeln!(out, "{}", $csv::new(row))?;
        }
        out.flush()?;
        file
    }};
}

fn write_parquet(file: PathBuf, batches: impl RecordBatchReader) -> Result<PathBuf> {
    let mut writer = ArrowWriter::try_new(File::create(&file)?, batches.schema(), None)?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(file)
}

/// Writes the eight tables; gives their names and files.
fn generate(folder: &Path, scale: f64) -> Result<Vec<(&'static str, PathBuf)>> {
    let orders = OrderArrow::new(OrderGenerator::new(scale, 1, 1));
    let lines = LineItemArrow::new(LineItemGenerator::new(scale, 1, 1));
    Ok(vec![
        ("region", write_csv!(folder, scale, "region", RegionGenerator, RegionCsv)),
        ("nation", write_csv!(folder, scale, "nation", NationGenerator, NationCsv)),
        ("supplier", write_csv!(folder, scale, "supplier", SupplierGenerator, SupplierCsv)),
        ("part", write_csv!(folder, scale, "part", PartGenerator, PartCsv)),
        ("partsupp", write_csv!(folder, scale, "partsupp", PartSuppGenerator, PartSuppCsv)),
        ("customer", write_csv!(folder, scale, "customer", CustomerGenerator, CustomerCsv)),
        ("orders", write_parquet(folder.join("orders.parquet"), orders)?),
        ("lineitem", write_parquet(folder.join("lineitem.parquet"), lines)?),
    ])
}

/// Pools the eight tables at a scale factor.
pub(crate) fn pool_tables(store: &Path, scale: f64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tpch/manifests");
    for (table, file) in generate(folder.path(), scale)? {
        let manifest = manifests.join(format!("tpch.{table}.toml"));
        run(store, ["dataset".as_ref(), "apply".as_ref(), manifest.as_os_str()])?.success()?;
        let dataset = format!("tpch.{table}");
        run(
            store,
            [
                "pool".as_ref(),
                dataset.as_ref(),
                file.as_os_str(),
                "--provider".as_ref(),
                PROVIDER.as_ref(),
                "--memory".as_ref(),
                "2GiB".as_ref(),
            ],
        )?
        .success()?;
    }
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
