//! Who is asking: request metadata and the connection to `Principal`.
//!
//! `Authorization: Basic` is a password or a service token, `Bearer` a session token that this store sealed, a service token
//! or a token of the identity provider; without the header a linked client certificate speaks. All end at the user as the
//! latest snapshot has it, so a removed user, a changed password, a revoked token or link ends access at the next call. It
//! does not decide what the principal may see.

mod attempts;
mod credentials;
mod means;
mod oidc;
mod passwords;
mod peer;
mod token;

use std::sync::Arc;
use std::time::Duration;

use basin_catalog::{Catalog, Principal, ServiceToken, Snapshot, TokenSecret, User, UserName};
use chrono::Utc;
use tonic::metadata::MetadataMap;

use crate::config::ServerConfig;
use crate::error::{Result, ServerError};
use crate::seal::Sealer;
use attempts::{Attempts, Tried};
pub(crate) use credentials::{BasicCredentials, Credentials};
use means::Means;
use oidc::{Provider, Verified};
use passwords::Passwords;
pub(crate) use peer::Peer;

const WRONG: &str = "the user name or the password is wrong";
const MISSING: &str = "sign in: send `Authorization: Basic …` with user and password, or `Bearer …` with a token, or \
                       connect with a client certificate that is linked to a user";
const ENDED: &str = "the token has expired or is not valid here; sign in again or get a new token";
const TWO_USERS: &str =
    "the authorization header and the client certificate name different users; send one of them";

/// A caller that proved who it is.
#[derive(Debug)]
pub(crate) struct Identity {
    user: Arc<User>,
    means: Means,
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

/// Credentials, once it is known of which kind they are.
enum Shown {
    Password(BasicCredentials),
    /// A service token, with the user's name when one is sent beside it.
    ServiceToken(TokenSecret, Option<String>),
    Session(String),
    Provider(Verified),
}

/// Checks who is asking.
#[derive(Debug)]
pub(crate) struct Authenticator {
    catalog: Catalog,
    sealer: Sealer,
    passwords: Passwords,
    attempts: Attempts,
    /// What a secret without its token is compared with.
    decoy: ServiceToken,
    provider: Option<Provider>,
    token_lifetime: Duration,
}

impl Authenticator {
    /// Gets ready to check callers, and fetches the identity provider's keys when there is one.
    ///
    /// # Errors
    /// `Config` or `File` when a file of keys is not usable. Keys at an address may come later.
    pub(crate) async fn new(catalog: Catalog, sealer: Sealer, config: &ServerConfig) -> Result<Self> {
        let provider = match &config.oidc {
            Some(oidc) => Some(Provider::start(oidc).await?),
            None => None,
        };
        Ok(Self {
            catalog,
            sealer,
            passwords: Passwords::new(),
            attempts: Attempts::default(),
            decoy: decoy(),
            provider,
            token_lifetime: config.token_lifetime,
        })
    }

    /// Checks the credentials in the metadata of a call, or else the connection's certificate.
    ///
    /// # Errors
    /// `Unauthenticated` when there are none or they don't hold, `TooManyAttempts`, `IdentityProvider`, or the catalog's.
    pub(crate) async fn identify(&self, metadata: &MetadataMap, peer: &Peer) -> Result<Identity> {
        match Credentials::from_metadata(metadata)? {
            Some(credentials) => self.check(credentials, peer).await,
            None => self.check_certificate(peer).await?.ok_or(ServerError::Unauthenticated(MISSING)),
        }
    }

    /// Returns the user whom the connection's certificate stands for.
    ///
    /// # Errors
    /// The catalog's.
    pub(crate) async fn check_certificate(&self, peer: &Peer) -> Result<Option<Identity>> {
        let Some(certificate) = &peer.certificate else { return Ok(None) };
        let snapshot = self.catalog.latest().await?;
        let user = snapshot.certificates().get(certificate).and_then(|name| snapshot.users().get(name));
        let means = Means::Certificate(certificate.clone());
        Ok(user.and_then(|user| standing(&snapshot, Arc::clone(user), means, peer)))
    }

    /// Checks credentials, wherever they came from. A linked certificate may not name somebody else.
    ///
    /// # Errors
    /// As [`Authenticator::identify`].
    pub(crate) async fn check(&self, credentials: Credentials, peer: &Peer) -> Result<Identity> {
        // Keys may have to be fetched for this; the snapshot is taken afterwards.
        let shown = self.recognise(credentials).await?;
        let snapshot = self.catalog.latest().await?;
        let identity = match shown {
            Shown::Password(basic) => self.check_password(&snapshot, basic, peer).await?,
            Shown::ServiceToken(secret, user) => {
                self.check_service_token(&snapshot, &secret, user.as_deref(), peer)?
            }
            Shown::Session(token) => self.check_session(&snapshot, &token, peer)?,
            Shown::Provider(verified) => check_verified(&snapshot, &verified, peer)?,
        };
        let linked = peer.certificate.as_ref().and_then(|shown| snapshot.certificates().get(shown));
        match linked {
            Some(other) if *other != identity.user.name => Err(ServerError::Unauthenticated(TWO_USERS)),
            Some(_) | None => Ok(identity),
        }
    }

