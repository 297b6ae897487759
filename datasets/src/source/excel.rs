//! Excel workbooks, as text: what a cell shows, without the number format.
//!
//! The sheet is held in memory whole; a sheet has at most 1,048,576 rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::SchemaRef;
use calamine::{Data, ExcelDateTime, Range, Reader, open_workbook_auto};

use super::header::text_schema;
use super::raw::{RawBatch, RawRows, append};
use super::{OnBytes, RawBatches, SourceFile, batches};
use crate::error::{DatasetsError, Result};
use crate::manifest::ExcelFormat;

/// Opens a workbook.
pub(super) fn open(
    file: &SourceFile,
    format: &ExcelFormat,
    batch_rows: usize,
    on_bytes: &OnBytes,
) -> Result<RawBatches> {
    let range = sheet(file, format)?;
    on_bytes(file.bytes);
    let header = format.header_row - 1;
    let Some((last_row, last_column)) = range.end().filter(|(row, _)| *row >= header) else {
        return Err(DatasetsError::file(
            &file.name,
            format!(
                "the sheet has no row {}, where the header should be; set `header_row` in the format",
                header + 1
            ),
        ));
    };
    let columns: Vec<u32> =
        (0..=last_column).filter(|column| is_used(&range, header, last_row, *column)).collect();
    let names = columns.iter().map(|column| match text(range.get_value((header, *column))) {
        name if name.trim().is_empty() => format!("column_{}", column + 1),
        name => name,
    });
    let schema = text_schema(&file.name, names)?;
    let mut sheet = Sheet {
        index: file.index,
        name: Arc::from(file.name.as_str()),
        schema,
        columns,
        next_row: header + 1,
        last_row,
        emitted: false,
        range,
    };
    Ok(batches(move || sheet.next_batch(batch_rows)))
}

fn sheet(file: &SourceFile, format: &ExcelFormat) -> Result<Range<Data>> {
    let refuse = |error: calamine::Error| {
        let reason = "the file can't be read as an Excel workbook; it may be cut off or in another format: deliver it again";
        DatasetsError::file_because(&file.name, reason, error)
    };
    let mut workbook = open_workbook_auto(&file.path).map_err(refuse)?;
    let sheets = workbook.sheet_names();
    let name = match &format.sheet {
        Some(name) if sheets.contains(name) => name,
        Some(name) => {
            let reason = format!("there is no sheet `{name}`; the workbook has {}", sheets.join(", "));
            return Err(DatasetsError::file(&file.name, reason));
        }
        None => sheets.first().ok_or_else(|| DatasetsError::file(&file.name, "the workbook has no sheet"))?,
    };
    let range = workbook.worksheet_range(name).map_err(refuse)?;
    if range.is_empty() {
        return Err(DatasetsError::file(
            &file.name,
            format!("the sheet `{name}` is empty; name another or deliver it again"),
        ));
    }
    Ok(range)
}

/// A column counts when it has a name or any value below the header.
fn is_used(range: &Range<Data>, header: u32, last: u32, column: u32) -> bool {
    (header..=last).any(|row| !text(range.get_value((row, column))).trim().is_empty())
}

struct Sheet {
    index: u32,
    name: Arc<str>,
    schema: SchemaRef,
    columns: Vec<u32>,
    next_row: u32,
    last_row: u32,
    emitted: bool,
    range: Range<Data>,
}

impl Sheet {
    fn next_batch(&mut self, batch_rows: usize) -> Result<Option<RawBatch>> {
        let mut builders: Vec<_> = self.columns.iter().map(|_| StringBuilder::new()).collect();
        let mut lines = Vec::new();
        while self.next_row <= self.last_row && lines.len() < batch_rows {
            let row = self.next_row;
            self.next_row += 1;
            let cells: Vec<String> =
                self.columns.iter().map(|column| text(self.range.get_value((row, *column)))).collect();
            if cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            for (builder, cell) in builders.iter_mut().zip(&cells) {
                append(builder, cell);
            }
            lines.push(u64::from(row) + 1);
        }
        if lines.is_empty() && self.emitted {
            return Ok(None);
        }
        self.emitted = true;
        let columns = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Some(RawBatch {
            file: self.index,
            name: Arc::clone(&self.name),
            raw: RawRows::Columns(rows.clone()),
            rows,
            lines,
            malformed: Vec::new(),
        }))
    }
}

/// A cell's value as text: text as it is, whole numbers without a fraction, dates as ISO 8601.
fn text(cell: Option<&Data>) -> String {
    match cell {
        None | Some(Data::Empty) => String::new(),
        Some(Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text)) => text.clone(),
        Some(Data::Int(number)) => number.to_string(),
        Some(Data::Float(number)) => number.to_string(),
        Some(Data::Bool(truth)) => truth.to_string(),
        Some(Data::DateTime(time)) => time_text(time),
        Some(Data::Error(error)) => error.to_string(),
    }
}

fn time_text(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    let clock = format!("{minute:02}:{second:02}{fraction}");
    if time.is_duration() {
        // A duration counts hours beyond a day.
        return format!("{:02}:{clock}", (time.as_f64() * 24.0 + 1e-9).floor());
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (time.as_f64(), (hour, minute, second, milli)) {
        (serial, _) if (0.0..1.0).contains(&serial) => format!("{hour:02}:{clock}"),
        (_, (0, 0, 0, 0)) => date,
        _ => format!("{date}T{hour:02}:{clock}"),
    }
}
