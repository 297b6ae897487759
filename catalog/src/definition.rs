//! A dataset's definition: its entry, its items and how its rows are laid out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::entry::CatalogEntry;
use crate::error::{CatalogError, Result};
use crate::ids::{DatasetName, Digest, ItemName, SchemaName, UserName};
use crate::item::Item;
use crate::policy::Terms;

/// How a dataset's rows are identified, ordered and replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layout {
    /// Items that identify a row; empty: rows may repeat.
    pub key: Vec<ItemName>,
    /// Items that rows are sorted by.
    pub sort: Vec<ItemName>,
    /// Items that files are divided by.
    pub partition: Vec<ItemName>,
    /// Items whose values name the part that a delivery replaces; empty: all of it.
    pub slice: Vec<ItemName>,
}

/// What makes a dataset somebody's own workings instead of a provider's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// Whose it is.
    pub owner: UserName,
    /// The providers' datasets that its rows were made from, through other sandbox datasets too. Its policy is the
    /// strictest of theirs.
    pub derived_from: BTreeSet<DatasetName>,
    /// Under which access each of them was read, as the engine's policy tells accesses apart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub under: BTreeMap<DatasetName, Digest>,
}

/// All that is said of a dataset before any of its rows are there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetDefinition {
    /// Its name in SQL.
    pub name: DatasetName,
    /// Its catalog entry.
    pub entry: CatalogEntry,
    /// Its items, in order.
    pub items: Vec<Item>,
    /// Its layout.
    pub layout: Layout,
    /// The manifest's text that all this comes from; empty for a sandbox dataset.
    pub manifest: String,
    /// What it asks of every reader but its provider.
    #[serde(default, skip_serializing_if = "Terms::is_empty")]
    pub terms: Terms,
    /// Set when it lives in a user's sandbox schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
}

impl DatasetDefinition {
    /// Checks everything that can be checked without the rest of the catalog.
    ///
    /// # Errors
    /// `Invalid`, naming the key and what would be right.
    pub fn validate(&self) -> Result<()> {
        let named = |error| match error {
            CatalogError::Invalid { what, reason } => {
                CatalogError::invalid(format!("{}: {what}", self.name), reason)
            }
            other => other,
        };
        self.entry.check().map_err(named)?;
        self.check_schema().map_err(named)?;
        self.check_items().map_err(named)?;
        self.terms.check(self).map_err(named)?;
        self.check_layout().map_err(named)
    }

    /// Sandbox schemas hold their owner's datasets and nothing else.
    fn check_schema(&self) -> Result<()> {
        let schema = self.name.schema();
        let fits = match &self.sandbox {
            Some(sandbox) => SchemaName::sandbox_of(&sandbox.owner).as_str() == schema,
            None => !schema.starts_with(SchemaName::SANDBOX_PREFIX),
        };
        if fits {
            return Ok(());
        }
        let reason = "schemas that begin with sandbox_ belong to users; choose another name";
        Err(CatalogError::invalid(format!("schema {schema}"), reason))
    }

    fn check_items(&self) -> Result<()> {
        if self.items.is_empty() {
            return Err(CatalogError::invalid(
                "items",
                "there is none; describe each column in an [[items]] table",
            ));
        }
        let mut seen = BTreeSet::new();
        for item in &self.items {
            let refuse = |reason: String| Err(CatalogError::invalid(format!("item {}", item.name), reason));
            if !seen.insert(item.name.as_str().to_lowercase()) {
                return refuse(
                    "it is there twice (upper and lower case do not count); rename one".to_owned(),
                );
            }
            if item.grade > self.entry.grade {
                let reason =
                    format!("its grade {} is stricter than the dataset's {}", item.grade, self.entry.grade);
                return refuse(format!("{reason}; raise dataset.grade"));
            }
            if item.unit.as_ref().is_some_and(|unit| unit.trim().is_empty()) {
                return refuse("its unit is empty; write it or leave it out".to_owned());
            }
            if let Some(mask) = &item.mask {
                mask.check(&item.name, &item.r#type)?;
            }
            for (lang, text) in item.label.iter().chain(item.description.iter()) {
                if text.trim().is_empty() {
                    return refuse(format!("its label or description in {lang} is empty; leave it out"));
                }
            }
        }
        Ok(())
    }

    fn check_layout(&self) -> Result<()> {
        let Layout { key, sort, partition, slice } = &self.layout;
        for (part, names) in [("key", key), ("sort", sort), ("partition", partition), ("slice", slice)] {
            let mut seen = BTreeSet::new();
            for name in names {
                let what = || format!("layout.{part}");
                if self.item(name.as_str()).is_none() {
                    return Err(CatalogError::invalid(
                        what(),
                        format!("{name} is not an item of the dataset"),
                    ));
                }
                if !seen.insert(name) {
                    return Err(CatalogError::invalid(what(), format!("{name} is there twice; remove one")));
                }
            }
        }
        if let Some(outside) = slice.iter().find(|name| !key.is_empty() && !key.contains(name)) {
            let reason = format!(
                "{outside} is not in layout.key, so that one key could be in two slices; add it there"
            );
            return Err(CatalogError::invalid("layout.slice", reason));
        }
        Ok(())
    }

    /// The dataset's Arrow schema: one field an item, in order, without metadata.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        let field = |item: &Item| Field::new(item.name.as_str(), item.r#type.arrow(), item.nullable);
        Arc::new(Schema::new(self.items.iter().map(field).collect::<Vec<_>>()))
    }

    /// One item by name.
    #[must_use]
    pub fn item(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.name.as_str() == name)
    }

    /// A checksum: equal definitions have the same one.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Every field has a JSON form; were one to lose it, the manifest still tells definitions apart.
        let json = serde_json::to_vec(self).unwrap_or_else(|_| self.manifest.clone().into_bytes());
        Digest::of(&json)
    }
}
