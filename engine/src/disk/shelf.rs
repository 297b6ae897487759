//! Shelf: ranges as files in one folder, bounded by their bytes, each with a checksum.
//!
//! A file that was cut short, written over or damaged is no range: it is removed, and the range read again. Several
//! processes share a folder by locks: each takes a part of its own, and finds there what an earlier one kept.

use crate::cache::CacheFigures;
use crate::error::{EngineError, Result};
use bytes::Bytes;
use object_store::path::Path;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

/// First bytes of each file: the form that this version reads.
const MAGIC: &[u8] = b"basin range 1\n";
const HASH_BYTES: usize = 32;
/// What a range is expected to take, to size the index.
const TYPICAL_BYTES: u64 = 256 << 10;
/// Processes that may share a folder.
const PARTS: usize = 256;
/// Files of which it is remembered what the store said of them.
const MET: usize = 1 << 16;

/// What a store says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) size: u64,
    pub(super) e_tag: Option<String>,
}

/// A range of a file and its bytes.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) range: Range<u64>,
    pub(super) bytes: Bytes,
}

/// The name of a range's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Name([u8; 16]);

#[derive(Debug, Clone)]
struct Bytewise;

impl Weighter<Name, u64> for Bytewise {
    fn weight(&self, _: &Name, bytes: &u64) -> u64 {
        *bytes
    }
}

/// Removes the files of ranges that must make room.
#[derive(Debug, Clone)]
struct Removing(Arc<FilePath>);

impl Lifecycle<Name, u64> for Removing {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), name: Name, _: u64) {
        remove(&file_of(&self.0, name));
    }
}

/// The ranges that one process keeps.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: Arc<FilePath>,
    store: String,
    files: Cache<Name, u64, Bytewise, DefaultHashBuilder, Removing>,
    met: Cache<Path, Identity>,
    capacity: u64,
    /// Held as long as this process lives.
    _lock: File,
}

impl Shelf {
    /// Takes a part of the folder that no other process has, with what was kept there of this store.
    ///
    /// # Errors
    /// Internal, with the cause, when the folder can't be used.
    pub(crate) fn open(folder: &FilePath, store: &str, capacity: u64) -> Result<Self> {
        let failed =
            |error: io::Error| EngineError::internal("the folder of the disk cache can't be used", error);
        let (folder, lock) = take_part(folder).map_err(failed)?;
        let folder: Arc<FilePath> = folder.into();
        let expected = usize::try_from(capacity / TYPICAL_BYTES).unwrap_or(usize::MAX).max(64);
        let removing = Removing(Arc::clone(&folder));
        let files = Cache::with(expected, capacity, Bytewise, DefaultHashBuilder::default(), removing);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match name_of(&entry.path()) {
                Some(name) => files.insert(name, entry.metadata().map_err(failed)?.len()),
                None if entry.file_name() == LOCK => {}
                None => remove(&entry.path()),
            }
        }
        Ok(Self { folder, store: store.to_owned(), files, met: Cache::new(MET), capacity, _lock: lock })
    }

    /// Tells how it does.
    pub(crate) fn figures(&self) -> CacheFigures {
        CacheFigures {
            entries: self.files.len() as u64,
            bytes: self.files.weight(),
            capacity_bytes: self.capacity,
            hits: self.files.hits(),
            misses: self.files.misses(),
            shared: 0,
        }
    }

    /// Notes what the store says of a file. When it said otherwise before, nothing that was kept of it is used any more.
    pub(super) fn meet(&self, path: &Path, identity: &Identity) {
        let before = self.met.get(path);
        if before.as_ref() != Some(identity) {
            self.met.insert(path.clone(), identity.clone());
        }
    }

    /// Returns a range that is kept.
    pub(super) fn read(&self, path: &Path, range: &Range<u64>) -> Option<Bytes> {
        let name = self.name(path, range);
        self.files.get(&name)?;
        let file = file_of(&self.folder, name);
        let kept = fs::read(&file).ok().and_then(|content| {
            let (identity, bytes) = opened(content.into(), &self.label(path, range))?;
            let is_known = self.met.get(path).is_none_or(|met| met == identity);
            (is_known && bytes.len() as u64 == range.end - range.start).then_some((identity, bytes))
        });
        if kept.is_none() {
            self.files.remove(&name);
            remove(&file);
        }
        let (identity, bytes) = kept?;
        self.meet(path, &identity);
        Some(bytes)
    }

    /// Keeps a range. What can't be written is not kept.
    pub(super) fn write(&self, path: &Path, piece: &Piece) {
        let Some(identity) = self.met.get(path) else { return };
        let name = self.name(path, &piece.range);
        let file = file_of(&self.folder, name);
        let written = write(&file, &self.label(path, &piece.range), &identity, &piece.bytes);
        match written {
            Ok(bytes) => self.files.insert(name, bytes),
            Err(error) => tracing::warn!(%error, "a range was not kept in the disk cache"),
        }
    }

    /// What names a range, in its file too: two ranges never share one.
    fn label(&self, path: &Path, range: &Range<u64>) -> String {
        format!("{}\n{path}\n{}-{}", self.store, range.start, range.end)
    }

    fn name(&self, path: &Path, range: &Range<u64>) -> Name {
        let hash = blake3::hash(self.label(path, range).as_bytes());
        let mut name = [0; 16];
        name.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        Name(name)
    }
}

