//! `basin.versions`: one row a version of a visible dataset.

use super::build::Columns;
use crate::error::Result;
use basin_catalog::{DatasetName, DatasetState, DatasetVersion};
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

pub(super) fn rows(visible: &[(&DatasetName, &Arc<DatasetState>)]) -> Result<RecordBatch> {
    let mut all: Vec<(&DatasetName, &DatasetVersion)> = Vec::new();
    for (name, state) in visible {
        all.extend(state.versions.iter().map(|version| (*name, version)));
    }
    Columns::of(&all)
        .text("schema_name", |row| row.0.schema().to_owned())
        .text("dataset_name", |row| row.0.name().to_owned())
        .number("version", |row| row.1.number)
        .number("rows", |row| row.1.rows)
        .number("bytes", |row| row.1.bytes)
        .number("files", |row| row.1.files)
        .maybe_time("published_at", |row| Some(row.1.published_at))
        .maybe_text("delivery_id", |row| row.1.delivery.as_ref().map(ToString::to_string))
        .number("definition_revision", |row| row.1.definition_revision)
        .finish()
}
