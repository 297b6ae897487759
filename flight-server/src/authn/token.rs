//! Session tokens: the user's name, by what it signed in and the options of its session, sealed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use prost::{Message, Oneof};

use super::means::Means;
use crate::error::Result;
use crate::seal::{Purpose, Sealer};

/// What a token says.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) user: String,
    pub(super) means: Means,
    pub(super) fingerprint: String,
    pub(super) session: Vec<u8>,
}

/// What is sealed beside the user's name.
#[derive(Clone, PartialEq, Message)]
struct Content {
    #[prost(string, tag = "1")]
    fingerprint: String,
    /// The session's options, for clients that keep no cookies; authentication doesn't look at them.
    #[prost(bytes = "vec", tag = "2")]
    session: Vec<u8>,
    #[prost(oneof = "SealedMeans", tags = "3, 4, 5, 6")]
    means: Option<SealedMeans>,
}

#[derive(Clone, PartialEq, Oneof)]
enum SealedMeans {
    #[prost(bool, tag = "3")]
    Password(bool),
    #[prost(string, tag = "4")]
    ServiceToken(String),
    /// Until when the provider's token is good.
    #[prost(int64, tag = "5")]
    Provider(i64),
    #[prost(string, tag = "6")]
    Certificate(String),
}

impl From<&Means> for SealedMeans {
    fn from(means: &Means) -> Self {
        match means {
            Means::Password => Self::Password(true),
            Means::ServiceToken(id) => Self::ServiceToken(id.to_string()),
            Means::Provider { expires_at } => Self::Provider(*expires_at),
            Means::Certificate(certificate) => Self::Certificate(certificate.to_string()),
        }
    }
}

impl SealedMeans {
    fn open(self) -> Option<Means> {
        match self {
            Self::Password(_) => Some(Means::Password),
            Self::ServiceToken(id) => id.parse().ok().map(Means::ServiceToken),
            Self::Provider(expires_at) => Some(Means::Provider { expires_at }),
            Self::Certificate(certificate) => certificate.parse().ok().map(Means::Certificate),
        }
    }
}

/// Issues a token.
///
/// # Errors
/// `Internal` when sealing fails.
pub(super) fn issue(sealer: &Sealer, claims: Claims, lifetime: Duration) -> Result<String> {
    let mut seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    // However often a session is renewed, it does not outlive what the identity provider said.
    if let Means::Provider { expires_at } = claims.means {
        seconds = seconds.min(expires_at.saturating_sub(Utc::now().timestamp()));
    }
    let content = Content {
        fingerprint: claims.fingerprint,
        session: claims.session,
        means: Some(SealedMeans::from(&claims.means)),
    };
    let sealed = sealer.seal_until(Purpose::Token, &claims.user, seconds, &content)?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// Opens a token; `None` when it is forged or its time is over.
pub(super) fn open(sealer: &Sealer, token: &str) -> Option<Claims> {
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let opened = sealer.open::<Content>(Purpose::Token, &sealed).ok()?;
    let Content { fingerprint, session, means } = opened.content;
    Some(Claims { user: opened.user, means: means?.open()?, fingerprint, session })
}
