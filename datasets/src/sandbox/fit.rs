//! Rows to the dataset's items: columns put in order, values cast, nothing lost on the way.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::refused;
use crate::Result;

/// Which column of the rows each item gets.
#[derive(Debug)]
pub(crate) struct Fit {
    items: SchemaRef,
    /// By item: where its column is in the rows; none: NULL.
    from: Vec<Option<usize>>,
    width: usize,
}

impl Fit {
    /// Prepares for rows with these columns; none: all items in order.
    pub(crate) fn new(items: &SchemaRef, columns: Option<Vec<String>>) -> Result<Self> {
        let Some(columns) = columns else {
            let width = items.fields().len();
            return Ok(Self { items: Arc::clone(items), from: (0..width).map(Some).collect(), width });
        };
        let mut from = vec![None; items.fields().len()];
        for (at, column) in columns.iter().enumerate() {
            let item = items.index_of(column).map_err(|_| {
                let known: Vec<&str> = items.fields().iter().map(|field| field.name().as_str()).collect();
                refused(format!("the table has no column {column}; it has {}", known.join(", ")))
            })?;
            if from.get_mut(item).and_then(|place: &mut Option<usize>| place.replace(at)).is_some() {
                return Err(refused(format!("column {column} is named twice")));
            }
        }
        Ok(Self { items: Arc::clone(items), from, width: columns.len() })
    }

    /// Casts a batch to the items; a value that doesn't fit is an error, never a NULL.
    pub(super) fn fit(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if batch.num_columns() != self.width {
            return Err(refused(format!(
                "the rows have {} columns and the table expects {}; name the columns: INSERT INTO t (a, b) …",
                batch.num_columns(),
                self.width
            )));
        }
        let columns = self
            .items
            .fields()
            .iter()
            .zip(&self.from)
            .map(|(item, from)| match from {
                Some(at) => fit_column(batch.column(*at), item),
                None => null_column(item, batch.num_rows()),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.items), columns, &options)?)
    }
}

fn fit_column(column: &ArrayRef, item: &Field) -> Result<ArrayRef> {
    let whole = CastOptions { safe: false, ..CastOptions::default() };
    let fitted = if column.data_type() == item.data_type() {
        Arc::clone(column)
    } else if let DataType::Timestamp(unit, Some(zone)) = column.data_type()
        && matches!(item.data_type(), DataType::Timestamp(_, None))
    {
        return Err(refused(format!(
            "column {} holds wall-clock times and the rows have moments ({unit:?}, {zone}); CAST them to TIMESTAMP",
            item.name()
        )));
    } else {
        cast_with_options(column, item.data_type(), &whole).map_err(|error| {
            refused(format!("a value does not fit column {} ({}): {error}", item.name(), item.data_type()))
        })?
    };
    if !item.is_nullable() && fitted.null_count() > 0 {
        return Err(refused(format!("column {} is NOT NULL and a row has no value for it", item.name())));
    }
    Ok(fitted)
}

fn null_column(item: &Field, rows: usize) -> Result<ArrayRef> {
    if item.is_nullable() {
        return Ok(new_null_array(item.data_type(), rows));
    }
    Err(refused(format!("column {} is NOT NULL and the rows don't have it", item.name())))
}
