//! Demands: made once, decided once, by a grant of no more than was asked.

use std::collections::BTreeSet;

use super::*;
use crate::access::{Grant, Grantee, User};
use crate::demand::{Decision, Demand, DemandState, Verdict};
use crate::ids::{DemandId, GrantId};

fn user(name: &str) -> Change {
    Change::PutUser(User {
        name: name.parse().unwrap(),
        agency: None,
        roles: BTreeSet::new(),
        password: None,
        external: None,
        created_at: Utc::now(),
    })
}

async fn with_users() -> (Catalog, Arc<Snapshot>) {
    let (catalog, base) = with_dataset(Store::open("memory://").unwrap()).await;
    let base = catalog.commit(&base, "test", vec![user("ann"), user("bob")]).await.unwrap();
    (catalog, base)
}

fn demand() -> Demand {
    Demand {
        id: DemandId::fresh(),
        by: "ann".parse().unwrap(),
        agency: None,
        dataset: "health.city".parse().unwrap(),
        items: Some(BTreeSet::from(["confirmed".parse().unwrap()])),
        rows: Some("confirmed > 1".parse().unwrap()),
        purpose: "outbreak".to_owned(),
        reason: "a study".to_owned(),
        until: None,
        deadline: None,
        made_at: Utc::now(),
        decision: None,
    }
}

fn grant(demand: &Demand) -> Grant {
    Grant {
        id: GrantId::fresh(),
        to: Grantee::User(demand.by.clone()),
        dataset: demand.dataset.clone(),
        purpose: Some(demand.purpose.clone()),
        not_before: Utc::now(),
        not_after: None,
        basis: "an order".to_owned(),
        items: demand.items.clone(),
        rows: demand.rows.clone(),
        unmasked: BTreeSet::new(),
        exact: false,
    }
}

fn decide(demand: &Demand, outcome: Verdict) -> Change {
    let decision = Decision { outcome, basis: "an order".to_owned(), by: "eve".to_owned(), at: Utc::now() };
    Change::DecideDemand { id: demand.id.clone(), decision }
}

fn put(demand: &Demand) -> Change {
    Change::PutDemand(Box::new(demand.clone()))
}

#[tokio::test]
async fn a_demand_is_decided_once() {
    let (catalog, base) = with_users().await;
    let (asked, other) = (demand(), demand());
    let base = catalog.commit(&base, "ann", vec![put(&asked), put(&other)]).await.unwrap();
    assert_eq!(base.demands()[&asked.id].state(Utc::now()), DemandState::Open);
    let given = grant(&asked);
    let changes = vec![Change::PutGrant(given.clone()), decide(&asked, Verdict::Granted(given.id.clone()))];
    let base = catalog.commit(&base, "eve", changes).await.unwrap();
    assert_eq!(base.demands()[&asked.id].state(Utc::now()), DemandState::Granted);
    let base = catalog.commit(&base, "eve", vec![decide(&other, Verdict::Refused)]).await.unwrap();
    for again in [decide(&asked, Verdict::Refused), put(&asked), decide(&other, Verdict::Granted(given.id))] {
        let error = catalog.commit(&base, "eve", vec![again]).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{error}");
    }
    let reopened = Catalog::open(catalog.store().clone()).await.unwrap().latest().await.unwrap();
    assert_eq!(reopened.demands(), base.demands());
}

#[tokio::test]
async fn a_grant_of_more_does_not_decide() {
    let (catalog, base) = with_users().await;
    let asked = demand();
    let base = catalog.commit(&base, "ann", vec![put(&asked)]).await.unwrap();
    let fits = grant(&asked);
    for wider in [
        Grant { to: Grantee::User("bob".parse().unwrap()), ..fits.clone() },
        Grant { purpose: None, ..fits.clone() },
        Grant { purpose: Some("other".to_owned()), ..fits.clone() },
        Grant { items: None, ..fits.clone() },
        Grant { items: Some(BTreeSet::from(["day".parse().unwrap()])), ..fits.clone() },
        Grant { rows: None, ..fits.clone() },
        Grant { exact: true, ..fits.clone() },
        Grant { unmasked: BTreeSet::from(["confirmed".parse().unwrap()]), ..fits.clone() },
    ] {
        let outcome = Verdict::Granted(wider.id.clone());
        let changes = vec![Change::PutGrant(wider), decide(&asked, outcome)];
        let error = catalog.commit(&base, "eve", changes).await.unwrap_err();
        assert!(error.to_string().contains("more than was asked"), "{error}");
    }
    for outcome in [Verdict::Granted(GrantId::fresh()), Verdict::Ended] {
        assert!(catalog.commit(&base, "eve", vec![decide(&asked, outcome)]).await.is_err());
    }
    assert_eq!(catalog.latest().await.unwrap().id(), base.id());
}

#[tokio::test]
async fn removing_a_user_ends_what_waits_and_keeps_the_record() {
    let (catalog, base) = with_users().await;
    let (open, refused) = (demand(), demand());
    let changes = vec![put(&open), put(&refused), decide(&refused, Verdict::Refused)];
    let base = catalog.commit(&base, "ann", changes).await.unwrap();
    let name = "ann".parse().unwrap();
    let base = catalog.commit(&base, "eve", vec![Change::RemoveUser(name)]).await.unwrap();
    let state = |demand: &Demand| base.demands()[&demand.id].state(Utc::now());
    assert_eq!((state(&open), state(&refused)), (DemandState::Ended, DemandState::Refused));
    let base = catalog.commit(&base, "eve", vec![user("ann")]).await.unwrap();
    let late = vec![decide(&open, Verdict::Refused)];
    assert!(catalog.commit(&base, "eve", late).await.unwrap_err().to_string().contains("already"));
}

#[tokio::test]
async fn demands_that_do_not_fit_are_refused() {
    let (catalog, base) = with_users().await;
    let yesterday = Utc::now() - chrono::Duration::days(1);
    let past = Some(yesterday);
    for wrong in [
        Demand { by: "zoe".parse().unwrap(), ..demand() },
        Demand { dataset: "health.town".parse().unwrap(), ..demand() },
        Demand { agency: Some("111000000000140585".parse().unwrap()), ..demand() },
        Demand { purpose: " ".to_owned(), ..demand() },
        Demand { reason: "x".repeat(1001), ..demand() },
        Demand { reason: "\u{1b}[2J".to_owned(), ..demand() },
        Demand { deadline: past, ..demand() },
        Demand { until: past, ..demand() },
        Demand { items: Some(BTreeSet::new()), ..demand() },
    ] {
        assert!(base.check(&[put(&wrong)]).is_err(), "{wrong:?}");
        assert!(catalog.commit(&base, "ann", vec![put(&wrong)]).await.is_err(), "{wrong:?}");
    }
    let many: Vec<Change> = (0..Demand::MOST_OPEN).map(|_| put(&demand())).collect();
    let base = catalog.commit(&base, "ann", many).await.unwrap();
    let error = catalog.commit(&base, "ann", vec![put(&demand())]).await.unwrap_err();
    assert!(error.to_string().contains("wait"), "{error}");
    let late = Demand { deadline: past, made_at: yesterday - chrono::Duration::days(1), ..demand() };
    assert_eq!(late.state(Utc::now()), DemandState::Overdue);
    let bobs = Demand { by: "bob".parse().unwrap(), ..late };
    assert!(base.check(&[put(&bobs)]).is_ok());
}
