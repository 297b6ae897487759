//! Beside: what stands beside an engine: who remembers its open queries in case its process dies, and who knows the
//! queries of its neighbours. It decides nothing; who may see or end which query is the policy's to say.

use crate::request::QueryId;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is being planned.
    Planning,
    /// It waits for a place.
    Waiting,
    /// It runs, or its rows wait for their reader.
    Running,
}

impl Stage {
    /// The word for it in `basin.running`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Waiting => "waiting",
            Self::Running => "running",
        }
    }
}

/// A query that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningQuery {
    /// Its id, as its client knows it.
    pub query_id: QueryId,
    /// Who asked.
    pub user: String,
    /// For which organisation.
    pub agency: Option<String>,
    /// For what purpose.
    pub purpose: Option<String>,
    /// The statement as it was sent.
    pub sql: String,
    /// What it reads, separated by commas; empty while it is planned.
    pub datasets: String,
    /// How far it is.
    pub stage: Stage,
    /// Rows that left so far.
    pub rows: u64,
    /// Bytes of them, in memory's form.
    pub bytes: u64,
    /// When it came.
    pub started_at: DateTime<Utc>,
    /// Which process runs it.
    pub process: String,
}

/// The audit record of a query whose end is not stored yet, for whoever keeps it safe. Its content is the engine's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRecord {
    /// Tells it from others.
    pub key: QueryId,
    /// The record, as JSON.
    pub json: String,
}

/// Who stands beside an engine.
#[async_trait]
pub trait Beside: fmt::Debug + Send + Sync {
    /// The name of the engine's own process.
    fn process(&self) -> &str;

    /// Remembers an open record. The query goes on when this returns, so that whatever it does to its process, the record
    /// is known.
    async fn opened(&self, record: OpenRecord);

    /// Remembers an open record as it ended, until the end is stored.
    fn closed(&self, record: OpenRecord);

    /// Forgets records: their ends are stored.
    fn ended(&self, keys: Vec<QueryId>);

    /// Waits until what was told is with whoever is told it.
    async fn settled(&self);

    /// Lists the queries of the other processes of this server.
    async fn running(&self) -> Vec<RunningQuery>;

    /// Cancels a query of another process of this server; `false` when none has it.
    async fn cancel(&self, query_id: QueryId) -> bool;
}

/// Nobody: the engine's process is the only one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

#[async_trait]
impl Beside for Alone {
    fn process(&self) -> &str {
        "0"
    }

    async fn opened(&self, _: OpenRecord) {}

    fn closed(&self, _: OpenRecord) {}

    fn ended(&self, _: Vec<QueryId>) {}

    async fn settled(&self) {}

    async fn running(&self) -> Vec<RunningQuery> {
        Vec::new()
    }

    async fn cancel(&self, _: QueryId) -> bool {
        false
    }
}
