//! Authorise: `Planned` -> `Authorized`. Checks every dataset of the policed plan once more, failing closed. Does not
//! touch SQL text.

use super::police::check;
use crate::error::Result;
use crate::plan::{Planned, PlannedParts};
use crate::request::QueryId;
use datafusion::arrow::datatypes::SchemaRef;

/// A plan that its principal may run. Made only here, from a [`Planned`].
#[derive(Debug)]
pub struct Authorized {
    parts: PlannedParts,
}

/// What admission needs of an authorised plan.
pub(crate) type AuthorizedParts = PlannedParts;

impl Planned {
    /// Authorises the plan under the grants it was made with.
    ///
    /// # Errors
    /// `PermissionDenied` when the plan reads a dataset that the grants don't allow.
    pub async fn authorize(self) -> Result<Authorized> {
        let span = tracing::debug_span!("authorize", query_id = %self.query_id());
        let mut parts = self.into_parts();
        match span.in_scope(|| check(parts.logical.plan(), &parts.grants)) {
            Ok(_) => Ok(Authorized { parts }),
            Err(error) => Err(parts.audit.fail(error).await),
        }
    }
}

impl Authorized {
    /// Returns the identity of the query.
    #[must_use]
    pub fn query_id(&self) -> QueryId {
        self.parts.query_id
    }

    /// Returns the schema of the result.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.parts.schema)
    }

    pub(crate) fn into_parts(self) -> AuthorizedParts {
        self.parts
    }
}
