//! The identity provider's tokens that are not taken. Each differs from a good one (`forge.good()`) in what its name says.

use serde_json::{Value, json};

use super::forge::{Forge, Signer, claims, encode, rs256, rs384, token, with};
use super::negative::{Case, bearer};
use super::world::World;
use super::*;

pub(super) fn cases(world: &World) -> Vec<Case> {
    let forge = &world.forge;
    let mut cases = algorithms(forge);
    cases.extend(keys(forge));
    cases.extend(headers(forge));
    cases.extend(claims_of_the_provider(forge));
    cases.extend(times(forge));
    cases.extend(signatures(forge));
    cases.extend(forms(forge));
    cases.extend(users(forge));
    cases
}

fn algorithms(forge: &Forge) -> Vec<Case> {
    let eve = claims("eve");
    let under = |header: Value, signer: &Signer<'_>| token(&header, &eve, signer);
    let public = forge.rsa_jwk("rsa-1").to_string();
    let point = ring::signature::KeyPair::public_key(&forge.es).as_ref().to_vec();
    vec![
        bearer("alg none", under(json!({"alg": "none"}), &Signer::Nobody)),
        bearer("alg none with a key's name", under(json!({"alg": "none", "kid": "es-1"}), &Signer::Nobody)),
        bearer("alg none, signed all the same", forge.under(json!({"alg": "none", "kid": "es-1"}))),
        bearer("alg nOnE", forge.under(json!({"alg": "nOnE", "kid": "es-1"}))),
        bearer("alg es256 in small letters", forge.under(json!({"alg": "es256", "kid": "es-1"}))),
        bearer("no alg", forge.under(json!({"kid": "es-1"}))),
        bearer("alg that is a list", forge.under(json!({"alg": ["ES256"], "kid": "es-1"}))),
        bearer("HS256 with the RSA public key as the secret", {
            under(json!({"alg": "HS256", "kid": "rsa-1"}), &Signer::Hmac(public.as_bytes()))
        }),
        bearer("HS256 with the curve's public key as the secret", {
            under(json!({"alg": "HS256", "kid": "es-1"}), &Signer::Hmac(&point))
        }),
        bearer("HS256 with the secret in the key set", {
            under(json!({"alg": "HS256", "kid": "oct-1"}), &Signer::Hmac(&[7; 32]))
        }),
        bearer(
            "HS256 with an empty secret",
            under(json!({"alg": "HS256", "kid": "es-1"}), &Signer::Hmac(&[])),
        ),
        bearer("an algorithm that is not pinned", {
            under(json!({"alg": "RS384", "kid": "rsa-1"}), &rs384(&forge.rsa))
        }),
        bearer("signed as RS384, said to be RS256", {
            under(json!({"alg": "RS256", "kid": "rsa-1"}), &rs384(&forge.rsa))
        }),
    ]
}

fn keys(forge: &Forge) -> Vec<Case> {
    let stranger = Forge::new();
    let eve = claims("eve");
    let by_stranger = |header: Value| token(&header, &eve, &Signer::Es(&stranger.es));
    vec![
        bearer("an unknown key", forge.under(json!({"alg": "ES256", "kid": "es-2"}))),
        bearer("no key's name, and there are several", forge.under(json!({"alg": "ES256"}))),
        bearer("an empty key's name", forge.under(json!({"alg": "ES256", "kid": ""}))),
        bearer("a key's name that is a number", forge.under(json!({"alg": "ES256", "kid": 1}))),
        bearer("a key's name that is a path", forge.under(json!({"alg": "ES256", "kid": "../../dev/null"}))),
        bearer("the key of somebody else", by_stranger(json!({"alg": "ES256", "kid": "es-1"}))),
        bearer("the name of a key of another kind", forge.under(json!({"alg": "ES256", "kid": "rsa-1"}))),
        bearer("the name of a key of another curve", forge.under(json!({"alg": "EdDSA", "kid": "es-1"}))),
        bearer("a key to encrypt with", forge.under(json!({"alg": "ES256", "kid": "enc-1"}))),
        bearer("a key in the header", {
            by_stranger(json!({"alg": "ES256", "kid": "es-1", "jwk": stranger.es_jwk("es-1")}))
        }),
        bearer("a key in the header and no name", {
            by_stranger(json!({"alg": "ES256", "jwk": stranger.es_jwk("es-1")}))
        }),
        bearer("a certificate in the header", {
            by_stranger(json!({"alg": "ES256", "kid": "es-1", "x5c": ["MIIB"]}))
        }),
        bearer("an address of keys in the header", {
            by_stranger(json!({"alg": "ES256", "kid": "es-2", "jku": "https://evil.example/keys"}))
        }),
        bearer("an address of certificates in the header", {
            by_stranger(json!({"alg": "ES256", "kid": "es-1", "x5u": "https://evil.example/chain"}))
        }),
    ]
}

