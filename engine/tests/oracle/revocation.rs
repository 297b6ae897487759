//! Revocation: rights that end between two calls and while rows stream, and caches that one principal fills and another
//! one reads from.

use crate::support::{World, account, lines, statistics, user};
use basin_catalog::{
    Change, DatasetName, DatasetPolicy, ErrorClass, Grant, GrantId, Grantee, Principal, RowFilter, Terms,
};
use basin_engine::{QueryRequest, ResultStream};
use bytes::Bytes;
use chrono::{Duration as Days, Utc};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_substrait::serializer::serialize_bytes;
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an open stream may go on.
const AT_MOST: Duration = Duration::from_secs(5);
/// Never ends in a test's time, and gives rows all the while.
const LONG: &str = "SELECT c.city FROM health.clinic c, generate_series(1, 2000000000) g";

/// Plans a statement as a client with its own planner does; `t` stands for the dataset.
#[expect(clippy::disallowed_methods, reason = "a planner of the client's, with no data")]
pub(crate) async fn substrait(dataset: &str, sql: &str) -> Bytes {
    let (schema, name) = dataset.split_once('.').unwrap();
    let plain = crate::worlds::batch(&[]).schema();
    let view = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => Field::new(field.name(), DataType::Utf8View, true),
        other => Field::new(field.name(), other.clone(), true),
    };
    let columns = Arc::new(Schema::new(plain.fields().iter().map(view).collect::<Vec<_>>()));
    let tables = MemorySchemaProvider::new();
    tables.register_table(name.to_owned(), Arc::new(EmptyTable::new(columns))).unwrap();
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(schema, Arc::new(tables)).unwrap();
    let context = SessionContext::new_with_config(
        SessionConfig::new().with_default_catalog_and_schema("basin", schema),
    );
    context.register_catalog("basin", Arc::new(catalog));
    serialize_bytes(&sql.replace("FROM t", &format!("FROM {dataset}")), &context).await.unwrap().into()
}

fn clinic() -> DatasetName {
    "health.clinic".parse().unwrap()
}

fn grant(until: Option<Days>) -> Grant {
    Grant {
        id: GrantId::fresh(),
        to: Grantee::User("ann".parse().unwrap()),
        dataset: clinic(),
        purpose: None,
        not_before: Utc::now() - Days::days(1),
        not_after: until.map(|until| Utc::now() + until),
        basis: "an agreement".to_owned(),
        items: None,
        rows: None,
        unmasked: BTreeSet::new(),
        exact: false,
    }
}

fn policy(rows: Option<&str>) -> Change {
    let rows = rows.map(|rows| RowFilter::try_from(rows.to_owned()).unwrap());
    Change::PutPolicy(Box::new(DatasetPolicy {
        dataset: clinic(),
        grants_only: rows.is_none(),
        terms: Terms { rows, minimum_cell: None },
        masks: BTreeMap::new(),
        basis: "a rule".to_owned(),
    }))
}

/// What ends a right, and what is left of it.
fn endings(granted: &Grant) -> Vec<(&'static str, Vec<Change>, Option<&'static str>)> {
    let narrower = Grant { items: Some(BTreeSet::from(["city".parse().unwrap()])), ..granted.clone() };
    let later = Grant { not_before: Utc::now() + Days::days(1), ..granted.clone() };
    let ended = Grant { not_after: Some(Utc::now()), ..granted.clone() };
    vec![
        ("revoked", vec![Change::RevokeGrant(granted.id.clone())], None),
        ("put off", vec![Change::PutGrant(later)], None),
        ("ended", vec![Change::PutGrant(ended)], None),
        ("user removed", vec![Change::RemoveUser("ann".parse().unwrap())], None),
        ("for fewer rows", vec![policy(Some("city = '北京'"))], Some("1")),
        ("for fewer items", vec![Change::PutGrant(narrower)], Some("3")),
    ]
}

async fn granted(until: Option<Days>) -> (World, Grant) {
    let (world, grant) = (World::new().await, grant(until));
    world.commit(vec![Change::PutGrant(grant.clone())]).await;
    (world, grant)
}

async fn open(world: &World) -> ResultStream {
    let mut stream = world.stream(world.request(LONG)).await.unwrap();
    assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    stream
}

