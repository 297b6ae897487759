//! Whom a statement is put to: a Flight SQL server, or the store through an engine in this process.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use basin_catalog::{AsOf, Principal};
use basin_engine::{Engine, Query, QueryId, QueryOptions, QueryRequest};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};

use super::remote::Remote;
use crate::commands::error::{CommandError, Result};

/// A result as it arrives. Dropping it cancels the query.
pub(crate) struct Answer {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: BoxStream<'static, Result<RecordBatch>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Whom statements are put to.
#[derive(Debug)]
pub(crate) enum Source {
    /// The store itself; who can open it may see everything in it.
    Store(Engine),
    /// A server, as the user who signed in.
    Server(Box<Remote>),
}

impl Source {
    /// Runs one statement as of a state ("" is the latest).
    pub(crate) async fn query(&mut self, sql: &str, as_of: &str) -> Result<Answer> {
        match self {
            Self::Store(engine) => local(engine, sql, as_of).await,
            Self::Server(remote) => remote.query(sql, as_of).await,
        }
    }

    /// Ends the work with the source: an engine stores the audit of what it was asked.
    pub(crate) async fn close(&self) -> Result<()> {
        match self {
            Self::Store(engine) => Ok(engine.close().await?),
            Self::Server(_) => Ok(()),
        }
    }
}

async fn local(engine: &Engine, sql: &str, as_of: &str) -> Result<Answer> {
    let request = QueryRequest {
        query_id: QueryId::new(),
        principal: Principal::operator(),
        query: Query::Sql(sql.to_owned()),
        as_of: as_of.parse::<AsOf>()?,
        parameters: Vec::new(),
        options: QueryOptions::default(),
    };
    let results = engine.plan(request).await?.authorize().await?.admit().await?.execute()?;
    let schema = results.schema();
    let batches = results.map_err(CommandError::from).boxed();
    Ok(Answer { schema, batches })
}
