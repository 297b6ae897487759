//! File: plans one file of a scan. Reads its footer, drops the row groups and blocks that can't match, and lets memory
//! serve the rest; or hands the file to the Parquet scan when its columns are not those of the table, or too large to keep.

use super::cache::{ChunkKey, HotColumns};
use super::group::{GroupRows, Output};
use super::sieve::{Judges, Sieve};
use super::source::Leading;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileMetrics;
use datafusion::datasource::physical_plan::parquet::{
    PagePruningAccessPlanFilter, ParquetAccessPlan, ParquetFileReaderFactory, RowGroupAccessPlanFilter,
    apply_file_schema_type_coercions,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::simplifier::PhysicalExprSimplifier;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr_adapter::replace_columns_with_literals;
use datafusion::physical_optimizer::pruning::{FilePruner, PruningPredicateBuilder};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// What a scan wants of each file.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) schema: TableSchema,
    pub(super) projection: ProjectionExprs,
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(super) judges: Judges,
    pub(super) leading: Option<Leading>,
    pub(super) reader: Arc<dyn ParquetFileReaderFactory>,
    pub(super) columns: Arc<HotColumns>,
    pub(super) metrics: ExecutionPlanMetricsSet,
    pub(super) partition: usize,
}

/// A file before, and after, its footer is known.
pub(super) enum FilePlan {
    /// Nothing was read yet.
    Unread { cold: Arc<dyn Morselizer>, recipe: Arc<Recipe>, file: Box<PartitionedFile> },
    /// What memory can serve.
    Hot(Vec<GroupRows>),
}

impl FilePlan {
    pub(super) fn new(cold: Arc<dyn Morselizer>, recipe: Arc<Recipe>, file: PartitionedFile) -> Self {
        Self::Unread { cold, recipe, file: Box::new(file) }
    }
}

impl fmt::Debug for FilePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { file, .. } => f.debug_tuple("Unread").field(&file.object_meta.location).finish(),
            Self::Hot(groups) => f.debug_tuple("Hot").field(&groups.len()).finish(),
        }
    }
}

impl MorselPlanner for FilePlan {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        match *self {
            Self::Unread { cold, recipe, file } => {
                let read = async move {
                    let planner: Box<dyn MorselPlanner> = match hot_groups(&recipe, &file).await? {
                        Some(groups) => Box::new(Self::Hot(groups)),
                        None => cold.plan_file(*file)?,
                    };
                    Ok(planner)
                };
                Ok(Some(MorselPlan::new().with_pending_planner(read)))
            }
            Self::Hot(groups) if groups.is_empty() => Ok(None),
            Self::Hot(groups) => {
                let morsels = groups.into_iter().map(|group| Box::new(group) as Box<dyn Morsel>);
                Ok(Some(MorselPlan::new().with_morsels(morsels.collect())))
            }
        }
    }
}

/// The row groups of a file that may match; `None` when memory can't serve them.
async fn hot_groups(recipe: &Arc<Recipe>, file: &PartitionedFile) -> Result<Option<Vec<GroupRows>>> {
    let predicate = folded(recipe, file)?;
    if let Some(predicate) = &predicate
        && is_out_of_the_question(recipe, file, predicate)?
    {
        return Ok(Some(Vec::new()));
    }
    let Some(footer) = footer(recipe, file).await? else { return Ok(None) };
    let Some(output) = Output::of(recipe, file, footer.schema())? else { return Ok(None) };
    let output = Arc::new(output);
    let opened = Arc::new(OpenedFile {
        sieve: Sieve::of(predicate.as_ref(), &recipe.judges, output.inner())?,
        predicate,
        recipe: Arc::clone(recipe),
        file: file.clone(),
        path: file.object_meta.location.as_ref().into(),
        footer,
    });
    let plan = opened.access(ParquetAccessPlan::new_all(opened.groups().len()), true);
    let wanted = opened.in_leading_order(plan.row_group_indexes()).into_iter();
    let groups: Vec<GroupRows> = wanted
        .map(|index| {
            let access = plan.inner().get(index).cloned();
            GroupRows::new(Arc::clone(&opened), Arc::clone(&output), index, access)
        })
        .collect();
    // Each of them, so that each is counted.
    let to_fill: Vec<_> = groups.iter().map(GroupRows::bytes_to_fill).collect();
    let to_fill = to_fill.into_iter().sum::<Option<u64>>();
    Ok(to_fill.is_some_and(|bytes| bytes <= recipe.columns.largest_fill()).then_some(groups))
}

/// Tells whether what is known of a file without reading it, and of its predicate now, rules out all of its rows.
fn is_out_of_the_question(
    recipe: &Recipe,
    file: &PartitionedFile,
    predicate: &Arc<dyn PhysicalExpr>,
) -> Result<bool> {
    let schema = recipe.schema.file_schema();
    let pruner = FilePruner::try_new(Arc::clone(predicate), schema, file, Count::new());
    pruner.map_or(Ok(false), |mut pruner| pruner.should_prune())
}

