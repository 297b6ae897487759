//! Lists, written as JSON arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, StringArray, StringBuilder};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::FieldRef;
use serde_json::value::RawValue;

use super::{Fail, Reading, parse, trimmed};
use crate::error::Result;

/// Reads each value as a JSON array whose elements are read like the list's type.
pub(super) fn list(
    values: &StringArray,
    reading: &Reading,
    field: &FieldRef,
    fail: Fail<'_>,
) -> Result<ArrayRef> {
    let (mut elements, mut owners) = (StringBuilder::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
    for (row, value) in values.iter().enumerate() {
        let text = value.map(trimmed).filter(|text| !reading.missing.contains(*text));
        let parts = text.and_then(parts);
        if let (Some(text), None) = (text, &parts) {
            fail(row, text);
        }
        valid.push(parts.is_some());
        let parts = parts.unwrap_or_default();
        lengths.push(parts.len());
        owners.extend(parts.iter().map(|_| row));
        for part in parts {
            elements.append_option(part);
        }
    }
    let inner = Reading { r#type: field.data_type().clone(), ..reading.clone() };
    let elements = parse(&elements.finish(), &inner, &mut |element, text| {
        if let Some(row) = owners.get(element) {
            fail(*row, text);
        }
    })?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, elements, Some(NullBuffer::from(valid)))?))
}

fn parts(text: &str) -> Option<Vec<Option<String>>> {
    let parts: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let part = |raw: &&RawValue| match raw.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw.get()).ok().map(Some),
        Some(b'n') => Some(None),
        _ => Some(Some(raw.get().to_owned())),
    };
    parts.iter().map(part).collect()
}
