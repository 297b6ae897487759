//! Whether an answer is the right one: its rows, counted and summed up so that their order doesn't matter.
//!
//! Floats may differ in their last digits from run to run, because parallel sums add up in another order; everything else
//! must be equal. Of answers too large to look at only the rows are counted, so that checking doesn't cost what is measured.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, sum};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use super::expected::Expected;

/// Rows up to which values are looked at.
const LOOKED_AT_ROWS: u64 = 100_000;
/// Share by which sums of floats may differ.
const RELATIVE: f64 = 1e-9;
/// What another engine's averages and quotients may differ by, a row: they have other digits.
const ABSOLUTE: f64 = 1e-4;

/// What is remembered of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fingerprint {
    pub(super) rows: u64,
    /// Nothing for an answer that is too large to look at.
    values: Option<Values>,
}

#[derive(Debug, Clone, PartialEq)]
struct Values {
    /// Of all columns that aren't floats.
    digest: u64,
    /// By column; nothing for one without numbers.
    sums: Vec<Option<f64>>,
}

/// Takes an answer's fingerprint batch by batch.
#[derive(Debug)]
pub(super) struct Taking {
    schema: SchemaRef,
    exact: Vec<usize>,
    converter: RowConverter,
    taken: Fingerprint,
}

impl Taking {
    /// # Errors
    /// When a column's type can't be compared.
    pub(super) fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        let is_exact = |index: &usize| !schema.field(*index).data_type().is_floating();
        let exact: Vec<usize> = (0..schema.fields().len()).filter(is_exact).collect();
        let fields = exact.iter().map(|index| SortField::new(schema.field(*index).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let is_number = |data_type: &DataType| data_type.is_numeric();
        let sums = schema.fields().iter().map(|field| is_number(field.data_type()).then_some(0.0)).collect();
        let taken = Fingerprint { rows: 0, values: Some(Values { digest: 0, sums }) };
        Ok(Self { schema, exact, converter, taken })
    }

    /// # Errors
    /// When the batch isn't of the schema.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.taken.rows += batch.num_rows() as u64;
        if self.taken.rows > LOOKED_AT_ROWS {
            self.taken.values = None;
        }
        let Some(values) = &mut self.taken.values else { return Ok(()) };
        if batch.num_columns() != self.schema.fields().len() {
            return Err(ArrowError::SchemaError("a batch has other columns than the answer".to_owned()));
        }
        for (total, column) in values.sums.iter_mut().zip(batch.columns()) {
            if let Some(total) = total {
                *total += sum(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>()).unwrap_or(0.0);
            }
        }
        let exact: Vec<ArrayRef> = self.exact.iter().map(|index| batch.column(*index)).cloned().collect();
        if exact.is_empty() {
            return Ok(());
        }
        for row in &self.converter.convert_columns(&exact)? {
            let mut hasher = DefaultHasher::new();
            row.as_ref().hash(&mut hasher);
            values.digest = values.digest.wrapping_add(hasher.finish());
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Fingerprint {
        self.taken
    }
}

impl Fingerprint {
    /// Compares with the checked answer of the same statement.
    ///
    /// # Errors
    /// What differs.
    pub(super) fn same(&self, checked: &Self) -> Result<(), String> {
        self.same_rows(checked.rows)?;
        match (&self.values, &checked.values) {
            (Some(values), Some(checked)) => {
                if values.digest != checked.digest {
                    return Err("its values are others than those of the checked answer".to_owned());
                }
                same_sums(&values.sums, &checked.sums, 0.0)
            }
            (None, None) => Ok(()),
            (Some(_), None) | (None, Some(_)) => Err("its size is another".to_owned()),
        }
    }

    /// Compares with what another engine found.
    ///
    /// # Errors
    /// What differs.
    pub(super) fn expected(&self, expected: &Expected) -> Result<(), String> {
        self.same_rows(expected.rows)?;
        match &self.values {
            Some(values) => same_sums(&values.sums, &expected.sums, ABSOLUTE * self.rows as f64),
            None => Ok(()),
        }
    }

    fn same_rows(&self, expected: u64) -> Result<(), String> {
        if self.rows == expected { Ok(()) } else { Err(format!("it has {} rows, not {expected}", self.rows)) }
    }
}

/// Compares sums by column, where both sides have numbers.
fn same_sums(found: &[Option<f64>], expected: &[Option<f64>], absolute: f64) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("it has {} columns, not {}", found.len(), expected.len()));
    }
    for (column, pair) in found.iter().zip(expected).enumerate() {
        let (Some(found), Some(expected)) = pair else { continue };
        let equal = found == expected || (found.is_nan() && expected.is_nan());
        if !equal && (found - expected).abs() > absolute + RELATIVE * expected.abs() {
            return Err(format!("column {} adds up to {found}, not {expected}", column + 1));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn taken(batches: &[(&[i64], &[f64], &[&str])]) -> Fingerprint {
        let batch = |(numbers, floats, texts): &(&[i64], &[f64], &[&str])| {
            RecordBatch::try_from_iter([
                ("n", Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef),
                ("f", Arc::new(Float64Array::from(floats.to_vec())) as ArrayRef),
                ("t", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef),
            ])
            .unwrap()
        };
        let mut taking = Taking::new(batch(&(&[], &[], &[])).schema()).unwrap();
        for one in batches {
            taking.add(&batch(one)).unwrap();
        }
        taking.finish()
    }

    #[test]
    fn order_and_batches_dont_matter_and_last_digits_of_floats_neither() {
        let checked = taken(&[(&[1, 2], &[0.1, 0.2], &["a", "b"])]);
        taken(&[(&[2], &[0.2], &["b"]), (&[1], &[0.1 + 1e-15], &["a"])]).same(&checked).unwrap();
    }

    #[test]
    fn another_value_row_or_pairing_is_seen() {
        let checked = taken(&[(&[1, 2], &[0.1, 0.2], &["a", "b"])]);
        for wrong in [
            taken(&[(&[1], &[0.1], &["a"])]),
            taken(&[(&[1, 2], &[0.1, 0.2], &["b", "a"])]),
            taken(&[(&[1, 3], &[0.1, 0.2], &["a", "b"])]),
            taken(&[(&[1, 2], &[0.1, 0.3], &["a", "b"])]),
        ] {
            assert!(wrong.same(&checked).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn another_engines_figures_are_compared() {
        let found = taken(&[(&[1, 2], &[0.1, 0.2], &["a", "b"])]);
        let expected = |rows, first| Expected { rows, sums: vec![Some(first), Some(0.300_05), None] };
        found.expected(&expected(2, 3.0)).unwrap();
        assert!(found.expected(&expected(3, 3.0)).is_err());
        assert!(found.expected(&expected(2, 4.0)).is_err());
    }

    #[test]
    fn of_a_large_answer_only_rows_are_counted() {
        let numbers: Vec<i64> = (0..=LOOKED_AT_ROWS as i64).collect();
        let floats = vec![0.0; numbers.len()];
        let texts = vec![""; numbers.len()];
        let large = taken(&[(&numbers, &floats, &texts)]);
        assert_eq!(large, Fingerprint { rows: LOOKED_AT_ROWS + 1, values: None });
    }
}
