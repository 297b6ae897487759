//! Session options: what a client may set once for all its calls, each checked where it arrives.
//!
//! They travel with the client: sealed in its session cookie and its bearer token, and in each ticket and handle, so that
//! every process answers alike. Each may also be a header of one call, `x-basin-as-of` for `as_of`.

use std::time::Duration;

use arrow::ipc::CompressionType;
use basin_catalog::AsOf;
use basin_engine::{CATALOG, QueryOptions};
use prost::{Enumeration, Message};
use tonic::metadata::MetadataMap;

use super::option_value::Value;
use crate::encode::WireForm;
use crate::error::{Result, ServerError};

/// The longest text that is taken, in bytes.
const MAX_TEXT_BYTES: usize = 1024;
/// The most parts of a parallel export.
const MAX_PARTS: u32 = 64;

/// How the buffers of a result are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
pub(super) enum Compression {
    None = 0,
    Lz4 = 1,
    Zstd = 2,
}

/// What a session chose; what is absent keeps the server's default.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionOptions {
    /// Where names without schema are looked for.
    #[prost(string, optional, tag = "1")]
    pub(super) schema: Option<String>,
    /// The state that is asked, as [`AsOf`] reads it.
    #[prost(string, optional, tag = "2")]
    pub(super) as_of: Option<String>,
    /// What the data is wanted for.
    #[prost(string, optional, tag = "3")]
    pub(super) purpose: Option<String>,
    #[prost(enumeration = "Compression", tag = "4")]
    pub(super) compression: i32,
    /// Whether text and bytes come as views.
    #[prost(bool, tag = "5")]
    pub(super) view_types: bool,
    /// How many endpoints the scan of a dataset is divided into.
    #[prost(uint32, optional, tag = "6")]
    pub(super) parallel_export: Option<u32>,
    /// The time that a query may take, in seconds.
    #[prost(uint64, optional, tag = "7")]
    pub(super) timeout: Option<u64>,
    /// The memory that a query may take, in MiB.
    #[prost(uint64, optional, tag = "8")]
    pub(super) memory_mib: Option<u64>,
    /// The language of labels.
    #[prost(string, optional, tag = "9")]
    pub(super) language: Option<String>,
    /// Whether rollups answer nothing.
    #[prost(bool, tag = "10")]
    pub(super) without_rollups: bool,
    /// Whether queries are run though their results are kept.
    #[prost(bool, tag = "11")]
    pub(super) without_result_cache: bool,
}

/// An option by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Catalog,
    Schema,
    AsOf,
    Purpose,
    Compression,
    ViewTypes,
    ParallelExport,
    Timeout,
    MemoryMib,
    Language,
    Rollups,
    ResultCache,
}

impl Name {
    pub(super) const ALL: [Self; 12] = [
        Self::Catalog,
        Self::Schema,
        Self::AsOf,
        Self::Purpose,
        Self::Compression,
        Self::ViewTypes,
        Self::ParallelExport,
        Self::Timeout,
        Self::MemoryMib,
        Self::Language,
        Self::Rollups,
        Self::ResultCache,
    ];

    /// Returns the name that clients write.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Schema => "schema",
            Self::AsOf => "as_of",
            Self::Purpose => "purpose",
            Self::Compression => "compression",
            Self::ViewTypes => "view_types",
            Self::ParallelExport => "parallel_export",
            Self::Timeout => "timeout",
            Self::MemoryMib => "memory_mib",
            Self::Language => "language",
            Self::Rollups => "rollups",
            Self::ResultCache => "result_cache",
        }
    }

    fn header(self) -> String {
        format!("x-basin-{}", self.as_str().replace('_', "-"))
    }

    /// What a value must be, for whoever wrote another one.
    fn wanted(self) -> String {
        match self {
            Self::Catalog => format!("the one catalog, {CATALOG}"),
            Self::Schema => "the name of a schema".to_owned(),
            Self::AsOf => "a snapshot number, a date or an RFC 3339 timestamp".to_owned(),
            Self::Purpose => format!("UTF-8 text of at most {MAX_TEXT_BYTES} bytes"),
            Self::Compression => "none, lz4 or zstd".to_owned(),
            Self::ViewTypes | Self::Rollups | Self::ResultCache => "true or false".to_owned(),
            Self::ParallelExport => format!("a number from 1 to {MAX_PARTS}"),
            Self::Timeout => "a number of seconds from 1".to_owned(),
            Self::MemoryMib => "a number of MiB from 1".to_owned(),
            Self::Language => "a language tag such as en or zh".to_owned(),
        }
    }
}