/// Reads on until it is over; how long that took.
async fn end_of(mut stream: ResultStream, since: Instant) -> (Duration, ErrorClass) {
    loop {
        match stream.next().await {
            Some(Ok(_)) if since.elapsed() < 4 * AT_MOST => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            Some(Ok(_)) | None => panic!("the stream goes on"),
            Some(Err(error)) => return (since.elapsed(), error.class()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_is_planned_under_the_rights_of_its_execution() {
    let sql = "SELECT count(*) AS n FROM health.clinic";
    let (_, example) = granted(None).await;
    for at in 0..endings(&example).len() {
        let (world, grant) = granted(None).await;
        let (what, changes, left) = endings(&grant).swap_remove(at);
        world.engine.prepare(world.request(sql)).await.unwrap();
        assert_eq!(world.ask(sql).await.unwrap(), "3");
        world.commit(changes).await;
        let again = world.ask(sql).await;
        match left {
            Some(left) => assert_eq!(again.unwrap(), left, "{what}"),
            None => assert_eq!(again.unwrap_err().class(), ErrorClass::NotFound, "{what}"),
        }
        let prepared = world.engine.prepare(world.request("SELECT province FROM health.clinic")).await;
        assert_eq!(prepared.is_ok(), what == "for fewer rows", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_ends_when_its_rights_do() {
    let (_, example) = granted(None).await;
    let streams = (0..endings(&example).len()).map(|at| async move {
        let (world, grant) = granted(None).await;
        let (what, changes, _) = endings(&grant).swap_remove(at);
        let stream = open(&world).await;
        world.commit(changes).await;
        let (took, class) = end_of(stream, Instant::now()).await;
        assert_eq!(class, ErrorClass::PermissionDenied, "{what}");
        assert!(took < AT_MOST, "{what}: {took:?}");
    });
    futures::future::join_all(streams).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_ends_when_its_grant_is_over() {
    let (world, _) = granted(Some(Days::seconds(2))).await;
    let (took, class) = end_of(open(&world).await, Instant::now()).await;
    assert_eq!(class, ErrorClass::PermissionDenied);
    assert!(took < Duration::from_secs(2) + AT_MOST, "{took:?}");
}

/// Rows that were ready before do not leave after.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_late_gets_no_rows() {
    let (world, grant) = granted(None).await;
    let mut stream = open(&world).await;
    world.commit(vec![Change::RevokeGrant(grant.id)]).await;
    tokio::time::sleep(AT_MOST).await;
    let next = stream.next().await.unwrap();
    assert_eq!(next.map(|batch| batch.num_rows()).unwrap_err().class(), ErrorClass::PermissionDenied);
    assert!(stream.next().await.is_none());
}

/// A right that another one replaces, or that has nothing to do with the stream, does not end it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_when_nothing_is_lost() {
    let (world, _) = granted(None).await;
    let mut stream = open(&world).await;
    world
        .commit(vec![
            Change::PutUser(account("cleo", Some(statistics()), &[])),
            Change::PutGrant(Grant { to: Grantee::User("bob".parse().unwrap()), ..grant(None) }),
        ])
        .await;
    tokio::time::sleep(AT_MOST).await;
    assert!(stream.next().await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_one_fills_gives_another_nothing_more_or_less() {
    const ASKED: [&str; 9] = [
        "SELECT count(*) AS n, min(city) AS a, max(city) AS b, sum(confirmed) AS s FROM health.clinic",
        "SELECT * FROM health.clinic ORDER BY city, day",
        "SELECT city FROM health.clinic WHERE confirmed > 41",
        "SELECT count(*) AS n FROM health.clinic WHERE province = 'Hubei'",
        "SELECT province, count(*) AS n FROM health.clinic GROUP BY province ORDER BY 1",
        "EXPLAIN SELECT * FROM health.clinic WHERE confirmed > 3",
        "SELECT rows, bytes FROM basin.datasets WHERE dataset_name = 'clinic'",
        "SELECT count(*) AS n FROM health.secret",
        "SELECT a.city FROM health.clinic a JOIN health.city b ON a.city = b.city ORDER BY 1",
    ];
    let doctor = user("doctor", Some(crate::support::health()));
    let ann = user("ann", Some(statistics()));
    let mut alone: Vec<Vec<String>> = Vec::new();
    for who in [&ann, &doctor] {
        alone.push(asked(&limited().await, who, &ASKED).await);
    }
    assert_ne!(alone[0], alone[1]);
    for (first, second, expected) in [(&doctor, &ann, &alone[0]), (&ann, &doctor, &alone[1])] {
        let world = limited().await;
        asked(&world, first, &ASKED).await;
        assert_eq!(asked(&world, second, &ASKED).await, *expected);
        // And while the other one asks.
        let (_, answers) = tokio::join!(asked(&world, first, &ASKED), asked(&world, second, &ASKED));
        assert_eq!(answers, *expected);
    }
}

async fn limited() -> World {
    let (world, _) = granted(None).await;
    world.commit(vec![policy(Some("city <> '武汉'"))]).await;
    world
}

async fn asked(world: &World, who: &Principal, statements: &[&str]) -> Vec<String> {
    let mut answers = Vec::new();
    for sql in statements {
        let request = QueryRequest { principal: who.clone(), ..world.request(sql) };
        let rows = world.run(request).await.map(|rows| lines(&rows));
        answers.push(rows.unwrap_or_else(|error| error.to_string()));
    }
    answers
}
