//! Conformance: whether a store does what Basin rests on. Each check tries one thing out, in a folder of its own that is
//! removed afterwards. It reads and changes nothing else of the store.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::Serialize;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Store;

/// Writers of a race.
const WRITERS: usize = 16;
/// Races: a store that orders writers only sometimes is found in one of them.
const RACES: usize = 8;
/// Objects of a listing: more than a page of a thousand.
const LISTED: usize = 1_100;
/// Requests at once.
const CONCURRENCY: usize = 32;
/// The least size of a part that S3 takes.
const PART_BYTES: usize = 5 << 20;
const PARTS: usize = 3;
const RANGED_BYTES: u64 = 1 << 20;

/// What one check found.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What a store must do.
    pub name: &'static str,
    /// What of Basin rests on it.
    pub needed_for: &'static str,
    /// What it did instead; none: it does it.
    pub fault: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// What all checks found.
#[derive(Debug, Clone, Serialize)]
pub struct Conformance {
    /// The store.
    pub url: String,
    /// Whether data can be trusted to it.
    pub conforms: bool,
    /// Each check, in order.
    pub checks: Vec<Check>,
}

/// Why a check failed.
struct Fault(String);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(format!("a request failed: {error}"))
    }
}

impl From<tokio::task::JoinError> for Fault {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(format!("a writer ended early: {error}"))
    }
}

type Found = std::result::Result<(), Fault>;

fn fault(text: impl Into<String>) -> Found {
    Err(Fault(text.into()))
}

fn unless(holds: bool, text: impl FnOnce() -> String) -> Found {
    if holds { Ok(()) } else { fault(text()) }
}

/// Tries out what Basin rests on. A store that can't be reached fails each check with the reason.
pub async fn conformance(store: &Store) -> Conformance {
    let place =
        Place { objects: store.objects(), folder: Path::from(format!("basin-check-{}", Uuid::now_v7())) };
    let checks = vec![
        check("what was written is read", "everything", place.written_is_read()).await,
        check("what is missing is said to be missing", "opening a catalog", place.missing_is_missing()).await,
        check("of many that create one object one succeeds", "commits", place.one_creates()).await,
        check("creating again changes nothing", "commits", place.creating_again_is_refused()).await,
        check("ranges are whole or fail", "reading Parquet", place.ranges_are_whole()).await,
        check("a listing has all that was written", "audit, clean-up", place.listings_are_whole()).await,
        check("an upload in parts appears as a whole", "large files", place.parts_appear_as_a_whole()).await,
        check("what is deleted is gone", "clean-up", place.deleted_is_gone()).await,
    ];
    place.remove().await;
    Conformance {
        url: store.url().to_string(),
        conforms: checks.iter().all(|check| check.fault.is_none()),
        checks,
    }
}

async fn check(name: &'static str, needed_for: &'static str, found: impl Future<Output = Found>) -> Check {
    let began = Instant::now();
    let fault = found.await.err().map(|Fault(text)| text);
    Check { name, needed_for, fault, seconds: began.elapsed().as_secs_f64() }
}

/// Where checks write.
struct Place {
    objects: Arc<dyn ObjectStore>,
    folder: Path,
}

