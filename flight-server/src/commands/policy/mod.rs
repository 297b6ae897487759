//! `basin policy`: what an officer asks of the readers of a dataset beyond its own definition, as commands or as one
//! declarative file. What it means for a query is decided by the engine's policy.

mod apply;
mod compare;
mod explain;
mod file;
mod list;
mod set;
mod show;

use std::fmt;

use basin_catalog::{Change, DatasetName, DatasetPolicy};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::Result;
use super::session::{Session, author};
use super::words;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Set what the readers of a dataset are asked; it replaces what was set before
    Set(Box<set::SetArgs>),
    /// Show in plain words who reads what of a dataset
    Show(DatasetArgs),
    /// List the policies
    List,
    /// End a dataset's policy: its own definition stays
    Remove(DatasetArgs),
    /// Show what would apply if a user asked a statement, and why
    Explain(explain::ExplainArgs),
    /// Make policies and grants what a file says, in one commit
    Apply(apply::ApplyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DatasetArgs {
    /// The dataset
    dataset: DatasetName,
}

#[derive(Debug, Serialize)]
struct Done {
    policy: String,
    outcome: &'static str,
    snapshot: u64,
}

pub(crate) async fn run(session: &Session, command: PolicyCommand) -> Result<()> {
    match command {
        PolicyCommand::Set(args) => set::run(session, *args).await,
        PolicyCommand::Show(args) => show::run(session, args).await,
        PolicyCommand::List => list::run(session).await,
        PolicyCommand::Remove(args) => remove(session, args).await,
        PolicyCommand::Explain(args) => explain::run(session, args).await,
        PolicyCommand::Apply(args) => apply::run(session, args).await,
    }
}

async fn remove(session: &Session, args: DatasetArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let policy = args.dataset.to_string();
    let changes = vec![Change::RemovePolicy(args.dataset)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { policy, outcome: "removed", snapshot })
}

/// What a policy asks, a sentence each.
fn sentences(policy: &DatasetPolicy) -> Vec<String> {
    let mut said = Vec::new();
    if policy.grants_only {
        said.push("only grants give access".to_owned());
    }
    if let Some(rows) = &policy.terms.rows {
        said.push(format!("rows where {rows}"));
    }
    said.extend(policy.terms.minimum_cell.map(words::cell));
    said.extend(policy.masks.iter().map(|(item, mask)| format!("{item} is {}", words::mask(mask))));
    said
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy of {} {} (snapshot {})", self.policy, self.outcome, self.snapshot)
    }
}
