//! What another engine found: rows and sums of the columns of each TPC-H query, by scale factor.
//!
//! `tests/tpch/sums.py` makes them with DuckDB.

use std::collections::BTreeMap;

use basin_catalog::ErrorClass;
use serde::Deserialize;

use crate::commands::error::{CommandError, Result};

const SUMS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tpch/sums.json"));

/// Rows and sums of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) rows: u64,
    /// By column; nothing for one without numbers.
    pub(super) sums: Vec<Option<f64>>,
}

/// The figures at a scale factor by number of the query; nothing when nobody computed them.
///
/// # Errors
/// `Internal` when what is shipped can't be read.
pub(super) fn expected(scale: f64) -> Result<Option<BTreeMap<u8, Expected>>> {
    let all: BTreeMap<String, BTreeMap<u8, Expected>> = serde_json::from_str(SUMS).map_err(|_| {
        CommandError::refused(ErrorClass::Internal, "the expected figures are not part of this program")
    })?;
    let at = |(text, figures): (String, _)| (text.parse() == Ok(scale)).then_some(figures);
    Ok(all.into_iter().find_map(at))
}

#[cfg(test)]
mod tests {
    use super::super::tpch::QUERY_COUNT;
    use super::*;

    #[test]
    fn figures_are_whole() {
        for scale in [0.1, 1.0] {
            let figures = expected(scale).unwrap().unwrap();
            assert!(figures.keys().copied().eq(1..=QUERY_COUNT), "scale {scale}");
        }
        assert_eq!(expected(0.37).unwrap(), None);
    }
}
