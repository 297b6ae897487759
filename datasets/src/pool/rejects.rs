//! Rejected rows on their way to the rejects table: counted in memory, kept in a temporary file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use basin_catalog::DeliveryId;

use crate::conform::Reject;
use crate::report::RejectReport;
use crate::{DatasetsError, Result};

/// Rejected rows named in a report or a refusal.
const SHOWN: usize = 20;
/// Rows buffered before they go to the file.
const BUFFERED: usize = 4096;

/// Schema of the rejects tables.
///
/// Columns: delivery, file, line, raw, rule, item (nullable), reason; text but for `line`.
pub(crate) fn reject_schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("delivery", false),
        text("file", false),
        Field::new("line", DataType::Int64, false),
        text("raw", false),
        text("rule", false),
        text("item", true),
        text("reason", false),
    ]))
}

/// Collects the rejects of one dataset's pass.
pub(super) struct RejectSpool {
    delivery: DeliveryId,
    file_names: Vec<String>,
    path: PathBuf,
    writer: Option<StreamWriter<BufWriter<File>>>,
    buffer: Vec<Reject>,
    counts: RejectCounts,
}

impl fmt::Debug for RejectSpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectSpool")
            .field("path", &self.path)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// Numbers of rejected rows.
#[derive(Debug, Clone, Default)]
pub(super) struct RejectCounts {
    pub(super) by_rule: BTreeMap<String, u64>,
    /// By number of the file.
    pub(super) by_file: Vec<u64>,
    pub(super) first: Vec<RejectReport>,
}

impl RejectCounts {
    pub(super) fn total(&self) -> u64 {
        self.by_file.iter().sum()
    }
}

impl RejectSpool {
    /// Prepares a spool; the file is created when the first rows are written.
    pub(super) fn new(delivery: DeliveryId, file_names: Vec<String>, path: PathBuf) -> Self {
        let counts = RejectCounts { by_file: vec![0; file_names.len()], ..RejectCounts::default() };
        Self { delivery, file_names, path, writer: None, buffer: Vec::new(), counts }
    }

    /// Takes rejects.
    pub(super) fn push(&mut self, rejects: Vec<Reject>) -> Result<()> {
        for reject in rejects {
            *self.counts.by_rule.entry(reject.rule.clone()).or_default() += 1;
            if let Some(count) = self.counts.by_file.get_mut(reject.file as usize) {
                *count += 1;
            }
            if self.counts.first.len() < SHOWN {
                self.counts.first.push(RejectReport {
                    file: self.file_name(&reject).to_owned(),
                    line: reject.line,
                    rule: reject.rule.clone(),
                    item: reject.item.clone(),
                    reason: reject.reason.clone(),
                });
            }
            self.buffer.push(reject);
            if self.buffer.len() >= BUFFERED {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Closes the file; gives the numbers and a reader of the rows, none when there are none.
    pub(super) fn finish(mut self) -> Result<(RejectCounts, Option<StreamReader<BufReader<File>>>)> {
        self.flush()?;
        self.counts.first.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        let Some(mut writer) = self.writer.take() else { return Ok((self.counts, None)) };
        writer.finish()?;
        drop(writer);
        let file =
            File::open(&self.path).map_err(|source| DatasetsError::Io { path: self.path.clone(), source })?;
        Ok((self.counts, Some(StreamReader::try_new(BufReader::new(file), None)?)))
    }

    fn file_name(&self, reject: &Reject) -> &str {
        self.file_names.get(reject.file as usize).map_or("", String::as_str)
    }

    fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let batch = self.batch()?;
        self.buffer.clear();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            closed => {
                let file = File::create(&self.path)
                    .map_err(|source| DatasetsError::Io { path: self.path.clone(), source })?;
                closed.insert(StreamWriter::try_new(BufWriter::new(file), &reject_schema())?)
            }
        };
        Ok(writer.write(&batch)?)
    }

    fn batch(&self) -> Result<RecordBatch> {
        let delivery = self.delivery.to_string();
        let rows = &self.buffer;
        let text = |value: fn(&Reject) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|_| &delivery))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|reject| self.file_name(reject)))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|reject| reject.line.cast_signed()))),
            text(|reject| &reject.raw),
            text(|reject| &reject.rule),
            Arc::new(StringArray::from_iter(rows.iter().map(|reject| reject.item.as_deref()))),
            text(|reject| &reject.reason),
        ];
        Ok(RecordBatch::try_new(reject_schema(), columns)?)
    }
}
