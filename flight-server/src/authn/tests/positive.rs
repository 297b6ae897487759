//! What is taken, and for whom; and what ends it.

use basin_catalog::{CertificateLink, ExternalSignIn, User};
use serde_json::{Value, json};

use super::forge::{Signer, claims, rs256, token, with};
use super::world::{World, certificate, kept};
use super::*;

async fn user(world: &World, token: &str) -> String {
    world.bearer(token).await.unwrap().user()
}

#[tokio::test]
async fn tokens_of_the_provider_are_taken_for_linked_users() {
    let world = World::new().await;
    let forge = &world.forge;
    let eve = claims("eve");
    let es = |header: Value, claims: &Value| token(&header, claims, &Signer::Es(&forge.es));
    let es_header = || json!({"alg": "ES256", "kid": "es-1"});
    let now = Utc::now().timestamp();
    for (name, token) in [
        ("ES256", forge.good()),
        ("EdDSA", token(&json!({"alg": "EdDSA", "kid": "ed-1"}), &eve, &Signer::Ed(&forge.ed))),
        ("RS256", token(&json!({"alg": "RS256", "kid": "rsa-1"}), &eve, &rs256(&forge.rsa))),
        ("an access token", es(json!({"alg": "ES256", "kid": "es-1", "typ": "at+jwt"}), &eve)),
        (
            "a certificate's name in the header",
            es(json!({"alg": "ES256", "kid": "es-1", "x5t": "AAAA"}), &eve),
        ),
        ("several audiences", es(es_header(), &with("aud", json!(["other", "basin"])))),
        ("over within the leeway", es(es_header(), &with("exp", json!(now - 30)))),
        ("good soon, within the leeway", es(es_header(), &with("nbf", json!(now + 30)))),
        ("an end with a fraction", es(es_header(), &with("exp", json!(now as f64 + 100.5)))),
        ("no beginning", es(es_header(), &with("nbf", Value::Null))),
        ("no time of issue", es(es_header(), &with("iat", Value::Null))),
        ("any subject, as none is linked", es(es_header(), &with("sub", json!("another")))),
    ] {
        assert_eq!(
            world.bearer(&token).await.map(|identity| identity.user()).ok().as_deref(),
            Some("eve"),
            "{name}"
        );
    }
    assert_eq!(user(&world, &forge.es(&claims("uma"))).await, "uma");
}

#[tokio::test]
async fn service_tokens_are_taken_as_bearer_and_as_password() {
    let world = World::new().await;
    let text = world.secret.reveal();
    assert_eq!(user(&world, &text).await, "ana");
    let peer = Peer::default();
    assert_eq!(world.authn.check(basic("ana", &text), &peer).await.unwrap().user(), "ana");
    world.change(vec![Change::RevokeToken(world.secret.id().clone())]).await;
    assert!(unauthenticated(world.bearer(&text).await));
    assert!(unauthenticated(world.authn.check(basic("ana", &text), &peer).await));
}

#[tokio::test]
async fn wrong_service_tokens_are_counted_but_lock_nobody_out() {
    let world = World::new().await;
    for _ in 0..5 {
        assert!(unauthenticated(world.bearer(&world.expired.reveal()).await));
    }
    let unknown = basin_catalog::TokenSecret::fresh().reveal();
    for token in [&world.expired.reveal(), &world.revoked.reveal(), &unknown] {
        let error = world.bearer(token).await.unwrap_err();
        assert!(matches!(error, ServerError::TooManyAttempts { .. }), "{error}");
    }
    assert_eq!(user(&world, &world.secret.reveal()).await, "ana");
}

#[tokio::test]
async fn a_linked_certificate_speaks_when_nothing_else_does() {
    let world = World::new().await;
    let peer = Peer { certificate: Some(certificate("ana")), ..Peer::default() };
    let silent = MetadataMap::new();
    let identity = world.authn.identify(&silent, &peer).await.unwrap();
    assert_eq!(identity.user(), "ana");
    let session = world.authn.issue(&identity, b"options".to_vec()).unwrap();
    let again = world.authn.check(Credentials::Bearer(session.clone()), &peer).await.unwrap();
    assert_eq!((again.user().as_str(), again.session()), ("ana", b"options".as_slice()));
    // The header decides, and may say the same.
    assert_eq!(world.authn.check(basic("ana", "secret-a"), &peer).await.unwrap().user(), "ana");
    // A certificate that is linked to nobody says nothing.
    let stranger = Peer { certificate: Some(certificate("stranger")), ..Peer::default() };
    assert_eq!(world.authn.check(basic("bob", "secret-b"), &stranger).await.unwrap().user(), "bob");

    world.change(vec![Change::UnlinkCertificate(certificate("ana"))]).await;
    assert!(unauthenticated(world.authn.identify(&silent, &peer).await));
    assert!(unauthenticated(world.authn.check(Credentials::Bearer(session), &peer).await));
}

