//! What this crate's tests share: a store in memory with two users.

use std::collections::BTreeSet;

use basin_catalog::{Catalog, Change, LocalText, Node, NodeKind, PasswordHash, RoleName, Store, User};
use chrono::Utc;

/// Makes a catalog with the users ana (secret-a) and bob (secret-b).
pub(crate) async fn catalog() -> Catalog {
    let mut name = LocalText::default();
    name.insert("en", "test".to_owned());
    let node = Node { id: "local".parse().unwrap(), kind: NodeKind::Hub, name, region: None };
    let catalog = Catalog::create(Store::open("memory://").unwrap(), node).await.unwrap();
    let base = catalog.latest().await.unwrap();
    let changes = vec![Change::PutUser(user("ana", "secret-a")), Change::PutUser(user("bob", "secret-b"))];
    catalog.commit(&base, "test", changes).await.unwrap();
    catalog
}

fn user(name: &str, password: &str) -> User {
    User {
        name: name.parse().unwrap(),
        agency: None,
        roles: BTreeSet::<RoleName>::new(),
        password: PasswordHash::create(password).unwrap(),
        created_at: Utc::now(),
    }
}
