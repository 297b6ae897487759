//! Which slice each row belongs to. A slice is the unit that a later delivery replaces.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::{cast, partition};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use basin_catalog::{DatasetDefinition, SliceKey};

use crate::{DatasetsError, Result};

/// Numbers the slices it meets, in order of appearance.
#[derive(Debug)]
pub(crate) struct SliceIndex {
    columns: Vec<(String, DataType)>,
    converter: RowConverter,
    known: HashMap<Box<[u8]>, usize>,
    keys: Vec<SliceKey>,
}

impl SliceIndex {
    /// Prepares an index for a dataset's slice items.
    pub(crate) fn new(definition: &DatasetDefinition) -> Result<Self> {
        let columns = definition.layout.slice.iter().map(|name| {
            let item = definition
                .item(name.as_str())
                .ok_or_else(|| DatasetsError::internal(format!("slice item {name} is not an item")))?;
            Ok((name.to_string(), item.r#type.arrow()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let fields = columns.iter().map(|(_, data_type)| SortField::new(data_type.clone())).collect();
        Ok(Self { columns, converter: RowConverter::new(fields)?, known: HashMap::new(), keys: Vec::new() })
    }

    /// Names of the slice columns.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Types of the slice columns.
    pub(super) fn types(&self) -> impl Iterator<Item = (&str, &DataType)> {
        self.columns.iter().map(|(name, data_type)| (name.as_str(), data_type))
    }

    /// The slices met so far; positions are the numbers that [`SliceIndex::assign`] gives.
    pub(crate) fn keys(&self) -> &[SliceKey] {
        &self.keys
    }

    /// Gives runs of rows with the number of their slice. Absent columns count as NULL.
    pub(crate) fn assign(&mut self, batch: &RecordBatch) -> Result<Vec<(Range<usize>, usize)>> {
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        if self.columns.is_empty() {
            if self.keys.is_empty() {
                self.keys.push(SliceKey(Vec::new()));
            }
            return Ok(vec![(0..batch.num_rows(), 0)]);
        }
        let columns = self
            .columns
            .iter()
            .map(|(name, data_type)| match batch.column_by_name(name) {
                Some(column) => Ok(cast(column, data_type)?),
                None => Ok(new_null_array(data_type, batch.num_rows())),
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        let rows = self.converter.convert_columns(&columns)?;
        let mut runs = Vec::new();
        for range in partition(&columns)?.ranges() {
            let row = rows.row(range.start);
            let number = match self.known.get(row.as_ref()) {
                Some(number) => *number,
                None => {
                    self.keys.push(slice_key(&columns, range.start)?);
                    self.known.insert(row.as_ref().into(), self.keys.len() - 1);
                    self.keys.len() - 1
                }
            };
            runs.push((range, number));
        }
        Ok(runs)
    }
}

fn slice_key(columns: &[ArrayRef], row: usize) -> Result<SliceKey> {
    let value = |column: &ArrayRef| -> Result<Option<String>> {
        let text = cast(&column.slice(row, 1), &DataType::Utf8)?;
        let text = text.as_string::<i32>();
        Ok(text.is_valid(0).then(|| text.value(0).to_owned()))
    };
    Ok(SliceKey(columns.iter().map(value).collect::<Result<_>>()?))
}