#[tokio::test]
async fn what_ends_a_way_to_sign_in_ends_its_sessions_and_no_others() {
    let world = World::new().await;
    let session = async |credentials: Credentials| {
        let identity = world.authn.check(credentials, &Peer::default()).await.unwrap();
        world.authn.issue(&identity, Vec::new()).unwrap()
    };
    let by_password = session(basic("ana", "secret-a")).await;
    let by_token = session(Credentials::Bearer(world.secret.reveal())).await;
    let by_provider = session(Credentials::Bearer(world.forge.good())).await;
    for (token, of) in [(&by_password, "ana"), (&by_token, "ana"), (&by_provider, "eve")] {
        assert_eq!(user(&world, token).await, of);
    }
    world.change(vec![Change::RevokeToken(world.secret.id().clone())]).await;
    assert!(unauthenticated(world.bearer(&by_token).await));
    assert_eq!(user(&world, &by_password).await, "ana");

    let snapshot = world.catalog.latest().await.unwrap();
    let eve = snapshot.users().get(&"eve".parse().unwrap()).unwrap().as_ref().clone();
    let pinned = Some(ExternalSignIn { subject: Some("another".to_owned()) });
    world.change(vec![Change::PutUser(User { external: pinned, ..eve })]).await;
    assert!(unauthenticated(world.bearer(&by_provider).await));
    assert!(unauthenticated(world.bearer(&world.forge.good()).await));
}

#[tokio::test]
async fn a_later_user_of_the_same_name_inherits_nothing() {
    let world = World::new().await;
    let identity = world.bearer(&world.forge.good()).await.unwrap();
    let session = world.authn.issue(&identity, Vec::new()).unwrap();
    let removed = identity.user.as_ref().clone();
    let secret = basin_catalog::TokenSecret::fresh();
    world.change(vec![Change::PutToken(kept(&secret, "eve", 1))]).await;
    world.change(vec![Change::RemoveUser(removed.name.clone())]).await;
    assert!(unauthenticated(world.bearer(&session).await));
    assert!(unauthenticated(world.bearer(&world.forge.good()).await));
    world.change(vec![Change::PutUser(User { created_at: Utc::now(), ..removed })]).await;
    assert!(unauthenticated(world.bearer(&session).await));
    assert!(unauthenticated(world.bearer(&secret.reveal()).await));
    assert_eq!(user(&world, &world.forge.good()).await, "eve");
}

#[tokio::test]
async fn a_session_ends_with_the_providers_token_however_often_it_is_renewed() {
    let world = World::new().await;
    // Over for half a minute, which the leeway allows; its session is over as soon as the seal's own minute is.
    let token = world.forge.es(&with("exp", json!(Utc::now().timestamp() - 30)));
    let identity = world.bearer(&token).await.unwrap();
    let Means::Provider { expires_at } = identity.means else { panic!("{:?}", identity.means) };
    assert!(expires_at < Utc::now().timestamp());
    let renewed = world.authn.issue(&identity, Vec::new()).unwrap();
    let again = world.bearer(&renewed).await.unwrap();
    assert_eq!(again.means, identity.means);
}

#[tokio::test]
async fn the_default_claim_is_the_subject() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, world.forge.jwks().to_string()).unwrap();
    let oidc = super::world::oidc(crate::config::KeyLocation::File(file.clone()));
    let oidc = crate::config::OidcConfig { user_claim: "sub".to_owned(), ..oidc };
    let config = ServerConfig { oidc: Some(oidc), ..ServerConfig::default() };
    let authn = Authenticator::new(world.catalog.clone(), world.sealer.clone(), &config).await.unwrap();
    let token = world.forge.es(&with("sub", json!("eve")));
    let identity = authn.check(Credentials::Bearer(token), &Peer::default()).await.unwrap();
    assert_eq!(identity.user(), "eve");
    // Without a provider its tokens, and the sessions that began with them, are worth nothing.
    let session = authn.issue(&identity, Vec::new()).unwrap();
    let config = ServerConfig::default();
    let none = Authenticator::new(world.catalog.clone(), world.sealer.clone(), &config).await.unwrap();
    for token in [session, world.forge.good()] {
        assert!(unauthenticated(none.check(Credentials::Bearer(token), &Peer::default()).await));
    }
}

#[tokio::test]
async fn one_certificate_is_one_users() {
    let world = World::new().await;
    let base = world.catalog.latest().await.unwrap();
    let link = CertificateLink { certificate: certificate("ana"), user: "bob".parse().unwrap() };
    world.catalog.commit(&base, "test", vec![Change::LinkCertificate(link)]).await.unwrap_err();
}
