//! A catalog with one small dataset, and what tests ask of it.

use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchReader};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use basin_catalog::{Catalog, Change, DatasetName, Node, OrganisationCode, SnapshotId, Store};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::super::*;
use crate::manifest::Manifest;
use crate::table::{DeltaTable, FileSet};

pub(crate) const PROVIDER: &str = "11100000990000025W";

/// A manifest of day, place and two measures; `keys` is the rest of layout and pooling.
pub(crate) fn manifest(key: &str, sort: &str, on_duplicate: &str, extra: &str) -> String {
    format!(
        r#"
[dataset]
name = "health.city"
resource_code = "306001/000003"
title = {{ zh = "城市", en = "cities" }}
abstract = {{ zh = "城市", en = "cities" }}
provider = "{PROVIDER}"
formats = ["csv"]
share_type = "unconditional"
share_modes = ["query"]
open_type = "open"
update_cycle = "day"
issued = 2020-01-19
grade = "general-1"
licence = "MIT"
[layout]
key = {key}
sort = {sort}
slice = ["date"]
[[items]]
name = "date"
type = "date"
nullable = false
role = "time"
[[items]]
name = "city"
type = "text"
[[items]]
name = "confirmed"
type = "uint32"
missing = {{ "-" = "not reported" }}
[[items]]
name = "occurrence"
type = "int16"
[pooling]
max_rejected_share = 0.5
on_duplicate = {on_duplicate}
[[delivery]]
kind = "csv"
files = '^.+\.csv$'
format = {{ type = "csv" }}
[delivery.columns]
date = "date"
city = "city"
confirmed = "confirmed"
{extra}
"#
    )
}

pub(crate) const OCCURRENCE: &str = "occurrence = { constant = \"1\" }";

pub(crate) fn plain() -> String {
    manifest(r#"["date", "city"]"#, r#"["date"]"#, r#""reject""#, OCCURRENCE)
}

pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) files: TempDir,
    _root: TempDir,
}

impl World {
    pub(crate) async fn new(manifest: &str, on_disk: bool) -> Self {
        let root = TempDir::new().unwrap();
        let url = if on_disk { root.path().display().to_string() } else { "memory://".to_owned() };
        let node: Node = serde_json::from_value(
            serde_json::json!({ "id": "hub", "kind": "hub", "name": { "en": "hub" } }),
        )
        .unwrap();
        let catalog = Catalog::create(Store::open(&url).unwrap(), node).await.unwrap();
        let world = Self { catalog, files: TempDir::new().unwrap(), _root: root };
        world.apply(manifest).await;
        world
    }

    /// A world around a store that has the dataset already.
    pub(crate) async fn reopened(folder: &std::path::Path) -> Self {
        Self::of(crate::testing::open(folder)).await.unwrap()
    }

    pub(crate) async fn of(store: Store) -> Result<Self> {
        let catalog = Catalog::open(store).await?;
        Ok(Self { catalog, files: TempDir::new().unwrap(), _root: TempDir::new().unwrap() })
    }

    /// Where a store on disk is.
    pub(crate) fn folder(&self) -> PathBuf {
        self.catalog.store().url().to_file_path().unwrap()
    }

    pub(crate) async fn apply(&self, manifest: &str) {
        let manifest = Manifest::parse(manifest).unwrap();
        let base = self.catalog.latest().await.unwrap();
        let organisation = serde_json::json!({ "code": PROVIDER, "name": { "en": "provider" } });
        let changes = vec![
            Change::PutOrganisation(serde_json::from_value(organisation).unwrap()),
            Change::ApplyDataset(Box::new(manifest.definition().clone())),
        ];
        self.catalog.commit(&base, "test", changes).await.unwrap();
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn request(&self, files: Vec<PathBuf>) -> PoolRequest {
        PoolRequest {
            datasets: vec![name()],
            files,
            provider: PROVIDER.parse::<OrganisationCode>().unwrap(),
            kind: None,
            dry_run: false,
            memory_bytes: 64 << 20,
            threads: 2,
            author: "test".to_owned(),
        }
    }

    pub(crate) async fn pool(&self, name: &str, text: &str) -> Result<PoolReport> {
        let request = self.request(vec![self.file(name, text)]);
        pool(&self.catalog, request, &Progress::default()).await
    }

    pub(crate) async fn published(&self, snapshot: Option<SnapshotId>) -> FileSet {
        let snapshot = match snapshot {
            Some(id) => self.catalog.snapshot(id).await.unwrap(),
            None => self.catalog.latest().await.unwrap(),
        };
        match snapshot.dataset(&name()).unwrap().current() {
            Some(version) => self.data().files(version.table_version).await.unwrap(),
            None => FileSet::new(),
        }
    }

    pub(crate) fn data(&self) -> DeltaTable {
        let store = self.catalog.store();
        DeltaTable::open(&store.objects(), &store.data_path(&name())).unwrap()
    }

    /// All published rows as text, in order of the files.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let folder = self.catalog.store().data_path(&name());
        let mut rows = Vec::new();
        for file in self.published(None).await.values() {
            rows.extend(text_rows(&self.read(&format!("{folder}/{}", file.path)).await));
        }
        rows.sort();
        rows
    }

    pub(crate) async fn read(&self, path: &str) -> RecordBatch {
        let path = object_store::path::Path::parse(path).unwrap();
        let bytes = self.catalog.store().objects().get(&path).await.unwrap().bytes().await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let schema = reader.schema();
        let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
        concat_batches(&schema, &batches).unwrap()
    }

    pub(crate) async fn rejects(&self) -> Vec<String> {
        let store = self.catalog.store();
        let snapshot = self.catalog.latest().await.unwrap();
        let version = snapshot.dataset(&name()).unwrap().current().unwrap().rejects_version.unwrap();
        let folder = store.rejects_path(&name());
        let table = DeltaTable::open(&store.objects(), &folder).unwrap();
        let mut rows = Vec::new();
        for file in table.files(version).await.unwrap().values() {
            let batch = self.read(&format!("{folder}/{}", file.path)).await;
            rows.extend(text_rows(&batch.project(&[1, 2, 3, 4, 5, 6]).unwrap()));
        }
        rows.sort();
        rows
    }
}

pub(crate) fn name() -> DatasetName {
    "health.city".parse().unwrap()
}

pub(crate) fn text_rows(batch: &RecordBatch) -> Vec<String> {
    let columns: Vec<_> =
        batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
    let cell = |column: &arrow::array::ArrayRef, row| {
        let text = column.as_string::<i32>();
        if text.is_null(row) { "NULL".to_owned() } else { text.value(row).to_owned() }
    };
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| cell(column, row)).collect::<Vec<_>>().join("|"))
        .collect()
}