impl SessionOptions {
    /// Sets an option, or resets it when the value is unset.
    ///
    /// # Errors
    /// What the value must be, when it is something else.
    pub(super) fn set(&mut self, name: Name, value: &Value) -> std::result::Result<(), String> {
        self.try_set(name, value).ok_or_else(|| name.wanted())
    }

    fn try_set(&mut self, name: Name, value: &Value) -> Option<()> {
        let text = || value.text().filter(|text| text.len() <= MAX_TEXT_BYTES);
        let unset = value.is_unset();
        match name {
            Name::Catalog => (unset || text()? == CATALOG).then_some(())?,
            Name::Schema => self.schema = kept(unset, text)?,
            Name::AsOf => {
                self.as_of = kept(unset, || text().filter(|text| text.parse::<AsOf>().is_ok()))?;
            }
            Name::Purpose => self.purpose = kept(unset, text)?,
            Name::Compression => {
                let chosen = match text().filter(|_| !unset).as_deref() {
                    None if unset => Compression::None,
                    Some("none") => Compression::None,
                    Some("lz4") => Compression::Lz4,
                    Some("zstd") => Compression::Zstd,
                    Some(_) | None => return None,
                };
                self.compression = chosen.into();
            }
            Name::ViewTypes => self.view_types = !unset && value.flag()?,
            Name::ResultCache => self.without_result_cache = !unset && !value.flag()?,
            Name::ParallelExport => {
                let part = |number: &u32| (1..=MAX_PARTS).contains(number);
                self.parallel_export = kept(unset, || u32::try_from(value.number()?).ok().filter(part))?;
            }
            Name::Rollups => self.without_rollups = !unset && !value.flag()?,
            Name::Timeout => self.timeout = kept(unset, || value.number().filter(|number| *number > 0))?,
            Name::MemoryMib => self.memory_mib = kept(unset, || value.number().filter(|number| *number > 0))?,
            Name::Language => {
                let tag = |text: &String| {
                    text.len() <= 16 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                };
                self.language = kept(unset, || text().filter(tag))?;
            }
        }
        Some(())
    }

    /// Returns an option as it was set.
    pub(super) fn get(&self, name: Name) -> Value {
        let number = |number: Option<u64>| match number.map(i64::try_from) {
            Some(Ok(number)) => Value::Number(number),
            Some(Err(_)) | None => Value::Unset,
        };
        let text = |text: &Option<String>| text.clone().map_or(Value::Unset, Value::Text);
        match name {
            Name::Catalog => Value::Text(CATALOG.to_owned()),
            Name::Schema => text(&self.schema),
            Name::AsOf => text(&self.as_of),
            Name::Purpose => text(&self.purpose),
            Name::Compression => Value::Text(
                match self.compression() {
                    Compression::None => "none",
                    Compression::Lz4 => "lz4",
                    Compression::Zstd => "zstd",
                }
                .to_owned(),
            ),
            Name::ViewTypes => Value::Flag(self.view_types),
            Name::Rollups => Value::Flag(!self.without_rollups),
            Name::ResultCache => Value::Flag(!self.without_result_cache),
            Name::ParallelExport => number(self.parallel_export.map(u64::from)),
            Name::Timeout => number(self.timeout),
            Name::MemoryMib => number(self.memory_mib),
            Name::Language => text(&self.language),
        }
    }

