//! `basin.datasets`: one row a visible dataset.

use super::build::Columns;
use super::table::word;
use crate::error::Result;
use crate::policy::View;
use basin_catalog::{DatasetName, DatasetVersion, Share, Snapshot};
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

pub(super) fn rows(snapshot: &Snapshot, visible: &[(&DatasetName, Arc<View>)]) -> Result<RecordBatch> {
    type Row<'a> = (&'a DatasetName, Arc<View>);
    let version = |row: &Row<'_>, get: fn(&DatasetVersion) -> u64| row.1.state().current().map(get);
    // How many rows there are tells of those that are hidden.
    let size = |row: &Row<'_>, get| version(row, get).filter(|_| row.1.is_whole());
    Columns::of(visible)
        .text("schema_name", |row| row.0.schema().to_owned())
        .text("dataset_name", |row| row.0.name().to_owned())
        .text("title", |row| row.1.definition().entry.name.best().to_owned())
        .maybe_text("title_en", |row| row.1.definition().entry.name.get("en").map(ToOwned::to_owned))
        .maybe_text("title_zh", |row| row.1.definition().entry.name.get("zh").map(ToOwned::to_owned))
        .text("provider", |row| row.1.definition().entry.provider.to_string())
        .maybe_text("provider_name", |row| {
            let known = snapshot.organisations().get(&row.1.definition().entry.provider)?;
            Some(known.name.best().to_owned())
        })
        .text("share_type", |row| share_type(&row.1.definition().entry.share).to_owned())
        .text("open_type", |row| word(&row.1.definition().entry.open_type))
        .text("licence", |row| row.1.definition().entry.licence.to_string())
        .date("issued", |row| row.1.definition().entry.issued)
        .maybe_number("version", |row| version(row, |v| v.number))
        .maybe_number("rows", |row| size(row, |v| v.rows))
        .maybe_number("bytes", |row| size(row, |v| v.bytes))
        .maybe_number("files", |row| size(row, |v| v.files))
        .maybe_time("published_at", |row| row.1.state().current().map(|v| v.published_at))
        .text("update_cycle", |row| word(&row.1.definition().entry.update_cycle))
        .text("grade", |row| word(&row.1.definition().entry.grade))
        .text("resource_code", |row| row.1.definition().entry.resource_code.to_string())
        .finish()
}

fn share_type(share: &Share) -> &'static str {
    match share {
        Share::Unconditional => "unconditional",
        Share::Conditional { .. } => "conditional",
        Share::None { .. } => "none",
    }
}
