//! Statistics of a data file as Delta's `stats` JSON, from the Parquet footer.
//!
//! All columns have a null count; minimum and maximum are there for every type with an order that
//! JSON can carry. Decimals are written digit by digit, so that bounds stay exact. Bounds of long
//! texts are the footer's truncated ones: still bounds, not always values of the column.

use std::cmp::Ordering;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, make_comparator};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;

use crate::Result;

/// Formats the statistics of a file for the Delta log.
pub(crate) fn stats_json(schema: &Schema, metadata: &ParquetMetaData) -> Result<String> {
    let parquet_schema = metadata.file_metadata().schema_descr();
    let (mut lows, mut highs, mut nulls) = (Vec::new(), Vec::new(), Vec::new());
    for field in schema.fields() {
        let name = serde_json::Value::from(field.name().as_str());
        let converter = StatisticsConverter::try_new(field.name(), schema, parquet_schema)?;
        if field.data_type().is_nested() {
            continue;
        }
        let counts = converter.row_group_null_counts(metadata.row_groups())?;
        nulls.push(format!("{name}:{}", counts.iter().flatten().sum::<u64>()));
        let low = extreme(&converter.row_group_mins(metadata.row_groups())?, Ordering::Less)?;
        let high = extreme(&converter.row_group_maxes(metadata.row_groups())?, Ordering::Greater)?;
        if let (Some(low), Some(high)) = (low, high) {
            lows.push(format!("{name}:{low}"));
            highs.push(format!("{name}:{high}"));
        }
    }
    let mut json = format!("{{\"numRecords\":{}", metadata.file_metadata().num_rows());
    for (key, values) in [("minValues", lows), ("maxValues", highs), ("nullCount", nulls)] {
        // Writing to a string can't fail.
        let _ = write!(json, ",\"{key}\":{{{}}}", values.join(","));
    }
    json.push('}');
    Ok(json)
}

/// The smallest or largest of the row groups' bounds as JSON; none when the type has no JSON order.
fn extreme(bounds: &ArrayRef, wanted: Ordering) -> Result<Option<String>> {
    if matches!(bounds.data_type(), DataType::Binary | DataType::Null) || bounds.data_type().is_nested() {
        return Ok(None);
    }
    let compare = make_comparator(bounds, bounds, SortOptions::default())?;
    let best = (0..bounds.len())
        .filter(|row| bounds.is_valid(*row))
        .reduce(|best, row| if compare(row, best) == wanted { row } else { best });
    best.map_or(Ok(None), |row| json_value(bounds, row))
}

fn json_value(values: &ArrayRef, row: usize) -> Result<Option<String>> {
    let text = |values: &ArrayRef| -> Result<String> {
        Ok(ArrayFormatter::try_new(values.as_ref(), &FormatOptions::default())?.value(row).to_string())
    };
    Ok(match values.data_type() {
        DataType::Float32 | DataType::Float64 => {
            let text = text(values)?;
            text.parse::<f64>().is_ok_and(f64::is_finite).then_some(text)
        }
        DataType::Timestamp(_, zone) => {
            let micros: i64 = text(&cast(values, &DataType::Int64)?)?.parse().unwrap_or_default();
            let suffix = if zone.is_some() { "Z" } else { "" };
            DateTime::from_timestamp_micros(micros)
                .map(|at| format!("\"{}{suffix}\"", at.format("%Y-%m-%dT%H:%M:%S%.6f")))
        }
        DataType::Utf8 | DataType::Date32 => Some(serde_json::Value::from(text(values)?).to_string()),
        DataType::Boolean | DataType::Decimal128(..) => Some(text(values)?),
        number if number.is_integer() => Some(text(values)?),
        _ => None,
    })
}
