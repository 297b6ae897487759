//! Grants: what a principal sees of a catalog state. Hidden and absent are one answer here, `None`.

use super::access::{Access, Limits, Permit, Reason, is_grantable, is_shared};
use super::rows::Asker;
use super::view::View;
use basin_catalog::{
    DatasetName, DatasetState, Digest, Grant, GrantId, Grantee, Principal, RegionCode, RoleName, Snapshot,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What one principal sees of one snapshot under the policy in force.
#[derive(Debug)]
pub(crate) struct Grants {
    data: Arc<Snapshot>,
    policy: Arc<Snapshot>,
    principal: Principal,
    admin: bool,
    made_at: DateTime<Utc>,
    live: BTreeMap<DatasetName, Vec<Arc<Grant>>>,
    /// What was worked out already.
    views: Mutex<BTreeMap<DatasetName, Option<Arc<View>>>>,
}

impl Grants {
    /// Computes the grants of `principal` on `data` under the policy of the snapshot `policy`.
    pub(crate) fn of(
        principal: &Principal,
        data: Arc<Snapshot>,
        policy: Arc<Snapshot>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut live: BTreeMap<DatasetName, Vec<Arc<Grant>>> = BTreeMap::new();
        for grant in policy.grants().values() {
            if is_addressed(grant, principal) && unfit(grant, principal, now).is_none() {
                live.entry(grant.dataset.clone()).or_default().push(Arc::clone(grant));
            }
        }
        let admin = principal.roles().contains(&RoleName::admin());
        Self {
            data,
            policy,
            principal: principal.clone(),
            admin,
            made_at: now,
            live,
            views: Mutex::default(),
        }
    }

    /// Returns a dataset as the principal may see it.
    pub(crate) fn dataset(&self, name: &DatasetName) -> Option<Arc<View>> {
        let full = self.data.datasets().get(name)?;
        if let Some(known) = self.views().get(name) {
            return known.clone();
        }
        let terms = self.policy.datasets().get(name).unwrap_or(full);
        let view = self.access(name).map(|access| Arc::new(View::new(access, full, &terms.definition)));
        self.views().insert(name.clone(), view.clone());
        view
    }

    /// Iterates over the visible datasets, by name.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (&DatasetName, Arc<View>)> {
        self.data.datasets().keys().filter_map(|name| Some((name, self.dataset(name)?)))
    }

    fn views(&self) -> std::sync::MutexGuard<'_, BTreeMap<DatasetName, Option<Arc<View>>>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists the grants that the principal's access to a dataset rests on; often none is needed.
    pub(crate) fn used(&self, name: &DatasetName) -> Vec<GrantId> {
        if let Some(Access::Limited(limits)) = self.access(name) {
            return limits.permits.into_iter().filter_map(|permit| permit.grant).collect();
        }
        self.live.get(name).map_or_else(Vec::new, |live| live.iter().map(|grant| grant.id.clone()).collect())
    }

    /// Tells whether the principal may see the audit record of a query that `user` began then: its own, and as
    /// administrator or auditor all.
    pub(crate) fn sees_query_of(&self, user: &str, began: DateTime<Utc>) -> bool {
        let auditor = self.principal.roles().iter().any(|role| role.as_str() == "auditor");
        self.admin || auditor || self.is_own_query(user, began)
    }

    /// Tells whether the principal may end a query that `user` began then: its own, and as administrator any.
    pub(crate) fn ends_query_of(&self, user: &str, began: DateTime<Utc>) -> bool {
        self.admin || self.is_own_query(user, began)
    }

    fn is_own_query(&self, user: &str, began: DateTime<Utc>) -> bool {
        // Not those of an earlier user of the same name.
        let account = self.policy.users().get(self.principal.user());
        self.principal.user().as_str() == user && account.is_none_or(|account| account.created_at <= began)
    }

    /// When the access to a dataset changes by itself: when the first of its grants ends.
    pub(super) fn ends(&self, name: &DatasetName) -> Option<DateTime<Utc>> {
        self.live.get(name)?.iter().filter_map(|grant| grant.not_after).min()
    }

    /// When what is seen changes by itself: when the first grant to the principal begins or ends.
    pub(crate) fn changes_next(&self) -> Option<DateTime<Utc>> {
        let addressed = self.policy.grants().values().filter(|grant| is_addressed(grant, &self.principal));
        let moments = addressed.flat_map(|grant| [Some(grant.not_before), grant.not_after]).flatten();
        moments.filter(|moment| *moment > self.made_at).min()
    }

    /// Tells whether the principal administers the node.
    pub(crate) fn is_admin(&self) -> bool {
        self.admin
    }

    /// Returns the snapshot whose policy is in force.
    pub(crate) fn policy(&self) -> &Arc<Snapshot> {
        &self.policy
    }

    /// Returns the snapshot whose data is read.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.data
    }

    /// Returns who asks.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns the region that the principal's organisation answers for.
    pub(super) fn region(&self) -> Option<&RegionCode> {
        self.policy.organisations().get(self.principal.agency()?)?.region.as_ref()
    }

    /// Returns how the principal reads a dataset; none: it is hidden.
    pub(crate) fn access(&self, name: &DatasetName) -> Option<Access> {
        if self.admin {
            return Some(Access::Whole(Reason::Administrator));
        }
        let state = self.policy.datasets().get(name)?;
        if let Some(sandbox) = &state.definition.sandbox {
            // Its owner sees it as long as each of its sources is seen as a whole, or as it was when its rows were read.
            let own = sandbox.owner == *self.principal.user();
            let sees = own
                && sandbox.derived_from.iter().all(|source| self.sees_as(source, sandbox.under.get(source)));
            return sees.then_some(Access::Whole(Reason::Owner));
        }
        if self.principal.agency() == Some(&state.definition.entry.provider) {
            return Some(Access::Whole(Reason::Provider));
        }
        let policy = self.policy.policies().get(name).map(Arc::as_ref);
        let permits = self.permits(name, state, is_shared(state, policy, self.principal.agency().is_some()));
        (!permits.is_empty()).then(|| Access::under(permits, state, policy))
    }

    /// The permits that count: those of the stated purpose alone where there are some, else all others.
    fn permits(&self, name: &DatasetName, state: &DatasetState, shared: bool) -> Vec<Permit> {
        let live = self.live.get(name).map_or(&[][..], Vec::as_slice);
        let live = if is_grantable(state) { live } else { &[] };
        let stated: Vec<Permit> =
            live.iter().filter(|grant| grant.purpose.is_some()).map(|grant| Permit::granted(grant)).collect();
        if !stated.is_empty() {
            return stated;
        }
        let shared = shared.then(Permit::shared);
        shared.into_iter().chain(live.iter().map(|grant| Permit::granted(grant))).collect()
    }

    /// A sandbox is made of what providers delivered, never of another sandbox.
    fn sees_as(&self, name: &DatasetName, under: Option<&Digest>) -> bool {
        let provided = |state: &Arc<DatasetState>| state.definition.sandbox.is_none();
        if !self.policy.datasets().get(name).is_some_and(provided) {
            return false;
        }
        match self.access(name) {
            None => false,
            Some(Access::Whole(_)) => true,
            Some(Access::Limited(_)) => under == Some(&self.digest(name)),
        }
    }

    /// Returns what tells the access to a dataset apart from another one.
    pub(crate) fn digest(&self, name: &DatasetName) -> Digest {
        let limits = self.access(name).and_then(|access| access.limits().map(Limits::canonical));
        let asker = limits.as_ref().map(|_| Asker::of(self));
        Digest::of(format!("{limits:?} {asker:?}").as_bytes())
    }
}

