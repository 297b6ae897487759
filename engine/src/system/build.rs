//! Build: a table's columns and values in one declaration, so that the two can't drift apart.

use crate::error::Result;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use std::sync::Arc;

/// Columns of a table over rows of type `R`.
pub(super) struct Columns<'a, R> {
    rows: &'a [R],
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl<'a, R> Columns<'a, R> {
    pub(super) fn of(rows: &'a [R]) -> Self {
        Self { rows, fields: Vec::new(), arrays: Vec::new() }
    }

    /// Adds a text that is never NULL.
    pub(super) fn text(self, name: &str, get: impl Fn(&R) -> String) -> Self {
        let array: StringArray = self.rows.iter().map(|row| Some(get(row))).collect();
        self.add(name, Arc::new(array), false)
    }

    /// Adds a text that may be NULL.
    pub(super) fn maybe_text(self, name: &str, get: impl Fn(&R) -> Option<String>) -> Self {
        let array: StringArray = self.rows.iter().map(get).collect();
        self.add(name, Arc::new(array), true)
    }

    /// Adds a number that is never NULL.
    pub(super) fn number(self, name: &str, get: impl Fn(&R) -> u64) -> Self {
        let array: Int64Array = self.rows.iter().map(|row| Some(signed(get(row)))).collect();
        self.add(name, Arc::new(array), false)
    }

    /// Adds a number that may be NULL.
    pub(super) fn maybe_number(self, name: &str, get: impl Fn(&R) -> Option<u64>) -> Self {
        let array: Int64Array = self.rows.iter().map(|row| get(row).map(signed)).collect();
        self.add(name, Arc::new(array), true)
    }

    /// Adds a flag.
    pub(super) fn flag(self, name: &str, get: impl Fn(&R) -> bool) -> Self {
        let array: BooleanArray = self.rows.iter().map(|row| Some(get(row))).collect();
        self.add(name, Arc::new(array), false)
    }

    /// Adds a date.
    pub(super) fn date(self, name: &str, get: impl Fn(&R) -> NaiveDate) -> Self {
        let days =
            |date: NaiveDate| i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok();
        let array: Date32Array = self.rows.iter().map(|row| days(get(row))).collect();
        self.add(name, Arc::new(array), true)
    }

    /// Adds a point in time.
    pub(super) fn maybe_time(self, name: &str, get: impl Fn(&R) -> Option<DateTime<Utc>>) -> Self {
        let array: TimestampMicrosecondArray =
            self.rows.iter().map(|row| get(row).map(|at| at.timestamp_micros())).collect();
        self.add(name, Arc::new(array.with_timezone("UTC")), true)
    }

    /// Returns the rows.
    pub(super) fn finish(self) -> Result<RecordBatch> {
        let schema: SchemaRef = Arc::new(Schema::new(self.fields));
        Ok(RecordBatch::try_new(schema, self.arrays).map_err(DataFusionError::from)?)
    }

    fn add(mut self, name: &str, array: ArrayRef, nullable: bool) -> Self {
        self.fields.push(Field::new(name, array.data_type().clone(), nullable));
        self.arrays.push(array);
        self
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
