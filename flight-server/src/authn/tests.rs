mod forge;
mod negative;
mod negative_jwt;
mod positive;
mod rotation;
mod world;

use std::time::Duration;

use basin_catalog::{Catalog, Change, PasswordHash};
use tonic::metadata::MetadataMap;

use super::*;
use crate::testing;

const LIFETIME: Duration = Duration::from_secs(3600);

async fn authenticator(lifetime: Duration) -> (Catalog, Authenticator) {
    let catalog = testing::catalog().await;
    let sealer = Sealer::of(&catalog).await.unwrap();
    let config = ServerConfig { token_lifetime: lifetime, ..ServerConfig::default() };
    let authenticator = Authenticator::new(catalog.clone(), sealer, &config).await.unwrap();
    (catalog, authenticator)
}

fn basic(user: &str, password: &str) -> Credentials {
    Credentials::Basic(BasicCredentials { user: user.to_owned(), password: password.to_owned() })
}

fn unauthenticated(result: Result<Identity>) -> bool {
    matches!(result, Err(ServerError::Unauthenticated(_)))
}

#[tokio::test]
async fn a_right_password_gives_a_token_that_works() {
    let (_, authn) = authenticator(LIFETIME).await;
    let identity = authn.check(basic("ana", "secret-a"), &Peer::default()).await.unwrap();
    let token = authn.issue(&identity, Vec::new()).unwrap();
    let again = authn.check(Credentials::Bearer(token), &Peer::default()).await.unwrap();
    assert_eq!(again.user.name, identity.user.name);
}

#[tokio::test]
async fn wrong_and_unknown_read_the_same() {
    let (_, authn) = authenticator(LIFETIME).await;
    let wrong = authn.check(basic("ana", "guess"), &Peer::default()).await.unwrap_err();
    let unknown = authn.check(basic("nobody", "guess"), &Peer::default()).await.unwrap_err();
    assert_eq!(wrong.to_string(), unknown.to_string());
    assert!(unauthenticated(authn.identify(&MetadataMap::new(), &Peer::default()).await));
}

#[tokio::test]
async fn guessing_is_stopped_but_others_go_on() {
    let (_, authn) = authenticator(LIFETIME).await;
    for _ in 0..5 {
        assert!(unauthenticated(authn.check(basic("ana", "guess"), &Peer::default()).await));
    }
    let error = authn.check(basic("ana", "secret-a"), &Peer::default()).await.unwrap_err();
    assert!(matches!(error, ServerError::TooManyAttempts { .. }));
    authn.check(basic("bob", "secret-b"), &Peer::default()).await.unwrap();
}

#[tokio::test]
async fn a_changed_password_and_a_removed_user_end_tokens() {
    let (catalog, authn) = authenticator(LIFETIME).await;
    let identity = authn.check(basic("ana", "secret-a"), &Peer::default()).await.unwrap();
    let token = authn.issue(&identity, Vec::new()).unwrap();
    let base = catalog.latest().await.unwrap();
    let mut user = identity.user.as_ref().clone();
    user.password = Some(PasswordHash::create("secret-c").unwrap());
    let base = catalog.commit(&base, "test", vec![Change::PutUser(user)]).await.unwrap();
    assert!(unauthenticated(authn.check(Credentials::Bearer(token), &Peer::default()).await));
    assert!(unauthenticated(authn.check(basic("ana", "secret-a"), &Peer::default()).await));

    let identity = authn.check(basic("ana", "secret-c"), &Peer::default()).await.unwrap();
    let token = authn.issue(&identity, Vec::new()).unwrap();
    let gone = Change::RemoveUser(identity.user.name.clone());
    catalog.commit(&base, "test", vec![gone]).await.unwrap();
    assert!(unauthenticated(authn.check(Credentials::Bearer(token), &Peer::default()).await));
    assert!(unauthenticated(authn.check(basic("ana", "secret-c"), &Peer::default()).await));
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let (_, authn) = authenticator(LIFETIME).await;
    let identity = authn.check(basic("ana", "secret-a"), &Peer::default()).await.unwrap();
    let token = authn.issue(&identity, Vec::new()).unwrap();
    let mut changed = token.clone().into_bytes();
    changed[40] = if changed[40] == b'A' { b'B' } else { b'A' };
    let cut: String = token.chars().take(60).collect();
    for forged in [String::from_utf8(changed).unwrap(), cut, String::new(), "é".to_owned()] {
        assert!(unauthenticated(authn.check(Credentials::Bearer(forged), &Peer::default()).await));
    }
}

#[test]
fn authorization_is_read_as_clients_write_it() {
    let read = |value: &str| {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", value.parse().unwrap());
        Credentials::from_metadata(&metadata)
    };
    for value in ["Basic YW5hOmE6Yg==", "basic YW5hOmE6Yg", "BASIC  YW5hOmE6Yg=="] {
        let Ok(Some(Credentials::Basic(basic))) = read(value) else {
            panic!("{value} was not read");
        };
        assert_eq!((basic.user.as_str(), basic.password.as_str()), ("ana", "a:b"));
    }
    assert!(matches!(read("Bearer abc"), Ok(Some(Credentials::Bearer(token))) if token == "abc"));
    for value in ["Basic ***", "Digest x", "Basic", "Basic YW5h"] {
        assert!(read(value).is_err(), "{value}");
    }
}

#[test]
fn two_headers_may_only_say_the_same() {
    let read = |values: [&str; 2]| {
        let mut metadata = MetadataMap::new();
        for value in values {
            metadata.append("authorization", value.parse().unwrap());
        }
        Credentials::from_metadata(&metadata)
    };
    assert!(
        matches!(read(["Bearer abc", "Bearer abc"]), Ok(Some(Credentials::Bearer(token))) if token == "abc")
    );
    for values in [["Bearer abc", "Bearer xyz"], ["Basic YW5hOmE6Yg==", "Bearer abc"]] {
        assert!(matches!(read(values), Err(ServerError::Unauthenticated(_))));
    }
}
