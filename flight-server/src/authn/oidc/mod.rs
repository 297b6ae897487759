//! Tokens of an identity provider: JWTs (RFC 7519) whose signature, issuer, audience and times hold.
//!
//! What a token proves is a name and a subject at the provider. Whether they stand for a user of the catalog is decided by
//! the caller. Headers of a token choose among the provider's keys and never bring their own (RFC 8725, 3.10).

mod fetch;
mod keyring;
mod keys;
mod signature;

use chrono::Utc;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::{OidcConfig, TokenAlgorithm};
use crate::error::{Result, ServerError};
use keyring::Keyring;
use keys::Choice;

const NO_KEYS: &str =
    "the identity provider's keys can't be had at the moment; try again, or sign in with a password";

/// Longer ones are no token of any provider; gRPC headers end not far above.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The types of tokens that say who is asking; others, such as logout tokens, are signed by the same keys.
/// Source: RFC 7519, 5.1; RFC 9068, 2.1; RFC 7515, 4.1.9 on the prefix.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// What a token proved.
#[derive(Debug)]
pub(super) struct Verified {
    /// The value of the claim that names the user.
    pub(super) user: String,
    /// The subject, when there is one.
    pub(super) subject: Option<String>,
    /// Units: seconds since 1970.
    pub(super) expires_at: i64,
}

/// The claims that are looked at.
#[derive(Debug, Deserialize)]
struct Claims {
    /// One text: the library would take a list with the issuer in it.
    #[serde(rename = "iss")]
    _issuer: String,
    #[serde(default)]
    sub: Option<String>,
    exp: f64,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// An identity provider whose tokens are taken.
#[derive(Debug)]
pub(super) struct Provider {
    keyring: Keyring,
    algorithms: Vec<TokenAlgorithm>,
    validation: Validation,
    user_claim: String,
}

impl Provider {
    /// Fetches the provider's keys and goes on fetching them for as long as this lives.
    ///
    /// # Errors
    /// `Config` or `File` when a file of keys is not usable. Keys at an address may come later.
    pub(super) async fn start(config: &OidcConfig) -> Result<Self> {
        signature::install();
        let keyring = Keyring::start(config).await?;
        let mut validation = Validation::default();
        validation.algorithms.clear();
        validation.leeway = config.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        Ok(Self {
            keyring,
            algorithms: config.algorithms.clone(),
            validation,
            user_claim: config.user_claim.clone(),
        })
    }

    /// Returns what a token proves; none when it proves nothing.
    ///
    /// # Errors
    /// `IdentityProvider` when there are no keys to check it with.
    pub(super) async fn verify(&self, token: &str) -> Result<Option<Verified>> {
        let Some((id, algorithm)) = self.header(token) else { return refused("its form or header") };
        let id = id.as_deref();
        let keys = match self.keyring.current() {
            Some(keys) => keys,
            None => self.keyring.refreshed().await.ok_or_else(no_keys)?,
        };
        let keys = match keys.choose(id, algorithm) {
            Choice::Unknown => self.keyring.refreshed().await.ok_or_else(no_keys)?,
            Choice::Key(_) | Choice::None => keys,
        };
        match keys.choose(id, algorithm) {
            Choice::Key(key) => self.check(token, algorithm, key),
            Choice::Unknown | Choice::None => refused("no key of the provider is meant"),
        }
    }

    /// Returns the key and the pinned algorithm that the header of a signed token names.
    fn header(&self, token: &str) -> Option<(Option<String>, TokenAlgorithm)> {
        let parts: Vec<&str> = token.split('.').take(4).collect();
        let plain = |part: &&str| !part.is_empty();
        if token.len() > MAX_TOKEN_BYTES || parts.len() != 3 || !parts.iter().all(plain) {
            return None;
        }
        let header = decode_header(token).ok()?;
        let known_type = header.typ.as_ref().is_none_or(|written| {
            let written = written.to_ascii_lowercase();
            TYPES.contains(&written.strip_prefix("application/").unwrap_or(&written))
        });
        // Whatever is critical would have to be understood, and Basin knows no extension (RFC 7515, 4.1.11).
        let plain = header.crit.is_none() && header.enc.is_none() && header.zip.is_none();
        let algorithm = TokenAlgorithm::named(header.alg).filter(|named| self.algorithms.contains(named))?;
        (known_type && plain).then_some((header.kid, algorithm))
    }

    fn check(&self, token: &str, algorithm: TokenAlgorithm, key: &DecodingKey) -> Result<Option<Verified>> {
        let validation = Validation { algorithms: vec![algorithm.into()], ..self.validation.clone() };
        let claims = match decode::<Claims>(token, key, &validation) {
            Ok(decoded) => decoded.claims,
            Err(error) => return refused(&reason(&error)),
        };
        let latest = Utc::now().timestamp().saturating_add(i64::try_from(validation.leeway).unwrap_or(0));
        if claims.iat.is_some_and(|issued_at| issued_at > latest as f64) {
            return refused("it was issued in the future");
        }
        let user = match (self.user_claim.as_str(), &claims.sub) {
            ("sub", subject) => subject.clone(),
            (claim, _) => claims.others.get(claim).and_then(Value::as_str).map(ToOwned::to_owned),
        };
        let Some(user) = user else { return refused("the claim that names the user is missing or no text") };
        Ok(Some(Verified { user, subject: claims.sub, expires_at: claims.exp as i64 }))
    }
}

/// Says in the log why; the caller hears what every other wrong token hears.
fn refused(reason: &str) -> Result<Option<Verified>> {
    tracing::info!(reason, "identity token refused");
    Ok(None)
}

/// What the log may say: never what stands in the token.
fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::Base64(_) => {
            "its claims can't be read".to_owned()
        }
        _ => error.to_string(),
    }
}

fn no_keys() -> ServerError {
    ServerError::IdentityProvider { what: NO_KEYS, source: None }
}
