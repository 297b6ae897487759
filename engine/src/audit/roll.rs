//! Roll: what the journal holds, into the table, as one commit of Delta.
//!
//! In order: read the journal; merge what has ended into the files of its days; commit, where put-if-absent
//! decides between several servers; only then delete from the journal. A crash between two steps leaves a file that
//! nobody refers to, or objects whose records are in the table already: the next roll finds both. Readers
//! count a record once, wherever it stands (`read`).

use super::journal::{self, Sheet};
use super::merge::{Day, merge};
use super::record::Record;
use super::table::{AuditTable, TableChange, recent_days};
use crate::error::{EngineError, Result};
use chrono::{DateTime, NaiveDate, Utc};
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rolls that lose against another server this often leave it to that.
const MAX_ATTEMPTS: u32 = 5;
/// Objects of one roll, which bounds its memory.
const MAX_SHEETS: usize = 20_000;

/// What rolling the audit came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rolled {
    /// Records that came into the table.
    pub records: u64,
    /// Objects of the journal that were no longer needed.
    pub objects: u64,
    /// Objects that remain: they hold records of queries that may be running.
    pub remaining: u64,
}

/// Rolls the journal into the table.
pub(super) async fn roll(store: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Rolled> {
    let mut total = Rolled::default();
    let mut lost = 0;
    while lost < MAX_ATTEMPTS {
        let Some(Round { rolled, more }) = once(store, folder, Utc::now()).await? else {
            lost += 1;
            continue;
        };
        total.records += rolled.records;
        total.objects += rolled.objects;
        total.remaining = rolled.remaining;
        if !more {
            return Ok(total);
        }
    }
    Err(EngineError::Busy("another server is rolling the audit".to_owned()))
}

/// One commit's worth.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) rolled: Rolled,
    more: bool,
}

/// Rolls once; none when another server was faster.
pub(super) async fn once(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    now: DateTime<Utc>,
) -> Result<Option<Round>> {
    let mut paths = journal::list(store, folder).await?;
    let beyond = paths.len().saturating_sub(MAX_SHEETS);
    paths.truncate(MAX_SHEETS);
    let sheets = journal::read(store, paths).await?;
    let Settled { records, done, kept } = settle(sheets, now);
    let table = AuditTable::open(store, folder)?;
    let latest = table.latest().await?;
    let files = latest.as_ref().map(|state| table.files(state)).transpose()?.unwrap_or_default();
    let mut rolled = Rolled { records: 0, objects: done.len() as u64, remaining: (kept + beyond) as u64 };
    let (mut change, mut written) = (TableChange::default(), Vec::new());
    let mut days = recent_days(now);
    for (day, records) in records {
        days.insert(day);
        if let Some(merged) = merge(store, folder, &files, Day { day, records }).await? {
            rolled.records += merged.records;
            written.push(merged.location);
            change.added.extend(merged.change.added);
            change.removed.extend(merged.change.removed);
        }
    }
    if !change.added.is_empty() && !table.commit(latest.as_ref(), change).await? {
        table.delete(written).await?;
        return Ok(None);
    }
    let more = beyond > 0 && !done.is_empty();
    table.delete(done).await?;
    // What is left undone here makes reading slower, no more.
    if let Err(error) = table.tidy(&days, now).await {
        tracing::warn!(%error, "the audit's table was not tidied");
    }
    Ok(Some(Round { rolled, more }))
}

/// What of the journal may be rolled.
struct Settled {
    records: BTreeMap<NaiveDate, BTreeMap<String, Record>>,
    /// Objects whose records have all ended.
    done: Vec<Path>,
    /// How many others there are.
    kept: usize,
}

fn settle(sheets: Vec<Sheet>, now: DateTime<Utc>) -> Settled {
    let mut best: HashMap<String, Record> = HashMap::new();
    let mut contents = Vec::with_capacity(sheets.len());
    for sheet in sheets {
        let keys: Vec<String> = sheet.records.iter().map(|record| record.key.to_string()).collect();
        for (key, record) in keys.iter().zip(sheet.records) {
            let known = best.get(key).is_some_and(Record::is_closed);
            if !known {
                best.insert(key.clone(), record);
            }
        }
        contents.push((sheet.path, keys));
    }
    let ended = best.into_iter().map(|(key, record)| (key, record.seen_at(now)));
    let ended: HashMap<String, Record> = ended.filter(|(_, record)| record.outcome.is_some()).collect();
    let all = contents.len();
    let done = contents.into_iter().filter(|(_, keys)| keys.iter().all(|key| ended.contains_key(key)));
    let done: Vec<Path> = done.map(|(path, _)| path).collect();
    let mut records: BTreeMap<NaiveDate, BTreeMap<String, Record>> = BTreeMap::new();
    for (key, record) in ended {
        records.entry(record.started_at.date_naive()).or_default().insert(key, record);
    }
    Settled { records, kept: all - done.len(), done }
}
