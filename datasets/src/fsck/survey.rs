//! Survey: what the published versions of each table refer to, beside the objects that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use basin_catalog::{Finding, LogCheck, PublishedTable, PublishedVersion, Store};
use futures::TryStreamExt;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::table::{DeltaTable, FileSet};
use crate::{DatasetsError, Result};

/// Folders of tables, with the names below each that make one table.
const TABLES: [(&str, usize); 3] = [("data", 2), ("rejects", 2), ("rollups", 3)];
const LOG: &str = "_delta_log/";
const RESTORE: &str = "put the table's folder back from a backup (basin restore) or a copy of the store";

/// The objects of the tables: by the table's folder, then by path inside it.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) by_table: BTreeMap<Path, BTreeMap<String, ObjectMeta>>,
}

impl Objects {
    /// Lists them.
    ///
    /// # Errors
    /// The store's own.
    pub(crate) async fn list(store: &Store) -> Result<Self> {
        let mut all = Self::default();
        for (folder, depth) in TABLES {
            let failed = |source| DatasetsError::Store { action: format!("listing {folder}"), source };
            let mut listing = store.objects().list(Some(&Path::from(folder)));
            while let Some(object) = listing.try_next().await.map_err(failed)? {
                let table: Path = object.location.parts().take(depth + 1).collect();
                let inside: Path = object.location.parts().skip(depth + 1).collect();
                all.by_table.entry(table).or_default().insert(inside.to_string(), object);
            }
        }
        Ok(all)
    }

    /// The sizes by path below the store's root.
    pub(crate) fn sizes(&self) -> HashMap<Path, u64> {
        let objects = self.by_table.values().flat_map(BTreeMap::values);
        objects.map(|object| (object.location.clone(), object.size)).collect()
    }
}

/// One table.
#[derive(Debug)]
pub(crate) struct TableSurvey {
    pub(crate) folder: Path,
    /// The newest published version; none when the log knows no such table.
    pub(crate) newest: Option<u64>,
    /// How many versions can be read.
    pub(crate) versions: u64,
    /// The files of all versions that can be read.
    pub(crate) files: FileSet,
    /// The files of the newest published version.
    pub(crate) newest_files: FileSet,
    /// Delta versions above it that hold something else, with their files.
    pub(crate) unpublished: BTreeMap<u64, FileSet>,
    /// The newest Delta version above it that holds the same: those before it are superseded.
    pub(crate) settled: Option<u64>,
    /// What is there.
    pub(crate) objects: BTreeMap<String, ObjectMeta>,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) tables: Vec<TableSurvey>,
    pub(crate) damage: Vec<Finding>,
}

impl Survey {
    /// Reads the Delta logs, for what can be read today.
    ///
    /// # Errors
    /// A store that does not answer.
    pub(crate) async fn of(store: &Store, objects: &Objects, check: &LogCheck) -> Result<Self> {
        Self::kept(store, objects, check, &BTreeMap::new()).await
    }

    /// The same as if the versions before those of `kept_from`, by folder, had expired.
    ///
    /// # Errors
    /// As [`Survey::of`].
    pub(crate) async fn kept(
        store: &Store,
        objects: &Objects,
        check: &LogCheck,
        kept_from: &BTreeMap<Path, u64>,
    ) -> Result<Self> {
        let mut survey = Self::default();
        let folders: BTreeSet<&Path> = check.published.keys().chain(objects.by_table.keys()).collect();
        for folder in folders {
            let published = check.published.get(folder);
            let readable = published
                .map(|table| check.readable(table, kept_from.get(folder).copied()))
                .unwrap_or_default();
            let there = objects.by_table.get(folder).cloned().unwrap_or_default();
            survey.table(store, (folder, published), readable, there).await?;
        }
        Ok(survey)
    }

    async fn table(
        &mut self,
        store: &Store,
        (folder, published): (&Path, Option<&PublishedTable>),
        readable: BTreeMap<u64, &PublishedVersion>,
        objects: BTreeMap<String, ObjectMeta>,
    ) -> Result<()> {
        let delta = DeltaTable::open(&store.objects(), folder)?;
        let newest = published.and_then(PublishedTable::newest).map(|version| version.table_version);
        let mut table = TableSurvey {
            folder: folder.clone(),
            newest,
            versions: readable.len() as u64,
            files: FileSet::new(),
            newest_files: FileSet::new(),
            unpublished: BTreeMap::new(),
            settled: None,
            objects,
        };
        let mut walk = delta.walk();
        for (number, version) in readable {
            let object = format!("{folder}/{LOG}{number:020}.json");
            match walk.files(number).await {
                Ok(files) => {
                    self.damage.extend(differs(&object, &files, version));
                    if Some(number) == newest {
                        table.newest_files.clone_from(&files);
                    }
                    table.files.extend(files);
                }
                Err(error) => self.unread(object, error)?,
            }
        }
        for number in
            table.delta_versions().into_iter().filter(|number| newest.is_none_or(|newest| *number > newest))
        {
            // A version that nobody published harms nobody; what it refers to is not known then.
            match walk.files(number).await {
                Ok(files) if files == table.newest_files => table.settled = Some(number),
                Ok(files) => drop(table.unpublished.insert(number, files)),
                Err(error) => tracing::debug!(%folder, number, %error, "unpublished version not read"),
            }
        }
        self.tables.push(table);
        Ok(())
    }

    fn unread(&mut self, object: String, error: DatasetsError) -> Result<()> {
        let what = format!("this published Delta version can't be read: {}", told(&error));
        match error {
            DatasetsError::Delta(_) | DatasetsError::Internal { .. } => {
                self.damage.push(Finding::new(object, what, RESTORE));
                Ok(())
            }
            other => Err(other),
        }
    }
}

impl TableSurvey {
    /// The versions that have an entry in the Delta log, oldest first.
    pub(crate) fn delta_versions(&self) -> BTreeSet<u64> {
        self.objects.keys().filter_map(|path| delta_version(path)).collect()
    }
}

/// The number of an entry of the Delta log; none for other objects.
pub(crate) fn delta_version(inside: &str) -> Option<u64> {
    let digits = inside.strip_prefix(LOG)?.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// The version that an entry or a checkpoint of the Delta log is of; none for other objects.
pub(crate) fn delta_number(inside: &str) -> Option<u64> {
    let digits: String = inside.strip_prefix(LOG)?.chars().take_while(char::is_ascii_digit).collect();
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// Whether an object is part of the Delta log.
pub(crate) fn is_delta_log(inside: &str) -> bool {
    inside.starts_with(LOG)
}

fn differs(object: &str, files: &FileSet, version: &PublishedVersion) -> Option<Finding> {
    let (rows, bytes, count) = version.recorded?;
    let found: (u64, u64, u64) = (
        files.values().map(|file| file.rows).sum(),
        files.values().map(|file| file.size_bytes).sum(),
        files.len() as u64,
    );
    (found != (rows, bytes, count)).then(|| {
        let what = format!(
            "it has {} rows in {} files of {} bytes, and the catalog published {rows} rows in {count} files of {bytes} bytes",
            found.0, found.2, found.1
        );
        Finding::new(object, what, RESTORE)
    })
}

/// An error with its causes, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(step) = cause {
        let words = step.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = step.source();
    }
    text
}
