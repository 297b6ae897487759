//! View: a dataset as one principal may know it. What is hidden is not in it, so that nothing that reads it can tell.

use super::access::{Access, Limits, Treatment};
use crate::table::views_inside;
use basin_catalog::{DatasetDefinition, DatasetState, Item, ItemName, Layout};
use datafusion::arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One dataset, seen by one principal.
#[derive(Debug)]
pub(crate) struct View {
    access: Access,
    shown: Arc<DatasetState>,
    full: Arc<DatasetState>,
    terms: Arc<DatasetDefinition>,
}

impl View {
    /// `full` is the dataset in the snapshot that is read, `terms` its definition under the policy in force.
    pub(super) fn new(access: Access, full: &Arc<DatasetState>, terms: &Arc<DatasetDefinition>) -> Self {
        let shown = match &access {
            Access::Whole(_) => Arc::clone(full),
            Access::Limited(limits) => Arc::new(narrowed(full, limits)),
        };
        Self { access, shown, full: Arc::clone(full), terms: Arc::clone(terms) }
    }

    /// Returns the dataset as it may be told: without hidden items, and for a limited view without deliveries.
    pub(crate) fn state(&self) -> &Arc<DatasetState> {
        &self.shown
    }

    /// Returns the definition as it may be told.
    pub(crate) fn definition(&self) -> &Arc<DatasetDefinition> {
        &self.shown.definition
    }

    /// Tells whether nothing limits the reading, so that counts of rows and files may be told.
    pub(crate) fn is_whole(&self) -> bool {
        match self.access {
            Access::Whole(_) => true,
            Access::Limited(_) => false,
        }
    }

    /// Returns the columns as they lie in the files.
    pub(crate) fn raw_schema(&self) -> SchemaRef {
        views_inside(&self.full.definition.arrow_schema())
    }

    /// Returns how the dataset is read.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Returns the dataset's own definition, for the scan.
    pub(super) fn full(&self) -> &DatasetDefinition {
        &self.full.definition
    }

    /// Returns the definition under the policy in force: its roles are what the minimum cell goes by.
    pub(super) fn terms(&self) -> &Arc<DatasetDefinition> {
        &self.terms
    }
}

fn narrowed(full: &DatasetState, limits: &Limits) -> DatasetState {
    let definition = full.definition.as_ref();
    let items: Vec<Item> = definition.items.iter().filter_map(|item| shown(item, limits)).collect();
    let there = |name: &ItemName| items.iter().any(|item| item.name == *name);
    let known = |names: &[ItemName]| if names.iter().all(there) { names.to_vec() } else { Vec::new() };
    let clear = |name: &ItemName| limits.treatment(name) == Treatment::Clear;
    let key = known(&definition.layout.key);
    let layout = Layout {
        // Masked values may repeat.
        key: if key.iter().all(clear) { key } else { Vec::new() },
        sort: known(&definition.layout.sort),
        partition: known(&definition.layout.partition),
        slice: known(&definition.layout.slice),
    };
    DatasetState {
        definition: Arc::new(DatasetDefinition {
            items,
            layout,
            manifest: String::new(),
            ..definition.clone()
        }),
        deliveries: Vec::new(),
        live_slices: BTreeMap::new(),
        // They would tell of hidden items, and hold rows of others.
        rollups: BTreeMap::new(),
        ..full.clone()
    }
}

/// The item as it is shown; a masked value may be NULL.
fn shown(item: &Item, limits: &Limits) -> Option<Item> {
    match limits.treatment(&item.name) {
        Treatment::Hidden => None,
        Treatment::Clear => Some(item.clone()),
        Treatment::Masked { .. } => Some(Item { nullable: true, ..item.clone() }),
    }
}
