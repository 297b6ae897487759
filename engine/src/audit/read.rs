//! Read: all records as rows, each once, wherever it stands: in memory, in the journal, in the table.
//!
//! A record moves in that order, and is in the next place before it leaves one. So they are read in that order:
//! what moves in between is found twice, never missed.

use super::AuditLog;
use super::columns::{KEY, OUTCOME, STARTED_AT, USER, conform, moment, rows, schema, texts};
use super::fault;
use super::journal::{self, unavailable};
use super::merge::decode;
use super::record::{Ended, Record};
use super::table::{AuditTable, TableFile};
use crate::error::Result;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::HashMap;
use std::sync::Arc;

/// Files of the table read at once.
const CONCURRENCY: usize = 4;

/// The days on which the wanted queries began; what lies outside need not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DaysWanted {
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
}

impl DaysWanted {
    /// Finds the days that satisfy filters on `started_at`; other filters don't narrow them.
    pub(crate) fn of(filters: &[Expr]) -> Self {
        filters.iter().fold(Self::default(), Self::narrowed)
    }

    fn narrowed(self, filter: &Expr) -> Self {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return self };
        if *op == Operator::And {
            return self.narrowed(left).narrowed(right);
        }
        let (op, value) = match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) if column.name == STARTED_AT => {
                (Some(*op), value)
            }
            (Expr::Literal(value, _), Expr::Column(column)) if column.name == STARTED_AT => {
                (op.swap(), value)
            }
            _ => return self,
        };
        let Some(day) = day_of(value) else { return self };
        let later = |known: Option<NaiveDate>| Some(known.map_or(day, |known| known.max(day)));
        let earlier = |known: Option<NaiveDate>| Some(known.map_or(day, |known| known.min(day)));
        match op {
            Some(Operator::Gt | Operator::GtEq) => Self { since: later(self.since), ..self },
            Some(Operator::Lt | Operator::LtEq) => Self { until: earlier(self.until), ..self },
            Some(Operator::Eq) => Self { since: later(self.since), until: earlier(self.until) },
            _ => self,
        }
    }

    pub(super) fn contains(self, day: NaiveDate) -> bool {
        self.since.is_none_or(|since| since <= day) && self.until.is_none_or(|until| day <= until)
    }
}

fn day_of(value: &ScalarValue) -> Option<NaiveDate> {
    match value.cast_to(&moment()) {
        Ok(ScalarValue::TimestampMicrosecond(Some(micros), _)) => {
            Some(DateTime::from_timestamp_micros(micros)?.date_naive())
        }
        Ok(_) | Err(_) => None,
    }
}

/// What is known of a record that is not, or not only, in the table.
struct Found {
    record: Record,
    /// It is open in this process: it runs.
    here: bool,
}

/// Reads the records that `sees` lets through, by their user and their beginning.
///
/// Shape: the columns of [`schema`], in no order. Records outside of `days` may be among them.
pub(crate) async fn read_all<F>(audit: &AuditLog, days: DaysWanted, sees: F) -> Result<Vec<RecordBatch>>
where
    F: Fn(&str, DateTime<Utc>) -> bool + Send + Sync,
{
    let (store, folder) = audit.store();
    let mut found: HashMap<String, Found> = HashMap::new();
    for record in audit.recent() {
        found.insert(record.key.to_string(), Found { here: !record.is_closed(), record });
    }
    for record in journal::read_all(store, folder).await? {
        let key = record.key.to_string();
        let known = found.get(&key).is_some_and(|known| known.record.is_closed() || !record.is_closed());
        if !known {
            found.insert(key, Found { record, here: false });
        }
    }
    let table = AuditTable::open(store, folder)?;
    let latest = table.latest().await?;
    let files = latest.as_ref().map(|state| table.files(state)).transpose()?.unwrap_or_default();
    let files = files.into_iter().filter(|file| days.contains(file.day)).map(|file| read_file(store, file));
    let mut contents = futures::stream::iter(files).buffered(CONCURRENCY);
    let mut out = Vec::new();
    while let Some(batches) = contents.try_next().await? {
        for batch in batches {
            out.push(visible(&without_found(&batch, &mut found)?, &sees)?);
        }
    }
    let now = Utc::now();
    let rest =
        found.into_values().map(|Found { record, here }| if here { record } else { record.seen_at(now) });
    out.push(visible(&rows(&rest.collect::<Vec<_>>())?, &sees)?);
    Ok(out)
}

async fn read_file(store: &Arc<dyn ObjectStore>, file: TableFile) -> Result<Vec<RecordBatch>> {
    let object = store.get(&file.location).await.map_err(unavailable)?;
    let bytes = object.bytes().await.map_err(unavailable)?;
    tokio::task::spawn_blocking(move || decode(bytes)).await.map_err(fault)?
}

/// Drops the rows that were found elsewhere, and from `found` those that the table tells better.
fn without_found(batch: &RecordBatch, found: &mut HashMap<String, Found>) -> Result<RecordBatch> {
    let (keys, outcomes) = (texts(batch, KEY), texts(batch, OUTCOME));
    let keep = keys.into_iter().zip(outcomes).map(|(key, outcome)| {
        let Some((key, known)) = key.and_then(|key| Some((key, found.get(key)?))) else { return Some(true) };
        let unknown = outcome == Some(Ended::Unknown.name());
        if known.record.is_closed() || (known.here && unknown) {
            return Some(false);
        }
        found.remove(key);
        Some(true)
    });
    let keep: BooleanArray = keep.collect();
    Ok(filter_record_batch(batch, &keep).map_err(DataFusionError::from)?)
}

/// Keeps the rows that may be seen, in the columns of `basin.queries`.
fn visible(batch: &RecordBatch, sees: impl Fn(&str, DateTime<Utc>) -> bool) -> Result<RecordBatch> {
    let batch = conform(batch, &schema())?;
    let began = batch.column_by_name(STARTED_AT);
    let began = began.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let keep = texts(&batch, USER).into_iter().enumerate().map(|(row, user)| {
        let micros = began.filter(|began| began.is_valid(row)).map(|began| began.value(row));
        let began = micros.and_then(DateTime::from_timestamp_micros);
        Some(user.zip(began).is_some_and(|(user, began)| sees(user, began)))
    });
    let keep: BooleanArray = keep.collect();
    Ok(filter_record_batch(&batch, &keep).map_err(DataFusionError::from)?)
}
