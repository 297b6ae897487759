//! Raw rows: what a reader hands on.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::conform::Reject;

/// Longest raw text that is kept of a rejected row.
const RAW_BYTES: usize = 4096;

/// Some rows of a file as they were delivered.
#[derive(Debug)]
pub(crate) struct RawBatch {
    /// Position of the file in the delivery.
    pub(crate) file: u32,
    /// Name of the file.
    pub(crate) name: Arc<str>,
    /// Raw columns named by the header, all nullable.
    pub(crate) rows: RecordBatch,
    /// Per row: 1-based physical line where it starts, or row number.
    pub(crate) lines: Vec<u64>,
    pub(crate) raw: RawRows,
    /// Rows that could not be split into the columns.
    pub(crate) malformed: Vec<Reject>,
}

/// The rows' raw text, kept without copying until a row is rejected.
#[derive(Debug)]
pub(crate) enum RawRows {
    /// Parts of a decoded block.
    Text { block: Arc<String>, spans: Vec<(u32, u32)> },
    /// Rows that never were text: shown as JSON.
    Columns(RecordBatch),
}

impl RawRows {
    /// Returns the raw text of a row, cut at 4 KiB.
    pub(crate) fn text(&self, row: usize) -> String {
        match self {
            Self::Text { block, spans } => {
                let span = spans.get(row).and_then(|(start, end)| block.get(*start as usize..*end as usize));
                cut(span.unwrap_or_default())
            }
            Self::Columns(rows) => cut(&json_text(rows, row)),
        }
    }
}

/// Cuts a text at 4 KiB, at a character's end.
pub(super) fn cut(text: &str) -> String {
    let mut end = text.len().min(RAW_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

fn json_text(rows: &RecordBatch, row: usize) -> String {
    let options = FormatOptions::new();
    let mut object = serde_json::Map::new();
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let value = match ArrayFormatter::try_new(column, &options) {
            Ok(formatter) if column.is_valid(row) => formatter.value(row).to_string().into(),
            _ => serde_json::Value::Null,
        };
        object.insert(field.name().clone(), value);
    }
    serde_json::Value::Object(object).to_string()
}

/// Tells whether a raw field says nothing.
pub(super) fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        None => true,
        Some(byte) if byte.is_ascii_graphic() => false,
        Some(_) => text.trim().is_empty(),
    }
}

/// Appends a raw field, blank as NULL.
pub(super) fn append(builder: &mut StringBuilder, text: &str) {
    if is_blank(text) {
        builder.append_null();
    } else {
        builder.append_value(text);
    }
}
