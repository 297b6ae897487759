//! A result as CSV, JSON, Arrow IPC or Parquet, batch by batch.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::{csv, json};
use futures::stream::StreamExt as _;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Format;
use super::source::Answer;
use super::target::Target;
use crate::commands::error::{CommandError, Result};

/// Writes a whole result to `target`.
///
/// # Errors
/// Those of the query, of the output, and `Format` for types that the format can't hold.
pub(crate) async fn write(answer: Answer, format: Format, target: &mut Target) -> Result<()> {
    let Answer { schema, mut batches } = answer;
    let form = name(format);
    let buffer = Buffer::default();
    let failed = |source| CommandError::format(form, source);
    let mut encoder = Encoder::new(format, target.is_file(), schema, buffer.clone()).map_err(failed)?;
    while let Some(batch) = batches.next().await {
        encoder.write(&batch?).map_err(failed)?;
        target.write(&buffer.take())?;
    }
    encoder.finish().map_err(failed)?;
    target.write(&buffer.take())
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Table => "a table",
        Format::Csv => "CSV",
        Format::Json => "JSON",
        Format::Jsonl => "JSON lines",
        Format::Arrow => "Arrow IPC",
        Format::Parquet => "Parquet",
    }
}

/// What an encoder has written and nobody has taken yet. Encoders own their output; this lets
/// errors of the output stay apart from theirs, which some of them turn into text.
#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes())
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Encoder {
    Csv { writer: csv::Writer<Buffer>, schema: SchemaRef, empty: bool },
    Json(json::Writer<Buffer, json::writer::JsonArray>),
    Jsonl(json::Writer<Buffer, json::writer::LineDelimited>),
    ArrowStream(StreamWriter<Buffer>),
    ArrowFile(FileWriter<Buffer>),
    Parquet(Box<ArrowWriter<Buffer>>),
    Table,
}

impl Encoder {
    fn new(
        format: Format,
        to_file: bool,
        schema: SchemaRef,
        buffer: Buffer,
    ) -> std::result::Result<Self, ArrowError> {
        Ok(match format {
            Format::Table => Self::Table,
            Format::Csv => {
                let writer = csv::WriterBuilder::new().with_header(true).build(buffer);
                Self::Csv { writer, schema, empty: true }
            }
            Format::Json => {
                // Every object has every key: readers that look at the first one see them all.
                Self::Json(json::WriterBuilder::new().with_explicit_nulls(true).build(buffer))
            }
            Format::Jsonl => Self::Jsonl(json::WriterBuilder::new().with_explicit_nulls(true).build(buffer)),
            Format::Arrow if to_file => Self::ArrowFile(FileWriter::try_new(buffer, &schema)?),
            Format::Arrow => Self::ArrowStream(StreamWriter::try_new(buffer, &schema)?),
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let writer = ArrowWriter::try_new(buffer, schema, Some(properties)).map_err(in_arrow)?;
                Self::Parquet(Box::new(writer))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> std::result::Result<(), ArrowError> {
        match self {
            Self::Table => Ok(()),
            Self::Csv { writer, empty, .. } => {
                *empty = false;
                writer.write(batch)
            }
            Self::Json(writer) => writer.write(batch),
            Self::Jsonl(writer) => writer.write(batch),
            Self::ArrowStream(writer) => writer.write(batch),
            Self::ArrowFile(writer) => writer.write(batch),
            Self::Parquet(writer) => writer.write(batch).map_err(in_arrow),
        }
    }

    fn finish(self) -> std::result::Result<(), ArrowError> {
        match self {
            Self::Table => Ok(()),
            // The header is written with the first batch, so an empty result needs one.
            Self::Csv { mut writer, schema, empty: true } => writer.write(&RecordBatch::new_empty(schema)),
            Self::Csv { .. } => Ok(()),
            Self::Json(mut writer) => writer.finish(),
            Self::Jsonl(mut writer) => writer.finish(),
            Self::ArrowStream(mut writer) => writer.finish(),
            Self::ArrowFile(mut writer) => writer.finish(),
            Self::Parquet(writer) => writer.close().map(drop).map_err(in_arrow),
        }
    }
}

fn in_arrow(error: ParquetError) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn batch() -> RecordBatch {
        let province: ArrayRef = Arc::new(StringArray::from(vec![Some("湖北"), Some("a,b")]));
        let confirmed: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        RecordBatch::try_from_iter([("province", province), ("confirmed", confirmed)]).unwrap()
    }

    fn encoded(format: Format, to_file: bool, batches: &[RecordBatch]) -> Vec<u8> {
        let buffer = Buffer::default();
        let schema = batch().schema();
        let mut encoder = Encoder::new(format, to_file, schema, buffer.clone()).unwrap();
        for batch in batches {
            encoder.write(batch).unwrap();
        }
        encoder.finish().unwrap();
        buffer.take()
    }

    #[test]
    fn csv_has_one_header_even_without_rows() {
        let text = String::from_utf8(encoded(Format::Csv, false, &[batch(), batch()])).unwrap();
        assert_eq!(text, "province,confirmed\n湖北,1\n\"a,b\",\n湖北,1\n\"a,b\",\n");
        let text = String::from_utf8(encoded(Format::Csv, false, &[])).unwrap();
        assert_eq!(text, "province,confirmed\n");
    }

    #[test]
    fn json_is_an_array_with_nulls() {
        let value: serde_json::Value =
            serde_json::from_slice(&encoded(Format::Json, false, &[batch()])).unwrap();
        let expected = serde_json::json!([
            {"province": "湖北", "confirmed": 1},
            {"province": "a,b", "confirmed": null},
        ]);
        assert_eq!(value, expected);
        assert_eq!(encoded(Format::Json, false, &[]), b"[]");
        let lines = encoded(Format::Jsonl, false, &[batch()]);
        let rows: Vec<serde_json::Value> =
            lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(serde_json::Value::from(rows), expected);
    }

    #[test]
    fn arrow_and_parquet_are_read_back() {
        let stream = encoded(Format::Arrow, false, &[batch()]);
        let mut reader = arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), batch());
        let file = encoded(Format::Arrow, true, &[batch()]);
        let file = std::io::Cursor::new(file);
        let mut reader = arrow::ipc::reader::FileReader::try_new(file, None).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), batch());
        let file = Bytes::from(encoded(Format::Parquet, true, &[batch()]));
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), batch());
    }
}
