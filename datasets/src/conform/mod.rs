//! Raw rows to typed rows and rejects: every raw row ends as exactly one of them.
//!
//! Third room of the walk. Columns are mapped, read and checked one at a time; the first failure of a row is its reason.
//! Keys, which need all rows of a delivery, are checked later (`arrange`).

mod check;
mod expression;
mod header;
mod marks;
mod plan;
mod route;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, UInt64Array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use basin_catalog::{DatasetName, ItemName};

use crate::error::Result;
use crate::manifest::{DeliveryKind, Manifest};
use crate::source::{RawBatch, RawRows};
use marks::Marks;
use plan::Plan;
pub(crate) use plan::verify;
use route::Router;

/// A raw row that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reject {
    /// Position of the file in the delivery.
    pub(crate) file: u32,
    /// Physical line, or row number.
    pub(crate) line: u64,
    /// The row as it was delivered, cut at 4 KiB.
    pub(crate) raw: String,
    /// The rule that it broke first.
    pub(crate) rule: String,
    pub(crate) item: Option<String>,
    pub(crate) reason: String,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Conformed {
    /// Raw rows that are this dataset's: accepted and rejected.
    pub(crate) rows_in: u64,
    /// Items in definition order, then `_file` UInt32 and `_line` UInt64, neither NULL.
    pub(crate) rows: RecordBatch,
    pub(crate) rejects: Vec<Reject>,
}

/// Code lists by dataset and item, as canonical text.
#[derive(Debug, Clone, Default)]
pub(crate) struct CodeLists(HashMap<(DatasetName, ItemName), Arc<HashSet<String>>>);

impl CodeLists {
    /// Adds a list.
    pub(crate) fn insert(&mut self, dataset: DatasetName, item: ItemName, values: Arc<HashSet<String>>) {
        self.0.insert((dataset, item), values);
    }

    /// Returns a list.
    pub(crate) fn get(&self, dataset: &DatasetName, item: &ItemName) -> Option<&Arc<HashSet<String>>> {
        self.0.get(&(dataset.clone(), item.clone()))
    }
}

/// Which dataset of a delivery takes which rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routing {
    /// Position of this dataset.
    pub(crate) mine: usize,
    /// Per dataset: SQL over raw columns; none takes all rows.
    pub(crate) routes: Vec<Option<String>>,
}

/// Turns raw batches of one kind and header into typed rows.
#[derive(Debug)]
pub(crate) struct Conformer {
    kind: DeliveryKind,
    router: Router,
    plan: Plan,
    /// Raw columns, then the named parts of the file name.
    raw: SchemaRef,
    output: SchemaRef,
}

impl Conformer {
    /// Compiles the mapping of raw columns to items.
    ///
    /// # Errors
    /// `Refused` with the difference when the columns are not what the manifest says; `Manifest` when SQL does not fit
    /// them or a code list was not given.
    pub(crate) fn new(
        manifest: &Manifest,
        kind: &DeliveryKind,
        raw_schema: &Schema,
        routing: Routing,
        code_lists: &CodeLists,
    ) -> Result<Self> {
        let raw = plan::with_captures(raw_schema, kind);
        let compiler = expression::Compiler::new(&raw)?;
        let router = Router::new(&routing, kind.kind(), &compiler)?;
        let plan = Plan::new(manifest, kind, &raw, &compiler, code_lists)?;
        let in_sql = &plan.columns_in_sql() | &router.columns();
        header::compare(&manifest.definition().name, kind, raw_schema, &in_sql)?;
        let output = plan::output_schema(manifest);
        Ok(Self { kind: kind.clone(), router, plan, raw: Arc::new(raw), output })
    }

    /// Conforms one batch.
    ///
    /// # Errors
    /// Only what is no row's fault: a raw column whose type can't become the item's, or an internal failure.
    pub(crate) fn conform(&self, mut batch: RawBatch) -> Result<Conformed> {
        let rows = self.with_captures(&batch)?;
        // Rows that could not be split are nobody's: the first dataset tells of them.
        let malformed = std::mem::take(&mut batch.malformed);
        let mut rejects = if self.router.is_first() { malformed } else { Vec::new() };
        let place = |row: usize| batch.lines.get(row).copied().unwrap_or_default();
        let routed = self.router.route(&rows)?;
        rejects.extend(
            routed
                .failures
                .into_failures()
                .map(|(row, failure)| reject(batch.file, place(row), &batch.raw, row, failure)),
        );
        let (rows, positions) = match routed.mine {
            None => (rows, (0..batch.lines.len()).collect::<Vec<_>>()),
            Some(mine) => {
                let positions =
                    mine.iter().enumerate().filter(|(_, mine)| *mine == Some(true)).map(|(row, _)| row);
                (filter_record_batch(&rows, &mine)?, positions.collect())
            }
        };
        let (columns, marks) = self.plan.run(&rows)?;
        let rows = self.accepted(&batch, columns, &positions, &marks)?;
        for (row, failure) in marks.into_failures() {
            let row = positions.get(row).copied().unwrap_or_default();
            rejects.push(reject(batch.file, place(row), &batch.raw, row, failure));
        }
        rejects.sort_by_key(|reject| reject.line);
        Ok(Conformed { rows_in: rows.num_rows() as u64 + rejects.len() as u64, rows, rejects })
    }

    /// Adds the named parts of the file name as columns.
    fn with_captures(&self, batch: &RawBatch) -> Result<RecordBatch> {
        let rows = batch.rows.num_rows();
        let repeated = |(_, value): (String, Option<String>)| -> ArrayRef {
            let value = value.filter(|value| !value.trim().is_empty());
            match value {
                Some(value) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))),
                None => Arc::new(StringArray::new_null(rows)),
            }
        };
        let mut columns = batch.rows.columns().to_vec();
        columns.extend(self.kind.captures(&batch.name).into_iter().map(repeated));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.raw), columns, &options)?)
    }

    /// Keeps the rows without failures, with their file and line.
    fn accepted(
        &self,
        batch: &RawBatch,
        mut columns: Vec<ArrayRef>,
        positions: &[usize],
        marks: &Marks,
    ) -> Result<RecordBatch> {
        let lines = positions.iter().filter_map(|row| batch.lines.get(*row).copied());
        columns.push(Arc::new(UInt32Array::from_value(batch.file, positions.len())));
        columns.push(Arc::new(UInt64Array::from_iter_values(lines)));
        if !marks.is_empty() {
            let keep: BooleanArray = (0..positions.len()).map(|row| Some(!marks.contains(row))).collect();
            for column in &mut columns {
                *column = arrow::compute::filter(column, &keep)?;
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.output), columns)?)
    }
}

fn reject(file: u32, line: u64, raw: &RawRows, row: usize, failure: marks::Failure) -> Reject {
    Reject { file, line, raw: raw.text(row), rule: failure.rule, item: failure.item, reason: failure.reason }
}
