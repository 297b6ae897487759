//! Which state of the catalog a reader asks for.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use crate::error::{CatalogError, Result};
use crate::ids::SnapshotId;

/// A state of the catalog: the newest, one by number, or the one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AsOf {
    /// The newest.
    Latest,
    /// By number.
    Snapshot(SnapshotId),
    /// The one that was the newest at this time.
    At(DateTime<Utc>),
}

impl FromStr for AsOf {
    type Err = CatalogError;

    /// Reads nothing (the newest), a number, an RFC 3339 timestamp, or a date (its first moment, UTC).
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Latest);
        }
        if let Ok(number) = text.parse() {
            return Ok(Self::Snapshot(SnapshotId(number)));
        }
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        if let Ok(date) = text.parse::<NaiveDate>() {
            return Ok(Self::At(date.and_time(NaiveTime::MIN).and_utc()));
        }
        Err(CatalogError::invalid(
            format!("as of `{text}`"),
            "it is a snapshot number, a timestamp like 2020-01-20T08:00:00Z, or a date like 2020-01-20",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_timestamps_and_dates() {
        assert_eq!("".parse::<AsOf>().unwrap(), AsOf::Latest);
        assert_eq!("7".parse::<AsOf>().unwrap(), AsOf::Snapshot(SnapshotId(7)));
        assert_eq!(
            "2020-01-20".parse::<AsOf>().unwrap(),
            "2020-01-20T08:00:00+08:00".parse::<AsOf>().unwrap()
        );
        assert!("yesterday".parse::<AsOf>().is_err());
    }
}
