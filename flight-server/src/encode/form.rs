//! The wire form that a session asks for: views instead of plain text and bytes, and compressed buffers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;

use crate::error::Result;

/// What may differ between sessions; by default nothing that any client can't read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WireForm {
    /// Whether columns of text and bytes are views. What is nested stays plain.
    pub(crate) views: bool,
    /// How buffers are compressed.
    pub(crate) compression: Option<CompressionType>,
}

impl WireForm {
    /// Returns the schema of this form for one of plain wire types.
    pub(crate) fn schema(&self, plain: &SchemaRef) -> SchemaRef {
        if !self.views {
            return Arc::clone(plain);
        }
        let viewed = |field: &Arc<Field>| match field.data_type() {
            DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
            DataType::Binary => Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView)),
            _ => Arc::clone(field),
        };
        let fields: Vec<_> = plain.fields().iter().map(viewed).collect();
        Arc::new(Schema::new_with_metadata(fields, plain.metadata().clone()))
    }

    /// Returns the options to write a batch with.
    ///
    /// # Errors
    /// `Encode` when Arrow was built without the compression.
    pub(super) fn write_options(&self) -> Result<IpcWriteOptions> {
        Ok(IpcWriteOptions::default().try_with_compression(self.compression)?)
    }
}

/// Returns a slice of plain types in the types that were promised. A view holds all the text around it, so each is
/// compacted to its own.
///
/// # Errors
/// `Encode` when the batch has other columns.
pub(super) fn in_form(slice: RecordBatch, promised: &SchemaRef) -> Result<RecordBatch> {
    if slice.schema_ref() == promised {
        return Ok(slice);
    }
    let columns = slice.columns().iter().zip(promised.fields());
    let columns =
        columns.map(|(column, field)| viewed(column, field.data_type())).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(slice.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(promised), columns, &options)?)
}

fn viewed(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    Ok(match wanted {
        same if same == column.data_type() => Arc::clone(column),
        DataType::Utf8View => Arc::new(cast(column, wanted)?.as_string_view().gc()),
        DataType::BinaryView => Arc::new(cast(column, wanted)?.as_binary_view().gc()),
        other => cast(column, other)?,
    })
}
