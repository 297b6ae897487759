//! How item types are stored: Delta Lake has no unsigned integers and no time of day.
//!
//! An unsigned integer is stored in the next wider signed type (`uint64` as `decimal(20,0)`), a time
//! of day as microseconds since midnight in an `Int64`. Readers cast back to the item's own type.
//! This module decides types only; it reads and writes nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake_core::kernel::StructType;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;

use crate::{DatasetsError, Result};

/// Gives the stored type of an item's Arrow type.
pub(crate) fn stored_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Int64,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::List(element) | DataType::LargeList(element) => DataType::List(Arc::new(Field::new(
            element.name(),
            stored_type(element.data_type()),
            element.is_nullable(),
        ))),
        other => other.clone(),
    }
}

/// Gives the schema of the Parquet files for a schema of items.
pub(crate) fn stored_schema(items: &Schema) -> SchemaRef {
    let fields: Vec<Field> = items
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), stored_type(field.data_type()), field.is_nullable()))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Gives the Delta schema; every column is nullable there, so that items can be added later.
pub(crate) fn delta_schema(stored: &Schema) -> Result<StructType> {
    let fields: Vec<Field> =
        stored.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Ok((&Schema::new(fields)).try_into_kernel()?)
}

/// Casts the leading columns of a batch to the stored schema; trailing helper columns fall away.
pub(crate) fn to_stored(batch: &RecordBatch, stored: &SchemaRef) -> Result<RecordBatch> {
    let columns = stored
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| to_stored_column(column, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(stored), columns, &options)?)
}

fn to_stored_column(column: &ArrayRef, stored: &DataType) -> Result<ArrayRef> {
    if column.data_type() == stored {
        return Ok(Arc::clone(column));
    }
    if let DataType::Time32(_) = column.data_type() {
        let micros = cast(column, &DataType::Time64(TimeUnit::Microsecond))?;
        return Ok(cast(&micros, stored)?);
    }
    cast(column, stored).map_err(DatasetsError::from)
}
