//! `basin dataset history`: the versions of one dataset with their deliveries, or the commits of
//! the whole catalog, newest first.

use std::fmt;

use basin_catalog::{Catalog, DatasetName, DatasetState, DatasetVersion};
use clap::Args;
use serde::Serialize;

use crate::commands::error::Result;
use crate::commands::output::{self, grouped};
use crate::commands::session::Session;
use crate::commands::size;

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The dataset; without it the commits of the whole catalog are shown
    name: Option<DatasetName>,
    /// Show at most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct VersionLine {
    version: u64,
    published_at: String,
    definition_revision: u64,
    rows: u64,
    rows_added: i128,
    bytes: u64,
    delivery: Option<DeliveryLine>,
    /// No delivery made it: the rows of the version before were laid out anew.
    optimised: bool,
}

#[derive(Debug, Serialize)]
struct DeliveryLine {
    id: String,
    kind: String,
    provider: String,
    files: usize,
    rows_in: u64,
    rows_accepted: u64,
    rows_rejected: u64,
}

#[derive(Debug, Serialize)]
struct CommitLine {
    snapshot: u64,
    at: String,
    author: String,
    changes: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Versions(Vec<VersionLine>);

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Commits(Vec<CommitLine>);

pub(super) async fn run(session: &Session, args: HistoryArgs) -> Result<()> {
    let catalog = session.open().await?;
    match args.name {
        Some(name) => {
            let snapshot = catalog.latest().await?;
            session.answer(&versions(snapshot.dataset(&name)?, args.limit))
        }
        None => session.answer(&commits(&catalog, args.limit).await?),
    }
}

fn versions(state: &DatasetState, limit: usize) -> Versions {
    let mut rows_before = 0;
    let mut lines = Vec::with_capacity(state.versions.len());
    for version in &state.versions {
        lines.push(version_line(state, version, rows_before));
        rows_before = version.rows;
    }
    lines.reverse();
    lines.truncate(limit);
    Versions(lines)
}

fn version_line(state: &DatasetState, version: &DatasetVersion, rows_before: u64) -> VersionLine {
    let delivery = version.delivery.as_ref().and_then(|id| state.delivery(id));
    VersionLine {
        version: version.number,
        published_at: output::moment(version.published_at),
        definition_revision: version.definition_revision,
        rows: version.rows,
        rows_added: i128::from(version.rows) - i128::from(rows_before),
        bytes: version.bytes,
        optimised: version.delivery.is_none() && state.definition.sandbox.is_none(),
        delivery: delivery.map(|delivery| DeliveryLine {
            id: delivery.id.to_string(),
            kind: delivery.kind.clone(),
            provider: delivery.provider.to_string(),
            files: delivery.files.len(),
            rows_in: delivery.rows_in,
            rows_accepted: delivery.rows_accepted,
            rows_rejected: delivery.rows_rejected,
        }),
    }
}

async fn commits(catalog: &Catalog, limit: usize) -> Result<Commits> {
    let history = catalog.history(limit).await?;
    Ok(Commits(
        history
            .into_iter()
            .map(|commit| CommitLine {
                snapshot: commit.snapshot.0,
                at: output::moment(commit.at),
                author: commit.author,
                changes: commit.changes,
            })
            .collect(),
    ))
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            let delivery = line.delivery.as_ref();
            vec![
                line.version.to_string(),
                line.published_at.clone(),
                grouped(line.rows),
                format!("{:+}", line.rows_added),
                size::text(line.bytes),
                delivery.map_or_else(String::new, |delivery| delivery.files.to_string()),
                delivery.map_or_else(String::new, |delivery| grouped(delivery.rows_in)),
                delivery.map_or_else(String::new, |delivery| grouped(delivery.rows_rejected)),
                match delivery {
                    Some(delivery) => delivery.id.clone(),
                    None if line.optimised => "(optimised)".to_owned(),
                    None => String::new(),
                },
            ]
        });
        let names = [
            "#version",
            "published",
            "#rows",
            "#change",
            "#size",
            "#files",
            "#rows in",
            "#rejected",
            "delivery",
        ];
        f.write_str(&output::table(&output::header(&names), rows.collect()))
    }
}

impl fmt::Display for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            vec![line.snapshot.to_string(), line.at.clone(), line.author.clone(), line.changes.join("\n")]
        });
        let header = output::header(&["#snapshot", "at", "author", "changes"]);
        f.write_str(&output::table(&header, rows.collect()))
    }
}
