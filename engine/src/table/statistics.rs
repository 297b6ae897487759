//! Statistics: a file's bounds and null counts, from the JSON of the Delta log.
//!
//! A bound is exact only when a value of the column equals it: only then may it answer `MIN` or `MAX`.

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Writers cut texts in statistics at 32 characters (Delta) or 64 bytes (Parquet).
const UNCUT_CHARS: usize = 32;
const UNCUT_BYTES: usize = 64;
/// Digits that a JSON number is sure to keep.
const JSON_DIGITS: u8 = 15;

/// The `stats` field of an `add` action.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FileStats {
    num_records: Option<usize>,
    min_values: Map<String, Value>,
    max_values: Map<String, Value>,
    null_count: Map<String, Value>,
}

impl FileStats {
    /// Parses the JSON text; what can't be read is unknown, never wrong.
    pub(super) fn parse(json: Option<&str>) -> Self {
        json.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Builds the statistics of the columns of `schema`; `partition` holds the values of the last ones.
    pub(super) fn columns(&self, schema: &SchemaRef, partition: &[ScalarValue], bytes: u64) -> Statistics {
        let stored = schema.fields().len().saturating_sub(partition.len());
        let rows = self.num_records.map_or(Precision::Absent, Precision::Exact);
        let from_log = schema.fields().iter().take(stored).map(|field| ColumnStatistics {
            null_count: self.nulls(field.name()),
            min_value: bound(self.min_values.get(field.name()), field.data_type()),
            max_value: bound(self.max_values.get(field.name()), field.data_type()),
            ..ColumnStatistics::new_unknown()
        });
        let constant = partition.iter().map(|value| constant_column(value, rows));
        Statistics {
            num_rows: rows,
            total_byte_size: Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX)),
            column_statistics: from_log.chain(constant).collect(),
        }
    }

    fn nulls(&self, column: &str) -> Precision<usize> {
        self.null_count
            .get(column)
            .and_then(Value::as_u64)
            .and_then(|count| usize::try_from(count).ok())
            .map_or(Precision::Absent, Precision::Exact)
    }
}

fn constant_column(value: &ScalarValue, rows: Precision<usize>) -> ColumnStatistics {
    let unknown = ColumnStatistics::new_unknown();
    if value.is_null() {
        return ColumnStatistics { null_count: rows, ..unknown };
    }
    ColumnStatistics {
        null_count: Precision::Exact(0),
        min_value: Precision::Exact(value.clone()),
        max_value: Precision::Exact(value.clone()),
        distinct_count: Precision::Exact(1),
        ..unknown
    }
}

fn bound(value: Option<&Value>, data_type: &DataType) -> Precision<ScalarValue> {
    let Some(value) = value else { return Precision::Absent };
    let found = match data_type {
        DataType::Boolean => value.as_bool().map(|known| (ScalarValue::from(known), true)),
        DataType::Utf8View => value.as_str().map(|text| {
            let whole = text.chars().count() < UNCUT_CHARS && text.len() < UNCUT_BYTES;
            (ScalarValue::Utf8View(Some(text.to_owned())), whole)
        }),
        DataType::Float32 | DataType::Float64 => {
            // NaN is outside the bounds, so they never are exact.
            value.as_f64().and_then(|number| of_type(number.to_string(), data_type)).map(|v| (v, false))
        }
        DataType::Date32 => {
            value.as_str().and_then(|text| of_type(text.to_owned(), data_type)).map(|v| (v, true))
        }
        DataType::Timestamp(..) => {
            // Delta readers and writers may cut at the millisecond.
            value.as_str().and_then(|text| of_type(text.to_owned(), data_type)).map(|v| (v, false))
        }
        DataType::Decimal128(precision, _) => decimal(value, *precision, data_type),
        number if number.is_integer() => {
            value.as_number().and_then(|n| of_type(n.to_string(), data_type)).map(|v| (v, true))
        }
        _ => None,
    };
    match found {
        Some((value, true)) => Precision::Exact(value),
        Some((value, false)) => Precision::Inexact(value),
        None => Precision::Absent,
    }
}

fn decimal(value: &Value, precision: u8, data_type: &DataType) -> Option<(ScalarValue, bool)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if precision <= JSON_DIGITS || number.is_i64() => number.to_string(),
        _ => return None,
    };
    if text.contains(['e', 'E']) {
        return None;
    }
    of_type(text, data_type).map(|value| (value, true))
}

/// Parses a text as a value of a type; `None` when it is none.
pub(super) fn of_type(text: String, data_type: &DataType) -> Option<ScalarValue> {
    ScalarValue::try_from_string(text, data_type).ok().filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::{Field, Schema};
    use std::sync::Arc;

    #[test]
    fn bounds_are_exact_only_where_a_value_equals_them() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("t", DataType::Utf8View, true),
            Field::new("d", DataType::Decimal128(15, 2), true),
            Field::new("f", DataType::Float64, true),
            Field::new("day", DataType::Date32, true),
        ]));
        let long = "x".repeat(32);
        let json = format!(
            r#"{{"numRecords":3,"minValues":{{"n":-2,"t":"a","d":1.5,"f":0.5,"day":"2020-01-11"}},
            "maxValues":{{"n":9007199254740993,"t":"{long}","d":12345678901.25,"f":2.5}},"nullCount":{{"n":1}}}}"#
        );
        let stats = FileStats::parse(Some(&json)).columns(&schema, &[], 10);
        let columns = &stats.column_statistics;
        assert_eq!(stats.num_rows, Precision::Exact(3));
        assert_eq!(columns[0].max_value, Precision::Exact(ScalarValue::Int64(Some(9_007_199_254_740_993))));
        assert_eq!(columns[0].null_count, Precision::Exact(1));
        assert!(matches!(columns[1].min_value, Precision::Exact(_)));
        assert!(matches!(columns[1].max_value, Precision::Inexact(_)));
        assert_eq!(
            columns[2].max_value,
            Precision::Exact(ScalarValue::Decimal128(Some(1_234_567_890_125), 15, 2))
        );
        assert!(matches!(columns[3].min_value, Precision::Inexact(_)));
        assert_eq!(columns[4].min_value, Precision::Exact(ScalarValue::Date32(Some(18_272))));
        assert_eq!(columns[4].max_value, Precision::Absent);
    }

    #[test]
    fn unreadable_statistics_are_unknown() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let stats = FileStats::parse(Some("not json")).columns(&schema, &[], 10);
        assert_eq!(stats.num_rows, Precision::Absent);
        assert_eq!(stats.column_statistics[0].min_value, Precision::Absent);
    }
}
