//! `basin grant`: who may read a dataset that is not shared with everyone, for which purpose, from
//! when to when, and on what basis.

use std::fmt;

use basin_catalog::{
    Change, DatasetName, ErrorClass, Grant, GrantId, Grantee, OrganisationCode, RoleName, Snapshot, UserName,
};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::{CommandError, Result};
use super::moment::moment;
use super::output;
use super::session::{Session, author};
use super::user::require_organisation;

#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// Allow a user, a role or an organisation's users to read a dataset
    Add(AddArgs),
    /// Take a grant back; it ends with the next call
    Revoke(RevokeArgs),
    /// List the grants
    List,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The dataset that may be read
    dataset: DatasetName,
    #[command(flatten)]
    to: To,
    /// Why the grant is given: the law, agreement or request it rests on
    #[arg(long, value_name = "TEXT")]
    basis: String,
    /// The purpose a session must state; without it any purpose will do
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// First moment (RFC 3339 or a date, UTC) [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// Last moment (RFC 3339 or a date, UTC) [default: none]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct To {
    /// The user who may
    #[arg(long, value_name = "USER")]
    user: Option<UserName>,
    /// The role whose users may
    #[arg(long, value_name = "ROLE")]
    role: Option<RoleName>,
    /// The organisation whose users may
    #[arg(long, value_name = "CODE")]
    agency: Option<OrganisationCode>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The grant's id, as `basin grant list` shows it
    id: GrantId,
}

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    dataset: String,
    to: String,
    purpose: Option<String>,
    not_before: String,
    not_after: Option<String>,
    basis: String,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Line>);

#[derive(Debug, Serialize)]
struct Done {
    grant: String,
    outcome: &'static str,
    snapshot: u64,
}

pub(crate) async fn run(session: &Session, command: GrantCommand) -> Result<()> {
    match command {
        GrantCommand::Add(args) => add(session, args).await,
        GrantCommand::Revoke(args) => revoke(session, args).await,
        GrantCommand::List => list(session).await,
    }
}

async fn add(session: &Session, args: AddArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    snapshot.dataset(&args.dataset)?;
    let not_before = args.from.unwrap_or_else(Utc::now);
    if args.until.is_some_and(|until| until <= not_before) {
        return Err(CommandError::refused(
            ErrorClass::InvalidInput,
            "the grant would end before it begins: --until must lie after --from",
        ));
    }
    let grant = Grant {
        id: GrantId::fresh(),
        to: grantee(&snapshot, args.to)?,
        dataset: args.dataset,
        purpose: args.purpose,
        not_before,
        not_after: args.until,
        basis: args.basis,
        items: None,
        rows: None,
        unmasked: std::collections::BTreeSet::new(),
        exact: false,
    };
    let id = grant.id.to_string();
    let snapshot = catalog.commit(&snapshot, &author(), vec![Change::PutGrant(grant)]).await?.id().0;
    session.answer(&Done { grant: id, outcome: "given", snapshot })
}

fn grantee(snapshot: &Snapshot, to: To) -> Result<Grantee> {
    let absent = |what: String, hint: &str| {
        CommandError::refused_with(ErrorClass::NotFound, format!("there is no {what}"), hint)
    };
    match (to.user, to.role, to.agency) {
        (Some(user), None, None) if snapshot.users().contains_key(&user) => Ok(Grantee::User(user)),
        (Some(user), None, None) => Err(absent(format!("user {user}"), "`basin user list` lists the users")),
        (None, Some(role), None) if snapshot.roles().contains_key(&role) => Ok(Grantee::Role(role)),
        (None, Some(role), None) => Err(absent(
            format!("role {role}"),
            "a role is made with its first user: basin user add NAME --role ROLE",
        )),
        (None, None, Some(agency)) => {
            require_organisation(snapshot, &agency)?;
            Ok(Grantee::Agency(agency))
        }
        _ => Err(CommandError::usage(
            "the grant is for nobody, or for several",
            "give exactly one of --user, --role, --agency",
        )),
    }
}

async fn revoke(session: &Session, args: RevokeArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    if !snapshot.grants().contains_key(&args.id) {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no grant {}", args.id),
            "`basin grant list` lists the grants that stand",
        ));
    }
    let id = args.id.to_string();
    let changes = vec![Change::RevokeGrant(args.id)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { grant: id, outcome: "revoked", snapshot })
}

async fn list(session: &Session) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let lines = snapshot.grants().values().map(|grant| Line {
        id: grant.id.to_string(),
        dataset: grant.dataset.to_string(),
        to: match &grant.to {
            Grantee::User(user) => format!("user {user}"),
            Grantee::Role(role) => format!("role {role}"),
            Grantee::Agency(code) => format!("agency {code}"),
        },
        purpose: grant.purpose.clone(),
        not_before: output::moment(grant.not_before),
        not_after: grant.not_after.map(output::moment),
        basis: grant.basis.clone(),
    });
    session.answer(&List(lines.collect()))
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grant {} {} (snapshot {})", self.grant, self.outcome, self.snapshot)
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            vec![
                line.id.clone(),
                line.dataset.clone(),
                line.to.clone(),
                line.purpose.clone().unwrap_or_default(),
                line.not_before.clone(),
                line.not_after.clone().unwrap_or_default(),
                line.basis.clone(),
            ]
        });
        let names = ["grant", "dataset", "to", "purpose", "from", "until", "basis"];
        f.write_str(&output::table(&output::header(&names), rows.collect()))
    }
}
