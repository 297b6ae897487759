//! A kind of delivery: which files, in which format, and how raw columns become items.

use std::collections::{BTreeMap, BTreeSet};

use basin_catalog::ItemName;
use chrono::NaiveDate;
use regex::Regex;

/// Describes one kind of delivery.
#[derive(Debug, Clone)]
pub struct DeliveryKind {
    pub(super) kind: String,
    pub(super) files: Regex,
    pub(super) from: Option<NaiveDate>,
    pub(super) until: Option<NaiveDate>,
    pub(super) format: Format,
    pub(super) route: Option<String>,
    pub(super) columns: BTreeMap<ItemName, ColumnSource>,
    pub(super) ignore: BTreeSet<String>,
}

impl DeliveryKind {
    /// Returns the kind's name.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the pattern of the file names.
    pub fn files(&self) -> &Regex {
        &self.files
    }

    /// Returns the format of the files.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Returns the SQL condition over raw columns that says which rows are this dataset's.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Returns where each item comes from; the numbered item, if any, is absent.
    pub fn columns(&self) -> &BTreeMap<ItemName, ColumnSource> {
        &self.columns
    }

    /// Returns the raw columns that are knowingly not taken.
    pub fn ignore(&self) -> &BTreeSet<String> {
        &self.ignore
    }

    /// Returns the named parts of a file name, in the pattern's order; `None` where a part did not take part.
    pub fn captures(&self, file_name: &str) -> Vec<(String, Option<String>)> {
        let found = self.files.captures(file_name);
        let value = |name| found.as_ref().and_then(|f| f.name(name)).map(|m| m.as_str().to_owned());
        self.files.capture_names().flatten().map(|name| (name.to_owned(), value(name))).collect()
    }

    /// Tells whether a file is of this kind: by its name, and by its date where `from` or `until` is set.
    ///
    /// The date is the capture named `date` when it is there, else `today`. Both ends are included.
    pub fn fits(&self, file_name: &str, today: NaiveDate) -> bool {
        let Some(found) = self.files.captures(file_name) else { return false };
        let date = found.name("date").and_then(|m| m.as_str().parse().ok()).unwrap_or(today);
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until)
    }
}

/// The format of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Delimited text.
    Csv(CsvFormat),
    /// One JSON array of objects.
    Json(Encoding),
    /// One JSON object a line.
    JsonLines(Encoding),
    /// Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
    /// An Excel workbook, xlsx or xls.
    Excel(ExcelFormat),
}

/// Details of delimited text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    /// ASCII byte between fields.
    pub delimiter: u8,
    /// ASCII byte around fields, doubled inside them.
    pub quote: Option<u8>,
    /// Whether the first record names the columns.
    pub header: bool,
    /// Column names of a file without a header; empty: `column_1`, `column_2`, …
    pub names: Vec<String>,
    /// Encoding of the text.
    pub encoding: Encoding,
}

/// Details of a workbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcelFormat {
    /// Sheet by name; the first one when absent.
    pub sheet: Option<String>,
    /// Row of the column names, from 1.
    pub header_row: u32,
}

/// Encoding of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The byte order mark if there is one, else UTF-8 if all of it is valid, else GB18030 if it looks like it.
    Auto,
    /// This one.
    Fixed(&'static encoding_rs::Encoding),
}

/// Where an item's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnSource {
    /// A raw column.
    Raw(FromColumn),
    /// A named capture of the file pattern; date formats apply.
    File {
        /// Name of the capture.
        capture: String,
        /// Date or time formats, first that fits.
        formats: Vec<String>,
    },
    /// The same text in each row.
    Constant(String),
    /// A SQL expression over the raw columns.
    Sql(String),
}

/// A raw column and how its text is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromColumn {
    /// Names the column has had; the first that is present counts.
    pub names: Vec<String>,
    /// Date or time formats, first that fits.
    pub formats: Vec<String>,
    /// Whether decimals are written with a comma.
    pub decimal_comma: bool,
    /// Whether white space around text is removed.
    pub trim: bool,
    /// Whether the column may be absent; the item is NULL then.
    pub optional: bool,
}
