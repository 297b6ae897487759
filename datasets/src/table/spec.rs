//! How the files of a table are written: where to, in which order, with which helpers for readers.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use basin_catalog::{Catalog, DatasetDefinition, ItemName};
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Handle;

use super::stored_schema;
use crate::Result;
use crate::arrange::Order;
use crate::manifest::{FileLayout, Manifest};

/// Where and how files are written.
#[derive(Debug, Clone)]
pub(crate) struct FileSpec {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Runtime that does the uploads.
    pub(crate) runtime: Handle,
    /// Folder of the table.
    pub(crate) folder: Path,
    /// Schema of the files.
    pub(crate) schema: SchemaRef,
    /// Partition columns: files hold one value each, and the columns too.
    pub(crate) partition: Vec<String>,
    /// Order of the rows, recorded in the footer.
    pub(crate) sort: Vec<String>,
    /// Columns that get bloom filters.
    pub(crate) bloom: Vec<String>,
    /// Whether distinct values are counted.
    pub(crate) counted: bool,
}

/// What a manifest says of a dataset's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DataLayout {
    /// Order of the rows.
    pub(crate) sort: Vec<String>,
    /// Items with bloom filters beside those of the key.
    pub(crate) bloom: Vec<ItemName>,
    /// The item that numbers rows with equal keys.
    pub(crate) number: Option<ItemName>,
    /// Small files of a partition above which pooling merges them.
    pub(crate) compact_above_files: Option<usize>,
}

impl DataLayout {
    /// Reads it from a definition. Sandbox datasets have no manifest: their rows stay in the order they came in.
    pub(crate) fn of(definition: &DatasetDefinition) -> Result<Self> {
        if definition.manifest.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self::of_manifest(definition, &Manifest::parse(&definition.manifest)?))
    }

    /// Reads it from a definition's parsed manifest.
    pub(crate) fn of_manifest(definition: &DatasetDefinition, manifest: &Manifest) -> Self {
        let number = manifest.pooling().on_duplicate.number();
        Self {
            sort: Order::declared(definition, number),
            bloom: manifest.files().bloom.clone(),
            number: number.cloned(),
            compact_above_files: manifest.files().compact_above_files,
        }
    }
}

impl FileSpec {
    /// Describes a dataset's data files; uploads run on the current runtime.
    pub(crate) fn of_dataset(catalog: &Catalog, definition: &DatasetDefinition, layout: DataLayout) -> Self {
        let is_looked_up = |name: &&ItemName| {
            definition.item(name.as_str()).is_some_and(|item| FileLayout::takes_bloom(&item.r#type))
        };
        let mut bloom: Vec<String> = Vec::new();
        for name in definition.layout.key.iter().chain(&layout.bloom).filter(is_looked_up) {
            if !bloom.iter().any(|known| known == name.as_str()) {
                bloom.push(name.to_string());
            }
        }
        Self {
            store: catalog.store().objects(),
            runtime: Handle::current(),
            folder: catalog.store().data_path(&definition.name),
            schema: stored_schema(&definition.arrow_schema()),
            partition: definition.layout.partition.iter().map(ToString::to_string).collect(),
            sort: layout.sort,
            bloom,
            counted: true,
        }
    }
}
