//! `basin audit export`: records that match, as a file.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use basin_engine::Engine;
use clap::Args;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::ask;
use super::filter::{Filter, MATCHING};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::grouped;
use crate::commands::session::Session;
use crate::commands::sql::source::Answer;
use crate::commands::sql::target::Target;
use crate::commands::sql::{Format, encode, format_by_name};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file; its name says its form: .parquet, .csv or .jsonl
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Serialize)]
struct Exported {
    file: String,
    records: u64,
}

pub(super) async fn run(session: &Session, engine: &Engine, args: ExportArgs) -> Result<()> {
    let format = match format_by_name(&args.to) {
        Some(format @ (Format::Parquet | Format::Csv | Format::Jsonl)) => format,
        Some(Format::Table | Format::Json | Format::Arrow) | None => {
            return Err(CommandError::usage(
                format!("{}: the name doesn't tell a form that records are exported in", args.to.display()),
                "end it in .parquet, .csv or .jsonl",
            ));
        }
    };
    let Answer { schema, batches } = ask(engine, MATCHING, args.filter.parameters(), i64::MAX).await?;
    let records = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&records);
    let batches = batches.inspect_ok(move |batch| {
        counted.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
    });
    let mut target = Target::open(Some(&args.to), format)?;
    encode::write(Answer { schema, batches: batches.boxed() }, format, &mut target).await?;
    target.finish()?;
    let records = records.load(Ordering::Relaxed);
    session.answer(&Exported { file: args.to.display().to_string(), records })
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records written to {}", grouped(self.records), self.file)
    }
}
