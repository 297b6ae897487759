//! Expiry: which versions of datasets can't be read any more, because their files may be gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::DatasetName;

/// From which version on datasets are kept, by the version of their Delta table: it only grows, also when a dataset is dropped
/// and made again. What was published before has expired.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// The oldest Delta version that is kept.
    pub kept_from: BTreeMap<DatasetName, u64>,
}
