//! Rollups: what is answered from one is what the dataset answers, and what can't be exact, or may not be seen, is not
//! answered from one. `BASIN_ROLLUP_QUERIES` says how many queries are generated (200).

use crate::support::{World, definition, health, item, lines, principal, statistics, user};
use basin_catalog::{
    AsOf, Change, DatasetName, DatasetPolicy, DatasetVersion, Layout, Principal, Publication, Rollup,
    RollupFill, RollupName, RollupVersion, RowFilter, Share, Store, Terms,
};
use basin_engine::{QueryOptions, QueryRequest, exactness_query, rows_query};
use chrono::Utc;
use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SALES: &str = "health.sales";
const ROWS: usize = 3_000;
const QUERIES: usize = 200;

/// Numbers that are the same in each run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    fn some<'a>(&mut self, of: &[&'a str], least: u64, most: u64) -> Vec<&'a str> {
        let wanted = least + self.below(most - least + 1);
        let mut chosen = Vec::new();
        for _ in 0..wanted {
            let one = self.one(of);
            if !chosen.contains(&one) {
                chosen.push(one);
            }
        }
        chosen
    }

    /// One of ten values is NULL.
    fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.below(10) > 0).then_some(value)
    }
}

fn sales(random: &mut Random, rows: usize) -> RecordBatch {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("region", DataType::Utf8, true),
        Field::new("kind", DataType::Utf8, false),
        Field::new("day", DataType::Date32, true),
        Field::new("moment", moment, true),
        Field::new("amount", DataType::Decimal128(12, 2), true),
        Field::new("units", DataType::Int32, true),
        Field::new("big", DataType::Int64, true),
        Field::new("price", DataType::Float64, true),
    ]));
    let mut column = |make: &mut dyn FnMut(&mut Random) -> Option<i128>| -> Vec<Option<i128>> {
        (0..rows).map(|_| make(random)).collect()
    };
    let regions = column(&mut |random| {
        let it = random.below(4);
        random.maybe(it.into())
    });
    let kinds = column(&mut |random| Some(random.below(3).into()));
    let days = column(&mut |random| {
        let it = random.below(200);
        random.maybe(i128::from(it) - 60)
    });
    let moments = column(&mut |random| {
        let it = random.below(9_000_000_000_000);
        random.maybe(i128::from(it) - 3_000_000_000_000)
    });
    let amounts = column(&mut |random| {
        let it = random.below(2_000_000);
        random.maybe(i128::from(it) - 900_000)
    });
    let units = column(&mut |random| {
        let it = random.below(40);
        random.maybe(i128::from(it) - 9)
    });
    let bigs = column(&mut |random| {
        let it = random.below(1 << 62);
        random.maybe(it.into())
    });
    let prices = column(&mut |random| {
        let it = random.below(5_000);
        random.maybe(it.into())
    });
    let decimals: Decimal128Array = amounts.into_iter().collect();
    let moments: TimestampMicrosecondArray = moments.into_iter().map(|it| it.map(|it| it as i64)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(regions.into_iter().map(|it| it.map(|it| format!("r{it}"))).collect::<StringArray>()),
        Arc::new(kinds.into_iter().map(|it| it.map(|it| format!("kind {it}"))).collect::<StringArray>()),
        Arc::new(days.into_iter().map(|it| it.map(|it| it as i32)).collect::<Date32Array>()),
        Arc::new(moments.with_timezone("UTC")),
        Arc::new(decimals.with_precision_and_scale(12, 2).unwrap()),
        Arc::new(units.into_iter().map(|it| it.map(|it| it as i32)).collect::<Int32Array>()),
        Arc::new(bigs.into_iter().map(|it| it.map(|it| it as i64)).collect::<Int64Array>()),
        Arc::new(prices.into_iter().map(|it| it.map(|it| it as f64 / 7.0)).collect::<Float64Array>()),
    ];
    RecordBatch::try_new(schema, columns).unwrap()
}

fn delta_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "string".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "long".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        other => unreachable!("no Delta type for {other}"),
    }
}

