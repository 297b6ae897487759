//! Weigh: which order, files and filters pay, by how many queries filter an item and how.

use super::observe::{Observed, tally};
use super::{Asked, Counts, Filter, LaidOut, distinct};
use basin_catalog::ItemName;
use datafusion::arrow::datatypes::DataType;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer queries are no habit.
const MIN_QUERIES: u64 = 2;
/// An item that fewer of the queries filter does not decide about the layout.
const MIN_SHARE: f64 = 0.1;
/// More items than this in an order divide the rows no further.
const MAX_SORT_ITEMS: usize = 3;
/// Items with fewer values are found by the order or not at all; bloom filters are for many.
const MIN_BLOOM_DISTINCT: u64 = 1_000;
/// Folders of a partition: fewer divide nothing, more make small files.
const PARTITION_DISTINCT: std::ops::RangeInclusive<u64> = 2..=200;
/// Rows of a partition that are worth files of their own.
const MIN_PARTITION_ROWS: u64 = 1_000_000;
/// Share of the queries that must filter the partition item.
const MIN_PARTITION_SHARE: f64 = 0.5;

/// How the queries used an item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemUse {
    /// Its name.
    pub item: String,
    /// Queries that filter by its value or join on it.
    pub queries: u64,
    /// Time that those took.
    pub seconds: f64,
    /// By kind of filter.
    pub filters: BTreeMap<Filter, u64>,
}

/// Items to choose, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The items, in order.
    pub items: Vec<String>,
    /// What it is now.
    pub now: Vec<String>,
    /// The evidence in words.
    pub because: String,
}

/// Counts how items are filtered by, the most filtered first.
pub(super) fn uses(observed: &[(&Asked, Observed)]) -> Vec<ItemUse> {
    let found = tally(observed.iter().map(|(_, query)| query));
    let mut uses: Vec<ItemUse> = found
        .into_iter()
        .map(|(item, said)| {
            let numbers: BTreeSet<usize> = said.iter().map(|(_, number)| *number).collect();
            let took =
                |number: &usize| observed.get(*number).map_or(0.0, |(asked, _)| asked.took.as_secs_f64());
            let mut filters = Counts::new();
            for (filter, _) in &said {
                *filters.entry(*filter).or_default() += 1;
            }
            let seconds = numbers.iter().map(took).sum();
            ItemUse { item: item.to_owned(), queries: numbers.len() as u64, seconds, filters }
        })
        .collect();
    uses.sort_by(|a, b| b.queries.cmp(&a.queries).then(b.seconds.total_cmp(&a.seconds)));
    uses
}

impl ItemUse {
    /// Queries that compare it with values.
    fn by_value(&self) -> u64 {
        self.count(Filter::Equal).max(self.count(Filter::Range))
    }

    fn count(&self, filter: Filter) -> u64 {
        self.filters.get(&filter).copied().unwrap_or_default()
    }

    fn matters(&self, queries: usize) -> bool {
        self.by_value() >= MIN_QUERIES && self.by_value() as f64 >= MIN_SHARE * queries as f64
    }

    fn said(&self, queries: usize) -> String {
        let kinds: Vec<String> =
            self.filters.iter().map(|(filter, count)| format!("{} {count}", filter.word())).collect();
        format!("{} in {} of {queries} queries ({})", self.item, self.queries, kinds.join(", "))
    }
}

