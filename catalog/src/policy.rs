//! Policy as data: which rows are read, how values are masked, how small a cell may be. What it means for a query is
//! decided in the engine's policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::definition::DatasetDefinition;
use crate::error::{CatalogError, Result};
use crate::ids::{DatasetName, ItemName, text_id};
use crate::item_type::ItemType;
use crate::vocabulary::{ItemRole, Mask};

const FILTER_BYTES: usize = 8192;
const SMALLEST_K: u32 = 2;
const LARGEST_K: u32 = 1000;

text_id!(
    RowFilter,
    "A condition on a dataset's items that rows must meet: SQL, with `$user`, `$agency`, `$region` and `$purpose` for who asks.",
    |text| {
        if text.trim().is_empty() || text.len() > FILTER_BYTES {
            let reason = format!(
                "it is a condition in SQL of at most {FILTER_BYTES} bytes, such as province_code = $region"
            );
            return Err(CatalogError::invalid("row filter", reason));
        }
        Ok(())
    }
);

/// How small a group may be before its measures are withheld.
///
/// Source: SDMX CL_CONF_STATUS for how a withheld cell is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinimumCell {
    /// A group of fewer units than this, and more than none, is withheld.
    #[serde(default = "default_k")]
    pub k: u32,
    /// Counts are rounded to a multiple of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_to: Option<u32>,
}

fn default_k() -> u32 {
    MinimumCell::DEFAULT_K
}

impl MinimumCell {
    /// The number of units below which a cell is withheld when none is named.
    pub const DEFAULT_K: u32 = 5;

    /// Both of two: the larger group, the coarser rounding.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { k: self.k.max(other.k), round_to: self.round_to.max(other.round_to) }
    }

    fn check(self, definition: &DatasetDefinition) -> Result<()> {
        let refuse = |reason: String| Err(CatalogError::invalid("minimum_cell", reason));
        if !(SMALLEST_K..=LARGEST_K).contains(&self.k) {
            return refuse(format!("k is {}; it is between {SMALLEST_K} and {LARGEST_K}", self.k));
        }
        if self.round_to.is_some_and(|to| !(SMALLEST_K..=LARGEST_K).contains(&to)) {
            return refuse(format!("round_to is between {SMALLEST_K} and {LARGEST_K}"));
        }
        let of = |role| definition.items.iter().filter(move |item| item.role == role);
        match (of(ItemRole::UnitId).count(), of(ItemRole::UnitWeight).count()) {
            (1, _) => Ok(()),
            (0, 1) if of(ItemRole::UnitWeight).all(|item| item.r#type.arrow().is_integer()) => Ok(()),
            (0, 1) => refuse("the item of role unit_weight counts units: give it an integer type".to_owned()),
            (0, 0) => refuse(
                "nothing tells how many units a row stands for; give one item the role unit_id or unit_weight"
                    .to_owned(),
            ),
            _ => refuse("one item has the role unit_id, or one has unit_weight; there are more".to_owned()),
        }
    }
}

/// What a dataset's own definition asks of every reader but its provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// The rows that are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowFilter>,
    /// The minimum cell; none: rows may be read one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_cell: Option<MinimumCell>,
}

impl Terms {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(&self, definition: &DatasetDefinition) -> Result<()> {
        self.minimum_cell.map_or(Ok(()), |cell| cell.check(definition))
    }
}

/// What an officer asks of the readers of a dataset, beyond its own definition. It can only narrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetPolicy {
    /// The dataset.
    pub dataset: DatasetName,
    /// Whether only grants give access, whoever the dataset is shared with.
    #[serde(default)]
    pub grants_only: bool,
    /// Rows and cells.
    #[serde(default)]
    pub terms: Terms,
    /// Masks, applied after those of the definition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub masks: BTreeMap<ItemName, Mask>,
    /// The law, rule or decision it rests on.
    pub basis: String,
}

impl DatasetPolicy {
    pub(crate) fn check(&self, definition: &DatasetDefinition) -> Result<()> {
        let refuse = |what: &str, reason: &str| {
            Err(CatalogError::invalid(format!("policy of {}: {what}", self.dataset), reason))
        };
        if self.terms.is_empty() && self.masks.is_empty() && !self.grants_only {
            return refuse("terms", "it asks nothing; name rows, masks, a minimum cell or grants_only");
        }
        if self.basis.trim().is_empty() {
            return refuse("basis", "name the law, rule or decision it rests on");
        }
        self.terms.check(definition)?;
        for (name, mask) in &self.masks {
            match definition.item(name.as_str()) {
                Some(item) => mask.check(name, &item.r#type)?,
                None => return refuse(name.as_str(), "the dataset has no such item"),
            }
        }
        Ok(())
    }
}

impl Mask {
    /// Checks that values of a type can be masked like this and keep their type.
    pub(crate) fn check(&self, item: &ItemName, r#type: &ItemType) -> Result<()> {
        let arrow = r#type.arrow();
        let refuse = |reason: &str| {
            Err(CatalogError::invalid(format!("mask of {item}"), format!("{reason}; it is {}", r#type)))
        };
        match self {
            Self::Deny {} | Self::Null {} => Ok(()),
            Self::KeyedHash {} if matches!(r#type, ItemType::Text | ItemType::Int64) => Ok(()),
            Self::KeyedHash {} => refuse("a keyed hash fits items of type text and int64"),
            Self::TruncatedCode { characters } if *r#type == ItemType::Text && *characters > 0 => Ok(()),
            Self::TruncatedCode { .. } => {
                refuse("a truncated code keeps one character or more of an item of type text")
            }
            Self::Range { width } if arrow.is_numeric() && *width > 0 && u32::try_from(*width).is_ok() => {
                Ok(())
            }
            Self::Range { .. } => refuse("a range has a width from 1 to 4294967295 and fits numbers"),
        }
    }
}
