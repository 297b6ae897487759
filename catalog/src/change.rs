//! What a commit may change.

use serde::{Deserialize, Serialize};

use crate::access::{CertificateLink, Grant, Role, User};
use crate::definition::DatasetDefinition;
use crate::demand::{Decision, Demand};
use crate::expiry::Expiry;
use crate::ids::{DatasetName, DemandId, Digest, GrantId, RollupName, TokenId, UserName};
use crate::organisation::{Node, Organisation};
use crate::policy::DatasetPolicy;
use crate::rollup::{Rollup, RollupFill};
use crate::token::ServiceToken;
use crate::version::{DatasetVersion, Delivery};

/// A new version of a dataset, with the delivery that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version it is built on, 0 for none; a conflict when it is not the current one any more.
    pub base_version: u64,
    /// The new version, its number one more than the base's.
    pub version: DatasetVersion,
    /// The delivery; its slices replace those that are live.
    pub delivery: Option<Delivery>,
}

/// One change of the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Describes this catalog's node.
    PutNode(Node),
    /// Records an organisation, or changes what is recorded.
    PutOrganisation(Organisation),
    /// Makes or changes a role.
    PutRole(Role),
    /// Makes or changes a user.
    PutUser(User),
    /// Removes a user, with the grants to that user, its tokens and its certificates.
    RemoveUser(UserName),
    /// Makes a service token.
    PutToken(ServiceToken),
    /// Ends a service token.
    RevokeToken(TokenId),
    /// Makes a certificate stand for a user.
    LinkCertificate(CertificateLink),
    /// Ends that.
    UnlinkCertificate(Digest),
    /// Makes a grant.
    PutGrant(Grant),
    /// Ends a grant.
    RevokeGrant(GrantId),
    /// Sets what an officer asks of a dataset's readers.
    PutPolicy(Box<DatasetPolicy>),
    /// Ends that.
    RemovePolicy(DatasetName),
    /// Records that somebody asks for access.
    PutDemand(Box<Demand>),
    /// Decides that; the grant that it gives is made in the same commit, before.
    DecideDemand {
        /// Which demand.
        id: DemandId,
        /// How it is decided.
        decision: Decision,
    },
    /// Defines a dataset, or a new revision of it.
    ApplyDataset(Box<DatasetDefinition>),
    /// Removes a sandbox dataset, with the grants on it. Its files stay, for earlier snapshots.
    DropDataset(DatasetName),
    /// Publishes a version of a dataset.
    Publish(Box<Publication>),
    /// Declares a rollup, without rows.
    PutRollup(Box<Rollup>),
    /// Names the rows of a rollup.
    FillRollup(Box<RollupFill>),
    /// Removes a rollup. Its files stay, for earlier snapshots.
    DropRollup {
        /// The dataset.
        dataset: DatasetName,
        /// The rollup.
        name: RollupName,
    },
    /// Lets go of old versions of datasets. Their files may be removed once this is committed.
    Expire(Expiry),
}

impl Change {
    /// What it touches: two commits conflict when both touch the same.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::PutNode(_) => "the node".to_owned(),
            Self::PutOrganisation(organisation) => format!("organisation {}", organisation.code),
            Self::PutRole(role) => format!("role {}", role.name),
            Self::PutUser(user) => format!("user {}", user.name),
            Self::RemoveUser(name) => format!("user {name}"),
            Self::PutToken(token) => format!("token {}", token.id),
            Self::RevokeToken(id) => format!("token {id}"),
            Self::LinkCertificate(link) => format!("certificate {}", link.certificate),
            Self::UnlinkCertificate(certificate) => format!("certificate {certificate}"),
            Self::PutGrant(grant) => format!("grant {}", grant.id),
            Self::RevokeGrant(id) => format!("grant {id}"),
            Self::PutPolicy(policy) => format!("policy of {}", policy.dataset),
            Self::RemovePolicy(name) => format!("policy of {name}"),
            Self::PutDemand(demand) => format!("demand {}", demand.id),
            Self::DecideDemand { id, .. } => format!("demand {id}"),
            Self::ApplyDataset(definition) => format!("dataset {}", definition.name),
            Self::DropDataset(name) => format!("dataset {name}"),
            Self::Publish(publication) => format!("dataset {}", publication.dataset),
            Self::PutRollup(rollup) => rollup_key(&rollup.dataset, &rollup.name),
            Self::FillRollup(fill) => rollup_key(&fill.declared.dataset, &fill.declared.name),
            Self::DropRollup { dataset, name } => rollup_key(dataset, name),
            Self::Expire(_) => "expired versions".to_owned(),
        }
    }

    /// The change in a few words.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::PutNode(node) => format!("describe node {}", node.id),
            Self::PutOrganisation(_) | Self::PutRole(_) | Self::PutUser(_) | Self::PutGrant(_) => {
                format!("put {}", self.key())
            }
            Self::PutPolicy(_) | Self::PutDemand(_) => format!("put {}", self.key()),
            Self::DecideDemand { .. } => format!("decide {}", self.key()),
            Self::RemoveUser(_) | Self::RemovePolicy(_) => format!("remove {}", self.key()),
            Self::PutToken(token) => format!("put {} of user {}", self.key(), token.user),
            Self::RevokeToken(_) | Self::RevokeGrant(_) => format!("revoke {}", self.key()),
            Self::LinkCertificate(link) => format!("link {} to user {}", self.key(), link.user),
            Self::UnlinkCertificate(_) => format!("unlink {}", self.key()),
            Self::ApplyDataset(definition) => format!("define {}", definition.name),
            Self::DropDataset(name) => format!("drop {name}"),
            Self::Publish(publication) => {
                format!("publish {} version {}", publication.dataset, publication.version.number)
            }
            Self::PutRollup(_) => format!("put {}", self.key()),
            Self::FillRollup(fill) => format!("fill {} from version {}", self.key(), fill.made.of_version),
            Self::DropRollup { .. } => format!("drop {}", self.key()),
            Self::Expire(expiry) => format!("expire old versions of {} datasets", expiry.kept_from.len()),
        }
    }

    /// The dataset it is about.
    pub(crate) fn dataset(&self) -> Option<&DatasetName> {
        match self {
            Self::ApplyDataset(definition) => Some(&definition.name),
            Self::DropDataset(name) => Some(name),
            Self::Publish(publication) => Some(&publication.dataset),
            Self::PutGrant(grant) => Some(&grant.dataset),
            Self::PutPolicy(policy) => Some(&policy.dataset),
            Self::RemovePolicy(name) => Some(name),
            Self::PutDemand(demand) => Some(&demand.dataset),
            Self::PutRollup(rollup) => Some(&rollup.dataset),
            Self::FillRollup(fill) => Some(&fill.declared.dataset),
            Self::DropRollup { dataset, .. } => Some(dataset),
            Self::PutNode(_)
            | Self::PutOrganisation(_)
            | Self::PutRole(_)
            | Self::PutUser(_)
            | Self::RemoveUser(_)
            | Self::PutToken(_)
            | Self::RevokeToken(_)
            | Self::LinkCertificate(_)
            | Self::UnlinkCertificate(_)
            | Self::DecideDemand { .. }
            | Self::RevokeGrant(_)
            | Self::Expire(_) => None,
        }
    }
}

fn rollup_key(dataset: &DatasetName, name: &RollupName) -> String {
    format!("rollup {name} of {dataset}")
}
