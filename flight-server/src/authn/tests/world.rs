//! A store whose users sign in in every way, and a server's authentication over it.

use basin_catalog::{CertificateLink, Change, Digest, ExternalSignIn, ServiceToken, TokenSecret, User};
use chrono::TimeDelta;

use super::forge::{AUDIENCE, Forge, ISSUER};
use super::*;
use crate::config::{KeyLocation, OidcConfig, TokenAlgorithm};

pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) sealer: Sealer,
    pub(super) authn: Authenticator,
    pub(super) forge: Forge,
    /// Of ana; good.
    pub(super) secret: TokenSecret,
    /// Of bob; good.
    pub(super) bobs: TokenSecret,
    /// Of ana, over since yesterday.
    pub(super) expired: TokenSecret,
    /// Of ana, revoked.
    pub(super) revoked: TokenSecret,
    /// Of somebody who was removed.
    pub(super) orphaned: TokenSecret,
    /// Holds the key set.
    _folder: tempfile::TempDir,
}

pub(super) fn oidc(keys: KeyLocation) -> OidcConfig {
    OidcConfig {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        algorithms: vec![TokenAlgorithm::RS256, TokenAlgorithm::ES256, TokenAlgorithm::EdDSA],
        keys,
        user_claim: "preferred_username".to_owned(),
        leeway: Duration::from_secs(60),
        refresh: Duration::from_secs(900),
        keep: Duration::from_secs(3600),
        refetch: Duration::from_secs(10),
    }
}

pub(super) fn certificate(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

pub(super) fn kept(secret: &TokenSecret, user: &str, days: i64) -> ServiceToken {
    let created_at = Utc::now() - TimeDelta::days(90);
    ServiceToken {
        id: secret.id().clone(),
        name: "export".to_owned(),
        user: user.parse().unwrap(),
        hash: secret.hash(),
        created_at,
        expires_at: Utc::now() + TimeDelta::days(days),
    }
}

fn external(name: &str, subject: Option<&str>) -> Change {
    let external = Some(ExternalSignIn { subject: subject.map(ToOwned::to_owned) });
    Change::PutUser(User { external, ..testing::without_password(name) })
}

fn link(of: &str) -> Change {
    Change::LinkCertificate(CertificateLink { certificate: certificate(of), user: of.parse().unwrap() })
}

impl World {
    /// ana, bob and sam have passwords; eve and uma come by the provider, uma with one subject only; gone was removed.
    pub(super) async fn new() -> Self {
        let catalog = testing::catalog().await;
        let [secret, bobs, expired, revoked, orphaned] = std::array::from_fn(|_| TokenSecret::fresh());
        let changes = vec![
            external("eve", None),
            external("uma", Some("subject of uma")),
            external("gone", None),
            link("ana"),
            link("bob"),
            link("gone"),
            Change::PutToken(kept(&secret, "ana", 1)),
            Change::PutToken(kept(&bobs, "bob", 1)),
            Change::PutToken(kept(&expired, "ana", -1)),
            Change::PutToken(kept(&revoked, "ana", 1)),
            Change::PutToken(kept(&orphaned, "gone", 1)),
        ];
        let base = catalog.latest().await.unwrap();
        let base = catalog.commit(&base, "test", changes).await.unwrap();
        let ends =
            vec![Change::RevokeToken(revoked.id().clone()), Change::RemoveUser("gone".parse().unwrap())];
        catalog.commit(&base, "test", ends).await.unwrap();

        let (forge, folder) = (Forge::new(), tempfile::tempdir().unwrap());
        let file = folder.path().join("keys.json");
        std::fs::write(&file, forge.jwks().to_string()).unwrap();
        let config = ServerConfig { oidc: Some(oidc(KeyLocation::File(file))), ..ServerConfig::default() };
        let sealer = Sealer::of(&catalog).await.unwrap();
        let authn = Authenticator::new(catalog.clone(), sealer.clone(), &config).await.unwrap();
        Self { catalog, sealer, authn, forge, secret, bobs, expired, revoked, orphaned, _folder: folder }
    }

    pub(super) async fn change(&self, changes: Vec<Change>) {
        let base = self.catalog.latest().await.unwrap();
        self.catalog.commit(&base, "test", changes).await.unwrap();
    }

    pub(super) async fn bearer(&self, token: &str) -> Result<Identity> {
        self.authn.check(Credentials::Bearer(token.to_owned()), &Peer::default()).await
    }
}
