//! `basin fsck`: whether a store is sound. It changes nothing; the exit code is 0 for a sound store and 1 for a damaged one.

use basin_catalog::ErrorClass;
use basin_datasets::{Progress, fsck};
use clap::Args;

use super::error::{CommandError, Result};
use super::pool::cores;
use super::pooling_bar::watched;
use super::session::Session;

#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    /// Read and decode every page of every file too
    #[arg(long)]
    deep: bool,
}

pub(crate) async fn run(session: &Session, args: FsckArgs) -> Result<()> {
    let store = session.open_store(&session.store_url("store")?)?;
    let progress = Progress::default();
    let report = watched(&progress, fsck(&store, args.deep, cores(), &progress)).await?;
    session.answer(&report)?;
    if report.sound {
        return Ok(());
    }
    Err(CommandError::refused(
        ErrorClass::Internal,
        "the store is damaged; what to do stands with each finding",
    ))
}
