//! What tests of crashes share: a store that dies at a chosen request, and work that dies at each in turn.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use async_trait::async_trait;
use basin_catalog::Store;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use tempfile::TempDir;
use tokio::sync::Notify;

/// When a store dies: at a request, before or after it is carried out. Everything afterwards fails, as for a killed process.
#[derive(Debug)]
pub(crate) struct Death {
    requests: AtomicU64,
    at: u64,
    done: bool,
    died: Notify,
}

impl Death {
    pub(crate) fn at(at: u64, done: bool) -> Arc<Self> {
        Arc::new(Self { requests: AtomicU64::new(0), at, done, died: Notify::new() })
    }

    pub(crate) fn has_come(&self) -> bool {
        self.requests.load(SeqCst) >= self.at
    }

    /// Counts a request that is about to be sent.
    fn ask(&self) -> Result<bool> {
        let request = self.requests.fetch_add(1, SeqCst) + 1;
        if request > self.at || (request == self.at && !self.done) {
            self.died.notify_one();
            return Err(dead());
        }
        Ok(request == self.at)
    }

    async fn around<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let last = self.ask()?;
        let reply = request.await;
        if last {
            self.died.notify_one();
            return Err(dead());
        }
        reply
    }
}

fn dead() -> Error {
    Error::Generic { store: "dying", source: "the process is dead".into() }
}

/// The store of a process that dies.
#[derive(Debug)]
struct Dying {
    inner: Arc<dyn ObjectStore>,
    death: Arc<Death>,
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dying({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Dying {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.death.around(self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.death.around(self.inner.put_multipart_opts(location, options)).await?;
        Ok(Box::new(DyingUpload { inner, death: Arc::clone(&self.death) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.death.around(self.inner.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, death) = (Arc::clone(&self.inner), Arc::clone(&self.death));
        let each = move |location: Result<Path>| {
            let (inner, death) = (Arc::clone(&inner), Arc::clone(&death));
            async move {
                let location = location?;
                let mut gone = inner.delete_stream(futures::stream::iter([Ok(location)]).boxed());
                death.around(async move { gone.next().await.unwrap_or_else(|| Err(dead())) }).await
            }
        };
        locations.then(each).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.death.ask() {
            Ok(_) => self.inner.list(prefix),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.death.around(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.death.around(self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.death.around(self.inner.rename_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct DyingUpload {
    inner: Box<dyn MultipartUpload>,
    death: Arc<Death>,
}

#[async_trait]
impl MultipartUpload for DyingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, death) = (self.inner.put_part(data), Arc::clone(&self.death));
        Box::pin(async move { death.around(part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.death.around(self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.death.around(self.inner.abort()).await
    }
}

/// The store in a folder; its process dies as `death` says.
pub(crate) fn dying(folder: &FilePath, death: &Arc<Death>) -> Store {
    let death = Arc::clone(death);
    open(folder).through(|inner| Arc::new(Dying { inner, death }))
}

/// The store in a folder.
pub(crate) fn open(folder: &FilePath) -> Store {
    Store::create(folder.to_str().unwrap()).unwrap()
}

/// Does `work` on copies of a folder, in processes that die at each of its requests to the store in turn, before and after
/// the request is carried out. After each death `check` looks at what is left. Gives the number of deaths.
pub(crate) async fn die_everywhere(
    base: &FilePath,
    work: impl AsyncFn(Store),
    check: impl AsyncFn(&FilePath),
) -> u64 {
    let mut deaths = 0;
    for done in [false, true] {
        for at in 1.. {
            let copy = TempDir::new().unwrap();
            copy_folder(base, copy.path());
            let death = Death::at(at, done);
            tokio::select! {
                () = work(dying(copy.path(), &death)) => {}
                () = death.died.notified() => {}
            }
            let ended = !death.has_come();
            check(copy.path()).await;
            if ended {
                break;
            }
            deaths += 1;
        }
    }
    deaths
}

pub(crate) fn copy_folder(from: &FilePath, to: &FilePath) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Puts a checkpoint of the newest snapshot into a store's catalog by making commits until there is one.
pub(crate) async fn checkpointed(catalog: &basin_catalog::Catalog) {
    use basin_catalog::Change;
    loop {
        let base = catalog.latest().await.unwrap();
        if base.id().0 > 0 && base.id().0.is_multiple_of(32) {
            return;
        }
        let node = Change::PutNode(base.node().clone());
        catalog.commit(&base, "test", vec![node]).await.unwrap();
    }
}
