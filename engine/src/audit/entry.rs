//! Entry: the handle of one open record. Whoever holds it last closes it; dropped, it is cancelled.

use super::Book;
use crate::error::EngineError;
use crate::request::{Query, QueryId, QueryRequest};
use basin_catalog::{Digest, ErrorClass, SnapshotId};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// It failed.
    Error(String),
    /// Policy or a rule of the engine refused it.
    Refused(String),
    Cancelled,
    Timeout(String),
}

impl Outcome {
    /// Tells how a query ended that failed with `error`.
    pub(crate) fn of(error: &EngineError) -> Self {
        let text = error.to_string();
        match error.class() {
            ErrorClass::Cancelled => Self::Cancelled,
            ErrorClass::DeadlineExceeded => Self::Timeout(text),
            ErrorClass::NotFound
            | ErrorClass::PermissionDenied
            | ErrorClass::Unauthenticated
            | ErrorClass::ResourceExhausted => Self::Refused(text),
            ErrorClass::InvalidInput => match error {
                EngineError::ReadOnly(_) | EngineError::TooLarge(_) => Self::Refused(text),
                _ => Self::Error(text),
            },
            ErrorClass::Conflict
            | ErrorClass::Unavailable
            | ErrorClass::UnknownOutcome
            | ErrorClass::Unimplemented
            | ErrorClass::Internal => Self::Error(text),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error(_) => "error",
            Self::Refused(_) => "refused",
            Self::Cancelled => "cancelled",
            Self::Timeout(_) => "timeout",
        }
    }

    pub(super) fn message(&self) -> Option<&str> {
        match self {
            Self::Error(text) | Self::Refused(text) | Self::Timeout(text) => Some(text),
            Self::Ok | Self::Cancelled => None,
        }
    }
}

/// What is remembered of a query.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(super) query_id: QueryId,
    pub(crate) user: String,
    pub(super) agency: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) snapshot: Option<SnapshotId>,
    pub(super) sql: String,
    pub(super) datasets: String,
    pub(super) grants: String,
    pub(super) outcome: Option<&'static str>,
    pub(super) message: Option<String>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) finished_at: Option<DateTime<Utc>>,
}

impl Record {
    /// Begins the record of a request.
    pub(crate) fn of(request: &QueryRequest) -> Self {
        let who = &request.principal;
        Self {
            query_id: request.query_id,
            user: who.user().to_string(),
            agency: who.agency().map(ToString::to_string),
            purpose: who.purpose().map(ToOwned::to_owned),
            snapshot: None,
            sql: said(&request.query),
            datasets: String::new(),
            grants: String::new(),
            outcome: None,
            message: None,
            rows: 0,
            bytes: 0,
            started_at: Utc::now(),
            finished_at: None,
        }
    }
}

/// What is kept of a query's text. A plan has none: its checksum tells which it was.
fn said(query: &Query) -> String {
    match query {
        Query::Sql(sql) => sql.clone(),
        Query::Substrait(plan) => {
            format!("-- Substrait plan of {} bytes, sha-256 {}", plan.len(), Digest::of(plan).as_hex())
        }
    }
}

/// An open record. Dropping it closes it as cancelled.
#[derive(Debug)]
pub(crate) struct AuditEntry {
    key: QueryId,
    book: Arc<Book>,
    closed: bool,
}

impl AuditEntry {
    pub(super) fn new(key: QueryId, book: Arc<Book>) -> Self {
        Self { key, book, closed: false }
    }

    /// Notes what the query reads.
    pub(crate) fn reads(&self, snapshot: SnapshotId, datasets: String, grants: String) {
        self.book.edit(self.key, |record| {
            record.snapshot = Some(snapshot);
            record.datasets = datasets;
            record.grants = grants;
        });
    }

    /// Counts rows that left.
    pub(crate) fn sent(&self, rows: u64, bytes: u64) {
        self.book.edit(self.key, |record| {
            record.rows += rows;
            record.bytes += bytes;
        });
    }

    /// Removes the record of a query that was only described: nothing ran, and running it opens another.
    pub(crate) fn withdraw(mut self) {
        self.closed = true;
        self.book.remove(self.key);
    }

    /// Closes the record; a second call changes nothing.
    pub(crate) fn close(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        tracing::debug!(outcome = outcome.name(), "query closed");
        self.book.close(self.key, |record| {
            record.outcome = Some(outcome.name());
            record.message = outcome.message().map(ToOwned::to_owned);
            record.finished_at = Some(Utc::now());
        });
    }
}

impl Drop for AuditEntry {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled);
    }
}