fn names(items: &[ItemName]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

/// An order in which the most filtered items come first; of those that are filtered together, the one with fewer
/// values, so that the next still divides what it leaves.
pub(super) fn sort(dataset: &LaidOut<'_>, uses: &[ItemUse], queries: usize) -> Option<Choice> {
    let layout = &dataset.definition.layout;
    let mut chosen: Vec<&ItemUse> = uses
        .iter()
        .filter(|item| item.matters(queries))
        .filter(|item| !layout.partition.iter().any(|name| name.as_str() == item.item))
        .filter(|item| distinct(dataset, &item.item) != Some(1) && is_sortable(dataset, &item.item))
        .collect();
    chosen.sort_by_key(|item| std::cmp::Reverse(item.by_value()));
    chosen.truncate(MAX_SORT_ITEMS);
    let most = chosen.first()?.by_value();
    let few = |item: &ItemUse| distinct(dataset, &item.item).unwrap_or(u64::MAX);
    // Nearly as often filtered counts as filtered together.
    chosen.sort_by_key(|item| {
        if item.by_value() * 5 >= most * 4 { (0, few(item)) } else { (1, most - item.by_value()) }
    });
    let items: Vec<String> = chosen.iter().map(|item| item.item.clone()).collect();
    let now = names(&layout.sort);
    if now.starts_with(&items) {
        return None;
    }
    let because = chosen.iter().map(|item| item.said(queries)).collect::<Vec<_>>().join("; ");
    Some(Choice { items, now, because })
}

/// An item whose few values most queries name.
pub(super) fn partition(dataset: &LaidOut<'_>, uses: &[ItemUse], queries: usize) -> Option<Choice> {
    let layout = &dataset.definition.layout;
    let rows = dataset.version?.rows;
    let item = uses.iter().find(|item| {
        let values = distinct(dataset, &item.item).filter(|values| PARTITION_DISTINCT.contains(values));
        let equal = item.count(Filter::Equal);
        values.is_some_and(|values| rows / values >= MIN_PARTITION_ROWS)
            && equal >= MIN_QUERIES
            && equal as f64 >= MIN_PARTITION_SHARE * queries as f64
    })?;
    if layout.partition.iter().any(|name| name.as_str() == item.item) {
        return None;
    }
    let because = format!(
        "{}; it has {} values of {} rows each, about. A published dataset's partition can't change: this is for a \
         new one",
        item.said(queries),
        distinct(dataset, &item.item).unwrap_or_default(),
        rows / distinct(dataset, &item.item).unwrap_or(1).max(1),
    );
    Some(Choice { items: vec![item.item.clone()], now: names(&layout.partition), because })
}

/// Items with many values that are looked up one by one, and that the order does not find.
pub(super) fn bloom(dataset: &LaidOut<'_>, uses: &[ItemUse], queries: usize) -> Option<Choice> {
    let layout = &dataset.definition.layout;
    let found = |item: &ItemUse| {
        layout.key.iter().chain(layout.sort.first()).any(|name| name.as_str() == item.item)
            || dataset.bloom.contains(&item.item)
    };
    let chosen: Vec<&ItemUse> = uses
        .iter()
        .filter(|item| {
            let equal = item.count(Filter::Equal);
            equal >= MIN_QUERIES && equal as f64 >= MIN_SHARE * queries as f64
        })
        .filter(|item| distinct(dataset, &item.item).is_none_or(|values| values >= MIN_BLOOM_DISTINCT))
        .filter(|item| takes_bloom(dataset, &item.item) && !found(item))
        .collect();
    if chosen.is_empty() {
        return None;
    }
    let now: Vec<String> = dataset.bloom.iter().cloned().collect();
    let new = chosen.iter().map(|item| item.item.clone());
    let items = now.iter().cloned().chain(new).collect();
    let because = chosen.iter().map(|item| item.said(queries)).collect::<Vec<_>>().join("; ");
    Some(Choice { items, now, because })
}

fn data_type(dataset: &LaidOut<'_>, item: &str) -> Option<DataType> {
    Some(dataset.definition.item(item)?.r#type.arrow())
}

fn takes_bloom(dataset: &LaidOut<'_>, item: &str) -> bool {
    data_type(dataset, item).is_some_and(|of| of.is_integer() || of == DataType::Utf8)
}

fn is_sortable(dataset: &LaidOut<'_>, item: &str) -> bool {
    data_type(dataset, item).is_some_and(|of| !of.is_nested())
}
