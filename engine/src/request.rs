//! What a caller hands in: the first step of the walk. Parsed and authenticated already.

use basin_catalog::{AsOf, Principal};
use bytes::Bytes;
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

/// What is asked, as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Query {
    /// A statement, with `?` or `$1` for parameters.
    Sql(String),
    /// A Substrait plan, as protobuf bytes.
    Substrait(Bytes),
}

/// A part of a result that is fetched in several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which part, from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

/// How a query is to be run; what is absent keeps the engine's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// Where names without schema are looked for; the principal's sandbox when absent.
    pub schema: Option<String>,
    /// A shorter time limit than the engine's.
    pub timeout: Option<Duration>,
    /// Memory that the query may take of the engine's pool.
    pub memory_bytes: Option<usize>,
    /// Whether a result with withheld cells lacks the columns that say which were withheld.
    pub without_companions: bool,
    /// Whether aggregations are computed from the datasets themselves, though a rollup could answer them.
    pub without_rollups: bool,
    /// Whether the query is run though its result is kept, and its own is not kept.
    pub without_cache: bool,
    /// The part that is wanted of a query that can be divided: see [`crate::Planned::is_divisible`].
    pub part: Option<Part>,
}

/// One statement by one principal against one state of the catalog.
#[derive(Debug, Clone)]
pub struct QueryRequest {
    /// Identity of the query.
    pub query_id: QueryId,
    /// Who asks.
    pub principal: Principal,
    /// What is asked.
    pub query: Query,
    /// Which state of the data is asked.
    pub as_of: AsOf,
    /// Values of the parameters, in order.
    pub parameters: Vec<ScalarValue>,
    /// How it is to be run.
    pub options: QueryOptions,
}
