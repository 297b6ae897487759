//! What commits do to rollups.

use std::sync::Arc;

use super::super::{DatasetState, Snapshot};
use crate::definition::DatasetDefinition;
use crate::error::{CatalogError, Result};
use crate::ids::{DatasetName, RollupName};
use crate::rollup::{Rollup, RollupFill, RollupState};

/// Checks that the rollups of a dataset fit a new revision of it.
///
/// # Errors
/// `Invalid` for the first that doesn't.
pub(super) fn check_all(state: &DatasetState, definition: &DatasetDefinition) -> Result<()> {
    state.rollups.values().try_for_each(|rollup| rollup.declared.check(definition))
}

impl Snapshot {
    pub(super) fn put_rollup(&mut self, rollup: &Rollup) -> Result<()> {
        let mut state = self.dataset(&rollup.dataset)?.as_ref().clone();
        rollup.check(&state.definition)?;
        if state.rollups.contains_key(&rollup.name) {
            let reason =
                "there is one of this name; drop it first (basin rollup drop), or choose another name";
            return Err(CatalogError::invalid(
                format!("rollup {} of {}", rollup.name, rollup.dataset),
                reason,
            ));
        }
        state.rollups.insert(rollup.name.clone(), RollupState { declared: rollup.clone(), made: None });
        self.datasets.insert(rollup.dataset.clone(), Arc::new(state));
        Ok(())
    }

    /// Rows of a version that is not the newest any more, or of another declaration, are refused: they would answer nothing.
    pub(super) fn fill_rollup(&mut self, fill: &RollupFill) -> Result<()> {
        let (dataset, name) = (&fill.declared.dataset, &fill.declared.name);
        let mut state = self.dataset(dataset)?.as_ref().clone();
        let newest = state.current().map(|version| version.number);
        let rollup = state.rollups.get_mut(name).ok_or_else(|| missing(dataset, name))?;
        if rollup.declared != fill.declared || newest != Some(fill.made.of_version) {
            let what = format!("rollup {name} of {dataset}");
            let touched = [format!("dataset {dataset}"), what.clone()];
            let by = touched.iter().filter_map(|key| self.touched.get(key)).max();
            return Err(CatalogError::Conflict { what, by: by.map_or(self.id.0, |by| by.0) });
        }
        rollup.made = Some(fill.made.clone());
        self.datasets.insert(dataset.clone(), Arc::new(state));
        Ok(())
    }

    pub(super) fn drop_rollup(&mut self, dataset: &DatasetName, name: &RollupName) -> Result<()> {
        let mut state = self.dataset(dataset)?.as_ref().clone();
        state.rollups.remove(name).ok_or_else(|| missing(dataset, name))?;
        self.datasets.insert(dataset.clone(), Arc::new(state));
        Ok(())
    }
}

fn missing(dataset: &DatasetName, name: &RollupName) -> CatalogError {
    let hint = format!("; basin rollup list {dataset} shows those of the dataset");
    CatalogError::NotFound { kind: "rollup", name: format!("{dataset} {name}"), hint }
}
