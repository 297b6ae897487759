//! Columns: records as rows of `basin.queries`, and stored rows of any age as such.

use super::record::Record;
use crate::error::Result;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::DataFusionError;
use std::sync::Arc;

/// Column that tells two records apart; stored, and not shown.
pub(super) const KEY: &str = "record_id";
/// Column with the name of the user.
pub(super) const USER: &str = "user_name";
/// Column with the word for how a query ended.
pub(super) const OUTCOME: &str = "outcome";
/// Column with the time when a query began.
pub(super) const STARTED_AT: &str = "started_at";

/// Columns of `basin.queries`.
///
/// `outcome` is ok, error, refused, cancelled, timeout or unknown, and NULL while the query runs.
pub(crate) fn schema() -> SchemaRef {
    let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8, nullable);
    let number = |name: &str, nullable: bool| Field::new(name, DataType::Int64, nullable);
    let time = |name: &str, nullable: bool| Field::new(name, moment(), nullable);
    Arc::new(Schema::new(vec![
        text("query_id", false),
        text(USER, false),
        text("agency", true),
        text("purpose", true),
        number("snapshot", true),
        text("sql", false),
        text("datasets", false),
        text("grants", false),
        text("output_columns", false),
        text("predicate_columns", false),
        text("policy_columns", false),
        text(OUTCOME, true),
        text("message", true),
        number("rows", false),
        number("bytes", false),
        number("cells_suppressed", false),
        Field::new("from_cache", DataType::Boolean, true),
        time(STARTED_AT, false),
        time("finished_at", true),
    ]))
}

/// The type of points in time.
pub(super) fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The columns as stored: with the key that tells records apart, and open for columns to come.
pub(super) fn stored_schema() -> SchemaRef {
    let mut fields = vec![Field::new(KEY, DataType::Utf8, true)];
    fields.extend(schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)));
    Arc::new(Schema::new(fields))
}

/// Builds rows of the stored schema.
pub(super) fn rows(records: &[Record]) -> Result<RecordBatch> {
    let text = |get: fn(&Record) -> Option<&str>| -> ArrayRef {
        Arc::new(records.iter().map(get).collect::<StringArray>())
    };
    let id = |get: fn(&Record) -> String| -> ArrayRef {
        Arc::new(records.iter().map(|record| Some(get(record))).collect::<StringArray>())
    };
    let number = |get: fn(&Record) -> Option<u64>| -> ArrayRef {
        let values = records.iter().map(|record| get(record).map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
        Arc::new(values.collect::<Int64Array>())
    };
    let time = |get: fn(&Record) -> Option<i64>| -> ArrayRef {
        let values: TimestampMicrosecondArray = records.iter().map(get).collect();
        Arc::new(values.with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        id(|r| r.key.to_string()),
        id(|r| r.query_id.to_string()),
        text(|r| Some(&r.user)),
        text(|r| r.agency.as_deref()),
        text(|r| r.purpose.as_deref()),
        number(|r| r.reads.snapshot.map(|id| id.0)),
        text(|r| Some(&r.sql)),
        text(|r| Some(&r.reads.datasets)),
        text(|r| Some(&r.reads.grants)),
        text(|r| Some(&r.reads.output_columns)),
        text(|r| Some(&r.reads.predicate_columns)),
        text(|r| Some(&r.reads.policy_columns)),
        text(|r| r.outcome.map(super::record::Ended::name)),
        text(|r| r.message.as_deref()),
        number(|r| Some(r.rows)),
        number(|r| Some(r.bytes)),
        number(|r| Some(r.cells_suppressed)),
        Arc::new(records.iter().map(|record| Some(record.from_cache)).collect::<BooleanArray>()),
        time(|r| Some(r.started_at.timestamp_micros())),
        time(|r| r.finished_at.map(|at| at.timestamp_micros())),
    ];
    Ok(RecordBatch::try_new(stored_schema(), columns).map_err(DataFusionError::from)?)
}

/// Brings rows into the columns of `wanted`: those that were not stored yet are empty.
pub(super) fn conform(batch: &RecordBatch, wanted: &SchemaRef) -> Result<RecordBatch> {
    let columns = wanted.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => cast(column, field.data_type()),
        None => Ok(absent(field, batch.num_rows())),
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
    Ok(RecordBatch::try_new(SchemaRef::clone(wanted), columns).map_err(DataFusionError::from)?)
}

fn absent(field: &Field, rows: usize) -> ArrayRef {
    match (field.is_nullable(), field.data_type()) {
        (false, DataType::Utf8) => Arc::new(StringArray::from(vec![""; rows])),
        (false, DataType::Int64) => Arc::new(Int64Array::from(vec![0; rows])),
        (_, other) => new_null_array(other, rows),
    }
}

/// The values of a column of text; none where it is absent.
pub(super) fn texts<'a>(batch: &'a RecordBatch, column: &str) -> Vec<Option<&'a str>> {
    match batch.column_by_name(column).and_then(|column| column.as_string_opt::<i32>()) {
        Some(texts) => texts.iter().collect(),
        None => vec![None; batch.num_rows()],
    }
}
