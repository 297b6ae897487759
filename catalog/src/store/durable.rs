//! A local folder whose acknowledged writes survive a crash: files and folders are synced.
//!
//! object_store's `LocalFileSystem` does the reading, listing and naming; it does not sync. Catalog objects hold password
//! hashes and the sealing key, so on Unix only their owner may read them.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

const STORE: &str = "local folder";

/// A folder on a local disk.
#[derive(Debug)]
pub(super) struct DurableFolder {
    inner: LocalFileSystem,
    folders: Arc<Folders>,
}

/// The folders below the root whose existence is known to be on disk.
#[derive(Debug)]
struct Folders {
    root: PathBuf,
    synced: Mutex<HashSet<PathBuf>>,
}

impl DurableFolder {
    /// Opens a folder that exists.
    pub(super) fn open(folder: &FilePath) -> Result<Self> {
        let root = folder.canonicalize().map_err(failed)?;
        if let Some(parent) = root.parent() {
            // The folder may lie below one that this user can't open; then it was not made by this call.
            if let Err(error) = sync(parent) {
                tracing::debug!(%error, "parent folder of the store is not synced");
            }
        }
        let inner = LocalFileSystem::new_with_prefix(&root)?;
        Ok(Self { inner, folders: Arc::new(Folders { root, synced: Mutex::default() }) })
    }

    /// Syncs a file that was just put in place, and its folder.
    async fn sync_file(&self, location: &Path) -> Result<()> {
        let file = self.inner.path_to_filesystem(location)?;
        let folders = Arc::clone(&self.folders);
        blocking(move || {
            File::open(&file)?.sync_all()?;
            folders.sync_entry(&file)
        })
        .await
    }
}

impl Folders {
    /// Makes the folder of a file; it and those above it are on disk afterwards.
    fn make_for(&self, file: &FilePath) -> io::Result<()> {
        let Some(folder) = file.parent() else { return Ok(()) };
        if self.synced.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        let mut done = vec![folder.to_owned()];
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
            sync(above)?;
            done.push(above.to_owned());
        }
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
        Ok(())
    }

    /// Syncs the folder that a file was put into or taken from.
    fn sync_entry(&self, file: &FilePath) -> io::Result<()> {
        self.make_for(file)?;
        file.parent().map_or(Ok(()), sync)
    }

    fn put(&self, file: &FilePath, payload: &PutPayload, create: bool) -> io::Result<()> {
        self.make_for(file)?;
        let staged = staged(file);
        let written = self.write(&staged, payload).and_then(|()| {
            if !create {
                return fs::rename(&staged, file);
            }
            fs::hard_link(&staged, file)?;
            fs::remove_file(&staged)
        });
        if written.is_err() {
            // What is left of a failed write has a name that nobody lists.
            drop(fs::remove_file(&staged));
        }
        written?;
        file.parent().map_or(Ok(()), sync)
    }

    fn write(&self, staged: &FilePath, payload: &PutPayload) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if staged.starts_with(self.root.join("catalog")) {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let mut file = options.open(staged)?;
        payload.iter().try_for_each(|bytes| file.write_all(bytes))?;
        file.sync_all()
    }
}

/// A name beside the file that `LocalFileSystem` takes for an unfinished upload: it ends in `#` and digits.
fn staged(file: &FilePath) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!("#{}", rand::random::<u64>()));
    PathBuf::from(name)
}

fn sync(folder: &FilePath) -> io::Result<()> {
    if cfg!(windows) {
        // Windows has no way to sync a folder; NTFS journals its entries.
        return Ok(());
    }
    File::open(folder)?.sync_all()
}

fn failed(source: io::Error) -> Error {
    Error::Generic { store: STORE, source: source.into() }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?.map_err(failed)
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableFolder({})", self.folders.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "`put_opts` with mode `PutMode::Update`".to_owned(),
                    implementer: self.to_string(),
                });
            }
        };
        let file = self.inner.path_to_filesystem(location)?;
        let folders = Arc::clone(&self.folders);
        let path = location.to_string();
        let work = move || match folders.put(&file, &payload, create) {
            Ok(()) => Ok(()),
            Err(source) if create && source.kind() == ErrorKind::AlreadyExists => {
                Err(Error::AlreadyExists { path, source: source.into() })
            }
            Err(source) => Err(failed(source)),
        };
        tokio::task::spawn_blocking(work).await??;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, options).await?;
        let file = self.inner.path_to_filesystem(location)?;
        Ok(Box::new(DurableUpload { inner, file, folders: Arc::clone(&self.folders) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

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
        self.inner.copy_opts(from, to, options).await?;
        self.sync_file(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        self.sync_file(to).await?;
        let left = self.inner.path_to_filesystem(from)?;
        blocking(move || left.parent().map_or(Ok(()), sync)).await
    }
}

/// An upload in parts that is synced when it is complete.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    file: PathBuf,
    folders: Arc<Folders>,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        let (file, folders) = (self.file.clone(), Arc::clone(&self.folders));
        blocking(move || {
            File::open(&file)?.sync_all()?;
            folders.sync_entry(&file)
        })
        .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests;
