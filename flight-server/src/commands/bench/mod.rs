//! `basin bench`: TPC-H pooled into the store, and its queries asked over Flight SQL by many clients at once.
//!
//! What it times is what a client sees: every row is fetched, and an answer that differs from the checked one has no time.
//! It does not compare systems; the suites in `benches/` do.

mod check;
mod client;
mod expected;
mod generate;
mod load;
mod report;
mod run;
mod target;
mod tpch;
mod watch;

use clap::Subcommand;

use super::error::Result;
use super::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Make the eight tables of TPC-H and pool them into the schema tpch
    Load(load::LoadArgs),
    /// Ask the queries of TPC-H, or a statement, for a while, and print rates and percentiles
    Run(run::RunArgs),
}

pub(crate) async fn run(session: &Session, command: BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Load(args) => load::run(session, args).await,
        BenchCommand::Run(args) => run::run(session, args).await,
    }
}
