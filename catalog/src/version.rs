//! Versions of a dataset and the deliveries they come from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::OrganisationCode;
use crate::ids::{DeliveryId, Digest};

/// The values of the layout's slice items as canonical text, in layout order; empty: the whole dataset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SliceKey(pub Vec<Option<String>>);

/// One file of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveredFile {
    /// Its name, without folders.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its checksum.
    pub sha256: Digest,
    /// Rows that were read.
    pub rows_in: u64,
    /// Rows that were taken.
    pub rows_accepted: u64,
    /// Rows that were not.
    pub rows_rejected: u64,
}

/// What a provider handed over for one dataset, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// Checksum over the manifest's digest, the provider and the files: the same delivery has the same.
    pub digest: Digest,
    /// Who handed it over.
    pub provider: OrganisationCode,
    /// The kind of delivery, as the manifest names it.
    pub kind: String,
    /// When it was pooled.
    pub received_at: DateTime<Utc>,
    /// Its files.
    pub files: Vec<DeliveredFile>,
    /// The slices it replaces.
    pub slices: Vec<SliceKey>,
    /// Rows that were read.
    pub rows_in: u64,
    /// Rows that were taken.
    pub rows_accepted: u64,
    /// Rows that were not.
    pub rows_rejected: u64,
    /// Rows that were not, by the rule that refused them.
    pub rejected_by_rule: BTreeMap<String, u64>,
    /// Rows that repeat a key and were kept with a number of their own.
    pub numbered_keys: u64,
}

/// One published state of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetVersion {
    /// Counted from 1.
    pub number: u64,
    /// Version of the Delta table with the data.
    pub table_version: u64,
    /// Version of the Delta table with the rejected rows.
    pub rejects_version: Option<u64>,
    /// Rows in all.
    pub rows: u64,
    /// Bytes of the data files.
    pub bytes: u64,
    /// Number of data files.
    pub files: u64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// The delivery that made it.
    pub delivery: Option<DeliveryId>,
    /// The revision of the definition it was made under.
    pub definition_revision: u64,
    /// Estimated distinct values by item.
    pub distinct: BTreeMap<String, u64>,
}
