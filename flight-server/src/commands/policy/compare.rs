//! What a policy file changes of a snapshot: additions, changes and, when asked for, removals.

use std::collections::BTreeSet;

use basin_catalog::{Change, DatasetPolicy, GrantId, Snapshot};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::file::PolicyFile;
use super::sentences;
use crate::commands::grant::GrantLine;
use crate::commands::words;

/// What becomes of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Added,
    Changed,
    Removed,
    Unchanged,
    /// It stands and the file does not have it.
    Left,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Unchanged => "unchanged",
            Self::Left => "left",
        }
    }
}

/// One role, policy or grant.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) outcome: Outcome,
    pub(super) what: String,
    pub(super) says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) said: Option<String>,
}

/// All that a file changes.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) lines: Vec<Line>,
    pub(super) changes: Vec<Change>,
}

/// Compares a file with a snapshot.
pub(super) fn compare(file: &PolicyFile, snapshot: &Snapshot, prune: bool, now: DateTime<Utc>) -> Comparison {
    let mut comparison = Comparison::default();
    comparison.roles(file, snapshot);
    comparison.policies(file, snapshot, prune);
    comparison.grants(file, snapshot, prune, now);
    comparison
}

impl Comparison {
    fn say(&mut self, outcome: Outcome, what: String, says: String) {
        self.lines.push(Line { outcome, what, says, said: None });
    }

    fn roles(&mut self, file: &PolicyFile, snapshot: &Snapshot) {
        for role in &file.roles {
            let outcome = match snapshot.roles().get(&role.name) {
                Some(known) if **known == *role => Outcome::Unchanged,
                Some(_) => Outcome::Changed,
                None => Outcome::Added,
            };
            self.say(outcome, format!("role {}", role.name), role.description.clone());
            if outcome != Outcome::Unchanged {
                self.changes.push(Change::PutRole(role.clone()));
            }
        }
    }

    fn policies(&mut self, file: &PolicyFile, snapshot: &Snapshot, prune: bool) {
        let mut named = BTreeSet::new();
        for policy in file.policies() {
            named.insert(policy.dataset.clone());
            let known = snapshot.policies().get(&policy.dataset);
            let outcome = match known {
                Some(known) if **known == policy => Outcome::Unchanged,
                Some(_) => Outcome::Changed,
                None => Outcome::Added,
            };
            let said = known.filter(|_| outcome == Outcome::Changed).map(|known| in_words(known));
            let what = format!("policy of {}", policy.dataset);
            self.lines.push(Line { outcome, what, says: in_words(&policy), said });
            if outcome != Outcome::Unchanged {
                self.changes.push(Change::PutPolicy(Box::new(policy)));
            }
        }
        let scope = file.datasets();
        let others = snapshot.policies().values();
        for other in others.filter(|other| scope.contains(&other.dataset) && !named.contains(&other.dataset))
        {
            self.say(left(prune), format!("policy of {}", other.dataset), in_words(other));
            if prune {
                self.changes.push(Change::RemovePolicy(other.dataset.clone()));
            }
        }
    }

    /// Each grant of the file is one of the catalog's with the same content, or is added: nothing that stands is
    /// rewritten.
    fn grants(&mut self, file: &PolicyFile, snapshot: &Snapshot, prune: bool, now: DateTime<Utc>) {
        let scope = file.datasets();
        let standing = snapshot.grants().values().filter(|grant| scope.contains(&grant.dataset));
        let mut standing: Vec<_> = standing.collect();
        for wanted in &file.grants {
            let known = standing.iter().position(|grant| wanted.is(grant));
            let (outcome, grant) = match known {
                Some(at) => (Outcome::Unchanged, standing.remove(at).as_ref().clone()),
                None => (Outcome::Added, wanted.grant(GrantId::fresh(), now)),
            };
            self.say(outcome, what(&GrantLine::of(&grant, now)), words::reads(&grant));
            if outcome == Outcome::Added {
                self.changes.push(Change::PutGrant(grant));
            }
        }
        for other in standing {
            let line = GrantLine::of(other, now);
            self.say(left(prune), format!("{} ({})", what(&line), line.id), line.reads);
            if prune {
                self.changes.push(Change::RevokeGrant(other.id.clone()));
            }
        }
    }
}

fn left(prune: bool) -> Outcome {
    if prune { Outcome::Removed } else { Outcome::Left }
}

fn what(grant: &GrantLine) -> String {
    let purpose = grant.purpose.as_ref().map(|purpose| format!(" for {purpose}")).unwrap_or_default();
    format!("grant of {} to {}{purpose}", grant.dataset, grant.to)
}

fn in_words(policy: &DatasetPolicy) -> String {
    format!("{} (basis: {})", sentences(policy).join("; "), policy.basis)
}
