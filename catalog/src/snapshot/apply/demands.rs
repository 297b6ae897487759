//! Demands in a snapshot: made once, decided once, ended with their user.

use std::sync::Arc;

use super::super::Snapshot;
use crate::access::{Grant, Grantee};
use crate::demand::{Decision, Demand, Verdict};
use crate::error::{CatalogError, Result};
use crate::ids::{DemandId, UserName};

/// In whose name the catalog itself ends a demand.
const CATALOG: &str = "basin";

impl Snapshot {
    pub(super) fn put_demand(&mut self, demand: &Demand) -> Result<()> {
        let refuse = |reason: String| Err(CatalogError::invalid(format!("demand {}", demand.id), reason));
        if self.demands.contains_key(&demand.id) {
            return refuse("it was made already; make another".to_owned());
        }
        if demand.decision.is_some() {
            return refuse("it is new, and so not decided yet".to_owned());
        }
        demand.check()?;
        self.require_user(&demand.by)?;
        demand.agency.iter().try_for_each(|agency| self.require_organisation(agency))?;
        if self.dataset(&demand.dataset)?.definition.sandbox.is_some() {
            return refuse(format!("{} is a sandbox dataset, which its owner alone reads", demand.dataset));
        }
        let waiting = self.demands.values().filter(|other| other.by == demand.by && other.decision.is_none());
        if waiting.count() >= Demand::MOST_OPEN {
            let most = Demand::MOST_OPEN;
            return refuse(format!("{} has {most} demands that wait; let them be decided first", demand.by));
        }
        self.demands.insert(demand.id.clone(), Arc::new(demand.clone()));
        Ok(())
    }

    pub(super) fn decide_demand(&mut self, id: &DemandId, decision: &Decision) -> Result<()> {
        let Some(demand) = self.demands.get(id) else {
            let hint = "; basin demand list shows them".to_owned();
            return Err(CatalogError::NotFound { kind: "demand", name: id.to_string(), hint });
        };
        let refuse = |reason: &str| Err(CatalogError::invalid(format!("demand {id}"), reason));
        if let Some(earlier) = &demand.decision {
            return refuse(&format!("{} decided it already; a decision never changes", earlier.by));
        }
        if decision.basis.trim().is_empty() {
            return refuse("name the law, rule or agreement that the decision rests on (--basis)");
        }
        match &decision.outcome {
            Verdict::Ended => return refuse("it ends when its user is removed, not by a decision"),
            Verdict::Refused => {}
            Verdict::Granted(grant) => match self.grants.get(grant) {
                None => return refuse("the grant that it was given does not exist"),
                Some(grant) if !answers(grant, demand) => {
                    return refuse("the grant is for somebody or something else, or for more than was asked");
                }
                Some(_) => {}
            },
        }
        let decided = Demand { decision: Some(decision.clone()), ..demand.as_ref().clone() };
        self.demands.insert(id.clone(), Arc::new(decided));
        Ok(())
    }

    /// Ends the demands of a user that nobody decided.
    pub(super) fn end_demands(&mut self, by: &UserName) {
        let decision = Decision {
            outcome: Verdict::Ended,
            basis: "the user was removed".to_owned(),
            by: CATALOG.to_owned(),
            at: self.committed_at,
        };
        for demand in self.demands.values_mut() {
            if demand.by == *by && demand.decision.is_none() {
                let ended = Demand { decision: Some(decision.clone()), ..demand.as_ref().clone() };
                *demand = Arc::new(ended);
            }
        }
    }
}

/// Whether a grant gives what was asked, or less: the same reader, dataset and purpose, no item more, nothing unmasked.
/// That its rows are no more can't be told from the text; who grants sees to it.
fn answers(grant: &Grant, demand: &Demand) -> bool {
    let items = match (&grant.items, &demand.items) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(given), Some(asked)) => given.is_subset(asked),
    };
    items
        && grant.to == Grantee::User(demand.by.clone())
        && grant.dataset == demand.dataset
        && grant.purpose.as_ref() == Some(&demand.purpose)
        && (grant.rows.is_some() || demand.rows.is_none())
        && grant.unmasked.is_empty()
        && !grant.exact
}
