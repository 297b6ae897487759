//! Rows with equal keys, adjacent after the sort: the manifest says which of them stay.
//!
//! Works batch by batch and carries one group over the border of two batches. A batch without any
//! conflict passes untouched.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{cast, filter_record_batch, partition};
use arrow::datatypes::{Schema, UInt32Type, UInt64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};

use super::order::{FILE_COLUMN, LINE_COLUMN, Order};
use crate::{DatasetsError, Result};

/// Where a row came from: number of the file, line.
pub(crate) type Place = (u32, u64);

/// A row that gave way to another with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyConflict {
    pub(crate) dropped: Place,
    pub(crate) kept: Place,
}

/// Which of the rows with one key stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The first by file and line.
    First,
    /// The last by file and line.
    Last,
    /// All, numbered 1, 2, … in this column.
    Numbered { column: usize },
}

/// Decides key conflicts in a stream of batches sorted by key.
#[derive(Debug)]
pub(crate) struct KeyStage {
    key: Vec<usize>,
    keep: Keep,
    file: usize,
    line: usize,
    converter: RowConverter,
    group: Option<Group>,
    conflicts: Vec<KeyConflict>,
    numbered_rows: u64,
}

/// The group that the last batch ended in.
#[derive(Debug)]
struct Group {
    key: OwnedRow,
    /// Rows so far; for [`Keep::Last`] all of them, otherwise the first.
    places: Vec<Place>,
    rows: u64,
    /// The last row, held back until the group is known to end ([`Keep::Last`]).
    held: Option<RecordBatch>,
}

impl KeyStage {
    /// Prepares the stage for rows of a schema.
    ///
    /// # Errors
    /// When a key column has no order.
    pub(crate) fn new(order: &Order, keep: Keep, schema: &Schema) -> Result<Self> {
        let fields = order.key.iter().map(|index| SortField::new(schema.field(*index).data_type().clone()));
        Ok(Self {
            key: order.key.clone(),
            keep,
            file: schema.index_of(FILE_COLUMN)?,
            line: schema.index_of(LINE_COLUMN)?,
            converter: RowConverter::new(fields.collect())?,
            group: None,
            conflicts: Vec::new(),
            numbered_rows: 0,
        })
    }

