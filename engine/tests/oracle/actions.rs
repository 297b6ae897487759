//! Actions: each way to get at a dataset, tried by one principal. A way that is not here fails `nothing_is_left_out`.

use basin_catalog::{AsOf, ErrorClass, Principal};
use basin_engine::{
    Engine, EngineError, Part, Query, QueryId, QueryOptions, QueryRequest, ScalarValue, TableKind,
};
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use futures::TryStreamExt;
use std::collections::BTreeSet;

/// The columns of the table, in the order of [`try_all`].
pub(crate) const COLUMNS: [&str; 28] = [
    "prepare", "plan", "rows", "name", "group", "hand", "explain", "analyze", "describe", "param", "part",
    "tables", "columns", "constr", "datasets", "sized", "items", "versions", "deliver", "rejects", "visible",
    "keys", "copy", "write", "ingest", "policy", "past", "demand",
];

/// The engine's public functions, and the columns that try them; none where they tell nothing of data.
const FUNCTIONS: [(&str, &[&str]); 22] = [
    ("new", &[]),
    ("beside", &[]),
    ("running_here", &[]),
    ("bury", &[]),
    ("process", &[]),
    ("figures", &[]),
    ("cancel_elsewhere", &[]),
    ("may_end", &[]),
    ("since", &[]),
    ("catalog", &[]),
    ("free_places", &[]),
    ("close", &[]),
    ("roll_audit", &[]),
    ("may_demand", &["demand"]),
    ("plan", &["plan", "rows", "past"]),
    ("prepare", &["prepare"]),
    ("is_change", &["write"]),
    ("visible", &["visible"]),
    ("keys", &["keys"]),
    ("explain_policy", &["policy"]),
    ("write", &["copy", "write"]),
    ("ingest", &["ingest"]),
];

/// The system tables, and the columns that ask them; `queries` is asked once an actor, `caches`, `demands` and `running` have tests of their own, and those with no column are the
/// same for everybody.
const SYSTEM_TABLES: [(&str, &str); 18] = [
    ("basin.caches", ""),
    ("basin.datasets", "datasets"),
    ("basin.deliveries", "deliver"),
    ("basin.demands", ""),
    ("basin.items", "items"),
    ("basin.queries", ""),
    ("basin.rejects", "rejects"),
    ("basin.running", ""),
    ("basin.versions", "versions"),
    ("information_schema.columns", "columns"),
    ("information_schema.key_column_usage", "constr"),
    ("information_schema.parameters", ""),
    ("information_schema.referential_constraints", ""),
    ("information_schema.routines", ""),
    ("information_schema.schemata", ""),
    ("information_schema.table_constraints", "constr"),
    ("information_schema.tables", "tables"),
    ("information_schema.views", ""),
];

fn request(who: &Principal, sql: &str) -> QueryRequest {
    QueryRequest {
        query_id: QueryId::new(),
        principal: who.clone(),
        query: Query::Sql(sql.to_owned()),
        as_of: AsOf::Latest,
        parameters: vec![],
        options: QueryOptions::default(),
    }
}

async fn run(engine: &Engine, request: QueryRequest) -> Result<RecordBatch, EngineError> {
    let stream = engine.plan(request).await?.authorize().await?.admit().await?.execute()?;
    let schema = stream.schema();
    let batches: Vec<RecordBatch> = stream.try_collect().await?;
    Ok(concat_batches(&schema, &batches).unwrap())
}

/// A word for how it went.
fn word<T>(result: Result<T, EngineError>, done: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(value) => done(value),
        Err(EngineError::GroupsOnly { .. }) => "groups".to_owned(),
        Err(error) => match error.class() {
            ErrorClass::NotFound => "-".to_owned(),
            ErrorClass::PermissionDenied => "no".to_owned(),
            ErrorClass::InvalidInput if matches!(error, EngineError::ReadOnly(_)) => "no".to_owned(),
            ErrorClass::InvalidInput => "absent".to_owned(),
            other => format!("{other:?}: {error}"),
        },
    }
}

fn rows(batch: RecordBatch) -> String {
    batch.num_rows().to_string()
}

