//! The messages of a kept result: encoded by its first reader, and sent as they are to those that follow.

use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use arrow_flight::FlightData;
use basin_engine::Shelf;
use prost::Message;

/// The messages of each batch of a kept result, in one wire form, as far as they were made.
#[derive(Debug)]
struct Encoded {
    schema: SchemaRef,
    compression: Option<CompressionType>,
    batches: Vec<OnceLock<Vec<FlightData>>>,
}

/// A kept result in one wire form.
#[derive(Debug)]
pub(crate) struct Kept {
    shelf: Shelf,
    encoded: Arc<Encoded>,
}

impl Kept {
    /// Finds a kept result in the form that was promised; none when there is no room for it.
    pub(crate) fn new(
        shelf: Shelf,
        schema: &SchemaRef,
        compression: Option<CompressionType>,
    ) -> Option<Arc<Self>> {
        let wanted = |encoded: &Encoded| encoded.compression == compression && encoded.schema == *schema;
        let batches = shelf.batches();
        let bytes = size_of::<Encoded>() + batches * size_of::<OnceLock<Vec<FlightData>>>();
        let encoded = shelf.form(wanted, bytes, || Encoded {
            schema: Arc::clone(schema),
            compression,
            batches: (0..batches).map(|_| OnceLock::new()).collect(),
        })?;
        Some(Arc::new(Self { shelf, encoded }))
    }

    fn messages(&self, at: usize) -> Option<Vec<FlightData>> {
        self.encoded.batches.get(at)?.get().cloned()
    }

    fn keep(&self, at: usize, messages: &[FlightData]) {
        let bytes = messages.iter().map(|message| message.encoded_len() + size_of::<FlightData>()).sum();
        if let Some(batch) = self.encoded.batches.get(at).filter(|batch| batch.get().is_none())
            && self.shelf.take(bytes)
        {
            // Another reader may have been quicker, with the same.
            let _ = batch.set(messages.to_vec());
        }
    }
}

/// A batch on its way to its messages.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(super) batch: RecordBatch,
    /// The kept result that it is of, and which of its batches it is.
    kept: Option<(Arc<Kept>, usize)>,
}

impl Leaving {
    pub(crate) fn of_kept(batch: RecordBatch, kept: &Arc<Kept>, at: usize) -> Self {
        Self { batch, kept: Some((Arc::clone(kept), at)) }
    }

    /// Its messages, where somebody read the same before.
    pub(super) fn messages(&self) -> Option<Vec<FlightData>> {
        self.kept.as_ref().and_then(|(kept, at)| kept.messages(*at))
    }

    /// Keeps its messages beside the result that it is of.
    pub(super) fn keep(&self, messages: &[FlightData]) {
        if let Some((kept, at)) = &self.kept {
            kept.keep(*at, messages);
        }
    }
}

impl From<RecordBatch> for Leaving {
    fn from(batch: RecordBatch) -> Self {
        Self { batch, kept: None }
    }
}
