//! `basin audit show`: everything that is recorded of one query, in words. A query that was fetched in parts, or
//! several times, has a record for each.

use std::fmt;

use basin_catalog::ErrorClass;
use basin_engine::{Engine, QueryId, ScalarValue};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::ask;
use super::search::{number, objects, outcome, text};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::grouped;
use crate::commands::session::Session;

/// The records of one query.
const ONE: &str =
    "SELECT * FROM basin.queries WHERE query_id = $1 AND query_id <> $2 ORDER BY started_at LIMIT $3";
/// More records of one query than anybody reads.
const MOST: i64 = 1000;

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The query's id, as errors and `basin audit search` tell it
    query_id: QueryId,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Records(Vec<Value>);

pub(super) async fn run(session: &Session, engine: &Engine, args: ShowArgs) -> Result<()> {
    let id = ScalarValue::from(args.query_id.to_string());
    let records = objects(ask(engine, ONE, vec![id], MOST).await?).await?;
    if records.is_empty() {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("no query {} is recorded", args.query_id),
            "`basin audit search` lists the queries",
        ));
    }
    session.answer(&Records(records))
}

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|record| one(f, record))
    }
}

fn one(f: &mut fmt::Formatter<'_>, record: &Value) -> fmt::Result {
    let or = |name: &str, absent: &str| match text(record, name) {
        "" => absent.to_owned(),
        text => text.replace(',', ", "),
    };
    let snapshot = record.get("snapshot").and_then(Value::as_u64);
    let lines = [
        ("query", or("query_id", "")),
        ("user", or("user_name", "")),
        ("agency", or("agency", "none")),
        ("purpose", or("purpose", "none was stated")),
        ("began", or("started_at", "")),
        ("ended", or("finished_at", "not yet, or its process went away")),
        ("outcome", outcome(record).to_owned()),
        ("message", text(record, "message").to_owned()),
        ("snapshot", snapshot.map_or_else(|| "none: it was not planned".to_owned(), |id| id.to_string())),
        ("datasets", or("datasets", "none")),
        ("grants", or("grants", "none was needed")),
        ("shown", or("output_columns", "no item of a dataset")),
        ("used", or("predicate_columns", "no other item")),
        ("policy", or("policy_columns", "looked at no further item")),
        ("rows", grouped(number(record, "rows"))),
        ("bytes", grouped(number(record, "bytes"))),
        ("suppressed", format!("{} cells", grouped(number(record, "cells_suppressed")))),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(f, "{name:<11} {value}")?;
    }
    writeln!(f, "sql")?;
    text(record, "sql").lines().try_for_each(|line| writeln!(f, "    {line}"))?;
    writeln!(f)
}
