//! Demands: who asks for access to a dataset, for what, and how it was decided. Who may see or make one is decided in the
//! engine's policy; what a snapshot accepts is checked when it is applied.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::OrganisationCode;
use crate::error::{CatalogError, Result};
use crate::ids::{DatasetName, DemandId, GrantId, ItemName, UserName};
use crate::policy::RowFilter;

const PURPOSE_CHARS: usize = 200;
const REASON_CHARS: usize = 1000;
const ITEMS: usize = 1000;

/// A request for access to one dataset, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Its name.
    pub id: DemandId,
    /// Who asks.
    pub by: UserName,
    /// The organisation that the user worked for when asking.
    pub agency: Option<OrganisationCode>,
    /// What is to be read.
    pub dataset: DatasetName,
    /// The items that are wanted; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<BTreeSet<ItemName>>,
    /// The rows that are wanted; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowFilter>,
    /// The purpose that sessions would state.
    pub purpose: String,
    /// Why the data is needed.
    pub reason: String,
    /// Until when access is wanted (not including); none: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// By when a decision is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// How it was decided; none: it is open. A decided demand never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// How a demand was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What was decided.
    pub outcome: Verdict,
    /// The law, rule or agreement it rests on.
    pub basis: String,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What was decided of a demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// This grant was given.
    Granted(GrantId),
    /// None was given.
    Refused,
    /// Nobody asks any more: the user was removed.
    Ended,
}

/// Where a demand stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DemandState {
    /// It waits, and the day that was wanted for the decision has passed.
    Overdue,
    /// It waits for a decision.
    Open,
    /// Access was granted.
    Granted,
    /// Access was refused.
    Refused,
    /// The user was removed before it was decided.
    Ended,
}

impl DemandState {
    /// The word it is written as.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Open => "open",
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for DemandState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Demand {
    /// How many demands of one user may wait for their decision.
    pub const MOST_OPEN: usize = 20;

    /// Where it stands at a moment.
    #[must_use]
    pub fn state(&self, now: DateTime<Utc>) -> DemandState {
        match self.decision.as_ref().map(|decision| &decision.outcome) {
            Some(Verdict::Granted(_)) => DemandState::Granted,
            Some(Verdict::Refused) => DemandState::Refused,
            Some(Verdict::Ended) => DemandState::Ended,
            None if self.deadline.is_some_and(|deadline| deadline <= now) => DemandState::Overdue,
            None => DemandState::Open,
        }
    }

    /// Checks what can be checked without the rest of the catalog.
    ///
    /// # Errors
    /// `Invalid`, saying what would be right.
    pub(crate) fn check(&self) -> Result<()> {
        check_text("purpose", &self.purpose, PURPOSE_CHARS)?;
        check_text("reason", &self.reason, REASON_CHARS)?;
        let refuse = |what: &str, reason: &str| Err(CatalogError::invalid(format!("demand: {what}"), reason));
        if self.deadline.is_some_and(|deadline| deadline <= self.made_at) {
            return refuse("deadline", "it has passed already; name a later one or leave it out");
        }
        if self.until.is_some_and(|until| until <= self.made_at) {
            return refuse("until", "access would end before it begins; name a later end or leave it out");
        }
        match self.items.as_ref().map(BTreeSet::len) {
            Some(0) => {
                refuse("items", "there is none; name those that are wanted, or leave them out for all")
            }
            Some(ITEMS..) => refuse("items", "there are too many; leave them out for all"),
            Some(_) | None => Ok(()),
        }
    }
}

/// Checks a text that one person writes and another reads, on a terminal perhaps.
fn check_text(what: &str, text: &str, most: usize) -> Result<()> {
    let chars = text.chars().count();
    if text.trim().is_empty() {
        return Err(CatalogError::invalid(format!("demand: {what}"), "it is empty; write it"));
    }
    if chars > most {
        let reason = format!("it has {chars} characters and may have {most}; shorten it");
        return Err(CatalogError::invalid(format!("demand: {what}"), reason));
    }
    if text.chars().any(char::is_control) {
        return Err(CatalogError::invalid(
            format!("demand: {what}"),
            "it has line ends or other control characters; write it in one line",
        ));
    }
    Ok(())
}
