//! By what a caller proved who it is, and whether that still stands. A session token remembers it, so that what ends a way
//! to sign in ends the sessions that began with it.

use basin_catalog::{Digest, Snapshot, TokenId, User};
use chrono::Utc;

use super::peer::Peer;

/// What a caller proved who it is by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Means {
    /// The user's password.
    Password,
    /// A service token.
    ServiceToken(TokenId),
    /// A token of an identity provider, which ends at a moment.
    Provider {
        /// Units: seconds since 1970.
        expires_at: i64,
    },
    /// A client certificate.
    Certificate(Digest),
}

impl Means {
    /// Returns what changes when this way to sign in is changed or taken away, without saying anything about it; none when
    /// it doesn't stand for the user now.
    pub(super) fn fingerprint(&self, snapshot: &Snapshot, user: &User, peer: &Peer) -> Option<String> {
        let made_of = match self {
            Self::Password => format!("password {}", user.password.as_ref()?.as_str()),
            Self::ServiceToken(id) => {
                let token = snapshot.tokens().get(id)?;
                let stands = token.user == user.name && Utc::now() < token.expires_at;
                stands.then(|| format!("token {id} {}", token.hash))?
            }
            Self::Provider { .. } => {
                let subject = user.external.as_ref()?.subject.as_deref();
                format!("provider {}", subject.unwrap_or_default())
            }
            // A session that a certificate began is good over connections with this certificate only.
            Self::Certificate(certificate) => {
                let stands = snapshot.certificates().get(certificate) == Some(&user.name)
                    && peer.certificate.as_ref() == Some(certificate);
                stands.then(|| format!("certificate {certificate}"))?
            }
        };
        // A later user of the same name is another user.
        let text = format!("{} {} {made_of}", user.name, user.created_at.timestamp_micros());
        Some(Digest::of(text.as_bytes()).as_hex().chars().take(FINGERPRINT_DIGITS).collect())
    }
}

const FINGERPRINT_DIGITS: usize = 32;
