//! Columns: records as rows of `basin.queries`.

use super::entry::Record;
use crate::error::Result;
use crate::request::QueryId;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::DataFusionError;
use std::sync::Arc;

/// Column that tells two records apart; stored, and not shown.
pub(super) const KEY: &str = "record_id";

/// Columns of `basin.queries`.
///
/// `outcome` is ok, error, refused, cancelled or timeout, and NULL while the query runs.
pub(crate) fn schema() -> SchemaRef {
    let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8, nullable);
    let number = |name: &str, nullable: bool| Field::new(name, DataType::Int64, nullable);
    let time = |name: &str, nullable: bool| {
        Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), nullable)
    };
    Arc::new(Schema::new(vec![
        text("query_id", false),
        text("user_name", false),
        text("agency", true),
        text("purpose", true),
        number("snapshot", true),
        text("sql", false),
        text("datasets", false),
        text("grants", false),
        text("outcome", true),
        text("message", true),
        number("rows", false),
        number("bytes", false),
        time("started_at", false),
        time("finished_at", true),
    ]))
}

/// The columns as stored: with the key that tells records apart.
pub(super) fn stored_schema() -> SchemaRef {
    let mut fields = vec![Arc::new(Field::new(KEY, DataType::Utf8, false))];
    fields.extend(schema().fields().iter().cloned());
    Arc::new(Schema::new(fields))
}

/// Builds rows of the stored schema.
pub(super) fn rows(records: &[(QueryId, Record)]) -> Result<RecordBatch> {
    let text = |get: fn(&Record) -> Option<String>| -> ArrayRef {
        Arc::new(records.iter().map(|(_, record)| get(record)).collect::<StringArray>())
    };
    let number = |get: fn(&Record) -> Option<u64>| -> ArrayRef {
        let values =
            records.iter().map(|(_, record)| get(record).map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
        Arc::new(values.collect::<Int64Array>())
    };
    let time = |get: fn(&Record) -> Option<i64>| -> ArrayRef {
        let values: TimestampMicrosecondArray = records.iter().map(|(_, record)| get(record)).collect();
        Arc::new(values.with_timezone("UTC"))
    };
    let keys: StringArray = records.iter().map(|(key, _)| Some(key.to_string())).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(keys),
        text(|r| Some(r.query_id.to_string())),
        text(|r| Some(r.user.clone())),
        text(|r| r.agency.clone()),
        text(|r| r.purpose.clone()),
        number(|r| r.snapshot.map(|id| id.0)),
        text(|r| Some(r.sql.clone())),
        text(|r| Some(r.datasets.clone())),
        text(|r| Some(r.grants.clone())),
        text(|r| r.outcome.map(ToOwned::to_owned)),
        text(|r| r.message.clone()),
        number(|r| Some(r.rows)),
        number(|r| Some(r.bytes)),
        time(|r| Some(r.started_at.timestamp_micros())),
        time(|r| r.finished_at.map(|at| at.timestamp_micros())),
    ];
    Ok(RecordBatch::try_new(stored_schema(), columns).map_err(DataFusionError::from)?)
}
