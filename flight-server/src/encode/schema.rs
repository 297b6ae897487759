//! The wire form of types, schemas and batches.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::{FlightData, IpcMessage, SchemaAsIpc};
use bytes::Bytes;

use crate::error::{Result, ServerError};

/// Returns the schema that clients see for a schema of the engine: same names, nullability and
/// metadata, with wire types. FlightInfo, prepared statements and DoGet all use it.
#[must_use]
pub fn wire_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(wire_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn wire_field(field: &FieldRef) -> FieldRef {
    let wire = wire_type(field.data_type());
    if &wire == field.data_type() {
        return Arc::clone(field);
    }
    let plain = Field::new(field.name(), wire, field.is_nullable());
    Arc::new(plain.with_metadata(field.metadata().clone()))
}

/// Returns the wire type of a type. Exhaustive, so that a new Arrow type is a decision.
fn wire_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        // Values that don't fit are an error of that query: see `to_wire`.
        DataType::Decimal256(precision, scale) => DataType::Decimal128(
            (*precision).min(DECIMAL128_MAX_PRECISION),
            (*scale).min(DECIMAL128_MAX_PRECISION.cast_signed()),
        ),
        DataType::Dictionary(_, values) => wire_type(values),
        DataType::RunEndEncoded(_, values) => wire_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => DataType::List(wire_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(wire_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(wire_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(wire_field(entries), *sorted),
        DataType::Float16 => DataType::Float32,
        // Unions can't be cast; SQL makes none.
        DataType::Union(_, _)
        | DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Timestamp(_, _)
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::FixedSizeBinary(_) => data_type.clone(),
    }
}

/// Returns a batch in the wire form that was promised for it.
///
/// # Errors
/// `InvalidRequest` when a value doesn't fit the wire type, `Encode` when the batch has other columns.
pub fn to_wire(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.num_columns() != schema.fields().len() {
        return Err(ServerError::Internal("a result has other columns than were promised"));
    }
    // A value that doesn't fit is an error, never a NULL.
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            cast_with_options(column, field.data_type(), &strict).map_err(|error| unfit(field, error))
        })
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

fn unfit(field: &Field, error: ArrowError) -> ServerError {
    match error {
        ArrowError::CastError(reason) | ArrowError::InvalidArgumentError(reason) => {
            ServerError::InvalidRequest(format!(
                "column \"{}\" has a value that does not fit {} on the wire ({reason}); CAST it in the \
                 statement",
                field.name(),
                field.data_type()
            ))
        }
        other => ServerError::Encode(other),
    }
}

/// Returns a schema as the IPC message that Flight SQL puts into its own messages.
///
/// # Errors
/// `Encode` when Arrow can't write it.
pub(crate) fn schema_bytes(schema: &Schema) -> Result<Bytes> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options).try_into()?;
    Ok(bytes)
}

/// Reads what [`schema_bytes`] wrote.
#[cfg(test)]
pub(crate) fn schema_from_bytes(bytes: Bytes) -> Result<SchemaRef> {
    Ok(Arc::new(Schema::try_from(IpcMessage(bytes))?))
}

/// Returns the first message of a stream.
pub(crate) fn schema_message(schema: &Schema) -> FlightData {
    let options = IpcWriteOptions::default();
    FlightData::from(SchemaAsIpc::new(schema, &options))
}
