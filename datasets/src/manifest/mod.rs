//! What a dataset is and what its deliveries look like, parsed from TOML.
//!
//! First room of the walk: everything later trusts these types. SQL in routes and mappings is compiled when the raw
//! columns are known (`conform`); SQL row rules are compiled here once, so that an error names its rule.

mod build;
mod build_kind;
mod kind;
mod shape;
#[cfg(test)]
pub(crate) mod tests;

pub use kind::{ColumnSource, CsvFormat, DeliveryKind, Encoding, ExcelFormat, Format, FromColumn};

use basin_catalog::{DatasetDefinition, ItemName, ItemType};
use chrono::NaiveDate;

use crate::error::Result;

/// Describes one dataset and the kinds of delivery that feed it.
#[derive(Debug, Clone)]
pub struct Manifest {
    definition: DatasetDefinition,
    checks: Vec<ItemCheck>,
    rules: Vec<RowRule>,
    pooling: Pooling,
    files: FileLayout,
    kinds: Vec<DeliveryKind>,
}

/// What a manifest says of the files that rows are kept in, beyond their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLayout {
    /// Pooling merges the small files of a partition once it has more than so many of them; none: never.
    pub compact_above_files: Option<usize>,
    /// Items that get bloom filters beside those of the key.
    pub bloom: Vec<ItemName>,
}

/// Limits of one item, as text that is read like the item's values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemCheck {
    /// Smallest accepted value.
    pub min: Option<String>,
    /// Largest accepted value.
    pub max: Option<String>,
    /// Regular expression that the text must match.
    pub pattern: Option<String>,
}

/// A condition that each accepted row meets; unknown (NULL) passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRule {
    /// Name under which rejects are counted.
    pub name: String,
    /// SQL boolean over the items.
    pub sql: String,
}

/// How strict pooling is.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooling {
    /// Share of rejected rows, 0 to 1, above which the delivery is refused whole.
    pub max_rejected_share: f64,
    /// What happens to rows with the same key.
    pub on_duplicate: OnDuplicate,
}

/// What happens to rows with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDuplicate {
    /// The delivery is refused whole.
    Refuse,
    /// The first row by file and line is kept, the others are rejected.
    First,
    /// The last row by file and line is kept, the others are rejected.
    Last,
    /// The first is kept, the others are rejected; the plain default.
    Reject,
    /// All are kept, numbered 1, 2, … by file and line into this item.
    Number(ItemName),
}

impl FileLayout {
    /// Tells whether items of a type can have a bloom filter.
    pub fn takes_bloom(r#type: &ItemType) -> bool {
        let data_type = r#type.arrow();
        data_type.is_integer() || data_type == arrow::datatypes::DataType::Utf8
    }
}

impl OnDuplicate {
    /// The item that numbers rows with equal keys.
    pub fn number(&self) -> Option<&ItemName> {
        match self {
            Self::Number(item) => Some(item),
            Self::Refuse | Self::First | Self::Last | Self::Reject => None,
        }
    }
}

impl Manifest {
    /// Parses and validates a manifest.
    ///
    /// # Errors
    /// `Manifest`, naming the key (or the line for a syntax error) and what to do.
    pub fn parse(text: &str) -> Result<Self> {
        build::manifest(text)
    }

    /// Returns the dataset's definition, as it is put into the catalog.
    pub fn definition(&self) -> &DatasetDefinition {
        &self.definition
    }

    /// Returns the limits of each item, in the order of the items.
    pub fn checks(&self) -> &[ItemCheck] {
        &self.checks
    }

    /// Returns the row rules.
    pub fn rules(&self) -> &[RowRule] {
        &self.rules
    }

    /// Returns how strict pooling is.
    pub fn pooling(&self) -> &Pooling {
        &self.pooling
    }

    /// Returns what is said of files.
    pub fn files(&self) -> &FileLayout {
        &self.files
    }

    /// Returns the kinds of delivery in the manifest's order.
    pub fn kinds(&self) -> &[DeliveryKind] {
        &self.kinds
    }

    /// Finds the kind of a file: the first whose pattern and dates fit.
    ///
    /// `today` counts where the pattern has no capture named `date`.
    pub fn kind_of(&self, file_name: &str, today: NaiveDate) -> Option<&DeliveryKind> {
        self.kinds.iter().find(|kind| kind.fits(file_name, today))
    }
}
