//! Running: the queries that have not ended, for the process that runs them, its neighbours, and whoever may end them.

use super::Engine;
use crate::beside::{OpenRecord, RunningQuery};
use crate::error::{EngineError, Result};
use crate::request::QueryId;
use basin_catalog::{AsOf, Principal};

impl Engine {
    /// Lists the queries of this process, for its own server: it looks at no policy.
    #[must_use]
    pub fn running_here(&self) -> Vec<RunningQuery> {
        self.shared.audit.running_here()
    }

    /// Returns the name of this process among those of its server.
    #[must_use]
    pub fn process(&self) -> &str {
        self.shared.audit.beside().process()
    }

    /// Checks that a principal may end a query: its own, and as administrator any.
    ///
    /// # Errors
    /// `NotFound` alike for one that does not run and for one that may not be ended; the catalog's errors.
    pub async fn may_end(&self, principal: &Principal, query_id: QueryId) -> Result<()> {
        let grants = self.local(principal, &AsOf::Latest).await?.grants;
        let running = self.shared.audit.running().await;
        let mut its = running.iter().filter(|query| query.query_id == query_id);
        if its.any(|query| grants.ends_query_of(&query.user, query.started_at)) {
            return Ok(());
        }
        Err(EngineError::NoSuchQuery(query_id))
    }

    /// Cancels a query that another process of this server runs; `false` when none does. Whether the caller may is
    /// looked at before.
    pub async fn cancel_elsewhere(&self, query_id: QueryId) -> bool {
        self.shared.audit.beside().cancel(query_id).await
    }

    /// Ends the audit records of the queries that a process of this server ran when it died, with the cause.
    ///
    /// # Errors
    /// The store's errors; the records are stored later then.
    pub async fn bury(&self, records: &[OpenRecord], cause: &str) -> Result<()> {
        self.shared.audit.bury(records, cause).await
    }
}
