//! Which rows fail, and why: the first failure of a row is its reason.

use std::collections::BTreeMap;

/// Longest part of a value that is quoted in a reason.
const QUOTED_CHARS: usize = 80;

/// Why a row is rejected.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) rule: String,
    pub(super) item: Option<String>,
    pub(super) reason: String,
}

/// Failed rows of a batch.
#[derive(Debug, Default)]
pub(super) struct Marks {
    failed: BTreeMap<usize, Failure>,
}

impl Marks {
    /// Marks a row, unless it has failed already.
    pub(super) fn fail(
        &mut self,
        row: usize,
        rule: &str,
        item: Option<&str>,
        reason: impl FnOnce() -> String,
    ) {
        self.failed.entry(row).or_insert_with(|| Failure {
            rule: rule.to_owned(),
            item: item.map(str::to_owned),
            reason: reason(),
        });
    }

    pub(super) fn contains(&self, row: usize) -> bool {
        self.failed.contains_key(&row)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// Returns the failures in row order.
    pub(super) fn into_failures(self) -> impl Iterator<Item = (usize, Failure)> {
        self.failed.into_iter()
    }
}

/// Quotes a value for a reason, shortened.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("\"{}…\"", text.get(..end).unwrap_or_default()),
        None => format!("\"{text}\""),
    }
}
