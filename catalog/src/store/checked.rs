//! Checked: a cloud store whose answers are whole or errors. A body has as many bytes as were asked for, a range is not cut
//! off at the end of an object, and an upload whose last reply was lost is looked for.
//!
//! Broken bodies are resumed below, by object_store, with the e-tag of the first answer; this only counts.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result, UploadPart,
};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use url::Url;

/// A store in which each answer is compared with what was asked.
pub(super) struct Checked {
    inner: Arc<dyn ObjectStore>,
    url: String,
    uploads: TaskTracker,
}

impl Checked {
    /// `uploads` has a token for each upload in parts that is neither complete nor given up.
    pub(super) fn new(inner: Arc<dyn ObjectStore>, url: &Url, uploads: TaskTracker) -> Self {
        Self { inner, url: url.to_string(), uploads }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// The clients of object_store show their credentials here: this does not.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checked({})", self.url)
    }
}

fn wrong(kind: io::ErrorKind, text: String) -> Error {
    Error::Generic { store: "object store", source: io::Error::new(kind, text).into() }
}

/// The bytes that must come for a request, of an object of this size.
fn expected(asked: Option<&GetRange>, size: u64) -> Range<u64> {
    match asked {
        None => 0..size,
        Some(GetRange::Bounded(range)) => range.clone(),
        Some(GetRange::Offset(first)) => *first..size,
        Some(GetRange::Suffix(bytes)) => size.saturating_sub(*bytes)..size,
    }
}

/// The same stream; it ends in an error when it has fewer or more bytes than it should.
fn counted(
    path: Path,
    bytes: u64,
    stream: BoxStream<'static, Result<Bytes>>,
) -> BoxStream<'static, Result<Bytes>> {
    let next = move |(mut stream, got): (BoxStream<'static, Result<Bytes>>, u64)| {
        let path = path.clone();
        async move {
            match stream.try_next().await? {
                Some(part) if got + part.len() as u64 <= bytes => {
                    let got = got + part.len() as u64;
                    Ok(Some((part, (stream, got))))
                }
                Some(_) => Err(wrong(
                    io::ErrorKind::InvalidData,
                    format!("the store sent more than the {bytes} bytes of {path} that were asked for"),
                )),
                None if got == bytes => Ok(None),
                None => Err(wrong(
                    io::ErrorKind::UnexpectedEof,
                    format!("the store sent {got} of {bytes} bytes of {path} that were asked for"),
                )),
            }
        }
    };
    futures::stream::try_unfold((stream, 0), next).boxed()
}

#[async_trait]
impl ObjectStore for Checked {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        // Before the request, which may begin an upload though its reply never comes.
        let open = self.uploads.token();
        if self.uploads.is_closed() {
            return Err(wrong(
                io::ErrorKind::Interrupted,
                format!("the store is closed: {location} is not begun"),
            ));
        }
        let inner = self.inner.put_multipart_opts(location, options).await?;
        let (store, path) = (Arc::clone(&self.inner), location.clone());
        Ok(Box::new(CheckedUpload { inner, store, path, bytes: 0, _open: open }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (asked, head) = (options.range.clone(), options.head);
        let mut result = self.inner.get_opts(location, options).await?;
        if head {
            return Ok(result);
        }
        let expected = expected(asked.as_ref(), result.meta.size);
        if result.range != expected {
            let text = format!(
                "bytes {expected:?} of {location} were asked for, and the store has {:?} of {}",
                result.range, result.meta.size
            );
            return Err(wrong(io::ErrorKind::UnexpectedEof, text));
        }
        if let GetResultPayload::Stream(stream) = result.payload {
            let stream = counted(location.clone(), expected.end.saturating_sub(expected.start), stream);
            result.payload = GetResultPayload::Stream(stream);
        }
        Ok(result)
    }

    // `get_ranges` is the trait's own: it joins ranges that lie near each other and asks `get_opts` above.

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// An upload in parts.
#[derive(Debug)]
struct CheckedUpload {
    inner: Box<dyn MultipartUpload>,
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
    _open: TaskTrackerToken,
}

#[async_trait]
impl MultipartUpload for CheckedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.bytes += data.content_length() as u64;
        self.inner.put_part(data)
    }

    /// When the reply is lost, repeating the request finds no such upload any more: the object tells whether it is
    /// complete. Whoever uploads in parts gives the object a name of its own, or the same content as before.
    async fn complete(&mut self) -> Result<PutResult> {
        let error = match self.inner.complete().await {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        match self.store.head(&self.path).await {
            Ok(object) if object.size == self.bytes => {
                tracing::info!(path = %self.path, %error, "an upload was complete although its reply was lost");
                Ok(PutResult { e_tag: object.e_tag, version: object.version })
            }
            Ok(_) | Err(_) => Err(error),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests;
