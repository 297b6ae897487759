use basin_catalog::{DatasetDefinition, DatasetPolicy, DemandState, OrganisationCode, Terms};
use bytes::Bytes;
use chrono::Utc;

use super::*;
use crate::flight::demand::DEMAND;

fn definition(name: &str, sequence: u32, share: serde_json::Value) -> DatasetDefinition {
    let mut entry = serde_json::json!({
        "resource_code": format!("306001/{sequence:06}"), "name": {"en": name}, "abstract": {"en": name},
        "provider": "111000000000140585", "formats": ["csv"], "share_modes": ["query"], "open_type": "closed",
        "update_cycle": "day", "issued": "2020-01-19", "modified": null, "related_codes": [], "region": null,
        "grade": "general-1", "licence": "MIT", "attribution": null, "quality": [], "node_id": null
    });
    entry.as_object_mut().unwrap().extend(share.as_object().unwrap().clone());
    serde_json::from_value(serde_json::json!({
        "name": name, "entry": entry, "items": [{"name": "n", "type": "int64"}], "layout": {}, "manifest": ""
    }))
    .unwrap()
}

/// A dataset of each kind of sharing, one of them behind a policy, and a user of their provider.
async fn served() -> Served {
    let served = Served::start().await;
    let base = served.catalog.latest().await.unwrap();
    let shares = [
        ("t.shared", serde_json::json!({"share_type": "unconditional"})),
        ("t.guarded", serde_json::json!({"share_type": "unconditional"})),
        ("t.asked", serde_json::json!({"share_type": "conditional", "share_condition": "by agreement"})),
        ("t.secret", serde_json::json!({"share_type": "none", "legal_basis": "a law"})),
    ];
    let mut changes: Vec<basin_catalog::Change> = Vec::new();
    for ((name, share), sequence) in shares.into_iter().zip(1..) {
        let definition = definition(name, sequence, share);
        changes.push(basin_catalog::Change::ApplyDataset(Box::new(definition)));
    }
    changes.push(basin_catalog::Change::PutPolicy(Box::new(DatasetPolicy {
        dataset: "t.guarded".parse().unwrap(),
        grants_only: true,
        terms: Terms::default(),
        masks: std::collections::BTreeMap::new(),
        basis: "an order".to_owned(),
    })));
    let agency: OrganisationCode = "111000000000140585".parse().unwrap();
    let sam = base.users().values().find(|user| user.name.as_str() == "sam").unwrap();
    let sam = basin_catalog::User { agency: Some(agency), ..sam.as_ref().clone() };
    changes.push(basin_catalog::Change::PutUser(sam));
    served.catalog.commit(&base, "test", changes).await.unwrap();
    served
}

async fn demand(client: &mut Client, body: serde_json::Value) -> std::result::Result<String, String> {
    demand_of(client, body.to_string().into()).await
}

async fn demand_of(client: &mut Client, body: Bytes) -> std::result::Result<String, String> {
    let action = arrow_flight::Action { r#type: DEMAND.to_owned(), body };
    let mut request = tonic::Request::new(action);
    let token = format!("Bearer {}", client.token().unwrap());
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    let answer = client.inner_mut().do_action(request).await.map_err(|status| status.to_string())?;
    let results: Vec<_> = answer.into_inner().try_collect().await.map_err(|status| status.to_string())?;
    let made: serde_json::Value = serde_json::from_slice(&results[0].body).unwrap();
    Ok(made["demand"].as_str().unwrap().to_owned())
}

fn asking(dataset: &str) -> serde_json::Value {
    serde_json::json!({"dataset": dataset, "purpose": "outbreak", "reason": "a study"})
}

#[tokio::test]
async fn what_only_a_grant_opens_can_be_asked_for() {
    let served = served().await;
    let mut ana = served.ana().await;
    for name in ["t.asked", "t.guarded"] {
        let mut body = asking(name);
        body["items"] = serde_json::json!(["n"]);
        body["deadline"] = serde_json::json!("2030-01-01T00:00:00Z");
        let id = demand(&mut ana, body).await.unwrap();
        let snapshot = served.catalog.latest().await.unwrap();
        let made = &snapshot.demands()[&id.parse().unwrap()];
        assert_eq!((made.by.as_str(), made.dataset.to_string().as_str()), ("ana", name));
        assert_eq!(made.state(Utc::now()), DemandState::Open);
    }
}

#[tokio::test]
async fn what_can_not_be_asked_for_reads_as_absent() {
    let served = served().await;
    let mut ana = served.ana().await;
    let before = served.catalog.latest().await.unwrap().id();
    let absent = demand(&mut ana, asking("t.absent")).await.unwrap_err();
    assert!(absent.contains("does not exist or is not shared with you"), "{absent}");
    let id_of = |text: &str| text.split("(query id ").next().unwrap().to_owned();
    let secret = demand(&mut ana, asking("t.secret")).await.unwrap_err();
    assert_eq!(id_of(&secret).replace("secret", "absent"), id_of(&absent));
    assert_eq!(served.catalog.latest().await.unwrap().id(), before);
}

#[tokio::test]
async fn a_demand_that_can_not_be_read_is_refused() {
    let served = served().await;
    let mut ana = served.ana().await;
    for body in [
        "".to_owned(),
        "{}".to_owned(),
        asking("nowhere").to_string(),
        asking("t.asked").to_string().replace("outbreak", ""),
        asking("t.asked").to_string().replace("a study", "\\u001b[2J"),
        asking("t.asked").to_string().replace("}", ",\"rows\":\"1=1\"}"),
        asking("t.asked").to_string().replace("}", ",\"by\":\"bob\"}"),
        asking("t.asked").to_string().replace("}", ",\"deadline\":\"2000-01-01T00:00:00Z\"}"),
    ] {
        let error = demand_of(&mut ana, body.clone().into()).await.unwrap_err();
        assert_eq!(code_of(&error), Code::InvalidArgument, "{body}: {error}");
    }
}

#[tokio::test]
async fn demands_are_seen_by_who_made_them_and_who_decides() {
    let served = served().await;
    let mut ana = served.ana().await;
    demand(&mut ana, asking("t.asked")).await.unwrap();
    let sql = "SELECT state, dataset_name, user_name, purpose FROM basin.demands";
    let count = |batches: Vec<RecordBatch>| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(count(query(&mut ana, sql).await), 1);
    assert_eq!(count(query(&mut served.bob().await, sql).await), 0);
    assert_eq!(count(query(&mut served.sam().await, sql).await), 1, "the provider decides");
    // A later user of the same name does not inherit them.
    let base = served.catalog.latest().await.unwrap();
    let user = base.users().values().find(|user| user.name.as_str() == "ana").unwrap().as_ref().clone();
    let changes = vec![
        basin_catalog::Change::RemoveUser(user.name.clone()),
        basin_catalog::Change::PutUser(basin_catalog::User { created_at: Utc::now(), ..user }),
    ];
    served.catalog.commit(&base, "test", changes).await.unwrap();
    assert_eq!(count(query(&mut served.ana().await, sql).await), 0);
    assert_eq!(count(query(&mut served.sam().await, sql).await), 1);
}