impl Place {
    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.folder))
    }

    async fn read(&self, path: &Path) -> std::result::Result<Bytes, Error> {
        self.objects.get(path).await?.bytes().await
    }

    async fn written_is_read(&self) -> Found {
        for number in 0..WRITERS {
            let (path, bytes) =
                (self.path(&format!("read/year=2020/{number}")), numbered(number as u64, 10_000));
            self.objects.put(&path, bytes.clone().into()).await?;
            unless(self.read(&path).await? == bytes, || format!("{path} was read with other bytes"))?;
            let size = self.objects.head(&path).await?.size;
            unless(size == bytes.len() as u64, || format!("{path} is said to have {size} bytes"))?;
        }
        Ok(())
    }

    async fn missing_is_missing(&self) -> Found {
        let path = self.path("missing");
        for found in [self.read(&path).await.map(drop), self.objects.head(&path).await.map(drop)] {
            match found {
                Err(Error::NotFound { .. }) => {}
                Ok(()) => return fault("an object that nobody wrote was found"),
                Err(error) => return fault(format!("the error is not «not found»: {error}")),
            }
        }
        Ok(())
    }

    /// A writer whose request was repeated after its reply was lost may be told that the object is there already, by itself.
    async fn one_creates(&self) -> Found {
        for race in 0..RACES {
            let path = self.path(&format!("race/{race}"));
            let start = Arc::new(Barrier::new(WRITERS));
            let mut writers = JoinSet::new();
            for writer in 0..WRITERS {
                let (objects, path, start) = (Arc::clone(&self.objects), path.clone(), Arc::clone(&start));
                writers.spawn(async move {
                    start.wait().await;
                    let bytes = numbered(writer as u64, 200);
                    (writer, objects.put_opts(&path, bytes.into(), create()).await)
                });
            }
            let mut made = Vec::new();
            while let Some(ended) = writers.join_next().await {
                match ended? {
                    (writer, Ok(_)) => made.push(writer),
                    (_, Err(Error::AlreadyExists { .. })) => {}
                    (_, Err(error)) => return fault(format!("the error is not «there already»: {error}")),
                }
            }
            let [winner] = made.as_slice() else {
                return fault(format!("{} of {WRITERS} writers were told that they made it", made.len()));
            };
            let bytes = self.read(&path).await?;
            unless(bytes == numbered(*winner as u64, 200), || {
                "the object is not that of the writer who made it".to_owned()
            })?;
        }
        Ok(())
    }

    async fn creating_again_is_refused(&self) -> Found {
        let (path, first) = (self.path("again"), numbered(1, 100));
        self.objects.put_opts(&path, first.clone().into(), create()).await?;
        match self.objects.put_opts(&path, numbered(2, 100).into(), create()).await {
            Err(Error::AlreadyExists { .. }) => {}
            Ok(_) => return fault("the second writer was told that it made the object"),
            Err(error) => return fault(format!("the error is not «there already»: {error}")),
        }
        unless(self.read(&path).await? == first, || "the object changed".to_owned())
    }

    async fn ranges_are_whole(&self) -> Found {
        let (path, bytes) = (self.path("ranges"), numbered(7, RANGED_BYTES as usize));
        self.objects.put(&path, bytes.clone().into()).await?;
        let wanted = [0..1, 100..4_196, 524_000..786_000, RANGED_BYTES - 8..RANGED_BYTES];
        let part = |range: &Range<u64>| bytes.slice(range.start as usize..range.end as usize);
        for range in &wanted {
            let read = self.objects.get_range(&path, range.clone()).await?;
            unless(read == part(range), || format!("bytes {range:?} are others"))?;
        }
        let together = self.objects.get_ranges(&path, &wanted).await?;
        unless(together.iter().zip(&wanted).all(|(read, range)| *read == part(range)), || {
            "ranges that are asked for together are others".to_owned()
        })?;
        let suffix = GetOptions { range: Some(GetRange::Suffix(8)), ..GetOptions::default() };
        let read = self.objects.get_opts(&path, suffix).await?.bytes().await?;
        unless(read == part(&(RANGED_BYTES - 8..RANGED_BYTES)), || "the last 8 bytes are others".to_owned())?;
        let beyond = self.objects.get_range(&path, RANGED_BYTES + 10..RANGED_BYTES + 20).await;
        unless(beyond.is_err(), || "a range beyond the end was answered".to_owned())
    }

    async fn listings_are_whole(&self) -> Found {
        let folder = self.folder.clone().join("list");
        let paths: BTreeSet<Path> =
            (0..LISTED).map(|number| folder.clone().join(format!("{number:08}"))).collect();
        let writes = paths.iter().map(|path| self.objects.put(path, Bytes::from_static(b"x").into()));
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect::<Vec<_>>().await?;
        let listed: Vec<Path> =
            self.objects.list(Some(&folder)).map_ok(|object| object.location).try_collect().await?;
        let found: BTreeSet<Path> = listed.iter().cloned().collect();
        unless(found == paths && listed.len() == LISTED, || {
            format!("{} objects are listed, of {LISTED} that were written", listed.len())
        })?;
        let after = folder.clone().join(format!("{:08}", LISTED / 2));
        let later = self.objects.list_with_offset(Some(&folder), &after);
        let later: BTreeSet<Path> = later.map_ok(|object| object.location).try_collect().await?;
        let expected: BTreeSet<Path> = paths.iter().filter(|path| **path > after).cloned().collect();
        unless(later == expected, || {
            format!("{} objects are listed after the middle one, not {}", later.len(), expected.len())
        })
    }

    async fn parts_appear_as_a_whole(&self) -> Found {
        let parts: Vec<Bytes> = (0..PARTS as u64).map(|part| numbered(part, PART_BYTES)).collect();
        let path = self.path("parts");
        let mut upload = self.objects.put_multipart(&path).await?;
        for part in &parts {
            upload.put_part(part.clone().into()).await?;
        }
        unless(self.objects.head(&path).await.is_err(), || {
            "the object is there before its upload is complete".to_owned()
        })?;
        upload.complete().await?;
        unless(self.read(&path).await? == parts.concat(), || "the object is not its parts".to_owned())?;
        let path = self.path("aborted");
        let mut upload = self.objects.put_multipart(&path).await?;
        upload.put_part(numbered(0, PART_BYTES).into()).await?;
        upload.abort().await?;
        unless(self.objects.head(&path).await.is_err(), || "an upload that was given up is there".to_owned())
    }

    async fn deleted_is_gone(&self) -> Found {
        let path = self.path("gone");
        self.objects.put(&path, numbered(0, 10).into()).await?;
        self.objects.delete(&path).await?;
        match self.read(&path).await {
            Err(Error::NotFound { .. }) => {}
            Ok(_) => return fault("a deleted object was read"),
            Err(error) => return fault(format!("the error is not «not found»: {error}")),
        }
        let listed: Vec<_> = self.objects.list(Some(&path)).try_collect().await?;
        unless(listed.is_empty(), || "a deleted object is listed".to_owned())
    }

    /// Removes what the checks left. What can't be removed stays, under a name that tells what it is.
    async fn remove(&self) {
        let left = self.objects.list(Some(&self.folder)).map_ok(|object| object.location).boxed();
        let removed: std::result::Result<Vec<_>, _> = self.objects.delete_stream(left).try_collect().await;
        if let Err(error) = removed {
            tracing::warn!(%error, folder = %self.folder, "what the checks wrote could not be removed");
        }
    }
}

fn create() -> PutOptions {
    PutOptions { mode: PutMode::Create, ..PutOptions::default() }
}

/// Bytes that tell who wrote them, and where they lie.
fn numbered(seed: u64, length: usize) -> Bytes {
    let byte =
        |at: usize| (at as u64).wrapping_mul(31).wrapping_add(seed.wrapping_mul(97)) as u8 ^ (at >> 8) as u8;
    (0..length).map(byte).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests;