fn headers(forge: &Forge) -> Vec<Case> {
    let with = |name: &str, value: Value| {
        let mut header = json!({"alg": "ES256", "kid": "es-1"});
        header[name] = value;
        forge.under(header)
    };
    vec![
        bearer("a critical extension", with("crit", json!(["b64"]))),
        bearer("an empty list of critical extensions", with("crit", json!([]))),
        bearer("encrypted content", with("enc", json!("A256GCM"))),
        bearer("compressed content", with("zip", json!("DEF"))),
        bearer("a logout token", with("typ", json!("logout+jwt"))),
        bearer("a type that is no token", with("typ", json!("dpop+jwt"))),
        bearer("a header that is a list", forge.under(json!(["ES256"]))),
    ]
}

fn claims_of_the_provider(forge: &Forge) -> Vec<Case> {
    let changed = |name: &str, value: Value| forge.es(&with(name, value));
    vec![
        bearer("another issuer", changed("iss", json!("https://evil.example"))),
        bearer("the issuer with a slash", changed("iss", json!("https://id.example/"))),
        bearer("a list of issuers", changed("iss", json!(["https://id.example", "https://evil.example"]))),
        bearer("no issuer", changed("iss", Value::Null)),
        bearer("an issuer that is a number", changed("iss", json!(1))),
        bearer("another audience", changed("aud", json!("other"))),
        bearer("a list of other audiences", changed("aud", json!(["other", "third"]))),
        bearer("an empty list of audiences", changed("aud", json!([]))),
        bearer("no audience", changed("aud", Value::Null)),
        bearer("an audience that only begins alike", changed("aud", json!("basin-test"))),
        bearer("an audience that is an object", changed("aud", json!({"basin": true}))),
    ]
}

fn times(forge: &Forge) -> Vec<Case> {
    let now = Utc::now().timestamp();
    let changed = |name: &str, value: Value| forge.es(&with(name, value));
    vec![
        bearer("expired", changed("exp", json!(now - 90))),
        bearer("expired long ago", changed("exp", json!(0))),
        bearer("no end", changed("exp", Value::Null)),
        bearer("an end that is a text", changed("exp", json!((now + 300).to_string()))),
        bearer("an end before 1970", changed("exp", json!(-1))),
        bearer("an end that is a list", changed("exp", json!([now + 300]))),
        bearer("an end beyond all numbers", changed("exp", json!(1e300))),
        bearer("not yet good", changed("nbf", json!(now + 90))),
        bearer("a beginning that is a text", changed("nbf", json!("now"))),
        bearer("issued in the future", changed("iat", json!(now + 90))),
        bearer("issued at a text", changed("iat", json!("yesterday"))),
    ]
}

