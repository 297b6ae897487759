//! `basin policy apply`: policies and grants become what a file says, in one commit. Applying it again changes nothing.

use std::fmt;
use std::path::PathBuf;

use basin_catalog::Snapshot;
use chrono::Utc;
use clap::Args;
use serde::Serialize;

use super::compare::{Line, Outcome, compare};
use super::file::PolicyFile;
use crate::commands::error::Result;
use crate::commands::filter;
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The policy file (TOML)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove the policies and grants of the file's datasets that the file does not have
    #[arg(long)]
    prune: bool,
}

#[derive(Debug, Serialize)]
struct Applied {
    dry_run: bool,
    snapshot: u64,
    lines: Vec<Line>,
}

pub(super) async fn run(session: &Session, args: ApplyArgs) -> Result<()> {
    let file = PolicyFile::read(&args.file)?;
    let catalog = session.open().await?;
    let mut snapshot = catalog.latest().await?;
    check_filters(&file, &snapshot)?;
    let comparison = compare(&file, &snapshot, args.prune, Utc::now());
    if !comparison.changes.is_empty() {
        if args.dry_run {
            snapshot.check(&comparison.changes)?;
        } else {
            snapshot = catalog.commit(&snapshot, &author(), comparison.changes).await?;
        }
    }
    session.answer(&Applied { dry_run: args.dry_run, snapshot: snapshot.id().0, lines: comparison.lines })
}

fn check_filters(file: &PolicyFile, snapshot: &Snapshot) -> Result<()> {
    for dataset in file.datasets() {
        let definition = &snapshot.dataset(&dataset)?.definition;
        let grants = file.grants.iter().filter(|grant| grant.dataset == dataset);
        let policies = file.policies().filter(|policy| policy.dataset == dataset);
        let filters = grants.filter_map(|grant| grant.rows.clone());
        for rows in filters.chain(policies.filter_map(|policy| policy.terms.rows)) {
            filter::check(definition, &rows)?;
        }
    }
    Ok(())
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { outcome, what, says, said } in &self.lines {
            writeln!(f, "{:<9} {what}: {says}", outcome.word())?;
            if let Some(said) = said {
                writeln!(f, "          it was: {said}")?;
            }
        }
        let count = |outcome| self.lines.iter().filter(|line| line.outcome == outcome).count();
        if count(Outcome::Left) > 0 {
            writeln!(f, "what is left is in force and not in the file; --prune removes it")?;
        }
        let (added, changed, removed) =
            (count(Outcome::Added), count(Outcome::Changed), count(Outcome::Removed));
        let dry = if self.dry_run { "; a dry run, nothing was done" } else { "" };
        write!(f, "{added} added, {changed} changed, {removed} removed (snapshot {}){dry}", self.snapshot)
    }
}
