//! Delimited text: the fast path of pooling.
//!
//! Fields are found in a block without copying and then gathered column by column, so that each field is copied once.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::SchemaRef;

use super::block::Blocks;
use super::header::text_schema;
use super::raw::{RawBatch, RawRows, append, cut};
use super::split::{Dialect, Field, Step};
use super::{OnBytes, RawBatches, SourceFile, batches};
use crate::conform::Reject;
use crate::error::{DatasetsError, Result};
use crate::manifest::CsvFormat;

/// Opens delimited text.
pub(super) fn open(
    file: &SourceFile,
    format: &CsvFormat,
    batch_rows: usize,
    on_bytes: &OnBytes,
) -> Result<RawBatches> {
    let mut reader = CsvReader::open(file, format, batch_rows, on_bytes)?;
    Ok(batches(move || reader.next_batch()))
}

struct CsvReader {
    index: u32,
    name: Arc<str>,
    blocks: Blocks,
    dialect: Dialect,
    schema: SchemaRef,
    batch_rows: usize,
    emitted: bool,
}

/// Records of one block.
#[derive(Default)]
struct Rows {
    /// Fields of all well-formed rows, row after row.
    fields: Vec<Field>,
    spans: Vec<(u32, u32)>,
    lines: Vec<u64>,
    malformed: Vec<Reject>,
}

impl CsvReader {
    fn open(file: &SourceFile, format: &CsvFormat, batch_rows: usize, on_bytes: &OnBytes) -> Result<Self> {
        let blocks = Blocks::open(file, format.encoding, on_bytes)?;
        let text = blocks.block().as_bytes();
        let old_mac = memchr::memchr(b'\n', text).is_none() && memchr::memchr(b'\r', text).is_some();
        let dialect = Dialect {
            delimiter: format.delimiter,
            quote: format.quote,
            terminator: if old_mac { b'\r' } else { b'\n' },
        };
        let mut reader = Self {
            index: file.index,
            name: Arc::from(file.name.as_str()),
            blocks,
            dialect,
            schema: text_schema(&file.name, Vec::new())?,
            batch_rows,
            emitted: false,
        };
        reader.schema = reader.read_header(format)?;
        Ok(reader)
    }

    /// Takes the header, or counts the columns of a file without one.
    fn read_header(&mut self, format: &CsvFormat) -> Result<SchemaRef> {
        let mut fields = Vec::new();
        loop {
            let (start, last) = (self.blocks.position(), self.blocks.is_last());
            let block = Arc::clone(self.blocks.block());
            if start < block.len() {
                match self.dialect.record(block.as_bytes(), start, last, &mut fields) {
                    // Empty lines before the header.
                    Step::Record(record) if record.end == start => {
                        fields.clear();
                        self.blocks.advance(record.next, self.blocks.line() + record.lines);
                        continue;
                    }
                    Step::Record(_) if !format.header && !format.names.is_empty() => {
                        return text_schema(&self.name, format.names.iter().cloned());
                    }
                    Step::Record(_) if !format.header => {
                        return text_schema(&self.name, fields.iter().map(|_| String::new()));
                    }
                    Step::Record(record) => {
                        self.blocks.advance(record.next, self.blocks.line() + record.lines);
                        let names =
                            fields.iter().map(|field| self.dialect.value(&block, *field).into_owned());
                        return text_schema(&self.name, names);
                    }
                    Step::Unclosed => return Err(self.unclosed(self.blocks.line())),
                    Step::Incomplete => {}
                }
            }
            if !self.blocks.refill()? {
                return Err(DatasetsError::file(
                    &self.name,
                    "the file has no header line, only line ends; deliver it again",
                ));
            }
        }
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>> {
        loop {
            let rows = self.take_rows()?;
            let found = !rows.spans.is_empty() || !rows.malformed.is_empty();
            if found {
                self.emitted = true;
                return self.batch(rows).map(Some);
            }
            if !self.blocks.refill()? {
                // A file of nothing but a header still shows its columns.
                let first = !std::mem::replace(&mut self.emitted, true);
                return if first { self.batch(rows).map(Some) } else { Ok(None) };
            }
        }
    }

    /// Splits the records that are whole in the current block.
    fn take_rows(&mut self) -> Result<Rows> {
        let block = Arc::clone(self.blocks.block());
        let (width, last) = (self.schema.fields().len(), self.blocks.is_last());
        let (mut at, mut line) = (self.blocks.position(), self.blocks.line());
        let mut rows = Rows::default();
        let mut row_fields = 0;
        while rows.spans.len() < self.batch_rows && at < block.len() {
            let record = match self.dialect.record(block.as_bytes(), at, last, &mut rows.fields) {
                Step::Record(record) => record,
                Step::Incomplete => break,
                Step::Unclosed => return Err(self.unclosed(line)),
            };
            let count = rows.fields.len() - row_fields;
            if record.end == at {
                // Empty lines hold nothing.
                rows.fields.truncate(row_fields);
            } else if count != width || record.stray {
                rows.fields.truncate(row_fields);
                let reason = fault(count, width, record.stray);
                let raw = block.get(at..record.end).unwrap_or_default();
                rows.malformed.push(self.malformed(raw, line, reason));
            } else {
                row_fields = rows.fields.len();
                rows.spans.push((at as u32, record.end as u32));
                rows.lines.push(line);
            }
            at = record.next;
            line += record.lines;
        }
        self.blocks.advance(at, line);
        Ok(rows)
    }

    /// Gathers the fields into columns.
    fn batch(&self, rows: Rows) -> Result<RawBatch> {
        let block = Arc::clone(self.blocks.block());
        let width = self.schema.fields().len();
        let columns = (0..width).map(|column| self.gather(&block, &rows.fields, column, width)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.spans.len()));
        Ok(RawBatch {
            file: self.index,
            name: Arc::clone(&self.name),
            rows: RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?,
            lines: rows.lines,
            raw: RawRows::Text { block, spans: rows.spans },
            malformed: rows.malformed,
        })
    }

    fn gather(&self, block: &str, fields: &[Field], column: usize, width: usize) -> ArrayRef {
        let of_column = || fields.iter().skip(column).step_by(width);
        let bytes = of_column().map(|field| (field.end - field.start) as usize).sum();
        let mut builder = StringBuilder::with_capacity(fields.len() / width.max(1), bytes);
        for field in of_column() {
            if field.escaped {
                append(&mut builder, &self.dialect.value(block, *field));
            } else {
                append(&mut builder, block.get(field.start as usize..field.end as usize).unwrap_or_default());
            }
        }
        Arc::new(builder.finish())
    }

    fn malformed(&self, raw: &str, line: u64, reason: String) -> Reject {
        Reject { file: self.index, line, raw: cut(raw), rule: "fields".to_owned(), item: None, reason }
    }

    fn unclosed(&self, line: u64) -> DatasetsError {
        DatasetsError::Source {
            file: self.name.to_string(),
            line: Some(line),
            reason: "a quote in the record that starts here is never closed, so the rest of the file can't be split; \
                     correct the file, or set `quote` in the delivery's format (\"\" for none)"
                .to_owned(),
            source: None,
        }
    }
}

fn fault(count: usize, width: usize, stray: bool) -> String {
    if stray {
        return "text follows a closing quote".to_owned();
    }
    format!("{count} fields where the header has {width}")
}
