//! Rollups: an aggregation of a dataset that is answered from a smaller one, kept beside the dataset.
//!
//! ```text
//! Policed plan ─► flatten ─► matching ─► answer ─► Policed plan, checked once more
//!                 what an    what of it  the same
//!                 Aggregate  a rollup    columns from
//!                 reads      can tell    the rollup
//! ```
//! `make` gives the queries that a rollup's rows come from. Only what is exactly the same is answered so: a rollup of the
//! very version that is read, filters and groups of its dimensions, measures that add up without rounding, and a dataset
//! that its reader sees as a whole. What a principal may see is decided before and checked after, on the dataset; who
//! makes a rollup's rows, and when, is the caller's.

mod answer;
mod flatten;
mod make;
mod matching;
mod measures;

pub(crate) use answer::answered;
pub use make::{exactness_query, rows_query};
