//! Roll: what the journal holds, into the table, as one commit of Delta.
//!
//! In order: read the table's version, then the journal; merge what has ended into the files of its days; write
//! what has not ended into one new object; commit, where put-if-absent decides between several servers; only
//! then delete the old objects. Whoever commits has seen all that was rolled before. A crash between two steps leaves
//! files that nobody refers to, or records in two places: the next roll finds both, and readers count a record
//! once, wherever it stands (`read`).

use super::journal::{self, Sheet};
use super::merge::{Day, merge};
use super::record::Record;
use super::table::{AuditTable, TableChange, recent_days};
use crate::error::{EngineError, Result};
use chrono::{DateTime, NaiveDate, Utc};
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeMap;
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
    /// Records that remain in the journal, of queries that may be running.
    pub running: u64,
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
        total.running = rolled.running;
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
    let table = AuditTable::open(store, folder)?;
    let latest = table.latest().await?;
    let mut paths = journal::list(store, folder).await?;
    let beyond = paths.len() > MAX_SHEETS;
    paths.truncate(MAX_SHEETS);
    let Settled { records, running, carried, old } = settle(journal::read(store, paths).await?, now);
    let files = latest.as_ref().map(|state| table.files(state)).transpose()?.unwrap_or_default();
    let mut rolled = Rolled { records: 0, objects: old.len() as u64, running: running.len() as u64 };
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
    if carried {
        written.push(journal::write(store, folder, &running).await?);
    }
    if !written.is_empty() && !table.commit(latest.as_ref(), change).await? {
        table.delete(written).await?;
        return Ok(None);
    }
    let more = beyond && !old.is_empty();
    table.delete(old).await?;
    // What is left undone here makes reading slower, no more.
    if let Err(error) = table.tidy(&days, now).await {
        tracing::warn!(%error, "the audit's table was not tidied");
    }
    Ok(Some(Round { rolled, more }))
}

/// What becomes of the journal.
struct Settled {
    /// Those that have ended, by day and key.
    records: BTreeMap<NaiveDate, BTreeMap<String, Record>>,
    /// Those that have not.
    running: Vec<Record>,
    /// Whether these are to be written anew, so that all old objects can go.
    carried: bool,
    old: Vec<Path>,
}

fn settle(sheets: Vec<Sheet>, now: DateTime<Utc>) -> Settled {
    let mut best: BTreeMap<String, Record> = BTreeMap::new();
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
    let seen = best.into_iter().map(|(key, record)| (key, record.seen_at(now)));
    let (ended, running): (BTreeMap<_, _>, BTreeMap<_, _>) =
        seen.partition(|(_, record)| record.outcome.is_some());
    let is_kept = |keys: &[String]| keys.iter().any(|key| running.contains_key(key));
    let kept: Vec<&Vec<String>> =
        contents.iter().map(|(_, keys)| keys).filter(|keys| is_kept(keys)).collect();
    // One object of nothing but running queries stays as it is.
    let carried = match kept.as_slice() {
        [] => false,
        [one] => one.iter().any(|key| ended.contains_key(key)),
        _ => true,
    };
    let old = contents.iter().filter(|(_, keys)| carried || !is_kept(keys));
    let old = old.map(|(path, _)| path.clone()).collect();
    let mut records: BTreeMap<NaiveDate, BTreeMap<String, Record>> = BTreeMap::new();
    for (key, record) in ended {
        records.entry(record.started_at.date_naive()).or_default().insert(key, record);
    }
    Settled { records, running: running.into_values().collect(), carried, old }
}
