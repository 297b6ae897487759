//! Parameters: from the rows that a client binds to the values of each run.
//!
//! Values keep the types they arrive in; the engine fits them to the statement.

use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use basin_engine::ScalarValue;
use futures::{Stream, TryStreamExt};

use crate::error::{Result, ServerError};

/// Each row is a run of the statement.
const MAX_ROWS: usize = 10_000;

/// Reads the rows that a client sends with DoPut.
///
/// # Errors
/// `InvalidRequest` when they are no Arrow data, `TooLarge` when there are too many.
pub(super) async fn read(
    data: impl Stream<Item = std::result::Result<FlightData, tonic::Status>> + Send + 'static,
) -> Result<Option<RecordBatch>> {
    let unreadable = |error: FlightError| {
        tracing::info!(%error, "parameters can't be read");
        ServerError::InvalidRequest("the parameters are not readable as Arrow data".to_owned())
    };
    // Some clients send the descriptor in a message of its own.
    let data = data
        .try_filter(|message| std::future::ready(!message.data_header.is_empty()))
        .map_err(|status| FlightError::Tonic(Box::new(status)));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(data);
    let mut all = Vec::new();
    let mut rows = 0_usize;
    while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
        rows = rows.saturating_add(batch.num_rows());
        if rows > MAX_ROWS {
            return Err(ServerError::TooLarge(format!(
                "more than {MAX_ROWS} rows of parameters; bind fewer at a time"
            )));
        }
        all.push(batch);
    }
    let Some(first) = all.first() else {
        return Ok(None);
    };
    let joined = concat_batches(&first.schema(), &all)?;
    Ok((joined.num_rows() > 0).then_some(joined))
}

/// Writes rows into a handle.
///
/// # Errors
/// `Encode` when Arrow can't write them.
pub(super) fn to_bytes(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), rows.schema_ref())?;
    writer.write(rows)?;
    Ok(writer.into_inner()?)
}

/// Returns the values of each run; one run without values when nothing is bound.
///
/// # Errors
/// `Encode` when the bytes are not from [`to_bytes`].
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Vec<Vec<ScalarValue>>> {
    if bytes.is_empty() {
        return Ok(vec![Vec::new()]);
    }
    let mut runs = Vec::new();
    for batch in StreamReader::try_new(Cursor::new(bytes), None)? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let values = batch
                .columns()
                .iter()
                .map(|column| ScalarValue::try_from_array(column, row))
                .collect::<std::result::Result<Vec<_>, _>>();
            let values = values.map_err(|_| {
                ServerError::InvalidRequest("a parameter has a type that can't be bound".to_owned())
            })?;
            runs.push(values.into_iter().map(chosen).collect());
        }
    }
    Ok(runs)
}

/// Takes the value out of a union: clients that don't know a parameter's type send one of all types.
fn chosen(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Union(Some((_, value)), _, _) => *value,
        ScalarValue::Union(None, _, _) => ScalarValue::Null,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn rows_survive_a_handle() {
        let rows = RecordBatch::try_from_iter([
            ("$1", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
            ("$2", Arc::new(StringArray::from(vec![Some("表"), None]))),
        ])
        .unwrap();
        let runs = from_bytes(&to_bytes(&rows).unwrap()).unwrap();
        assert_eq!(runs.len(), 2);
        assert_eq!(runs[1], vec![ScalarValue::from(2_i64), ScalarValue::Utf8(None)]);
        assert_eq!(from_bytes(&[]).unwrap(), vec![Vec::new()]);
    }
}
