//! Moments as people write them: a timestamp, or a date as its first moment in UTC.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Reads an RFC 3339 timestamp, or a date as its first moment in UTC.
///
/// # Errors
/// What would be right.
pub(crate) fn moment(text: &str) -> std::result::Result<DateTime<Utc>, String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Utc));
    }
    text.parse::<NaiveDate>()
        .map(|date| date.and_time(NaiveTime::MIN).and_utc())
        .map_err(|_| "write 2026-01-31 or 2026-01-31T08:00:00+08:00".to_owned())
}

/// A moment in a TOML file: a date, a timestamp with its offset, or either as text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            toml::Value::Datetime(time) => time.to_string(),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => String::new(),
        };
        moment(&text).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_timestamps_or_dates() {
        assert_eq!(moment("2020-01-20").unwrap().to_rfc3339(), "2020-01-20T00:00:00+00:00");
        assert_eq!(moment("2020-01-20T08:00:00+08:00").unwrap().to_rfc3339(), "2020-01-20T00:00:00+00:00");
        assert!(moment("soon").is_err());
    }

    #[test]
    fn files_may_write_them_with_or_without_quotes() {
        #[derive(Deserialize)]
        struct File {
            at: Moment,
        }
        for text in ["2020-01-20", "\"2020-01-20\"", "2020-01-20T08:00:00+08:00", "\"2020-01-20T00:00:00Z\""]
        {
            let file: File = toml::from_str(&format!("at = {text}")).unwrap();
            assert_eq!(file.at.0.to_rfc3339(), "2020-01-20T00:00:00+00:00", "{text}");
        }
        assert!(toml::from_str::<File>("at = 2020").is_err());
    }
}
