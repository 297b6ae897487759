use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutPayload,
    PutResult, Result,
};

use super::*;

/// What a store does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    /// Creates what is there already.
    Overwrites,
    /// Lists a page and no more.
    OnePage,
    /// Says of what is missing that something went wrong.
    Vague,
    /// Gives fewer bytes than were asked for.
    Short,
    /// Shows what was deleted for ever.
    Undead,
}

#[derive(Debug)]
struct Other {
    inner: InMemory,
    does: Otherwise,
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.does)
    }
}

#[async_trait]
impl ObjectStore for Other {
    async fn put_opts(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.does == Otherwise::Overwrites {
            options.mode = PutMode::Overwrite;
        }
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, mut options: GetOptions) -> Result<GetResult> {
        if let (Otherwise::Short, Some(GetRange::Bounded(range))) = (self.does, &mut options.range)
            && range.end - range.start > 1_000
        {
            range.end -= 1;
        }
        self.inner.get_opts(path, options).await.map_err(|error| match (self.does, error) {
            (Otherwise::Vague, Error::NotFound { source, .. }) => Error::Generic { store: "other", source },
            (_, error) => error,
        })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if self.does == Otherwise::Undead { paths } else { self.inner.delete_stream(paths) }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let page = if self.does == Otherwise::OnePage { 1_000 } else { usize::MAX };
        self.inner.list(prefix).take(page).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_that_tests_run_on_conform_and_are_left_empty() {
    let folder = tempfile::tempdir().unwrap();
    for store in [Store::open("memory://").unwrap(), Store::open(folder.path().to_str().unwrap()).unwrap()] {
        let found = conformance(&store).await;
        assert!(found.conforms, "{found:#?}");
        let left: Vec<_> = store.objects().list(None).try_collect().await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_does_otherwise_is_named() {
    for (does, checks) in [
        (
            Otherwise::Overwrites,
            ["of many that create one object one succeeds", "creating again changes nothing"].as_slice(),
        ),
        (Otherwise::OnePage, &["a listing has all that was written"]),
        (Otherwise::Vague, &["what is missing is said to be missing", "what is deleted is gone"]),
        (Otherwise::Short, &["ranges are whole or fail"]),
        (Otherwise::Undead, &["what is deleted is gone"]),
    ] {
        let store = Store::of(Arc::new(Other { inner: InMemory::new(), does }), "memory://");
        let found = conformance(&store).await;
        let failed: Vec<_> =
            found.checks.iter().filter(|check| check.fault.is_some()).map(|check| check.name).collect();
        assert_eq!(failed, checks, "{does:?}: {found:#?}");
        assert!(!found.conforms);
    }
}
