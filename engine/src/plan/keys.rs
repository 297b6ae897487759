//! Keys: primary keys of the visible datasets, and their references to the code lists that they use. Facts of the
//! definitions; the key is checked when rows are pooled, the references are as the manifest's rules say.

use crate::policy::Grants;
use basin_catalog::{DatasetDefinition, DatasetName, ItemName};

/// The items that identify a row of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryKey {
    /// The dataset.
    pub dataset: DatasetName,
    /// Name of the constraint.
    pub name: String,
    /// The items, in order.
    pub items: Vec<ItemName>,
}

/// An item whose values are listed by another dataset's item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Name of the constraint.
    pub name: String,
    /// The dataset that refers.
    pub dataset: DatasetName,
    /// Its item.
    pub item: ItemName,
    /// The dataset that is referred to.
    pub to: DatasetName,
    /// Its item.
    pub to_item: ItemName,
    /// Name of its primary key.
    pub to_key: String,
}

/// Keys and references of datasets, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// One for each dataset whose rows are identified.
    pub primary: Vec<PrimaryKey>,
    /// One for each item with a code list that is another dataset's key.
    pub references: Vec<Reference>,
}

impl Keys {
    /// Collects the keys of what is visible. A code list that is hidden, or is no key, makes no reference.
    pub(crate) fn of(grants: &Grants) -> Self {
        let mut keys = Self::default();
        for (name, view) in grants.visible() {
            keys.primary.extend(primary(view.definition()));
            for item in &view.definition().items {
                let Some(list) = &item.code_list else { continue };
                let Some(listing) = grants.dataset(&list.dataset) else { continue };
                let Some(key) = primary(listing.definition()) else { continue };
                if key.items.as_slice() != std::slice::from_ref(&list.item) {
                    continue;
                }
                keys.references.push(Reference {
                    name: format!("{}_{}_fkey", name.name(), item.name),
                    dataset: name.clone(),
                    item: item.name.clone(),
                    to: list.dataset.clone(),
                    to_item: list.item.clone(),
                    to_key: key.name,
                });
            }
        }
        keys
    }
}

fn primary(definition: &DatasetDefinition) -> Option<PrimaryKey> {
    let items = definition.layout.key.clone();
    let name = format!("{}_pkey", definition.name.name());
    (!items.is_empty()).then(|| PrimaryKey { dataset: definition.name.clone(), name, items })
}
