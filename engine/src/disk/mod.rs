//! Disk: ranges of data files that were read from a cloud store, kept on a local disk for whoever asks for them again.
//!
//! Below the policy, as the store itself: it knows paths and bytes. Data files never change and their names are never used
//! again, so that what is kept needs no time to live; each answer of the store is compared with what is known of its file
//! all the same. The files and the bound are in `shelf`.

mod shelf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, coalesce_ranges,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::Semaphore;

pub(crate) use shelf::Shelf;
use shelf::{Identity, Piece};

/// Ranges up to this size are kept: the columns of a row group, not whole files.
const LARGEST_BYTES: u64 = 16 << 20;
/// Ranges that are written at once. When a disk is slower than the store, the others are not kept.
const WRITES_AT_ONCE: usize = 8;
/// Folders of tables whose Parquet files are kept.
const FOLDERS: [&str; 3] = ["data/", "rejects/", "rollups/"];

/// A store whose data files are looked for on the disk first.
#[derive(Debug)]
pub(crate) struct DiskCached {
    inner: Arc<dyn ObjectStore>,
    shelf: Arc<Shelf>,
    writes: Arc<Semaphore>,
}

impl DiskCached {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, shelf: Arc<Shelf>) -> Self {
        Self { inner, shelf, writes: Arc::new(Semaphore::new(WRITES_AT_ONCE)) }
    }

    /// What is kept of these ranges, in their order.
    async fn kept(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Option<Bytes>>> {
        let (shelf, path, ranges) = (Arc::clone(&self.shelf), path.clone(), ranges.to_vec());
        let read = move || ranges.iter().map(|range| shelf.read(&path, range)).collect();
        tokio::task::spawn_blocking(read).await.map_err(|source| object_store::Error::JoinError { source })
    }

    /// Reads a range from the store, with what the store says of its file.
    async fn fetch(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let answer = self.inner.get_opts(path, options).await?;
        self.shelf.meet(path, &Identity { size: answer.meta.size, e_tag: answer.meta.e_tag.clone() });
        answer.bytes().await
    }

    /// Keeps ranges. Nobody waits for it: a range that is not written is read again.
    fn keep(&self, path: &Path, pieces: Vec<Piece>) {
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else { return };
        let (shelf, path) = (Arc::clone(&self.shelf), path.clone());
        // A write is short and can't be stopped; it ends by itself.
        drop(tokio::task::spawn_blocking(move || {
            for piece in pieces {
                shelf.write(&path, &piece);
            }
            drop(permit);
        }));
    }
}

/// Whether an object is a data file: Parquet, in the folder of a table, outside its log.
fn is_data_file(path: &Path) -> bool {
    let text = path.as_ref();
    FOLDERS.iter().any(|folder| text.starts_with(folder))
        && text.ends_with(".parquet")
        && !path.parts().any(|part| part.as_ref().starts_with('_'))
}

impl fmt::Display for DiskCached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with a disk cache", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DiskCached {
    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if !is_data_file(path) {
            return self.inner.get_ranges(path, ranges).await;
        }
        let kept = self.kept(path, ranges).await?;
        let missing: Vec<Range<u64>> = ranges
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| kept.is_none())
            .map(|(range, _)| range.clone())
            .collect();
        let fetch = |range| self.fetch(path, range);
        let fetched = coalesce_ranges(&missing, fetch, OBJECT_STORE_COALESCE_DEFAULT).await?;
        let pieces = missing.into_iter().zip(&fetched);
        let pieces = pieces.filter(|(range, _)| range.end - range.start <= LARGEST_BYTES);
        let pieces: Vec<Piece> = pieces.map(|(range, bytes)| Piece { range, bytes: bytes.clone() }).collect();
        if !pieces.is_empty() {
            self.keep(path, pieces);
        }
        let mut fetched = fetched.into_iter();
        Ok(kept.into_iter().filter_map(|kept| kept.or_else(|| fetched.next())).collect())
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests;
