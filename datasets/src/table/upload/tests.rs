//! Uploads against a store whose parts can be made to fail, and that counts what is begun, complete and given up.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use async_trait::async_trait;
use basin_catalog::ErrorClass;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, ObjectMeta, PutMultipartOptions, PutOptions,
    PutResult, UploadPart,
};

use super::*;

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    complete: AtomicUsize,
    aborted: AtomicUsize,
}

/// A store whose parts fail from the given one on.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    fails_from: usize,
    counts: Arc<Counts>,
}

impl std::fmt::Display for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.counts.begun.fetch_add(1, Relaxed);
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Counted { inner, left: self.fails_from, counts: Arc::clone(&self.counts) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Counted {
    inner: Box<dyn MultipartUpload>,
    left: usize,
    counts: Arc<Counts>,
}

#[async_trait]
impl MultipartUpload for Counted {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        if self.left == 0 {
            let refused = Error::Generic { store: "failing", source: "no more parts".into() };
            return Box::pin(async { Err(refused) });
        }
        self.left -= 1;
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        self.counts.complete.fetch_add(1, Relaxed);
        self.inner.complete().await
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.counts.aborted.fetch_add(1, Relaxed);
        self.inner.abort().await
    }
}

/// Writes so many parts and half of one; tells how that ended, and what the store counted.
async fn upload(fails_from: usize, parts: usize, commit: bool) -> (Result<u64>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let store = Arc::new(Failing { inner: InMemory::new(), fails_from, counts: Arc::clone(&counts) });
    let (writing, path) = (Arc::clone(&store) as Arc<dyn ObjectStore>, Path::from("data/file.parquet"));
    let (runtime, file) = (Handle::current(), path.clone());
    let written = tokio::task::spawn_blocking(move || {
        let mut upload = Upload::start(&runtime, writing, file);
        for _ in 0..parts * 2 + 1 {
            upload.write_all(&[7; PART_BYTES / 2])?;
        }
        if commit { upload.commit() } else { Ok(()) }.map_err(io::Error::other)
    });
    let written: std::result::Result<(), io::Error> = written.await.unwrap();
    // Whatever was begun ends by itself.
    while counts.begun.load(Relaxed) > counts.complete.load(Relaxed) + counts.aborted.load(Relaxed) {
        tokio::task::yield_now().await;
    }
    let outcome = written.map_err(|error| *error.into_inner().unwrap().downcast::<DatasetsError>().unwrap());
    let size = store.head(&path).await.map_or(0, |object| object.size);
    (outcome.map(|()| size), counts)
}

#[tokio::test]
async fn large_files_arrive_in_parts_and_small_ones_at_once() {
    let (size, counts) = upload(usize::MAX, 3, true).await;
    assert_eq!(size.unwrap(), (3 * PART_BYTES + PART_BYTES / 2) as u64);
    assert_eq!((counts.begun.load(Relaxed), counts.complete.load(Relaxed)), (1, 1));
    let (size, counts) = upload(usize::MAX, 0, true).await;
    assert_eq!((size.unwrap(), counts.begun.load(Relaxed)), (PART_BYTES as u64 / 2, 0));
}

#[tokio::test]
async fn parts_that_fail_are_taken_back_and_the_error_is_the_stores() {
    for fails_from in [0, 1, 3] {
        let (outcome, counts) = upload(fails_from, 3, true).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
        let ended = (counts.begun.load(Relaxed), counts.complete.load(Relaxed), counts.aborted.load(Relaxed));
        assert_eq!(ended, (1, 0, 1), "fails from part {fails_from}");
    }
}

#[tokio::test]
async fn a_file_that_is_given_up_leaves_nothing() {
    let (size, counts) = upload(usize::MAX, 2, false).await;
    assert_eq!(size.unwrap(), 0);
    assert_eq!((counts.begun.load(Relaxed), counts.aborted.load(Relaxed)), (1, 1));
}
