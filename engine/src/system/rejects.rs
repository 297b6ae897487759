//! `basin.rejects`: the rejected rows of all datasets that are read as a whole, as a view over their reject tables, so
//! that a filter on a dataset reads that dataset only.

use crate::error::Result;
use crate::plan::{DatasetTable, ScanOf};
use crate::policy::Grants;
use crate::table::{TableCache, TableKey, VersionTable, views_inside};
use basin_catalog::{Catalog, DatasetName};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::scalar::ScalarValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns of a reject table, as the datasets crate writes it.
fn stored() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Schema::new(vec![
        text("delivery"),
        text("file"),
        Field::new("line", DataType::Int64, true),
        text("raw"),
        text("rule"),
        text("item"),
        text("reason"),
    ])
}

/// Makes the view for what `grants` shows.
pub(crate) fn table(
    grants: &Arc<Grants>,
    catalog: &Catalog,
    cache: &Arc<TableCache>,
) -> Result<Arc<dyn TableProvider>> {
    let mut union: Option<LogicalPlanBuilder> = None;
    // A rejected row shows all items, and whoever it is about.
    for (name, view) in grants.visible().filter(|(_, view)| view.is_whole()) {
        let Some(version) = view.state().current().and_then(|current| current.rejects_version) else {
            continue;
        };
        let schema = views_inside(&stored());
        let key = TableKey {
            folder: catalog.store().rejects_path(name),
            version,
            items: SchemaRef::clone(&schema),
        };
        let part =
            part(grants, name, VersionTable::new(schema, Some(key), BTreeMap::new(), Arc::clone(cache)))?;
        union = Some(match union {
            Some(so_far) => so_far.union(part)?,
            None => LogicalPlanBuilder::from(part),
        });
    }
    let plan = match union {
        Some(union) => union.build()?,
        None => nothing(grants, cache)?,
    };
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn part(grants: &Arc<Grants>, name: &DatasetName, table: VersionTable) -> Result<LogicalPlan> {
    let source = DatasetTable::whole(Arc::new(table), ScanOf::Rejects(name.clone()), grants);
    named(source, name.schema(), name.name())
}

fn named(source: DatasetTable, schema: &str, dataset: &str) -> Result<LogicalPlan> {
    let view = |text: &str| lit(ScalarValue::Utf8View(Some(text.to_owned())));
    let scan = LogicalPlanBuilder::scan("rejects", provider_as_source(Arc::new(source)), None)?;
    Ok(scan
        .project(vec![
            view(schema).alias("schema_name"),
            view(dataset).alias("dataset_name"),
            col("delivery").alias("delivery_id"),
            col("file").alias("file_name"),
            col("line").alias("line"),
            col("raw").alias("raw"),
            col("rule").alias("rule"),
            col("item").alias("item"),
            col("reason").alias("reason"),
        ])?
        .build()?)
}

/// The view when nothing was ever rejected: the same columns, no rows.
fn nothing(grants: &Arc<Grants>, cache: &Arc<TableCache>) -> Result<LogicalPlan> {
    let schema = views_inside(&stored());
    let empty = VersionTable::new(schema, None, BTreeMap::new(), Arc::clone(cache));
    named(DatasetTable::whole(Arc::new(empty), ScanOf::System, grants), "", "")
}
