//! The `[server.oidc]` section: whose tokens are taken, signed how, by which keys. It is checked while it is read; what the
//! tokens prove is decided in `authn`.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use url::{Host, Url};

const DEFAULT_CLAIM: &str = "sub";
const DEFAULT_LEEWAY_SECONDS: u64 = 60;
/// More would keep dead tokens alive.
const MAX_LEEWAY_SECONDS: u64 = 300;
const DEFAULT_REFRESH_SECONDS: u64 = 900;
const DEFAULT_KEEP_SECONDS: u64 = 4 * 3600;
/// Unknown keys in tokens, which anybody can write, cause a fetch no more often than this.
const REFETCH: Duration = Duration::from_secs(10);

/// How the tokens of an identity provider are checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Section")]
pub struct OidcConfig {
    /// The `iss` that they must have.
    pub issuer: String,
    /// The `aud` that they must have.
    pub audience: String,
    /// How they may be signed.
    pub algorithms: Vec<TokenAlgorithm>,
    /// Where the provider's public keys are.
    pub keys: KeyLocation,
    /// The claim that names the catalog's user.
    pub user_claim: String,
    /// How far the clocks may differ.
    pub leeway: Duration,
    /// How often the keys are fetched.
    pub refresh: Duration,
    /// How long keys are used that can't be fetched again.
    pub keep: Duration,
    /// How soon after a fetch an unknown key may cause the next one.
    pub refetch: Duration,
}

/// Where an identity provider's public keys are (a JWK set, RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// In a file, which is read again like an address.
    File(PathBuf),
    /// At an address: https, or http on loopback.
    Url(Url),
}

/// A signature that is made with a private key. Secrets shared with the provider (HS256 and the like) and unsigned tokens
/// are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7518, section 3.1, and RFC 8037")]
pub enum TokenAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl TokenAlgorithm {
    const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// Returns the algorithm that a token names; none when it is not one of these.
    pub(crate) fn named(algorithm: Algorithm) -> Option<Self> {
        Self::ALL.into_iter().find(|known| Algorithm::from(*known) == algorithm)
    }
}

impl From<TokenAlgorithm> for Algorithm {
    fn from(algorithm: TokenAlgorithm) -> Self {
        match algorithm {
            TokenAlgorithm::RS256 => Self::RS256,
            TokenAlgorithm::RS384 => Self::RS384,
            TokenAlgorithm::RS512 => Self::RS512,
            TokenAlgorithm::PS256 => Self::PS256,
            TokenAlgorithm::PS384 => Self::PS384,
            TokenAlgorithm::PS512 => Self::PS512,
            TokenAlgorithm::ES256 => Self::ES256,
            TokenAlgorithm::ES384 => Self::ES384,
            TokenAlgorithm::EdDSA => Self::EdDSA,
        }
    }
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    issuer: String,
    audience: String,
    #[serde(default)]
    algorithms: Option<Vec<TokenAlgorithm>>,
    #[serde(default)]
    jwks_file: Option<PathBuf>,
    #[serde(default)]
    jwks_url: Option<Url>,
    #[serde(default)]
    user_claim: Option<String>,
    #[serde(default)]
    leeway_seconds: Option<u64>,
    #[serde(default)]
    refresh_seconds: Option<u64>,
    #[serde(default)]
    keep_seconds: Option<u64>,
}

impl TryFrom<Section> for OidcConfig {
    type Error = String;

    fn try_from(section: Section) -> Result<Self, String> {
        let algorithms = section
            .algorithms
            .unwrap_or_else(|| vec![TokenAlgorithm::RS256, TokenAlgorithm::ES256, TokenAlgorithm::EdDSA]);
        let user_claim = section.user_claim.unwrap_or_else(|| DEFAULT_CLAIM.to_owned());
        if section.issuer.is_empty() || section.audience.is_empty() || user_claim.is_empty() {
            return Err("issuer, audience and user_claim can't be empty".to_owned());
        }
        if algorithms.is_empty() {
            return Err("algorithms is empty: name at least one, or leave it out".to_owned());
        }
        let leeway = section.leeway_seconds.unwrap_or(DEFAULT_LEEWAY_SECONDS);
        let refresh = section.refresh_seconds.unwrap_or(DEFAULT_REFRESH_SECONDS);
        let keep = section.keep_seconds.unwrap_or(DEFAULT_KEEP_SECONDS);
        if leeway > MAX_LEEWAY_SECONDS {
            return Err(format!("leeway_seconds is at most {MAX_LEEWAY_SECONDS}"));
        }
        if refresh == 0 || keep < refresh {
            return Err("refresh_seconds is at least 1, and keep_seconds at least refresh_seconds".to_owned());
        }
        Ok(Self {
            issuer: section.issuer,
            audience: section.audience,
            algorithms,
            keys: location(section.jwks_file, section.jwks_url)?,
            user_claim,
            leeway: Duration::from_secs(leeway),
            refresh: Duration::from_secs(refresh),
            keep: Duration::from_secs(keep),
            refetch: REFETCH,
        })
    }
}

fn location(file: Option<PathBuf>, url: Option<Url>) -> Result<KeyLocation, String> {
    match (file, url) {
        (Some(file), None) => Ok(KeyLocation::File(file)),
        (None, Some(url)) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => {
            Ok(KeyLocation::Url(url))
        }
        (None, Some(_)) => {
            Err("jwks_url is an https address: keys that come in the clear prove nothing (http is taken on \
                 loopback only)"
                .to_owned())
        }
        (Some(_), Some(_)) | (None, None) => Err("name either jwks_file or jwks_url".to_owned()),
    }
}

/// Whether an address stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<OidcConfig, String> {
        let text = format!("issuer = 'https://id.example'\naudience = 'basin'\n{rest}");
        toml::from_str(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn little_has_to_be_said() {
        let config = parse("jwks_url = 'https://id.example/keys'").unwrap();
        assert_eq!(config.algorithms, [TokenAlgorithm::RS256, TokenAlgorithm::ES256, TokenAlgorithm::EdDSA]);
        assert_eq!((config.user_claim.as_str(), config.leeway), ("sub", Duration::from_secs(60)));
        assert!(config.keep > config.refresh && config.refresh > config.refetch);
    }

    #[test]
    fn shared_secrets_and_unsigned_tokens_are_no_choice() {
        for name in ["HS256", "HS512", "none", "ES512", "rs256"] {
            let error = parse(&format!("jwks_file = 'k'\nalgorithms = ['RS256', '{name}']")).unwrap_err();
            assert!(error.contains("unknown variant"), "{error}");
        }
        assert!(parse("jwks_file = 'k'\nalgorithms = []").is_err());
    }

    #[test]
    fn keys_come_from_one_place_and_not_in_the_clear() {
        for wrong in [
            "",
            "jwks_file = 'k'\njwks_url = 'https://id.example/keys'",
            "jwks_url = 'http://id.example/keys'",
            "jwks_url = 'http://127.0.0.1.example/keys'",
            "jwks_url = 'ftp://127.0.0.1/keys'",
            "jwks_url = 'file:///keys'",
            "jwks_file = 'k'\nleeway_seconds = 301",
            "jwks_file = 'k'\nrefresh_seconds = 0",
            "jwks_file = 'k'\nrefresh_seconds = 10\nkeep_seconds = 9",
            "jwks_file = 'k'\nuser_claim = ''",
            "jwks_file = 'k'\nclaim = 'sub'",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        for right in ["http://127.0.0.1:8080/keys", "http://localhost/keys", "http://[::1]/keys"] {
            parse(&format!("jwks_url = '{right}'")).unwrap();
        }
    }
}
