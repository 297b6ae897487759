//! Who is asking: request metadata to `Principal`.
//!
//! `Authorization: Basic` is checked against the catalog's users, `Bearer` is a token that this
//! store sealed. Both end at the user as the latest snapshot has it, so a removed user or a changed
//! password ends access at the next call. It does not decide what the principal may see.

mod attempts;
mod credentials;
mod passwords;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use basin_catalog::{Catalog, Digest, Principal, Snapshot, User};
use tonic::metadata::MetadataMap;

use crate::error::{Result, ServerError};
use crate::seal::Sealer;
use attempts::Attempts;
pub(crate) use credentials::{BasicCredentials, Credentials};
use passwords::Passwords;

const WRONG: &str = "the user name or the password is wrong";
const MISSING: &str = "sign in: send `Authorization: Basic …` with user and password, or `Bearer …` \
                       with the token that Handshake returned";
const ENDED: &str = "the token has expired or is not valid here; sign in again with user and password";

/// A caller that proved who it is.
#[derive(Debug)]
pub(crate) struct Identity {
    user: Arc<User>,
    fingerprint: String,
    session: Vec<u8>,
}

impl Identity {
    /// Returns the principal, with the purpose that the session states.
    pub(crate) fn principal(&self, purpose: Option<String>) -> Principal {
        Principal::of(&self.user, purpose)
    }

    /// Returns the name of the user.
    pub(crate) fn user(&self) -> String {
        self.user.name.to_string()
    }

    /// Returns the session's options as the token has them; empty without a token.
    pub(crate) fn session(&self) -> &[u8] {
        &self.session
    }
}

/// Checks who is asking.
#[derive(Debug)]
pub(crate) struct Authenticator {
    catalog: Catalog,
    sealer: Sealer,
    passwords: Passwords,
    attempts: Attempts,
    token_lifetime: std::time::Duration,
}

impl Authenticator {
    pub(crate) fn new(catalog: Catalog, sealer: Sealer, token_lifetime: std::time::Duration) -> Self {
        Self { catalog, sealer, passwords: Passwords::new(), attempts: Attempts::default(), token_lifetime }
    }

    /// Checks the credentials in the metadata of a call.
    ///
    /// # Errors
    /// `Unauthenticated` when there are none or they don't hold, `TooManyAttempts`, or the catalog's.
    pub(crate) async fn identify(&self, metadata: &MetadataMap, peer: Option<IpAddr>) -> Result<Identity> {
        match Credentials::from_metadata(metadata)? {
            Some(credentials) => self.check(credentials, peer).await,
            None => Err(ServerError::Unauthenticated(MISSING)),
        }
    }

    /// Checks credentials, wherever they came from.
    ///
    /// # Errors
    /// As [`Authenticator::identify`].
    pub(crate) async fn check(&self, credentials: Credentials, peer: Option<IpAddr>) -> Result<Identity> {
        let snapshot = self.catalog.latest().await?;
        match credentials {
            Credentials::Basic(basic) => self.check_password(&snapshot, basic, peer).await,
            Credentials::Bearer(token) => self.check_token(&snapshot, &token),
        }
    }

    async fn check_password(
        &self,
        snapshot: &Snapshot,
        basic: BasicCredentials,
        peer: Option<IpAddr>,
    ) -> Result<Identity> {
        let user = find(snapshot, &basic.user);
        if let Some(user) = user.as_ref().filter(|user| self.passwords.remembers(user, &basic)) {
            return Ok(identity(Arc::clone(user)));
        }
        // Looked at inside the slot: parallel guesses are counted one by one.
        let slot = self.passwords.slot().await?;
        self.attempts.admit(&basic.user, peer)?;
        // An unknown user costs the same work as a known one, so that timing doesn't tell them apart.
        let (right, slot) = self.passwords.verify(slot, user.as_ref(), &basic).await?;
        let outcome = self.record(user.filter(|_| right), &basic, peer);
        drop(slot);
        outcome
    }

    fn record(
        &self,
        user: Option<Arc<User>>,
        basic: &BasicCredentials,
        peer: Option<IpAddr>,
    ) -> Result<Identity> {
        match user {
            Some(user) => {
                self.attempts.succeeded(&basic.user, peer);
                self.passwords.remember(&user, basic);
                Ok(identity(user))
            }
            None => {
                self.attempts.failed(&basic.user, peer);
                Err(ServerError::Unauthenticated(WRONG))
            }
        }
    }

    fn check_token(&self, snapshot: &Snapshot, token: &str) -> Result<Identity> {
        let ended = ServerError::Unauthenticated(ENDED);
        let Some(claims) = token::open(&self.sealer, token) else {
            return Err(ended);
        };
        match find(snapshot, &claims.user).map(identity) {
            Some(identity) if identity.fingerprint == claims.content.fingerprint => {
                Ok(Identity { session: claims.content.session, ..identity })
            }
            Some(_) | None => Err(ended),
        }
    }

    /// Returns a bearer token for a caller that proved who it is, with the options of its session.
    ///
    /// # Errors
    /// `Internal` when sealing fails.
    pub(crate) fn issue(&self, identity: &Identity, session: Vec<u8>) -> Result<String> {
        let content = token::Content { fingerprint: identity.fingerprint.clone(), session };
        token::issue(&self.sealer, &identity.user(), &content, self.token_lifetime)
    }
}

fn find(snapshot: &Snapshot, name: &str) -> Option<Arc<User>> {
    let name = name.parse().ok()?;
    snapshot.users().get(&name).map(Arc::clone)
}

fn identity(user: Arc<User>) -> Identity {
    Identity { fingerprint: fingerprint(&user), user, session: Vec::new() }
}

/// Returns what changes when the password does, without saying anything about it.
fn fingerprint(user: &User) -> String {
    Digest::of(user.password.as_str().as_bytes()).as_hex().chars().take(16).collect()
}

#[cfg(test)]
mod tests;