fn yes<T>(_: T) -> String {
    "yes".to_owned()
}

async fn count(engine: &Engine, who: &Principal, sql: &str) -> String {
    match word(run(engine, request(who, sql)).await, rows).as_str() {
        "0" => "-".to_owned(),
        other => other.to_owned(),
    }
}

/// Groups that are shown, and those that are withheld.
fn groups(batch: RecordBatch) -> String {
    match batch.column(1).null_count() {
        0 => batch.num_rows().to_string(),
        withheld => format!("{}/{withheld}", batch.num_rows() - withheld),
    }
}

/// Tries everything; one word for each of [`COLUMNS`].
pub(crate) async fn try_all(engine: &Engine, who: &Principal, dataset: &str) -> Vec<String> {
    let all = format!("SELECT * FROM {dataset}");
    let ask = |sql: String| run(engine, request(who, &sql));
    let mut words = vec![
        word(engine.prepare(request(who, &all)).await, yes),
        word(engine.plan(request(who, &all)).await, |plan| {
            plan.withdraw();
            "yes".to_owned()
        }),
        word(ask(all.clone()).await, rows),
        word(ask(format!("SELECT name FROM {dataset}")).await, |batch| {
            (batch.num_rows() - batch.column(0).null_count()).to_string()
        }),
        word(
            ask(format!("SELECT sex, count(*) AS n FROM {dataset} WHERE province = '330000' GROUP BY sex"))
                .await,
            groups,
        ),
    ];
    let hand = QueryRequest {
        query: Query::Substrait(crate::revocation::substrait(dataset, "SELECT sex FROM t").await),
        ..request(who, "")
    };
    words.push(word(run(engine, hand).await, rows));
    for sql in ["EXPLAIN SELECT sex FROM", "EXPLAIN ANALYZE SELECT sex FROM", "DESCRIBE"] {
        words.push(word(ask(format!("{sql} {dataset}")).await, yes));
    }
    let bound = format!("SELECT count(*) AS n FROM {dataset} WHERE province = $1");
    words.push(word(
        run(engine, QueryRequest { parameters: vec![ScalarValue::from("330000")], ..request(who, &bound) })
            .await,
        yes,
    ));
    let part = QueryOptions { part: Some(Part { index: 0, of: 2 }), ..QueryOptions::default() };
    words.push(word(run(engine, QueryRequest { options: part, ..request(who, &all) }).await, rows));
    words.extend(metadata(engine, who, dataset).await);
    words.extend(writes(engine, who, dataset).await);
    let explained = engine.explain_policy(request(who, &format!("SELECT 1 AS x FROM {dataset}"))).await;
    words.push(word(explained, |explained| explained.datasets[0].access.to_owned()));
    let first = engine.catalog().latest().await.unwrap().id();
    words.push(word(
        run(engine, QueryRequest { as_of: AsOf::Snapshot(first), ..request(who, &all) }).await,
        rows,
    ));
    words.push(word(engine.may_demand(who, &dataset.parse().unwrap()).await, yes));
    words
}

async fn metadata(engine: &Engine, who: &Principal, dataset: &str) -> Vec<String> {
    let (schema, name) = dataset.split_once('.').unwrap();
    let mut words = Vec::new();
    for table in ["tables", "columns", "table_constraints"] {
        let sql = format!(
            "SELECT 1 AS x FROM information_schema.{table} WHERE table_schema = '{schema}' AND table_name = '{name}'"
        );
        words.push(count(engine, who, &sql).await);
    }
    let of = format!("WHERE schema_name = '{schema}' AND dataset_name = '{name}'");
    words.push(count(engine, who, &format!("SELECT * FROM basin.datasets {of}")).await);
    words.push(count(engine, who, &format!("SELECT * FROM basin.datasets {of} AND rows IS NOT NULL")).await);
    for table in ["items", "versions", "deliveries", "rejects"] {
        words.push(count(engine, who, &format!("SELECT * FROM basin.{table} {of}")).await);
    }
    let visible = engine.visible(who, &AsOf::Latest).await.unwrap();
    let seen = visible.tables().iter().find(|table| table.schema_name == schema && table.name == name);
    words.push(seen.map_or("-".to_owned(), |table| table.schema.fields().len().to_string()));
    let keys = engine.keys(who, &AsOf::Latest).await.unwrap();
    words.push(
        if keys.primary.iter().any(|key| key.dataset.to_string() == dataset) { "yes" } else { "-" }
            .to_owned(),
    );
    words
}

