//! A blocking writer whose bytes are uploaded by a task: encoding never waits for single requests.
//!
//! A file appears in the store only after [`Upload::commit`]; dropping the upload aborts it.

use std::hash::Hasher;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use twox_hash::XxHash64;

use crate::{DatasetsError, Result};

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Size of one part of a multipart upload; below it a file is written by one request.
const PART_BYTES: usize = 8 << 20;
/// Parts of one file that are sent at once.
const PARTS_AT_ONCE: usize = 2;

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
    task: Option<JoinHandle<object_store::Result<()>>>,
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
            task: Some(task),
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
        if self.send_chunk().is_ok() {
            // When the task is gone its own error says why.
            let _ = self.sender.blocking_send(Message::Commit);
        }
        self.outcome()
    }

    fn send_chunk(&mut self) -> std::result::Result<(), Stopped> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.sender.blocking_send(Message::Chunk(chunk.into())).map_err(|_| Stopped)
    }

    /// What became of the upload, once.
    fn outcome(&mut self) -> Result<()> {
        let action = format!("writing {}", self.path);
        let failed = |source| DatasetsError::Store { action, source };
        let Some(task) = self.task.take() else { return Err(failed(stopped())) };
        match self.runtime.block_on(task) {
            Ok(result) => result.map_err(failed),
            Err(source) => Err(failed(object_store::Error::JoinError { source })),
        }
    }
}

/// The task takes no more; its outcome says why.
#[derive(Debug)]
struct Stopped;

fn stopped() -> object_store::Error {
    let source = io::Error::new(io::ErrorKind::BrokenPipe, "the upload has stopped");
    object_store::Error::Generic { store: "upload", source: source.into() }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        self.hash.write(bytes);
        self.written_bytes += bytes.len() as u64;
        if self.chunk.len() >= CHUNK_BYTES && self.send_chunk().is_err() {
            return Err(io::Error::other(self.outcome().err().unwrap_or_else(|| DatasetsError::Store {
                action: format!("writing {}", self.path),
                source: stopped(),
            })));
        }
        Ok(bytes.len())
    }

    /// Does nothing: only [`Upload::commit`] completes a file.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Uploads what comes. A file that is not committed, for whatever reason, leaves nothing in the store.
async fn drive(
    store: Arc<dyn ObjectStore>,
    path: Path,
    mut messages: mpsc::Receiver<Message>,
) -> object_store::Result<()> {
    let mut parts = None;
    let mut rest = PutPayloadMut::new();
    let sent = send(&store, &path, &mut messages, (&mut parts, &mut rest)).await;
    match (sent, parts) {
        (Ok(true), None) => store.put(&path, rest.into()).await.map(drop),
        (Ok(true), Some(mut parts)) => {
            let completed = parts.complete(rest.into()).await;
            if completed.is_err() {
                parts.abort(&path).await;
            }
            completed
        }
        (sent, parts) => {
            if let Some(parts) = parts {
                parts.abort(&path).await;
            }
            sent.map(drop)
        }
    }
}

/// Sends whole parts until the file is committed (true) or given up (false); what is left over stays in `rest`.
async fn send(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    messages: &mut mpsc::Receiver<Message>,
    (parts, rest): (&mut Option<Parts>, &mut PutPayloadMut),
) -> object_store::Result<bool> {
    while let Some(message) = messages.recv().await {
        let Message::Chunk(chunk) = message else { return Ok(true) };
        rest.push(chunk);
        if rest.content_length() >= PART_BYTES {
            let parts = match parts {
                Some(parts) => parts,
                None => parts.insert(Parts::begin(store.put_multipart(path).await?)),
            };
            parts.send(std::mem::take(rest).into()).await?;
        }
    }
    Ok(false)
}

/// The parts of a large file on their way.
#[derive(Debug)]
struct Parts {
    upload: Box<dyn MultipartUpload>,
    sending: JoinSet<object_store::Result<()>>,
}

impl Parts {
    fn begin(upload: Box<dyn MultipartUpload>) -> Self {
        Self { upload, sending: JoinSet::new() }
    }

    async fn send(&mut self, part: PutPayload) -> object_store::Result<()> {
        self.settle(PARTS_AT_ONCE - 1).await?;
        self.sending.spawn(self.upload.put_part(part));
        Ok(())
    }

    /// Waits until no more than so many parts are on their way.
    async fn settle(&mut self, most: usize) -> object_store::Result<()> {
        while self.sending.len() > most {
            match self.sending.join_next().await {
                Some(sent) => sent.map_err(|source| object_store::Error::JoinError { source })??,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    async fn complete(&mut self, rest: PutPayload) -> object_store::Result<()> {
        if rest.content_length() > 0 {
            self.send(rest).await?;
        }
        self.settle(0).await?;
        self.upload.complete().await.map(drop)
    }

    /// Takes back what was sent. When the store refuses that too, its own rule for old uploads has to.
    async fn abort(mut self, path: &Path) {
        self.sending.shutdown().await;
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(%path, %error, "parts of a file that was given up are left in the store");
        }
    }
}

#[cfg(test)]
mod tests;
