//! How users sign in, beside their passwords, as a snapshot has it: service tokens, certificates, the identity provider.
//!
//! It keeps them in order as commits change them. Whether a caller's credentials hold is decided where they are shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Snapshot;
use crate::access::{CertificateLink, User};
use crate::error::{CatalogError, Result};
use crate::ids::{Digest, TokenId, UserName};
use crate::token::ServiceToken;

const TOKEN_NAME_CHARS: usize = 100;
/// Source: OpenID Connect Core 1.0, section 2: a subject has at most 255 characters.
const SUBJECT_CHARS: usize = 255;

impl Snapshot {
    /// The service tokens, expired ones too.
    #[must_use]
    pub fn tokens(&self) -> &BTreeMap<TokenId, Arc<ServiceToken>> {
        &self.tokens
    }

    /// Which user each linked certificate stands for.
    #[must_use]
    pub fn certificates(&self) -> &BTreeMap<Digest, UserName> {
        &self.certificates
    }

    pub(super) fn put_token(&mut self, token: &ServiceToken) -> Result<()> {
        self.require_user(&token.user)?;
        let refuse = |reason: &str| Err(CatalogError::invalid(format!("token {}", token.id), reason));
        if self.tokens.contains_key(&token.id) {
            return refuse("there is one with this id; make another instead of changing it");
        }
        let name = token.name.as_str();
        let chars = name.chars().count();
        if name.trim().is_empty() || chars > TOKEN_NAME_CHARS || name.chars().any(char::is_control) {
            return refuse("its name has 1 to 100 characters and says what the token is for");
        }
        if token.expires_at <= token.created_at {
            return refuse("it expires before it begins");
        }
        self.tokens.insert(token.id.clone(), Arc::new(token.clone()));
        Ok(())
    }

    pub(super) fn revoke_token(&mut self, id: &TokenId) -> Result<()> {
        if self.tokens.remove(id).is_some() {
            return Ok(());
        }
        let hint = "; basin token list shows them".to_owned();
        Err(CatalogError::NotFound { kind: "token", name: id.to_string(), hint })
    }

    pub(super) fn link_certificate(&mut self, link: &CertificateLink) -> Result<()> {
        self.require_user(&link.user)?;
        if let Some(other) = self.certificates.get(&link.certificate).filter(|user| **user != link.user) {
            let reason = format!("it stands for user {other} already; unlink it there first");
            return Err(CatalogError::invalid(format!("certificate {}", link.certificate), reason));
        }
        self.certificates.insert(link.certificate.clone(), link.user.clone());
        Ok(())
    }

    pub(super) fn unlink_certificate(&mut self, certificate: &Digest) -> Result<()> {
        if self.certificates.remove(certificate).is_some() {
            return Ok(());
        }
        let hint = "; basin --json user list shows them".to_owned();
        Err(CatalogError::NotFound { kind: "linked certificate", name: certificate.to_string(), hint })
    }

    pub(super) fn check_external(user: &User) -> Result<()> {
        let Some(subject) = user.external.as_ref().and_then(|external| external.subject.as_deref()) else {
            return Ok(());
        };
        if !subject.is_empty() && subject.chars().count() <= SUBJECT_CHARS {
            return Ok(());
        }
        let reason = "the subject has 1 to 255 characters, as in the tokens of the identity provider";
        Err(CatalogError::invalid(format!("user {}", user.name), reason))
    }

