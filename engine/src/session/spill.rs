//! Spill: the folder for intermediate results of this process. It is locked while the process lives, so that the folders of
//! processes that died can be told from others, and removed: what a killed query left may be most of a disk.

use crate::error::{EngineError, Result};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const PREFIX: &str = "basin-spill-";
const LOCK: &str = "lock";
/// A folder that has no lock yet is just being made, unless it is older.
const JUST_MADE: Duration = Duration::from_secs(600);

/// The folder of this process; removed with it.
#[derive(Debug)]
pub(crate) struct SpillFolder {
    folder: TempDir,
    _lock: File,
}

impl SpillFolder {
    /// Makes a folder below `parent`, or in the system's temporary folder, and removes those of dead processes beside it.
    ///
    /// # Errors
    /// Internal when the disk can't be written.
    pub(crate) fn make(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let made = || -> io::Result<Self> {
            fs::create_dir_all(&parent)?;
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent)?;
            let lock = File::create(folder.path().join(LOCK))?;
            lock.lock()?;
            Ok(Self { folder, _lock: lock })
        };
        let made = made()
            .map_err(|error| EngineError::internal("making the folder for intermediate results", error))?;
        remove_orphans(&parent);
        Ok(made)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

fn remove_orphans(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.filter_map(io::Result::ok) {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_orphan(&path) {
            match fs::remove_dir_all(&path) {
                Ok(()) => {
                    tracing::info!(folder = %path.display(), "removed what a dead process left on the spill disk")
                }
                Err(error) => tracing::warn!(folder = %path.display(), %error, "can't be removed"),
            }
        }
    }
}

/// Whether the process of a folder is gone. Locks end with their process, however that ends.
fn is_orphan(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => {
            let made = fs::metadata(folder).and_then(|metadata| metadata.modified()).ok();
            made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > JUST_MADE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_is_removed_and_what_the_living_have_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = SpillFolder::make(Some(parent.path())).unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("half a sort"), "rows").unwrap();
        let new = parent.path().join(format!("{PREFIX}new"));
        fs::create_dir(&new).unwrap();
        let other = parent.path().join("of another program");
        fs::create_dir(&other).unwrap();
        let next = SpillFolder::make(Some(parent.path())).unwrap();
        assert!(!dead.exists());
        assert!(living.path().exists() && next.path().exists() && new.exists() && other.exists());
        let gone = next.path();
        drop(next);
        assert!(!gone.exists());
    }
}