/// Adds a file to a Delta table, which it makes as version 0.
async fn write(store: &Store, folder: &Path, version: u64, batch: &RecordBatch) {
    let mut log = Vec::new();
    if version == 0 {
        let fields = batch.schema().fields().iter().map(|field| {
            serde_json::json!({"name": field.name(), "type": delta_type(field.data_type()), "nullable": true, "metadata": {}})
        }).collect::<Vec<_>>();
        let schema = serde_json::json!({"type": "struct", "fields": fields}).to_string();
        log.push(serde_json::json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
        log.push(serde_json::json!({"metaData": {
            "id": uuid::Uuid::now_v7().to_string(), "format": {"provider": "parquet", "options": {}},
            "schemaString": schema, "partitionColumns": [], "configuration": {}, "createdTime": 0}}));
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let path = format!("part-{version}.parquet");
    let stats = serde_json::json!({"numRecords": batch.num_rows()}).to_string();
    log.push(serde_json::json!({"add": {"path": path, "partitionValues": {}, "size": bytes.len(),
        "modificationTime": 0, "dataChange": true, "stats": stats}}));
    store.objects().put(&Path::from(format!("{folder}/{path}")), bytes.into()).await.unwrap();
    let text: Vec<String> = log.iter().map(ToString::to_string).collect();
    let path = Path::from(format!("{folder}/_delta_log/{version:020}.json"));
    store.objects().put(&path, text.join("\n").into_bytes().into()).await.unwrap();
}

struct Sales {
    world: World,
    random: Random,
}

impl Sales {
    async fn new() -> Self {
        let world = World::new().await;
        let mut sales = definition(SALES, Share::Unconditional, 77);
        sales.items = vec![
            item("region", "text", true),
            item("kind", "text", false),
            item("day", "date", true),
            item("moment", "timestamp(UTC)", true),
            item("amount", "decimal(12,2)", true),
            item("units", "int32", true),
            item("big", "int64", true),
            item("price", "float64", true),
        ];
        sales.layout = Layout::default();
        world.commit(vec![Change::ApplyDataset(Box::new(sales))]).await;
        let mut this = Self { world, random: Random(7) };
        this.publish(1).await;
        this.declare(
            "fine",
            &["region", "kind", "day"],
            &[
                "count(amount)",
                "sum(amount)",
                "min(amount)",
                "max(amount)",
                "max(price)",
                "sum(units)",
                "count(units)",
            ],
        )
        .await;
        this.declare(
            "monthly",
            &["region", "month(day)"],
            &["sum(amount)", "sum(units)", "count(units)", "min(units)", "sum(big)", "count(big)"],
        )
        .await;
        this.declare(
            "daily",
            &["kind", "day(moment)"],
            &["sum(units)", "max(day)", "count(big)", "max(region)"],
        )
        .await;
        this
    }

    fn name() -> DatasetName {
        SALES.parse().unwrap()
    }

    /// Publishes a version with more rows.
    async fn publish(&mut self, number: u64) {
        let batch = sales(&mut self.random, ROWS);
        let store = self.world.catalog.store();
        write(store, &store.data_path(&Self::name()), number - 1, &batch).await;
        let version = DatasetVersion {
            number,
            table_version: number - 1,
            rejects_version: None,
            rows: number * ROWS as u64,
            bytes: 1000,
            files: number,
            published_at: Utc::now(),
            delivery: None,
            definition_revision: 1,
            distinct: BTreeMap::new(),
        };
        let publication =
            Publication { dataset: Self::name(), base_version: number - 1, version, delivery: None };
        self.world.commit(vec![Change::Publish(Box::new(publication))]).await;
    }

    async fn declare(&self, name: &str, dimensions: &[&str], measures: &[&str]) {
        let declared = Rollup {
            dataset: Self::name(),
            name: name.parse::<RollupName>().unwrap(),
            dimensions: dimensions.iter().map(|text| text.parse().unwrap()).collect(),
            measures: measures.iter().map(|text| text.parse().unwrap()).collect(),
        };
        self.world.commit(vec![Change::PutRollup(Box::new(declared.clone()))]).await;
        self.fill(declared).await;
    }

    async fn fill(&self, declared: Rollup) {
        let snapshot = self.world.catalog.latest().await.unwrap();
        let state = snapshot.dataset(&Self::name()).unwrap();
        let batches = self.base(Principal::operator(), &rows_query(&declared, &state.definition)).await;
        let rows = concat_batches(&batches[0].schema(), &batches).unwrap();
        let store = self.world.catalog.store();
        write(store, &store.rollup_path(&Self::name(), &declared.name), 0, &rows).await;
        let mut exact_in_doubles = BTreeSet::new();
        if let Some((items, sql)) = exactness_query(&declared, &state.definition) {
            let told = self.base(Principal::operator(), &sql).await;
            let flags = told[0].columns().iter().map(|column| column.as_boolean().value(0));
            exact_in_doubles =
                items.into_iter().zip(flags).filter(|(_, flag)| *flag).map(|(item, _)| item).collect();
        }
        let made = RollupVersion {
            of_version: state.current().unwrap().number,
            table_version: 0,
            rows: rows.num_rows() as u64,
            bytes: 1000,
            files: 1,
            made_at: Utc::now(),
            exact_in_doubles,
        };
        self.world.commit(vec![Change::FillRollup(Box::new(RollupFill { declared, made }))]).await;
    }

    fn request(&self, who: Principal, sql: &str, without_rollups: bool) -> QueryRequest {
        let options = QueryOptions { without_rollups, ..QueryOptions::default() };
        QueryRequest { principal: who, ..self.world.request_with(sql, options) }
    }

    async fn base(&self, who: Principal, sql: &str) -> Vec<RecordBatch> {
        self.world.run(self.request(who, sql, true)).await.unwrap()
    }

    async fn explained(&self, who: Principal, sql: &str) -> String {
        let explain = self.request(who, &format!("EXPLAIN {sql}"), false);
        lines(&self.world.run(explain).await.unwrap())
    }

    /// Asks both ways, compares, and tells which rollup answered.
    async fn same(&self, sql: &str) -> Option<&'static str> {
        let who = || user("ann", Some(statistics()));
        let plan = self.explained(who(), sql).await;
        let by = ["fine", "monthly", "daily"]
            .into_iter()
            .find(|name| plan.contains(&format!("{SALES} rollup {name}")));
        let with = self.world.stream(self.request(who(), sql, false)).await.unwrap().schema();
        let without = self.world.stream(self.request(who(), sql, true)).await.unwrap().schema();
        assert_eq!(with, without, "{sql}");
        let with = self.world.run(self.request(who(), sql, false)).await;
        let with = with.unwrap_or_else(|error| unreachable!("{sql}: {error}"));
        assert_eq!(sorted(&with), sorted(&self.base(who(), sql).await), "by {by:?}: {sql}\n{plan}");
        by
    }
}

fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows: Vec<String> = lines(batches).split('\n').map(ToOwned::to_owned).collect();
    rows.sort();
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    rows.push(format!("{count} rows"));
    rows
}

