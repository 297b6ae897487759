//! Users, roles, grants, and the principal that asks. What they permit is decided in the engine's policy.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::OrganisationCode;
use crate::ids::{DatasetName, Digest, GrantId, ItemName, RoleName, UserName};
use crate::password::PasswordHash;
use crate::policy::RowFilter;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name to sign in with.
    pub name: UserName,
    /// The organisation the user works for.
    pub agency: Option<OrganisationCode>,
    /// The user's roles.
    pub roles: BTreeSet<RoleName>,
    /// The password's hash; none: no password signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// How the identity provider's tokens stand for the user; none: they don't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalSignIn>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// That the identity provider's tokens may stand for a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalSignIn {
    /// The subject that the tokens must have; none: any subject that the provider gives the user's name to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// A certificate that stands for a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateLink {
    /// SHA-256 of the certificate in DER form.
    pub certificate: Digest,
    /// The user.
    pub user: UserName,
}

/// A role that users have and grants name. `admin` always exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// What it is for.
    pub description: String,
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Grantee {
    /// One user.
    User(UserName),
    /// Everybody with a role.
    Role(RoleName),
    /// Everybody who works for an organisation.
    Agency(OrganisationCode),
}

/// A permission to read of one dataset what its terms leave, or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its name.
    pub id: GrantId,
    /// For whom.
    pub to: Grantee,
    /// What may be read.
    pub dataset: DatasetName,
    /// The purpose that must be stated; none: any.
    pub purpose: Option<String>,
    /// From when on.
    pub not_before: DateTime<Utc>,
    /// Until when (not including); none: until it is revoked.
    pub not_after: Option<DateTime<Utc>>,
    /// The decision or agreement it rests on.
    pub basis: String,
    /// The items that may be read; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<BTreeSet<ItemName>>,
    /// The rows that may be read; none: all that the dataset's terms leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowFilter>,
    /// The items that are read without their mask.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unmasked: BTreeSet<ItemName>,
    /// Whether rows and cells of any size are read, in spite of a minimum cell.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exact: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Who asks, and for what purpose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    user: UserName,
    agency: Option<OrganisationCode>,
    roles: BTreeSet<RoleName>,
    purpose: Option<String>,
}

impl Principal {
    /// A user of the catalog.
    #[must_use]
    pub fn of(user: &User, purpose: Option<String>) -> Self {
        Self { user: user.name.clone(), agency: user.agency.clone(), roles: user.roles.clone(), purpose }
    }

    /// Whoever opens the store directly, and so holds its keys: role `admin`.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            user: UserName::operator(),
            agency: None,
            roles: BTreeSet::from([RoleName::admin()]),
            purpose: None,
        }
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &UserName {
        &self.user
    }

    /// The organisation the user works for.
    #[must_use]
    pub fn agency(&self) -> Option<&OrganisationCode> {
        self.agency.as_ref()
    }

    /// The user's roles.
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<RoleName> {
        &self.roles
    }

    /// The purpose that was stated.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }
}
