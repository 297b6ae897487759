//! Snapshots: one immutable state of the whole catalog. How changes make the next one is in `apply`.

mod apply;
mod sign_in;
mod slices;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{Grant, Role, User};
use crate::codes::OrganisationCode;
use crate::definition::DatasetDefinition;
use crate::demand::Demand;
use crate::error::{CatalogError, Result};
use crate::ids::{
    DatasetName, DeliveryId, DemandId, Digest, GrantId, RoleName, RollupName, SnapshotId, TokenId, UserName,
};
use crate::organisation::{Node, Organisation};
use crate::policy::DatasetPolicy;
use crate::rollup::RollupState;
use crate::token::ServiceToken;
use crate::version::{DatasetVersion, Delivery, SliceKey};

/// How many names a `NotFound` suggests.
const SUGGESTIONS: usize = 3;
/// Similarity (Jaro-Winkler) from which a name is suggested.
const SIMILAR: f64 = 0.75;

/// One dataset in one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetState {
    /// Its definition.
    pub definition: Arc<DatasetDefinition>,
    /// How often it was defined, from 1.
    pub revision: u64,
    /// Its versions that have not expired, oldest first.
    pub versions: Vec<DatasetVersion>,
    /// Its deliveries, oldest first.
    pub deliveries: Vec<Delivery>,
    /// Which delivery each slice comes from.
    #[serde(with = "slices")]
    pub live_slices: BTreeMap<SliceKey, DeliveryId>,
    /// Its rollups.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rollups: BTreeMap<RollupName, RollupState>,
}

impl DatasetState {
    /// The newest version; none when nothing was published.
    #[must_use]
    pub fn current(&self) -> Option<&DatasetVersion> {
        self.versions.last()
    }

    /// Whether a rollup's rows were made of the newest version.
    #[must_use]
    pub fn is_fresh(&self, rollup: &RollupState) -> bool {
        let of = rollup.made.as_ref().map(|made| made.of_version);
        of.is_some() && of == self.current().map(|version| version.number)
    }

    /// One delivery.
    #[must_use]
    pub fn delivery(&self, id: &DeliveryId) -> Option<&Delivery> {
        self.deliveries.iter().find(|delivery| delivery.id == *id)
    }
}

/// One state of the whole catalog; it never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    id: SnapshotId,
    committed_at: DateTime<Utc>,
    commit: Uuid,
    node: Arc<Node>,
    organisations: BTreeMap<OrganisationCode, Arc<Organisation>>,
    users: BTreeMap<UserName, Arc<User>>,
    roles: BTreeMap<RoleName, Arc<Role>>,
    grants: BTreeMap<GrantId, Arc<Grant>>,
    datasets: BTreeMap<DatasetName, Arc<DatasetState>>,
    #[serde(default)]
    policies: BTreeMap<DatasetName, Arc<DatasetPolicy>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tokens: BTreeMap<TokenId, Arc<ServiceToken>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    certificates: BTreeMap<Digest, UserName>,
    #[serde(default)]
    demands: BTreeMap<DemandId, Arc<Demand>>,
    /// The oldest Delta version that is kept, where some have expired.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    expired: BTreeMap<DatasetName, u64>,
    /// Which snapshot last changed a key, for the conflict check.
    touched: BTreeMap<String, SnapshotId>,
}

impl Snapshot {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> SnapshotId {
        self.id
    }

    /// When it was committed; never before its predecessor.
    #[must_use]
    pub fn committed_at(&self) -> DateTime<Utc> {
        self.committed_at
    }

    /// The node whose catalog it is.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The organisations.
    #[must_use]
    pub fn organisations(&self) -> &BTreeMap<OrganisationCode, Arc<Organisation>> {
        &self.organisations
    }

    /// The users.
    #[must_use]
    pub fn users(&self) -> &BTreeMap<UserName, Arc<User>> {
        &self.users
    }

    /// The roles.
    #[must_use]
    pub fn roles(&self) -> &BTreeMap<RoleName, Arc<Role>> {
        &self.roles
    }

    /// The grants, whether in force or not.
    #[must_use]
    pub fn grants(&self) -> &BTreeMap<GrantId, Arc<Grant>> {
        &self.grants
    }

    /// What officers ask of datasets' readers, beyond the definitions.
    #[must_use]
    pub fn policies(&self) -> &BTreeMap<DatasetName, Arc<DatasetPolicy>> {
        &self.policies
    }

    /// The demands, decided or not, oldest first.
    #[must_use]
    pub fn demands(&self) -> &BTreeMap<DemandId, Arc<Demand>> {
        &self.demands
    }

    /// The datasets.
    #[must_use]
    pub fn datasets(&self) -> &BTreeMap<DatasetName, Arc<DatasetState>> {
        &self.datasets
    }

    /// One dataset.
    ///
    /// # Errors
    /// `NotFound` with the nearest names. They are not filtered by policy: do not show them to a query's principal.
    pub fn dataset(&self, name: &DatasetName) -> Result<&Arc<DatasetState>> {
        self.datasets.get(name).ok_or_else(|| self.no_dataset(name))
    }

    fn no_dataset(&self, name: &DatasetName) -> CatalogError {
        let wanted = name.to_string();
        let mut near: Vec<(f64, String)> = self
            .datasets
            .keys()
            .map(|known| (strsim::jaro_winkler(&wanted, &known.to_string()), known.to_string()))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let names: Vec<String> = near.into_iter().take(SUGGESTIONS).map(|(_, known)| known).collect();
        let hint = match names.as_slice() {
            [] => "; define it first: basin dataset apply MANIFEST".to_owned(),
            _ => format!("; is it {}?", names.join(" or ")),
        };
        CatalogError::NotFound { kind: "dataset", name: wanted, hint }
    }
}
