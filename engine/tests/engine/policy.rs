//! Who sees what: every kind of sharing by every kind of principal; hidden is absent.

use crate::support::{World, health, principal, statistics, user};
use basin_catalog::{AsOf, Change, ErrorClass, Grantee, Principal};
use basin_engine::QueryRequest;

async fn visible(world: &World, who: Principal) -> Vec<&'static str> {
    let mut seen = vec![];
    for name in ["health.city", "health.clinic", "health.secret"] {
        let sql = format!("SELECT count(*) FROM {name}");
        match world.ask_as(who.clone(), &sql).await {
            Ok(_) => seen.push(name),
            Err(error) => assert_eq!(error.class(), ErrorClass::NotFound, "{error}"),
        }
    }
    let listed = world
        .ask_as(who.clone(), "SELECT schema_name || '.' || dataset_name FROM basin.datasets ORDER BY 1")
        .await;
    assert_eq!(listed.unwrap(), seen.join("\n"));
    let tables = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema = 'health' ORDER BY 1";
    assert_eq!(world.ask_as(who.clone(), tables).await.unwrap(), seen.join("\n"));
    let metadata = world.engine.visible(&who, &AsOf::Latest).await.unwrap();
    let names: Vec<String> = metadata
        .tables()
        .iter()
        .filter(|table| table.definition.is_some())
        .map(|table| format!("{}.{}", table.schema_name, table.name))
        .collect();
    assert_eq!(names, seen);
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn sharing_decides() {
    let world = World::new().await;
    let all = vec!["health.city", "health.clinic", "health.secret"];
    assert_eq!(visible(&world, user("ann", Some(statistics()))).await, ["health.city"]);
    assert_eq!(visible(&world, user("nobody", None)).await, ["health.city"]);
    assert_eq!(visible(&world, user("doctor", Some(health()))).await, all);
    assert_eq!(visible(&world, principal("root", None, &["admin"], None)).await, all);
    assert_eq!(visible(&world, Principal::operator()).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_open_conditional_datasets() {
    let open = ["health.city", "health.clinic"];
    let shut = ["health.city"];
    let agency = Some(statistics());
    for (to, purpose, days, who, sees) in [
        (Grantee::User("ann".parse().unwrap()), None, 1, user("ann", None), &open[..]),
        (Grantee::User("ann".parse().unwrap()), None, 1, user("bob", None), &shut[..]),
        (Grantee::User("ann".parse().unwrap()), None, -1, user("ann", None), &shut[..]),
        (Grantee::Agency(statistics()), None, 1, user("bob", agency.clone()), &open[..]),
        (
            Grantee::Role("analyst".parse().unwrap()),
            None,
            1,
            principal("bob", None, &["analyst"], None),
            &open[..],
        ),
        (Grantee::Agency(statistics()), Some("census"), 1, user("bob", agency.clone()), &shut[..]),
        (
            Grantee::Agency(statistics()),
            Some("census"),
            1,
            principal("bob", agency.clone(), &[], Some("census")),
            &open[..],
        ),
        (
            Grantee::Agency(statistics()),
            Some("census"),
            1,
            principal("bob", agency, &[], Some("other")),
            &shut[..],
        ),
    ] {
        let world = World::new().await;
        world.grant(to, purpose, days).await;
        assert_eq!(visible(&world, who).await, sees);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_holds_for_the_past_too() {
    let world = World::new().await;
    let id = world.grant(Grantee::User("ann".parse().unwrap()), None, 1).await;
    let granted = world.catalog.latest().await.unwrap();
    let sql = "SELECT count(*) FROM health.clinic";
    assert_eq!(world.ask(sql).await.unwrap(), "3");
    world.catalog.commit(&granted, "test", vec![Change::RevokeGrant(id)]).await.unwrap();
    let earlier = QueryRequest { as_of: AsOf::Snapshot(granted.id()), ..world.request(sql) };
    assert_eq!(world.run(earlier).await.unwrap_err().class(), ErrorClass::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_and_absent_read_the_same() {
    let world = World::new().await;
    for form in [
        "SELECT * FROM {}",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM {})",
        "WITH x AS (SELECT * FROM {}) SELECT 1",
        "EXPLAIN SELECT * FROM {}",
        "DESCRIBE {}",
        "SHOW COLUMNS FROM {}",
        "SELECT * FROM basin.{}",
        "SELECT (SELECT max(confirmed) FROM {})",
    ] {
        let hidden = world.ask(&form.replace("{}", "health.secret")).await.unwrap_err();
        let absent = world.ask(&form.replace("{}", "health.sacred")).await.unwrap_err();
        assert_eq!(hidden.class(), ErrorClass::NotFound, "{form}: {hidden}");
        assert_eq!(hidden.to_string(), absent.to_string().replace("sacred", "secret"), "{form}");
        assert!(!hidden.to_string().contains("clinic"), "{hidden}");
    }
    let close = world.ask("SELECT * FROM health.citty").await.unwrap_err().to_string();
    assert!(close.contains("did you mean health.city?"), "{close}");
    let bare = world.ask("SELECT * FROM city").await.unwrap_err().to_string();
    assert!(bare.contains("health.city"), "{bare}");
    let nearly = world.ask("SELECT * FROM health.clinik").await.unwrap_err().to_string();
    assert!(!nearly.contains("clinic"), "{nearly}");
}
