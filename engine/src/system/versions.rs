//! `basin.versions`: one row a version of a visible dataset; sizes only where the dataset is read as a whole.

use super::build::Columns;
use crate::error::Result;
use crate::policy::View;
use basin_catalog::{DatasetName, DatasetVersion};
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

pub(super) fn rows(visible: &[(&DatasetName, Arc<View>)]) -> Result<RecordBatch> {
    let mut all: Vec<(&DatasetName, &DatasetVersion, bool)> = Vec::new();
    for (name, view) in visible {
        all.extend(view.state().versions.iter().map(|version| (*name, version, view.is_whole())));
    }
    Columns::of(&all)
        .text("schema_name", |row| row.0.schema().to_owned())
        .text("dataset_name", |row| row.0.name().to_owned())
        .number("version", |row| row.1.number)
        .maybe_number("rows", |row| row.2.then_some(row.1.rows))
        .maybe_number("bytes", |row| row.2.then_some(row.1.bytes))
        .maybe_number("files", |row| row.2.then_some(row.1.files))
        .maybe_time("published_at", |row| Some(row.1.published_at))
        .maybe_text("delivery_id", |row| row.1.delivery.as_ref().map(ToString::to_string))
        .number("definition_revision", |row| row.1.definition_revision)
        .finish()
}
