//! Cache: finished results, for whoever asks the same under the same access again.
//!
//! A result is kept under all that decides it: the policed plan, the version of each dataset and what its policy shows
//! (`key`). Versions never change, so what is kept is exact for good; it goes when memory is wanted for what is asked
//! more often. The same question asked while its first run is under way waits for that run (`flight`). Memory is
//! counted before it is taken (`budget`): of what is kept, recorded, and still read after it was forgotten.
//!
//! It decides about no access: a look-up comes after the policy, and an answer is audited and under a lease like a run.

mod answer;
mod budget;
mod flight;
mod key;

pub use answer::Shelf;
pub(crate) use answer::{Answer, AnswerRows};
pub(crate) use budget::Reservation;
pub(crate) use flight::{Found, Recording};
pub(crate) use key::{Keepable, Reading};

use crate::request::QueryOptions;
use budget::Budget;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;
use flight::Flights;
use key::{Key, Never};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A result may take so much of the cache, counted from its size.
const SHARE_OF_ONE: usize = 16;
/// Of four parts of the memory three are for what is kept; the rest is for what is recorded and what is still read.
const KEPT_PARTS: usize = 3;
/// What a result is taken to weigh, for the size of tables.
const USUAL_BYTES: usize = 32 * 1024;

/// What is known of a question.
#[derive(Debug, Clone)]
enum Entry {
    Answer(Arc<Answer>),
    /// Its result is larger than what is kept.
    TooLarge,
}

#[derive(Debug, Clone)]
struct Weigh;

impl Weighter<Arc<Key>, Entry> for Weigh {
    fn weight(&self, key: &Arc<Key>, entry: &Entry) -> u64 {
        match entry {
            Entry::Answer(answer) => answer.weight() as u64,
            Entry::TooLarge => key.weight() as u64,
        }
    }
}

type Entries = Cache<Arc<Key>, Entry, Weigh>;

/// The results that an engine keeps.
#[derive(Debug)]
pub(crate) struct ResultCache {
    /// None: nothing is kept.
    entries: Option<Entries>,
    budget: Arc<Budget>,
    flights: Flights,
    hashing: DefaultHashBuilder,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
}

/// How a cache does, for its administrator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheFigures {
    /// What it holds.
    pub entries: u64,
    /// Memory that this takes.
    pub bytes: u64,
    /// Memory that it may take.
    pub capacity_bytes: u64,
    /// How often it had what was asked for.
    pub hits: u64,
    /// How often not.
    pub misses: u64,
    /// Of the hits, those that waited for a run of another query.
    pub shared: u64,
}

impl ResultCache {
    /// Makes a cache that takes at most so much memory; with none it keeps nothing.
    pub(crate) fn new(bytes: usize) -> Self {
        let kept = bytes / (KEPT_PARTS + 1) * KEPT_PARTS;
        let mut options = OptionsBuilder::new();
        options.shards(1).weight_capacity(kept as u64).estimated_items_capacity(kept / USUAL_BYTES);
        let options = (bytes > 0).then(|| options.build().ok()).flatten();
        let cache = |options| {
            Entries::with_options(options, Weigh, DefaultHashBuilder::default(), DefaultLifecycle::default())
        };
        Self {
            entries: options.map(cache),
            budget: Arc::new(Budget::of(bytes)),
            flights: Flights::default(),
            hashing: DefaultHashBuilder::default(),
            counts: Counts::default(),
        }
    }

    /// Tells under what the result of a policed plan is kept, with the schema that was promised for it.
    pub(crate) fn keepable(
        &self,
        options: &QueryOptions,
        plan: &LogicalPlan,
        schema: &SchemaRef,
    ) -> Keepable {
        if options.part.is_some() {
            return Keepable::Never(Never::Part);
        }
        let why = match (&self.entries, options) {
            (None, _) => Some(Never::Off),
            (Some(_), QueryOptions { without_cache: true, .. }) => Some(Never::Unwanted),
            (Some(_), _) => None,
        };
        match (Key::of(plan, schema, !options.without_rollups, &self.hashing), why) {
            (Ok(key), Some(why)) => Keepable::Known(key.weight(), why),
            (Ok(key), None) if key.weight() > self.largest() => Keepable::Never(Never::Complex),
            (Ok(key), None) => Keepable::As(Arc::new(key)),
            (Err(never), _) => Keepable::Never(never),
        }
    }

    /// Tells in words how the cache would answer.
    pub(crate) fn told(&self, keepable: &Keepable) -> String {
        match keepable {
            Keepable::Known(_, why) | Keepable::Never(why) => format!("not kept: {why}"),
            Keepable::As(key) => match self.entries.as_ref().and_then(|entries| entries.peek(key)) {
                Some(Entry::Answer(_)) => "kept: the statement is answered from the cache".to_owned(),
                Some(Entry::TooLarge) => format!("not kept: {}", Never::TooLarge),
                None => "not kept yet".to_owned(),
            },
        }
    }

    /// Tells how the cache does.
    pub(crate) fn figures(&self) -> CacheFigures {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheFigures {
            entries: self.entries.as_ref().map_or(0, |entries| entries.len() as u64),
            bytes: self.budget.used() as u64,
            capacity_bytes: self.budget.limit() as u64,
            hits: count(&self.counts.hits),
            misses: count(&self.counts.misses),
            shared: count(&self.counts.shared),
        }
    }

    /// The most that one result may weigh.
    fn largest(&self) -> usize {
        self.budget.limit() / SHARE_OF_ONE
    }

    fn get(&self, key: &Arc<Key>) -> Option<Entry> {
        self.entries.as_ref()?.get(key)
    }

    fn put(&self, key: &Arc<Key>, entry: Entry) {
        if let Some(entries) = &self.entries {
            entries.insert(Arc::clone(key), entry);
        }
    }

    fn count(&self, which: fn(&Counts) -> &AtomicU64) {
        which(&self.counts).fetch_add(1, Ordering::Relaxed);
    }
}
