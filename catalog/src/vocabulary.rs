//! The closed vocabularies of catalog entries and items. What each value permits is decided in the engine's policy.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::CatalogError;

/// An enum whose values are words: in serde, display and parsing alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident ($kind:literal) { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// The word it is written as.
            #[must_use]
            pub fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = CatalogError;

            fn from_str(text: &str) -> Result<Self, CatalogError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => {
                        let words = [$($word),+].join(", ");
                        Err(CatalogError::invalid(format!("{} `{text}`", $kind), format!("it is one of {words}")))
                    }
                }
            }
        }
    };
}

words! {
    /// Whether the public may have the data.
    OpenType ("open type") {
        /// Anyone.
        Open = "open",
        /// Under conditions.
        Conditional = "conditional",
        /// Nobody outside.
        Closed = "closed",
    }
}

words! {
    /// How agencies may take the data.
    ShareMode ("share mode") {
        /// By queries.
        Query = "query",
        /// Through an interface of the provider.
        Api = "api",
        /// By looking at it.
        Browse = "browse",
        /// As files.
        Download = "download",
        /// As a copy on media.
        Copy = "copy",
    }
}

words! {
    /// How often the data is renewed.
    UpdateCycle ("update cycle") {
        /// As it happens.
        Realtime = "realtime",
        /// Daily.
        Day = "day",
        /// Weekly.
        Week = "week",
        /// Every ten days.
        TenDays = "ten-days",
        /// Monthly.
        Month = "month",
        /// Quarterly.
        Quarter = "quarter",
        /// Twice a year.
        HalfYear = "half-year",
        /// Yearly.
        Year = "year",
        /// Now and then.
        Irregular = "irregular",
        /// Never again.
        Never = "never",
    }
}

words! {
    /// How sensitive the data is, from the mildest to the strictest. Source: GB/T 43697.
    #[derive(Default)]
    Grade ("grade") {
        /// General data, level 1.
        #[default]
        General1 = "general-1",
        /// General data, level 2.
        General2 = "general-2",
        /// General data, level 3.
        General3 = "general-3",
        /// General data, level 4.
        General4 = "general-4",
        /// Important data.
        Important = "important",
        /// Core data.
        Core = "core",
    }
}

words! {
    /// What an item is for in its dataset.
    #[derive(Default)]
    ItemRole ("item role") {
        /// Identifies the row.
        Key = "key",
        /// Groups rows.
        Dimension = "dimension",
        /// A figure.
        Measure = "measure",
        /// Identifies the unit that is counted.
        UnitId = "unit_id",
        /// How many units a row stands for.
        UnitWeight = "unit_weight",
        /// A region.
        Region = "region",
        /// A time.
        Time = "time",
        /// Anything else.
        #[default]
        Attribute = "attribute",
    }
}

words! {
    /// What a node is.
    NodeKind ("node kind") {
        /// Where others meet.
        Hub = "hub",
        /// A province's.
        Province = "province",
        /// A department's.
        Department = "department",
    }
}

/// What replaces an item's values for those who may not see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Mask {
    /// The item may not be named at all.
    Deny {},
    /// NULL.
    Null {},
    /// A keyed hash of the value: equal values stay equal.
    KeyedHash {},
    /// The first characters of a code.
    TruncatedCode {
        /// How many characters stay.
        characters: u8,
    },
    /// The lower bound of the range that the number falls into.
    Range {
        /// How wide a range is, in the item's unit.
        width: u64,
    },
}

impl Mask {
    const FORMS: &str = "a mask is deny, null, keyed-hash, code:CHARACTERS (such as code:2) or range:WIDTH (such as range:10)";
}

/// As the command line and policy files write it.
impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deny {} => f.write_str("deny"),
            Self::Null {} => f.write_str("null"),
            Self::KeyedHash {} => f.write_str("keyed-hash"),
            Self::TruncatedCode { characters } => write!(f, "code:{characters}"),
            Self::Range { width } => write!(f, "range:{width}"),
        }
    }
}

impl FromStr for Mask {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        let wrong = || CatalogError::invalid(format!("mask `{text}`"), Self::FORMS);
        match text.split_once(':') {
            None if text == "deny" => Ok(Self::Deny {}),
            None if text == "null" => Ok(Self::Null {}),
            None if text == "keyed-hash" => Ok(Self::KeyedHash {}),
            Some(("code", number)) => {
                number.parse().map(|characters| Self::TruncatedCode { characters }).map_err(|_| wrong())
            }
            Some(("range", number)) => number.parse().map(|width| Self::Range { width }).map_err(|_| wrong()),
            None | Some(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_serde_display_and_parsing() {
        assert_eq!(serde_json::to_string(&UpdateCycle::TenDays).unwrap(), r#""ten-days""#);
        assert_eq!("unit_id".parse::<ItemRole>().unwrap(), ItemRole::UnitId);
        assert!("secret".parse::<Grade>().unwrap_err().to_string().contains("general-1"));
        assert!(Grade::Core > Grade::Important && Grade::Important > Grade::General4);
    }

    #[test]
    fn masks_are_read_as_they_are_written() {
        for text in ["deny", "null", "keyed-hash", "code:2", "range:10"] {
            assert_eq!(text.parse::<Mask>().unwrap().to_string(), text);
        }
        for wrong in ["", "hash", "code", "code:", "code:-1", "code:300", "range:x", "deny:1", "null "] {
            assert!(wrong.parse::<Mask>().unwrap_err().to_string().contains("range:WIDTH"), "{wrong}");
        }
    }
}
