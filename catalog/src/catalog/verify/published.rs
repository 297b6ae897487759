//! Which versions of which Delta tables a log published, and until when each was the newest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use object_store::path::Path;

use crate::change::Change;
use crate::ids::DatasetName;
use crate::log::Entry;
use crate::snapshot::Snapshot;
use crate::store::Store;

/// What a Delta table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Rows of a dataset.
    Data,
    /// Rows that pooling refused.
    Rejects,
    /// Groups of a rollup.
    Rollup,
}

/// One published version of a Delta table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVersion {
    /// Its number in the Delta log.
    pub table_version: u64,
    /// The Delta version of the dataset that it belongs to: itself, or that of which a rollup was made.
    pub of_table_version: u64,
    /// Its rows, bytes and files as the catalog records them; none for rejects.
    pub recorded: Option<(u64, u64, u64)>,
    /// Since when it isn't the newest any more; none: it is.
    pub superseded_at: Option<DateTime<Utc>>,
}

/// A Delta table that a log published versions of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTable {
    /// What it holds, in words.
    pub name: String,
    /// What it holds.
    pub kind: TableKind,
    /// The dataset that it belongs to.
    pub dataset: DatasetName,
    /// Its versions by number.
    pub versions: BTreeMap<u64, PublishedVersion>,
}

impl PublishedTable {
    /// The newest version.
    #[must_use]
    pub fn newest(&self) -> Option<&PublishedVersion> {
        self.versions.values().next_back()
    }

    fn supersede(&mut self, at: DateTime<Utc>) {
        let open = self.versions.values_mut().filter(|version| version.superseded_at.is_none());
        open.for_each(|version| version.superseded_at = Some(at));
    }
}

/// Takes note of what one entry publishes; `after` is the snapshot that it makes.
pub(super) fn note(
    tables: &mut BTreeMap<Path, PublishedTable>,
    store: &Store,
    entry: &Entry,
    after: &Snapshot,
) {
    for change in &entry.changes {
        match change {
            Change::Publish(publication) => {
                let (dataset, version) = (&publication.dataset, &publication.version);
                let data = published(
                    version.table_version,
                    version.table_version,
                    Some((version.rows, version.bytes, version.files)),
                );
                add(
                    tables,
                    store.data_path(dataset),
                    (dataset.to_string(), TableKind::Data, dataset),
                    data,
                    entry,
                );
                if let Some(rejects) = version.rejects_version {
                    let named = (format!("rejects of {dataset}"), TableKind::Rejects, dataset);
                    let rejects = published(rejects, version.table_version, None);
                    add(tables, store.rejects_path(dataset), named, rejects, entry);
                }
            }
            Change::FillRollup(fill) => {
                let (dataset, rollup, made) = (&fill.declared.dataset, &fill.declared.name, &fill.made);
                let of = after.datasets().get(dataset).and_then(|state| state.current());
                let of = of.map_or(0, |version| version.table_version);
                let named = (format!("rollup {rollup} of {dataset}"), TableKind::Rollup, dataset);
                let version = published(made.table_version, of, Some((made.rows, made.bytes, made.files)));
                add(tables, store.rollup_path(dataset, rollup), named, version, entry);
            }
            Change::DropDataset(_) | Change::RemoveUser(_) => {
                let gone = |table: &&mut PublishedTable| !after.datasets().contains_key(&table.dataset);
                tables.values_mut().filter(gone).for_each(|table| table.supersede(entry.at));
            }
            Change::DropRollup { dataset, name } => {
                if let Some(table) = tables.get_mut(&store.rollup_path(dataset, name)) {
                    table.supersede(entry.at);
                }
            }
            Change::PutNode(_)
            | Change::PutOrganisation(_)
            | Change::PutRole(_)
            | Change::PutUser(_)
            | Change::PutToken(_)
            | Change::RevokeToken(_)
            | Change::LinkCertificate(_)
            | Change::UnlinkCertificate(_)
            | Change::PutGrant(_)
            | Change::RevokeGrant(_)
            | Change::PutPolicy(_)
            | Change::RemovePolicy(_)
            | Change::PutDemand(_)
            | Change::DecideDemand { .. }
            | Change::ApplyDataset(_)
            | Change::PutRollup(_)
            | Change::Expire(_) => {}
        }
    }
}

fn published(
    table_version: u64,
    of_table_version: u64,
    recorded: Option<(u64, u64, u64)>,
) -> PublishedVersion {
    PublishedVersion { table_version, of_table_version, recorded, superseded_at: None }
}

fn add(
    tables: &mut BTreeMap<Path, PublishedTable>,
    folder: Path,
    (name, kind, dataset): (String, TableKind, &DatasetName),
    version: PublishedVersion,
    entry: &Entry,
) {
    let fresh = || PublishedTable { name, kind, dataset: dataset.clone(), versions: BTreeMap::new() };
    let table = tables.entry(folder).or_insert_with(fresh);
    table.supersede(entry.at);
    table.versions.insert(version.table_version, version);
}
