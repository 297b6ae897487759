//! `basin gc`: removes orphans, and old versions when asked. Without `--apply` it only says what it would remove.

use std::num::NonZero;
use std::time::Duration;

use basin_datasets::{GcRequest, Progress, gc};
use clap::Args;

use super::error::Result;
use super::pool::cores;
use super::pooling_bar::watched;
use super::session::{Session, author};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Do it
    #[arg(long)]
    apply: bool,
    /// Leave alone what is younger; longer than any pooling takes
    #[arg(long, value_name = "N", default_value_t = 24)]
    grace_hours: u32,
    /// Let older versions of each dataset expire than its newest N; they can't be read as of earlier moments any more
    #[arg(long, value_name = "N")]
    keep_versions: Option<NonZero<u64>>,
    /// Let versions expire that were superseded more than N days ago; with --keep-versions, only what both let go
    #[arg(long, value_name = "N")]
    keep_days: Option<u32>,
}

pub(crate) async fn run(session: &Session, args: GcArgs) -> Result<()> {
    let store = session.open_store(&session.store_url("store")?)?;
    let request = GcRequest {
        apply: args.apply,
        grace: HOUR * args.grace_hours,
        keep_versions: args.keep_versions.map(NonZero::get),
        keep: args.keep_days.map(|days| DAY * days),
        threads: cores(),
        author: author(),
    };
    let progress = Progress::default();
    let report = watched(&progress, gc(&store, &request, &progress)).await?;
    session.answer(&report)
}
