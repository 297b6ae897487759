//! Footer: readers whose footers are held against what is known of the file before anybody relies on them.
//!
//! A library that reads Parquet takes places and counts of a footer as they are: in a damaged one they make it panic, ask for
//! more memory than there is, or give fewer rows. Pooling has checks of its own for what is delivered; the engine knows nothing of it.

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Whether a file has another size than the table's log records: a store answers ranges beyond its end in words of its own.
pub(super) async fn has_other_size(store: &dyn ObjectStore, file: &ObjectMeta) -> bool {
    store.head(&file.location).await.is_ok_and(|found| found.size != file.size)
}

/// Makes readers by another factory.
#[derive(Debug)]
pub(super) struct CheckedReaders {
    store: Arc<dyn ObjectStore>,
    inner: Arc<dyn ParquetFileReaderFactory>,
}

impl CheckedReaders {
    pub(super) fn new(store: Arc<dyn ObjectStore>, inner: Arc<dyn ParquetFileReaderFactory>) -> Self {
        Self { store, inner }
    }
}

impl ParquetFileReaderFactory for CheckedReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let rows = file.statistics.as_ref().and_then(|known| known.num_rows.get_value().copied());
        let (store, meta) = (Arc::clone(&self.store), file.object_meta.clone());
        let inner = self.inner.create_reader(partition, file, hint, metrics)?;
        Ok(Box::new(CheckedReader { inner, store, meta, rows }))
    }
}

struct CheckedReader {
    inner: Box<dyn AsyncFileReader + Send>,
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    /// The rows that the Delta log records.
    rows: Option<usize>,
}

impl AsyncFileReader for CheckedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, datafusion::parquet::errors::Result<Bytes>> {
        let read = async move {
            match self.inner.get_bytes(range).await {
                Err(error) => Err(explained(&*self.store, &self.meta, error).await),
                read => read,
            }
        };
        read.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, datafusion::parquet::errors::Result<Vec<Bytes>>> {
        let read = async move {
            match self.inner.get_byte_ranges(ranges).await {
                Err(error) => Err(explained(&*self.store, &self.meta, error).await),
                read => read,
            }
        };
        read.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, datafusion::parquet::errors::Result<Arc<ParquetMetaData>>> {
        let read = async move {
            let reading = AssertUnwindSafe(self.inner.get_metadata(options)).catch_unwind();
            let footer = match reading.await {
                Ok(Ok(footer)) => footer,
                Ok(Err(error)) => return Err(explained(&*self.store, &self.meta, error).await),
                Err(_) => return Err(damaged("its reader panicked")),
            };
            match impossible(&footer, self.meta.size, self.rows) {
                None => Ok(footer),
                Some(what) => Err(damaged(what)),
            }
        };
        read.boxed()
    }
}

async fn explained(store: &dyn ObjectStore, file: &ObjectMeta, error: ParquetError) -> ParquetError {
    if has_other_size(store, file).await {
        return ParquetError::General(format!("the file has not its {} bytes: {error}", file.size));
    }
    error
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("the footer can't be true: {what}"))
}

/// Says what in a footer can't be true of a file of so many bytes and rows.
fn impossible(footer: &ParquetMetaData, bytes: u64, rows: Option<usize>) -> Option<&'static str> {
    let said = footer.file_metadata().num_rows();
    if rows.is_some_and(|rows| i128::from(said) != rows as i128) {
        return Some("it has other rows than the table's log records");
    }
    let groups = footer.row_groups().iter().map(|group| group.num_rows());
    if groups.clone().any(|rows| rows < 0) || groups.map(i128::from).sum::<i128>() != i128::from(said) {
        return Some("its row groups don't add up to its rows");
    }
    let chunks = footer
        .row_groups()
        .iter()
        .flat_map(|group| group.columns().iter().map(|column| (column, group.num_rows())));
    chunks.filter_map(|(column, rows)| impossible_chunk(column, rows, bytes)).next()
}

fn impossible_chunk(column: &ColumnChunkMetaData, rows: i64, bytes: u64) -> Option<&'static str> {
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let numbers = [start, column.data_page_offset(), column.compressed_size(), column.uncompressed_size()];
    if numbers.iter().any(|number| *number < 0) {
        return Some("a place or a size is negative");
    }
    if start.unsigned_abs().saturating_add(column.compressed_size().unsigned_abs()) > bytes {
        return Some("a column lies beyond the file's end");
    }
    let is_flat = column.column_descr().max_rep_level() == 0;
    (is_flat && column.num_values() != rows).then_some("a column has more or fewer values than rows")
}