/// Why a grant to the principal does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    Purpose { grant: GrantId, purpose: String },
    NotYet { grant: GrantId, from: DateTime<Utc> },
    Over { grant: GrantId, until: DateTime<Utc> },
}

impl Grants {
    /// Lists the grants to the principal that do not hold, for the officer.
    pub(super) fn unfit(&self, name: &DatasetName) -> Vec<Unfit> {
        let of_dataset = self.policy.grants().values().filter(|grant| grant.dataset == *name);
        let addressed = of_dataset.filter(|grant| is_addressed(grant, &self.principal));
        addressed.filter_map(|grant| unfit(grant, &self.principal, Utc::now())).collect()
    }
}

fn is_addressed(grant: &Grant, principal: &Principal) -> bool {
    match &grant.to {
        Grantee::User(user) => principal.user() == user,
        Grantee::Role(role) => principal.roles().contains(role),
        Grantee::Agency(agency) => principal.agency() == Some(agency),
    }
}

/// Tells what keeps a grant from holding: it is in time, and for any purpose or the stated one, or it does not.
fn unfit(grant: &Grant, principal: &Principal, now: DateTime<Utc>) -> Option<Unfit> {
    let id = grant.id.clone();
    if now < grant.not_before {
        return Some(Unfit::NotYet { grant: id, from: grant.not_before });
    }
    if let Some(until) = grant.not_after.filter(|until| *until <= now) {
        return Some(Unfit::Over { grant: id, until });
    }
    match &grant.purpose {
        Some(purpose) if principal.purpose() != Some(purpose.as_str()) => {
            Some(Unfit::Purpose { grant: id, purpose: purpose.clone() })
        }
        Some(_) | None => None,
    }
}
