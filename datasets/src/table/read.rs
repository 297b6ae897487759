//! Reading data files back: for code lists and for rewriting files whose slices are replaced.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::{TableFile, WRITER};
use crate::source::impossible;
use crate::{DatasetsError, Result};

/// Rows of one batch.
const BATCH_ROWS: usize = 8192;

/// Streams a file's rows; with columns named, only those, in the file's order.
///
/// # Errors
/// The store's errors; a damaged file.
pub(crate) async fn batches(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    file: &TableFile,
    columns: Option<&[String]>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let reader = StoreReader::open(store, folder, file)?;
    let path = reader.path.clone();
    let unread = move |error| unread(&path, error);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(&unread)?;
    let mut builder = builder.with_batch_size(BATCH_ROWS);
    if let Some(columns) = columns {
        let names = columns.iter().map(String::as_str);
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        builder = builder.with_projection(mask);
    }
    Ok(builder.build().map_err(&unread)?.map_err(unread).boxed())
}

/// Reads a file's footer.
///
/// # Errors
/// The store's errors; a damaged file.
pub(crate) async fn footer(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    file: &TableFile,
) -> Result<Arc<ParquetMetaData>> {
    let mut reader = StoreReader::open(store, folder, file)?;
    let read = reader.get_metadata(None).await;
    read.map_err(|error| unread(&reader.path, error))
}

/// The columns that a file's rows are sorted by, ascending with NULL last, as Basin's own footer says it.
///
/// # Errors
/// The store's errors; a damaged file.
pub(crate) async fn file_order(
    store: &Arc<dyn ObjectStore>,
    folder: &Path,
    file: &TableFile,
) -> Result<Vec<String>> {
    let footer = footer(store, folder, file).await?;
    let ours = footer.file_metadata().created_by().is_some_and(|by| by.starts_with(WRITER));
    let Some(first) = footer.row_groups().first().filter(|_| ours) else { return Ok(Vec::new()) };
    let columns = first.sorting_columns().into_iter().flatten();
    let columns = columns.take_while(|column| !column.descending && !column.nulls_first);
    let name = |index: i32| {
        let column = footer.file_metadata().schema_descr().columns().get(usize::try_from(index).ok()?)?;
        column.path().parts().first().cloned()
    };
    Ok(columns.map_while(|column| name(column.column_idx)).collect())
}

/// Names the file, and tells one that is damaged or missing from a store that does not answer.
fn unread(path: &Path, error: ParquetError) -> DatasetsError {
    let source = match error {
        ParquetError::External(source) => match source.downcast::<object_store::Error>() {
            Ok(source) if !matches!(*source, object_store::Error::NotFound { .. }) => {
                return DatasetsError::Store { action: format!("reading {path}"), source: *source };
            }
            Ok(source) => source.into(),
            Err(source) => source,
        },
        damaged => damaged.into(),
    };
    DatasetsError::DataFile { object: path.to_string(), source }
}

/// Brings a batch of an older file to today's schema: items that it lacks are NULL.
///
/// # Errors
/// Arrow's own.
pub(crate) fn align(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => Ok(cast(column, field.data_type())?),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_>>()?)?)
}

/// Ranges of one object, as Parquet's reader asks for them.
struct StoreReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size_bytes: u64,
}

impl StoreReader {
    fn open(store: &Arc<dyn ObjectStore>, folder: &Path, file: &TableFile) -> Result<Self> {
        let path = Path::parse(format!("{folder}/{}", file.path)).map_err(|source| DatasetsError::Store {
            action: format!("reading {}", file.path),
            source: source.into(),
        })?;
        Ok(Self { store: Arc::clone(store), path, size_bytes: file.size_bytes })
    }
}

impl StoreReader {
    /// Tells a file of another size than the Delta log records, for which stores have words of their own.
    async fn explained(&self, error: object_store::Error) -> ParquetError {
        let found = self.store.head(&self.path).await;
        match found.ok().map(|found| found.size).filter(|size| *size != self.size_bytes) {
            Some(size) => {
                ParquetError::General(format!("it has {size} bytes instead of {}", self.size_bytes))
            }
            None => ParquetError::External(error.into()),
        }
    }
}

impl AsyncFileReader for StoreReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let read = async move {
            match self.store.get_range(&self.path, range).await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(self.explained(error).await),
            }
        };
        read.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        let read = async move {
            match self.store.get_ranges(&self.path, &ranges).await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(self.explained(error).await),
            }
        };
        read.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let size_bytes = self.size_bytes;
        let read = async move {
            let footer = ParquetMetaDataReader::new().load_and_finish(self, size_bytes).await?;
            match impossible(&footer, size_bytes) {
                None => Ok(Arc::new(footer)),
                Some(what) => Err(ParquetError::General(what)),
            }
        };
        read.boxed()
    }
}
