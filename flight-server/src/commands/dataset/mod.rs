//! `basin dataset`: define datasets by manifest files, look at them and at how they changed.

mod apply;
mod diff;
mod history;
mod list;
mod show;

use clap::Subcommand;

use super::error::Result;
use super::session::Session;

pub(super) use apply::{Outcome, outcome};

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Define datasets from manifest files, or change their definition; all files in one commit
    Apply(apply::ApplyArgs),
    /// List the datasets
    List,
    /// Show a dataset's entry, items, layout and current version
    Show(show::ShowArgs),
    /// Show the versions of a dataset, or the commits of the whole catalog
    History(history::HistoryArgs),
    /// Show how two versions of a dataset differ
    Diff(diff::DiffArgs),
}

pub(crate) async fn run(session: &Session, command: DatasetCommand) -> Result<()> {
    match command {
        DatasetCommand::Apply(args) => apply::run(session, args).await,
        DatasetCommand::List => list::run(session).await,
        DatasetCommand::Show(args) => show::run(session, args).await,
        DatasetCommand::History(args) => history::run(session, args).await,
        DatasetCommand::Diff(args) => diff::run(session, args).await,
    }
}
