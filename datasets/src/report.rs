//! What pooling did, for people (`Display`) and programs (`Serialize`).
//!
//! For each file, rows in = accepted + rejected; a report that does not add up is never made.

use std::collections::BTreeMap;
use std::fmt;

use basin_catalog::{DatasetName, DeliveryId, SnapshotId};
use serde::Serialize;

/// How a pooling ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new version is published.
    Published,
    /// The same delivery is published already: nothing was written.
    Unchanged,
    /// Everything was read and checked, nothing was written.
    DryRun,
}

/// The report of one pooling.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PoolReport {
    /// How it ended.
    pub outcome: Outcome,
    /// The snapshot that shows the outcome.
    pub snapshot: SnapshotId,
    /// One report per dataset, in the request's order.
    pub datasets: Vec<DatasetReport>,
    /// Bytes of the delivered files.
    pub bytes_in: u64,
    /// Time from start to end.
    pub elapsed_seconds: f64,
}

/// What one dataset got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetReport {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its published version; none before the first.
    pub version: Option<u64>,
    /// The delivery; none on a dry run.
    pub delivery: Option<DeliveryId>,
    /// Rows read for this dataset.
    pub rows_in: u64,
    /// Rows that are in the version.
    pub rows_accepted: u64,
    /// Rows that are not.
    pub rows_rejected: u64,
    /// Rejected rows by the rule they broke.
    pub rejected_by_rule: BTreeMap<String, u64>,
    /// Rows kept beside an earlier row with the same key, with a number of their own.
    pub numbered_keys: u64,
    /// Slices that the delivery gave.
    pub slices: u64,
    /// Rows of earlier deliveries that stay in the version.
    pub rows_retained: u64,
    /// Bytes of the Parquet files written for the delivery.
    pub bytes_out: u64,
    /// The files it came from.
    pub files: Vec<FileReport>,
    /// The first rejected rows.
    pub first_rejects: Vec<RejectReport>,
    /// What became of the small files that had gathered; none when there were few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
}

/// Merging of small files after a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compaction {
    /// They were merged, in a version of their own.
    Done {
        /// That version.
        version: Option<u64>,
        /// Files before.
        files_before: u64,
        /// Files after.
        files_after: u64,
    },
    /// They are as they were; the delivery is published all the same.
    Failed {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Compaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { version, files_before, files_after } => {
                let version = version.map(|version| format!(" as version {version}")).unwrap_or_default();
                write!(f, "{files_before} files merged into {files_after}{version}")
            }
            Self::Failed { reason } => {
                write!(f, "small files not merged: {reason}; basin optimize tries again")
            }
        }
    }
}

/// What one file gave to one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Name of the file.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Rows read.
    pub rows_in: u64,
    /// Rows accepted.
    pub rows_accepted: u64,
    /// Rows rejected.
    pub rows_rejected: u64,
}

/// A rejected row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectReport {
    /// Name of the file.
    pub file: String,
    /// Line in the file, from 1.
    pub line: u64,
    /// The rule it broke.
    pub rule: String,
    /// The item at fault, where there is one.
    pub item: Option<String>,
    /// Why, in words.
    pub reason: String,
}

impl fmt::Display for RejectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)?;
        if let Some(item) = &self.item {
            write!(f, " ({item})")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl fmt::Display for PoolReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Published => "published",
            Outcome::Unchanged => "unchanged: the same delivery is published already",
            Outcome::DryRun => "dry run: nothing was written",
        };
        let seconds = self.elapsed_seconds;
        writeln!(
            f,
            "{outcome} (snapshot {}, {} in, {seconds:.1} s)",
            self.snapshot,
            human_bytes(self.bytes_in)
        )?;
        self.datasets.iter().try_for_each(|dataset| write!(f, "{dataset}"))
    }
}

impl fmt::Display for DatasetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.map(|version| format!(" version {version}")).unwrap_or_default();
        writeln!(f, "{}{version}", self.dataset)?;
        writeln!(
            f,
            "  rows in {} = accepted {} + rejected {}",
            self.rows_in, self.rows_accepted, self.rows_rejected
        )?;
        for (rule, rows) in &self.rejected_by_rule {
            writeln!(f, "    {rows} by rule {rule}")?;
        }
        if self.numbered_keys > 0 {
            writeln!(f, "  {} rows with a repeated key kept and numbered", self.numbered_keys)?;
        }
        writeln!(
            f,
            "  {} slices, {} rows of earlier deliveries kept, {} written",
            self.slices,
            self.rows_retained,
            human_bytes(self.bytes_out)
        )?;
        if let Some(compaction) = &self.compaction {
            writeln!(f, "  {compaction}")?;
        }
        for file in &self.files {
            let FileReport { name, rows_in, rows_accepted, rows_rejected, .. } = file;
            writeln!(f, "  {name}: {rows_in} = {rows_accepted} + {rows_rejected}")?;
        }
        self.first_rejects.iter().try_for_each(|reject| writeln!(f, "    {reject}"))
    }
}

pub(crate) fn human_bytes(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {name}") }
}
