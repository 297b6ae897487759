//! `basin grant list`: the grants, all or those of a dataset or for somebody.

use std::fmt;

use basin_catalog::{
    DatasetName, ErrorClass, Grant, Grantee, OrganisationCode, RoleName, Snapshot, UserName,
};
use chrono::Utc;
use clap::Args;
use serde::Serialize;

use super::GrantLine;
use crate::commands::error::{CommandError, Result};
use crate::commands::output;
use crate::commands::session::Session;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only grants of this dataset
    #[arg(long, value_name = "DATASET")]
    dataset: Option<DatasetName>,
    /// Only grants that reach this user: its own, its roles' and its organisation's
    #[arg(long, value_name = "USER")]
    user: Option<UserName>,
    /// Only grants to this role
    #[arg(long, value_name = "ROLE")]
    role: Option<RoleName>,
    /// Only grants to this organisation
    #[arg(long, value_name = "CODE")]
    agency: Option<OrganisationCode>,
    /// Only grants for this purpose
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Only grants that have begun and not ended
    #[arg(long)]
    in_force: bool,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<GrantLine>);

pub(super) async fn run(session: &Session, args: ListArgs) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    if let Some(dataset) = &args.dataset {
        snapshot.dataset(dataset)?;
    }
    let reach = args.user.as_ref().map(|user| reaching(&snapshot, user)).transpose()?;
    let now = Utc::now();
    let wanted = |grant: &Grant| {
        args.dataset.as_ref().is_none_or(|dataset| grant.dataset == *dataset)
            && reach.as_ref().is_none_or(|reach| reach.contains(&grant.to))
            && args.role.as_ref().is_none_or(|role| grant.to == Grantee::Role(role.clone()))
            && args.agency.as_ref().is_none_or(|agency| grant.to == Grantee::Agency(agency.clone()))
            && args.purpose.as_ref().is_none_or(|purpose| grant.purpose.as_ref() == Some(purpose))
    };
    let grants = snapshot.grants().values().filter(|grant| wanted(grant));
    let lines = grants.map(|grant| GrantLine::of(grant, now));
    session.answer(&List(lines.filter(|line| line.in_force || !args.in_force).collect()))
}

/// As whom a user can be meant.
fn reaching(snapshot: &Snapshot, name: &UserName) -> Result<Vec<Grantee>> {
    let Some(user) = snapshot.users().get(name) else {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no user {name}"),
            "`basin user list` lists the users",
        ));
    };
    let roles = user.roles.iter().cloned().map(Grantee::Role);
    let agency = user.agency.iter().cloned().map(Grantee::Agency);
    Ok(roles.chain(agency).chain([Grantee::User(name.clone())]).collect())
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            vec![
                line.id.clone(),
                line.dataset.clone(),
                line.to.clone(),
                line.purpose.clone().unwrap_or_default(),
                line.reads.clone(),
                line.not_before.clone(),
                line.not_after.clone().unwrap_or_default(),
                line.basis.clone(),
            ]
        });
        let names = ["grant", "dataset", "to", "purpose", "reads", "from", "until", "basis"];
        f.write_str(&output::table(&output::header(&names), rows.collect()))
    }
}
