//! Encoding one row group on several threads, columns dealt out among them.
//!
//! The pages of a row group stay in memory, encoded and compressed, until it is complete. The same threads count
//! the distinct values of their columns, over all row groups of a file.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::ParquetError;

use super::sketch::ColumnSketch;
use crate::{DatasetsError, Result};

/// Batches that may wait before one encoder.
const QUEUE: usize = 4;
/// More threads than cores let the system even out wide and narrow columns; more than this only cost memory.
const MAX_ENCODERS: usize = 16;

/// One column of a row group on its way.
struct Column {
    index: usize,
    field: FieldRef,
    writer: ArrowColumnWriter,
    sketch: Option<ColumnSketch>,
}

/// One column of a complete row group.
struct Encoded {
    index: usize,
    chunk: ArrowColumnChunk,
    sketch: Option<ColumnSketch>,
}

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
    thread: JoinHandle<Result<Vec<Encoded>>>,
}

impl RowGroup {
    /// Starts the encoders; one writer per leaf column, columns without structs have one leaf each. The sketches go
    /// on from where the file's row group before left them.
    pub(super) fn start(
        schema: &SchemaRef,
        writers: Vec<ArrowColumnWriter>,
        sketches: Vec<Option<ColumnSketch>>,
    ) -> Result<Self> {
        let count = writers.len().clamp(1, MAX_ENCODERS);
        let mut shares: Vec<Vec<Column>> = (0..count).map(|_| Vec::new()).collect();
        let columns = schema.fields().iter().zip(writers).zip(sketches);
        for (index, ((field, writer), sketch)) in columns.enumerate() {
            if let Some(share) = shares.get_mut(index % count) {
                share.push(Column { index, field: FieldRef::clone(field), writer, sketch });
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

    /// Waits for the encoders and gives the column chunks and the sketches in column order.
    pub(super) fn finish(self) -> Result<(Vec<ArrowColumnChunk>, Vec<Option<ColumnSketch>>)> {
        let mut columns = Vec::new();
        let threads: Vec<_> = self.encoders.into_iter().map(|encoder| encoder.thread).collect();
        for thread in threads {
            let share = thread.join().map_err(|_| DatasetsError::internal("an encoder panicked"))?;
            columns.extend(share?);
        }
        columns.sort_by_key(|column| column.index);
        Ok(columns.into_iter().map(|column| (column.chunk, column.sketch)).unzip())
    }
}

impl Encoder {
    fn start(share: Vec<Column>) -> Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let columns = share.iter().map(|column| column.index).collect();
        let thread = std::thread::Builder::new()
            .name("basin-encode".to_owned())
            .spawn(move || encode(share, &receiver))
            .map_err(|source| DatasetsError::Io { path: "thread".into(), source })?;
        Ok(Self { columns, sender, thread })
    }
}

fn encode(mut share: Vec<Column>, batches: &Receiver<Vec<ArrayRef>>) -> Result<Vec<Encoded>> {
    while let Ok(arrays) = batches.recv() {
        for (column, array) in share.iter_mut().zip(&arrays) {
            if let Some(sketch) = &mut column.sketch {
                sketch.update(array)?;
            }
            for leaf in compute_leaves(&column.field, array)? {
                column.writer.write(&leaf)?;
            }
        }
    }
    let close = |Column { index, writer, sketch, .. }| Ok(Encoded { index, chunk: writer.close()?, sketch });
    share.into_iter().map(close).collect()
}
