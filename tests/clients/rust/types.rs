//! Every type of `types.json`, with and without NULL.

use anyhow::{Context, Result, ensure};
use arrow::datatypes::DataType;
use serde::Deserialize;
use serde_json::Value;

use crate::canonical;
use crate::harness::{Target, query};

/// A type, expressions of it, and what each must give.
#[derive(Deserialize)]
pub(crate) struct Entry {
    #[serde(rename = "type")]
    pub(crate) name: String,
    sql: Vec<String>,
    text: Vec<Value>,
}

/// Whether the last row is NULL.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rows {
    Values,
    LastIsNull,
}

pub(crate) fn entries(target: &Target) -> Vec<Entry> {
    let read = || -> Result<Vec<Entry>> { Ok(serde_json::from_slice(&std::fs::read(&target.types)?)?) };
    read().unwrap_or_else(|error| {
        eprintln!("error: {}: {error:#}", target.types.display());
        Vec::new()
    })
}

pub(crate) async fn arrives(target: &Target, entry: &Entry, rows: Rows) -> Result<()> {
    let mut client = target.client().await?;
    let extra = usize::from(rows == Rows::LastIsNull);
    let cases: Vec<String> =
        entry.sql.iter().zip(1..).map(|(sql, n)| format!("WHEN {n} THEN {sql}")).collect();
    let numbers: Vec<String> = (1..=entry.sql.len() + extra).map(|n| format!("({n})")).collect();
    let sql = format!(
        "SELECT CASE n {} END AS v FROM (VALUES {}) AS t(n) ORDER BY n",
        cases.join(" "),
        numbers.join(", ")
    );
    let mut found = Vec::new();
    let mut data_type = DataType::Null;
    for batch in query(&mut client, &sql).await? {
        data_type = batch.column(0).data_type().clone();
        for row in 0..batch.num_rows() {
            found.push(canonical::value(batch.column(0), row)?);
        }
    }
    let mut expected = entry.text.clone();
    expected.extend(std::iter::repeat_n(Value::Null, extra));
    ensure!(found.len() == expected.len(), "{} rows, expected {}", found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        ensure!(equal(found, expected, &data_type)?, "found {found}, expected {expected}");
    }
    Ok(())
}

/// Floats are compared as numbers of their width.
fn equal(found: &Value, expected: &Value, data_type: &DataType) -> Result<bool> {
    let (Value::String(found), Value::String(expected)) = (found, expected) else {
        return Ok(found == expected);
    };
    let number = |text: &str| text.parse::<f64>().with_context(|| format!("{text} is no number"));
    Ok(match data_type {
        DataType::Float32 => {
            #[expect(clippy::cast_possible_truncation, reason = "compared in the width of the type")]
            let (found, expected) = (number(found)? as f32, number(expected)? as f32);
            found == expected || (found.is_nan() && expected.is_nan())
        }
        DataType::Float64 => {
            let (found, expected) = (number(found)?, number(expected)?);
            found == expected || (found.is_nan() && expected.is_nan())
        }
        _ => found == expected,
    })
}