const LOCK: &str = "lock";

/// A part of the folder whose lock nobody holds.
fn take_part(folder: &FilePath) -> io::Result<(PathBuf, File)> {
    for part in 0..PARTS {
        let part = folder.join(format!("part-{part}"));
        fs::create_dir_all(&part)?;
        let lock = File::create(part.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => return Ok((part, lock)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{PARTS} processes use it already")))
}

fn file_of(folder: &FilePath, Name(name): Name) -> PathBuf {
    folder.join(name.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn name_of(file: &FilePath) -> Option<Name> {
    let text = file.file_name()?.to_str()?;
    let number = (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok())??;
    Some(Name(number.to_be_bytes()))
}

fn remove(file: &FilePath) {
    if let Err(error) = fs::remove_file(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(file = %file.display(), %error, "a file of the disk cache was not removed");
    }
}

/// Writes a file beside its place and moves it there; returns its length.
fn write(file: &FilePath, label: &str, identity: &Identity, bytes: &Bytes) -> io::Result<u64> {
    let head = serde_json::to_vec(&(label, identity.size, &identity.e_tag))?;
    let mut hash = blake3::Hasher::new();
    hash.update(&head).update(bytes);
    let staged = file.with_extension(format!("{:x}", rand::random::<u64>()));
    let length = (head.len() as u32).to_le_bytes();
    let hash = hash.finalize();
    let parts: [&[u8]; 5] = [MAGIC, hash.as_bytes(), &length, &head, bytes];
    let written =
        File::create(&staged).and_then(|mut to| parts.iter().try_for_each(|part| to.write_all(part)));
    let moved = written.and_then(|()| fs::rename(&staged, file));
    if moved.is_err() {
        remove(&staged);
    }
    moved.map(|()| parts.iter().map(|part| part.len() as u64).sum())
}

/// The content of a file, if it is whole and of this range.
fn opened(content: Bytes, label: &str) -> Option<(Identity, Bytes)> {
    let rest = content.strip_prefix(MAGIC)?;
    let (hash, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (head, bytes) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let mut found = blake3::Hasher::new();
    found.update(head).update(bytes);
    if found.finalize() != *hash {
        return None;
    }
    let (told, size, e_tag): (String, u64, Option<String>) = serde_json::from_slice(head).ok()?;
    (told == label).then(|| (Identity { size, e_tag }, content.slice_ref(bytes)))
}
