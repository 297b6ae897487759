//! Dates, times and timestamps from text.

use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

/// The format that is read without chrono's machinery.
const ISO_DATE: &str = "%Y-%m-%d";

/// Reads dates; remembers the last one, since neighbouring rows mostly share it.
pub(super) struct Dates<'a> {
    formats: &'a [String],
    last: Option<(&'a str, i32)>,
}

impl<'a> Dates<'a> {
    pub(super) fn new(formats: &'a [String]) -> Self {
        Self { formats, last: None }
    }

    /// Reads a date as days since 1970.
    pub(super) fn parse(&mut self, text: &'a str) -> Option<i32> {
        if let Some((last, days)) = self.last
            && last == text
        {
            return Some(days);
        }
        let date = date(text, self.formats)?;
        let days = date.num_days_from_ce() - UNIX_EPOCH_FROM_CE;
        self.last = Some((text, days));
        Some(days)
    }
}

/// Days from 0001-01-01 (which is day 1) to 1970-01-01.
const UNIX_EPOCH_FROM_CE: i32 = 719_163;

fn date(text: &str, formats: &[String]) -> Option<NaiveDate> {
    let read = |format: &str| {
        let iso = (format == ISO_DATE).then(|| iso_date(text)).flatten();
        iso.or_else(|| NaiveDate::parse_from_str(text, format).ok())
    };
    let date =
        if formats.is_empty() { read(ISO_DATE) } else { formats.iter().find_map(|format| read(format)) };
    // `%Y` would read 11/01/20 as the year 20.
    date.filter(|date| (1000..=9999).contains(&date.year()))
}

fn iso_date(text: &str) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let number = |digits: &[&u8]| {
        digits
            .iter()
            .try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(**digit - b'0')))
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)
}

/// Reads a time of day as microseconds.
pub(super) fn time(text: &str, formats: &[String]) -> Option<i64> {
    let read = |format: &str| NaiveTime::parse_from_str(text, format).ok();
    let time = if formats.is_empty() {
        ["%H:%M:%S%.f", "%H:%M"].into_iter().find_map(read)
    } else {
        formats.iter().find_map(|format| read(format))
    }?;
    Some(
        i64::from(time.num_seconds_from_midnight()) * 1_000_000
            + i64::from(time.nanosecond() % 1_000_000_000) / 1_000,
    )
}

/// Reads a point in time as microseconds since 1970.
///
/// With a zone (UTC), an offset in the text counts and its absence means UTC; without one, an offset is refused, since
/// dropping it would change the time.
pub(super) fn timestamp(text: &str, formats: &[String], zoned: bool) -> Option<i64> {
    if formats.is_empty() {
        if !zoned && text.get(10..).is_some_and(|clock| clock.contains(['Z', 'z', '+', '-'])) {
            return None;
        }
        return string_to_datetime(&Utc, text).ok().map(|time| time.timestamp_micros());
    }
    formats.iter().find_map(|format| {
        let with_offset = DateTime::parse_from_str(text, format).ok().filter(|_| zoned);
        let plain = || {
            let midnight = || NaiveDate::parse_from_str(text, format).ok()?.and_hms_opt(0, 0, 0);
            let time = NaiveDateTime::parse_from_str(text, format).ok().or_else(midnight);
            time.filter(|_| zoned || !format.contains("%z")).map(|time| time.and_utc())
        };
        with_offset.map(|time| time.to_utc()).or_else(plain).map(|time| time.timestamp_micros())
    })
}