/// Only whether it would be done: the changes themselves are made elsewhere.
async fn writes(engine: &Engine, who: &Principal, dataset: &str) -> Vec<String> {
    let copy = format!("CREATE TABLE copy AS SELECT * FROM {dataset}");
    let copied = match engine.write(&request(who, &copy)).await {
        // The rows of the copy are asked as any others.
        Ok(Some(write)) => {
            write.failed("only tried");
            word(run(engine, request(who, &format!("SELECT * FROM {dataset}"))).await, rows)
        }
        Ok(None) => "no".to_owned(),
        Err(error) => word::<()>(Err(error), yes),
    };
    let inserted = match engine.write(&request(who, &format!("INSERT INTO {dataset} VALUES ('x')"))).await {
        Ok(Some(write)) => {
            write.failed("only tried");
            "yes".to_owned()
        }
        Ok(None) => "no".to_owned(),
        Err(error) => word::<()>(Err(error), yes),
    };
    let (schema, name) = dataset.split_once('.').unwrap();
    let ingested =
        engine.ingest(&request(who, ""), Some(schema), name).await.map(|write| write.failed("only tried"));
    vec![copied, inserted, word(ingested, yes)]
}

/// Makes records that only some may see.
pub(crate) async fn asked_before(engine: &Engine) {
    for name in ["somebody", "else"] {
        run(engine, request(&crate::support::user(name, None), "SELECT 1")).await.unwrap();
    }
}

/// What does not depend on a dataset.
pub(crate) async fn for_actor(engine: &Engine, who: &Principal) -> String {
    let own =
        run(engine, request(who, "SELECT DISTINCT user_name FROM basin.queries ORDER BY 1")).await.unwrap();
    let whose = if own.num_rows() > 1 { "all" } else { "own" };
    let schemas =
        run(engine, request(who, "SELECT DISTINCT schema_name FROM information_schema.schemata ORDER BY 1"))
            .await
            .unwrap();
    let schemas = crate::support::lines(&[schemas]).replace('\n', ", ");
    format!("basin.queries: {whose}; schemas: {schemas}")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_out() {
    let body =
        |source: &'static str| source.split("impl Engine {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let sources = [
        include_str!("../../src/engine.rs"),
        include_str!("../../src/engine/running.rs"),
        include_str!("../../src/engine/write.rs"),
        include_str!("../../src/figures.rs"),
    ];
    let functions: BTreeSet<&str> = sources
        .into_iter()
        .flat_map(|source| body(source).lines())
        .filter_map(|line| {
            line.strip_prefix("    pub fn ").or_else(|| line.strip_prefix("    pub async fn "))
        })
        .filter_map(|line| line.split(['(', '<']).next())
        .collect();
    let known: BTreeSet<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        functions, known,
        "each public function of Engine is in FUNCTIONS, with the columns that try it"
    );
    for column in FUNCTIONS
        .iter()
        .flat_map(|(_, columns)| *columns)
        .chain(SYSTEM_TABLES.iter().map(|(_, column)| column))
    {
        assert!(column.is_empty() || COLUMNS.contains(column), "there is no column {column}");
    }
    let world = crate::support::World::new().await;
    let visible = world.engine.visible(&Principal::operator(), &AsOf::Latest).await.unwrap();
    let tables = visible.tables().iter().filter(|table| table.kind == TableKind::SystemTable);
    let tables: BTreeSet<String> =
        tables.map(|table| format!("{}.{}", table.schema_name, table.name)).collect();
    let known: BTreeSet<String> = SYSTEM_TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(tables, known, "each system table is in SYSTEM_TABLES, with the column that asks it");
}
