//! Backup: one snapshot, with all that can be read as of it and of those before, in another store; and the way back.
//!
//! The copy has the layout of a store. What the catalog refers to comes first, the catalog after it, and last a note that says
//! which snapshot is whole: a backup that was broken off is taken for the one before it, or for none. What is there already
//! with its size is not copied again: files never change.

mod objects;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use basin_catalog::{ErrorClass, LogCheck, Store, check_copy, copy_log, holds_catalog, verify_log};
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use self::objects::{Copied, audit_objects, copy_objects, table_objects};
use crate::fsck::{Objects, Survey};
use crate::progress::{Progress, Stage};
use crate::{DatasetsError, Result};

/// The note of a whole backup.
const NOTE: &str = "basin-backup.json";
/// The form of the note that this version writes.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: u32,
    /// The snapshot that is whole here.
    snapshot: u64,
    made_at: DateTime<Utc>,
    /// Whether the records of queries are here too.
    audit: bool,
}

/// The report of a backup or a restoration.
#[derive(Debug, Clone, Serialize)]
pub struct BackupReport {
    /// Where it was read.
    pub from: String,
    /// Where it is now.
    pub to: String,
    /// The snapshot.
    pub snapshot: u64,
    /// Whether records of queries were copied too.
    pub audit: bool,
    /// Objects that were copied.
    pub copied: u64,
    /// Bytes of those, without the catalog's.
    pub copied_bytes: u64,
    /// Objects that were there already.
    pub kept: u64,
    /// Time from start to end.
    pub elapsed_seconds: f64,
}

/// Copies the newest snapshot of a store into another, which is empty or holds earlier backups of it.
///
/// # Errors
/// A refusal when the store is damaged or the other one is something else; the stores' own.
pub async fn backup(from: &Store, to: &Store, audit: bool, progress: &Progress) -> Result<BackupReport> {
    let started = Instant::now();
    let check = whole(from, None, progress).await?;
    let snapshot = newest(&check)?;
    if from.url() == to.url() {
        return Err(refused(ErrorClass::InvalidInput, "a backup is made in another store than its own"));
    }
    let report = copy((from, to), &check, snapshot, (audit, started), progress).await?;
    let audit = audit || read_note(to).await?.is_some_and(|before| before.audit);
    let note = Note { format: FORMAT, snapshot, made_at: Utc::now(), audit };
    write_note(to, &note).await?;
    Ok(report)
}

/// Copies the snapshot of a backup into a store that holds no catalog.
///
/// # Errors
/// A refusal when there is no whole backup, or the store holds a catalog; the stores' own.
pub async fn restore(from: &Store, to: &Store, audit: bool, progress: &Progress) -> Result<BackupReport> {
    let started = Instant::now();
    let Some(note) = read_note(from).await? else {
        let reason = format!("{} holds no backup that is whole; make one: basin backup URL", from.url());
        return Err(refused(ErrorClass::NotFound, reason));
    };
    if holds_catalog(to).await? {
        let reason = format!("{} holds a catalog already; restore into an empty place", to.url());
        return Err(refused(ErrorClass::Conflict, reason));
    }
    if audit && !note.audit {
        let reason = format!("the backup {} holds no records of queries", from.url());
        return Err(refused(ErrorClass::NotFound, reason));
    }
    let check = whole(from, Some(note.snapshot), progress).await?;
    copy((from, to), &check, note.snapshot, (audit, started), progress).await
}

/// Reads the log up to a snapshot; it must be whole.
async fn whole(store: &Store, up_to: Option<u64>, progress: &Progress) -> Result<LogCheck> {
    progress.enter(Stage::Replaying);
    let check = verify_log(store, up_to).await?;
    match check.damage.first() {
        None => Ok(check),
        Some(finding) => Err(damaged(store, &finding.object, &finding.what)),
    }
}

fn newest(check: &LogCheck) -> Result<u64> {
    let newest = check.newest.as_ref().map(|snapshot| snapshot.id().0);
    newest.ok_or_else(|| DatasetsError::internal("a log without damage makes no snapshot"))
}

async fn copy(
    (from, to): (&Store, &Store),
    check: &LogCheck,
    snapshot: u64,
    (audit, started): (bool, Instant),
    progress: &Progress,
) -> Result<BackupReport> {
    check_copy(from, to, snapshot).await?;
    // Listed after the catalog was read: everything that it refers to is there by now.
    let objects = Objects::list(from).await?;
    let survey = Survey::of(from, &objects, check).await?;
    if let Some(finding) = survey.damage.first() {
        return Err(damaged(from, &finding.object, &finding.what));
    }
    progress.enter(Stage::Copying);
    let there = Objects::list(to).await?;
    let mut copied = Copied::default();
    copied += copy_objects((from, to), table_objects(&survey)?, &there.sizes(), progress).await?;
    if audit {
        let there: HashMap<Path, u64> = audit_objects(to).await?.into_iter().flatten().collect();
        for objects in audit_objects(from).await? {
            copied += copy_objects((from, to), objects, &there, progress).await?;
        }
    }
    copied.objects += copy_log(from, to, snapshot).await?;
    progress.enter(Stage::Done);
    Ok(BackupReport {
        from: from.url().to_string(),
        to: to.url().to_string(),
        snapshot,
        audit,
        copied: copied.objects,
        copied_bytes: copied.bytes,
        kept: copied.kept,
        elapsed_seconds: started.elapsed().as_secs_f64(),
    })
}

async fn read_note(store: &Store) -> Result<Option<Note>> {
    let read = async { store.objects().get(&Path::from(NOTE)).await?.bytes().await };
    let bytes = match read.await {
        Ok(bytes) => bytes,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(source) => return Err(DatasetsError::Store { action: format!("reading {NOTE}"), source }),
    };
    match serde_json::from_slice::<Note>(&bytes) {
        Ok(note) if note.format == FORMAT => Ok(Some(note)),
        Ok(note) => {
            let what =
                format!("it has format {} and this Basin reads {FORMAT}; use a newer Basin", note.format);
            Err(damaged(store, NOTE, &what))
        }
        Err(error) => Err(damaged(store, NOTE, &error.to_string())),
    }
}

async fn write_note(store: &Store, note: &Note) -> Result<()> {
    let json = serde_json::to_vec_pretty(note).map_err(|error| DatasetsError::internal(error.to_string()))?;
    let written = store.objects().put(&Path::from(NOTE), json.into()).await;
    written.map(drop).map_err(|source| DatasetsError::Store { action: format!("writing {NOTE}"), source })
}

fn damaged(store: &Store, object: &str, what: &str) -> DatasetsError {
    let reason = format!("{} is damaged: {object}: {what}; see basin fsck, and repair it first", store.url());
    refused(ErrorClass::Internal, reason)
}

fn refused(class: ErrorClass, reason: impl Into<String>) -> DatasetsError {
    DatasetsError::Upkeep { class, reason: reason.into() }
}

impl fmt::Display for BackupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "snapshot {} of {}", self.snapshot, self.from)?;
        writeln!(
            f,
            "{} objects of {} bytes copied, {} were there already",
            self.copied, self.copied_bytes, self.kept
        )?;
        let audit = if self.audit { "with" } else { "without" };
        write!(f, "{} is whole, {audit} the records of queries ({:.1} s)", self.to, self.elapsed_seconds)
    }
}
