//! Output: what a scan gives of a file, as expressions over columns of the file.

use super::file::{Recipe, partition_values};
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr_adapter::replace_columns_with_literals;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a scan gives of a file: expressions over some of its columns.
#[derive(Debug)]
pub(super) struct Output {
    /// Columns of the file that are needed, by their place in it.
    roots: Vec<usize>,
    /// The same, as the expressions see them.
    inner: SchemaRef,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl Output {
    /// `None` when the file's columns are not those of the table, or none is needed.
    pub(super) fn of(recipe: &Recipe, file: &PartitionedFile, stored: &Schema) -> Result<Option<Self>> {
        let schema = Arc::new(recipe.projection.project_schema(recipe.schema.table_schema())?);
        let values = partition_values(recipe, file);
        let expressions: Vec<Arc<dyn PhysicalExpr>> = recipe
            .projection
            .expr_iter()
            .map(|expression| replace_columns_with_literals(expression, &values))
            .collect::<Result<_>>()?;
        let wanted = recipe.schema.file_schema();
        let needed: BTreeSet<usize> =
            expressions.iter().flat_map(|expression| file_columns(expression, wanted)).collect();
        let mut roots = Vec::with_capacity(needed.len());
        for field in needed.iter().filter_map(|column| wanted.fields().get(*column)) {
            match stored.column_with_name(field.name()) {
                Some((root, found)) if found.data_type() == field.data_type() => roots.push(root),
                Some(_) | None => return Ok(None),
            }
        }
        if roots.is_empty() {
            return Ok(None);
        }
        // In the order of the file, which is the order in which its columns are decoded.
        roots.sort_unstable();
        let inner = Arc::new(stored.project(&roots)?);
        let expressions = expressions
            .into_iter()
            .map(|expression| reassign_expr_columns(expression, &inner))
            .collect::<Result<_>>()?;
        Ok(Some(Self { roots, inner, expressions, schema }))
    }

    /// The schema of what the scan gives.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of the file that are needed.
    pub(super) fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// The same, as the expressions see them.
    pub(super) fn inner(&self) -> &SchemaRef {
        &self.inner
    }

    /// Columns of a block, in the order of the roots.
    pub(super) fn block(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::clone(&self.inner), columns)?)
    }

    /// What the scan gives of the rows of a block.
    pub(super) fn batch(&self, inner: &RecordBatch) -> Result<RecordBatch> {
        let rows = inner.num_rows();
        let columns = self.expressions.iter().map(|expression| expression.evaluate(inner)?.into_array(rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// The columns of the files, by name, that an expression needs.
fn file_columns(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Vec<usize> {
    let columns = collect_columns(expression);
    columns.iter().filter_map(|column| schema.index_of(column.name()).ok()).collect()
}
