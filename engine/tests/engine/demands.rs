//! Who may ask for what, and who sees that it was asked: every kind of sharing by every kind of principal.

use crate::support::{World, health, principal, statistics, user};
use basin_catalog::{Change, DatasetPolicy, Demand, DemandId, ErrorClass, Principal, RoleName, Terms, User};
use chrono::Utc;
use std::collections::{BTreeMap, BTreeSet};

const DATASETS: [&str; 4] = ["health.city", "health.clinic", "health.secret", "health.absent"];

/// `+` may ask, `-` reads as absent, `!` is told that no grant helps.
async fn may_ask(world: &World, who: &Principal) -> String {
    let mut line = String::new();
    for name in DATASETS {
        let asked = world.engine.may_demand(who, &name.parse().unwrap()).await;
        line.push(match asked {
            Ok(()) => '+',
            Err(error) if error.class() == ErrorClass::NotFound => {
                let absent = world.engine.may_demand(who, &"health.absent".parse().unwrap()).await;
                let absent = absent.unwrap_err().to_string();
                assert_eq!(error.to_string(), absent.replace("health.absent", name));
                '-'
            }
            Err(error) => {
                assert!(error.to_string().contains("its provider's alone"), "{error}");
                '!'
            }
        });
    }
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_grant_could_open_may_be_asked_for() {
    let world = World::new().await;
    let people = [
        ("agency", user("ann", Some(statistics()))),
        ("nobody", user("bob", None)),
        ("provider", user("doctor", Some(health()))),
        ("administrator", principal("root", None, &["admin"], None)),
    ];
    // city is shared with agencies, clinic on condition, secret with nobody.
    let mut table = String::new();
    for (kind, who) in &people {
        table.push_str(&format!("{kind}: {}\n", may_ask(&world, who).await));
    }
    assert_eq!(table, "agency: ++--\nnobody: ++--\nprovider: ++!-\nadministrator: ++!-\n");
    let policy = DatasetPolicy {
        dataset: "health.city".parse().unwrap(),
        grants_only: true,
        terms: Terms::default(),
        masks: BTreeMap::new(),
        basis: "an order".to_owned(),
    };
    let base = world.catalog.latest().await.unwrap();
    world.catalog.commit(&base, "test", vec![Change::PutPolicy(Box::new(policy))]).await.unwrap();
    for (kind, who) in &people[..2] {
        assert_eq!(may_ask(&world, who).await, "++--", "{kind} under grants only");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demand_is_seen_by_its_user_and_by_who_decides() {
    let world = World::new().await;
    let demand = Demand {
        id: DemandId::fresh(),
        by: "ann".parse().unwrap(),
        agency: None,
        dataset: "health.clinic".parse().unwrap(),
        items: Some(BTreeSet::from(["city".parse().unwrap()])),
        rows: None,
        purpose: "census".to_owned(),
        reason: "a study".to_owned(),
        until: None,
        deadline: None,
        made_at: Utc::now(),
        decision: None,
    };
    let base = world.catalog.latest().await.unwrap();
    world.catalog.commit(&base, "ann", vec![Change::PutDemand(Box::new(demand))]).await.unwrap();
    let sql = "SELECT state, dataset_name, user_name, items, purpose FROM basin.demands";
    let seen = "open|clinic|ann|city|census";
    for (who, sees) in [
        (user("ann", None), seen),
        (user("bob", None), ""),
        (user("bob", Some(statistics())), ""),
        (user("doctor", Some(health())), seen),
        (principal("root", None, &["admin"], None), seen),
    ] {
        assert_eq!(world.ask_as(who.clone(), sql).await.unwrap(), sees, "{who:?}");
    }
    let base = world.catalog.latest().await.unwrap();
    let ann = base.users().values().find(|user| user.name.as_str() == "ann").unwrap();
    let ann = User { created_at: Utc::now(), roles: BTreeSet::<RoleName>::new(), ..ann.as_ref().clone() };
    let changes = vec![Change::RemoveUser(ann.name.clone()), Change::PutUser(ann)];
    world.catalog.commit(&base, "test", changes).await.unwrap();
    assert_eq!(world.ask_as(user("ann", None), sql).await.unwrap(), "", "a later user of the name");
    let ended = world.ask_as(user("doctor", Some(health())), sql).await.unwrap();
    assert_eq!(ended, seen.replace("open", "ended"));
}
