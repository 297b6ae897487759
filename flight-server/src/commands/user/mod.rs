//! `basin user`: who may sign in, and by what. What a user may read is decided by the engine's policy from
//! roles, agency and grants.

mod change;
mod link;

use std::collections::BTreeSet;
use std::fmt;

use basin_catalog::{
    Change, ErrorClass, ExternalSignIn, OrganisationCode, PasswordHash, Role, RoleName, Snapshot, User,
    UserName,
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
    /// Change a user's roles, organisation, or by what it signs in
    Set(change::SetArgs),
    /// Remove a user, with its grants, tokens, certificates and sandbox
    Remove(change::RemoveArgs),
    /// Let a client certificate stand for a user
    Link(link::LinkArgs),
    /// Let a client certificate stand for nobody any more
    Unlink(link::UnlinkArgs),
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
    /// No password: the user signs in by tokens of the identity provider (or service tokens, or a certificate)
    #[arg(long, conflicts_with = "password_stdin")]
    external: bool,
    /// Take the provider's tokens only with this subject (their claim `sub`)
    #[arg(long, value_name = "TEXT", requires = "external")]
    subject: Option<String>,
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
    password: bool,
    /// Whether the identity provider's tokens stand for the user, and with which subject only.
    external: bool,
    subject: Option<String>,
    /// SHA-256 of its certificates.
    certificates: Vec<String>,
    /// How many service tokens it has, expired ones too.
    tokens: usize,
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
        UserCommand::Set(args) => change::set(session, args).await,
        UserCommand::Remove(args) => change::remove(session, args).await,
        UserCommand::Link(args) => link::link(session, args).await,
        UserCommand::Unlink(args) => link::unlink(session, args).await,
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
    let password = if args.external {
        None
    } else {
        Some(hash(password::new(&args.name.to_string(), args.password_stdin)?).await?)
    };
    let roles: BTreeSet<RoleName> = args.roles.into_iter().collect();
    let (mut changes, roles_created) = new_roles(&snapshot, &roles);
    let user = args.name.to_string();
    changes.push(Change::PutUser(User {
        name: args.name,
        agency: args.agency,
        roles,
        password,
        external: args.external.then_some(ExternalSignIn { subject: args.subject }),
        created_at: Utc::now(),
    }));
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { user, outcome: "created", roles_created, snapshot })
}

async fn passwd(session: &Session, args: PasswdArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let user = known(&snapshot, &args.name)?;
    let password = Some(hash(password::new(&args.name.to_string(), args.password_stdin)?).await?);
    let change = Change::PutUser(User { password, ..user.clone() });
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

/// Returns a user that exists.
///
/// # Errors
/// `Refused` as not found, naming the commands that help.
pub(super) fn known<'a>(snapshot: &'a Snapshot, name: &UserName) -> Result<&'a User> {
    let user = snapshot.users().get(name).map(AsRef::as_ref);
    user.ok_or_else(|| {
        CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no user {name}"),
            format!("`basin user list` lists them; `basin user add {name}` creates it"),
        )
    })
}

/// Returns the changes that make the roles that don't exist yet, and their names.
fn new_roles(snapshot: &Snapshot, roles: &BTreeSet<RoleName>) -> (Vec<Change>, Vec<String>) {
    let new = roles.iter().filter(|role| !snapshot.roles().contains_key(*role)).cloned();
    let put = |name: RoleName| {
        let text = name.to_string();
        (Change::PutRole(Role { name, description: String::new() }), text)
    };
    new.map(put).unzip()
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
        password: user.password.is_some(),
        external: user.external.is_some(),
        subject: user.external.as_ref().and_then(|external| external.subject.clone()),
        certificates: {
            let links = snapshot.certificates().iter().filter(|(_, owner)| **owner == user.name);
            links.map(|(certificate, _)| certificate.to_string()).collect()
        },
        tokens: snapshot.tokens().values().filter(|token| token.user == user.name).count(),
        created_at: output::moment(user.created_at),
    });
    session.answer(&List(lines.collect()))
}

impl Line {
    fn sign_in(&self) -> String {
        let counted = |count: usize, what: &str| (count > 0).then(|| format!("{what}: {count}"));
        let subject = self.subject.as_ref().map_or(String::new(), |subject| format!(" ({subject})"));
        let ways = [
            self.password.then(|| "password".to_owned()),
            self.external.then(|| format!("provider{subject}")),
            counted(self.certificates.len(), "certificates"),
            counted(self.tokens, "tokens"),
        ];
        ways.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
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
                line.sign_in(),
                line.created_at.clone(),
            ]
        });
        let header = output::header(&["user", "agency", "roles", "signs in by", "created"]);
        f.write_str(&output::table(&header, rows.collect()))
    }
}
