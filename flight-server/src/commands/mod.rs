//! The commands of `basin`: one module each. A command reads its arguments, calls the crates that
//! do the work and prints what came of it; it holds no rule of its own about data or access.

mod advise;
mod audit;
mod backup;
mod bench;
mod dataset;
mod demand;
mod demo;
mod error;
mod exit;
mod filter;
mod fsck;
mod gc;
mod grant;
mod logging;
mod moment;
mod optimize;
mod org;
mod output;
mod own_user;
mod password;
mod policy;
mod pool;
mod pooling_bar;
mod query;
mod rollup;
mod serve;
mod session;
mod signals;
mod size;
mod sql;
mod store;
mod token;
mod user;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use basin_flight_server::Config;
use clap::{Parser, Subcommand};

use error::{CommandError, Result};
use logging::LogForm;
use session::Session;

/// Basin: pool government datasets, query them with SQL, stream the results over Arrow Flight SQL.
#[derive(Debug, Parser)]
#[command(name = "basin", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Where everything is kept: a folder, file:///path, s3://bucket/prefix, az://…, gs://…
    /// [default: a folder in the user's data folder]
    #[arg(long, global = true, env = "BASIN_STORE", hide_env_values = true, value_name = "URL")]
    store: Option<String>,
    /// The configuration file (TOML); options on the command line win over it
    #[arg(long, global = true, env = "BASIN_CONFIG", hide_env_values = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Form of the log lines on stderr; BASIN_LOG sets what is logged (e.g. info, basin_engine=debug)
    #[arg(long, global = true, value_enum, default_value_t = LogForm::Text, value_name = "FORM")]
    log: LogForm,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Define datasets and look at them and their versions
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// Record the organisations that answer for data
    #[command(subcommand)]
    Org(org::OrgCommand),
    /// Create users, change, list and remove them
    #[command(subcommand)]
    User(user::UserCommand),
    /// Make, list and revoke the tokens with which programs sign in
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Allow users, roles or organisations to read a dataset
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    /// Search, show and export the records of queries
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Set, show and apply what the readers of datasets are asked
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Ask for access to a dataset, and decide what was asked
    #[command(subcommand)]
    Demand(demand::DemandCommand),
    /// Declare aggregates of datasets that answer queries in their place
    #[command(subcommand)]
    Rollup(rollup::RollupCommand),
    /// Check raw files and publish them as a new version of a dataset
    Pool(pool::PoolArgs),
    /// Merge small files of datasets and sort them as their manifests say
    Optimize(optimize::OptimizeArgs),
    /// Check a store: catalog, tables, files; list what nothing refers to
    Fsck(fsck::FsckArgs),
    /// Remove what nothing refers to, and old versions when asked; says what it would do without --apply
    Gc(gc::GcArgs),
    /// Copy the newest snapshot, with the data that can be read as of it or earlier, to another store
    Backup(backup::BackupArgs),
    /// Copy a backup into a store that is empty
    Restore(backup::RestoreArgs),
    /// Tell which layout and rollups would have helped a dataset's queries
    Advise(advise::AdviseArgs),
    /// Serve the store over Arrow Flight SQL
    Serve(serve::ServeArgs),
    /// Run SQL: one statement, a script from stdin, or interactively
    Sql(sql::SqlArgs),
    /// List what runs at a server, and end it
    #[command(subcommand)]
    Query(query::QueryCommand),
    /// Look at the store itself
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Measure: pool TPC-H, and ask its queries with many clients
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Build the example store, serve it, and show what can be asked
    Demo(demo::DemoArgs),
}

/// How long tasks that were dropped may take to notice before the process ends without them.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Runs the command to its end and says how it ended.
pub(crate) fn run(cli: Cli) -> ExitCode {
    match run_to_end(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            ExitCode::from(exit::code(&error))
        }
    }
}

fn run_to_end(cli: Cli) -> Result<()> {
    basin_flight_server::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CommandError::io("the runtime's threads can't be started", source))?;
    let traces = {
        let _in_runtime = runtime.enter();
        logging::start(cli.log, matches!(cli.command, Command::Serve(_)))
    };
    let result = runtime.block_on(dispatch(cli));
    drop(traces);
    runtime.shutdown_timeout(LAST_GRACE);
    result
}

async fn dispatch(cli: Cli) -> Result<()> {
    let config = cli.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let session = Session::new(cli.store, config, cli.json);
    let ended = run_command(&session, cli.command).await;
    session.end().await;
    ended
}

async fn run_command(session: &Session, command: Command) -> Result<()> {
    match command {
        Command::Dataset(command) => signals::interruptible(dataset::run(session, command)).await,
        Command::Org(command) => signals::interruptible(org::run(session, command)).await,
        Command::User(command) => signals::interruptible(user::run(session, command)).await,
        Command::Token(command) => signals::interruptible(token::run(session, command)).await,
        Command::Grant(command) => signals::interruptible(grant::run(session, command)).await,
        Command::Audit(command) => signals::interruptible(audit::run(session, command)).await,
        Command::Policy(command) => signals::interruptible(policy::run(session, command)).await,
        Command::Demand(command) => signals::interruptible(demand::run(session, command)).await,
        Command::Rollup(command) => signals::interruptible(rollup::run(session, command)).await,
        Command::Pool(args) => signals::interruptible(pool::run(session, args)).await,
        Command::Optimize(args) => signals::interruptible(optimize::run(session, args)).await,
        Command::Fsck(args) => signals::interruptible(fsck::run(session, args)).await,
        Command::Gc(args) => signals::interruptible(gc::run(session, args)).await,
        Command::Backup(args) => signals::interruptible(backup::run(session, args)).await,
        Command::Restore(args) => signals::interruptible(backup::run_restore(session, args)).await,
        Command::Advise(args) => signals::interruptible(advise::run(session, args)).await,
        Command::Serve(args) => serve::run(session, args).await,
        Command::Sql(args) => sql::run(session, args).await,
        Command::Query(command) => signals::interruptible(query::run(session, command)).await,
        Command::Store(command) => signals::interruptible(store::run(session, command)).await,
        Command::Bench(command) => signals::interruptible(bench::run(session, command)).await,
        Command::Demo(args) => demo::run(session, args).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
