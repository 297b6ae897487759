//! `basin policy explain`: what would apply if a user asked a statement, and why. The statement is not run.

use std::fmt;

use basin_catalog::{AsOf, ErrorClass, Principal, UserName};
use basin_engine::{
    DatasetExplanation, Engine, EngineConfig, PolicyExplanation, Query, QueryId, QueryOptions, QueryRequest,
};
use clap::Args;
use serde::Serialize;

use crate::commands::error::{CommandError, Result};
use crate::commands::session::Session;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The user who would ask
    user: UserName,
    /// The statement
    sql: String,
    /// The purpose that the session would state
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
}

#[derive(Debug, Serialize)]
struct Explained {
    user: String,
    purpose: Option<String>,
    datasets: Vec<DatasetExplanation>,
    outcome: String,
}

pub(super) async fn run(session: &Session, args: ExplainArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let Some(user) = snapshot.users().get(&args.user) else {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no user {}", args.user),
            "`basin user list` lists the users",
        ));
    };
    let request = QueryRequest {
        query_id: QueryId::new(),
        principal: Principal::of(user, args.purpose.clone()),
        query: Query::Sql(args.sql),
        as_of: AsOf::Latest,
        parameters: Vec::new(),
        options: QueryOptions::default(),
    };
    let engine = Engine::new(catalog, EngineConfig::default())?;
    let explained = engine.explain_policy(request).await;
    engine.close().await?;
    let PolicyExplanation { user, datasets, outcome } = explained?;
    session.answer(&Explained { user, purpose: args.purpose, datasets, outcome })
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let purpose = self.purpose.as_ref().map(|purpose| format!(" for {purpose}")).unwrap_or_default();
        writeln!(f, "user {}{purpose}", self.user)?;
        for dataset in &self.datasets {
            writeln!(f, "  {}: {}", dataset.dataset, dataset.access)?;
            dataset.because.iter().try_for_each(|reason| writeln!(f, "    because {reason}"))?;
            dataset.rows.iter().try_for_each(|rows| writeln!(f, "    rows where {rows}"))?;
            dataset.masked.iter().try_for_each(|masked| writeln!(f, "    masked: {masked}"))?;
            if !dataset.hidden_items.is_empty() {
                writeln!(f, "    absent items: {}", dataset.hidden_items.join(", "))?;
            }
            dataset.cells.iter().try_for_each(|cells| writeln!(f, "    {cells}"))?;
        }
        write!(f, "  {}", self.outcome)
    }
}
