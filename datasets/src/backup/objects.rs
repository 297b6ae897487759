//! Which objects a backup holds beside the catalog, and copying them: large ones in parts.

use std::collections::HashMap;
use std::ops::AddAssign;

use basin_catalog::Store;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

use crate::fsck::{Survey, TableSurvey, delta_number};
use crate::progress::Progress;
use crate::{DatasetsError, Result};

/// Objects copied at once.
const CONCURRENCY: usize = 8;
/// Size of one part; smaller objects are written by one request.
const PART_BYTES: usize = 8 << 20;
const JOURNAL: &str = "audit/_journal/";
const AUDIT_LOG: &str = "audit/_delta_log/";

/// An object with its size.
type Object = (Path, u64);

/// What copying did.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) kept: u64,
}

impl AddAssign for Copied {
    fn add_assign(&mut self, more: Self) {
        self.objects += more.objects;
        self.bytes += more.bytes;
        self.kept += more.kept;
    }
}

/// The files of all versions that can be read, and the Delta logs up to the newest published version. What points at the newest
/// Delta checkpoint is left out: it may be of a version that is not published, and readers find checkpoints without it.
pub(super) fn table_objects(survey: &Survey) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for table in survey.tables.iter().filter(|table| table.newest.is_some()) {
        for file in table.files.values() {
            let path = format!("{}/{}", table.folder, file.path);
            let path = Path::parse(&path).map_err(|source| failed("naming", &path, source.into()))?;
            objects.push((path, file.size_bytes));
        }
        let log = table.objects.iter().filter(|(inside, _)| is_published(table, inside));
        objects.extend(log.map(|(_, object)| (object.location.clone(), object.size)));
    }
    Ok(objects)
}

fn is_published(table: &TableSurvey, inside: &str) -> bool {
    delta_number(inside).is_some_and(|version| table.newest.is_some_and(|newest| version <= newest))
}

/// The records of queries, in three parts that are copied one after another: a record that moves from the journal into the table
/// meanwhile is in one of them, and the table's log names no file that is not there.
pub(super) async fn audit_objects(store: &Store) -> Result<[Vec<Object>; 3]> {
    let listing = store.objects().list(Some(&store.audit_path()));
    let all: Vec<Object> = listing
        .map_ok(|object| (object.location, object.size))
        .try_collect()
        .await
        .map_err(|source| failed("listing", "audit", source))?;
    let (journal, rest): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(path, _)| path.as_ref().starts_with(JOURNAL));
    let (log, files) = rest.into_iter().partition(|(path, _)| path.as_ref().starts_with(AUDIT_LOG));
    Ok([journal, files, log])
}

/// Copies objects, without those that are there with their size.
pub(super) async fn copy_objects(
    (from, to): (&Store, &Store),
    objects: Vec<Object>,
    there: &HashMap<Path, u64>,
    progress: &Progress,
) -> Result<Copied> {
    let total = objects.len() as u64;
    let missing: Vec<Object> =
        objects.into_iter().filter(|(path, size)| there.get(path) != Some(size)).collect();
    let mut copied = Copied { kept: total - missing.len() as u64, ..Copied::default() };
    progress.expect_bytes(missing.iter().map(|(_, size)| size).sum());
    let work = missing.into_iter().map(|(path, _)| copy(from, to, path, progress));
    let mut work = stream::iter(work).buffer_unordered(CONCURRENCY);
    while let Some(bytes) = work.try_next().await? {
        copied.bytes += bytes;
        copied.objects += 1;
    }
    Ok(copied)
}

async fn copy(from: &Store, to: &Store, path: Path, progress: &Progress) -> Result<u64> {
    let unread = |source| failed("reading", path.as_ref(), source);
    let unwritten = |source| failed("writing", path.as_ref(), source);
    let found = from.objects().get(&path).await.map_err(unread)?;
    let size = found.meta.size;
    let mut writer = BufWriter::with_capacity(to.objects(), path.clone(), PART_BYTES).with_max_concurrency(2);
    let mut chunks = found.into_stream();
    let mut bytes = 0;
    let streamed = async {
        while let Some(chunk) = chunks.try_next().await.map_err(unread)? {
            bytes += chunk.len() as u64;
            progress.read_bytes(chunk.len() as u64);
            writer.put(chunk).await.map_err(unwritten)?;
        }
        Ok(())
    };
    let mut outcome: Result<()> = streamed.await;
    if outcome.is_ok() && bytes != size {
        outcome = Err(DatasetsError::internal(format!("{path}: {bytes} of {size} bytes were read")));
    }
    if let Err(error) = outcome {
        // What it began is removed as far as the store lets it; the error is the one above.
        drop(writer.abort().await);
        return Err(error);
    }
    let generic =
        |source: std::io::Error| object_store::Error::Generic { store: "copy", source: source.into() };
    writer.shutdown().await.map_err(|error| unwritten(generic(error)))?;
    Ok(bytes)
}

fn failed(doing: &str, object: &str, source: object_store::Error) -> DatasetsError {
    DatasetsError::Store { action: format!("{doing} {object}"), source }
}
