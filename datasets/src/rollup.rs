//! Rollups: the rows of a declared aggregate become a version of a table of their own.
//!
//! Who computes the rows is the caller's matter, and so is the catalog's commit that names the version: until then nobody
//! sees it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use basin_catalog::{Catalog, DatasetState, Rollup, RollupVersion};
use chrono::Utc;
use futures::Stream;
use tokio::runtime::Handle;

use crate::sandbox::{Fit, write_files};
use crate::table::{DeltaTable, FileSet, FileSpec, TableShape, stored_schema};
use crate::{DatasetsError, Result};

/// Stores the rows of a rollup, made of the newest version in `state` and sorted by its dimensions.
///
/// # Errors
/// The store's errors; those of the rows.
pub async fn store<E: From<DatasetsError>>(
    catalog: &Catalog,
    declared: &Rollup,
    state: &DatasetState,
    rows: impl Stream<Item = std::result::Result<RecordBatch, E>> + Send,
) -> std::result::Result<RollupVersion, E> {
    let (spec, items) = spec(catalog, declared, state)?;
    let (files, _) = write_files(spec.clone(), Fit::new(&items, None)?, rows).await?;
    let files: FileSet = files.into_iter().map(|file| (file.path.clone(), file)).collect();
    let table = DeltaTable::open(&spec.store, &spec.folder)?;
    let shape = TableShape { schema: spec.schema, partition: Vec::new() };
    let table_version = table.commit(&files, &shape).await?;
    Ok(RollupVersion {
        of_version: state.current().map_or(0, |version| version.number),
        table_version,
        rows: files.values().map(|file| file.rows).sum(),
        bytes: files.values().map(|file| file.size_bytes).sum(),
        files: files.len() as u64,
        made_at: Utc::now(),
        exact_in_doubles: std::collections::BTreeSet::new(),
    })
}

fn spec(
    catalog: &Catalog,
    declared: &Rollup,
    state: &DatasetState,
) -> Result<(FileSpec, arrow::datatypes::SchemaRef)> {
    let columns = declared.columns(&state.definition).map_err(|reason| DatasetsError::Refused { reason })?;
    let items = Arc::new(Schema::new(columns));
    let spec = FileSpec {
        store: catalog.store().objects(),
        runtime: Handle::current(),
        folder: catalog.store().rollup_path(&declared.dataset, &declared.name),
        schema: stored_schema(&items),
        partition: Vec::new(),
        sort: declared.dimensions.iter().map(basin_catalog::Dimension::column).collect(),
        bloom: Vec::new(),
        counted: false,
    };
    Ok((spec, items))
}
