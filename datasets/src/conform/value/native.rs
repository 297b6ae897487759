//! Values that come with a type: from Parquet and Arrow files, and from SQL mappings.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, can_cast_types, cast, cast_with_options, nullif};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;

use super::{Fail, Reading, parse, trimmed};
use crate::error::{DatasetsError, Result};

/// Brings a column to the item's type; a value that would change is told of and NULL.
pub(in crate::conform) fn convert(values: &ArrayRef, reading: &Reading, fail: Fail<'_>) -> Result<ArrayRef> {
    if let Some(text) = values.as_string_opt::<i32>() {
        return parse(text, reading, fail);
    }
    let from = values.data_type();
    if is_text(from) {
        return parse(cast(values, &DataType::Utf8)?.as_string::<i32>(), reading, fail);
    }
    if *from == DataType::Null {
        return Ok(new_null_array(&reading.r#type, values.len()));
    }
    if !can_cast_types(from, &reading.r#type) {
        let reason = format!("a raw column of type {from} can't become {}; map it with sql", reading.r#type);
        return Err(DatasetsError::Refused { reason });
    }
    let values = without_missing(values, reading)?;
    if *from == reading.r#type {
        return Ok(values);
    }
    let typed =
        cast_with_options(&values, &reading.r#type, &CastOptions { safe: true, ..CastOptions::default() })?;
    let kept = same_or_missing(&values, &typed)?;
    if kept.true_count() == values.len() {
        return Ok(typed);
    }
    for row in (0..values.len()).filter(|row| !kept.value(*row)) {
        fail(row, &array_value_to_string(&values, row)?);
    }
    let lost = arrow::compute::not(&kept)?;
    Ok(nullif(&typed, &lost)?)
}

/// Tells per value whether it survived: by reading the result back, which shows roundings too.
fn same_or_missing(values: &ArrayRef, typed: &ArrayRef) -> Result<BooleanArray> {
    let (from, to) = (values.data_type(), typed.data_type());
    let approximate = from.is_floating() && to.is_floating();
    if approximate || is_text(to) || from.is_nested() || !can_cast_types(to, from) {
        let kept = (0..values.len()).map(|row| values.is_null(row) || typed.is_valid(row));
        return Ok(kept.map(Some).collect());
    }
    let back = cast_with_options(typed, from, &CastOptions { safe: true, ..CastOptions::default() })?;
    Ok(not_distinct(&back, values)?)
}

/// Makes values NULL whose text is a label for missing.
fn without_missing(values: &ArrayRef, reading: &Reading) -> Result<ArrayRef> {
    if reading.missing.is_empty() || !can_cast_types(values.data_type(), &DataType::Utf8) {
        return Ok(Arc::clone(values));
    }
    let text = cast(values, &DataType::Utf8)?;
    let labelled = text.as_string::<i32>().iter();
    let labelled: BooleanArray =
        labelled.map(|text| Some(text.is_some_and(|text| reading.missing.contains(trimmed(text))))).collect();
    Ok(nullif(values, &labelled)?)
}

fn is_text(r#type: &DataType) -> bool {
    match r#type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}
