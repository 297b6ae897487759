//! A dataset of generated rows with three rollups, and short ways to ask it with and without them.

use crate::support::{World, definition, item, lines, statistics, user};
use basin_catalog::{
    Change, DatasetName, DatasetVersion, Layout, Principal, Publication, Rollup, RollupFill, RollupName,
    RollupVersion, Share, Store,
};
use basin_engine::{Engine, EngineConfig, QueryOptions, QueryRequest, exactness_query, rows_query};
use chrono::Utc;
use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const SALES: &str = "health.sales";
const ROWS: usize = 3_000;

/// Numbers that are the same in each run (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(super) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    pub(super) fn some<'a>(&mut self, of: &[&'a str], least: u64, most: u64) -> Vec<&'a str> {
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

pub(super) struct Sales {
    pub(super) world: World,
    /// An engine on the same catalog that keeps nothing in memory.
    plain: Engine,
    random: Random,
}

impl Sales {
    pub(super) async fn new() -> Self {
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
        let config = EngineConfig {
            target_partitions: 2,
            hot_bytes: 0,
            result_cache_bytes: 0,
            ..EngineConfig::default()
        };
        let plain = Engine::new(world.catalog.clone(), config).unwrap();
        let mut this = Self { world, plain, random: Random(7) };
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
    pub(super) async fn publish(&mut self, number: u64) {
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

    pub(super) fn request(&self, who: Principal, sql: &str, without_rollups: bool) -> QueryRequest {
        let options = QueryOptions { without_rollups, ..QueryOptions::default() };
        QueryRequest { principal: who, ..self.world.request_with(sql, options) }
    }

    pub(super) async fn base(&self, who: Principal, sql: &str) -> Vec<RecordBatch> {
        self.world.run(self.request(who, sql, true)).await.unwrap()
    }

    pub(super) async fn explained(&self, who: Principal, sql: &str) -> String {
        let explain = self.request(who, &format!("EXPLAIN {sql}"), false);
        lines(&self.world.run(explain).await.unwrap())
    }

    /// What the files hold, computed without rollups, hot columns and kept results.
    async fn expected(&self, who: Principal, sql: &str) -> Vec<RecordBatch> {
        let planned = self.plain.plan(self.request(who, sql, true)).await.unwrap();
        let rows = planned.authorize().await.unwrap().admit().await.unwrap().execute().unwrap();
        rows.try_collect().await.unwrap()
    }

    /// Asks in all ways, compares, and tells which rollup answered.
    pub(super) async fn same(&self, sql: &str) -> Option<&'static str> {
        let who = || user("ann", Some(statistics()));
        let plan = self.explained(who(), sql).await;
        let by = ["fine", "monthly", "daily"]
            .into_iter()
            .find(|name| plan.contains(&format!("{SALES} rollup {name}")));
        let schema = |without_rollups| async move {
            let mut request = self.request(who(), sql, without_rollups);
            request.options.without_cache = true;
            self.world.stream(request).await.unwrap().schema()
        };
        assert_eq!(schema(false).await, schema(true).await, "{sql}");
        let expected = sorted(&self.expected(who(), sql).await);
        for without_rollups in [false, true] {
            for time in ["run", "kept", "run again"] {
                let mut request = self.request(who(), sql, without_rollups);
                request.options.without_cache = time == "run again";
                let rows = self.world.stream(request).await.unwrap();
                assert_eq!(rows.shelf().is_some(), time == "kept", "{time}: {sql}");
                let rows: Vec<RecordBatch> =
                    rows.try_collect().await.unwrap_or_else(|error| unreachable!("{sql}: {error}"));
                assert_eq!(
                    sorted(&rows),
                    expected,
                    "{time}, by {by:?} unless {without_rollups}: {sql}\n{plan}"
                );
            }
        }
        by
    }
}

pub(super) fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows: Vec<String> = lines(batches).split('\n').map(ToOwned::to_owned).collect();
    rows.sort();
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    rows.push(format!("{count} rows"));
    rows
}