const GROUPS: [&str; 10] = [
    "region",
    "kind",
    "day",
    "date_trunc('month', day)",
    "extract(year FROM day)",
    "upper(region)",
    "date_trunc('quarter', day)",
    "date_trunc('week', moment)",
    "kind || coalesce(region, '?')",
    "day > DATE '1970-02-01'",
];
const FILTERS: [&str; 11] = [
    "region = 'r1'",
    "region IS NULL",
    "kind IN ('kind 1', 'kind 2')",
    "kind LIKE '%2'",
    "day >= DATE '1970-01-15'",
    "date_trunc('month', day) = TIMESTAMP '1970-02-01'",
    "extract(month FROM day) < 4",
    "(region IS DISTINCT FROM 'r2')",
    "date_trunc('month', moment) >= TIMESTAMP '1970-02-01'",
    "kind > region",
    "units > 3",
];
const AGGREGATES: [&str; 24] = [
    "count(*)",
    "count(amount)",
    "sum(amount)",
    "min(amount)",
    "max(amount)",
    "sum(units)",
    "count(units)",
    "avg(units)",
    "min(units)",
    "sum(big)",
    "avg(big)",
    "count(big)",
    "max(price)",
    "min(day)",
    "max(kind)",
    "count(DISTINCT region)",
    "count(DISTINCT units)",
    "count(region)",
    "count(kind)",
    "sum(units) FILTER (WHERE kind = 'kind 1')",
    "count(*) FILTER (WHERE region IS NULL)",
    "sum(amount) / count(*)",
    "max(region)",
    "avg(units) FILTER (WHERE kind < 'kind 2')",
];

