//! Rollups: aggregates of a dataset that are kept beside it. A declaration here, and which version of the dataset its rows
//! were made of; who makes them, and when one answers a query, is decided elsewhere.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::definition::DatasetDefinition;
use crate::error::{CatalogError, Result};
use crate::ids::{DatasetName, ItemName, RollupName};
use crate::item::Item;
use crate::item_type::ItemType;

/// Digits that a sum of decimals has more than its summands, as in SQL planning.
const SUM_DIGITS: u8 = 10;
/// The column with the number of rows.
const ROWS: &str = "_rows";

/// A period that moments are cut to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// Hours; of timestamps only.
    Hour,
    /// Days; of timestamps only.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Months.
    Month,
    /// Quarters.
    Quarter,
    /// Years.
    Year,
}

impl Period {
    /// All of them, the finest first.
    pub const ALL: [Self; 6] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// Its name, as `date_trunc` in SQL knows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Whether each of its periods lies in one of `other`'s.
    #[must_use]
    pub fn divides(self, other: Self) -> bool {
        match self {
            Self::Week => other == Self::Week,
            Self::Hour | Self::Day | Self::Month | Self::Quarter | Self::Year => {
                self <= other && {
                    // Months are not made of weeks, but days and hours make up both.
                    other != Self::Week || self < Self::Week
                }
            }
        }
    }
}

/// What rows are grouped by: an item, or the period that an item's value lies in. Written `item` or `month(item)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dimension {
    /// The item.
    pub item: ItemName,
    /// What its values are cut to.
    pub period: Option<Period>,
}

impl Dimension {
    /// The column with its values.
    #[must_use]
    pub fn column(&self) -> String {
        match self.period {
            Some(period) => format!("_{}_{}", period.as_str(), self.item),
            None => self.item.to_string(),
        }
    }

    fn check(&self, definition: &DatasetDefinition) -> std::result::Result<(), String> {
        let item = found(definition, &self.item)?;
        let is_time = matches!(item.r#type, ItemType::Timestamp { .. });
        match (&item.r#type, self.period) {
            (ItemType::Float32 | ItemType::Float64 | ItemType::List(_), _) => Err(format!(
                "{} is of type {}: only values that are the same or not group exactly",
                self.item, item.r#type
            )),
            (ItemType::Date, Some(Period::Hour | Period::Day)) => {
                Err(format!("{} is a date; name it without a period", self.item))
            }
            (ItemType::Date, Some(_)) => Ok(()),
            (_, Some(period)) if !is_time => {
                Err(format!("{} is of type {}: it lies in no {}", self.item, item.r#type, period.as_str()))
            }
            (_, Some(_) | None) => Ok(()),
        }
    }
}

/// What is known of each group beside its number of rows. Written `count(item)`, `sum(item)`, `min(item)`, `max(item)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Measure {
    /// How values become one.
    pub function: Function,
    /// Whose values.
    pub item: ItemName,
}

/// How values of a group become one, so that values of groups become those of larger groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// The number of values.
    Count,
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Count, Self::Sum, Self::Min, Self::Max];

    /// Its name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

impl Measure {
    /// The column with its values.
    #[must_use]
    pub fn column(&self) -> String {
        format!("_{}_{}", self.function.as_str(), self.item)
    }

    /// The type of its values: what SQL gives for the function.
    fn data_type(&self, item: &Item) -> std::result::Result<DataType, String> {
        let refuse = |why: &str| {
            Err(format!(
                "{}({}): {} is of type {}: {why}",
                self.function.as_str(),
                item.name,
                item.name,
                item.r#type
            ))
        };
        let data_type = item.r#type.arrow();
        match self.function {
            Function::Count => Ok(DataType::Int64),
            Function::Sum => match data_type {
                DataType::Float32 | DataType::Float64 => refuse(
                    "a sum of floating-point numbers depends on the order in which they are added, so that answers would \
                     differ; make the item a decimal, or leave the sum out",
                ),
                DataType::Decimal128(precision, scale) => {
                    Ok(DataType::Decimal128((precision + SUM_DIGITS).min(DECIMAL128_MAX_PRECISION), scale))
                }
                number if number.is_signed_integer() => Ok(DataType::Int64),
                number if number.is_unsigned_integer() => Ok(DataType::UInt64),
                _ => refuse("there are sums of numbers only"),
            },
            Function::Min | Function::Max => match data_type {
                DataType::List(_) => refuse("lists have no order"),
                other => Ok(other),
            },
        }
    }
}

fn found<'a>(definition: &'a DatasetDefinition, name: &ItemName) -> std::result::Result<&'a Item, String> {
    definition.item(name.as_str()).ok_or_else(|| format!("{} has no item {name}", definition.name))
}

/// The declaration of a rollup. The number of rows of each group is always part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollup {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its name among the dataset's rollups.
    pub name: RollupName,
    /// What rows are grouped by, in the order that groups are sorted by.
    pub dimensions: Vec<Dimension>,
    /// What is known of each group.
    pub measures: BTreeSet<Measure>,
}

impl Rollup {
    /// The column with the number of rows of each group.
    pub const ROWS: &str = ROWS;

