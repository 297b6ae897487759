//! Grants: what a principal sees of a catalog state. Hidden and absent are one answer here, `None`.

use basin_catalog::{
    DatasetName, DatasetState, Grant, GrantId, Grantee, Principal, RoleName, Share, Snapshot,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one principal sees of one snapshot under the policy in force.
#[derive(Debug)]
pub(crate) struct Grants {
    data: Arc<Snapshot>,
    policy: Arc<Snapshot>,
    principal: Principal,
    admin: bool,
    live: BTreeMap<DatasetName, Vec<GrantId>>,
}

impl Grants {
    /// Computes the grants of `principal` on `data` under the policy of the snapshot `policy`.
    pub(crate) fn of(
        principal: &Principal,
        data: Arc<Snapshot>,
        policy: Arc<Snapshot>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut live: BTreeMap<DatasetName, Vec<GrantId>> = BTreeMap::new();
        for grant in policy.grants().values() {
            if is_live(grant, principal, now) {
                live.entry(grant.dataset.clone()).or_default().push(grant.id.clone());
            }
        }
        let admin = principal.roles().contains(&RoleName::admin());
        Self { data, policy, principal: principal.clone(), admin, live }
    }

    /// Returns a dataset that the principal may see.
    pub(crate) fn dataset(&self, name: &DatasetName) -> Option<&Arc<DatasetState>> {
        self.data.datasets().get(name).filter(|_| self.sees(name))
    }

    /// Iterates over the visible datasets, by name.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (&DatasetName, &Arc<DatasetState>)> {
        self.data.datasets().iter().filter(|(name, _)| self.sees(name))
    }

    /// Lists the grants that the principal's access to a dataset rests on; often none is needed.
    pub(crate) fn used(&self, name: &DatasetName) -> &[GrantId] {
        self.live.get(name).map_or(&[], Vec::as_slice)
    }

    /// Tells whether the principal may see the audit record of a query of `user`.
    pub(crate) fn sees_queries_of(&self, user: &str) -> bool {
        self.admin || self.principal.user().as_str() == user
    }

    /// Returns who asks.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Tells whether the principal may do everything.
    pub(super) fn is_admin(&self) -> bool {
        self.admin
    }

    /// Returns the snapshot whose policy is in force.
    pub(super) fn policy(&self) -> &Arc<Snapshot> {
        &self.policy
    }

    /// Returns the snapshot whose data is read.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.data
    }

    /// A sandbox is made of what providers delivered, never of another sandbox.
    fn sees_provided(&self, name: &DatasetName) -> bool {
        let provided = |state: &Arc<DatasetState>| state.definition.sandbox.is_none();
        self.policy.datasets().get(name).is_some_and(provided) && self.sees(name)
    }

    fn sees(&self, name: &DatasetName) -> bool {
        if self.admin {
            return true;
        }
        let Some(state) = self.policy.datasets().get(name) else { return false };
        if let Some(sandbox) = &state.definition.sandbox {
            // The strictest of all policies behind it: its owner sees it as long as each of its sources may be seen.
            return sandbox.owner == *self.principal.user()
                && sandbox.derived_from.iter().all(|source| self.sees_provided(source));
        }
        let entry = &state.definition.entry;
        let own = self.principal.agency() == Some(&entry.provider);
        match entry.share {
            Share::Unconditional => true,
            Share::Conditional { .. } => own || self.live.contains_key(name),
            Share::None { .. } => own,
        }
    }
}

fn is_live(grant: &Grant, principal: &Principal, now: DateTime<Utc>) -> bool {
    let addressed = match &grant.to {
        Grantee::User(user) => principal.user() == user,
        Grantee::Role(role) => principal.roles().contains(role),
        Grantee::Agency(agency) => principal.agency() == Some(agency),
    };
    let in_time = grant.not_before <= now && grant.not_after.is_none_or(|end| now < end);
    let purpose = match &grant.purpose {
        None => true,
        Some(purpose) => principal.purpose() == Some(purpose.as_str()),
    };
    addressed && in_time && purpose
}
