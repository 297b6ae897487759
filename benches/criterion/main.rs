//! Hot paths, one by one: opening a catalog, planning, casting a batch for the wire, decoding a delivery.
//!
//! `cargo bench --workspace --bench hot-paths` (planning needs the binary `basin` of the same profile built before). What sealing a
//! ticket costs is within every small query of `benches/run small`: the sealing key has one room, and it isn't opened for a benchmark.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't prepare its data has nothing to measure")]

mod catalog;
mod delivery;
mod encoding;
mod planning;

use criterion::{criterion_group, criterion_main};

criterion_group!(hot_paths, catalog::opening, planning::planning, encoding::encoding, delivery::decoding);
criterion_main!(hot_paths);
