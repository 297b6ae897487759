//! Writing on stdout, which carries answers only, and stderr, which carries everything else.

use std::fmt::Display;
use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::error::{CommandError, Result};

/// Writes `text` and a line end on stdout, at once.
///
/// # Errors
/// `ReaderGone` for a broken pipe, `Io` otherwise.
pub(crate) fn print(text: impl Display) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(CommandError::output)
}

/// Writes `value` as one indented JSON document on stdout.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|source| CommandError::Format { form: "JSON", source: Box::new(source) })?;
    print(text)
}

/// Writes a remark on stderr.
pub(crate) fn note(text: impl Display) {
    // A remark that nobody can read is not worth ending the command.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Which way a column of a text table leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lean {
    Left,
    Right,
}

/// Lays out rows of text under a header: `| a | b |` within rules.
pub(crate) fn table(header: &[(String, Lean)], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset("||--+-++|    ++++++");
    table.set_header(header.iter().map(|(name, _)| name));
    for row in rows {
        table.add_row(row);
    }
    for (column, (_, lean)) in table.column_iter_mut().zip(header) {
        column.set_cell_alignment(match lean {
            Lean::Left => CellAlignment::Left,
            Lean::Right => CellAlignment::Right,
        });
    }
    table.to_string()
}

/// A header: names that start with `#` are of figures and lean right.
pub(crate) fn header(names: &[&str]) -> Vec<(String, Lean)> {
    names
        .iter()
        .map(|name| match name.strip_prefix('#') {
            Some(name) => (name.to_owned(), Lean::Right),
            None => ((*name).to_owned(), Lean::Left),
        })
        .collect()
}

/// Writes a moment to the second, in UTC: `2020-01-20T08:00:00Z`.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Writes a whole number with its thousands apart: `27,424`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(27_424), "27,424");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    #[test]
    fn tables_lean_figures_right_and_measure_wide_characters() {
        let text = table(
            &header(&["place", "#cases"]),
            vec![vec!["湖北".into(), "9".into()], vec!["Hubei".into(), "1,000".into()]],
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.get(1).copied(), Some("| place | cases |"));
        assert_eq!(lines.get(3).copied(), Some("| 湖北  |     9 |"));
        assert_eq!(lines.get(4).copied(), Some("| Hubei | 1,000 |"));
    }
}
