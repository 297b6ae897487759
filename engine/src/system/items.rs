//! `basin.items`: one row an item of a visible dataset, in the dataset's order.

use super::build::Columns;
use super::table::{position, word};
use crate::error::Result;
use crate::policy::View;
use basin_catalog::{DatasetName, Item};
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

pub(super) fn rows(visible: &[(&DatasetName, Arc<View>)]) -> Result<RecordBatch> {
    let mut all: Vec<(&DatasetName, usize, &Item)> = Vec::new();
    for (name, view) in visible {
        all.extend(view.definition().items.iter().enumerate().map(|(at, item)| (*name, at, item)));
    }
    Columns::of(&all)
        .text("schema_name", |row| row.0.schema().to_owned())
        .text("dataset_name", |row| row.0.name().to_owned())
        .text("item_name", |row| row.2.name.to_string())
        .number("position", |row| position(row.1))
        .text("type", |row| row.2.r#type.to_string())
        .flag("nullable", |row| row.2.nullable)
        .maybe_text("label", |row| some(row.2.label.best()))
        .maybe_text("label_en", |row| row.2.label.get("en").map(ToOwned::to_owned))
        .maybe_text("label_zh", |row| row.2.label.get("zh").map(ToOwned::to_owned))
        .maybe_text("description", |row| some(row.2.description.best()))
        .maybe_text("unit", |row| row.2.unit.clone())
        .text("role", |row| word(&row.2.role))
        .text("grade", |row| word(&row.2.grade))
        .maybe_text("code_list", |row| {
            row.2.code_list.as_ref().map(|list| format!("{}.{}", list.dataset, list.item))
        })
        .maybe_text("missing", |row| {
            let labels: Vec<String> =
                row.2.missing.iter().map(|(raw, means)| format!("{raw}: {means}")).collect();
            some(&labels.join("; "))
        })
        .finish()
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
