//! Order: what the footers of Basin's own files say of the order of their rows.
//!
//! Parquet's `sorting_columns` speak of a row group; Basin's writer sorts whole files, so only its files
//! are trusted. A wrong order would give wrong answers: whatever is in doubt is unordered.

use super::files::TableFiles;
use super::footer::has_other_size;
use crate::error::{EngineError, Result};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::parquet::metadata::{
    DFParquetMetadata, ordering_from_parquet_metadata,
};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

/// Tables of more files are not asked for their order: it would cost a request a file.
const MAX_FILES: usize = 256;
/// Footers read at once.
const CONCURRENCY: usize = 16;
/// How Basin's writer signs its files.
const OUR_WRITER: &str = "basin ";

/// Columns by name, ascending or not, nulls first or not.
pub(super) type FileOrder = Vec<(String, bool, bool)>;

/// Finds the order that all files of a table share.
pub(super) async fn common(
    store: &Arc<dyn ObjectStore>,
    env: &Arc<RuntimeEnv>,
    table: &TableFiles,
    known: &Arc<Mutex<BTreeMap<Path, Option<FileOrder>>>>,
) -> Result<Option<LexOrdering>> {
    if table.files.is_empty() || table.files.len() > MAX_FILES {
        return Ok(None);
    }
    let schema = table.shape.scan.table_schema();
    // Futures made beforehand: a closure over borrowed files is not general enough for `spawn`.
    let reads: Vec<_> =
        table.files.iter().map(|file| file_order(store, env, file, schema, known).boxed()).collect();
    let orders: Vec<Option<FileOrder>> =
        futures::stream::iter(reads).buffered(CONCURRENCY).try_collect().await?;
    let mut shared: Option<FileOrder> = None;
    for order in orders {
        let order = order.unwrap_or_default();
        let length = shared
            .as_ref()
            .map_or(order.len(), |so_far| so_far.iter().zip(&order).take_while(|(a, b)| a == b).count());
        shared = Some(order.into_iter().take(length).collect());
    }
    Ok(shared.and_then(|order| lex_ordering(&order, schema)))
}

async fn file_order(
    store: &Arc<dyn ObjectStore>,
    env: &Arc<RuntimeEnv>,
    file: &PartitionedFile,
    schema: &SchemaRef,
    known: &Arc<Mutex<BTreeMap<Path, Option<FileOrder>>>>,
) -> Result<Option<FileOrder>> {
    let path = &file.object_meta.location;
    if let Some(order) = known.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
        return Ok(order.clone());
    }
    let reading = AssertUnwindSafe(order_in_footer(store, env, file, schema)).catch_unwind();
    let order = match reading.await {
        Ok(Ok(order)) => order,
        // Only queries that read this file fail, when they do.
        Ok(Err(EngineError::Corrupt { source })) => {
            tracing::error!(%path, error = &*source, "a data file is missing or damaged");
            return Ok(None);
        }
        Ok(Err(error)) if has_other_size(store.as_ref(), &file.object_meta).await => {
            tracing::error!(%path, %error, "a data file has another size");
            return Ok(None);
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            tracing::error!(%path, "a data file is damaged: the reader of its footer panicked");
            return Ok(None);
        }
    };
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), order.clone());
    Ok(order)
}

async fn order_in_footer(
    store: &Arc<dyn ObjectStore>,
    env: &Arc<RuntimeEnv>,
    file: &PartitionedFile,
    schema: &SchemaRef,
) -> Result<Option<FileOrder>> {
    let footer = DFParquetMetadata::new(store.as_ref(), &file.object_meta)
        .with_file_metadata_cache(Some(env.cache_manager.get_file_metadata_cache()))
        .fetch_metadata()
        .await?;
    let ours = footer.file_metadata().created_by().is_some_and(|by| by.starts_with(OUR_WRITER));
    match ordering_from_parquet_metadata(&footer, schema) {
        Ok(Some(ordering)) if ours => Ok(Some(names_of(&ordering))),
        Ok(_) => Ok(None),
        Err(error) => Err(EngineError::Corrupt { source: error.into() }),
    }
}

