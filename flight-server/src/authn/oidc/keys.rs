//! The provider's public keys: a JWK set (RFC 7517), of which only what can check the pinned algorithms is kept.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;

use crate::config::TokenAlgorithm;

/// No provider has so many keys; each one is looked at for each token.
const MAX_KEYS: usize = 100;

/// Why a key set can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is no JWK set")]
    Form(#[source] serde_json::Error),
    #[error("it has {0} keys, and {MAX_KEYS} at most are taken")]
    TooMany(usize),
    #[error("none of its keys checks a signature of the algorithms that are allowed")]
    Empty,
}

#[derive(Deserialize)]
struct Written {
    keys: Vec<serde_json::Value>,
}

/// One key, with the pinned algorithms that it may check.
struct Key {
    id: Option<String>,
    algorithms: Vec<TokenAlgorithm>,
    key: DecodingKey,
}

/// The keys of a provider at one time.
pub(super) struct KeySet {
    keys: Vec<Key>,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (&key.id, &key.algorithms))).finish()
    }
}

/// Which key a token means.
pub(super) enum Choice<'a> {
    Key(&'a DecodingKey),
    /// It names one that is not here: it may be new.
    Unknown,
    /// It names none of several, or one that isn't for its algorithm.
    None,
}

impl KeySet {
    /// Reads a key set; keys of other kinds and for other uses are left out.
    ///
    /// # Errors
    /// When it can't be read or nothing in it is of use.
    pub(super) fn parse(text: &[u8], pinned: &[TokenAlgorithm]) -> Result<Self, Unusable> {
        let written: Written = serde_json::from_slice(text).map_err(Unusable::Form)?;
        if written.keys.len() > MAX_KEYS {
            return Err(Unusable::TooMany(written.keys.len()));
        }
        let keys: Vec<Key> = written.keys.into_iter().filter_map(|key| Key::read(key, pinned)).collect();
        if keys.is_empty() { Err(Unusable::Empty) } else { Ok(Self { keys }) }
    }

    /// Chooses the key that a token names. Without a name there must be one key only (OpenID Connect Core, 10.1).
    pub(super) fn choose(&self, id: Option<&str>, algorithm: TokenAlgorithm) -> Choice<'_> {
        let mut named = self.keys.iter().filter(|key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => true,
        });
        match (named.next(), named.next()) {
            (Some(key), None) if key.algorithms.contains(&algorithm) => Choice::Key(&key.key),
            (Some(_), _) => Choice::None,
            (None, _) => Choice::Unknown,
        }
    }
}

impl Key {
    fn read(written: serde_json::Value, pinned: &[TokenAlgorithm]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(written).ok()?;
        let algorithms: Vec<TokenAlgorithm> =
            pinned.iter().copied().filter(|algorithm| checks(&jwk, *algorithm)).collect();
        if algorithms.is_empty() || !is_for_signatures(&jwk) {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

fn is_for_signatures(jwk: &Jwk) -> bool {
    let used = match &jwk.common.public_key_use {
        None | Some(PublicKeyUse::Signature) => true,
        Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
    };
    used && jwk.common.key_operations.as_ref().is_none_or(|allowed| allowed.contains(&KeyOperations::Verify))
}

/// Whether a key's kind, curve and own restriction let it check an algorithm.
fn checks(jwk: &Jwk, algorithm: TokenAlgorithm) -> bool {
    let (restriction, right_kind) = match algorithm {
        TokenAlgorithm::RS256 => (KeyAlgorithm::RS256, is_rsa(jwk)),
        TokenAlgorithm::RS384 => (KeyAlgorithm::RS384, is_rsa(jwk)),
        TokenAlgorithm::RS512 => (KeyAlgorithm::RS512, is_rsa(jwk)),
        TokenAlgorithm::PS256 => (KeyAlgorithm::PS256, is_rsa(jwk)),
        TokenAlgorithm::PS384 => (KeyAlgorithm::PS384, is_rsa(jwk)),
        TokenAlgorithm::PS512 => (KeyAlgorithm::PS512, is_rsa(jwk)),
        TokenAlgorithm::ES256 => (KeyAlgorithm::ES256, is_curve(jwk, &EllipticCurve::P256)),
        TokenAlgorithm::ES384 => (KeyAlgorithm::ES384, is_curve(jwk, &EllipticCurve::P384)),
        TokenAlgorithm::EdDSA => (KeyAlgorithm::EdDSA, is_curve(jwk, &EllipticCurve::Ed25519)),
    };
    right_kind && jwk.common.key_algorithm.as_ref().is_none_or(|only| *only == restriction)
}

fn is_rsa(jwk: &Jwk) -> bool {
    matches!(&jwk.algorithm, AlgorithmParameters::RSA(_))
}

fn is_curve(jwk: &Jwk, wanted: &EllipticCurve) -> bool {
    match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => key.curve == *wanted && *wanted != EllipticCurve::Ed25519,
        AlgorithmParameters::OctetKeyPair(key) => key.curve == *wanted && *wanted == EllipticCurve::Ed25519,
        _ => false,
    }
}
