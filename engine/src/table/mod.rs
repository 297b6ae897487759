//! Tables: a dataset version as an ordinary DataFusion Parquet scan.
//!
//! `files` resolves a version once, from the Delta log, to its files with the statistics of all columns,
//! and keeps it for good: a version never changes. `provider` makes scans of it without I/O. Decides
//! neither what is visible (policy) nor what is current (the catalog).

mod files;
mod footer;
mod order;
mod provider;
mod shape;
mod statistics;

pub(crate) use files::{TableCache, TableKey, fails_in_store};
pub(crate) use provider::VersionTable;
pub(crate) use shape::views_inside;
