//! Journal: records as small objects of JSON lines, written before anything is answered and kept until they are
//! rolled into the table. A record may stand in it twice: as it was opened, and as it ended.
//!
//! JSON lines and not Parquet: an object of one record is a tenth as large, and costs no schema and no footer.

use super::fault;
use super::record::Record;
use crate::error::{EngineError, Result};
use crate::request::QueryId;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;
use std::time::Duration;

/// Objects read at once.
const CONCURRENCY: usize = 16;
/// A roll takes milliseconds and comes every few minutes: to meet this many is no chance.
const MAX_ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(5);
/// Folder below the audit's. Delta's own tools leave names that begin with `_` alone.
const FOLDER: &str = "_journal";

/// One object.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) path: Path,
    pub(super) records: Vec<Record>,
}

/// Stores records durably, in one object; returns where.
pub(super) async fn write(store: &Arc<dyn ObjectStore>, folder: &Path, records: &[Record]) -> Result<Path> {
    let mut lines = Vec::with_capacity(records.len() * 512);
    for record in records {
        serde_json::to_writer(&mut lines, record).map_err(fault)?;
        lines.push(b'\n');
    }
    // The name is new, so that repeating a write whose reply was lost does no harm.
    let path = folder.clone().join(FOLDER).join(format!("{}.jsonl", QueryId::new()));
    store.put(&path, lines.into()).await.map_err(unavailable)?;
    Ok(path)
}

/// Lists the objects, the oldest first.
pub(super) async fn list(store: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Vec<Path>> {
    let folder = folder.clone().join(FOLDER);
    let listed = store.list(Some(&folder)).map_ok(|object| object.location);
    let mut paths: Vec<Path> = listed.try_collect().await.map_err(unavailable)?;
    paths.sort();
    Ok(paths)
}

/// Reads all records, for whoever wants each. What an object that went meanwhile held may have moved to a newer one,
/// so all are listed again then.
pub(super) async fn read_all(store: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Vec<Record>> {
    for _ in 0..MAX_ATTEMPTS {
        let paths = list(store, folder).await?;
        let listed = paths.len();
        let sheets = read(store, paths).await?;
        if sheets.len() == listed {
            return Ok(sheets.into_iter().flat_map(|sheet| sheet.records).collect());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(EngineError::Busy("the audit is being rolled again and again".to_owned()))
}

/// Reads objects, as far as they are still there.
pub(super) async fn read(store: &Arc<dyn ObjectStore>, paths: Vec<Path>) -> Result<Vec<Sheet>> {
    let sheets = futures::stream::iter(paths).map(|path| sheet(store, path)).buffered(CONCURRENCY);
    Ok(sheets.try_collect::<Vec<_>>().await?.into_iter().flatten().collect())
}

async fn sheet(store: &Arc<dyn ObjectStore>, path: Path) -> Result<Option<Sheet>> {
    let bytes = match store.get(&path).await {
        Ok(object) => object.bytes().await.map_err(unavailable)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(unavailable(error)),
    };
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(serde_json::from_slice).collect::<std::result::Result<_, _>>();
    match records {
        Ok(records) => Ok(Some(Sheet { path, records })),
        Err(error) => Err(EngineError::Corrupt { source: Box::new(error) }),
    }
}

pub(super) fn unavailable(error: object_store::Error) -> EngineError {
    EngineError::Store { source: Box::new(error) }
}