/// The footer with its page index, and columns in the types of the table; `None` when the table names its files' types itself.
async fn footer(recipe: &Recipe, file: &PartitionedFile) -> Result<Option<ArrowReaderMetadata>> {
    if file.arrow_schema.is_some() || !file.extensions.is_empty() {
        return Ok(None);
    }
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let mut reader = recipe.open(file)?;
    let read = ArrowReaderMetadata::load_async(&mut reader, options.clone()).await?;
    match apply_file_schema_type_coercions(recipe.schema.file_schema(), read.schema()) {
        None => Ok(Some(read)),
        Some(coerced) => {
            let options = options.with_schema(Arc::new(coerced));
            Ok(Some(ArrowReaderMetadata::try_new(Arc::clone(read.metadata()), options)?))
        }
    }
}

/// The predicate with the values that all rows of the file have.
fn folded(recipe: &Recipe, file: &PartitionedFile) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let values = partition_values(recipe, file);
    let simplifier = PhysicalExprSimplifier::new(recipe.schema.file_schema());
    let fold = |predicate: &Arc<dyn PhysicalExpr>| {
        simplifier.simplify(replace_columns_with_literals(Arc::clone(predicate), &values)?)
    };
    recipe.predicate.as_ref().map(fold).transpose()
}

/// The values of the partition columns, by name.
pub(super) fn partition_values(recipe: &Recipe, file: &PartitionedFile) -> HashMap<String, ScalarValue> {
    let names = recipe.schema.table_partition_cols().iter().map(|field| field.name().clone());
    names.zip(file.partition_values.iter().cloned()).collect()
}

impl Recipe {
    /// Opens a file for reading.
    pub(super) fn open(&self, file: &PartitionedFile) -> Result<Box<dyn AsyncFileReader>> {
        let reader: Box<dyn AsyncFileReader> = self.reader.create_reader(
            self.partition,
            file.clone(),
            file.metadata_size_hint,
            &self.metrics,
        )?;
        Ok(reader)
    }
}

/// A file whose footer is known.
#[derive(Debug)]
pub(super) struct OpenedFile {
    pub(super) recipe: Arc<Recipe>,
    pub(super) file: PartitionedFile,
    pub(super) footer: ArrowReaderMetadata,
    pub(super) sieve: Sieve,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    path: Arc<str>,
}

impl OpenedFile {
    pub(super) fn groups(&self) -> &[RowGroupMetaData] {
        self.footer.metadata().row_groups()
    }

    pub(super) fn predicate(&self) -> Option<&Arc<dyn PhysicalExpr>> {
        self.predicate.as_ref()
    }

    pub(super) fn key(&self, group: usize, column: usize) -> ChunkKey {
        ChunkKey { file: Arc::clone(&self.path), group, column }
    }

    /// About the bytes, decoded, of a column of a row group.
    pub(super) fn decoded_bytes(&self, group: usize, root: usize) -> u64 {
        let Some(metadata) = self.groups().get(group) else { return 0 };
        let schema = self.footer.parquet_schema();
        let leaves = (0..metadata.num_columns()).filter(|leaf| schema.get_column_root_idx(*leaf) == root);
        leaves.map(|leaf| metadata.column(leaf).uncompressed_size().unsigned_abs()).sum()
    }

    /// Drops the row groups, and with `pages` the rows in them, that can't match what the predicate says now.
    pub(super) fn access(&self, plan: ParquetAccessPlan, pages: bool) -> ParquetAccessPlan {
        let metrics = ParquetFileMetrics::new(self.recipe.partition, &self.path, &self.recipe.metrics);
        let schema: &SchemaRef = self.footer.schema();
        let mut groups = RowGroupAccessPlanFilter::new(plan);
        if let Some(range) = &self.file.range {
            groups.prune_by_range(self.groups(), range);
        }
        let Some(predicate) = &self.predicate else { return groups.build() };
        let pruning =
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(Arc::clone(predicate));
        let parquet = self.footer.parquet_schema();
        if let Some(pruning) = pruning {
            groups.prune_by_statistics(schema, parquet, self.groups(), &pruning, &metrics);
        }
        let plan = groups.build();
        if !pages || plan.row_group_index_iter().next().is_none() {
            return plan;
        }
        let filter = PagePruningAccessPlanFilter::new(predicate, Arc::clone(schema));
        filter.prune_plan_with_page_index(plan, schema, parquet, self.footer.metadata(), &metrics)
    }

    /// The row groups with the wanted end of the leading column first.
    fn in_leading_order(&self, mut groups: Vec<usize>) -> Vec<usize> {
        let Some(leading) = &self.recipe.leading else { return groups };
        let Some(bounds) = self.bounds(leading) else { return groups };
        groups.sort_by(|a, b| {
            let order = bounds.get(*a).partial_cmp(&bounds.get(*b)).unwrap_or(std::cmp::Ordering::Equal);
            if leading.descending { order.reverse() } else { order }
        });
        groups
    }

    /// The bound of each row group's leading column.
    fn bounds(&self, leading: &Leading) -> Option<Vec<ScalarValue>> {
        let schema: &Schema = self.footer.schema();
        let converter =
            StatisticsConverter::try_new(&leading.column, schema, self.footer.parquet_schema()).ok()?;
        let bounds = match leading.descending {
            true => converter.row_group_maxes(self.groups()).ok()?,
            false => converter.row_group_mins(self.groups()).ok()?,
        };
        (0..bounds.len()).map(|group| ScalarValue::try_from_array(&bounds, group).ok()).collect()
    }
}

/// The columns of the files, by name, that an expression needs.
pub(super) fn file_columns(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Vec<usize> {
    let columns = collect_columns(expression);
    columns.iter().filter_map(|column| schema.index_of(column.name()).ok()).collect()
}
