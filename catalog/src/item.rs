//! Items: a dataset's columns as the catalog describes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{DatasetName, ItemName};
use crate::item_type::ItemType;
use crate::text::LocalText;
use crate::vocabulary::{Grade, ItemRole, Mask};

/// The column that lists the values an item may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeList {
    /// The dataset that has the codes.
    pub dataset: DatasetName,
    /// Its item.
    pub item: ItemName,
}

/// One item of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its name, the column's name in SQL.
    pub name: ItemName,
    /// What it is called, by language.
    #[serde(default, skip_serializing_if = "LocalText::is_empty")]
    pub label: LocalText,
    /// What it means, by language.
    #[serde(default, skip_serializing_if = "LocalText::is_empty")]
    pub description: LocalText,
    /// Its type.
    pub r#type: ItemType,
    /// What it is measured in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whether it may be unknown.
    #[serde(default = "nullable")]
    pub nullable: bool,
    /// What it is for.
    #[serde(default)]
    pub role: ItemRole,
    /// How sensitive it is.
    #[serde(default)]
    pub grade: Grade,
    /// Where its values are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_list: Option<CodeList>,
    /// Labels in raw data that stand for an unknown value, and what each means.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
    /// What replaces its values for those who may not see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
}

fn nullable() -> bool {
    true
}
