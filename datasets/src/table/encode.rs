//! Encoding one row group on several threads, columns dealt out among them.
//!
//! The pages of a row group stay in memory, encoded and compressed, until it is complete.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::ParquetError;

use crate::{DatasetsError, Result};

/// Batches that may wait before one encoder.
const QUEUE: usize = 4;
/// More threads than cores let the system even out wide and narrow columns; more than this only cost memory.
const MAX_ENCODERS: usize = 16;

type Chunks = std::result::Result<Vec<(usize, ArrowColumnChunk)>, ParquetError>;

/// A row group being encoded.
#[derive(Debug)]
pub(super) struct RowGroup {
    encoders: Vec<Encoder>,
    rows: usize,
}

#[derive(Debug)]
struct Encoder {
    columns: Vec<usize>,
    sender: SyncSender<Vec<ArrayRef>>,
    thread: JoinHandle<Chunks>,
}

impl RowGroup {
    /// Starts the encoders; one writer per leaf column, columns without structs have one leaf each.
    pub(super) fn start(schema: &SchemaRef, writers: Vec<ArrowColumnWriter>) -> Result<Self> {
        let count = writers.len().clamp(1, MAX_ENCODERS);
        let mut shares: Vec<Vec<(usize, FieldRef, ArrowColumnWriter)>> =
            (0..count).map(|_| Vec::new()).collect();
        for (column, (field, writer)) in schema.fields().iter().zip(writers).enumerate() {
            if let Some(share) = shares.get_mut(column % count) {
                share.push((column, FieldRef::clone(field), writer));
            }
        }
        let encoders = shares.into_iter().map(Encoder::start).collect::<Result<_>>()?;
        Ok(Self { encoders, rows: 0 })
    }

    /// Rows handed over so far.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Hands a batch to the encoders.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for encoder in &self.encoders {
            let arrays =
                encoder.columns.iter().map(|column| ArrayRef::clone(batch.column(*column))).collect();
            // A closed queue means that the encoder failed: finishing tells why.
            if encoder.sender.send(arrays).is_err() {
                return Err(ParquetError::General("an encoder has stopped".to_owned()).into());
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Waits for the encoders and gives the column chunks in column order.
    pub(super) fn finish(self) -> Result<Vec<ArrowColumnChunk>> {
        let mut chunks = Vec::new();
        let threads: Vec<_> = self.encoders.into_iter().map(|encoder| encoder.thread).collect();
        for thread in threads {
            let share = thread.join().map_err(|_| DatasetsError::internal("an encoder panicked"))?;
            chunks.extend(share?);
        }
        chunks.sort_by_key(|(column, _)| *column);
        Ok(chunks.into_iter().map(|(_, chunk)| chunk).collect())
    }
}

impl Encoder {
    fn start(share: Vec<(usize, FieldRef, ArrowColumnWriter)>) -> Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let columns = share.iter().map(|(column, ..)| *column).collect();
        let thread = std::thread::Builder::new()
            .name("basin-encode".to_owned())
            .spawn(move || encode(share, &receiver))
            .map_err(|source| DatasetsError::Io { path: "thread".into(), source })?;
        Ok(Self { columns, sender, thread })
    }
}

fn encode(mut share: Vec<(usize, FieldRef, ArrowColumnWriter)>, batches: &Receiver<Vec<ArrayRef>>) -> Chunks {
    while let Ok(arrays) = batches.recv() {
        for ((_, field, writer), array) in share.iter_mut().zip(&arrays) {
            for leaf in compute_leaves(field, array)? {
                writer.write(&leaf)?;
            }
        }
    }
    share.into_iter().map(|(column, _, writer)| Ok((column, writer.close()?))).collect()
}
