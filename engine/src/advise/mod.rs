//! Advice: which layout of a dataset, and which rollups, would have helped the queries that were asked.
//!
//! ```text
//! Asked ─► observe ─► weigh ─► Advice
//! records  SQL -> what is   what pays,
//!          filtered, grouped  and why
//! ```
//! It reads records and definitions, and changes nothing. What SQL does not tell is not guessed: a query counts for
//! what it says, and a plan without a text for nothing but the items that its record names.

mod observe;
mod rollups;
mod weigh;

use basin_catalog::{DatasetDefinition, DatasetVersion};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use rollups::RollupAdvice;
pub use weigh::{Choice, ItemUse};

/// Statements nest; their walk is recursive.
const STACK_BYTES: usize = 256 << 20;

/// A query that was asked of a dataset, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its text.
    pub sql: String,
    /// The dataset's items that its record names.
    pub items: BTreeSet<String>,
    /// How long it took.
    pub took: Duration,
}

/// A dataset as it is laid out.
#[derive(Debug, Clone, Copy)]
pub struct LaidOut<'a> {
    /// Its definition.
    pub definition: &'a DatasetDefinition,
    /// Its published version.
    pub version: Option<&'a DatasetVersion>,
    /// Items with bloom filters beside those of the key.
    pub bloom: &'a BTreeSet<String>,
}

/// What is done with an item in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// It equals a value, or one of several.
    Equal,
    /// It lies above or below a value, or between two, or begins with a text.
    Range,
    /// It equals an item of another dataset.
    Join,
}

impl Filter {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Range => "range",
            Self::Join => "join",
        }
    }
}

/// What would have helped, with the evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// Queries that were looked at.
    pub queries: u64,
    /// Those whose text could be read again.
    pub understood: u64,
    /// Time that they took, together.
    pub seconds: f64,
    /// How the items were used, the most filtered first.
    pub items: Vec<ItemUse>,
    /// An order of rows that would have let queries skip most of them; none when today's is as good.
    pub sort: Option<Choice>,
    /// Items worth files of their own.
    pub partition: Option<Choice>,
    /// Items worth bloom filters.
    pub bloom: Option<Choice>,
    /// Aggregations asked again and again.
    pub rollups: Vec<RollupAdvice>,
}

/// Looks at queries and tells what would have helped them. Takes time by their number: call it off the I/O runtime.
pub fn advise(dataset: LaidOut<'_>, asked: &[Asked]) -> Advice {
    let look = || {
        let observed: Vec<_> = asked
            .iter()
            .filter_map(|query| {
                Some((query, observe::observe(&query.sql, dataset.definition, &query.items)?))
            })
            .collect();
        let uses = weigh::uses(&observed);
        Advice {
            queries: asked.len() as u64,
            understood: observed.len() as u64,
            seconds: asked.iter().map(|query| query.took.as_secs_f64()).sum(),
            sort: weigh::sort(&dataset, &uses, observed.len()),
            partition: weigh::partition(&dataset, &uses, observed.len()),
            bloom: weigh::bloom(&dataset, &uses, observed.len()),
            rollups: rollups::advise(&observed),
            items: uses,
        }
    };
    std::thread::scope(|scope| {
        let deep = std::thread::Builder::new().name("basin-advise".to_owned()).stack_size(STACK_BYTES);
        let done = deep.spawn_scoped(scope, look).ok().and_then(|thread| thread.join().ok());
        done.unwrap_or_else(|| Advice::nothing(asked.len()))
    })
}

impl Advice {
    /// Without a thread to look with there is nothing to say.
    fn nothing(queries: usize) -> Self {
        Self {
            queries: queries as u64,
            understood: 0,
            seconds: 0.0,
            items: Vec::new(),
            sort: None,
            partition: None,
            bloom: None,
            rollups: Vec::new(),
        }
    }
}

/// Distinct values of an item, where they were counted.
fn distinct(dataset: &LaidOut<'_>, item: &str) -> Option<u64> {
    dataset.version?.distinct.get(item).copied()
}

/// How often each word was said.
type Counts = BTreeMap<Filter, u64>;

#[cfg(test)]
mod tests;
