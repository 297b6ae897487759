//! Worlds: two catalogs that look the same to one principal, and differ in all that it may not see.

use crate::limits::{ITEMS, Kind};
use crate::rows::{self, Row, Side};
use crate::support::{code, health, statistics, text};
use basin_catalog::{
    AsOf, Catalog, Change, DatasetDefinition, DatasetName, DatasetVersion, Item, ItemRole, Layout, Node,
    NodeKind, Organisation, Principal, Publication, Role, Sandbox, Store, User,
};
use basin_engine::{Engine, EngineConfig, Query, QueryId, QueryOptions, QueryRequest, ScalarValue};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What one principal is confronted with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) person: Kind,
    pub(crate) visit: Kind,
    /// Whether the principal works for an agency; without one, only what is open is shared.
    pub(crate) has_agency: bool,
    /// Whether the principal has a table of its own, made from `health.city`.
    pub(crate) has_sandbox: bool,
}

/// A name that a dataset has in one of the worlds only.
pub(crate) const HIDDEN_NAMES: [&str; 2] = ["vault_one", "vault_two"];

/// One catalog and its engine.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) ann: Principal,
    /// Whether each statement is run, though its result is kept.
    pub(crate) afresh: bool,
}

impl Scenario {
    /// What the principal sees of a dataset.
    pub(crate) fn of(self, dataset: &str) -> Kind {
        match dataset {
            "person" => self.person,
            "visit" => self.visit,
            "city" | "mine" => Kind::Whole,
            _ => Kind::Closed,
        }
    }

    /// Whether a dataset can be asked at all.
    pub(crate) fn sees(self, dataset: &str) -> bool {
        let granted = matches!(
            self.of(dataset),
            Kind::Items | Kind::Purpose | Kind::TwoGrants | Kind::PartlyGranted | Kind::PartlyUnmasked
        );
        self.of(dataset).is_visible()
            && match dataset {
                "person" | "visit" => self.has_agency || granted,
                "mine" => self.has_sandbox,
                _ => true,
            }
    }
}

impl World {
    pub(crate) async fn new(scenario: Scenario, side: Side) -> Self {
        let store = Store::open("memory://").unwrap();
        // Hashes are the same in both worlds.
        store.objects().put(&Path::from("catalog/keys/mask"), vec![7_u8; 32].into()).await.unwrap();
        let node = Node { id: "hub".parse().unwrap(), kind: NodeKind::Hub, name: text("hub"), region: None };
        let catalog = Catalog::create(store.clone(), node).await.unwrap();
        let mut changes = people(scenario);
        let hidden = format!("health.{}", HIDDEN_NAMES[usize::from(side == Side::Twin)]);
        let names = [
            "health.person",
            "health.visit",
            "health.city",
            &hidden,
            "sandbox_bob.theirs",
            "sandbox_ann.mine",
        ];
        for (name, sequence) in names.into_iter().zip(1..) {
            changes.push(Change::ApplyDataset(Box::new(definition(scenario, name, sequence))));
        }
        for dataset in ["health.person", "health.visit"] {
            let name: DatasetName = dataset.parse().unwrap();
            let kind = scenario.of(name.name());
            changes.extend(kind.policy(&name));
            changes.extend(kind.grants(&name));
        }
        for dataset in names {
            changes.push(publish(&store, scenario, dataset, side).await);
        }
        let base = catalog.latest().await.unwrap();
        catalog.commit(&base, "test", changes).await.unwrap();
        let config = EngineConfig { target_partitions: 1, ..EngineConfig::default() };
        let engine = Engine::new(catalog, config).unwrap();
        let ann = Principal::of(&ann(scenario), Some("outbreak".to_owned()));
        Self { engine, ann, afresh: false }
    }

    pub(crate) fn request(&self, sql: &str, parameters: &[ScalarValue]) -> QueryRequest {
        QueryRequest {
            query_id: QueryId::new(),
            principal: self.ann.clone(),
            query: Query::Sql(sql.to_owned()),
            as_of: AsOf::Latest,
            parameters: parameters.to_vec(),
            options: QueryOptions {
                schema: Some("health".to_owned()),
                timeout: Some(Duration::from_secs(20)),
                memory_bytes: Some(64 << 20),
                without_cache: self.afresh,
                ..QueryOptions::default()
            },
        }
    }

