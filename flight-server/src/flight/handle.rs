//! What tickets and prepared-statement handles hold, and who may use them.
//!
//! They are sealed and self-contained: any process that serves the store answers them.

use basin_catalog::{AsOf, SnapshotId};
use basin_engine::{QueryId, QueryRequest};
use prost::Message;

use super::call::Call;
use crate::error::{Result, ServerError};
use crate::seal::{Purpose, Rejected, Sealer};

/// The longest handle that is issued: it travels in every call that uses it.
const MAX_HANDLE_BYTES: usize = 8 * 1024 * 1024;

/// A statement that DoGet runs, pinned to one snapshot.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TicketContent {
    #[prost(string, tag = "1")]
    pub(super) query_id: String,
    #[prost(string, tag = "2")]
    pub(super) sql: String,
    #[prost(uint64, tag = "3")]
    pub(super) snapshot: u64,
    #[prost(string, optional, tag = "4")]
    pub(super) purpose: Option<String>,
    /// An Arrow IPC stream with one row per run; empty when there are no parameters.
    #[prost(bytes = "vec", tag = "5")]
    pub(super) parameters: Vec<u8>,
    /// The rows that a statement changed: it ran already, and this is all that is left to say.
    #[prost(int64, optional, tag = "6")]
    pub(super) done: Option<i64>,
}

/// A prepared statement, with its parameters once they are bound.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PreparedContent {
    #[prost(string, tag = "1")]
    pub(super) sql: String,
    /// As `x-basin-as-of` takes it.
    #[prost(string, tag = "2")]
    pub(super) as_of: String,
    #[prost(string, optional, tag = "3")]
    pub(super) purpose: Option<String>,
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
    pub(super) fn request(&self, call: &Call) -> QueryRequest {
        QueryRequest {
            query_id: self.query_id(),
            principal: call.principal_for(self.purpose.clone()),
            sql: self.sql.clone(),
            as_of: AsOf::Snapshot(SnapshotId(self.snapshot)),
            parameters: Vec::new(),
            timeout: None,
        }
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
