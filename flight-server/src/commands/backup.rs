//! `basin backup` and `basin restore`: a snapshot into another store, and back.

use basin_datasets::{Progress, backup, restore};
use clap::Args;

use super::error::Result;
use super::pooling_bar::watched;
use super::session::Session;

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The other store: empty, or with earlier backups of the same one
    #[arg(value_name = "TO_URL")]
    to: String,
    /// The records of queries too
    #[arg(long)]
    with_audit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FROM_URL")]
    from: String,
    /// The records of queries too
    #[arg(long)]
    with_audit: bool,
}

pub(crate) async fn run(session: &Session, args: BackupArgs) -> Result<()> {
    let (from, to) = (session.open_store(&session.store_url("store")?)?, session.create_store_at(&args.to)?);
    let progress = Progress::default();
    let report = watched(&progress, backup(&from, &to, args.with_audit, &progress)).await?;
    session.answer(&report)
}

pub(crate) async fn run_restore(session: &Session, args: RestoreArgs) -> Result<()> {
    let (from, to) = (session.open_store(&args.from)?, session.create_store("store")?);
    let progress = Progress::default();
    let report = watched(&progress, restore(&from, &to, args.with_audit, &progress)).await?;
    session.answer(&report)
}