    /// Takes a batch and gives the rows that are decided to stay, in order.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        if self.key.is_empty() || batch.num_rows() == 0 {
            return Ok(vec![batch.clone()]);
        }
        let columns: Vec<ArrayRef> =
            self.key.iter().map(|index| ArrayRef::clone(batch.column(*index))).collect();
        let ranges = partition(&columns)?.ranges();
        let continues = match &self.group {
            Some(group) => group.key == self.key_at(&columns, 0)?,
            None => false,
        };
        let last_key = self.key_at(&columns, batch.num_rows() - 1)?;
        match self.keep {
            Keep::Last => self.push_last(batch, &ranges, continues, last_key),
            Keep::First => self.push_first(batch, &ranges, continues, last_key),
            Keep::Numbered { column } => {
                let numbers = self.number(batch, &ranges, continues, last_key)?;
                Ok(vec![with_column(batch, column, &numbers)?])
            }
        }
    }

    /// Gives the rows held back at the end.
    pub(crate) fn finish(&mut self) -> Vec<RecordBatch> {
        self.close_group().into_iter().collect()
    }

    /// The rows that gave way so far.
    pub(crate) fn conflicts(&self) -> &[KeyConflict] {
        &self.conflicts
    }

    /// The second and later rows of their keys that were numbered.
    pub(crate) fn numbered_rows(&self) -> u64 {
        self.numbered_rows
    }

    fn push_first(
        &mut self,
        batch: &RecordBatch,
        ranges: &[Range<usize>],
        continues: bool,
        last_key: OwnedRow,
    ) -> Result<Vec<RecordBatch>> {
        if !continues && ranges.len() == batch.num_rows() {
            let place = self.place(batch, batch.num_rows() - 1)?;
            self.group = Some(Group { key: last_key, places: vec![place], rows: 1, held: None });
            return Ok(vec![batch.clone()]);
        }
        let mut carried = if continues { self.group.take() } else { None };
        let mut kept = vec![false; batch.num_rows()];
        let mut last_place = self.place(batch, 0)?;
        for range in ranges {
            let mut rows = range.clone();
            last_place = match carried.take().and_then(|group| group.places.first().copied()) {
                Some(first) => first,
                None => {
                    if let Some(keep) = kept.get_mut(range.start) {
                        *keep = true;
                    }
                    rows.start += 1;
                    self.place(batch, range.start)?
                }
            };
            for row in rows {
                let dropped = self.place(batch, row)?;
                self.conflicts.push(KeyConflict { dropped, kept: last_place });
            }
        }
        self.group = Some(Group { key: last_key, places: vec![last_place], rows: 1, held: None });
        Ok(vec![filter_record_batch(batch, &BooleanArray::from(kept))?])
    }

    fn push_last(
        &mut self,
        batch: &RecordBatch,
        ranges: &[Range<usize>],
        continues: bool,
        last_key: OwnedRow,
    ) -> Result<Vec<RecordBatch>> {
        let mut out = Vec::new();
        let mut places = Vec::new();
        if continues {
            places = self.group.take().map(|group| group.places).unwrap_or_default();
        } else {
            out.extend(self.close_group());
        }
        let mut kept = vec![false; batch.num_rows()];
        for (number, range) in ranges.iter().enumerate() {
            for row in range.clone() {
                places.push(self.place(batch, row)?);
            }
            if number + 1 < ranges.len() {
                self.drop_all_but_last(&std::mem::take(&mut places));
                if let Some(keep) = range.end.checked_sub(1).and_then(|row| kept.get_mut(row)) {
                    *keep = true;
                }
            }
        }
        let held = Some(batch.slice(batch.num_rows() - 1, 1));
        self.group = Some(Group { key: last_key, rows: places.len() as u64, places, held });
        out.push(filter_record_batch(batch, &BooleanArray::from(kept))?);
        Ok(out)
    }

    fn number(
        &mut self,
        batch: &RecordBatch,
        ranges: &[Range<usize>],
        continues: bool,
        last_key: OwnedRow,
    ) -> Result<Int64Array> {
        let mut before = if continues { self.group.take().map_or(0, |group| group.rows) } else { 0 };
        let mut numbers = Vec::with_capacity(batch.num_rows());
        let mut rows = 0;
        for range in ranges {
            rows = before + range.len() as u64;
            numbers.extend((before + 1..=rows).map(u64::cast_signed));
            self.numbered_rows += range.len() as u64 - u64::from(before == 0);
            before = 0;
        }
        self.group = Some(Group { key: last_key, places: Vec::new(), rows, held: None });
        Ok(Int64Array::from(numbers))
    }

    fn close_group(&mut self) -> Option<RecordBatch> {
        let group = self.group.take()?;
        if self.keep == Keep::Last {
            self.drop_all_but_last(&group.places);
        }
        group.held
    }

    fn drop_all_but_last(&mut self, places: &[Place]) {
        if let Some((kept, dropped)) = places.split_last() {
            self.conflicts
                .extend(dropped.iter().map(|dropped| KeyConflict { dropped: *dropped, kept: *kept }));
        }
    }

    fn key_at(&self, columns: &[ArrayRef], row: usize) -> Result<OwnedRow> {
        let cells: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        Ok(self.converter.convert_columns(&cells)?.row(0).owned())
    }

    fn place(&self, batch: &RecordBatch, row: usize) -> Result<Place> {
        let file = batch.column(self.file).as_primitive_opt::<UInt32Type>();
        let line = batch.column(self.line).as_primitive_opt::<UInt64Type>();
        match (file, line) {
            (Some(file), Some(line)) => Ok((file.value(row), line.value(row))),
            _ => Err(DatasetsError::internal("rows lack their file and line")),
        }
    }
}

fn with_column(batch: &RecordBatch, index: usize, numbers: &Int64Array) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    if let Some(column) = columns.get_mut(index) {
        *column = cast(numbers, batch.schema().field(index).data_type())?;
    }
    Ok(RecordBatch::try_new(Arc::clone(batch.schema_ref()), columns)?)
}
