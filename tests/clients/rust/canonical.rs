//! Arrow values as canonical text: see `tests/clients/README.md`.

use anyhow::{Context, Result, bail};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType,
    TimeUnit,
};
use arrow::util::display::array_value_to_string;
use chrono::DateTime;
use serde_json::{Value, json};

/// Returns a value as canonical text; null for NULL.
pub(crate) fn value(array: &ArrayRef, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Binary => json!(hex(array.as_binary::<i32>().value(row))),
        DataType::FixedSizeBinary(_) => json!(hex(array.as_fixed_size_binary().value(row))),
        DataType::Date32 | DataType::Date64 => {
            let days = number(&cast(array, &DataType::Date32)?, &DataType::Int32, row)?;
            json!(moment(days * 86_400, 0)?.format("%Y-%m-%d").to_string())
        }
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let width = if matches!(unit, TimeUnit::Second | TimeUnit::Millisecond) {
                DataType::Int32
            } else {
                DataType::Int64
            };
            json!(second_of(number(array, &width, row)?, *unit, "%H:%M:%S")?)
        }
        DataType::Timestamp(unit, zone) => {
            let text = second_of(number(array, &DataType::Int64, row)?, *unit, "%Y-%m-%dT%H:%M:%S")?;
            json!(if zone.is_some() { text + "Z" } else { text })
        }
        DataType::Duration(unit) => {
            let name = match unit {
                TimeUnit::Second => "s",
                TimeUnit::Millisecond => "ms",
                TimeUnit::Microsecond => "us",
                TimeUnit::Nanosecond => "ns",
            };
            json!(format!("{}{name}", number(array, &DataType::Int64, row)?))
        }
        DataType::Interval(unit) => json!(interval(array, *unit, row)),
        DataType::List(_) => list(&array.as_list::<i32>().value(row))?,
        DataType::FixedSizeList(_, _) => list(&array.as_fixed_size_list().value(row))?,
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let pairs = fields.iter().zip(columns);
            let pairs = pairs.map(|(field, column)| Ok((field.name().clone(), value(column, row)?)));
            Value::Object(pairs.collect::<Result<_>>()?)
        }
        DataType::Map(_, _) => {
            let entries = array.as_map().value(row);
            let pair = |at| Ok(json!([value(entries.column(0), at)?, value(entries.column(1), at)?]));
            Value::Array((0..entries.len()).map(pair).collect::<Result<_>>()?)
        }
        plain if plain.is_numeric() || *plain == DataType::Boolean => {
            json!(array_value_to_string(array, row)?)
        }
        other => bail!("{other} is no wire type"),
    })
}

fn list(items: &ArrayRef) -> Result<Value> {
    Ok(Value::Array((0..items.len()).map(|at| value(items, at)).collect::<Result<_>>()?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The number that a temporal value is stored as.
fn number(array: &ArrayRef, width: &DataType, row: usize) -> Result<i64> {
    let stored = cast(&cast(array, width)?, &DataType::Int64)?;
    Ok(stored.as_primitive::<Int64Type>().value(row))
}

fn moment(seconds: i64, nanos: u32) -> Result<DateTime<chrono::Utc>> {
    DateTime::from_timestamp(seconds, nanos).context("a time beyond what chrono has")
}

/// A count of a unit since midnight or 1970 as text, with as many digits of a second as the unit has.
fn second_of(count: i64, unit: TimeUnit, format: &str) -> Result<String> {
    let (per_second, digits) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    };
    let text = moment(count.div_euclid(per_second), 0)?.format(format).to_string();
    let rest = count.rem_euclid(per_second);
    Ok(if digits == 0 { text } else { format!("{text}.{rest:0digits$}") })
}

/// Months, days and nanoseconds.
fn interval(array: &ArrayRef, unit: IntervalUnit, row: usize) -> String {
    let (months, days, nanos) = match unit {
        IntervalUnit::YearMonth => (array.as_primitive::<IntervalYearMonthType>().value(row), 0, 0),
        IntervalUnit::DayTime => {
            let value = array.as_primitive::<IntervalDayTimeType>().value(row);
            (0, value.days, i64::from(value.milliseconds) * 1_000_000)
        }
        IntervalUnit::MonthDayNano => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            (value.months, value.days, value.nanoseconds)
        }
    };
    format!("{months},{days},{nanos}")
}
