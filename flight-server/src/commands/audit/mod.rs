//! `basin audit`: the records of queries, for whoever may open the store: search them, show one, export them, roll
//! them into their table. It reads `basin.queries` like any query, and is remembered like any query.

mod export;
mod filter;
mod roll;
mod search;
mod show;

use basin_catalog::{AsOf, Principal};
use basin_engine::{Engine, EngineConfig, Query, QueryId, QueryOptions, QueryRequest, ScalarValue};
use clap::Subcommand;
use futures::stream::{StreamExt as _, TryStreamExt as _};

use super::error::{CommandError, Result};
use super::session::Session;
use super::sql::source::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List the records that match, the newest first
    Search(search::SearchArgs),
    /// Show everything that is recorded of one query
    Show(show::ShowArgs),
    /// Write the records that match to a file: .parquet, .csv or .jsonl
    Export(export::ExportArgs),
    /// Roll the newest records into the audit's Delta table now; a server does so every few minutes
    Roll,
}

pub(crate) async fn run(session: &Session, command: AuditCommand) -> Result<()> {
    let engine = Engine::new(session.open().await?, EngineConfig::default())?;
    let ended = match command {
        AuditCommand::Search(args) => search::run(session, &engine, args).await,
        AuditCommand::Show(args) => show::run(session, &engine, args).await,
        AuditCommand::Export(args) => export::run(session, &engine, args).await,
        AuditCommand::Roll => roll::run(session, &engine).await,
    };
    let closed = engine.close().await;
    ended.and(closed.map_err(CommandError::from))
}

/// Runs a statement on `basin.queries`. Its own record is left out by the last but one parameter, which this adds;
/// the last is the most rows.
pub(crate) async fn ask(
    engine: &Engine,
    sql: &str,
    mut parameters: Vec<ScalarValue>,
    most: i64,
) -> Result<Answer> {
    let query_id = QueryId::new();
    parameters.extend([ScalarValue::from(query_id.to_string()), ScalarValue::from(most)]);
    let request = QueryRequest {
        query_id,
        principal: Principal::operator(),
        query: Query::Sql(sql.to_owned()),
        as_of: AsOf::Latest,
        parameters,
        options: QueryOptions::default(),
    };
    let results = engine.plan(request).await?.authorize().await?.admit().await?.execute()?;
    Ok(Answer { schema: results.schema(), batches: results.map_err(CommandError::from).boxed() })
}
