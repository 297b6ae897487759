//! `basin user set` and `basin user remove`: what a user is, and that there is no such user any more.

use basin_catalog::{Change, ExternalSignIn, OrganisationCode, RoleName, UserName};
use clap::{ArgGroup, Args};

use super::{Done, known, new_roles, require_organisation};
use crate::commands::error::Result;
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true)))]
pub(crate) struct SetArgs {
    /// The user
    name: UserName,
    /// The roles from now on, instead of those of before; may be repeated
    #[arg(long = "role", value_name = "ROLE", conflicts_with = "no_roles", group = "change")]
    roles: Vec<RoleName>,
    /// No roles from now on
    #[arg(long, group = "change")]
    no_roles: bool,
    /// The organisation the user works for from now on
    #[arg(long, value_name = "CODE", conflicts_with = "no_agency", group = "change")]
    agency: Option<OrganisationCode>,
    /// No organisation from now on
    #[arg(long, group = "change")]
    no_agency: bool,
    /// Take tokens of the identity provider for this user
    #[arg(long, group = "change")]
    external: bool,
    /// Take them only with this subject (their claim `sub`)
    #[arg(long, value_name = "TEXT", requires = "external", group = "change")]
    subject: Option<String>,
    /// Take no tokens of the identity provider for this user
    #[arg(long, conflicts_with = "external", group = "change")]
    no_external: bool,
    /// Let no password sign in from now on
    #[arg(long, group = "change")]
    no_password: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The user
    name: UserName,
}

pub(super) async fn set(session: &Session, args: SetArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let mut user = known(&snapshot, &args.name)?.clone();
    if let Some(agency) = args.agency {
        require_organisation(&snapshot, &agency)?;
        user.agency = Some(agency);
    } else if args.no_agency {
        user.agency = None;
    }
    if args.no_roles || !args.roles.is_empty() {
        user.roles = args.roles.into_iter().collect();
    }
    if args.external {
        user.external = Some(ExternalSignIn { subject: args.subject });
    } else if args.no_external {
        user.external = None;
    }
    if args.no_password {
        user.password = None;
    }
    let (mut changes, roles_created) = new_roles(&snapshot, &user.roles);
    let name = user.name.to_string();
    changes.push(Change::PutUser(user));
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { user: name, outcome: "changed", roles_created, snapshot })
}

pub(super) async fn remove(session: &Session, args: RemoveArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    known(&snapshot, &args.name)?;
    let user = args.name.to_string();
    let changes = vec![Change::RemoveUser(args.name)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    let outcome = "removed, with its grants, tokens, certificates and sandbox";
    session.answer(&Done { user, outcome, roles_created: vec![], snapshot })
}
