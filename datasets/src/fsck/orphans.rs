//! Orphans: objects that no published version refers to. They take room and harm nobody.

use basin_catalog::Store;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::survey::{Survey, TableSurvey, delta_version, is_delta_log};
use crate::Result;

/// Folder of kept sketches inside a table's.
const SKETCHES: &str = "_distinct/";

/// Why an object is an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanKind {
    /// A file that no Delta version refers to that anybody may read.
    File,
    /// A file of a Delta version that was not published: of a pooling that runs, or has died.
    UnpublishedFile,
    /// That Delta version itself. It stays; the next one supersedes it.
    UnpublishedVersion,
    /// Sketches of a version that is not the newest any more.
    Sketches,
    /// What is left of an upload that never ended.
    Upload,
}

/// An object that no published version refers to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Orphan {
    /// Its path below the store's root.
    pub object: String,
    /// Why it is one.
    pub kind: OrphanKind,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
    /// How long ago that was.
    pub age_seconds: i64,
}

/// Lists them, by name.
pub(crate) async fn orphans(store: &Store, survey: &Survey) -> Result<Vec<Orphan>> {
    let mut found: Vec<Orphan> = survey.tables.iter().flat_map(of_table).collect();
    found.extend(store.unfinished().await?.into_iter().map(|upload| Orphan {
        object: upload.name,
        kind: OrphanKind::Upload,
        bytes: upload.bytes,
        modified: upload.modified,
        age_seconds: age_seconds(upload.modified),
    }));
    found.sort_by(|a, b| a.object.cmp(&b.object));
    Ok(found)
}

fn of_table(table: &TableSurvey) -> Vec<Orphan> {
    let kind = |inside: &str| {
        if let Some(version) = delta_version(inside) {
            let is_last = table.settled.is_none_or(|settled| version > settled);
            let unpublished = is_last && table.unpublished.contains_key(&version);
            return unpublished.then_some(OrphanKind::UnpublishedVersion);
        }
        if is_delta_log(inside) || table.files.contains_key(inside) {
            return None;
        }
        if let Some(sketches) = inside.strip_prefix(SKETCHES) {
            let newest = table.newest.map(|newest| format!("{newest:020}.bin"));
            return (newest.as_deref() != Some(sketches)).then_some(OrphanKind::Sketches);
        }
        let unpublished = table.unpublished.values().any(|files| files.contains_key(inside));
        Some(if unpublished { OrphanKind::UnpublishedFile } else { OrphanKind::File })
    };
    let objects = table.objects.iter();
    objects
        .filter_map(|(inside, object)| {
            Some(Orphan {
                kind: kind(inside)?,
                object: object.location.to_string(),
                bytes: object.size,
                modified: object.last_modified,
                age_seconds: age_seconds(object.last_modified),
            })
        })
        .collect()
}

fn age_seconds(modified: DateTime<Utc>) -> i64 {
    (Utc::now() - modified).num_seconds().max(0)
}
