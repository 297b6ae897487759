//! The types of items, as they are written in manifests and as Arrow types.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::error::{CatalogError, Result};

/// An item's type. Written as text: `int64`, `decimal(15,2)`, `timestamp(UTC)`, `list<text>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ItemType {
    /// `bool`
    Bool,
    /// `int8`
    Int8,
    /// `int16`
    Int16,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `uint8`
    UInt8,
    /// `uint16`
    UInt16,
    /// `uint32`
    UInt32,
    /// `uint64`
    UInt64,
    /// `float32`
    Float32,
    /// `float64`
    Float64,
    /// `decimal(precision,scale)`: digits in all, digits after the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// `text`
    Text,
    /// `binary`
    Binary,
    /// `date`
    Date,
    /// `time`, in microseconds of the day
    Time,
    /// `timestamp` (of a wall clock) or `timestamp(UTC)` (a moment), in microseconds.
    Timestamp {
        /// Whether it is a moment.
        utc: bool,
    },
    /// `list<type>`
    List(Box<ItemType>),
}

const PLAIN: [(&str, ItemType); 16] = [
    ("bool", ItemType::Bool),
    ("int8", ItemType::Int8),
    ("int16", ItemType::Int16),
    ("int32", ItemType::Int32),
    ("int64", ItemType::Int64),
    ("uint8", ItemType::UInt8),
    ("uint16", ItemType::UInt16),
    ("uint32", ItemType::UInt32),
    ("uint64", ItemType::UInt64),
    ("float32", ItemType::Float32),
    ("float64", ItemType::Float64),
    ("text", ItemType::Text),
    ("binary", ItemType::Binary),
    ("date", ItemType::Date),
    ("time", ItemType::Time),
    ("timestamp", ItemType::Timestamp { utc: false }),
];

impl ItemType {
    /// The Arrow type. Text is `Utf8`; times are in microseconds; a list's elements are nullable.
    #[must_use]
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            // A scale is at most 38: it fits.
            Self::Decimal { precision, scale } => {
                DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(0))
            }
            Self::Text => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp { utc: false } => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamp { utc: true } => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            // Parquet's and Delta's name of a list's field.
            Self::List(of) => DataType::List(Arc::new(Field::new("element", of.arrow(), true))),
        }
    }
}

impl FromStr for ItemType {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if let Some((_, plain)) = PLAIN.iter().find(|(name, _)| *name == compact) {
            return Ok(plain.clone());
        }
        if compact == "timestamp(UTC)" {
            return Ok(Self::Timestamp { utc: true });
        }
        if let Some(of) = compact.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
            return Ok(Self::List(Box::new(of.parse()?)));
        }
        decimal(&compact).ok_or_else(|| {
            CatalogError::invalid(
                format!("type `{text}`"),
                "it is one of bool, int8 to int64, uint8 to uint64, float32, float64, decimal(precision,scale) with \
                 at most 38 digits, text, binary, date, time, timestamp, timestamp(UTC), list<type>",
            )
        })
    }
}

fn decimal(text: &str) -> Option<ItemType> {
    let (precision, scale) = text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale): (u8, u8) = (precision.parse().ok()?, scale.parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then_some(ItemType::Decimal { precision, scale })
}

impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Timestamp { utc: true } => f.write_str("timestamp(UTC)"),
            Self::List(of) => write!(f, "list<{of}>"),
            plain => f.write_str(PLAIN.iter().find(|(_, known)| known == plain).map_or("", |(name, _)| name)),
        }
    }
}

impl TryFrom<String> for ItemType {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ItemType> for String {
    fn from(item_type: ItemType) -> String {
        item_type.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_back_as_they_are_written() {
        let other = ["decimal(15,2)", "timestamp(UTC)", "list<decimal(38,38)>", "list<list<text>>"];
        for text in PLAIN.iter().map(|(name, _)| *name).chain(other) {
            assert_eq!(text.parse::<ItemType>().unwrap().to_string(), text);
        }
        for wrong in ["", "string", "decimal(39,2)", "decimal(2,3)", "decimal", "list<>", "timestamp(PST)"] {
            assert!(wrong.parse::<ItemType>().is_err(), "{wrong}");
        }
    }
}