fn generated(random: &mut Random) -> String {
    let groups = random.some(&GROUPS, 0, 3);
    let filters = random.some(&FILTERS, 0, 2);
    let aggregates = random.some(&AGGREGATES, 1, 4);
    let columns: Vec<String> =
        groups.iter().chain(&aggregates).enumerate().map(|(at, expr)| format!("{expr} AS c{at}")).collect();
    let filter = if filters.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", filters.join(random.one(&[" AND ", " OR "])))
    };
    let source = match random.below(4) {
        0 => format!("(SELECT * FROM {SALES}{filter}) AS s"),
        1 => format!(
            "(SELECT region, kind, day, moment, amount, units, big, price FROM {SALES} AS t{filter}) AS s"
        ),
        _ => format!("{SALES}{filter}"),
    };
    let listed = groups.join(", ");
    let grouping = match (groups.len(), random.below(6)) {
        (0, _) => String::new(),
        (_, 0) => format!(" GROUP BY ROLLUP ({listed})"),
        (_, 1) => format!(" GROUP BY CUBE ({listed})"),
        (_, 2) => format!(" GROUP BY GROUPING SETS (({listed}), ())"),
        _ => format!(" GROUP BY {listed}"),
    };
    let having = if random.below(4) == 0 { " HAVING count(*) > 20" } else { "" };
    let query = format!("SELECT {} FROM {source}{grouping}{having}", columns.join(", "));
    match random.below(5) {
        0 => format!("WITH q AS ({query}) SELECT count(*), max(c0) FROM q"),
        _ => query,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_queries_are_answered_alike() {
    let sales = Sales::new().await;
    let queries =
        std::env::var("BASIN_ROLLUP_QUERIES").ok().and_then(|text| text.parse().ok()).unwrap_or(QUERIES);
    let mut random = Random(20_201_125);
    let mut answered: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..queries {
        if let Some(by) = sales.same(&generated(&mut random)).await {
            *answered.entry(by).or_default() += 1;
        }
    }
    println!("{queries} queries, answered from rollups: {answered:?}");
    assert!(answered.len() == 3, "{answered:?}");
    assert!(answered.values().sum::<usize>() * 4 > queries, "too few: {answered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollup_can_tell_it_tells() {
    let sales = Sales::new().await;
    for (sql, by) in [
        ("SELECT region, sum(amount) FROM health.sales GROUP BY region", "fine"),
        ("SELECT region, avg(units), min(units) FROM health.sales GROUP BY region", "monthly"),
        (
            "SELECT extract(year FROM day) AS y, sum(big) FROM health.sales GROUP BY y ORDER BY y LIMIT 1",
            "monthly",
        ),
        ("SELECT date_trunc('day', moment) AS d, count(*) FROM health.sales GROUP BY d", "daily"),
        ("SELECT sum(units) FROM health.sales WHERE region = 'nowhere'", "monthly"),
        ("SELECT count(*), count(amount), max(amount) FROM health.sales WHERE kind = 'nothing'", "fine"),
        ("SELECT region FROM health.sales GROUP BY region HAVING count(*) > 100", "monthly"),
    ] {
        // `fine` and `monthly` may both do; the smaller one is taken.
        let found = sales.same(sql).await;
        assert!(found == Some(by) || (by == "fine" && found == Some("monthly")), "{found:?}: {sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_exact_is_read_from_the_dataset() {
    let sales = Sales::new().await;
    for sql in [
        "SELECT region, count(DISTINCT units) FROM health.sales GROUP BY region",
        "SELECT region, sum(DISTINCT units) FROM health.sales GROUP BY region",
        "SELECT region, sum(amount) FROM health.sales WHERE units > 3 GROUP BY region",
        "SELECT region, sum(amount) FILTER (WHERE units > 3) FROM health.sales GROUP BY region",
        "SELECT region, avg(big) FROM health.sales GROUP BY region",
        "SELECT units, count(*) FROM health.sales GROUP BY units",
        "SELECT region, sum(amount + 1) FROM health.sales GROUP BY region",
        "SELECT region, min(big) FROM health.sales GROUP BY region",
        "SELECT date_trunc('week', day) AS w, sum(big) FROM health.sales GROUP BY w",
        "SELECT region, count(*) FROM (SELECT * FROM health.sales LIMIT 10000) AS s GROUP BY region",
        "SELECT s.region, count(*) FROM health.sales AS s JOIN health.city AS c ON s.region = c.city GROUP BY s.region",
        "SELECT count(*), max(amount) FROM health.sales",
    ] {
        assert_eq!(sales.same(sql).await, None, "{sql}");
    }
    // Nothing of its kind is answered alike twice.
    let random = sales
        .explained(
            user("ann", Some(statistics())),
            "SELECT region, count(*) FROM health.sales WHERE random() < 0.5 GROUP BY region",
        )
        .await;
    assert!(!random.contains("rollup"), "{random}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_version_that_is_read_is_told() {
    let mut sales = Sales::new().await;
    let sql = "SELECT region, kind, sum(amount), count(*) FROM health.sales GROUP BY region, kind";
    let before = sales.world.catalog.latest().await.unwrap().id();
    assert_eq!(sales.same(sql).await, Some("fine"));
    let old = sorted(&sales.base(Principal::operator(), sql).await);
    sales.publish(2).await;
    assert_eq!(sales.same(sql).await, None);
    let as_of = QueryRequest {
        as_of: AsOf::Snapshot(before),
        ..sales.request(user("ann", Some(statistics())), sql, false)
    };
    assert_eq!(sorted(&sales.world.run(as_of.clone()).await.unwrap()), old);
    let explain = QueryRequest { query: basin_engine::Query::Sql(format!("EXPLAIN {sql}")), ..as_of };
    assert!(lines(&sales.world.run(explain).await.unwrap()).contains("rollup fine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_limited_gets_the_dataset_under_the_limits() {
    let sales = Sales::new().await;
    let rows: RowFilter = serde_json::from_value("region = 'r1'".into()).unwrap();
    let policy = DatasetPolicy {
        dataset: SALES.parse().unwrap(),
        terms: Terms { rows: Some(rows), ..Terms::default() },
        grants_only: false,
        masks: BTreeMap::new(),
        basis: "a law".to_owned(),
    };
    sales.world.commit(vec![Change::PutPolicy(Box::new(policy))]).await;
    let sql = "SELECT region, count(*) FROM health.sales GROUP BY region";
    let ann = || user("ann", Some(statistics()));
    assert!(!sales.explained(ann(), sql).await.contains("rollup"));
    let answer = lines(&sales.world.run(sales.request(ann(), sql, false)).await.unwrap());
    assert!(answer.starts_with("r1|") && answer.lines().count() == 1, "{answer}");
    // The provider sees all of it.
    let provider = principal("eve", Some(health()), &[], None);
    assert!(sales.explained(provider, sql).await.contains("rollup"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_reaches_a_rollup() {
    let sales = Sales::new().await;
    for name in
        ["\"health.sales rollup fine\"", "health.\"sales rollup fine\"", "health.fine", "rollups.fine"]
    {
        let error =
            sales.world.ask_as(Principal::operator(), &format!("SELECT * FROM {name}")).await.unwrap_err();
        assert!(
            error.to_string().contains("does not exist") || error.to_string().contains("not found"),
            "{error}"
        );
    }
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%fine%' OR table_name LIKE '%rollup%'";
    assert_eq!(sales.world.ask_as(Principal::operator(), tables).await.unwrap(), "");
}