    /// A later user of the same name must not inherit them.
    pub(super) fn end_sign_ins_of(&mut self, name: &UserName) {
        self.tokens.retain(|_, token| token.user != *name);
        self.certificates.retain(|_, user| user != name);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{TimeDelta, Utc};

    use super::*;
    use crate::access::{ExternalSignIn, User};
    use crate::{Catalog, Change, LocalText, Node, NodeKind, PasswordHash, Store, TokenSecret};

    fn user(name: &str) -> User {
        User {
            name: name.parse().unwrap(),
            agency: None,
            roles: BTreeSet::new(),
            password: None,
            external: None,
            created_at: Utc::now(),
        }
    }

    fn token(user: &str) -> ServiceToken {
        let (secret, now) = (TokenSecret::fresh(), Utc::now());
        ServiceToken {
            id: secret.id().clone(),
            name: "export".to_owned(),
            user: user.parse().unwrap(),
            hash: secret.hash(),
            created_at: now,
            expires_at: now + TimeDelta::days(90),
        }
    }

    async fn catalog() -> (Catalog, Arc<Snapshot>) {
        let mut name = LocalText::default();
        name.insert("en", "local");
        let node = Node { id: "local".parse().unwrap(), kind: NodeKind::Hub, name, region: None };
        let catalog = Catalog::create(Store::open("memory://").unwrap(), node).await.unwrap();
        let base = catalog.latest().await.unwrap();
        let users = vec![Change::PutUser(user("ana")), Change::PutUser(user("bob"))];
        let snapshot = catalog.commit(&base, "test", users).await.unwrap();
        (catalog, snapshot)
    }

    fn link(certificate: &[u8], user: &str) -> Change {
        let certificate = Digest::of(certificate);
        Change::LinkCertificate(CertificateLink { certificate, user: user.parse().unwrap() })
    }

    #[tokio::test]
    async fn a_removed_user_leaves_no_way_to_sign_in() {
        let (catalog, base) = catalog().await;
        let (kept, gone) = (token("bob"), token("ana"));
        let changes = vec![
            Change::PutToken(kept.clone()),
            Change::PutToken(gone),
            link(b"a", "ana"),
            link(b"b", "bob"),
        ];
        let base = catalog.commit(&base, "test", changes).await.unwrap();
        let gone = Change::RemoveUser("ana".parse().unwrap());
        let left = catalog.commit(&base, "test", vec![gone]).await.unwrap();
        assert_eq!(left.tokens().keys().collect::<Vec<_>>(), [&kept.id]);
        assert_eq!(left.certificates().values().map(UserName::as_str).collect::<Vec<_>>(), ["bob"]);
        let revoke = vec![Change::RevokeToken(kept.id), Change::UnlinkCertificate(Digest::of(b"b"))];
        let left = catalog.commit(&left, "test", revoke).await.unwrap();
        assert!(left.tokens().is_empty() && left.certificates().is_empty());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused() {
        let (catalog, base) = catalog().await;
        let first = token("ana");
        let changes = vec![Change::PutToken(first.clone()), link(b"a", "ana")];
        let base = catalog.commit(&base, "test", changes).await.unwrap();
        let subject = |subject: &str| Some(ExternalSignIn { subject: Some(subject.to_owned()) });
        for (change, words) in [
            (Change::PutToken(first.clone()), "make another"),
            (Change::PutToken(token("eve")), "user eve does not exist"),
            (
                Change::PutToken(ServiceToken { name: " ".to_owned(), ..token("ana") }),
                "what the token is for",
            ),
            (
                Change::PutToken(ServiceToken { expires_at: first.created_at, ..token("ana") }),
                "expires before",
            ),
            (Change::RevokeToken(token("ana").id), "basin token list"),
            (link(b"a", "bob"), "stands for user ana already"),
            (link(b"b", "eve"), "user eve does not exist"),
            (Change::UnlinkCertificate(Digest::of(b"b")), "user list"),
            (Change::PutUser(User { external: subject(""), ..user("ana") }), "1 to 255"),
        ] {
            let error = catalog.commit(&base, "test", vec![change]).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn what_was_written_before_there_were_tokens_is_read() {
        let (_, snapshot) = catalog().await;
        let text = serde_json::to_string(snapshot.as_ref()).unwrap();
        assert!(!text.contains("tokens") && !text.contains("certificates") && !text.contains("external"));
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), *snapshot);
        let hash = PasswordHash::create("secret").unwrap();
        let old = serde_json::json!({
            "name": "ana", "agency": null, "roles": [], "password": hash.as_str(), "created_at": Utc::now(),
        });
        assert_eq!(serde_json::from_value::<User>(old).unwrap().password, Some(hash));
    }
}
