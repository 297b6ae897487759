//! `basin grant`: who may read which part of a dataset, for which purpose, from when to when, and on
//! what basis. What a grant means for a query is decided by the engine's policy.

mod add;
mod list;
mod show;

use std::fmt;

use basin_catalog::{Change, ErrorClass, Grant, GrantId, Snapshot};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::{CommandError, Result};
use super::session::{Session, author};
use super::{output, words};

pub(super) use add::some;

#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// Allow a user, a role or an organisation's users to read a dataset, or part of it
    Add(Box<add::AddArgs>),
    /// Take a grant back; it ends with the next call
    Revoke(GrantArgs),
    /// List the grants
    List(list::ListArgs),
    /// Show one grant
    Show(GrantArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The grant's id, as `basin grant list` shows it
    id: GrantId,
}

/// A grant as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct GrantLine {
    pub(super) id: String,
    pub(super) dataset: String,
    pub(super) to: String,
    pub(super) purpose: Option<String>,
    pub(super) items: Option<Vec<String>>,
    pub(super) rows: Option<String>,
    pub(super) unmasked: Vec<String>,
    pub(super) exact: bool,
    pub(super) not_before: String,
    pub(super) not_after: Option<String>,
    pub(super) in_force: bool,
    pub(super) basis: String,
    #[serde(skip)]
    pub(super) reads: String,
}

#[derive(Debug, Serialize)]
struct Done {
    grant: String,
    outcome: &'static str,
    snapshot: u64,
}

pub(crate) async fn run(session: &Session, command: GrantCommand) -> Result<()> {
    match command {
        GrantCommand::Add(args) => add::run(session, *args).await,
        GrantCommand::Revoke(args) => revoke(session, args).await,
        GrantCommand::List(args) => list::run(session, args).await,
        GrantCommand::Show(args) => show::run(session, args).await,
    }
}

impl GrantLine {
    pub(super) fn of(grant: &Grant, now: DateTime<Utc>) -> Self {
        Self {
            id: grant.id.to_string(),
            dataset: grant.dataset.to_string(),
            to: words::grantee(&grant.to),
            purpose: grant.purpose.clone(),
            items: grant.items.as_ref().map(|items| items.iter().map(ToString::to_string).collect()),
            rows: grant.rows.as_ref().map(ToString::to_string),
            unmasked: grant.unmasked.iter().map(ToString::to_string).collect(),
            exact: grant.exact,
            not_before: output::moment(grant.not_before),
            not_after: grant.not_after.map(output::moment),
            in_force: grant.not_before <= now && grant.not_after.is_none_or(|end| now < end),
            basis: grant.basis.clone(),
            reads: words::reads(grant),
        }
    }
}

/// Finds a grant.
///
/// # Errors
/// `Refused` as not found.
fn known<'a>(snapshot: &'a Snapshot, id: &GrantId) -> Result<&'a Grant> {
    snapshot.grants().get(id).map(AsRef::as_ref).ok_or_else(|| {
        CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no grant {id}"),
            "`basin grant list` lists the grants that stand",
        )
    })
}

async fn revoke(session: &Session, args: GrantArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    known(&snapshot, &args.id)?;
    let id = args.id.to_string();
    let changes = vec![Change::RevokeGrant(args.id)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { grant: id, outcome: "revoked", snapshot })
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grant {} {} (snapshot {})", self.grant, self.outcome, self.snapshot)
    }
}
