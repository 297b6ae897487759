//! What gc removed or would remove, for people (`Display`) and programs (`Serialize`).

use std::fmt;

use basin_catalog::{DatasetName, Store};
use serde::Serialize;

use super::GcRequest;
use crate::fsck::Orphan;

/// Objects that are named for people; all are in the JSON.
const NAMED: usize = 20;

/// Versions of a dataset that can't be read any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpiredVersions {
    /// The dataset.
    pub dataset: DatasetName,
    /// How many expire.
    pub versions: u64,
    /// How many are left.
    pub kept: u64,
}

/// The report of one gc.
#[derive(Debug, Clone, Serialize)]
pub struct GcReport {
    /// The store.
    pub store: String,
    /// Whether it was done, or only told.
    pub applied: bool,
    /// The snapshot that the expiry made; none: nothing expired.
    pub snapshot: Option<u64>,
    /// Versions that expire.
    pub expired: Vec<ExpiredVersions>,
    /// Objects that go.
    pub removed: Vec<Orphan>,
    /// Bytes of those.
    pub removed_bytes: u64,
    /// Orphans that stay: too young, or part of a Delta log.
    pub kept: Vec<Orphan>,
    /// Time from start to end.
    pub elapsed_seconds: f64,
}

impl GcReport {
    pub(super) fn new(
        store: &Store,
        request: &GcRequest,
        (expired, removed, kept): (Vec<ExpiredVersions>, Vec<Orphan>, Vec<Orphan>),
    ) -> Self {
        Self {
            store: store.url().to_string(),
            applied: request.apply,
            snapshot: None,
            expired,
            removed_bytes: removed.iter().map(|orphan| orphan.bytes).sum(),
            removed,
            kept,
            elapsed_seconds: 0.0,
        }
    }
}

impl fmt::Display for GcReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expire, removed) =
            if self.applied { ("expired", "removed") } else { ("would expire", "would be removed") };
        for expired in &self.expired {
            writeln!(
                f,
                "{}: {} versions {expire}, {} stay",
                expired.dataset, expired.versions, expired.kept
            )?;
        }
        for orphan in self.removed.iter().take(NAMED) {
            writeln!(f, "{orphan}")?;
        }
        if self.removed.len() > NAMED {
            writeln!(f, "and {} more; --json names all", self.removed.len() - NAMED)?;
        }
        write!(f, "{} objects of {} bytes {removed}", self.removed.len(), self.removed_bytes)?;
        if !self.kept.is_empty() {
            write!(f, "\n{} orphans stay: they are too young, or entries of a Delta log", self.kept.len())?;
        }
        if !self.applied && (!self.removed.is_empty() || !self.expired.is_empty()) {
            write!(f, "\nnothing was changed; --apply does it")?;
        }
        Ok(())
    }
}