fn names_of(ordering: &LexOrdering) -> FileOrder {
    let named = ordering.iter().map_while(|sort| {
        let column = sort.expr.downcast_ref::<Column>()?;
        Some((column.name().to_owned(), sort.options.descending, sort.options.nulls_first))
    });
    named.collect()
}

fn lex_ordering(order: &FileOrder, schema: &SchemaRef) -> Option<LexOrdering> {
    let sorts = order.iter().map_while(|(name, descending, nulls_first)| {
        let column = Arc::new(Column::new(name, schema.index_of(name).ok()?));
        let options =
            datafusion::arrow::compute::SortOptions { descending: *descending, nulls_first: *nulls_first };
        Some(PhysicalSortExpr::new(column, options))
    });
    LexOrdering::new(sorts)
}

/// Splits files into at most `partitions` groups, each in order as a whole, with the order that holds.
///
/// Without an order that holds across files the files are spread by size only.
pub(super) fn group(
    mut files: Vec<PartitionedFile>,
    ordering: Option<&LexOrdering>,
    partitions: usize,
) -> (Vec<FileGroup>, Option<LexOrdering>) {
    let partitions = partitions.max(1);
    if let Some(full) = ordering {
        if files.len() <= partitions {
            let groups = files.into_iter().map(|file| FileGroup::new(vec![file])).collect();
            return (groups, Some(full.clone()));
        }
        let leading = LexOrdering::new(full.iter().take(1).cloned());
        for candidate in [Some(full.clone()), leading].into_iter().flatten() {
            if chain(&mut files, &candidate) {
                let groups = FileGroup::new(files).split_files(partitions);
                return (groups, Some(candidate));
            }
        }
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = Vec::new();
    groups.resize_with(partitions.min(files.len()).max(1), Default::default);
    for file in files {
        if let Some(smallest) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            smallest.0 += file.object_meta.size;
            smallest.1.push(file);
        }
    }
    (groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect(), None)
}

/// The files of a group in the order of their names.
pub(super) fn by_name(group: FileGroup) -> FileGroup {
    let mut files = group.into_inner();
    files.sort_by(|a, b| a.object_meta.location.cmp(&b.object_meta.location));
    FileGroup::new(files)
}

/// Sorts files by their lowest row; tells whether one may be read after the other in order.
fn chain(files: &mut [PartitionedFile], ordering: &LexOrdering) -> bool {
    let keys: Option<Vec<usize>> = ordering
        .iter()
        .map(|sort| {
            let ascending = !sort.options.descending;
            sort.expr.downcast_ref::<Column>().filter(|_| ascending).map(Column::index)
        })
        .collect();
    let Some(keys) = keys else { return false };
    if files.iter().any(|file| bounds(file, &keys).is_none()) {
        return false;
    }
    files.sort_by(|a, b| match (bounds(a, &keys), bounds(b, &keys)) {
        (Some((a_low, a_high)), Some((b_low, b_high))) => {
            compare(&a_low, &b_low).then_with(|| compare(&a_high, &b_high))
        }
        _ => Ordering::Equal,
    });
    files.windows(2).all(|pair| match pair {
        [first, second] => match (bounds(first, &keys), bounds(second, &keys)) {
            (Some((_, high)), Some((low, _))) => compare(&high, &low) != Ordering::Greater,
            _ => false,
        },
        _ => true,
    })
}

type Key<'a> = Vec<&'a ScalarValue>;

/// Lowest and highest key of a file; `None` when a key may be NULL or its bounds are unknown.
fn bounds<'a>(file: &'a PartitionedFile, keys: &[usize]) -> Option<(Key<'a>, Key<'a>)> {
    let columns = &file.statistics.as_ref()?.column_statistics;
    let mut low = Vec::with_capacity(keys.len());
    let mut high = Vec::with_capacity(keys.len());
    for key in keys {
        let column = columns.get(*key)?;
        if column.null_count != Precision::Exact(0) {
            return None;
        }
        low.push(column.min_value.get_value()?);
        high.push(column.max_value.get_value()?);
    }
    Some((low, high))
}

fn compare(a: &Key<'_>, b: &Key<'_>) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.partial_cmp(b).unwrap_or(Ordering::Greater))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
