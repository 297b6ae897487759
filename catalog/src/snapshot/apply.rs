//! A snapshot and the changes of one commit make the next snapshot, or are refused.
//!
//! This is where everything that needs the rest of the catalog is checked; it runs again on each attempt of a commit, and
//! once more whenever the log is read.

mod demands;
mod expiry;
mod rollups;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{DatasetState, Snapshot};
use crate::access::{Grant, Grantee, Role, User};
use crate::change::{Change, Publication};
use crate::codes::OrganisationCode;
use crate::definition::DatasetDefinition;
use crate::error::{CatalogError, Result};
use crate::evolution;
use crate::ids::{DatasetName, GrantId, ItemName, RoleName, SnapshotId, UserName};
use crate::log::Entry;
use crate::organisation::{Node, Organisation};
use crate::policy::DatasetPolicy;

const NAME_CHARS: usize = 200;

impl Snapshot {
    /// The first snapshot.
    ///
    /// # Errors
    /// `Invalid` when the entry does not begin with the node.
    pub(crate) fn genesis(entry: &Entry) -> Result<Self> {
        let Some((Change::PutNode(node), rest)) = entry.changes.split_first() else {
            return Err(CatalogError::invalid("first commit", "it does not describe the node"));
        };
        node.name.check("node name", NAME_CHARS)?;
        let admin = Role { name: RoleName::admin(), description: "May do everything.".to_owned() };
        let mut first = Self {
            id: SnapshotId(0),
            committed_at: entry.at,
            commit: entry.id,
            node: Arc::new(node.clone()),
            organisations: BTreeMap::new(),
            users: BTreeMap::new(),
            roles: BTreeMap::from([(RoleName::admin(), Arc::new(admin))]),
            grants: BTreeMap::new(),
            datasets: BTreeMap::new(),
            policies: BTreeMap::new(),
            tokens: BTreeMap::new(),
            certificates: BTreeMap::new(),
            demands: BTreeMap::new(),
            expired: BTreeMap::new(),
            touched: BTreeMap::new(),
        };
        rest.iter().try_for_each(|change| first.apply(change))?;
        Ok(first)
    }

    /// The next snapshot.
    ///
    /// # Errors
    /// `Invalid`, `NotFound` or `Conflict` when a change does not fit this snapshot.
    pub(crate) fn next(&self, entry: &Entry) -> Result<Self> {
        let mut next = self.clone();
        next.id = SnapshotId(self.id.0 + 1);
        next.committed_at = entry.at.max(self.committed_at);
        next.commit = entry.id;
        entry.changes.iter().try_for_each(|change| next.apply(change))?;
        Ok(next)
    }

    /// Checks whether changes fit this snapshot, without a commit.
    ///
    /// # Errors
    /// What a commit of them would say.
    pub fn check(&self, changes: &[Change]) -> Result<()> {
        let mut next = self.clone();
        changes.iter().try_for_each(|change| next.apply(change))
    }

    /// The first of the changes' keys that was touched after `base`, and by which snapshot.
    pub(crate) fn conflict_since(&self, base: SnapshotId, changes: &[Change]) -> Option<CatalogError> {
        changes.iter().find_map(|change| {
            let what = change.key();
            let by = self.touched.get(&what).filter(|by| **by > base)?;
            Some(CatalogError::Conflict { what, by: by.0 })
        })
    }

