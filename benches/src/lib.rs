//! Data that benchmarks start from. Nothing here measures; the suites, `pool.py` and the Criterion benches do.

pub mod many;
pub mod visits;
