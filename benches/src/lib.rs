//! Data that benchmarks start from. Nothing here measures; the suites and `pool.py` do.

pub mod many;
pub mod visits;
