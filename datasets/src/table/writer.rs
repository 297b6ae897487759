//! Writing rows, already in their final order, as the Parquet files of a table.
//!
//! Runs on a thread outside the runtime. Files are complete in the store once [`TableWriter::finish`]
//! returns, and invisible until the Delta log and the catalog name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::partition;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use object_store::path::Path;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use super::delta::column_indices;
use super::encode::RowGroup;
use super::sketch::{ColumnSketch, Sketches};
use super::statistics::stats_json;
use super::upload::Upload;
use super::{Counts, FileSpec, TableFile, WRITER};
use crate::{DatasetsError, Result};

/// Rows of a row group: large enough for dictionaries, small enough to encode in memory.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// A file is closed once it is this large.
pub(crate) const FILE_BYTES: u64 = 256 << 20;

/// Writes batches as files.
#[derive(Debug)]
pub(crate) struct TableWriter {
    spec: FileSpec,
    properties: WriterPropertiesPtr,
    partition: Vec<usize>,
    open: Option<OpenFile>,
    done: Vec<TableFile>,
}

struct OpenFile {
    name: String,
    values: Vec<Option<String>>,
    writer: SerializedFileWriter<Upload>,
    factory: ArrowRowGroupWriterFactory,
    row_groups: usize,
    group: Option<RowGroup>,
    /// The counts so far, while no row group is open.
    sketches: Vec<Option<ColumnSketch>>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// Prepares a writer; files are created when rows come.
    pub(crate) fn new(spec: FileSpec) -> Result<Self> {
        let properties = Arc::new(properties(&spec)?);
        let partition = column_indices(&spec.schema, &spec.partition)?;
        Ok(Self { spec, properties, partition, open: None, done: Vec::new() })
    }

    /// Writes a batch of the stored schema.
    ///
    /// # Errors
    /// Encoding errors and the store's errors.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.partition.is_empty() {
            return self.write_rows(batch, Vec::new());
        }
        let columns: Vec<ArrayRef> =
            self.partition.iter().map(|index| ArrayRef::clone(batch.column(*index))).collect();
        for range in partition(&columns)?.ranges() {
            let values =
                columns.iter().map(|column| partition_value(column, range.start)).collect::<Result<_>>()?;
            self.write_rows(&batch.slice(range.start, range.len()), values)?;
        }
        Ok(())
    }

    /// Completes the last file and gives all files.
    ///
    /// # Errors
    /// Encoding errors and the store's errors.
    pub(crate) fn finish(mut self) -> Result<Vec<TableFile>> {
        self.close_file()?;
        Ok(self.done)
    }

    fn write_rows(&mut self, batch: &RecordBatch, values: Vec<Option<String>>) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.values != values) {
            self.close_file()?;
        }
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let open = match &mut self.open {
                Some(open) => open,
                closed => closed.insert(OpenFile::create(&self.spec, &self.properties, values.clone())?),
            };
            let rows = open.write(&self.spec.schema, &rest)?;
            rest = rest.slice(rows, rest.num_rows() - rows);
            if open.is_full() {
                self.close_file()?;
            }
        }
        Ok(())
    }

    fn close_file(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            let file = open.close(&self.spec)?;
            self.done.push(file);
        }
        Ok(())
    }
}

