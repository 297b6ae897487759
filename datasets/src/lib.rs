//! Pooling: what agencies deliver becomes a published dataset version.
//!
//! The walk, one folder a stage: `manifest` says what a delivery looks like, `source` splits files into raw rows,
//! `conform` turns raw rows into typed rows or rejects, and what follows sorts, stores and publishes them.
//! SQL planning for queries is not here: expressions are compiled for checks and mappings only.

mod arrange;
mod conform;
mod error;
mod manifest;
mod pack;
mod pool;
mod progress;
mod report;
pub mod rollup;
pub mod sandbox;
mod source;
mod table;

pub use error::{Cause, DatasetsError, Result};
pub use manifest::{
    ColumnSource, CsvFormat, DeliveryKind, Encoding, ExcelFormat, Format, FromColumn, ItemCheck, Manifest,
    OnDuplicate, Pooling, RowRule,
};
pub use pack::{Pack, PackDelivery};
pub use pool::{PoolRequest, pool};
pub use progress::Progress;
pub use report::{DatasetReport, FileReport, Outcome, PoolReport, RejectReport};
