//! Record: what is remembered of one query, and the words for how it ended. It is stored nowhere here.

use super::fault;
use crate::beside::{OpenRecord, RunningQuery, Stage};
use crate::error::{EngineError, Result};
use crate::request::{Query, QueryId, QueryRequest};
use basin_catalog::{Digest, ErrorClass, SnapshotId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is kept of a statement outside of its process.
const KEPT_SQL_BYTES: usize = 16 * 1024;

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
    /// Its process died, for this reason.
    Died(String),
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

    fn ended(&self) -> Ended {
        match self {
            Self::Ok => Ended::Ok,
            Self::Error(_) => Ended::Error,
            Self::Refused(_) => Ended::Refused,
            Self::Cancelled => Ended::Cancelled,
            Self::Timeout(_) => Ended::Timeout,
            Self::Died(_) => Ended::Died,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.ended().name()
    }

    fn message(self) -> Option<String> {
        match self {
            Self::Error(text) | Self::Refused(text) | Self::Timeout(text) | Self::Died(text) => Some(text),
            Self::Ok | Self::Cancelled => None,
        }
    }
}

/// The word for how a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ended {
    Ok,
    Error,
    Refused,
    Cancelled,
    Timeout,
    /// Its process died, and another one noticed.
    Died,
    /// Its process went away before it could say so.
    Unknown,
}

impl Ended {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Died => "died",
            Self::Unknown => "unknown",
        }
    }
}

/// What a query reads, as it was planned. Lists are texts, separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reads {
    pub(crate) snapshot: Option<SnapshotId>,
    pub(crate) datasets: String,
    pub(crate) grants: String,
    /// Items that reach the result.
    pub(crate) output_columns: String,
    /// Items that the statement uses otherwise: filters, joins, grouping, order.
    pub(crate) predicate_columns: String,
    /// Items that only the policy looks at.
    pub(crate) policy_columns: String,
}

/// What is remembered of a query. In the journal it is one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Tells two records apart. DoGet walks again under the id of GetFlightInfo: each walk is a record of its own.
    pub(super) key: QueryId,
    pub(super) query_id: QueryId,
    pub(super) user: String,
    pub(super) agency: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) sql: String,
    #[serde(flatten)]
    pub(super) reads: Reads,
    pub(super) outcome: Option<Ended>,
    pub(super) message: Option<String>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) cells_suppressed: u64,
    /// Whether the rows were those of an earlier run.
    #[serde(default)]
    pub(super) from_cache: bool,
    pub(super) started_at: DateTime<Utc>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    /// When it has ended for sure, whether or not its end was ever written.
    pub(super) ends_by: DateTime<Utc>,
}

impl Record {
    /// Begins the record of a request.
    pub(crate) fn of(request: &QueryRequest) -> Self {
        let who = &request.principal;
        let now = Utc::now();
        Self {
            key: QueryId::new(),
            query_id: request.query_id,
            user: who.user().to_string(),
            agency: who.agency().map(ToString::to_string),
            purpose: who.purpose().map(ToOwned::to_owned),
            sql: said(&request.query),
            reads: Reads::default(),
            outcome: None,
            message: None,
            rows: 0,
            bytes: 0,
            cells_suppressed: 0,
            from_cache: false,
            started_at: now,
            finished_at: None,
            ends_by: now,
        }
    }

    /// The record for whoever keeps it safe outside of this process: of a long statement the beginning, since many are kept.
    pub(super) fn kept_outside(&self) -> Result<OpenRecord> {
        let mut record = self.clone();
        if record.sql.len() > KEPT_SQL_BYTES {
            let mut end = KEPT_SQL_BYTES;
            while !record.sql.is_char_boundary(end) {
                end -= 1;
            }
            record.sql.truncate(end);
            record.sql.push_str(" -- cut");
        }
        Ok(OpenRecord { key: self.key, json: serde_json::to_string(&record).map_err(fault)? })
    }

    /// The query as others see it while it runs.
    pub(super) fn running(&self, stage: Stage, process: &str) -> RunningQuery {
        RunningQuery {
            query_id: self.query_id,
            user: self.user.clone(),
            agency: self.agency.clone(),
            purpose: self.purpose.clone(),
            sql: self.sql.clone(),
            datasets: self.reads.datasets.clone(),
            stage,
            rows: self.rows,
            bytes: self.bytes,
            started_at: self.started_at,
            process: process.to_owned(),
        }
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome.ended());
        self.message = outcome.message();
        self.finished_at = Some(Utc::now());
    }

    /// Tells whether its end was written.
    pub(super) fn is_closed(&self) -> bool {
        match self.outcome {
            None | Some(Ended::Unknown) => false,
            Some(
                Ended::Ok | Ended::Error | Ended::Refused | Ended::Cancelled | Ended::Timeout | Ended::Died,
            ) => true,
        }
    }

    /// The record as it reads at `now` to whoever can't ask its process.
    pub(super) fn seen_at(mut self, now: DateTime<Utc>) -> Self {
        if self.outcome.is_none() && self.ends_by < now {
            self.outcome = Some(Ended::Unknown);
        }
        self
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
