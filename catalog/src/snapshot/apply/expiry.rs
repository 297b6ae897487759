//! What commits do to versions that expire.

use std::sync::Arc;

use super::super::{DatasetState, Snapshot};
use crate::error::{CatalogError, Result};
use crate::expiry::Expiry;
use crate::ids::DatasetName;

impl Snapshot {
    /// Lets go of versions. The newest of a dataset never expires.
    pub(super) fn expire(&mut self, expiry: &Expiry) -> Result<()> {
        if expiry.kept_from.is_empty() {
            return Err(CatalogError::invalid("expiry", "it names no dataset"));
        }
        for (name, from) in &expiry.kept_from {
            if let Some(state) = self.datasets.get(name) {
                if state.current().is_some_and(|current| current.table_version < *from) {
                    let reason = "its newest version would expire; that one is always kept";
                    return Err(CatalogError::invalid(format!("expiry of {name}"), reason));
                }
                let mut next = state.as_ref().clone();
                next.versions.retain(|version| version.table_version >= *from);
                self.datasets.insert(name.clone(), Arc::new(next));
            }
            let kept = self.expired.entry(name.clone()).or_default();
            *kept = (*kept).max(*from);
        }
        Ok(())
    }

    /// The oldest Delta version of a dataset's table that is kept; none when nothing of it has expired.
    #[must_use]
    pub fn kept_from(&self, name: &DatasetName) -> Option<u64> {
        self.expired.get(name).copied()
    }

    /// Checks that the newest version of an earlier state can still be read; this snapshot is the newest.
    ///
    /// # Errors
    /// `Expired` when it can't.
    pub fn check_kept(&self, past: &DatasetState) -> Result<()> {
        let name = &past.definition.name;
        let (Some(from), Some(wanted)) = (self.kept_from(name), past.current()) else { return Ok(()) };
        if wanted.table_version >= from {
            return Ok(());
        }
        let oldest = self.datasets.get(name).and_then(|state| state.versions.first());
        Err(CatalogError::Expired {
            dataset: name.to_string(),
            version: wanted.number,
            oldest: oldest.map_or_else(String::new, |oldest| {
                format!(
                    "; the oldest that can be read is version {}, published {}: ask as of then or later",
                    oldest.number,
                    oldest.published_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
                )
            }),
        })
    }
}