    /// Checks it against the dataset.
    ///
    /// # Errors
    /// `Invalid`, naming what does not fit and why.
    pub fn check(&self, definition: &DatasetDefinition) -> Result<()> {
        let refuse = |reason: String| {
            Err(CatalogError::invalid(format!("rollup {} of {}", self.name, self.dataset), reason))
        };
        if definition.sandbox.is_some() {
            return refuse(
                "it is a sandbox dataset; those are changed by statements, and have no rollups".to_owned(),
            );
        }
        if self.dimensions.is_empty() {
            return refuse("it has no dimension; name those that are grouped by or filtered on".to_owned());
        }
        let mut seen = BTreeSet::new();
        for dimension in &self.dimensions {
            if let Err(reason) = dimension.check(definition) {
                return refuse(reason);
            }
            if !seen.insert(dimension) {
                return refuse(format!("dimension {dimension} is there twice; remove one"));
            }
        }
        match self.columns(definition) {
            Ok(_) => Ok(()),
            Err(reason) => refuse(reason),
        }
    }

    /// Its columns, under the dataset's definition: dimensions, the number of rows, measures.
    ///
    /// # Errors
    /// What does not fit the definition, in words.
    pub fn columns(&self, definition: &DatasetDefinition) -> std::result::Result<Vec<Field>, String> {
        let mut columns = Vec::with_capacity(self.dimensions.len() + 1 + self.measures.len());
        for dimension in &self.dimensions {
            let item = found(definition, &dimension.item)?;
            columns.push(Field::new(dimension.column(), item.r#type.arrow(), item.nullable));
        }
        columns.push(Field::new(ROWS, DataType::Int64, false));
        for measure in &self.measures {
            let data_type = measure.data_type(found(definition, &measure.item)?)?;
            columns.push(Field::new(measure.column(), data_type, measure.function != Function::Count));
        }
        Ok(columns)
    }

    /// Whether it has a measure.
    #[must_use]
    pub fn has(&self, function: Function, item: &str) -> bool {
        self.measures.iter().any(|measure| measure.function == function && measure.item.as_str() == item)
    }
}

/// The rows of a rollup, made of one version of its dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupVersion {
    /// The version of the dataset.
    pub of_version: u64,
    /// Version of the Delta table with the rows.
    pub table_version: u64,
    /// Rows in all: groups of the dataset's rows.
    pub rows: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Items with whole numbers so small that doubles add up all of them exactly, in whatever order.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exact_in_doubles: BTreeSet<ItemName>,
}

/// A rollup in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupState {
    /// What it is.
    pub declared: Rollup,
    /// Its rows; none when they were never made.
    pub made: Option<RollupVersion>,
}

/// New rows of a rollup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupFill {
    /// The declaration that they were made by; a conflict when it is another one now.
    pub declared: Rollup,
    /// The rows.
    pub made: RollupVersion,
}

/// Splits `function(argument)`.
fn call(text: &str) -> Option<(&str, &str)> {
    let (function, rest) = text.split_once('(')?;
    Some((function.trim(), rest.strip_suffix(')')?.trim()))
}

impl FromStr for Dimension {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let period = call(text).and_then(|(name, item)| {
            let name = name.to_lowercase();
            Some((Period::ALL.into_iter().find(|period| period.as_str() == name)?, item))
        });
        match period {
            Some((period, item)) => Ok(Self { item: item.parse()?, period: Some(period) }),
            None if text.contains('(') => {
                let known = Period::ALL.map(Period::as_str).join(", ");
                let reason =
                    format!("it is an item, or an item's period such as month(day); there are {known}");
                Err(CatalogError::invalid(format!("dimension `{text}`"), reason))
            }
            None => Ok(Self { item: text.parse()?, period: None }),
        }
    }
}

impl FromStr for Measure {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = call(text.trim()).and_then(|(name, item)| {
            let name = name.to_lowercase();
            Some((Function::ALL.into_iter().find(|function| function.as_str() == name)?, item))
        });
        let Some((function, item)) = parsed else {
            let reason = "it is one of count(item), sum(item), min(item), max(item); an average follows from sum and \
                          count, and count(*) is always kept";
            return Err(CatalogError::invalid(format!("measure `{}`", text.trim()), reason));
        };
        Ok(Self { function, item: item.parse()? })
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.period {
            Some(period) => write!(f, "{}({})", period.as_str(), self.item),
            None => self.item.fmt(f),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.function.as_str(), self.item)
    }
}

impl TryFrom<String> for Dimension {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Dimension> for String {
    fn from(dimension: Dimension) -> Self {
        dimension.to_string()
    }
}

impl TryFrom<String> for Measure {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Measure> for String {
    fn from(measure: Measure) -> Self {
        measure.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back() {
        for text in ["region", "month(day)", "新增"] {
            assert_eq!(text.parse::<Dimension>().unwrap().to_string(), text);
        }
        for text in ["count(x)", "sum(x)", "min(x)", "max(x)"] {
            assert_eq!(text.parse::<Measure>().unwrap().to_string(), text);
        }
        for wrong in ["", "moon(day)", "month(day", "_rows"] {
            assert!(wrong.parse::<Dimension>().is_err(), "{wrong}");
        }
        for wrong in ["x", "avg(x)", "median(x)", "sum()"] {
            assert!(wrong.parse::<Measure>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn periods_divide_longer_ones_but_weeks_nothing() {
        assert!(Period::Day.divides(Period::Week) && Period::Day.divides(Period::Month));
        assert!(Period::Month.divides(Period::Quarter) && Period::Month.divides(Period::Month));
        assert!(Period::Week.divides(Period::Week) && !Period::Week.divides(Period::Month));
        assert!(!Period::Month.divides(Period::Week) && !Period::Year.divides(Period::Month));
    }
}