    /// The same world, where nothing that is kept is answered.
    pub(crate) fn afresh(&self) -> Self {
        Self { afresh: true, ..self.clone() }
    }

    /// The same world, asked by somebody who sees everything.
    pub(crate) fn unrestricted(mut self) -> Self {
        self.ann = Principal::operator();
        self
    }
}

fn ann(scenario: Scenario) -> User {
    user("ann", scenario.has_agency.then(statistics), scenario.has_sandbox.then_some("sandbox"))
}

fn user(name: &str, agency: Option<basin_catalog::OrganisationCode>, role: Option<&str>) -> User {
    User {
        name: name.parse().unwrap(),
        agency,
        roles: role.iter().map(|role| role.parse().unwrap()).collect(),
        password: None,
        external: None,
        created_at: moment(),
    }
}

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000, 0).unwrap()
}

fn people(scenario: Scenario) -> Vec<Change> {
    let organisation = |code, region: Option<&str>| {
        Change::PutOrganisation(Organisation {
            code,
            name: text("an agency"),
            region: region.map(|region| region.parse().unwrap()),
            node: None,
        })
    };
    vec![
        organisation(health(), None),
        organisation(statistics(), Some("330000")),
        organisation(code("11100000000015058"), None),
        Change::PutRole(Role { name: "sandbox".parse().unwrap(), description: "writes".to_owned() }),
        Change::PutUser(ann(scenario)),
        Change::PutUser(user("bob", Some(health()), Some("sandbox"))),
    ]
}

fn definition(scenario: Scenario, dataset: &str, sequence: u32) -> DatasetDefinition {
    let name: DatasetName = dataset.parse().unwrap();
    let mut definition = definition_of(scenario.of(name.name()), dataset, sequence);
    // Only `city` is open to everybody.
    if name.name() != "city" && definition.entry.open_type == basin_catalog::OpenType::Open {
        definition.entry.open_type = basin_catalog::OpenType::Conditional;
    }
    let owner = dataset.strip_prefix("sandbox_").and_then(|name| name.split('.').next());
    definition.sandbox = owner.map(|owner| Sandbox {
        owner: owner.parse().unwrap(),
        derived_from: BTreeSet::from(["health.city".parse().unwrap()]),
        under: BTreeMap::new(),
    });
    definition
}

/// A dataset of a kind; it is open when it is shared.
pub(crate) fn definition_of(kind: Kind, dataset: &str, sequence: u32) -> DatasetDefinition {
    let mut definition = crate::support::definition(dataset, kind.share(), sequence);
    let like = definition.items.first().unwrap().clone();
    definition.items = ITEMS
        .iter()
        .map(|item| Item {
            name: item.parse().unwrap(),
            label: text(item),
            r#type: r#type(item).parse().unwrap(),
            nullable: true,
            role: ItemRole::default(),
            ..like.clone()
        })
        .collect();
    definition.layout = Layout::default();
    kind.define(&mut definition);
    definition
}

fn r#type(item: &str) -> &'static str {
    match item {
        "day" => "date",
        "income" | "weight" => "int64",
        "rate" => "decimal(30,2)",
        _ => "text",
    }
}

/// Writes a dataset's rows, and the rows that were rejected.
async fn publish(store: &Store, scenario: Scenario, dataset: &str, side: Side) -> Change {
    let name: DatasetName = dataset.parse().unwrap();
    let files = rows::files(scenario.of(name.name()), name.name(), side);
    let batches: Vec<RecordBatch> = files.iter().map(|rows| batch(rows)).collect();
    write(store, &store.data_path(&name), &batches).await;
    write(store, &store.rejects_path(&name), &[rejected(side)]).await;
    let limited = scenario.of(name.name()) != Kind::Whole;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let version = DatasetVersion {
        number: 1,
        table_version: 0,
        rejects_version: limited.then_some(0),
        rows: rows as u64,
        bytes: if limited { side.number().unsigned_abs() } else { 1000 },
        files: 3,
        published_at: moment(),
        delivery: None,
        definition_revision: 1,
        distinct: BTreeMap::from([("id".to_owned(), rows as u64 / 2), ("name".to_owned(), rows as u64)]),
    };
    Change::Publish(Box::new(Publication { dataset: name, base_version: 0, version, delivery: None }))
}

pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let texts = |get: fn(&Row) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(get).collect::<StringArray>())
    };
    let numbers = |get: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(get(row))).collect::<Int64Array>())
    };
    let rates: Decimal128Array = rows.iter().map(|row| Some(row.rate)).collect();
    let columns: Vec<ArrayRef> = vec![
        texts(|row| Some(&row.id)),
        texts(|row| Some(&row.name)),
        texts(|row| row.province.as_deref()),
        texts(|row| Some(&row.sex)),
        Arc::new(rows.iter().map(|row| Some(row.day)).collect::<Date32Array>()),
        numbers(|row| row.income),
        Arc::new(rates.with_precision_and_scale(30, 2).unwrap()),
        numbers(|row| row.weight),
    ];
    let fields =
        ITEMS.iter().zip(&columns).map(|(item, column)| Field::new(*item, column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

pub(crate) fn rejected(side: Side) -> RecordBatch {
    let names = ["delivery", "file", "line", "raw", "rule", "item", "reason"];
    let columns: Vec<ArrayRef> = names
        .iter()
        .map(|name| -> ArrayRef {
            match *name {
                "line" => Arc::new(Int64Array::from(vec![side.number(); 2])),
                _ => Arc::new(StringArray::from(vec![side.text(1), side.text(2)])),
            }
        })
        .collect();
    let fields =
        names.iter().zip(&columns).map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

/// Writes a Delta table, one file a batch.
pub(crate) async fn write(store: &Store, folder: &Path, batches: &[RecordBatch]) {
    let fields: Vec<serde_json::Value> = batches[0]
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let kind = match field.data_type() {
                DataType::Date32 => "date",
                DataType::Int64 => "long",
                DataType::Decimal128(..) => "decimal(30,2)",
                _ => "string",
            };
            serde_json::json!({"name": field.name(), "type": kind, "nullable": true, "metadata": {}})
        })
        .collect();
    let mut log = vec![
        serde_json::json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        serde_json::json!({"metaData": {
            "id": uuid::Uuid::now_v7().to_string(), "format": {"provider": "parquet", "options": {}},
            "schemaString": serde_json::json!({"type": "struct", "fields": fields}).to_string(),
            "partitionColumns": [], "configuration": {}, "createdTime": 0}}),
    ];
    for (at, batch) in batches.iter().enumerate() {
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        let bytes = writer.into_inner().unwrap();
        let (path, size) = (format!("part-{at}.parquet"), bytes.len());
        store.objects().put(&Path::from(format!("{folder}/{path}")), bytes.into()).await.unwrap();
        log.push(serde_json::json!({"add": {
            "path": path, "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": true,
            "stats": statistics_of(batch).to_string()}}));
    }
    let text: Vec<String> = log.iter().map(ToString::to_string).collect();
    let path = Path::from(format!("{folder}/_delta_log/{:020}.json", 0));
    store.objects().put(&path, text.join("\n").into_bytes().into()).await.unwrap();
}

/// Bounds as a Delta writer notes them: they tell of hidden rows too.
fn statistics_of(batch: &RecordBatch) -> serde_json::Value {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Int64Type;
    let mut stats = serde_json::json!({"numRecords": batch.num_rows(), "minValues": {}, "maxValues": {}, "nullCount": {}});
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        stats["nullCount"][field.name()] = column.null_count().into();
        let bounds: Option<(serde_json::Value, serde_json::Value)> = match field.data_type() {
            DataType::Int64 => {
                let numbers = column.as_primitive::<Int64Type>();
                numbers
                    .iter()
                    .flatten()
                    .min()
                    .zip(numbers.iter().flatten().max())
                    .map(|(a, b)| (a.into(), b.into()))
            }
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                texts
                    .iter()
                    .flatten()
                    .min()
                    .zip(texts.iter().flatten().max())
                    .map(|(a, b)| (a.into(), b.into()))
            }
            _ => None,
        };
        if let Some((low, high)) = bounds {
            stats["minValues"][field.name()] = low;
            stats["maxValues"][field.name()] = high;
        }
    }
    stats
}
