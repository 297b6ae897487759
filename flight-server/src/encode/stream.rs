//! Streams of batches to streams of messages, sliced so that every client can take them.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext};
use arrow_flight::FlightData;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use prost::Message;
use tokio_util::task::AbortOnDropHandle;

use super::form::{WireForm, in_form};
use super::kept::Leaving;
use super::schema::{schema_message, to_wire, wire_schema};
use crate::error::{Result, ServerError};

/// What a message should have: below gRPC's usual default of 4 MiB, and large enough that the cost
/// per message doesn't show.
const TARGET_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// What no message may exceed: the limit that ADBC sets.
pub(super) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Returns the messages of a result: its schema, in the form that was promised, then its rows.
///
/// Encoding runs on the blocking pool; dropping the stream drops the batches' stream. What was encoded before is sent as
/// it is.
pub(crate) fn flight_data(
    schema: SchemaRef,
    compression: Option<CompressionType>,
    batches: impl Stream<Item = Result<Leaving>> + Send + 'static,
) -> impl Stream<Item = Result<FlightData>> + Send + 'static {
    let first = stream::iter([Ok(schema_message(&schema))]);
    let rest = batches
        .then(move |batch| {
            let schema = Arc::clone(&schema);
            async move {
                let leaving = batch?;
                if let Some(messages) = leaving.messages() {
                    return Ok(messages);
                }
                let work = tokio::task::spawn_blocking(move || {
                    let batch = &leaving.batch;
                    let span = tracing::debug_span!("encode", rows = batch.num_rows());
                    let encode = || messages(&to_wire(batch, &wire_schema(&schema))?, &schema, compression);
                    span.in_scope(encode).inspect(|messages| leaving.keep(messages))
                });
                AbortOnDropHandle::new(work).await?
            }
        })
        .map_ok(|messages| stream::iter(messages.into_iter().map(Ok)))
        .try_flatten();
    first.chain(rest)
}

/// Encodes a batch of plain types, in the types that were promised and in as many messages as its size asks for.
///
/// # Errors
/// `TooLarge` when a single row exceeds the largest message.
pub(super) fn messages(
    batch: &RecordBatch,
    promised: &SchemaRef,
    compression: Option<CompressionType>,
) -> Result<Vec<FlightData>> {
    let form = WireForm { compression, ..WireForm::default() };
    let mut done = Vec::new();
    // Last in, first out: what comes first is on top.
    let mut pending: Vec<RecordBatch> = slices(batch)?;
    pending.reverse();
    while let Some(slice) = pending.pop() {
        let message = encode(&in_form(slice.clone(), promised)?, form)?;
        if message.encoded_len() <= MAX_MESSAGE_BYTES {
            done.push(message);
            continue;
        }
        let rows = slice.num_rows();
        if rows < 2 {
            return Err(too_large(&slice));
        }
        pending.push(slice.slice(rows / 2, rows - rows / 2));
        pending.push(slice.slice(0, rows / 2));
    }
    Ok(done)
}

/// Cuts a batch into slices of about the target size; none for an empty batch.
fn slices(batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
    let mut bytes = 0_usize;
    for column in batch.columns() {
        bytes = bytes.saturating_add(column.to_data().get_slice_memory_size()?);
    }
    let rows = batch.num_rows();
    let parts = bytes.div_ceil(TARGET_MESSAGE_BYTES).clamp(1, rows.max(1));
    let step = rows.div_ceil(parts).max(1);
    Ok((0..rows).step_by(step).map(|start| batch.slice(start, step.min(rows - start))).collect())
}

fn encode(batch: &RecordBatch, form: WireForm) -> Result<FlightData> {
    // Wire types have no dictionaries, so each message stands alone.
    let (_, data) = IpcDataGenerator::default().encode(
        batch,
        &mut DictionaryTracker::new(true),
        &form.write_options()?,
        &mut IpcWriteContext::default(),
    )?;
    Ok(FlightData::from(data))
}

fn too_large(row: &RecordBatch) -> ServerError {
    let widest = row
        .columns()
        .iter()
        .zip(row.schema_ref().fields())
        .max_by_key(|(column, _)| column.to_data().get_slice_memory_size().unwrap_or(usize::MAX))
        .map_or_else(String::new, |(_, field)| format!(", mostly column \"{}\"", field.name()));
    ServerError::TooLarge(format!(
        "one row has more than the {} MiB that a message may have{widest}; select a part of it, for \
         example with substr()",
        MAX_MESSAGE_BYTES / (1024 * 1024)
    ))
}
