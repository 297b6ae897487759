//! What a caller hands in: the first step of the walk. Parsed and authenticated already.

use basin_catalog::{AsOf, Principal};
use datafusion::scalar::ScalarValue;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use uuid::Uuid;

/// Identity of one query, in errors, logs and the audit. Sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct QueryId(Uuid);

impl QueryId {
    /// Makes a new id.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for QueryId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for QueryId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// One statement by one principal against one state of the catalog.
#[derive(Debug, Clone)]
pub struct QueryRequest {
    /// Identity of the query.
    pub query_id: QueryId,
    /// Who asks.
    pub principal: Principal,
    /// The statement, with `?` or `$1` for parameters.
    pub sql: String,
    /// Which state of the data is asked.
    pub as_of: AsOf,
    /// Values of the parameters, in order.
    pub parameters: Vec<ScalarValue>,
    /// A shorter time limit than the engine's.
    pub timeout: Option<Duration>,
}
