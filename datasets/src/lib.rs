//! Pooling: what agencies deliver becomes a published dataset version.
//!
//! The walk, one folder a stage: `manifest` says what a delivery looks like, `source` splits files into raw rows,
//! `conform` turns raw rows into typed rows or rejects, and what follows sorts, stores and publishes them.
//! `optimize` brings the files of what is published into the layout that its definition asks for. Work on a whole store is in
//! `fsck` (is it sound), `gc` (what may go) and `backup` (a copy elsewhere).
//! SQL planning for queries is not here: expressions are compiled for checks and mappings only.

mod arrange;
mod backup;
mod conform;
mod error;
mod fsck;
mod gc;
mod manifest;
mod optimize;
mod pack;
mod pool;
mod progress;
mod report;
pub mod rollup;
mod runtime;
pub mod sandbox;
mod source;
mod table;
#[cfg(test)]
mod testing;

pub use backup::{BackupReport, backup, restore};
pub use error::{Cause, DatasetsError, Result};
pub use fsck::{FsckReport, Orphan, OrphanKind, fsck};
pub use gc::{GcReport, GcRequest, gc};
pub use manifest::{
    ColumnSource, CsvFormat, DeliveryKind, Encoding, ExcelFormat, FileLayout, Format, FromColumn, ItemCheck,
    Manifest, OnDuplicate, Pooling, RowRule,
};
pub use optimize::{OptimizeReport, OptimizeRequest, PartitionReport, optimize};
pub use pack::{Pack, PackDelivery};
pub use pool::{PoolRequest, pool};
pub use progress::Progress;
pub use report::{Compaction, DatasetReport, FileReport, Outcome, PoolReport, RejectReport};
