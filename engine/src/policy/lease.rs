//! Lease: what a running query's access rests on. It is looked at again while rows stream: a revocation, a stricter policy
//! or the end of a grant ends the stream.

use super::access::Access;
use super::grants::Grants;
use crate::error::{EngineError, Result};
use basin_catalog::{Catalog, DatasetName, Principal, Snapshot, UserName};
use chrono::{DateTime, Utc};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// How old a look may be while rows leave: a stream whose reader was away, or whose store does not answer, waits for the next.
const OVERDUE: Duration = Duration::from_secs(4);
/// How old the policy may be that a look sees, so that many streams ask the store once.
const FRESH: Duration = Duration::from_secs(1);

/// The newest policy, as the streams of one engine look at it.
#[derive(Debug)]
pub(crate) struct RecentPolicy {
    catalog: Catalog,
    last: tokio::sync::Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl RecentPolicy {
    pub(crate) fn of(catalog: &Catalog) -> Self {
        Self { catalog: catalog.clone(), last: tokio::sync::Mutex::default() }
    }

    async fn get(&self) -> Result<Arc<Snapshot>> {
        let mut last = self.last.lock().await;
        if let Some((_, snapshot)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = self.catalog.latest().await?;
        *last = Some((Instant::now(), Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

/// The access of one query to the datasets that it reads.
#[derive(Debug)]
pub(crate) struct Lease {
    policy: Arc<RecentPolicy>,
    principal: Principal,
    /// What was decided, under the policy in force then.
    decided: Vec<(DatasetName, Option<Access>)>,
    ends: Option<DateTime<Utc>>,
    looked: LastLook,
}

/// When an access was last known to hold.
#[derive(Debug, Clone)]
pub(crate) struct LastLook(Arc<Mutex<Instant>>);

impl LastLook {
    /// Tells whether rows have to wait for the next look.
    pub(crate) fn is_overdue(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > OVERDUE
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Lease {
    pub(crate) fn new(
        policy: &Arc<RecentPolicy>,
        grants: &Grants,
        datasets: impl Iterator<Item = DatasetName>,
    ) -> Self {
        let decided: Vec<_> = datasets.map(|name| (name.clone(), grants.access(&name))).collect();
        let ends = decided.iter().filter_map(|(name, _)| grants.ends(name)).min();
        let looked = LastLook(Arc::new(Mutex::new(Instant::now())));
        Self { policy: Arc::clone(policy), principal: grants.principal().clone(), decided, ends, looked }
    }

    /// Returns when the access was last known to hold.
    pub(crate) fn last_look(&self) -> LastLook {
        self.looked.clone()
    }

    /// Waits until the access is over, and says so.
    pub(crate) async fn lost(mut self) -> EngineError {
        loop {
            let left = self.ends.map(|end| (end - Utc::now()).to_std().unwrap_or_default());
            tokio::time::sleep(left.map_or(EVERY, |left| left.min(EVERY))).await;
            match self.look().await {
                Ok(None) => self.looked.now(),
                Ok(Some(name)) => return EngineError::Withdrawn(name),
                // Rows wait until the store answers.
                Err(error) => tracing::debug!(%error, "a policy could not be looked at again"),
            }
        }
    }

    /// Finds a dataset of which less may be read than was decided.
    async fn look(&mut self) -> Result<Option<String>> {
        let latest = self.policy.get().await?;
        let user = self.principal.user();
        let principal = match latest.users().get(user) {
            Some(known) => Principal::of(known, self.principal.purpose().map(ToOwned::to_owned)),
            None if *user == UserName::operator() => self.principal.clone(),
            None => return Ok(self.decided.first().map(|(name, _)| name.to_string())),
        };
        let grants = Grants::of(&principal, Arc::clone(&latest), latest, Utc::now());
        let holds = |name: &DatasetName, decided: &Option<Access>| {
            let now = grants.access(name);
            now == *decided || matches!(now, Some(Access::Whole(_)))
        };
        self.ends = self.decided.iter().filter_map(|(name, _)| grants.ends(name)).min();
        let lost = self.decided.iter().find(|(name, decided)| !holds(name, decided));
        Ok(lost.map(|(name, _)| name.to_string()))
    }
}
