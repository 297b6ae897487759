//! A catalog in a temporary folder with a few datasets, and short ways to ask it.

use basin_catalog::{
    AsOf, Catalog, CatalogEntry, Change, DatasetDefinition, DatasetName, DatasetVersion, Grade, Grant,
    GrantId, Grantee, Item, ItemRole, Layout, LocalText, Node, NodeKind, OpenType, OrganisationCode,
    Principal, Publication, Role, RoleName, Share, ShareMode, Store, UpdateCycle, User, UserName,
};
use basin_engine::{
    Engine, EngineConfig, EngineError, Query, QueryId, QueryOptions, QueryRequest, ResultStream, ScalarValue,
};
use chrono::{NaiveDate, Utc};
use datafusion::arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) catalog: Catalog,
    pub(crate) folder: TempDir,
}

/// An organisation code with its check character (GB 32100).
pub(crate) fn code(seventeen: &str) -> OrganisationCode {
    const DIGITS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut weight = 1;
    let mut sum = 0;
    for digit in seventeen.chars() {
        sum += DIGITS.find(digit).unwrap() * weight;
        weight = weight * 3 % 31;
    }
    let check = DIGITS.chars().nth((31 - sum % 31) % 31).unwrap();
    format!("{seventeen}{check}").parse().unwrap()
}

pub(crate) fn health() -> OrganisationCode {
    code("11100000000013258")
}

pub(crate) fn statistics() -> OrganisationCode {
    code("11100000000014058")
}

pub(crate) fn text(en: &str) -> LocalText {
    let mut text = LocalText::default();
    text.insert("en", en);
    text
}

pub(crate) fn user(name: &str, agency: Option<OrganisationCode>) -> Principal {
    principal(name, agency, &[], None)
}

pub(crate) fn principal(
    name: &str,
    agency: Option<OrganisationCode>,
    roles: &[&str],
    purpose: Option<&str>,
) -> Principal {
    Principal::of(&account(name, agency, roles), purpose.map(ToOwned::to_owned))
}

pub(crate) fn account(name: &str, agency: Option<OrganisationCode>, roles: &[&str]) -> User {
    User {
        name: name.parse::<UserName>().unwrap(),
        agency,
        roles: roles.iter().map(|role| role.parse::<RoleName>().unwrap()).collect(),
        password: None,
        external: None,
        created_at: Utc::now(),
    }
}

pub(crate) fn item(name: &str, r#type: &str, nullable: bool) -> Item {
    Item {
        name: name.parse().unwrap(),
        label: text(name),
        description: LocalText::default(),
        r#type: r#type.parse().unwrap(),
        unit: None,
        nullable,
        role: ItemRole::default(),
        grade: Grade::default(),
        code_list: None,
        missing: BTreeMap::new(),
        mask: None,
    }
}

pub(crate) fn definition(name: &str, share: Share, sequence: u32) -> DatasetDefinition {
    DatasetDefinition {
        name: name.parse().unwrap(),
        entry: CatalogEntry {
            resource_code: format!("306001/{sequence:06}").parse().unwrap(),
            name: text(name),
            r#abstract: text(name),
            provider: health(),
            formats: vec!["csv".to_owned()],
            share: share.clone(),
            share_modes: BTreeSet::from([ShareMode::Query]),
            open_type: match share {
                Share::None { .. } => OpenType::Closed,
                Share::Conditional { .. } => OpenType::Conditional,
                Share::Unconditional => OpenType::Open,
            },
            update_cycle: UpdateCycle::Day,
            issued: NaiveDate::from_ymd_opt(2020, 1, 19).unwrap(),
            modified: None,
            related_codes: vec![],
            region: None,
            grade: Grade::default(),
            licence: "MIT".parse().unwrap(),
            attribution: None,
            quality: vec![],
            node_id: None,
        },
        items: vec![
            item("city", "text", false),
            item("day", "date", false),
            item("confirmed", "int64", true),
            item("province", "text", true),
        ],
        layout: Layout {
            key: vec!["city".parse().unwrap(), "day".parse().unwrap()],
            sort: vec!["day".parse().unwrap()],
            partition: vec!["province".parse().unwrap()],
            slice: vec![],
        },
        manifest: String::new(),
        terms: basin_catalog::Terms::default(),
        sandbox: None,
    }
}

