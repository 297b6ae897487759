//! `basin token`: secrets with which programs sign in for a user. The secret is shown once; the catalog keeps its hash.

use std::fmt;

use basin_catalog::{Change, ErrorClass, ServiceToken, TokenId, TokenSecret, UserName};
use chrono::{TimeDelta, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::{CommandError, Result};
use super::output;
use super::session::{Session, author};
use super::user::known;

/// Ten years: what should live longer should be looked at first.
const MAX_DAYS: i64 = 3650;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for a user and show its secret, once
    Add(AddArgs),
    /// List the tokens, without their secrets
    List,
    /// End a token, with the next call
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The user whom the token stands for
    user: UserName,
    /// What the token is for
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// How many days it is good for
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=MAX_DAYS))]
    days: i64,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The token's id, as `basin token list` shows it
    id: TokenId,
}

/// A new token: the only place where its secret is written.
#[derive(Serialize)]
struct Made {
    token: String,
    id: String,
    user: String,
    name: String,
    expires_at: String,
    snapshot: u64,
}

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    user: String,
    name: String,
    created_at: String,
    expires_at: String,
    expired: bool,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Line>);

#[derive(Debug, Serialize)]
struct Revoked {
    token: String,
    user: String,
    snapshot: u64,
}

pub(crate) async fn run(session: &Session, command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Add(args) => add(session, args).await,
        TokenCommand::List => list(session).await,
        TokenCommand::Revoke(args) => revoke(session, args).await,
    }
}

async fn add(session: &Session, args: AddArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    known(&snapshot, &args.user)?;
    let (secret, now) = (TokenSecret::fresh(), Utc::now());
    let token = ServiceToken {
        id: secret.id().clone(),
        name: args.name,
        user: args.user,
        hash: secret.hash(),
        created_at: now,
        expires_at: now + TimeDelta::days(args.days),
    };
    let mut made = Made {
        token: secret.reveal(),
        id: token.id.to_string(),
        user: token.user.to_string(),
        name: token.name.clone(),
        expires_at: output::moment(token.expires_at),
        snapshot: 0,
    };
    made.snapshot = catalog.commit(&snapshot, &author(), vec![Change::PutToken(token)]).await?.id().0;
    // On stdout is the secret and nothing else, so that it can go straight to where it is kept.
    if !session.json() {
        output::note(format!(
            "token {} of user {} until {} (snapshot {}); keep it now, it is not shown again",
            made.id, made.user, made.expires_at, made.snapshot
        ));
    }
    session.answer(&made)
}

async fn revoke(session: &Session, args: RevokeArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let Some(token) = snapshot.tokens().get(&args.id) else {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("there is no token {}", args.id),
            "`basin token list` lists them; it takes the id, never the secret",
        ));
    };
    let (token, user) = (token.id.to_string(), token.user.to_string());
    let changes = vec![Change::RevokeToken(args.id)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Revoked { token, user, snapshot })
}

async fn list(session: &Session) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let now = Utc::now();
    let lines = snapshot.tokens().values().map(|token| Line {
        id: token.id.to_string(),
        user: token.user.to_string(),
        name: token.name.clone(),
        created_at: output::moment(token.created_at),
        expires_at: output::moment(token.expires_at),
        expired: token.expires_at <= now,
    });
    session.answer(&List(lines.collect()))
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} of user {} revoked (snapshot {})", self.token, self.user, self.snapshot)
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            let state = if line.expired { "expired" } else { "good" };
            let fields = [&line.id, &line.user, &line.name, &line.created_at, &line.expires_at];
            fields.into_iter().cloned().chain([state.to_owned()]).collect()
        });
        let header = output::header(&["token", "user", "name", "created", "expires", "state"]);
        f.write_str(&output::table(&header, rows.collect()))
    }
}
