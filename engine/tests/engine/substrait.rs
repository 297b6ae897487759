//! Substrait: plans of another planner give what SQL gives, under the same names and limits.

use crate::support::{World, lines};
use basin_engine::{EngineError, Query, QueryRequest};
use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_substrait::serializer::serialize_bytes;
use std::sync::Arc;

/// Plans a statement over tables `city` and `secret` of a schema, as a client with its own planner does.
#[expect(clippy::disallowed_methods, reason = "a planner of the client's, with no data")]
async fn plan_of(schema: &str, sql: &str) -> Bytes {
    let columns = Arc::new(Schema::new(vec![
        Field::new("city", DataType::Utf8View, false),
        Field::new("day", DataType::Date32, false),
        Field::new("confirmed", DataType::Int64, true),
        Field::new("province", DataType::Utf8View, true),
    ]));
    let tables = MemorySchemaProvider::new();
    for name in ["city", "secret", "village"] {
        tables.register_table(name.to_owned(), Arc::new(EmptyTable::new(Arc::clone(&columns)))).unwrap();
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(schema, Arc::new(tables)).unwrap();
    let config = SessionConfig::new().with_default_catalog_and_schema("basin", schema);
    let context = SessionContext::new_with_config(config);
    context.register_catalog("basin", Arc::new(catalog));
    serialize_bytes(sql, &context).await.unwrap().into()
}

async fn run(world: &World, plan: Bytes) -> Result<String, EngineError> {
    let request = QueryRequest { query: Query::Substrait(plan), ..world.request("") };
    world.run(request).await.map(|batches| lines(&batches))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_gives_what_its_statement_gives() {
    let world = World::new().await;
    for sql in [
        "SELECT city, confirmed FROM health.city WHERE confirmed > 41 ORDER BY city",
        "SELECT province, count(*) AS n, sum(confirmed) AS c FROM health.city GROUP BY province ORDER BY n, province",
        "SELECT a.city FROM health.city a JOIN health.city b ON a.confirmed = b.confirmed ORDER BY a.city DESC LIMIT 2",
    ] {
        let plan = plan_of("health", sql).await;
        let request = QueryRequest { query: Query::Substrait(plan.clone()), ..world.request("") };
        let planned = world.engine.plan(request).await.unwrap();
        let read: Vec<String> = planned.provenance().iter().map(|from| from.dataset.to_string()).collect();
        assert_eq!(read, ["health.city"]);
        assert_eq!(run(&world, plan).await.unwrap(), world.ask(sql).await.unwrap(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_and_absent_tables_read_the_same() {
    let world = World::new().await;
    let hidden = run(&world, plan_of("health", "SELECT city FROM health.secret").await).await.unwrap_err();
    let absent = run(&world, plan_of("health", "SELECT city FROM health.village").await).await.unwrap_err();
    assert!(matches!(hidden, EngineError::NotFound { .. }), "{hidden:?}");
    let (hidden, absent) = (hidden.to_string(), absent.to_string());
    assert_eq!(hidden.replace("secret", "x"), absent.replace("village", "x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plan_is_refused_and_named() {
    let world = World::new().await;
    let plan = plan_of("health", "SELECT city, count(*) FROM health.city GROUP BY city").await;
    let mut refused = 0;
    let mut broken: Vec<Bytes> =
        vec![Bytes::new(), Bytes::from_static(b"SELECT 1"), Bytes::from(vec![0x1a, 0])];
    broken.extend((1..plan.len()).step_by(7).map(|end| plan.slice(..end)));
    for at in (0..plan.len()).step_by(3) {
        let mut changed = plan.to_vec();
        changed[at] ^= 0x10;
        broken.push(changed.into());
    }
    for bytes in broken {
        match run(&world, bytes).await {
            // A changed literal or name may still be a plan.
            Ok(_) => {}
            Err(error) => {
                refused += 1;
                assert!(!matches!(error, EngineError::Internal { .. }), "{error:?}");
            }
        }
    }
    assert!(refused > 50, "{refused}");
}
