//! The manifest exactly as it is written in TOML, before anything is checked.
//!
//! Unknown keys are refused here; what the values mean together is checked in `build`.

use std::collections::BTreeMap;

use basin_catalog::{
    CodeList, Grade, ItemName, ItemRole, ItemType, Licence, LocalText, Mask, OpenType, OrganisationCode,
    Region, ResourceCode, ShareMode, Terms, UpdateCycle,
};
use chrono::NaiveDate;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestShape {
    pub(super) dataset: DatasetShape,
    #[serde(default)]
    pub(super) layout: LayoutShape,
    #[serde(default)]
    pub(super) items: Vec<ItemShape>,
    #[serde(default)]
    pub(super) policy: Terms,
    #[serde(default)]
    pub(super) rules: Vec<RuleShape>,
    #[serde(default)]
    pub(super) pooling: PoolingShape,
    #[serde(default)]
    pub(super) delivery: Vec<DeliveryShape>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatasetShape {
    pub(super) name: basin_catalog::DatasetName,
    pub(super) resource_code: ResourceCode,
    pub(super) title: LocalText,
    pub(super) r#abstract: LocalText,
    pub(super) provider: OrganisationCode,
    pub(super) formats: Vec<String>,
    pub(super) share_type: String,
    pub(super) share_condition: Option<String>,
    pub(super) legal_basis: Option<String>,
    pub(super) share_modes: Vec<ShareMode>,
    pub(super) open_type: OpenType,
    pub(super) update_cycle: UpdateCycle,
    pub(super) issued: Day,
    pub(super) modified: Option<Day>,
    #[serde(default)]
    pub(super) related_codes: Vec<ResourceCode>,
    pub(super) region: Option<Region>,
    #[serde(default)]
    pub(super) grade: Grade,
    pub(super) licence: Licence,
    pub(super) attribution: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayoutShape {
    #[serde(default)]
    pub(super) key: Vec<ItemName>,
    #[serde(default)]
    pub(super) sort: Vec<ItemName>,
    #[serde(default)]
    pub(super) partition: Vec<ItemName>,
    #[serde(default)]
    pub(super) slice: Vec<ItemName>,
    #[serde(default)]
    pub(super) bloom: Vec<ItemName>,
    #[serde(default = "default_compact_above_files")]
    pub(super) compact_above_files: usize,
}

impl Default for LayoutShape {
    fn default() -> Self {
        let (key, sort, partition, slice, bloom) = Default::default();
        Self { key, sort, partition, slice, bloom, compact_above_files: default_compact_above_files() }
    }
}

/// A version of more small files is slower to open than it is to merge now and then.
fn default_compact_above_files() -> usize {
    32
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemShape {
    pub(super) name: ItemName,
    pub(super) r#type: ItemType,
    #[serde(default)]
    pub(super) label: LocalText,
    #[serde(default)]
    pub(super) description: LocalText,
    pub(super) unit: Option<String>,
    #[serde(default = "yes")]
    pub(super) nullable: bool,
    #[serde(default)]
    pub(super) role: ItemRole,
    #[serde(default)]
    pub(super) grade: Grade,
    pub(super) code_list: Option<CodeList>,
    #[serde(default)]
    pub(super) missing: BTreeMap<String, String>,
    pub(super) mask: Option<Mask>,
    #[serde(default)]
    pub(super) check: CheckShape,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckShape {
    pub(super) min: Option<Scalar>,
    pub(super) max: Option<Scalar>,
    pub(super) pattern: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleShape {
    pub(super) name: String,
    pub(super) sql: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolingShape {
    #[serde(default = "default_rejected_share")]
    pub(super) max_rejected_share: f64,
    #[serde(default)]
    pub(super) on_duplicate: DuplicateShape,
}

impl Default for PoolingShape {
    fn default() -> Self {
        Self { max_rejected_share: default_rejected_share(), on_duplicate: DuplicateShape::default() }
    }
}

/// Five in a hundred: enough for the odd bad line, too little for a wrong column mapping to pass.
fn default_rejected_share() -> f64 {
    0.05
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryShape {
    pub(super) kind: String,
    pub(super) files: String,
    pub(super) from: Option<Day>,
    pub(super) until: Option<Day>,
    pub(super) format: FormatShape,
    pub(super) route: Option<String>,
    pub(super) columns: BTreeMap<String, ColumnShape>,
    #[serde(default)]
    pub(super) ignore: IgnoreShape,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IgnoreShape {
    #[serde(default)]
    pub(super) columns: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum FormatShape {
    Csv {
        delimiter: Option<String>,
        quote: Option<String>,
        #[serde(default = "yes")]
        header: bool,
        #[serde(default)]
        names: Vec<String>,
        encoding: Option<String>,
    },
    Tsv {
        quote: Option<String>,
        #[serde(default = "yes")]
        header: bool,
        #[serde(default)]
        names: Vec<String>,
        encoding: Option<String>,
    },
    Json {
        encoding: Option<String>,
    },
    Jsonl {
        encoding: Option<String>,
    },
    Parquet {},
    Arrow {},
    Excel {
        sheet: Option<String>,
        header_row: Option<u32>,
    },
}

/// Where an item comes from: a raw column's name, or a table with options.
#[derive(Debug, Default)]
pub(super) struct ColumnShape(pub(super) ColumnTable);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnTable {
    pub(super) from: Option<Texts>,
    pub(super) file: Option<String>,
    pub(super) constant: Option<Scalar>,
    pub(super) sql: Option<String>,
    pub(super) format: Option<Texts>,
    pub(super) decimal: Option<String>,
    #[serde(default = "yes")]
    pub(super) trim: bool,
    #[serde(default)]
    pub(super) optional: bool,
}

impl<'de> Deserialize<'de> for ColumnShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = ColumnShape;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a raw column's name, or a table with one of from, file, constant, sql")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ColumnShape, E> {
                let from = Some(Texts(vec![name.to_owned()]));
                Ok(ColumnShape(ColumnTable { from, trim: true, ..ColumnTable::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnShape, A::Error> {
                ColumnTable::deserialize(MapAccessDeserializer::new(map)).map(ColumnShape)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// One text or a list of them.
#[derive(Debug)]
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Texts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Texts, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Texts)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// A number, truth value, date or text, kept as text; the item's type decides what it means.
#[derive(Debug)]
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            toml::Value::Integer(number) => Ok(Self(number.to_string())),
            toml::Value::Float(number) => Ok(Self(number.to_string())),
            toml::Value::Boolean(truth) => Ok(Self(truth.to_string())),
            toml::Value::Datetime(time) => Ok(Self(time.to_string())),
            toml::Value::Array(_) | toml::Value::Table(_) => {
                Err(D::Error::custom("expected a number, text, truth value or date"))
            }
        }
    }
}

/// A day, as a TOML date or as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day(pub(super) NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(deserializer)?;
        let day =
            text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a date like 2020-01-19")))?;
        Ok(Self(day))
    }
}

/// `"refuse"`, `"first"`, `"last"`, `"reject"` or `{ number = ITEM }`.
#[derive(Debug, Default)]
pub(super) enum DuplicateShape {
    Refuse,
    First,
    Last,
    #[default]
    Reject,
    Number(ItemName),
}

impl<'de> Deserialize<'de> for DuplicateShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Numbered {
            number: ItemName,
        }
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = DuplicateShape;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"refuse\", \"first\", \"last\", \"reject\" or { number = \"item\" }")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<DuplicateShape, E> {
                match word {
                    "refuse" => Ok(DuplicateShape::Refuse),
                    "first" => Ok(DuplicateShape::First),
                    "last" => Ok(DuplicateShape::Last),
                    "reject" => Ok(DuplicateShape::Reject),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DuplicateShape, A::Error> {
                Numbered::deserialize(MapAccessDeserializer::new(map))
                    .map(|n| DuplicateShape::Number(n.number))
            }
        }
        deserializer.deserialize_any(Form)
    }
}
