//! Service tokens: secrets for programs, of which only a hash is kept.
//!
//! A secret has 256 random bits, so a plain SHA-256 keeps it: there is nothing to guess that argon2 would slow down. Whether
//! a token that fits may be used is decided where it is shown.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::error::{CatalogError, Result};
use crate::ids::{Digest, TokenId, UserName};

/// What every token begins with, so that people and scanners of leaked secrets recognise it.
const PREFIX: &str = "basin_";
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// A token as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceToken {
    /// Its name among tokens.
    pub id: TokenId,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// Whom it stands for.
    pub user: UserName,
    /// SHA-256 of the secret.
    pub hash: Digest,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when (not including).
    pub expires_at: DateTime<Utc>,
}

impl ServiceToken {
    /// Whether this is the token's secret, in constant time.
    #[must_use]
    pub fn fits(&self, secret: &TokenSecret) -> bool {
        let same = self.hash.as_hex().as_bytes().ct_eq(secret.hash().as_hex().as_bytes());
        bool::from(same) && self.id == secret.id
    }
}

/// What the holder of a token shows: `basin_` and the base64url of the token's id and of its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret {
    id: TokenId,
    secret: [u8; SECRET_BYTES],
}

impl TokenSecret {
    /// A new one, for a new token.
    #[must_use]
    pub fn fresh() -> Self {
        // The id is in the hands of whoever sees a log: it tells nothing, so it is random and not a time.
        let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        Self { id: TokenId(id), secret: rand::random() }
    }

    /// The token it belongs to.
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// What the catalog keeps of it.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::from_sha256(Sha256::digest(self.secret).into())
    }

    /// The whole text, to be shown once. It is a secret.
    #[must_use]
    pub fn reveal(&self) -> String {
        let bytes = [self.id.0.as_bytes().as_slice(), &self.secret].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for TokenSecret {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        // The text is a secret even when it is malformed, so the error doesn't repeat it.
        let wrong =
            || CatalogError::invalid("service token", "it is not written as `basin token add` shows it");
        let encoded = text.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let mut bytes = [0; ID_BYTES + SECRET_BYTES];
        let read = URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).map_err(|_| wrong())?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>().ok_or_else(wrong)?;
        match rest.first_chunk::<SECRET_BYTES>() {
            Some(secret) if read == bytes.len() => {
                Ok(Self { id: TokenId(Uuid::from_bytes(*id)), secret: *secret })
            }
            Some(_) | None => Err(wrong()),
        }
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSecret({}, …)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn kept(secret: &TokenSecret) -> ServiceToken {
        let now = Utc::now();
        ServiceToken {
            id: secret.id().clone(),
            name: "nightly export".to_owned(),
            user: "ana".parse().unwrap(),
            hash: secret.hash(),
            created_at: now,
            expires_at: now + TimeDelta::days(1),
        }
    }

    #[test]
    fn a_token_fits_its_own_secret_only() {
        let (secret, other) = (TokenSecret::fresh(), TokenSecret::fresh());
        let token = kept(&secret);
        assert!(token.fits(&secret) && !token.fits(&other));
        let spliced = TokenSecret { id: secret.id.clone(), secret: other.secret };
        assert!(!token.fits(&spliced));
        let moved = TokenSecret { id: other.id, secret: secret.secret };
        assert!(!token.fits(&moved));
    }

    #[test]
    fn its_text_is_read_back_and_nothing_else_is() {
        let secret = TokenSecret::fresh();
        let text = secret.reveal();
        assert!(text.starts_with("basin_") && text.len() == 70);
        assert_eq!(text.parse::<TokenSecret>().unwrap(), secret);
        let encoded = text.strip_prefix(PREFIX).unwrap();
        let (longer, other_case) = (format!("{text}AAAA"), format!("BASIN_{encoded}"));
        let shorter: String = text.chars().take(69).collect();
        for wrong in ["", "basin_", "basin_é", encoded, &shorter, &longer, &other_case] {
            let error = wrong.parse::<TokenSecret>().unwrap_err().to_string();
            assert!(!error.contains(encoded), "{error}");
        }
    }

    #[test]
    fn neither_is_shown_by_accident() {
        let secret = TokenSecret::fresh();
        let hidden: String = secret.reveal().chars().skip(30).collect();
        assert!(!format!("{secret:?}").contains(&hidden));
        assert!(!serde_json::to_string(&kept(&secret)).unwrap().contains(&hidden));
    }
}
