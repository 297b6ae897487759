//! An identity provider for tests: its keys, its key set, and tokens of any form, signed or not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

pub(super) const ISSUER: &str = "https://id.example";
pub(super) const AUDIENCE: &str = "basin";

/// What signs the first two parts of a token.
pub(super) enum Signer<'a> {
    Es(&'a EcdsaKeyPair),
    Ed(&'a Ed25519KeyPair),
    Rsa(&'a RsaKeyPair, &'static dyn RsaEncoding),
    Hmac(&'a [u8]),
    Nobody,
}

pub(super) struct Forge {
    pub(super) es: EcdsaKeyPair,
    pub(super) ed: Ed25519KeyPair,
    pub(super) rsa: RsaKeyPair,
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn es_key() -> EcdsaKeyPair {
    let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
}

impl Forge {
    /// Makes keys; only the RSA key is always the same, for it takes long to make one.
    pub(super) fn new() -> Self {
        let ed = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let rsa = PrivatePkcs8KeyDer::from_pem_slice(include_bytes!("rsa_for_tests.pem")).unwrap();
        Self {
            es: es_key(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(rsa.secret_pkcs8_der()).unwrap(),
        }
    }

    pub(super) fn es_jwk(&self, id: &str) -> Value {
        let (x, y) = self.es.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encode(x), "y": encode(y), "use": "sig"})
    }

    pub(super) fn ed_jwk(&self, id: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(self.ed.public_key())})
    }

    pub(super) fn rsa_jwk(&self, id: &str) -> Value {
        let key = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        json!({"kty": "RSA", "kid": id, "n": encode(key.n), "e": encode(key.e), "alg": "RS256"})
    }

    /// The provider's key set: three keys to sign with, one to encrypt with, and a secret, which is no public key.
    pub(super) fn jwks(&self) -> Value {
        let mut encrypting = self.es_jwk("enc-1");
        encrypting["use"] = json!("enc");
        let secret = json!({"kty": "oct", "kid": "oct-1", "k": encode([7; 32]), "alg": "HS256"});
        json!({"keys": [self.rsa_jwk("rsa-1"), self.es_jwk("es-1"), self.ed_jwk("ed-1"), encrypting, secret]})
    }

    /// A token that holds: of eve, signed with the curve's key.
    pub(super) fn good(&self) -> String {
        self.es(&claims("eve"))
    }

    /// Claims signed as the provider would.
    pub(super) fn es(&self, claims: &Value) -> String {
        token(&json!({"alg": "ES256", "kid": "es-1", "typ": "JWT"}), claims, &Signer::Es(&self.es))
    }

    /// The claims of eve under another header, signed with the curve's key.
    pub(super) fn under(&self, header: Value) -> String {
        token(&header, &claims("eve"), &Signer::Es(&self.es))
    }
}

/// The claims of a good token for a user.
pub(super) fn claims(user: &str) -> Value {
    let now = Utc::now().timestamp();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300,
        "sub": format!("subject of {user}"), "preferred_username": user,
    })
}

/// The claims of eve, with one changed, or removed by null.
pub(super) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("eve");
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

pub(super) fn token(header: &Value, claims: &Value, signer: &Signer<'_>) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = signer.sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

impl Signer<'_> {
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Hmac(secret) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
                ring::hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Nobody => Vec::new(),
        }
    }
}

pub(super) fn rs256(key: &RsaKeyPair) -> Signer<'_> {
    Signer::Rsa(key, &RSA_PKCS1_SHA256)
}

pub(super) fn rs384(key: &RsaKeyPair) -> Signer<'_> {
    Signer::Rsa(key, &RSA_PKCS1_SHA384)
}