fn signatures(forge: &Forge) -> Vec<Case> {
    let good = forge.good();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let cut: String = signature.chars().take(84).collect();
    let mut flipped = signature.to_owned().into_bytes();
    flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let uma = encode(claims("uma").to_string());
    let other = encode(json!({"alg": "ES256", "kid": "es-1"}).to_string());
    let rsa = token(&json!({"alg": "RS256", "kid": "rsa-1"}), &claims("eve"), &rs256(&forge.rsa));
    let (rsa, _) = rsa.rsplit_once('.').unwrap();
    vec![
        bearer("a signature that is cut", format!("{message}.{cut}")),
        bearer("a signature with one letter changed", format!("{message}.{flipped}")),
        bearer("a signature of zeros", format!("{message}.{}", encode([0; 64]))),
        bearer("an RSA signature of zeros", format!("{rsa}.{}", encode([0; 256]))),
        bearer("a signature with more after it", format!("{message}.{signature}AAAA")),
        bearer("claims of another user under this signature", format!("{header}.{uma}.{signature}")),
        bearer("another header over this signature", format!("{other}.{payload}.{signature}")),
        bearer("the signature of another token", {
            let another = forge.es(&claims("uma"));
            format!("{message}.{}", another.rsplit_once('.').unwrap().1)
        }),
    ]
}

fn forms(forge: &Forge) -> Vec<Case> {
    let good = forge.good();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let signed = |payload: &str| {
        let message = format!("{header}.{}", encode(payload));
        let signature = encode(Signer::Es(&forge.es).sign(message.as_bytes()));
        format!("{message}.{signature}")
    };
    let mut huge = claims("eve");
    huge["groups"] = json!("g".repeat(20_000));
    vec![
        bearer("a dot at the end", format!("{good}.")),
        bearer("a dot at the beginning", format!(".{good}")),
        bearer("a fourth part", format!("{good}.{signature}")),
        bearer("two parts", message),
        bearer("dots only", ".."),
        bearer("no header", format!(".{payload}.{signature}")),
        bearer("no claims", format!("{header}..{signature}")),
        bearer("no signature", format!("{message}.")),
        bearer("claims that are no base64", format!("{header}.***.{signature}")),
        bearer("claims with padding", format!("{header}.{payload}==.{signature}")),
        bearer("white space inside", format!("{header}. {payload}.{signature}")),
        bearer(
            "five parts, as encrypted tokens have",
            format!("{header}.{payload}.{signature}.{payload}.{header}"),
        ),
        bearer("claims that are no JSON", signed("eve")),
        bearer("claims that are a list", signed("[]")),
        bearer("claims that are not closed", signed("{\"iss\":\"https://id.example\"")),
        bearer("an issuer that stands twice", {
            let text = claims("eve").to_string();
            signed(&text.replacen('{', "{\"iss\":\"https://evil.example\",", 1))
        }),
        bearer("a token longer than any", forge.es(&huge)),
    ]
}

fn users(forge: &Forge) -> Vec<Case> {
    let named = |value: Value| forge.es(&with("preferred_username", value));
    let mut uma = claims("uma");
    uma["sub"] = json!("subject of eve");
    let mut nameless = claims("uma");
    nameless.as_object_mut().unwrap().remove("sub");
    let mut numbered = claims("uma");
    numbered["sub"] = json!(7);
    vec![
        bearer("an unknown user", forge.es(&claims("nobody"))),
        bearer("a user whom the provider doesn't stand for", forge.es(&claims("ana"))),
        bearer("a removed user's identity token", forge.es(&claims("gone"))),
        bearer("another subject than the linked one", forge.es(&uma)),
        bearer("no subject where one is linked", forge.es(&nameless)),
        bearer("a subject that is a number", forge.es(&numbered)),
        bearer("no user's name", named(Value::Null)),
        bearer("a user's name that is a number", named(json!(7))),
        bearer("a user's name that is a list", named(json!(["eve"]))),
        bearer("an empty user's name", named(json!(""))),
        bearer("a user's name in capitals", named(json!("EVE"))),
        bearer("a user's name with a space after it", named(json!("eve "))),
        bearer("the operator's name", named(json!("operator"))),
    ]
}
