//! Source: stands where the Parquet source of a scan would, and asks it for all that is not hot.

use super::cache::HotColumns;
use super::file::{FilePlan, Recipe};
use super::named::NamedMorselizer;
use super::sieve::Judges;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::file_stream::FileOpener;
use datafusion_datasource::morsel::{MorselPlanner, Morselizer};
use object_store::ObjectStore;
use std::fmt;
use std::sync::Arc;

/// A Parquet source whose columns come from memory where some are kept there, and whose errors name their file.
#[derive(Clone)]
pub(crate) struct HotSource {
    parquet: Arc<dyn FileSource>,
    reader: Arc<dyn ParquetFileReaderFactory>,
    /// None: nothing is kept.
    columns: Option<Arc<HotColumns>>,
    /// The column whose first, or last, values are wanted first.
    leading: Option<Leading>,
}

/// A column of the files by which row groups are read, to find the first rows of an order early.
#[derive(Debug, Clone)]
pub(super) struct Leading {
    pub(super) column: String,
    pub(super) descending: bool,
}

impl HotSource {
    /// Wraps a source that does not filter rows itself.
    pub(crate) fn new(
        parquet: Arc<dyn FileSource>,
        reader: Arc<dyn ParquetFileReaderFactory>,
        columns: Option<Arc<HotColumns>>,
    ) -> Self {
        Self { parquet, reader, columns, leading: None }
    }

    fn with(&self, parquet: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { parquet, ..self.clone() })
    }
}

impl fmt::Debug for HotSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotSource").field("leading", &self.leading).finish_non_exhaustive()
    }
}

impl FileSource for HotSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.parquet.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let cold = self.parquet.create_morselizer(store, config, partition)?;
        // A limit ends before a row group does: nothing could be kept.
        let projection = self.parquet.projection().filter(|_| config.limit.is_none());
        let (Some(projection), Some(columns)) = (projection, &self.columns) else {
            return Ok(Box::new(NamedMorselizer::new(cold)));
        };
        let recipe = Recipe {
            schema: self.parquet.table_schema().clone(),
            projection: projection.clone(),
            judges: Judges::of(self.parquet.filter().as_ref()),
            predicate: self.parquet.filter(),
            leading: self.leading.clone(),
            reader: Arc::clone(&self.reader),
            columns: Arc::clone(columns),
            metrics: self.parquet.metrics().clone(),
            partition,
        };
        let hot = HotMorselizer { cold: cold.into(), recipe: Arc::new(recipe) };
        Ok(Box::new(NamedMorselizer::new(Box::new(hot))))
    }

    fn table_schema(&self) -> &TableSchema {
        self.parquet.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.with(self.parquet.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.parquet.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.parquet.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.parquet.metrics()
    }

    fn file_type(&self) -> &str {
        self.parquet.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parquet.fmt_extra(format, f)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let FilterPushdownPropagation { filters, updated_node } =
            self.parquet.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation { filters, updated_node: updated_node.map(|node| self.with(node)) })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        use SortOrderPushdownResult as Pushed;
        Ok(match self.parquet.try_pushdown_sort(order, properties)? {
            Pushed::Exact { inner } => Pushed::Exact { inner: self.with(inner) },
            Pushed::Inexact { inner } => {
                let leading = order.first().and_then(|first| {
                    let column = first.expr.downcast_ref::<Column>()?.name().to_owned();
                    Some(Leading { column, descending: first.options.descending })
                });
                Pushed::Inexact { inner: Arc::new(Self { parquet: inner, leading, ..self.clone() }) }
            }
            Pushed::Unsupported => Pushed::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.parquet.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.parquet.try_pushdown_projection(projection)?.map(|parquet| self.with(parquet)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.parquet.apply_expressions(f)
    }
}

/// Plans each file hot where that is possible, else as Parquet.
#[derive(Debug)]
struct HotMorselizer {
    cold: Arc<dyn Morselizer>,
    recipe: Arc<Recipe>,
}

impl Morselizer for HotMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        Ok(Box::new(FilePlan::new(Arc::clone(&self.cold), Arc::clone(&self.recipe), file)))
    }
}
