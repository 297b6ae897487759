//! `basin audit search`: records that match, the newest first.

use std::fmt;

use basin_engine::Engine;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::ask;
use super::filter::{Filter, MATCHING};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::{self, grouped};
use crate::commands::session::Session;
use crate::commands::sql::source::Answer;
use arrow::array::RecordBatch;
use futures::stream::TryStreamExt as _;

/// A statement longer than this is cut in the table; --json and `show` have all of it.
const SQL_WIDTH: usize = 60;

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    filter: Filter,
    /// Records at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Found(Vec<Value>);

pub(super) async fn run(session: &Session, engine: &Engine, args: SearchArgs) -> Result<()> {
    let answer = ask(engine, MATCHING, args.filter.parameters(), i64::from(args.limit)).await?;
    session.answer(&Found(objects(answer).await?))
}

/// Reads a whole answer, an object a row.
pub(super) async fn objects(answer: Answer) -> Result<Vec<Value>> {
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
    let mut text = Vec::new();
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::JsonArray>(&mut text);
    let written = batches.iter().try_for_each(|batch| writer.write(batch)).and_then(|()| writer.finish());
    written.map_err(|source| CommandError::format("JSON", source))?;
    drop(writer);
    serde_json::from_slice(&text)
        .map_err(|source| CommandError::Format { form: "JSON", source: Box::new(source) })
}

/// The text of a member, empty when it is absent.
pub(super) fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The number of a member, 0 when it is absent.
pub(super) fn number(row: &Value, name: &str) -> u64 {
    row.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// How the query ended.
pub(super) fn outcome(row: &Value) -> &str {
    match text(row, "outcome") {
        "" => "running",
        outcome => outcome,
    }
}

fn short(sql: &str) -> String {
    let line: Vec<&str> = sql.split_whitespace().collect();
    let line = line.join(" ");
    if line.chars().count() <= SQL_WIDTH {
        return line;
    }
    line.chars().take(SQL_WIDTH - 1).chain(['…']).collect()
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|row| {
            let started: String = text(row, "started_at").chars().take(19).collect();
            vec![
                started,
                text(row, "user_name").to_owned(),
                text(row, "purpose").to_owned(),
                outcome(row).to_owned(),
                grouped(number(row, "rows")),
                text(row, "datasets").to_owned(),
                short(text(row, "sql")),
                text(row, "query_id").to_owned(),
            ]
        });
        let names = ["started (UTC)", "user", "purpose", "outcome", "#rows", "datasets", "sql", "query"];
        f.write_str(&output::table(&output::header(&names), rows.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn statements_become_one_short_line() {
        assert_eq!(short("SELECT\n   1"), "SELECT 1");
        let long = short(&"湖".repeat(100));
        assert_eq!(long.chars().count(), 60);
        assert!(long.ends_with('…'));
    }
}
