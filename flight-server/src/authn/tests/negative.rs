//! What is not taken for anybody: tokens, passwords, certificates and mixtures of them, case by case, with the words that
//! each is answered with. Within a group the words are the same, so that they tell nothing.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use basin_catalog::{Digest, ErrorClass, TokenSecret};
use tonic::metadata::{Ascii, MetadataValue};

use super::forge::with;
use super::negative_jwt;
use super::world::{World, certificate};
use super::*;
use crate::authn::credentials::MALFORMED;
use crate::authn::means::Means;
use crate::authn::token::{self, Claims};

/// What a case sends: an `authorization` header, a client certificate, or both.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) answer: &'static str,
    pub(super) header: Option<Vec<u8>>,
    pub(super) certificate: Option<Digest>,
}

pub(super) fn bearer(name: &'static str, token: impl AsRef<str>) -> Case {
    Case { certificate: None, ..both(name, ENDED, &format!("Bearer {}", token.as_ref()), "") }
}

fn header(name: &'static str, answer: &'static str, header: impl Into<Vec<u8>>) -> Case {
    Case { name, answer, header: Some(header.into()), certificate: None }
}

fn basic(name: &'static str, user: &str, password: &str) -> Case {
    header(name, WRONG, format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn both(name: &'static str, answer: &'static str, header: &str, of: &str) -> Case {
    let header = Some(header.as_bytes().to_vec());
    Case { name, answer, header, certificate: Some(certificate(of)) }
}

fn shown(name: &'static str, of: &str) -> Case {
    Case { name, answer: MISSING, header: None, certificate: Some(certificate(of)) }
}

fn service_tokens(world: &World) -> Vec<Case> {
    let text = world.secret.reveal();
    let of_bob = world.bobs.reveal();
    let (_, encoded) = text.split_once('_').unwrap();
    let cut: String = text.chars().take(69).collect();
    // The first 21 letters and most of the 22nd are the id.
    let (id, secret): (String, String) = (text.chars().take(28).collect(), of_bob.chars().skip(28).collect());
    let mut last = text.clone().into_bytes();
    last[60] = if last[60] == b'A' { b'B' } else { b'A' };
    vec![
        bearer("a service token with another secret", format!("{id}{secret}")),
        bearer("a service token with one letter changed", String::from_utf8(last).unwrap()),
        bearer("an expired service token", world.expired.reveal()),
        bearer("a revoked service token", world.revoked.reveal()),
        bearer("a service token of a removed user", world.orphaned.reveal()),
        bearer("a service token of another store", TokenSecret::fresh().reveal()),
        bearer("a service token that is cut", cut),
        bearer("a service token without its beginning", encoded),
        bearer("a service token with something after it", format!("{text}=")),
        bearer("a service token's hash", format!("basin_{}", world.secret.hash())),
        basic("a service token under another user's name", "bob", &text),
        basic("a service token under no name", "", &text),
        basic("an expired service token as a password", "ana", &world.expired.reveal()),
        basic("another store's service token as a password", "ana", &TokenSecret::fresh().reveal()),
    ]
}

async fn session_tokens(world: &World) -> Vec<Case> {
    let hour = Duration::from_secs(3600);
    let claims = |means: Means, fingerprint: &str| Claims {
        user: "ana".to_owned(),
        means,
        fingerprint: fingerprint.to_owned(),
        session: Vec::new(),
    };
    let identity = world.authn.check(super::basic("ana", "secret-a"), &Peer::default()).await.unwrap();
    let good = world.authn.issue(&identity, Vec::new()).unwrap();
    world.bearer(&good).await.unwrap();
    let print = identity.fingerprint.as_str();
    let seal = |claims, lifetime| token::issue(&world.sealer, claims, lifetime).unwrap();
    let with_key = |key| token::issue(&Sealer::with_key(key), claims(Means::Password, print), hour).unwrap();
    let purpose = |purpose| {
        let content = String::new();
        forge::encode(world.sealer.seal(purpose, "ana", hour, &content).unwrap())
    };
    let mut changed = good.clone().into_bytes();
    changed[50] = if changed[50] == b'A' { b'B' } else { b'A' };
    let cut: String = good.chars().take(60).collect();
    let past = Means::Provider { expires_at: Utc::now().timestamp() - 120 };
    let by_certificate = Means::Certificate(certificate("ana"));
    let peer = Peer { certificate: Some(certificate("ana")), ..Peer::default() };
    let bound = world.authn.check_certificate(&peer).await.unwrap().unwrap();
    assert_eq!(bound.means, by_certificate);
    let bound = world.authn.issue(&bound, Vec::new()).unwrap();
    world.authn.check(Credentials::Bearer(bound.clone()), &peer).await.unwrap();
    vec![
        bearer("a session token that is cut", cut),
        bearer("a session token with one letter changed", String::from_utf8(changed).unwrap()),
        bearer("two session tokens in one", format!("{good}{good}")),
        bearer("a session token sealed with another key", with_key([9; 32])),
        bearer("a ticket as a session token", purpose(crate::seal::Purpose::Ticket)),
        bearer("a session's cookie as a session token", purpose(crate::seal::Purpose::Session)),
        bearer("a session token that says nothing of its means", purpose(crate::seal::Purpose::Token)),
        bearer("a session token of an earlier password", seal(claims(Means::Password, "0123"), hour)),
        bearer("a session token of a revoked service token", {
            seal(claims(Means::ServiceToken(world.revoked.id().clone()), print), hour)
        }),
        bearer("a session token of another user's service token", {
            seal(claims(Means::ServiceToken(world.bobs.id().clone()), print), hour)
        }),
        bearer("a session token by the provider, of a user who isn't linked", {
            seal(claims(Means::Provider { expires_at: i64::MAX }, print), hour)
        }),
        bearer("a session that outlived the provider's token", seal(claims(past, print), hour)),
        bearer("a certificate's session token over another connection", &bound),
        both(
            "a certificate's session token over another's connection",
            ENDED,
            &format!("Bearer {bound}"),
            "bob",
        ),
        bearer("letters", "letmein"),
    ]
}

fn passwords() -> Vec<Case> {
    vec![
        basic("a wrong password", "ana", "secret-b"),
        basic("a name that is nobody's", "nobody", "secret-a"),
        basic("no password", "ana", ""),
        basic("no user", "", "secret-a"),
        basic("neither", "", ""),
        basic("a password that is too long", "ana", &"a".repeat(1025)),
        basic("the name in capitals", "ANA", "secret-a"),
        basic("a user without a password", "eve", ""),
        basic("a removed user", "gone", "secret-a"),
        header("an empty token", MALFORMED, "Bearer "),
        header("Basic without anything", MALFORMED, "Basic"),
        header("Basic that is no base64", MALFORMED, "Basic ***"),
        header("Basic without a colon", MALFORMED, format!("Basic {}", STANDARD.encode("ana"))),
        header("Basic that is no text", MALFORMED, format!("Basic {}", STANDARD.encode([0xff, b':', 0xfe]))),
        header("another scheme", MALFORMED, "Digest username=ana"),
        header("a token without a scheme", MALFORMED, "abcdef"),
        header("an empty header", MALFORMED, ""),
        header("a header that is no ASCII", MALFORMED, "Bearer é".as_bytes()),
    ]
}

fn certificates(world: &World) -> Vec<Case> {
    let ana = STANDARD.encode("ana:guess");
    let bob = STANDARD.encode("bob:secret-b");
    vec![
        Case { name: "nothing at all", answer: MISSING, header: None, certificate: None },
        shown("a certificate of nobody", "stranger"),
        shown("a certificate of a removed user", "gone"),
        both("another user's password", TWO_USERS, &format!("Basic {bob}"), "ana"),
        both("another user's service token", TWO_USERS, &format!("Bearer {}", world.bobs.reveal()), "ana"),
        both("another user's identity token", TWO_USERS, &format!("Bearer {}", world.forge.good()), "ana"),
        both("a wrong password with the right certificate", WRONG, &format!("Basic {ana}"), "ana"),
        both(
            "an expired token with the right certificate",
            ENDED,
            &format!("Bearer {}", world.expired.reveal()),
            "ana",
        ),
        both(
            "an identity token that is over with the right certificate",
            ENDED,
            &format!("Bearer {}", world.forge.es(&with("exp", 1.into()))),
            "ana",
        ),
        both("a broken header with the right certificate", MALFORMED, "Basic ***", "ana"),
    ]
}

async fn ask(world: &World, case: &Case, number: usize) -> Result<Identity> {
    let mut metadata = MetadataMap::new();
    if let Some(header) = &case.header {
        let value: MetadataValue<Ascii> = MetadataValue::try_from(header.as_slice()).unwrap();
        metadata.insert("authorization", value);
    }
    // Each case has its own address: attempts are counted by it.
    let address = IpAddr::V4(Ipv4Addr::from(u32::try_from(number + 1).unwrap()));
    let peer = Peer { address: Some(address), certificate: case.certificate.clone(), ..Peer::default() };
    world.authn.identify(&metadata, &peer).await
}

#[tokio::test]
async fn nothing_of_this_is_taken_for_anybody() {
    let world = World::new().await;
    let mut cases = negative_jwt::cases(&world);
    cases.extend(service_tokens(&world));
    cases.extend(session_tokens(&world).await);
    cases.extend(passwords());
    cases.extend(certificates(&world));
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        match ask(&world, case, number).await {
            Ok(identity) => wrong.push(format!("{}: taken for {}", case.name, identity.user())),
            Err(error)
                if error.class() != ErrorClass::Unauthenticated || error.to_string() != case.answer =>
            {
                wrong.push(format!("{}: answered {:?} {error}", case.name, error.class()));
            }
            Err(_) => {}
        }
    }
    let names: std::collections::BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "a name stands twice");
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
