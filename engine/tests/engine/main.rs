//! The engine against small Delta tables written by hand.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod audit;
mod cells;
mod demands;
mod hot;
mod limits;
mod lineage;
mod parameters;
mod parts;
mod plans;
mod policed;
mod policy;
mod pruning;
mod readonly;
mod results;
mod rollups;
mod rows;
mod select;
mod substrait;
mod support;
mod system;
mod uses;
