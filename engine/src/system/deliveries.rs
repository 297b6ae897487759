//! `basin.deliveries`: one row a file of a delivery to a dataset that is read as a whole.

use super::build::Columns;
use crate::error::Result;
use crate::policy::View;
use basin_catalog::{DatasetName, DeliveredFile, Delivery, DeliveryId};
use datafusion::arrow::array::RecordBatch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

struct Row<'a> {
    dataset: &'a DatasetName,
    delivery: &'a Delivery,
    file: &'a DeliveredFile,
    version: Option<u64>,
    live: bool,
}

pub(super) fn rows(visible: &[(&DatasetName, Arc<View>)]) -> Result<RecordBatch> {
    let mut all: Vec<Row<'_>> = Vec::new();
    for (dataset, view) in visible {
        let state = view.state();
        let live: BTreeSet<&DeliveryId> = state.live_slices.values().collect();
        let versions: BTreeMap<&DeliveryId, u64> = state
            .versions
            .iter()
            .filter_map(|version| Some((version.delivery.as_ref()?, version.number)))
            .collect();
        for delivery in &state.deliveries {
            all.extend(delivery.files.iter().map(|file| Row {
                dataset,
                delivery,
                file,
                version: versions.get(&delivery.id).copied(),
                live: live.contains(&delivery.id),
            }));
        }
    }
    Columns::of(&all)
        .text("delivery_id", |row| row.delivery.id.to_string())
        .text("schema_name", |row| row.dataset.schema().to_owned())
        .text("dataset_name", |row| row.dataset.name().to_owned())
        .maybe_number("version", |row| row.version)
        .text("provider", |row| row.delivery.provider.to_string())
        .text("kind", |row| row.delivery.kind.clone())
        .text("file_name", |row| row.file.name.clone())
        .number("file_bytes", |row| row.file.bytes)
        .text("sha256", |row| row.file.sha256.as_hex().to_string())
        .number("rows_in", |row| row.file.rows_in)
        .number("rows_accepted", |row| row.file.rows_accepted)
        .number("rows_rejected", |row| row.file.rows_rejected)
        .number("numbered_keys", |row| row.delivery.numbered_keys)
        .maybe_time("received_at", |row| Some(row.delivery.received_at))
        .flag("live", |row| row.live)
        .finish()
}
