//! Shape: how the items of a dataset lie in its files. Partition columns come last in a scan and from
//! the Delta log; text is read as views, which is what DataFusion's operators are fastest on.

use crate::error::Result;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::datasource::table_schema::TableSchema;
use std::sync::Arc;

/// Replaces text and binary by their view types.
pub(crate) fn views_inside(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => with_type(field, DataType::Utf8View),
            DataType::Binary | DataType::LargeBinary => with_type(field, DataType::BinaryView),
            _ => Arc::clone(field),
        })
        .collect();
    Arc::new(Schema::new(fields))
}

fn with_type(field: &Field, data_type: DataType) -> FieldRef {
    Arc::new(field.clone().with_data_type(data_type))
}

/// The columns of a table in SQL's order and in the scan's order.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// In the scan's order: columns of the files, then partition columns.
    pub(super) scan: TableSchema,
    /// For each item its index in the scan's order.
    positions: Vec<usize>,
}

impl Shape {
    /// Splits `items` into columns of the files and partition columns.
    pub(super) fn new(items: &SchemaRef, partition: &[String]) -> Result<Self> {
        let is_partition = |field: &FieldRef| partition.iter().any(|name| name == field.name());
        let stored: Vec<FieldRef> =
            items.fields().iter().filter(|field| !is_partition(field)).cloned().collect();
        let mut in_log = Vec::with_capacity(partition.len());
        for name in partition {
            if let Some((_, field)) = items.fields().find(name) {
                in_log.push(Arc::clone(field));
            }
        }
        let scan =
            TableSchema::builder(Arc::new(Schema::new(stored))).with_table_partition_cols(in_log).build();
        let positions = items
            .fields()
            .iter()
            .map(|field| scan.table_schema().index_of(field.name()))
            .collect::<std::result::Result<_, _>>()
            .map_err(datafusion::common::DataFusionError::from)?;
        Ok(Self { scan, positions })
    }

    /// Translates a projection from SQL's order to the scan's.
    pub(super) fn project(&self, projection: Option<&Vec<usize>>) -> Vec<usize> {
        match projection {
            Some(wanted) => wanted.iter().filter_map(|item| self.positions.get(*item).copied()).collect(),
            None => self.positions.clone(),
        }
    }

    /// Returns the partition columns, in order.
    pub(super) fn partition_fields(&self) -> &[FieldRef] {
        self.scan.table_partition_cols()
    }
}
