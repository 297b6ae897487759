//! Parsing of `Authorization`, and of the payload that older clients send in Handshake.

use arrow_flight::BasicAuth;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use prost::Message;
use tonic::metadata::MetadataMap;

use crate::error::{Result, ServerError};

pub(super) const MALFORMED: &str = "the authorization header can't be read: it must be one, `Basic` with the base64 of \
                                    `user:password`, or `Bearer` with a token";

/// A user name and a password, as sent.
pub(crate) struct BasicCredentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BasicCredentials({})", self.user)
    }
}

/// What a caller shows.
pub(crate) enum Credentials {
    /// User and password.
    Basic(BasicCredentials),
    /// A token.
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Basic(basic) => basic.fmt(f),
            Self::Bearer(_) => f.write_str("Bearer(<token>)"),
        }
    }
}

impl Credentials {
    /// Reads the authorization header, when there is one.
    ///
    /// # Errors
    /// `Unauthenticated` when it can't be read.
    ///
    /// Source: RFC 7617 (Basic), RFC 6750 (Bearer); the scheme is case-insensitive.
    pub(crate) fn from_metadata(metadata: &MetadataMap) -> Result<Option<Self>> {
        let malformed = || ServerError::Unauthenticated(MALFORMED);
        let mut values = metadata.get_all("authorization").iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        // Clients that send it twice mean one; of two that differ, a proxy may have looked at the other.
        if values.any(|other| other != value) {
            return Err(malformed());
        }
        let text = value.to_str().map_err(|_| malformed())?;
        let (scheme, rest) = text.trim().split_once(' ').ok_or_else(malformed)?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Some(Self::Bearer(rest.to_owned())));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(malformed());
        }
        let decoded =
            STANDARD.decode(rest).or_else(|_| STANDARD_NO_PAD.decode(rest)).map_err(|_| malformed())?;
        let text = String::from_utf8(decoded).map_err(|_| malformed())?;
        let (user, password) = text.split_once(':').ok_or_else(malformed)?;
        Ok(Some(Self::basic(user, password)))
    }

    /// Reads a Handshake payload: `BasicAuth`, when there is a user in it.
    pub(crate) fn from_payload(payload: &[u8]) -> Option<Self> {
        let auth = BasicAuth::decode(payload).ok()?;
        (!auth.username.is_empty()).then(|| Self::basic(&auth.username, &auth.password))
    }

    fn basic(user: &str, password: &str) -> Self {
        Self::Basic(BasicCredentials { user: user.to_owned(), password: password.to_owned() })
    }
}
