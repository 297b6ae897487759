//! What fsck found, for people (`Display`) and programs (`Serialize`).

use std::fmt;
use std::time::Duration;

use basin_catalog::{Finding, KeyCheck, LogCheck, Store};
use serde::Serialize;

use super::{Orphan, Survey};

/// Orphans that are named for people; all are in the JSON.
const NAMED_ORPHANS: usize = 20;

/// The report of one look at a store.
#[derive(Debug, Clone, Serialize)]
pub struct FsckReport {
    /// The store.
    pub store: String,
    /// Whether nothing is damaged.
    pub sound: bool,
    /// Whether every page was decoded.
    pub deep: bool,
    /// The newest snapshot that the log makes.
    pub snapshot: Option<u64>,
    /// Log entries that follow each other.
    pub entries: u64,
    /// Checkpoints that were compared with the log.
    pub checkpoints: u64,
    /// The catalog's keys.
    pub keys: Vec<KeyCheck>,
    /// Tables with published versions.
    pub tables: u64,
    /// Their versions that can be read.
    pub versions: u64,
    /// The files of those.
    pub files: u64,
    /// Rows of those files.
    pub rows: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// What is wrong.
    pub damage: Vec<Finding>,
    /// What no published version refers to; not looked for when the catalog is damaged.
    pub orphans: Vec<Orphan>,
    /// Bytes of the orphans.
    pub orphan_bytes: u64,
    /// Time from start to end.
    pub elapsed_seconds: f64,
}

impl FsckReport {
    pub(super) fn new(
        store: &Store,
        deep: bool,
        (check, survey, orphans): (LogCheck, Survey, Vec<Orphan>),
        elapsed: Duration,
    ) -> Self {
        let damage: Vec<Finding> = check.damage.into_iter().chain(survey.damage).collect();
        let files = || survey.tables.iter().flat_map(|table| table.files.values());
        Self {
            store: store.url().to_string(),
            sound: damage.is_empty(),
            deep,
            snapshot: check.newest.map(|newest| newest.id().0),
            entries: check.entries,
            checkpoints: check.checkpoints,
            keys: check.keys,
            tables: survey.tables.iter().filter(|table| table.newest.is_some()).count() as u64,
            versions: survey.tables.iter().map(|table| table.versions).sum(),
            files: files().count() as u64,
            rows: files().map(|file| file.rows).sum(),
            bytes: files().map(|file| file.size_bytes).sum(),
            damage,
            orphan_bytes: orphans.iter().map(|orphan| orphan.bytes).sum(),
            orphans,
            elapsed_seconds: elapsed.as_secs_f64(),
        }
    }
}

impl fmt::Display for FsckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot.map_or_else(|| "none".to_owned(), |id| id.to_string());
        writeln!(
            f,
            "catalog: snapshot {snapshot}, {} entries and {} checkpoints read",
            self.entries, self.checkpoints
        )?;
        let key = |key: &KeyCheck| {
            format!("{} {}", key.name, if key.present { "is there" } else { "not made yet" })
        };
        writeln!(f, "keys:    {}", self.keys.iter().map(key).collect::<Vec<_>>().join(", "))?;
        let how = if self.deep { "every page decoded" } else { "footers read" };
        writeln!(
            f,
            "data:    {} tables, {} versions, {} files, {} rows, {} bytes; {how}",
            self.tables, self.versions, self.files, self.rows, self.bytes
        )?;
        for finding in &self.damage {
            writeln!(f, "DAMAGED  {}: {}\n         {}", finding.object, finding.what, finding.todo)?;
        }
        writeln!(
            f,
            "orphans: {} objects, {} bytes (basin gc removes old ones)",
            self.orphans.len(),
            self.orphan_bytes
        )?;
        for orphan in self.orphans.iter().take(NAMED_ORPHANS) {
            writeln!(f, "         {orphan}")?;
        }
        if self.orphans.len() > NAMED_ORPHANS {
            writeln!(f, "         and {} more; --json names all", self.orphans.len() - NAMED_ORPHANS)?;
        }
        let verdict = if self.sound { "sound" } else { "damaged" };
        write!(f, "{} is {verdict} ({:.1} s)", self.store, self.elapsed_seconds)
    }
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.age_seconds as f64 / 3600.0;
        let kind = serde_json::to_value(self.kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().replace('_', " ");
        write!(f, "{} ({kind}, {} bytes, {hours:.1} h old)", self.object, self.bytes)
    }
}