impl OpenFile {
    fn create(
        spec: &FileSpec,
        properties: &WriterPropertiesPtr,
        values: Vec<Option<String>>,
    ) -> Result<Self> {
        let mut name = String::new();
        for (column, value) in spec.partition.iter().zip(&values) {
            let value = value.as_deref().unwrap_or("__HIVE_DEFAULT_PARTITION__");
            name.push_str(&format!("{column}={}/", folder_name(value)));
        }
        name.push_str(&format!("part-{}.parquet", Uuid::now_v7()));
        let path = Path::parse(format!("{}/{name}", spec.folder)).map_err(|source| DatasetsError::Store {
            action: "naming a file".to_owned(),
            source: source.into(),
        })?;
        let upload = Upload::start(&spec.runtime, Arc::clone(&spec.store), path);
        let schema = ArrowSchemaConverter::new().convert(&spec.schema)?;
        let writer = SerializedFileWriter::new(upload, schema.root_schema_ptr(), Arc::clone(properties))?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&spec.schema));
        let fields = spec.schema.fields().iter();
        let count = |data_type| if spec.counted { ColumnSketch::new(data_type) } else { Ok(None) };
        let sketches = fields.map(|field| count(field.data_type())).collect::<Result<_>>()?;
        Ok(Self { name, values, writer, factory, row_groups: 0, group: None, sketches })
    }

    /// Writes the leading rows that fit the row group; gives their number.
    fn write(&mut self, schema: &SchemaRef, batch: &RecordBatch) -> Result<usize> {
        let group = match &mut self.group {
            Some(group) => group,
            closed => {
                let writers = self.factory.create_column_writers(self.row_groups)?;
                closed.insert(RowGroup::start(schema, writers, std::mem::take(&mut self.sketches))?)
            }
        };
        let rows = batch.num_rows().min(ROW_GROUP_ROWS - group.rows());
        let written = group.write(&batch.slice(0, rows));
        if written.is_err() || group.rows() == ROW_GROUP_ROWS {
            self.close_group()?;
        }
        written.map(|()| rows)
    }

    fn is_full(&self) -> bool {
        self.group.is_none() && self.writer.bytes_written() as u64 >= FILE_BYTES
    }

    fn close_group(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut row_group = self.writer.next_row_group()?;
        let (chunks, sketches) = group.finish()?;
        self.sketches = sketches;
        for chunk in chunks {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        self.row_groups += 1;
        Ok(())
    }

    fn close(mut self, spec: &FileSpec) -> Result<TableFile> {
        self.close_group()?;
        let counts = if spec.counted { Some(self.write_sketches(spec)?) } else { None };
        let metadata = self.writer.finish()?;
        let upload = self.writer.inner_mut();
        let (size_bytes, checksum) = (upload.written_bytes(), upload.checksum());
        upload.commit()?;
        let partition: BTreeMap<_, _> = spec.partition.iter().cloned().zip(self.values).collect();
        Ok(TableFile {
            path: self.name,
            size_bytes,
            rows: metadata.file_metadata().num_rows().unsigned_abs(),
            modified_ms: chrono::Utc::now().timestamp_millis(),
            partition,
            stats: stats_json(&spec.schema, &metadata)?,
            counts,
            checksum: Some(checksum),
        })
    }

    /// Puts the sketches between the last row group and the footer, where readers of Parquet don't look: a footer
    /// that held them would be read and kept by every query.
    fn write_sketches(&mut self, spec: &FileSpec) -> Result<Counts> {
        let bytes = Sketches::of_file(&spec.schema, std::mem::take(&mut self.sketches)).encode();
        let counts = Counts { offset: self.writer.bytes_written() as u64, bytes: bytes.len() as u64 };
        self.writer.write_all(&bytes).map_err(ParquetError::from)?;
        Ok(counts)
    }
}

/// The layout of pages and footers; performance.md says what each choice was worth.
fn properties(spec: &FileSpec) -> Result<WriterProperties> {
    let sorting = column_indices(&spec.schema, &spec.sort)?
        .into_iter()
        .map(|column| SortingColumn { column_idx: column as i32, descending: false, nulls_first: false })
        .collect::<Vec<_>>();
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(format!("{WRITER}{}", env!("CARGO_PKG_VERSION")))
        .set_sorting_columns((!sorting.is_empty()).then_some(sorting));
    for column in &spec.bloom {
        builder = builder.set_column_bloom_filter_enabled(ColumnPath::from(column.as_str()), true);
    }
    Ok(builder.build())
}

/// A partition value as Delta writes it in the log.
fn partition_value(column: &ArrayRef, row: usize) -> Result<Option<String>> {
    if column.is_null(row) {
        return Ok(None);
    }
    if let DataType::Timestamp(..) = column.data_type() {
        let format = FormatOptions::default()
            .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.6f"))
            .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f"));
        return Ok(Some(ArrayFormatter::try_new(column.as_ref(), &format)?.value(row).to_string()));
    }
    Ok(Some(ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?.value(row).to_string()))
}

/// A value as a folder name: letters, digits and `.-_` stay, other characters become `_`.
///
/// The name is for people; readers take the value from the Delta log.
fn folder_name(value: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    value.chars().map(safe).take(100).collect()
}
