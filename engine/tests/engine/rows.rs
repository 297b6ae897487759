//! Row filters, items and masks: whatever the statement, hidden rows and values are not there.

use crate::policed::{NAME, ann, filter, grant, mask, policy, provider, rows, world};
use basin_catalog::{Change, DatasetDefinition, DatasetPolicy, ErrorClass, Grant, Mask, Sandbox, Share};
use basin_engine::QueryRequest;
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test(flavor = "multi_thread")]
async fn hidden_rows_are_in_no_result() {
    let world = world().await;
    world.commit(vec![rows("province = '33'")]).await;
    for (sql, expected) in [
        ("SELECT count(*) FROM health.people", "7"),
        ("SELECT count(*), min(income), max(income) FROM health.people", "7|100|700"),
        ("WITH p AS (SELECT * FROM health.people) SELECT count(*) FROM p a JOIN p b ON a.id = b.id", "7"),
        ("SELECT count(*) FROM (SELECT 1 FROM health.people UNION ALL SELECT 1 FROM health.people)", "14"),
        ("SELECT count(*) FROM health.people WHERE province <> '33'", "0"),
        ("SELECT count(*) FROM health.people WHERE province = '42' OR true", "7"),
        ("SELECT (SELECT max(income) FROM health.people WHERE sex = 'f')", "500"),
        (
            "SELECT count(*) FROM (SELECT 1 AS x) WHERE EXISTS (SELECT 1 FROM health.people WHERE income < 100)",
            "0",
        ),
        ("SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY income) AS n FROM health.people)", "7"),
        (
            "SELECT count(*) FROM health.people p RIGHT JOIN (VALUES ('h1')) v(id) ON p.id = v.id WHERE p.id IS NOT NULL",
            "0",
        ),
    ] {
        assert_eq!(world.ask_as(ann(None), sql).await.unwrap(), expected, "{sql}");
    }
    assert_eq!(world.ask_as(provider(), "SELECT count(*) FROM health.people").await.unwrap(), "18");
}

