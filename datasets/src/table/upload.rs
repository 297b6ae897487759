//! A blocking writer whose bytes are uploaded by a task: encoding never waits for single requests.
//!
//! A file appears in the store only after [`Upload::commit`]; dropping the upload aborts it.

use std::hash::Hasher;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use twox_hash::XxHash64;

use crate::{DatasetsError, Result};

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Size of one part of a multipart upload; below it a file is written by one request.
const PART_BYTES: usize = 8 << 20;

enum Message {
    Chunk(Bytes),
    Commit,
}

/// An upload of one file, written from a thread outside the runtime.
#[derive(Debug)]
pub(crate) struct Upload {
    chunk: Vec<u8>,
    written_bytes: u64,
    hash: XxHash64,
    sender: mpsc::Sender<Message>,
    task: JoinHandle<object_store::Result<()>>,
    runtime: Handle,
    path: Path,
}

impl Upload {
    /// Starts an upload on the I/O runtime.
    pub(crate) fn start(runtime: &Handle, store: Arc<dyn ObjectStore>, path: Path) -> Self {
        let (sender, receiver) = mpsc::channel(4);
        let task = runtime.spawn(drive(store, path.clone(), receiver));
        Self {
            chunk: Vec::with_capacity(CHUNK_BYTES),
            written_bytes: 0,
            hash: XxHash64::default(),
            sender,
            task,
            runtime: runtime.clone(),
            path,
        }
    }

    /// Bytes written so far.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// XXH64 of the bytes written so far.
    pub(crate) fn checksum(&self) -> u64 {
        self.hash.finish()
    }

    /// Completes the file and waits until the store has it.
    ///
    /// # Errors
    /// The store's own error.
    pub(crate) fn commit(&mut self) -> Result<()> {
        // When the task is gone its own error says why.
        let _ = self.send_chunk();
        let _ = self.sender.blocking_send(Message::Commit);
        let action = format!("writing {}", self.path);
        let failed = |source| DatasetsError::Store { action, source };
        match self.runtime.block_on(&mut self.task) {
            Ok(result) => result.map_err(failed),
            Err(source) => Err(failed(object_store::Error::JoinError { source })),
        }
    }

    fn send_chunk(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.sender
            .blocking_send(Message::Chunk(chunk.into()))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the upload has stopped"))
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        self.hash.write(bytes);
        self.written_bytes += bytes.len() as u64;
        if self.chunk.len() >= CHUNK_BYTES {
            self.send_chunk()?;
        }
        Ok(bytes.len())
    }

    /// Does nothing: only [`Upload::commit`] completes a file.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn drive(
    store: Arc<dyn ObjectStore>,
    path: Path,
    mut messages: mpsc::Receiver<Message>,
) -> object_store::Result<()> {
    let mut writer = BufWriter::with_capacity(store, path, PART_BYTES).with_max_concurrency(2);
    let mut committed = false;
    while let Some(message) = messages.recv().await {
        match message {
            Message::Chunk(chunk) => writer.put(chunk).await?,
            Message::Commit => {
                committed = true;
                break;
            }
        }
    }
    if committed {
        writer
            .shutdown()
            .await
            .map_err(|source| object_store::Error::Generic { store: "upload", source: Box::new(source) })
    } else {
        writer.abort().await
    }
}
