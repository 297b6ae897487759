//! The store as the engine sees it: read-only, and doing its I/O on the I/O runtime although the
//! operators that ask run on the CPU runtime.

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::exec_datafusion_err;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// A read-only view of a store whose requests run on the I/O runtime.
#[derive(Debug)]
pub(crate) struct StoreOnIo {
    inner: Arc<dyn ObjectStore>,
    io: Handle,
}

impl StoreOnIo {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, io: Handle) -> Self {
        Self { inner, io }
    }

    /// Runs a request on the I/O runtime; dropping the returned future aborts it.
    async fn on_io<T, F, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send,
        W: FnOnce(Arc<dyn ObjectStore>) -> F + Send + 'static,
        F: 'static,
    {
        let task = AbortOnDropHandle::new(self.io.spawn(work(Arc::clone(&self.inner))));
        match task.await {
            Ok(result) => result,
            Err(source) => Err(object_store::Error::JoinError { source }),
        }
    }
}

impl fmt::Display for StoreOnIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("basin store, read-only")
    }
}

fn read_only() -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: "write".to_owned(),
        implementer: "the engine's store".to_owned(),
    }
}

#[async_trait]
impl ObjectStore for StoreOnIo {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let location = location.clone();
        self.on_io(move |store| async move { store.get_opts(&location, options).await }).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (location, ranges) = (location.clone(), ranges.to_vec());
        self.on_io(move |store| async move { store.get_ranges(&location, &ranges).await }).await
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        futures::stream::once(async { Err(read_only()) }).boxed()
    }

    // Only the Delta log is listed, and that on the I/O runtime already. Its reader takes the order of
    // names for granted; local file systems have none.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix).try_collect::<Vec<ObjectMeta>>();
        let sorted = listed.map_ok(|mut files| {
            files.sort_by(|a, b| a.location.cmp(&b.location));
            futures::stream::iter(files.into_iter().map(Ok))
        });
        sorted.try_flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only())
    }
}

/// A registry that knows Basin's store only: DataFusion's default one opens any `file://` URL.
#[derive(Debug, Default)]
pub(crate) struct OnlyOurs {
    store: OnceLock<(Url, Arc<dyn ObjectStore>)>,
}

impl ObjectStoreRegistry for OnlyOurs {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        // The first one stays: nothing can replace it later.
        match self.store.set((url.clone(), store)) {
            Ok(()) => None,
            Err((_, refused)) => Some(refused),
        }
    }

    fn get_store(&self, url: &Url) -> datafusion::common::Result<Arc<dyn ObjectStore>> {
        match self.store.get() {
            Some((ours, store)) if ours.scheme() == url.scheme() && ours.host() == url.host() => {
                Ok(Arc::clone(store))
            }
            _ => Err(exec_datafusion_err!("no such store")),
        }
    }
}
