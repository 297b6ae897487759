//! `basin store`: what an operator asks of the store itself.

use std::fmt;

use basin_catalog::{Check, Conformance, ErrorClass, conformance};
use clap::Subcommand;
use serde::Serialize;

use super::error::{CommandError, Result};
use super::output;
use super::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Try out whether a store does what Basin rests on, before data is trusted to it
    Check {
        /// The store: a folder, file:///path, s3://bucket/prefix, az://…, gs://… [default: that of --store]
        #[arg(value_name = "URL")]
        url: Option<String>,
    },
}

pub(crate) async fn run(session: &Session, command: StoreCommand) -> Result<()> {
    match command {
        StoreCommand::Check { url } => check(session, url).await,
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(Conformance);

async fn check(session: &Session, url: Option<String>) -> Result<()> {
    let url = match url {
        Some(url) => url,
        None => session.store_url("store")?,
    };
    let found = conformance(&session.open_store(&url)?).await;
    let conforms = found.conforms;
    session.answer(&Shown(found))?;
    if conforms {
        return Ok(());
    }
    Err(CommandError::refused_with(
        ErrorClass::Unavailable,
        "the store does not do what Basin rests on",
        "trust no data to it: use another store, another version of its server, or other settings, and check again",
    ))
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |check: &Check| {
            vec![
                check.name.to_owned(),
                check.needed_for.to_owned(),
                check.fault.clone().unwrap_or_else(|| "yes".to_owned()),
                format!("{:.2}", check.seconds),
            ]
        };
        let rows = self.0.checks.iter().map(row).collect();
        writeln!(
            f,
            "{}",
            output::table(&output::header(&["what", "needed for", "does it", "#seconds"]), rows)
        )?;
        let verdict = if self.0.conforms { "conforms" } else { "does not conform" };
        write!(f, "{} {verdict}", self.0.url)
    }
}
