//! Text and bytes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryBuilder, StringArray, StringBuilder};

use super::{Fail, Reading, trimmed};

/// Keeps text, trimmed unless the manifest says otherwise.
pub(super) fn text(values: &StringArray, reading: &Reading) -> ArrayRef {
    let kept = |text: &str| trimmed(text).len() == text.len() || !reading.trim;
    if reading.missing.is_empty() && values.iter().flatten().all(kept) {
        return Arc::new(values.clone());
    }
    let mut builder = StringBuilder::with_capacity(values.len(), values.value_data().len());
    for value in values {
        let text = value.filter(|text| !reading.missing.contains(trimmed(text)));
        builder.append_option(text.map(|text| if reading.trim { trimmed(text) } else { text }));
    }
    Arc::new(builder.finish())
}

/// Reads bytes written as hexadecimal digits.
pub(super) fn binary(values: &StringArray, reading: &Reading, fail: Fail<'_>) -> ArrayRef {
    let mut builder = BinaryBuilder::with_capacity(values.len(), values.value_data().len() / 2);
    for (row, value) in values.iter().enumerate() {
        let text = value.map(trimmed).filter(|text| !reading.missing.contains(*text));
        let bytes = text.and_then(hexadecimal);
        if let (Some(text), None) = (text, &bytes) {
            fail(row, text);
        }
        builder.append_option(bytes);
    }
    Arc::new(builder.finish())
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