    fn apply(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::PutNode(node) => self.put_node(node)?,
            Change::PutOrganisation(organisation) => self.put_organisation(organisation)?,
            Change::PutRole(role) => {
                self.roles.insert(role.name.clone(), Arc::new(role.clone()));
            }
            Change::PutUser(user) => self.put_user(user)?,
            Change::RemoveUser(name) => self.remove_user(name)?,
            Change::PutToken(token) => self.put_token(token)?,
            Change::RevokeToken(id) => self.revoke_token(id)?,
            Change::LinkCertificate(link) => self.link_certificate(link)?,
            Change::UnlinkCertificate(certificate) => self.unlink_certificate(certificate)?,
            Change::PutGrant(grant) => self.put_grant(grant)?,
            Change::RevokeGrant(id) => self.revoke_grant(id)?,
            Change::PutPolicy(policy) => self.put_policy(policy)?,
            Change::RemovePolicy(name) => self.remove_policy(name)?,
            Change::PutDemand(demand) => self.put_demand(demand)?,
            Change::DecideDemand { id, decision } => self.decide_demand(id, decision)?,
            Change::ApplyDataset(definition) => self.apply_dataset(definition)?,
            Change::DropDataset(name) => self.drop_dataset(name)?,
            Change::Publish(publication) => self.publish(publication)?,
            Change::PutRollup(rollup) => self.put_rollup(rollup)?,
            Change::FillRollup(fill) => self.fill_rollup(fill)?,
            Change::DropRollup { dataset, name } => self.drop_rollup(dataset, name)?,
            Change::Expire(expiry) => self.expire(expiry)?,
        }
        self.touched.insert(change.key(), self.id);
        Ok(())
    }

    fn put_node(&mut self, node: &Node) -> Result<()> {
        if node.id != self.node.id {
            let reason = format!("this catalog is node {}'s; a node's id never changes", self.node.id);
            return Err(CatalogError::invalid(format!("node {}", node.id), reason));
        }
        node.name.check("node name", NAME_CHARS)?;
        self.node = Arc::new(node.clone());
        Ok(())
    }

    fn put_organisation(&mut self, organisation: &Organisation) -> Result<()> {
        organisation.name.check(&format!("name of organisation {}", organisation.code), NAME_CHARS)?;
        self.organisations.insert(organisation.code.clone(), Arc::new(organisation.clone()));
        Ok(())
    }

    fn require_organisation(&self, code: &OrganisationCode) -> Result<()> {
        if self.organisations.contains_key(code) {
            return Ok(());
        }
        let hint = format!("; record it first: basin org put {code} --name-zh NAME --name-en NAME");
        Err(CatalogError::NotFound { kind: "organisation", name: code.to_string(), hint })
    }

    fn require_role(&self, role: &RoleName) -> Result<()> {
        if self.roles.contains_key(role) {
            return Ok(());
        }
        let known: Vec<&str> = self.roles.keys().map(RoleName::as_str).collect();
        let hint = format!("; there are {}; basin user add NAME --role {role} makes it", known.join(", "));
        Err(CatalogError::NotFound { kind: "role", name: role.to_string(), hint })
    }

    pub(super) fn require_user(&self, name: &UserName) -> Result<()> {
        if self.users.contains_key(name) {
            return Ok(());
        }
        let hint = format!("; basin user list shows them; make it: basin user add {name}");
        Err(CatalogError::NotFound { kind: "user", name: name.to_string(), hint })
    }

    fn put_user(&mut self, user: &User) -> Result<()> {
        user.agency.iter().try_for_each(|agency| self.require_organisation(agency))?;
        user.roles.iter().try_for_each(|role| self.require_role(role))?;
        Self::check_external(user)?;
        self.users.insert(user.name.clone(), Arc::new(user.clone()));
        Ok(())
    }

    fn remove_user(&mut self, name: &UserName) -> Result<()> {
        self.require_user(name)?;
        self.users.remove(name);
        self.end_sign_ins_of(name);
        // A later user of the same name must not inherit them.
        self.grants.retain(|_, grant| grant.to != Grantee::User(name.clone()));
        self.end_demands(name);
        let owned = |state: &DatasetState| {
            state.definition.sandbox.as_ref().is_some_and(|sandbox| sandbox.owner == *name)
        };
        self.datasets.retain(|_, state| !owned(state));
        Ok(())
    }

    fn put_grant(&mut self, grant: &Grant) -> Result<()> {
        let definition = Arc::clone(&self.dataset(&grant.dataset)?.definition);
        match &grant.to {
            Grantee::User(name) => self.require_user(name)?,
            Grantee::Role(role) => self.require_role(role)?,
            Grantee::Agency(code) => self.require_organisation(code)?,
        }
        let refuse = |reason: &str| Err(CatalogError::invalid(format!("grant {}", grant.id), reason));
        if grant.basis.trim().is_empty() {
            return refuse("name the decision or agreement it rests on (--basis)");
        }
        if grant.purpose.as_ref().is_some_and(|purpose| purpose.trim().is_empty()) {
            return refuse("its purpose is empty; write it or leave it out");
        }
        if grant.not_after.is_some_and(|end| end <= grant.not_before) {
            return refuse("it ends before it begins");
        }
        if grant.items.as_ref().is_some_and(BTreeSet::is_empty) {
            return refuse("it names no item; name those that may be read, or leave them out for all");
        }
        if let Some(absent) = named(grant).find(|item| definition.item(item.as_str()).is_none()) {
            return refuse(&format!("{} has no item {absent}", grant.dataset));
        }
        self.grants.insert(grant.id.clone(), Arc::new(grant.clone()));
        Ok(())
    }

    fn put_policy(&mut self, policy: &DatasetPolicy) -> Result<()> {
        let state = self.dataset(&policy.dataset)?;
        if state.definition.sandbox.is_some() {
            let reason = "it is a sandbox dataset, which its owner alone reads";
            return Err(CatalogError::invalid(format!("policy of {}", policy.dataset), reason));
        }
        policy.check(&state.definition)?;
        self.policies.insert(policy.dataset.clone(), Arc::new(policy.clone()));
        Ok(())
    }

    fn remove_policy(&mut self, name: &DatasetName) -> Result<()> {
        if self.policies.remove(name).is_some() {
            return Ok(());
        }
        let hint = "; basin policy list shows them".to_owned();
        Err(CatalogError::NotFound { kind: "policy", name: name.to_string(), hint })
    }

    fn revoke_grant(&mut self, id: &GrantId) -> Result<()> {
        if self.grants.remove(id).is_some() {
            return Ok(());
        }
        let hint = "; basin grant list shows them".to_owned();
        Err(CatalogError::NotFound { kind: "grant", name: id.to_string(), hint })
    }

    fn apply_dataset(&mut self, definition: &DatasetDefinition) -> Result<()> {
        definition.validate()?;
        self.require_organisation(&definition.entry.provider)?;
        self.check_resource_code(definition)?;
        self.check_code_lists(definition)?;
        if let Some(policy) = self.policies.get(&definition.name) {
            policy.check(definition)?;
        }
        let state = match self.datasets.get(&definition.name) {
            Some(state) => {
                evolution::check(state, definition)?;
                rollups::check_all(state, definition)?;
                DatasetState {
                    definition: Arc::new(definition.clone()),
                    revision: state.revision + 1,
                    ..state.as_ref().clone()
                }
            }
            None => DatasetState {
                definition: Arc::new(definition.clone()),
                revision: 1,
                versions: Vec::new(),
                deliveries: Vec::new(),
                live_slices: BTreeMap::new(),
                rollups: BTreeMap::new(),
            },
        };
        self.datasets.insert(definition.name.clone(), Arc::new(state));
        Ok(())
    }

    fn drop_dataset(&mut self, name: &DatasetName) -> Result<()> {
        if self.dataset(name)?.definition.sandbox.is_none() {
            let reason = "only sandbox datasets can be dropped: a provider's data stays";
            return Err(CatalogError::invalid(format!("dataset {name}"), reason));
        }
        self.datasets.remove(name);
        self.policies.remove(name);
        self.grants.retain(|_, grant| grant.dataset != *name);
        Ok(())
    }

    fn check_resource_code(&self, definition: &DatasetDefinition) -> Result<()> {
        let code = &definition.entry.resource_code;
        let other = self
            .datasets
            .iter()
            .find(|(name, state)| **name != definition.name && state.definition.entry.resource_code == *code);
        let Some((other, _)) = other else { return Ok(()) };
        let reason = format!("{other} has resource code {code} already; give this one its own");
        Err(CatalogError::invalid(format!("{}: resource_code", definition.name), reason))
    }

    fn check_code_lists(&self, definition: &DatasetDefinition) -> Result<()> {
        for item in &definition.items {
            let Some(list) = &item.code_list else { continue };
            let holder = if list.dataset == definition.name {
                definition
            } else {
                self.dataset(&list.dataset)?.definition.as_ref()
            };
            if holder.item(list.item.as_str()).is_none() {
                let reason = format!("its code list names {}, which has no item {}", list.dataset, list.item);
                return Err(CatalogError::invalid(
                    format!("{}: item {}", definition.name, item.name),
                    reason,
                ));
            }
        }
        Ok(())
    }

    fn publish(&mut self, publication: &Publication) -> Result<()> {
        let state = self.dataset(&publication.dataset)?;
        let current = state.current().map_or(0, |version| version.number);
        let version = &publication.version;
        if publication.base_version != current || version.definition_revision != state.revision {
            let what = format!("dataset {}", publication.dataset);
            let by = self.touched.get(&what).map_or(self.id.0, |by| by.0);
            return Err(CatalogError::Conflict { what, by });
        }
        let refuse = |reason: String| {
            Err(CatalogError::invalid(
                format!("version {} of {}", version.number, publication.dataset),
                reason,
            ))
        };
        if version.number != current + 1 {
            return refuse(format!("the next version is {}", current + 1));
        }
        if version.delivery != publication.delivery.as_ref().map(|delivery| delivery.id.clone()) {
            return refuse("it does not name its own delivery".to_owned());
        }
        let mut next = state.as_ref().clone();
        if let Some(delivery) = &publication.delivery {
            self.require_organisation(&delivery.provider)?;
            if delivery.rows_in != delivery.rows_accepted + delivery.rows_rejected {
                return refuse("rows in are not accepted + rejected rows".to_owned());
            }
            if next.delivery(&delivery.id).is_some() {
                return refuse(format!("delivery {} was published already", delivery.id));
            }
            let width = next.definition.layout.slice.len();
            if delivery.slices.iter().any(|slice| slice.0.len() != width) {
                return refuse(format!("each of its slices has {width} values (layout.slice)"));
            }
            let live = delivery.slices.iter().map(|slice| (slice.clone(), delivery.id.clone()));
            next.live_slices.extend(live);
            next.deliveries.push(delivery.clone());
        }
        next.versions.push(version.clone());
        self.datasets.insert(publication.dataset.clone(), Arc::new(next));
        Ok(())
    }
}

/// The items that a grant names.
fn named(grant: &Grant) -> impl Iterator<Item = &ItemName> {
    grant.items.iter().flatten().chain(&grant.unmasked)
}
