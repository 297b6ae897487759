//! Moments as people write them: a timestamp, or a date as its first moment in UTC.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

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

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_are_timestamps_or_dates() {
        assert_eq!(moment("2020-01-20").unwrap().to_rfc3339(), "2020-01-20T00:00:00+00:00");
        assert_eq!(moment("2020-01-20T08:00:00+08:00").unwrap().to_rfc3339(), "2020-01-20T00:00:00+00:00");
        assert!(moment("soon").is_err());
    }
}
