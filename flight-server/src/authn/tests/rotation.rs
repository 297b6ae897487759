//! The provider's keys over a real connection: new ones appear, old ones go, the server fails and comes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::forge::{Forge, Signer, claims, token};
use super::world::{World, oidc};
use super::*;
use crate::config::{KeyLocation, OidcConfig};

/// Answers each request with what is set, over HTTP/1.1.
struct KeyServer {
    url: url::Url,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl KeyServer {
    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let (answer, asked) = (Arc::new(Mutex::new(answer)), Arc::new(AtomicUsize::new(0)));
        let (answers, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 4096];
                let read = connection.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /keys HTTP/1.1\r\n"));
                let answer = answers.lock().unwrap().clone();
                // Whoever has read enough may be gone.
                drop(connection.write_all(answer.as_bytes()).await);
            }
        });
        Self { url, answer, asked, _task: AbortOnDropHandle::new(task) }
    }

    fn set(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Often enough for a test, and never by itself.
    fn config(&self) -> OidcConfig {
        let refetch = Duration::from_millis(200);
        OidcConfig { refetch, ..oidc(KeyLocation::Url(self.url.clone())) }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn keys(keys: &[Value]) -> String {
    ok(&json!({ "keys": keys }).to_string())
}

async fn authenticator(world: &World, oidc: OidcConfig) -> Authenticator {
    crate::install_crypto();
    let config = ServerConfig { oidc: Some(oidc), ..ServerConfig::default() };
    Authenticator::new(world.catalog.clone(), world.sealer.clone(), &config).await.unwrap()
}

fn signed(forge: &Forge, id: &str) -> Credentials {
    let header = json!({"alg": "ES256", "kid": id});
    Credentials::Bearer(token(&header, &claims("eve"), &Signer::Es(&forge.es)))
}

async fn check(authn: &Authenticator, credentials: Credentials) -> Result<String> {
    authn.check(credentials, &Peer::default()).await.map(|identity| identity.user())
}

/// Waits until an unknown key may cause a fetch again.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(250)).await;
}

#[tokio::test]
async fn a_new_key_is_taken_and_an_old_one_goes() {
    let world = World::new().await;
    let (old, new) = (Forge::new(), Forge::new());
    let server = KeyServer::start(keys(&[old.es_jwk("old")])).await;
    let authn = authenticator(&world, server.config()).await;
    assert_eq!(check(&authn, signed(&old, "old")).await.unwrap(), "eve");
    assert_eq!(server.asked(), 1);

    server.set(keys(&[old.es_jwk("old"), new.es_jwk("new")]));
    pause().await;
    assert_eq!(check(&authn, signed(&new, "new")).await.unwrap(), "eve");
    assert_eq!(check(&authn, signed(&old, "old")).await.unwrap(), "eve");
    assert_eq!(server.asked(), 2);

    server.set(keys(&[new.es_jwk("new")]));
    pause().await;
    // An unknown key causes the fetch that makes the old one go.
    assert!(check(&authn, signed(&new, "newer")).await.is_err());
    assert!(check(&authn, signed(&old, "old")).await.is_err());
    assert_eq!(check(&authn, signed(&new, "new")).await.unwrap(), "eve");
}

#[tokio::test]
async fn unknown_keys_cause_few_fetches() {
    let world = World::new().await;
    let forge = Forge::new();
    let server = KeyServer::start(keys(&[forge.es_jwk("known")])).await;
    let config = OidcConfig { refetch: Duration::from_secs(3600), ..server.config() };
    let authn = authenticator(&world, config).await;
    for number in 0..50 {
        let error = check(&authn, signed(&forge, &format!("unknown-{number}"))).await.unwrap_err();
        assert!(matches!(error, ServerError::Unauthenticated(_)), "{error}");
    }
    assert_eq!(server.asked(), 1);

    let authn = Arc::new(authenticator(&world, server.config()).await);
    pause().await;
    let asks = (0..50).map(|_| check(&authn, signed(&forge, "unknown")));
    assert!(futures::future::join_all(asks).await.iter().all(Result::is_err));
    assert_eq!(server.asked(), 3, "one fetch to begin with, one for all fifty");
}

#[tokio::test]
async fn when_the_keys_cant_be_had_the_old_ones_serve_for_a_while() {
    let world = World::new().await;
    let forge = Forge::new();
    let server = KeyServer::start(keys(&[forge.es_jwk("known")])).await;
    let keep = Duration::from_secs(2);
    let authn = authenticator(&world, OidcConfig { keep, ..server.config() }).await;
    let huge = ok(&format!("{{\"keys\":[],\"pad\":\"{}\"}}", "p".repeat(2 << 20)));
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
    let broken = [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned(),
        redirect.to_owned(),
        ok("<html>"),
        keys(&[]),
        keys(&[json!({"kty": "oct", "kid": "known", "k": "AAAA", "alg": "HS256"})]),
        huge,
        String::new(),
    ];
    for answer in broken {
        server.set(answer);
        pause().await;
        let error = check(&authn, signed(&forge, "unknown")).await.unwrap_err();
        assert!(matches!(error, ServerError::Unauthenticated(_)), "{error}");
        assert_eq!(check(&authn, signed(&forge, "known")).await.unwrap(), "eve");
    }
    assert_eq!(server.asked(), 8);
    // Then none do, and that is no fault of the caller's.
    tokio::time::sleep(keep).await;
    let error = check(&authn, signed(&forge, "known")).await.unwrap_err();
    assert!(matches!(error, ServerError::IdentityProvider { .. }), "{error}");
    let other = basic("ana", "secret-a");
    assert_eq!(check(&authn, other).await.unwrap(), "ana");

    server.set(keys(&[forge.es_jwk("known")]));
    pause().await;
    assert_eq!(check(&authn, signed(&forge, "known")).await.unwrap(), "eve");
}

#[tokio::test]
async fn a_provider_that_is_not_there_yet_stops_nobody_else() {
    let world = World::new().await;
    let forge = Forge::new();
    let server =
        KeyServer::start("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let authn = authenticator(&world, server.config()).await;
    let error = check(&authn, signed(&forge, "known")).await.unwrap_err();
    assert_eq!(error.class(), basin_catalog::ErrorClass::Unavailable);
    assert_eq!(check(&authn, basic("ana", "secret-a")).await.unwrap(), "ana");
    server.set(keys(&[forge.es_jwk("known")]));
    pause().await;
    assert_eq!(check(&authn, signed(&forge, "known")).await.unwrap(), "eve");
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_and_must_be_usable_at_the_start() {
    let world = World::new().await;
    let (old, new) = (Forge::new(), Forge::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let start = async |file: &std::path::Path| {
        let refetch = Duration::from_millis(200);
        let oidc = OidcConfig { refetch, ..oidc(KeyLocation::File(file.to_owned())) };
        let config = ServerConfig { oidc: Some(oidc), ..ServerConfig::default() };
        Authenticator::new(world.catalog.clone(), world.sealer.clone(), &config).await
    };
    assert!(matches!(start(&file).await, Err(ServerError::File { .. })));
    std::fs::write(&file, "{\"keys\":[]}").unwrap();
    assert!(matches!(start(&file).await, Err(ServerError::Config(_))));
    std::fs::write(&file, json!({"keys": [old.es_jwk("old")]}).to_string()).unwrap();
    let authn = start(&file).await.unwrap();
    std::fs::write(&file, json!({"keys": [new.es_jwk("new")]}).to_string()).unwrap();
    pause().await;
    assert_eq!(check(&authn, signed(&new, "new")).await.unwrap(), "eve");
    assert!(check(&authn, signed(&old, "old")).await.is_err());
}
