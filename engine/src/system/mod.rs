//! System tables: facts of the catalog as tables of the schema `basin`, filtered by the principal's
//! grants like everything else. Each file below is one table: its columns and how its rows are made; `constraints` has
//! those that tools look for in information_schema.

mod build;
mod caches;
mod constraints;
mod datasets;
mod deliveries;
mod demands;
mod items;
mod queries;
mod rejects;
mod running;
mod table;
mod versions;

pub(crate) use rejects::table as rejects_table;
pub(crate) use table::{SETTINGS, SystemTable, SystemTableKind, in_information_schema};

/// Schema of the system tables.
pub(crate) const SCHEMA: &str = "basin";
/// Table of rejected rows; it is a view over the datasets' reject tables.
pub(crate) const REJECTS: &str = "rejects";
