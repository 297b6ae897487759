//! Provider: a dataset version as a DataFusion table. Its scan is an ordinary Parquet scan, so that
//! statistics, dynamic filters and late materialisation all apply.

use super::files::{TableCache, TableKey};
use super::footer::CheckedReaders;
use super::order;
use crate::hot::HotSource;
use crate::session::store_url;
use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileScanConfigBuilder, FileSource, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A version of a Delta table, or a dataset of which nothing was pooled yet.
#[derive(Debug)]
pub(crate) struct VersionTable {
    schema: SchemaRef,
    /// None when there is no version yet: the table is empty.
    key: Option<TableKey>,
    /// Estimated distinct values by item, from the catalog.
    distinct: BTreeMap<String, u64>,
    cache: Arc<TableCache>,
    /// Whether files are read in the order of their names, whatever rows and bounds they have.
    by_name: bool,
}

impl VersionTable {
    pub(crate) fn new(
        schema: SchemaRef,
        key: Option<TableKey>,
        distinct: BTreeMap<String, u64>,
        cache: Arc<TableCache>,
    ) -> Self {
        Self { schema, key, distinct, cache, by_name: false }
    }

    /// Returns the same table with an order of its files that tells nothing of their rows.
    pub(crate) fn by_name(self) -> Self {
        Self { by_name: true, ..self }
    }

    /// Returns which version of which table it is; none when nothing was pooled yet.
    pub(crate) fn key(&self) -> Option<&TableKey> {
        self.key.as_ref()
    }

    /// Returns the number of rows, when all files tell theirs.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn rows(&self) -> crate::error::Result<Option<usize>> {
        let Some(key) = &self.key else { return Ok(Some(0)) };
        let table = self.cache.files(key).await?;
        let rows = |file: &PartitionedFile| file.statistics.as_ref()?.num_rows.get_value().copied();
        Ok(table.files.iter().map(rows).sum())
    }

    fn table_statistics(&self, files: &[PartitionedFile], schema: &SchemaRef) -> Result<Statistics> {
        let known = files.iter().filter_map(|file| file.statistics.as_deref());
        let mut total = Statistics::try_merge_iter(known, schema)?;
        let rows = total.num_rows.get_value().copied().unwrap_or(usize::MAX);
        for (column, field) in total.column_statistics.iter_mut().zip(schema.fields()) {
            if let Some(count) = self.distinct.get(field.name()) {
                let count = usize::try_from(*count).unwrap_or(usize::MAX).min(rows);
                column.distinct_count = Precision::Inexact(count);
            }
        }
        Ok(total)
    }
}

#[async_trait]
impl TableProvider for VersionTable {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let empty = || -> Result<Arc<dyn ExecutionPlan>> {
            Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)))
        };
        let Some(key) = &self.key else { return empty() };
        let table = self.cache.files(key).await?;
        let schema = table.shape.scan.table_schema();
        let files = prune(state, filters, schema, table.files.clone())?;
        if files.is_empty() {
            return empty();
        }
        let statistics = self.table_statistics(&files, schema)?;
        let ordering = table.ordering.as_ref().filter(|_| !self.by_name);
        let (mut groups, ordering) = order::group(files, ordering, state.config().target_partitions());
        if self.by_name {
            groups = groups.into_iter().map(order::by_name).collect();
        }
        let env = state.runtime_env();
        let url = store_url()?;
        let store = env.object_store(&url)?;
        let footers = env.cache_manager.get_file_metadata_cache();
        let cached = CachedParquetFileReaderFactory::new(Arc::clone(&store), footers);
        let reader: Arc<dyn ParquetFileReaderFactory> =
            Arc::new(CheckedReaders::new(store, Arc::new(cached)));
        let mut source = ParquetSource::new(table.shape.scan.clone())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::clone(&reader));
        if let Some(hint) = state.config_options().execution.parquet.metadata_size_hint {
            source = source.with_metadata_size_hint(hint);
        }
        let hot = self.cache.hot().map(Arc::clone);
        let source: Arc<dyn FileSource> = Arc::new(HotSource::new(Arc::new(source), reader, hot));
        let config = FileScanConfigBuilder::new(url, source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(table.shape.project(projection)))?
            .with_limit(limit)
            .with_output_ordering(ordering.into_iter().collect())
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Drops the files whose statistics show that no row matches. Bounds that are not exact keep a file.
fn prune(
    state: &dyn Session,
    filters: &[Expr],
    schema: &SchemaRef,
    files: Vec<PartitionedFile>,
) -> Result<Vec<PartitionedFile>> {
    let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(files) };
    let physical = state.create_physical_expr(filter, &DFSchema::try_from(SchemaRef::clone(schema))?)?;
    // Not every filter can be turned into one over bounds.
    let builder = PruningPredicateBuilder::new().with_file_schema(SchemaRef::clone(schema));
    let Some(predicate) = builder.build(physical) else { return Ok(files) };
    let unknown = Arc::new(Statistics::new_unknown(schema));
    let known = files
        .iter()
        .map(|file| file.statistics.as_ref().map_or_else(|| Arc::clone(&unknown), Arc::clone))
        .collect();
    let keep = predicate.prune(&PrunableStatistics::new(known, SchemaRef::clone(schema)))?;
    Ok(files.into_iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
}
