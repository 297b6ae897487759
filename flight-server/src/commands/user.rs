//! `basin user`: who may sign in. What a user may read is decided by the engine's policy from
//! roles, agency and grants.

use std::collections::BTreeSet;
use std::fmt;

use basin_catalog::{
    Change, ErrorClass, OrganisationCode, PasswordHash, Role, RoleName, Snapshot, User, UserName,
};
use chrono::Utc;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::{CommandError, Result};
use super::session::{Session, author};
use super::{output, password};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user (password from BASIN_PASSWORD, stdin or the terminal)
    Add(AddArgs),
    /// Set a user's password
    Passwd(PasswdArgs),
    /// List the users
    List,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The name to sign in with
    name: UserName,
    /// A role of the user; may be repeated ("admin" always exists, others are made)
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<RoleName>,
    /// The organisation the user works for
    #[arg(long, value_name = "CODE")]
    agency: Option<OrganisationCode>,
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PasswdArgs {
    /// The user
    name: UserName,
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

/// One user as it is listed; the password's hash stays where it is.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    agency: Option<String>,
    roles: Vec<String>,
    created_at: String,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Line>);

#[derive(Debug, Serialize)]
struct Done {
    user: String,
    outcome: &'static str,
    roles_created: Vec<String>,
    snapshot: u64,
}

pub(crate) async fn run(session: &Session, command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Add(args) => add(session, args).await,
        UserCommand::Passwd(args) => passwd(session, args).await,
        UserCommand::List => list(session).await,
    }
}

async fn add(session: &Session, args: AddArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    if snapshot.users().contains_key(&args.name) {
        return Err(CommandError::refused_with(
            ErrorClass::Conflict,
            format!("user {} exists already", args.name),
            format!("set a new password with `basin user passwd {}`", args.name),
        ));
    }
    if let Some(agency) = &args.agency {
        require_organisation(&snapshot, agency)?;
    }
    let password = hash(password::new(&args.name.to_string(), args.password_stdin)?).await?;
    let roles: BTreeSet<RoleName> = args.roles.into_iter().collect();
    let new_roles: Vec<RoleName> =
        roles.iter().filter(|role| !snapshot.roles().contains_key(*role)).cloned().collect();
    let roles_created = new_roles.iter().map(ToString::to_string).collect();
    let mut changes: Vec<Change> = new_roles
        .into_iter()
        .map(|name| Change::PutRole(Role { name, description: String::new() }))
        .collect();
    let user = args.name.to_string();
    changes.push(Change::PutUser(User {
        name: args.name,
        agency: args.agency,
        roles,
        password,
        created_at: Utc::now(),
    }));
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { user, outcome: "created", roles_created, snapshot })
}

async fn passwd(session: &Session, args: PasswdArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let Some(user) = snapshot.users().get(&args.name) else {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no user {}", args.name),
            format!("`basin user list` lists them; `basin user add {}` creates it", args.name),
        ));
    };
    let password = hash(password::new(&args.name.to_string(), args.password_stdin)?).await?;
    let change = Change::PutUser(User { password, ..user.as_ref().clone() });
    let snapshot = catalog.commit(&snapshot, &author(), vec![change]).await?.id().0;
    let user = args.name.to_string();
    session.answer(&Done { user, outcome: "given a new password", roles_created: vec![], snapshot })
}

/// Hashes a password away from the I/O threads: it takes its time by design.
pub(crate) async fn hash(password: String) -> Result<PasswordHash> {
    match tokio::task::spawn_blocking(move || PasswordHash::create(&password)).await {
        Ok(hash) => Ok(hash?),
        Err(_) => Err(CommandError::refused(ErrorClass::Internal, "hashing the password failed")),
    }
}

/// Checks that an organisation is recorded.
///
/// # Errors
/// `Refused` as not found, naming the command that records it.
pub(crate) fn require_organisation(snapshot: &Snapshot, code: &OrganisationCode) -> Result<()> {
    if snapshot.organisations().contains_key(code) {
        return Ok(());
    }
    Err(CommandError::refused_with(
        ErrorClass::NotFound,
        format!("there is no organisation {code}"),
        format!("record it first: basin org put {code} --name-zh NAME --name-en NAME"),
    ))
}

async fn list(session: &Session) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let lines = snapshot.users().values().map(|user| Line {
        name: user.name.to_string(),
        agency: user.agency.as_ref().map(ToString::to_string),
        roles: user.roles.iter().map(ToString::to_string).collect(),
        created_at: output::moment(user.created_at),
    });
    session.answer(&List(lines.collect()))
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for role in &self.roles_created {
            writeln!(f, "role {role} created")?;
        }
        write!(f, "user {} {} (snapshot {})", self.user, self.outcome, self.snapshot)
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            vec![
                line.name.clone(),
                line.agency.clone().unwrap_or_default(),
                line.roles.join(", "),
                line.created_at.clone(),
            ]
        });
        let header = output::header(&["user", "agency", "roles", "created"]);
        f.write_str(&output::table(&header, rows.collect()))
    }
}
