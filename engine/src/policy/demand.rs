//! Demand: who may ask for access to what, and who sees what was asked. It decides no demand: that is the officer's.

use super::grants::Grants;
use crate::error::{EngineError, Result};
use basin_catalog::{DatasetName, Demand, Share};

impl Grants {
    /// Checks that the principal may ask for a dataset: one that a grant could show, or show more of.
    ///
    /// A hidden dataset may be asked for when only grants give access to it; that there is one is no secret then.
    ///
    /// # Errors
    /// `NotFound` for all others that the principal doesn't see, in the words for those that are absent.
    pub(crate) fn may_demand(&self, name: &DatasetName) -> Result<()> {
        let absent = || EngineError::NotFound { name: name.to_string(), suggestions: Vec::new() };
        let state = self.policy().datasets().get(name).ok_or_else(absent)?;
        let definition = &state.definition;
        if definition.sandbox.is_some() {
            return Err(absent());
        }
        let seen = self.dataset(name).is_some();
        let by_grant = self.policy().policies().get(name).is_some_and(|policy| policy.grants_only);
        match &definition.entry.share {
            Share::Conditional { .. } => Ok(()),
            Share::Unconditional if seen || by_grant => Ok(()),
            Share::Unconditional => Err(absent()),
            Share::None { .. } if seen => {
                Err(EngineError::sql(format!("{name} is its provider's alone: no grant gives access to it")))
            }
            Share::None { .. } => Err(absent()),
        }
    }

    /// Tells whether the principal may see a demand: its own, those for its agency's datasets, or all as administrator.
    pub(crate) fn sees_demand(&self, demand: &Demand) -> bool {
        if self.is_admin() {
            return true;
        }
        let provider =
            self.policy().datasets().get(&demand.dataset).map(|state| &state.definition.entry.provider);
        if provider.is_some() && provider == self.principal().agency() {
            return true;
        }
        // Not those of an earlier user of the same name.
        let user = self.policy().users().get(self.principal().user());
        user.is_some_and(|user| user.name == demand.by && user.created_at <= demand.made_at)
    }
}
