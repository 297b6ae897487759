//! What tickets and prepared-statement handles hold, and who may use them.
//!
//! They are sealed and self-contained: any process that serves the store answers them.

use basin_catalog::{AsOf, SnapshotId};
use basin_engine::{Part, Query, QueryId, QueryOptions, QueryRequest};
use bytes::Bytes;
use prost::{Message, Oneof};

use super::call::Call;
use super::options::SessionOptions;
use crate::error::{Result, ServerError};
use crate::seal::{Purpose, Rejected, Sealer};

/// The longest handle that is issued: it travels in every call that uses it.
const MAX_HANDLE_BYTES: usize = 8 * 1024 * 1024;

/// What is asked, as it travels.
#[derive(Clone, PartialEq, Message)]
pub(super) struct QueryContent {
    #[prost(oneof = "QueryText", tags = "1, 2")]
    text: Option<QueryText>,
}

#[derive(Clone, PartialEq, Oneof)]
enum QueryText {
    #[prost(string, tag = "1")]
    Sql(String),
    #[prost(bytes = "bytes", tag = "2")]
    Substrait(Bytes),
}

impl From<Query> for QueryContent {
    fn from(query: Query) -> Self {
        let text = match query {
            Query::Sql(sql) => QueryText::Sql(sql),
            Query::Substrait(plan) => QueryText::Substrait(plan),
        };
        Self { text: Some(text) }
    }
}

impl QueryContent {
    /// Returns what is asked; an empty statement when there is none, which the planner refuses.
    pub(super) fn query(&self) -> Query {
        match &self.text {
            Some(QueryText::Sql(sql)) => Query::Sql(sql.clone()),
            Some(QueryText::Substrait(plan)) => Query::Substrait(plan.clone()),
            None => Query::Sql(String::new()),
        }
    }
}

/// A statement that DoGet runs, pinned to one snapshot.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TicketContent {
    #[prost(string, tag = "1")]
    pub(super) query_id: String,
    #[prost(message, required, tag = "2")]
    pub(super) query: QueryContent,
    #[prost(uint64, tag = "3")]
    pub(super) snapshot: u64,
    /// What the session chose when it was asked.
    #[prost(message, required, tag = "4")]
    pub(super) options: SessionOptions,
    /// An Arrow IPC stream with one row per run; empty when there are no parameters.
    #[prost(bytes = "vec", tag = "5")]
    pub(super) parameters: Vec<u8>,
    /// The rows that a statement changed: it ran already, and this is all that is left to say.
    #[prost(int64, optional, tag = "6")]
    pub(super) done: Option<i64>,
    /// The part of the result that it stands for, and of how many; 0 of 0: all of it.
    #[prost(uint32, tag = "7")]
    pub(super) part: u32,
    #[prost(uint32, tag = "8")]
    pub(super) parts: u32,
}

/// A prepared statement, with its parameters once they are bound.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PreparedContent {
    #[prost(message, required, tag = "1")]
    pub(super) query: QueryContent,
    /// What the session chose when it was prepared.
    #[prost(message, required, tag = "2")]
    pub(super) options: SessionOptions,
    /// An Arrow IPC stream with one row per run; empty while nothing is bound.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) parameters: Vec<u8>,
}

impl TicketContent {
    /// Returns the query's id, or a new one when an old ticket's can't be read.
    pub(super) fn query_id(&self) -> QueryId {
        self.query_id.parse().unwrap_or_default()
    }

    /// Returns the request for one run, without its parameters, by the caller.
    ///
    /// # Errors
    /// `Internal` when what it was asked as of can't be read.
    pub(super) fn request(&self, call: &Call) -> Result<QueryRequest> {
        let asked = call.request_of(self.query.query(), &self.options)?;
        let part = (self.parts > 0).then_some(Part { index: self.part as usize, of: self.parts as usize });
        Ok(QueryRequest {
            query_id: self.query_id(),
            as_of: AsOf::Snapshot(SnapshotId(self.snapshot)),
            options: QueryOptions { part, ..asked.options.clone() },
            ..asked
        })
    }
}

/// Seals content for the caller.
///
/// # Errors
/// `TooLarge` when it is more than a handle may have.
pub(super) fn seal<M: Message>(
    sealer: &Sealer,
    purpose: Purpose,
    call: &Call,
    lifetime: std::time::Duration,
    content: &M,
) -> Result<Vec<u8>> {
    if content.encoded_len() > MAX_HANDLE_BYTES {
        return Err(ServerError::TooLarge(format!(
            "the statement with its parameters has more than {} MiB; bind fewer rows at a time",
            MAX_HANDLE_BYTES / (1024 * 1024)
        )));
    }
    sealer.seal(purpose, &call.user(), lifetime, content)
}

/// Opens what [`seal`] made, for the caller it was made for.
///
/// # Errors
/// `InvalidRequest` when it is forged or its time is over, `ForeignHandle` for another user.
pub(super) fn open<M: Message + Default>(
    sealer: &Sealer,
    purpose: Purpose,
    call: &Call,
    sealed: &[u8],
) -> Result<M> {
    let opened = sealer.open::<M>(purpose, sealed).map_err(|rejected| {
        ServerError::InvalidRequest(match rejected {
            Rejected::Forged => {
                "the ticket or handle was not issued by this server or was changed; run the statement \
                 again"
                    .to_owned()
            }
            Rejected::Expired => "the ticket or handle has expired; run the statement again".to_owned(),
        })
    })?;
    if opened.user == call.user() { Ok(opened.content) } else { Err(ServerError::ForeignHandle) }
}