    /// Takes over what the headers of a call say.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the header and what it must be.
    pub(super) fn override_by(&mut self, metadata: &MetadataMap) -> Result<()> {
        for name in Name::ALL {
            let header = name.header();
            let Some(value) = metadata.get(header.as_str()) else { continue };
            // HTTP/2 carries bytes; clients write UTF-8, so that purposes may be Chinese.
            let text = std::str::from_utf8(value.as_encoded_bytes()).ok();
            let set = match text {
                Some(text) => self.set(name, &Value::Text(text.trim().to_owned())),
                None => Err(name.wanted()),
            };
            set.map_err(|wanted| {
                ServerError::InvalidRequest(format!("the header {header} must be {wanted}"))
            })?;
        }
        Ok(())
    }

    /// Returns the state that is asked.
    ///
    /// # Errors
    /// `Internal` when it was not checked by [`SessionOptions::set`].
    pub(super) fn state(&self) -> Result<AsOf> {
        match &self.as_of {
            None => Ok(AsOf::Latest),
            Some(text) => text.parse().map_err(|_| ServerError::Internal("an as-of can't be read")),
        }
    }

    /// Returns what the engine needs of the options.
    pub(super) fn for_query(&self) -> QueryOptions {
        QueryOptions {
            schema: self.schema.clone(),
            timeout: self.timeout.map(Duration::from_secs),
            memory_bytes: self
                .memory_mib
                .map(|mib| usize::try_from(mib.saturating_mul(1024 * 1024)).unwrap_or(usize::MAX)),
            part: None,
            without_companions: false,
            without_rollups: self.without_rollups,
            without_cache: self.without_result_cache,
        }
    }

    /// Returns the wire form of results.
    pub(super) fn wire_form(&self) -> WireForm {
        WireForm {
            views: self.view_types,
            compression: match self.compression() {
                Compression::None => None,
                Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
                Compression::Zstd => Some(CompressionType::ZSTD),
            },
        }
    }
}

/// A value that may be reset: `Some(None)` when it is, `None` when it is wrong.
fn kept<T>(unset: bool, value: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if unset { Some(None) } else { value().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn what_is_set_is_read_back() {
        let mut options = SessionOptions::default();
        for (name, value) in [
            (Name::Schema, text("health")),
            (Name::AsOf, text("2020-02-01")),
            (Name::Purpose, text("疫情分析")),
            (Name::Compression, text("zstd")),
            (Name::ViewTypes, Value::Flag(true)),
            (Name::ParallelExport, Value::Number(4)),
            (Name::Timeout, Value::Number(30)),
            (Name::MemoryMib, Value::Number(256)),
            (Name::Language, text("zh")),
            (Name::Rollups, Value::Flag(false)),
            (Name::ResultCache, Value::Flag(false)),
        ] {
            options.set(name, &value).unwrap();
            assert_eq!(options.get(name), value, "{}", name.as_str());
        }
        for name in Name::ALL {
            options.set(name, &Value::Unset).unwrap();
        }
        assert_eq!(options, SessionOptions::default());
    }

    #[test]
    fn texts_of_headers_are_understood() {
        let mut options = SessionOptions::default();
        for (name, value) in [(Name::ViewTypes, "true"), (Name::Timeout, "30"), (Name::ParallelExport, "2")] {
            options.set(name, &text(value)).unwrap();
        }
        assert_eq!((options.view_types, options.timeout, options.parallel_export), (true, Some(30), Some(2)));
    }

    #[test]
    fn what_is_wrong_changes_nothing_and_is_told() {
        let mut options = SessionOptions::default();
        for (name, value) in [
            (Name::Catalog, text("other")),
            (Name::AsOf, text("yesterday")),
            (Name::Compression, text("gzip")),
            (Name::ViewTypes, text("perhaps")),
            (Name::ParallelExport, Value::Number(0)),
            (Name::ParallelExport, Value::Number(65)),
            (Name::Timeout, Value::Number(-1)),
            (Name::MemoryMib, text("much")),
            (Name::Language, text("zh; drop")),
            (Name::Purpose, text(&"x".repeat(2000))),
        ] {
            assert!(options.set(name, &value).is_err(), "{}", name.as_str());
        }
        assert_eq!(options, SessionOptions::default());
    }
}
