//! The order of rows: which columns are sorted by, and whether keys need a sort of their own.

use arrow::datatypes::{Schema, SchemaRef};
use basin_catalog::{DatasetDefinition, ItemName};

use crate::Result;

/// Helper column: number of the file in the delivery.
pub(crate) const FILE_COLUMN: &str = "_file";
/// Helper column: line of the row in its file.
pub(crate) const LINE_COLUMN: &str = "_line";

/// The sorts that a dataset's rows go through, as column positions in a conformed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Columns of the first sort; rows with equal keys are adjacent after it. None: rows stay as read.
    pub(crate) first: Option<Vec<usize>>,
    /// Columns of the second sort, when the table's order would tear equal keys apart.
    pub(crate) second: Option<Vec<usize>>,
    /// Columns that make two rows equal; empty when the dataset has no key.
    pub(crate) key: Vec<usize>,
    /// The table's declared order, for the Parquet footer.
    pub(crate) declared: Vec<String>,
}

impl Order {
    /// Decides the sorts; `number` is the item that numbers rows with equal keys, which is no part of the key.
    ///
    /// # Errors
    /// An internal error when the layout names a column that the batch lacks.
    pub(crate) fn new(
        definition: &DatasetDefinition,
        rows: &SchemaRef,
        number: Option<&ItemName>,
    ) -> Result<Self> {
        let layout = &definition.layout;
        let without_number = |items: &[ItemName]| -> Vec<String> {
            items.iter().filter(|item| Some(*item) != number).map(ToString::to_string).collect()
        };
        let key = without_number(&layout.key);
        let table = joined(&[without_number(&layout.partition), without_number(&layout.sort)]);
        let place = [FILE_COLUMN.to_owned(), LINE_COLUMN.to_owned()];
        let (first, second) = if table.is_empty() && key.is_empty() {
            (None, None)
        } else if key.is_empty() || table.iter().all(|column| key.contains(column)) {
            (Some(joined(&[table.clone(), key.clone(), place.to_vec()])), None)
        } else {
            let by_key = joined(&[key.clone(), place.to_vec()]);
            (Some(by_key), Some(joined(&[table.clone(), key.clone(), place.to_vec()])))
        };
        Ok(Self {
            first: first.map(|columns| positions(rows, &columns)).transpose()?,
            second: second.map(|columns| positions(rows, &columns)).transpose()?,
            key: positions(rows, &key)?,
            declared: Self::declared(definition, number),
        })
    }

    /// The order of a dataset's files. Each has one value of the partition, so that order by the rest holds inside a file.
    pub(crate) fn declared(definition: &DatasetDefinition, number: Option<&ItemName>) -> Vec<String> {
        let layout = &definition.layout;
        let items = layout.partition.iter().chain(&layout.sort).chain(&layout.key);
        let names = items.filter(|item| Some(*item) != number).map(ToString::to_string);
        joined(&[names.collect()])
    }
}

fn joined(parts: &[Vec<String>]) -> Vec<String> {
    let mut all = Vec::new();
    for column in parts.iter().flatten() {
        if !all.contains(column) {
            all.push(column.clone());
        }
    }
    all
}

fn positions(schema: &Schema, columns: &[String]) -> Result<Vec<usize>> {
    columns.iter().map(|column| Ok(schema.index_of(column)?)).collect()
}
