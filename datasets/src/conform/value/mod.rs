//! Raw values to typed columns: one parser per type, run over a whole column.
//!
//! What can't be read is NULL and told of; nothing is rounded, cut or guessed.

mod list;
mod native;
mod number;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};

pub(super) use native::convert;

use crate::error::{DatasetsError, Result};

/// How an item's text is read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) r#type: DataType,
    /// Date or time formats, first that fits; empty: ISO 8601.
    pub(super) formats: Vec<String>,
    pub(super) decimal_comma: bool,
    pub(super) trim: bool,
    /// Labels that stand for a missing value.
    pub(super) missing: HashSet<String>,
}

impl Reading {
    /// Reads a type's canonical text: for constants and limits.
    pub(super) fn canonical(r#type: DataType) -> Self {
        Self { r#type, formats: Vec::new(), decimal_comma: false, trim: true, missing: HashSet::new() }
    }
}

/// Told of each value that can't be read: its row and text.
pub(super) type Fail<'a> = &'a mut dyn FnMut(usize, &str);

/// Reads a column of text.
pub(super) fn parse(values: &StringArray, reading: &Reading, fail: Fail<'_>) -> Result<ArrayRef> {
    let comma = reading.decimal_comma;
    Ok(match &reading.r#type {
        DataType::Utf8 => text::text(values, reading),
        DataType::Binary => text::binary(values, reading, fail),
        DataType::Boolean => boolean(values, reading, fail),
        DataType::Int8 => integers::<Int8Type>(values, reading, fail),
        DataType::Int16 => integers::<Int16Type>(values, reading, fail),
        DataType::Int32 => integers::<Int32Type>(values, reading, fail),
        DataType::Int64 => integers::<Int64Type>(values, reading, fail),
        DataType::UInt8 => integers::<UInt8Type>(values, reading, fail),
        DataType::UInt16 => integers::<UInt16Type>(values, reading, fail),
        DataType::UInt32 => integers::<UInt32Type>(values, reading, fail),
        DataType::UInt64 => integers::<UInt64Type>(values, reading, fail),
        DataType::Float32 => {
            let parse =
                |text| number::float(text, comma).map(|number| number as f32).filter(|n| n.is_finite());
            Arc::new(primitive::<Float32Type>(values, reading, fail, parse))
        }
        DataType::Float64 => {
            Arc::new(primitive::<Float64Type>(values, reading, fail, |text| number::float(text, comma)))
        }
        DataType::Decimal128(precision, scale) => {
            let parse = |text| number::decimal(text, comma, *precision, *scale);
            let numbers = primitive::<Decimal128Type>(values, reading, fail, parse);
            Arc::new(numbers.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Date32 => {
            let mut dates = time::Dates::new(&reading.formats);
            Arc::new(primitive::<Date32Type>(values, reading, fail, |text| dates.parse(text)))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let parse = |text| time::time(text, &reading.formats);
            Arc::new(primitive::<Time64MicrosecondType>(values, reading, fail, parse))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let parse = |text| time::timestamp(text, &reading.formats, zone.is_some());
            let times = primitive::<TimestampMicrosecondType>(values, reading, fail, parse);
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::List(field) => list::list(values, reading, field, fail)?,
        other => return Err(DatasetsError::manifest("items", format!("text can't be read as {other}"))),
    })
}

fn integers<T: ArrowPrimitiveType>(values: &StringArray, reading: &Reading, fail: Fail<'_>) -> ArrayRef
where
    T::Native: TryFrom<i128>,
{
    Arc::new(primitive::<T>(values, reading, fail, |text| T::Native::try_from(number::integer(text)?).ok()))
}

/// Runs a parser over a column: blank and missing labels are NULL.
fn primitive<'a, T: ArrowPrimitiveType>(
    values: &'a StringArray,
    reading: &Reading,
    fail: Fail<'_>,
    mut parse: impl FnMut(&'a str) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let (mut numbers, mut valid) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
    for (row, value) in values.iter().enumerate() {
        let text = value.map(trimmed).filter(|text| !reading.missing.contains(*text));
        let number = text.and_then(&mut parse);
        if let (Some(text), None) = (text, number) {
            fail(row, text);
        }
        numbers.push(number.unwrap_or_default());
        valid.push(number.is_some());
    }
    PrimitiveArray::new(numbers.into(), Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0))
}

fn boolean(values: &StringArray, reading: &Reading, fail: Fail<'_>) -> ArrayRef {
    let read = |(row, value): (usize, Option<&str>)| {
        let text = value.map(trimmed).filter(|text| !reading.missing.contains(*text))?;
        let truth = number::truth(text);
        if truth.is_none() {
            fail(row, text);
        }
        truth
    };
    Arc::new(values.iter().enumerate().map(read).collect::<BooleanArray>())
}

/// Removes surrounding white space; nearly all values have none.
#[inline]
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}
