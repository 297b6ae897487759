//! A dataset of people under every kind of limit, for the tests of policy.

use crate::support::{World, health, statistics};
use basin_catalog::{
    Change, DatasetDefinition, DatasetName, DatasetPolicy, DatasetVersion, Grant, GrantId, Grantee, Item,
    ItemRole, Layout, Mask, MinimumCell, Principal, Publication, RowFilter, Share, Store, Terms,
};
use chrono::Utc;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A person: id, name, province, sex, income.
pub(crate) type Person = (&'static str, &'static str, &'static str, &'static str, i64);

/// Zhejiang has five women and two men, Hubei six women and five men.
pub(crate) const PEOPLE: [Person; 18] = [
    ("z1", "Ai", "33", "f", 100),
    ("z2", "Bao", "33", "f", 200),
    ("z3", "Cai", "33", "f", 300),
    ("z4", "Dan", "33", "f", 400),
    ("z5", "Fen", "33", "f", 500),
    ("z6", "Gang", "33", "m", 600),
    ("z7", "Hao", "33", "m", 700),
    ("h1", "Jia", "42", "f", 10),
    ("h2", "Kun", "42", "f", 20),
    ("h3", "Lan", "42", "f", 30),
    ("h4", "Mei", "42", "f", 40),
    ("h5", "Na", "42", "f", 50),
    ("h6", "Ou", "42", "f", 60),
    ("h7", "Pan", "42", "m", 70),
    ("h8", "Qi", "42", "m", 80),
    ("h9", "Rui", "42", "m", 90),
    ("h10", "Shan", "42", "m", 110),
    ("h11", "Tao", "42", "m", 120),
];

pub(crate) const NAME: &str = "health.people";

fn item(name: &str, r#type: &str, role: ItemRole) -> Item {
    Item { role, ..crate::support::item(name, r#type, true) }
}

pub(crate) fn definition(share: Share) -> DatasetDefinition {
    DatasetDefinition {
        name: NAME.parse().unwrap(),
        items: vec![
            item("id", "text", ItemRole::UnitId),
            item("name", "text", ItemRole::Attribute),
            item("province", "text", ItemRole::Region),
            item("sex", "text", ItemRole::Dimension),
            item("income", "int64", ItemRole::Measure),
        ],
        layout: Layout { key: vec!["id".parse().unwrap()], ..Layout::default() },
        ..crate::support::definition(NAME, share, 77)
    }
}

fn batch(people: &[Person]) -> RecordBatch {
    let texts = |get: fn(&Person) -> &'static str| -> ArrayRef {
        Arc::new(people.iter().map(|person| Some(get(person))).collect::<StringArray>())
    };
    let income: ArrayRef = Arc::new(people.iter().map(|person| Some(person.4)).collect::<Int64Array>());
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let schema = Schema::new(vec![
        field("id", DataType::Utf8),
        field("name", DataType::Utf8),
        field("province", DataType::Utf8),
        field("sex", DataType::Utf8),
        field("income", DataType::Int64),
    ]);
    let columns = vec![texts(|p| p.0), texts(|p| p.1), texts(|p| p.2), texts(|p| p.3), income];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// Writes a Delta table of one file.
async fn write(store: &Store, name: &DatasetName, batch: &RecordBatch) {
    let folder = store.data_path(name);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let size = bytes.len();
    store.objects().put(&Path::from(format!("{folder}/part-0.parquet")), bytes.into()).await.unwrap();
    let fields: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let kind = if *field.data_type() == DataType::Utf8 { "string" } else { "long" };
            serde_json::json!({"name": field.name(), "type": kind, "nullable": true, "metadata": {}})
        })
        .collect();
    let log = [
        serde_json::json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        serde_json::json!({"metaData": {
            "id": uuid::Uuid::now_v7().to_string(), "format": {"provider": "parquet", "options": {}},
            "schemaString": serde_json::json!({"type": "struct", "fields": fields}).to_string(),
            "partitionColumns": [], "configuration": {}, "createdTime": 0}}),
        serde_json::json!({"add": {
            "path": "part-0.parquet", "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": true,
            "stats": serde_json::json!({"numRecords": batch.num_rows()}).to_string()}}),
    ];
    let text: Vec<String> = log.iter().map(ToString::to_string).collect();
    let path = Path::from(format!("{folder}/_delta_log/{:020}.json", 0));
    store.objects().put(&path, text.join("\n").into_bytes().into()).await.unwrap();
}

/// A world with people in it, shared with all agencies, and nothing that limits them yet.
pub(crate) async fn world() -> World {
    with_people(&PEOPLE).await
}

/// The same with other people.
pub(crate) async fn with_people(people: &[Person]) -> World {
    let world = World::new().await;
    world.commit(vec![Change::ApplyDataset(Box::new(definition(Share::Unconditional)))]).await;
    let name: DatasetName = NAME.parse().unwrap();
    write(world.catalog.store(), &name, &batch(people)).await;
    let version = DatasetVersion {
        number: 1,
        table_version: 0,
        rejects_version: None,
        rows: people.len() as u64,
        bytes: 1000,
        files: 1,
        published_at: Utc::now(),
        delivery: None,
        definition_revision: 1,
        distinct: BTreeMap::new(),
    };
    let publication = Publication { dataset: name, base_version: 0, version, delivery: None };
    world.commit(vec![Change::Publish(Box::new(publication))]).await;
    world
}

pub(crate) fn filter(sql: &str) -> RowFilter {
    RowFilter::try_from(sql.to_owned()).unwrap()
}

/// A policy that limits nothing yet.
pub(crate) fn policy() -> DatasetPolicy {
    DatasetPolicy {
        dataset: NAME.parse().unwrap(),
        grants_only: false,
        terms: Terms::default(),
        masks: BTreeMap::new(),
        basis: "a rule".to_owned(),
    }
}

pub(crate) fn rows(sql: &str) -> Change {
    let terms = Terms { rows: Some(filter(sql)), minimum_cell: None };
    Change::PutPolicy(Box::new(DatasetPolicy { terms, ..policy() }))
}

pub(crate) fn mask(item: &str, mask: Mask) -> Change {
    let masks = BTreeMap::from([(item.parse().unwrap(), mask)]);
    Change::PutPolicy(Box::new(DatasetPolicy { masks, ..policy() }))
}

pub(crate) fn minimum_cell(k: u32, round_to: Option<u32>) -> Change {
    let terms = Terms { rows: None, minimum_cell: Some(MinimumCell { k, round_to }) };
    Change::PutPolicy(Box::new(DatasetPolicy { terms, ..policy() }))
}

/// A grant on people to user ann, for everything.
pub(crate) fn grant() -> Grant {
    Grant {
        id: GrantId::fresh(),
        to: Grantee::User("ann".parse().unwrap()),
        dataset: NAME.parse().unwrap(),
        purpose: None,
        not_before: Utc::now() - chrono::Duration::days(1),
        not_after: None,
        basis: "an agreement".to_owned(),
        items: None,
        rows: None,
        unmasked: BTreeSet::new(),
        exact: false,
    }
}

/// Ann, who works for another agency than the provider.
pub(crate) fn ann(purpose: Option<&str>) -> Principal {
    crate::support::principal("ann", Some(statistics()), &[], purpose)
}

/// Somebody of the provider.
pub(crate) fn provider() -> Principal {
    crate::support::principal("pat", Some(health()), &[], None)
}
