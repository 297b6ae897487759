//! `basin demand`: who asks for access to which dataset, and how the officer decides. What came of it is a grant, or a
//! refusal with its basis; who may ask over Flight is decided by the engine's policy.

mod decide;
mod list;
mod make;
mod show;

use std::fmt;

use basin_catalog::{Demand, DemandId, ErrorClass, Snapshot, Verdict};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::{CommandError, Result};
use super::output;
use super::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum DemandCommand {
    /// Record that a user asks for access to a dataset
    Make(make::MakeArgs),
    /// List the demands: those that wait for a decision first
    List(list::ListArgs),
    /// Show one demand
    Show(DemandArgs),
    /// Give what was asked, or part of it, by a grant
    Grant(decide::GrantArgs),
    /// Refuse what was asked
    Refuse(decide::RefuseArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemandArgs {
    /// The demand's id, as `basin demand list` shows it
    id: DemandId,
}

/// A demand as it is shown.
#[derive(Debug, Serialize)]
struct DemandLine {
    id: String,
    state: String,
    dataset: String,
    by: String,
    agency: Option<String>,
    purpose: String,
    reason: String,
    items: Option<Vec<String>>,
    rows: Option<String>,
    until: Option<String>,
    deadline: Option<String>,
    made_at: String,
    decision: Option<DecisionLine>,
}

#[derive(Debug, Serialize)]
struct DecisionLine {
    grant: Option<String>,
    basis: String,
    by: String,
    at: String,
}

#[derive(Debug, Serialize)]
struct Done {
    demand: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    snapshot: u64,
}

pub(crate) async fn run(session: &Session, command: DemandCommand) -> Result<()> {
    match command {
        DemandCommand::Make(args) => make::run(session, args).await,
        DemandCommand::List(args) => list::run(session, args).await,
        DemandCommand::Show(args) => show::run(session, args).await,
        DemandCommand::Grant(args) => decide::grant(session, args).await,
        DemandCommand::Refuse(args) => decide::refuse(session, args).await,
    }
}

/// Finds a demand.
///
/// # Errors
/// `Refused` as not found.
fn known<'a>(snapshot: &'a Snapshot, id: &DemandId) -> Result<&'a Demand> {
    snapshot.demands().get(id).map(AsRef::as_ref).ok_or_else(|| {
        CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no demand {id}"),
            "`basin demand list` lists them",
        )
    })
}

impl DemandLine {
    fn of(demand: &Demand, now: DateTime<Utc>) -> Self {
        let decision = demand.decision.as_ref().map(|decision| DecisionLine {
            grant: match &decision.outcome {
                Verdict::Granted(grant) => Some(grant.to_string()),
                Verdict::Refused | Verdict::Ended => None,
            },
            basis: decision.basis.clone(),
            by: decision.by.clone(),
            at: output::moment(decision.at),
        });
        Self {
            id: demand.id.to_string(),
            state: demand.state(now).to_string(),
            dataset: demand.dataset.to_string(),
            by: demand.by.to_string(),
            agency: demand.agency.as_ref().map(ToString::to_string),
            purpose: demand.purpose.clone(),
            reason: demand.reason.clone(),
            items: demand.items.as_ref().map(|items| items.iter().map(ToString::to_string).collect()),
            rows: demand.rows.as_ref().map(ToString::to_string),
            until: demand.until.map(output::moment),
            deadline: demand.deadline.map(output::moment),
            made_at: output::moment(demand.made_at),
            decision,
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(grant) = &self.grant {
            writeln!(f, "grant {grant} given")?;
        }
        write!(f, "demand {} {} (snapshot {})", self.demand, self.outcome, self.snapshot)
    }
}
