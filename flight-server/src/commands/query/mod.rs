//! `basin query`: what runs at a server, and an end to it.

use std::path::PathBuf;

use basin_engine::QueryId;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::Result;
use super::password;
use super::session::Session;
use super::sql::encode;
use super::sql::remote::{Remote, SignIn};
use super::sql::target::Target;
use super::sql::{Address, Format, Grid};

/// Rows that a list shows at most: more than a server runs and lets wait.
const MAX_ROWS: usize = 10_000;
const LIST: &str = "SELECT query_id, user_name, stage, started_at, rows, datasets, sql, process FROM basin.running \
                    ORDER BY started_at";

#[derive(Debug, Subcommand)]
pub(crate) enum QueryCommand {
    /// List the queries that run at a server: your own, as administrator or auditor all
    List(ServerArgs),
    /// End a query: your own, as administrator any
    Kill(KillArgs),
}

/// Which server, and who asks.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The Flight SQL server: grpc://host:port or grpc+tls://host:port
    #[arg(long, env = "BASIN_SERVER", value_name = "URL")]
    server: Address,
    /// The user to sign in as (password: BASIN_PASSWORD, or asked for)
    #[arg(long, env = "BASIN_USER", value_name = "NAME")]
    user: String,
    /// A PEM file with the authority that signed the server's certificate [default: the system's]
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The query's id, as `basin query list`, errors and logs tell it
    id: QueryId,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Serialize)]
struct Killed {
    query: QueryId,
}

impl std::fmt::Display for Killed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "query {} is ended", self.query)
    }
}

pub(crate) async fn run(session: &Session, command: QueryCommand) -> Result<()> {
    match command {
        QueryCommand::List(server) => list(session, server).await,
        QueryCommand::Kill(KillArgs { id, server }) => {
            connect(server).await?.kill(id).await?;
            session.answer(&Killed { query: id })
        }
    }
}

async fn list(session: &Session, server: ServerArgs) -> Result<()> {
    let answer = connect(server).await?.query(LIST, "").await?;
    let format = if session.json() { Format::Json } else { Format::Table };
    let mut target = Target::open(None, format)?;
    if session.json() {
        encode::write(answer, format, &mut target).await?;
    } else {
        let grid = Grid::collect(answer, MAX_ROWS).await?;
        target.write(format!("{grid}\n").as_bytes())?;
    }
    target.finish()
}

async fn connect(args: ServerArgs) -> Result<Remote> {
    let password = password::existing(&args.user)?;
    let sign_in = SignIn { user: args.user, password, purpose: None };
    Remote::connect(&args.server, args.tls_ca.as_deref(), sign_in).await
}
