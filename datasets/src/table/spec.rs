//! How the files of a table are written: where to, in which order, with which helpers for readers.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use basin_catalog::{Catalog, DatasetDefinition};
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Handle;

use super::stored_schema;

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

impl FileSpec {
    /// Describes a dataset's data files in the given order; uploads run on the current runtime.
    pub(crate) fn of_dataset(catalog: &Catalog, definition: &DatasetDefinition, sort: Vec<String>) -> Self {
        let is_looked_up = |name: &&basin_catalog::ItemName| {
            definition.item(name.as_str()).is_some_and(|item| {
                let data_type = item.r#type.arrow();
                data_type.is_integer() || data_type == DataType::Utf8
            })
        };
        Self {
            store: catalog.store().objects(),
            runtime: Handle::current(),
            folder: catalog.store().data_path(&definition.name),
            schema: stored_schema(&definition.arrow_schema()),
            partition: definition.layout.partition.iter().map(ToString::to_string).collect(),
            sort,
            bloom: definition.layout.key.iter().filter(is_looked_up).map(ToString::to_string).collect(),
            counted: true,
        }
    }
}
