//! What writers that died left beside objects in a local folder: files that no listing shows.

use std::fs;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::Store;
use crate::error::{CatalogError, Result};

/// An upload that never became an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its name, below the store's root.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written to.
    pub modified: DateTime<Utc>,
}

impl Store {
    /// Lists what unfinished uploads left. Other stores than local folders keep that out of sight: there the bucket's own rule
    /// for incomplete multipart uploads removes it.
    ///
    /// # Errors
    /// `Unavailable` when the folder can't be read.
    pub async fn unfinished(&self) -> Result<Vec<Unfinished>> {
        let Some(root) = self.folder() else { return Ok(Vec::new()) };
        let search = move || {
            let mut found = Vec::new();
            walk(&root, &root, &mut found).map(|()| found)
        };
        self.blocking("looking for unfinished uploads", search).await
    }

    /// Removes one of [`Store::unfinished`]; one that has gone is removed.
    ///
    /// # Errors
    /// `Unavailable` when it can't be removed.
    pub async fn remove_unfinished(&self, upload: &Unfinished) -> Result<()> {
        let Some(root) = self.folder() else { return Ok(()) };
        let file = root.join(&upload.name);
        if !is_unfinished(&file) {
            return Err(CatalogError::invalid(&*upload.name, "it is no unfinished upload"));
        }
        let remove = move || match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
        self.blocking("removing an unfinished upload", remove).await
    }

    fn folder(&self) -> Option<PathBuf> {
        (self.url.scheme() == "file").then(|| self.url.to_file_path().ok())?
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let failed = |source| CatalogError::Unavailable {
            url: self.url.to_string(),
            doing: doing.to_owned(),
            source: object_store::Error::Generic { store: "local folder", source },
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|error| failed(error.into())),
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// A name that ends in `#` and digits, as `DurableFolder` and `LocalFileSystem` name what isn't whole yet.
fn is_unfinished(file: &FilePath) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    let digits = name.and_then(|name| name.rsplit_once('#')).map(|(_, digits)| digits);
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn walk(root: &FilePath, folder: &FilePath, found: &mut Vec<Unfinished>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else if is_unfinished(&path)
            && let (Ok(meta), Ok(name)) = (entry.metadata(), path.strip_prefix(root))
        {
            let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH).into();
            found.push(Unfinished { name: name.to_string_lossy().into_owned(), bytes: meta.len(), modified });
        }
    }
    Ok(())
}