    async fn recognise(&self, credentials: Credentials) -> Result<Shown> {
        match credentials {
            Credentials::Basic(basic) => Ok(match basic.password.parse() {
                Ok(secret) => Shown::ServiceToken(secret, Some(basic.user)),
                Err(_) => Shown::Password(basic),
            }),
            Credentials::Bearer(token) => match (token.parse(), &self.provider) {
                (Ok(secret), _) => Ok(Shown::ServiceToken(secret, None)),
                // Neither of our own tokens has a dot, and each of the provider's has two.
                (Err(_), Some(provider)) if token.contains('.') => {
                    let verified = provider.verify(&token).await?;
                    verified.map(Shown::Provider).ok_or(ServerError::Unauthenticated(ENDED))
                }
                (Err(_), Some(_) | None) => Ok(Shown::Session(token)),
            },
        }
    }

    async fn check_password(
        &self,
        snapshot: &Snapshot,
        basic: BasicCredentials,
        peer: &Peer,
    ) -> Result<Identity> {
        let user = find(snapshot, &basic.user);
        let signed_in = |user: Arc<User>| {
            standing(snapshot, user, Means::Password, peer).ok_or(ServerError::Unauthenticated(WRONG))
        };
        if let Some(user) = user.as_ref().filter(|user| self.passwords.remembers(user, &basic)) {
            return signed_in(Arc::clone(user));
        }
        let tried = Tried::Password(basic.user.clone());
        // Looked at inside the slot: parallel guesses are counted one by one.
        let slot = self.passwords.slot().await?;
        self.attempts.admit(&tried, peer.address)?;
        // An unknown user costs the same work as a known one, so that timing doesn't tell them apart.
        let (right, slot) = self.passwords.verify(slot, user.as_ref(), &basic).await?;
        let outcome = match user.filter(|_| right) {
            Some(user) => {
                self.attempts.succeeded(&tried, peer.address);
                self.passwords.remember(&user, &basic);
                signed_in(user)
            }
            None => {
                self.attempts.failed(tried, peer.address);
                Err(ServerError::Unauthenticated(WRONG))
            }
        };
        drop(slot);
        outcome
    }

    /// A secret that fits is let in however many others failed before: nobody can guess one, and programs behind one
    /// address must not be able to lock each other out.
    fn check_service_token(
        &self,
        snapshot: &Snapshot,
        secret: &TokenSecret,
        named: Option<&str>,
        peer: &Peer,
    ) -> Result<Identity> {
        let known = snapshot.tokens().get(secret.id());
        let fits = known.map_or(&self.decoy, AsRef::as_ref).fits(secret);
        let user = known
            .filter(|token| fits && named.is_none_or(|named| named == token.user.as_str()))
            .and_then(|token| snapshot.users().get(&token.user));
        let means = Means::ServiceToken(secret.id().clone());
        if let Some(identity) = user.and_then(|user| standing(snapshot, Arc::clone(user), means, peer)) {
            return Ok(identity);
        }
        self.attempts.admit(&Tried::ServiceToken, peer.address)?;
        self.attempts.failed(Tried::ServiceToken, peer.address);
        // The words are those of any other wrong password or token.
        Err(ServerError::Unauthenticated(if named.is_some() { WRONG } else { ENDED }))
    }

    fn check_session(&self, snapshot: &Snapshot, token: &str, peer: &Peer) -> Result<Identity> {
        let ended = ServerError::Unauthenticated(ENDED);
        let Some(claims) = token::open(&self.sealer, token) else {
            return Err(ended);
        };
        // Without the provider nothing that rests on its word does stand.
        if matches!(claims.means, Means::Provider { .. }) && self.provider.is_none() {
            return Err(ended);
        }
        let user = find(snapshot, &claims.user);
        match user.and_then(|user| standing(snapshot, user, claims.means, peer)) {
            Some(identity) if identity.fingerprint == claims.fingerprint => {
                Ok(Identity { session: claims.session, ..identity })
            }
            Some(_) | None => Err(ended),
        }
    }

    /// Returns a session token for a caller that proved who it is, with the options of its session.
    ///
    /// # Errors
    /// `Internal` when sealing fails.
    pub(crate) fn issue(&self, identity: &Identity, session: Vec<u8>) -> Result<String> {
        let claims = token::Claims {
            user: identity.user(),
            means: identity.means.clone(),
            fingerprint: identity.fingerprint.clone(),
            session,
        };
        token::issue(&self.sealer, claims, self.token_lifetime)
    }
}

/// The claim names a user who exists, whom the provider's tokens may stand for, and whose subject is the one that was linked.
fn check_verified(snapshot: &Snapshot, verified: &Verified, peer: &Peer) -> Result<Identity> {
    let pinned = |user: &User| user.external.as_ref().map(|external| external.subject.clone());
    let user = find(snapshot, &verified.user).filter(|user| match pinned(user) {
        Some(Some(subject)) => verified.subject.as_ref() == Some(&subject),
        Some(None) => true,
        None => false,
    });
    let means = Means::Provider { expires_at: verified.expires_at };
    user.and_then(|user| standing(snapshot, user, means, peer)).ok_or(ServerError::Unauthenticated(ENDED))
}

fn find(snapshot: &Snapshot, name: &str) -> Option<Arc<User>> {
    let name: UserName = name.parse().ok()?;
    snapshot.users().get(&name).map(Arc::clone)
}

fn standing(snapshot: &Snapshot, user: Arc<User>, means: Means, peer: &Peer) -> Option<Identity> {
    let fingerprint = means.fingerprint(snapshot, &user, peer)?;
    Some(Identity { user, means, fingerprint, session: Vec::new() })
}

fn decoy() -> ServiceToken {
    let (secret, now) = (TokenSecret::fresh(), Utc::now());
    ServiceToken {
        id: secret.id().clone(),
        name: String::new(),
        user: UserName::operator(),
        hash: secret.hash(),
        created_at: now,
        expires_at: now,
    }
}

#[cfg(test)]
mod tests;
