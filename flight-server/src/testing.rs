//! What this crate's tests share: a store in memory with three users and an organisation.

use std::collections::BTreeSet;

use basin_catalog::{
    Catalog, Change, LocalText, Node, NodeKind, Organisation, PasswordHash, Role, RoleName, Store, User,
};
use chrono::Utc;

/// Makes a catalog with the users ana (secret-a), bob (secret-b) and sam (secret-s), who has a sandbox.
pub(crate) async fn catalog() -> Catalog {
    let mut name = LocalText::default();
    name.insert("en", "test".to_owned());
    let node = Node { id: "local".parse().unwrap(), kind: NodeKind::Hub, name, region: None };
    let catalog = Catalog::create(Store::open("memory://").unwrap(), node).await.unwrap();
    let base = catalog.latest().await.unwrap();
    let mut name = LocalText::default();
    name.insert("en", "Bureau of Statistics".to_owned());
    let code = "111000000000140585".parse().unwrap();
    let organisation = Organisation { code, name, region: None, node: None };
    let sam = User { roles: BTreeSet::from([RoleName::sandbox()]), ..user("sam", "secret-s") };
    let changes = vec![
        Change::PutOrganisation(organisation),
        Change::PutRole(Role { name: RoleName::sandbox(), description: "keeps workings".to_owned() }),
        Change::PutUser(user("ana", "secret-a")),
        Change::PutUser(user("bob", "secret-b")),
        Change::PutUser(sam),
    ];
    catalog.commit(&base, "test", changes).await.unwrap();
    catalog
}

fn user(name: &str, password: &str) -> User {
    User { password: Some(PasswordHash::create(password).unwrap()), ..without_password(name) }
}

/// A user without roles whom nothing signs in yet.
pub(crate) fn without_password(name: &str) -> User {
    User {
        name: name.parse().unwrap(),
        agency: None,
        roles: BTreeSet::<RoleName>::new(),
        password: None,
        external: None,
        created_at: Utc::now(),
    }
}