/// Each of these fails if it is computed on a hidden row.
#[tokio::test(flavor = "multi_thread")]
async fn no_expression_is_computed_on_a_hidden_row() {
    let world = world().await;
    world.commit(vec![rows("province = '33'")]).await;
    for sql in [
        "SELECT count(*) FROM health.people WHERE 1 / (income - 10) > -5",
        "SELECT count(*) FROM health.people WHERE CAST(CASE WHEN name = 'Jia' THEN name ELSE '1' END AS INT) = 1",
        "SELECT sum(CAST(CASE WHEN province = '42' THEN 'x' ELSE '1' END AS INT)) FROM health.people",
        "SELECT count(*) FROM health.people p JOIN (VALUES ('h1'), ('z1')) v(id) ON p.id = v.id AND 1 / (p.income - 10) > -5",
        "SELECT count(*) FROM (SELECT * FROM health.people WHERE province = '42') WHERE CAST(name AS INT) > 0",
        "SELECT count(*) FROM health.people WHERE province = '42' AND CAST(name AS INT) > 0",
        "SELECT max(CAST(name AS INT)) FILTER (WHERE province = '42') FROM health.people",
    ] {
        let answer = world.ask_as(ann(None), sql).await;
        assert!(answer.is_ok(), "{sql}: {answer:?}");
        assert!(world.ask_as(provider(), sql).await.is_err(), "{sql} fails for someone who sees all rows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_on_a_visible_row_tells_no_value() {
    let world = world().await;
    world.commit(vec![rows("province = '33'")]).await;
    let error = world.ask_as(ann(None), "SELECT CAST(name AS INT) FROM health.people").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::InvalidInput);
    let text = error.to_string();
    assert!(text.contains("converted") && !text.contains("Ai"), "{text}");
    let error = world.ask_as(provider(), "SELECT CAST(name AS INT) FROM health.people").await.unwrap_err();
    assert!(error.to_string().contains("Ai"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_widen_each_other_and_layers_narrow() {
    let world = world().await;
    let only_grants = DatasetPolicy { grants_only: true, ..policy() };
    let women = Grant { rows: Some(filter("sex = 'f'")), ..grant() };
    let zhejiang = Grant { rows: Some(filter("province = '33'")), ..grant() };
    let count = "SELECT count(*) FROM health.people";
    world.commit(vec![Change::PutPolicy(Box::new(only_grants.clone()))]).await;
    assert_eq!(world.ask_as(ann(None), count).await.unwrap_err().class(), ErrorClass::NotFound);
    world.commit(vec![Change::PutGrant(women)]).await;
    assert_eq!(world.ask_as(ann(None), count).await.unwrap(), "11");
    world.commit(vec![Change::PutGrant(zhejiang)]).await;
    assert_eq!(world.ask_as(ann(None), count).await.unwrap(), "13");
    let narrowed = match rows("income < 100") {
        Change::PutPolicy(policy) => DatasetPolicy { grants_only: true, ..*policy },
        _ => unreachable!(),
    };
    world.commit(vec![Change::PutPolicy(Box::new(narrowed))]).await;
    assert_eq!(world.ask_as(ann(None), count).await.unwrap(), "6");
    // Under a purpose, what was granted for it counts and nothing else.
    let for_audit = Grant { purpose: Some("audit".to_owned()), rows: Some(filter("sex = 'm'")), ..grant() };
    world.commit(vec![Change::PutGrant(for_audit)]).await;
    assert_eq!(world.ask_as(ann(Some("audit")), count).await.unwrap(), "3");
    assert_eq!(world.ask_as(ann(Some("other")), count).await.unwrap(), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_are_not_granted_are_not_there() {
    let world = world().await;
    let items = ["id", "province"].map(|item| item.parse().unwrap());
    let some = Grant { items: Some(BTreeSet::from(items)), ..grant() };
    world
        .commit(vec![
            Change::PutPolicy(Box::new(DatasetPolicy { grants_only: true, ..policy() })),
            Change::PutGrant(some),
        ])
        .await;
    assert_eq!(
        world.ask_as(ann(None), "SELECT * FROM health.people ORDER BY id LIMIT 1").await.unwrap(),
        "h1|42"
    );
    let hidden = world.ask_as(ann(None), "SELECT income FROM health.people").await.unwrap_err().to_string();
    let absent = world.ask_as(ann(None), "SELECT nonsen FROM health.people").await.unwrap_err().to_string();
    assert_eq!(hidden.replace("income", "nonsen"), absent);
    for sql in [
        "SELECT item_name FROM basin.items WHERE dataset_name = 'people'",
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'people'",
    ] {
        assert_eq!(world.ask_as(ann(None), sql).await.unwrap(), "id\nprovince", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_are_all_that_is_seen_of_a_value() {
    let world = world().await;
    let ask = async |sql: &str| world.ask_as(ann(None), sql).await.unwrap();
    world.commit(vec![mask("income", Mask::Range { width: 250 })]).await;
    assert_eq!(ask("SELECT DISTINCT income FROM health.people ORDER BY 1").await, "0\n250\n500");
    assert_eq!(ask("SELECT count(*) FROM health.people WHERE income = 300").await, "0");
    assert_eq!(ask("SELECT count(*) FROM health.people WHERE income = 250").await, "2");
    world.commit(vec![mask("name", Mask::Null {})]).await;
    assert_eq!(ask("SELECT count(*), count(name) FROM health.people").await, "18|0");
    assert_eq!(ask("SELECT count(*) FROM health.people WHERE name = 'Ai'").await, "0");
    world.commit(vec![mask("id", Mask::TruncatedCode { characters: 1 })]).await;
    assert_eq!(ask("SELECT id, count(*) FROM health.people GROUP BY id ORDER BY 1").await, "h|11\nz|7");
    world.commit(vec![mask("name", Mask::KeyedHash {})]).await;
    assert_eq!(ask("SELECT count(DISTINCT name) FROM health.people").await, "18");
    assert_eq!(
        ask("SELECT count(*) FROM health.people a JOIN health.people b ON a.name = b.name").await,
        "18"
    );
    assert_eq!(ask("SELECT count(*) FROM health.people WHERE name LIKE 'A%'").await, "0");
    world.commit(vec![mask("name", Mask::Deny {})]).await;
    let denied = world.ask_as(ann(None), "SELECT name FROM health.people").await.unwrap_err();
    assert_eq!(denied.class(), ErrorClass::InvalidInput);
    // A grant can show what is masked, in its rows.
    world.commit(vec![mask("income", Mask::Null {})]).await;
    let unmasked = BTreeSet::from(["income".parse().unwrap()]);
    let clear = Grant { rows: Some(filter("province = '33'")), unmasked, ..grant() };
    world.commit(vec![Change::PutGrant(clear)]).await;
    assert_eq!(ask("SELECT count(*), count(income), sum(income) FROM health.people").await, "18|7|2800");
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_of_a_limited_dataset_are_not_told() {
    let world = world().await;
    let sizes = "SELECT rows, bytes, files FROM basin.datasets WHERE dataset_name = 'people'";
    assert_eq!(world.ask_as(ann(None), sizes).await.unwrap(), "18|1000|1");
    world.commit(vec![rows("province = '33'")]).await;
    assert_eq!(world.ask_as(ann(None), sizes).await.unwrap(), "||");
    let versions = "SELECT rows, bytes FROM basin.versions WHERE dataset_name = 'people'";
    assert_eq!(world.ask_as(ann(None), versions).await.unwrap(), "|");
    let plan = world.ask_as(ann(None), "EXPLAIN SELECT * FROM health.people WHERE income > 3").await.unwrap();
    assert!(plan.contains("rows are restricted") && !plan.contains("18") && !plan.contains("'33'"), "{plan}");
    let analyze = world.ask_as(ann(None), "EXPLAIN ANALYZE SELECT * FROM health.people").await.unwrap_err();
    assert!(analyze.to_string().contains("administrators"), "{analyze}");
    let admin = crate::support::principal("root", None, &["admin"], None);
    let analysed = world.ask_as(admin, "EXPLAIN ANALYZE SELECT * FROM health.people").await.unwrap();
    assert!(analysed.contains("output_rows"), "{analysed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_applied_shows_nothing() {
    let world = world().await;
    world.commit(vec![rows("no_such_item = 1")]).await;
    let error = world.ask_as(ann(None), "SELECT count(*) FROM health.people").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::PermissionDenied, "{error}");
    assert_eq!(world.ask_as(provider(), &format!("SELECT count(*) FROM {NAME}")).await.unwrap(), "18");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_seen_while_its_source_is_seen_as_when_it_was_read() {
    let world = world().await;
    world.commit(vec![rows("province = '33'")]).await;
    let request = QueryRequest { principal: ann(None), ..world.request("SELECT * FROM health.people") };
    let planned = world.engine.plan(request).await.unwrap();
    let read = planned.provenance().remove(0);
    let sandbox = Sandbox {
        owner: "ann".parse().unwrap(),
        derived_from: BTreeSet::from([read.dataset.clone()]),
        under: BTreeMap::from([(read.dataset, read.access)]),
    };
    let share = Share::None { legal_basis: "hers".to_owned() };
    let copy = DatasetDefinition {
        name: "sandbox_ann.copy".parse().unwrap(),
        sandbox: Some(sandbox),
        ..crate::support::definition("sandbox_ann.copy", share, 78)
    };
    world.commit(vec![Change::ApplyDataset(Box::new(copy))]).await;
    let count = "SELECT count(*) FROM sandbox_ann.copy";
    assert_eq!(world.ask_as(ann(None), count).await.unwrap(), "0");
    for other in ["province = '42'", "province = '33' AND income > 0"] {
        world.commit(vec![rows(other)]).await;
        let hidden = world.ask_as(ann(None), count).await.unwrap_err();
        assert_eq!(hidden.class(), ErrorClass::NotFound, "{other}: {hidden}");
    }
    world.commit(vec![rows("province = '33'")]).await;
    assert_eq!(world.ask_as(ann(None), count).await.unwrap(), "0");
    world.commit(vec![Change::RemovePolicy(NAME.parse().unwrap())]).await;
    assert_eq!(world.ask_as(ann(None), count).await.unwrap(), "0", "it is seen as a whole now");
}
