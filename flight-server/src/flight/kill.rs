//! Kill: ends a query by its id, of whichever process of this server runs it. Whose it may be is the engine's policy's to say.

use basin_engine::QueryId;
use bytes::Bytes;
use serde::Deserialize;

use super::call::Call;
use super::service::FlightSql;
use crate::error::{Result, ServerError};

/// The action's name.
pub(super) const KILL: &str = "basin.Kill";
/// What the action is, for those who list actions.
pub(super) const DESCRIPTION: &str = "ends a running query: an own one, as administrator any; body: JSON with query, its \
     query_id in basin.running; no result";

/// The body of the action.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    query: QueryId,
}

impl FlightSql {
    /// Ends a query.
    ///
    /// # Errors
    /// `InvalidRequest` for a body that can't be read, `NotFound` when the caller has no such query.
    pub(super) async fn kill(&self, call: &Call, body: &Bytes) -> Result<Vec<Bytes>> {
        let Asked { query } = serde_json::from_slice(body)
            .map_err(|error| ServerError::InvalidRequest(format!("the query can't be read: {error}")))?;
        self.engine.may_end(&call.principal, query).await?;
        // It may have ended since it was looked for, which is what was wanted.
        self.end(query).await;
        Ok(Vec::new())
    }

    /// Cancels a query, wherever it runs; `false` when it does nowhere.
    pub(super) async fn end(&self, query: QueryId) -> bool {
        self.running.cancel(query) || self.engine.cancel_elsewhere(query).await
    }
}
