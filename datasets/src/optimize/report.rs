//! What optimising did, for people (`Display`) and programs (`Serialize`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use basin_catalog::{DatasetName, SnapshotId};
use serde::Serialize;

use super::choose::{Group, Reason};
use crate::report::{Outcome, human_bytes};

/// The report of optimising one dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OptimizeReport {
    /// The dataset.
    pub dataset: DatasetName,
    /// How it ended.
    pub outcome: Outcome,
    /// The snapshot that shows the outcome; on a dry run the one that was looked at.
    pub snapshot: SnapshotId,
    /// The published version; none before the first.
    pub version: Option<u64>,
    /// Files of the version before.
    pub files_before: u64,
    /// Files of the version after; unknown on a dry run.
    pub files_after: Option<u64>,
    /// What was, or would be, written again, by partition.
    pub partitions: Vec<PartitionReport>,
    /// Time from start to end.
    pub elapsed_seconds: f64,
}

/// What happens to one partition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionReport {
    /// Values of the partition items.
    pub values: BTreeMap<String, Option<String>>,
    /// Files that are written again.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    reasons: BTreeSet<Reason>,
}

impl PartitionReport {
    pub(super) fn of(group: &Group) -> Self {
        Self {
            values: group.partition.clone(),
            files: group.files.len() as u64,
            rows: group.rows(),
            bytes: group.bytes(),
            reasons: group.reasons.clone(),
        }
    }
}

impl fmt::Display for OptimizeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, files_before, elapsed_seconds, .. } = self;
        let version = self.version.map(|version| format!(" version {version}")).unwrap_or_default();
        match (self.outcome, self.files_after) {
            (Outcome::Published, Some(after)) => {
                writeln!(
                    f,
                    "{dataset}{version}: {files_before} files became {after} in {elapsed_seconds:.1} s"
                )?;
            }
            (Outcome::DryRun, _) => {
                writeln!(f, "{dataset}{version}: {files_before} files; dry run, nothing was written")?;
            }
            (Outcome::Unchanged | Outcome::Published, _) => {
                writeln!(f, "{dataset}{version}: {files_before} files, all as the layout asks")?;
            }
        }
        self.partitions.iter().try_for_each(|partition| writeln!(f, "  {partition}"))
    }
}

impl fmt::Display for PartitionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (item, value) in &self.values {
            write!(f, "{item} {}, ", value.as_deref().unwrap_or("NULL"))?;
        }
        let reasons: Vec<&str> = self
            .reasons
            .iter()
            .map(|reason| match reason {
                Reason::Small => "small",
                Reason::OtherOrder => "in another order",
                Reason::NotCounted => "without counts of distinct values",
            })
            .collect();
        write!(
            f,
            "{} files ({}): {} rows, {}",
            self.files,
            reasons.join(", "),
            self.rows,
            human_bytes(self.bytes)
        )
    }
}