fn rows(cities: &[(&str, i32, Option<i64>)]) -> RecordBatch {
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("city", DataType::Utf8, false),
        Field::new("day", DataType::Date32, false),
        Field::new("confirmed", DataType::Int64, true),
    ]));
    let city: StringArray = cities.iter().map(|row| Some(row.0)).collect();
    let day: Date32Array = cities.iter().map(|row| Some(row.1)).collect();
    let confirmed: Int64Array = cities.iter().map(|row| row.2).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(city), Arc::new(day), Arc::new(confirmed)];
    RecordBatch::try_new(schema, columns).unwrap()
}

const DELTA_SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"city","type":"string","nullable":true,"metadata":{}},{"name":"day","type":"date","nullable":true,"metadata":{}},{"name":"confirmed","type":"long","nullable":true,"metadata":{}},{"name":"province","type":"string","nullable":true,"metadata":{}}]}"#;

/// A province and its rows: city, day since 1970, confirmed.
type File<'a> = (Option<&'a str>, Vec<(&'a str, i32, Option<i64>)>);

/// Writes one version of a Delta table: one file a province.
async fn write(store: &Store, name: &DatasetName, version: u64, files: &[File<'_>]) {
    let folder = store.data_path(name);
    let mut log: Vec<serde_json::Value> = Vec::new();
    if version == 0 {
        log.push(serde_json::json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
        log.push(serde_json::json!({"metaData": {
            "id": uuid::Uuid::now_v7().to_string(), "format": {"provider": "parquet", "options": {}},
            "schemaString": DELTA_SCHEMA, "partitionColumns": ["province"], "configuration": {}, "createdTime": 0}}));
    }
    for (index, (province, cities)) in files.iter().enumerate() {
        let batch = rows(cities);
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let bytes = writer.into_inner().unwrap();
        let path = format!("part-{version}-{index}.parquet");
        let size = bytes.len();
        store.objects().put(&Path::from(format!("{folder}/{path}")), bytes.into()).await.unwrap();
        let days = cities.iter().map(|row| row.1);
        let date = |days: i32| (NaiveDate::default() + chrono::Days::new(days as u64)).to_string();
        let numbers: Vec<i64> = cities.iter().filter_map(|row| row.2).collect();
        let mut stats = serde_json::json!({
            "numRecords": cities.len(),
            "minValues": {"city": cities.iter().map(|row| row.0).min(), "day": date(days.clone().min().unwrap())},
            "maxValues": {"city": cities.iter().map(|row| row.0).max(), "day": date(days.max().unwrap())},
            "nullCount": {"city": 0, "day": 0, "confirmed": cities.len() - numbers.len()},
        });
        if !numbers.is_empty() {
            stats["minValues"]["confirmed"] = (*numbers.iter().min().unwrap()).into();
            stats["maxValues"]["confirmed"] = (*numbers.iter().max().unwrap()).into();
        }
        log.push(serde_json::json!({"add": {
            "path": path, "partitionValues": {"province": province}, "size": size, "modificationTime": 0,
            "dataChange": true, "stats": stats.to_string()}}));
    }
    let text: Vec<String> = log.iter().map(ToString::to_string).collect();
    let path = Path::from(format!("{folder}/_delta_log/{version:020}.json"));
    store.objects().put(&path, text.join("\n").into_bytes().into()).await.unwrap();
}

fn publication(name: &DatasetName, number: u64, rows: u64) -> Change {
    Change::Publish(Box::new(Publication {
        dataset: name.clone(),
        base_version: number - 1,
        version: DatasetVersion {
            number,
            table_version: number - 1,
            rejects_version: None,
            rows,
            bytes: 1000,
            files: 2,
            published_at: Utc::now(),
            delivery: None,
            definition_revision: 1,
            distinct: BTreeMap::from([("city".to_owned(), 3)]),
        },
        delivery: None,
    }))
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(EngineConfig { target_partitions: 2, ..EngineConfig::default() }).await
    }

    /// Three datasets: one shared with all, one on condition, one not shared.
    pub(crate) async fn with(config: EngineConfig) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path().to_str().unwrap()).unwrap();
        let node = Node { id: "hub".parse().unwrap(), kind: NodeKind::Hub, name: text("hub"), region: None };
        let catalog = Catalog::create(store.clone(), node).await.unwrap();
        let shares = [
            ("health.city", Share::Unconditional),
            ("health.clinic", Share::Conditional { condition: "by grant".to_owned() }),
            ("health.secret", Share::None { legal_basis: "a law".to_owned() }),
        ];
        let mut changes = vec![];
        for code in [health(), statistics()] {
            let organisation =
                basin_catalog::Organisation { code, name: text("an agency"), region: None, node: None };
            changes.push(Change::PutOrganisation(organisation));
        }
        for (share, sequence) in shares.into_iter().zip(1..) {
            changes.push(Change::ApplyDataset(Box::new(definition(share.0, share.1, sequence))));
        }
        let role = Role { name: "analyst".parse().unwrap(), description: "analyses".to_owned() };
        changes.push(Change::PutRole(role));
        for name in ["ann", "bob"] {
            changes.push(Change::PutUser(account(name, None, &[])));
        }
        let base = catalog.latest().await.unwrap();
        catalog.commit(&base, "test", changes).await.unwrap();
        let world = Self { engine: Engine::new(catalog.clone(), config).unwrap(), catalog, folder };
        for name in ["health.city", "health.clinic", "health.secret"] {
            let first = vec![("武汉", 18_272, Some(41)), ("Wuhan", 18_273, Some(45))];
            let second = vec![("北京", 18_273, None)];
            world.publish(name, 1, &[(Some("Hubei"), first), (None, second)]).await;
        }
        world
    }

    /// Commits changes on the newest snapshot.
    pub(crate) async fn commit(&self, changes: Vec<Change>) {
        let base = self.catalog.latest().await.unwrap();
        self.catalog.commit(&base, "test", changes).await.unwrap();
    }

    pub(crate) async fn publish(&self, name: &str, number: u64, files: &[File<'_>]) {
        let name: DatasetName = name.parse().unwrap();
        write(self.catalog.store(), &name, number - 1, files).await;
        let base = self.catalog.latest().await.unwrap();
        let rows = files.iter().map(|file| file.1.len() as u64).sum();
        self.catalog.commit(&base, "test", vec![publication(&name, number, rows)]).await.unwrap();
    }

    pub(crate) async fn grant(&self, to: Grantee, purpose: Option<&str>, days: i64) -> GrantId {
        let id = GrantId::fresh();
        let grant = Grant {
            id: id.clone(),
            to,
            dataset: "health.clinic".parse().unwrap(),
            purpose: purpose.map(ToOwned::to_owned),
            not_before: Utc::now() - chrono::Duration::days(10),
            not_after: Some(Utc::now() + chrono::Duration::days(days)),
            basis: "an agreement".to_owned(),
            items: None,
            rows: None,
            unmasked: BTreeSet::new(),
            exact: false,
        };
        let base = self.catalog.latest().await.unwrap();
        self.catalog.commit(&base, "test", vec![Change::PutGrant(grant)]).await.unwrap();
        id
    }

    pub(crate) fn request(&self, sql: &str) -> QueryRequest {
        QueryRequest {
            query_id: QueryId::new(),
            principal: user("ann", Some(statistics())),
            query: Query::Sql(sql.to_owned()),
            as_of: AsOf::Latest,
            parameters: vec![],
            options: QueryOptions::default(),
        }
    }

    /// The same with options.
    pub(crate) fn request_with(&self, sql: &str, options: QueryOptions) -> QueryRequest {
        QueryRequest { options, ..self.request(sql) }
    }

    pub(crate) async fn stream(&self, request: QueryRequest) -> Result<ResultStream, EngineError> {
        self.engine.plan(request).await?.authorize().await?.admit().await?.execute()
    }

    pub(crate) async fn run(&self, request: QueryRequest) -> Result<Vec<RecordBatch>, EngineError> {
        let stream = self.stream(request).await?;
        let schema = stream.schema();
        let batches: Vec<RecordBatch> = stream.try_collect().await?;
        for batch in &batches {
            assert_eq!(batch.schema(), schema);
        }
        Ok(batches)
    }

    /// Runs as an ordinary user of another agency; returns cells by `|`, rows by line.
    pub(crate) async fn ask(&self, sql: &str) -> Result<String, EngineError> {
        self.run(self.request(sql)).await.map(|batches| lines(&batches))
    }

    pub(crate) async fn ask_as(&self, who: Principal, sql: &str) -> Result<String, EngineError> {
        self.run(QueryRequest { principal: who, ..self.request(sql) }).await.map(|rows| lines(&rows))
    }

    pub(crate) async fn ask_with(&self, sql: &str, values: Vec<ScalarValue>) -> Result<String, EngineError> {
        self.run(QueryRequest { parameters: values, ..self.request(sql) }).await.map(|rows| lines(&rows))
    }
}

/// Rows as text: cells separated by `|`.
pub(crate) fn lines(batches: &[RecordBatch]) -> String {
    let table = pretty_format_batches(batches).unwrap().to_string();
    let rows = table.lines().skip(3).filter(|line| line.starts_with('|'));
    let cells = rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.join("|")
    });
    cells.collect::<Vec<_>>().join("\n")
}
