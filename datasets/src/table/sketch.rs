//! Sketches: how many distinct values the columns of a file hold, in a form whose union is a version's.
//!
//! HyperLogLog as Apache DataSketches stores it, hashed over canonical values, so that files of other days and
//! machines join, and other programs can read them. Lists have none. What a planner makes of the numbers is its own.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, Schema};
use datasketches::hash::value::{canonical_float, raw_bytes};
use datasketches::hll::{Coupon, HllSketch, HllType, HllUnion};

use crate::{DatasetsError, Result};

/// 4,096 registers of 4 bits: 2 kB a column, and an error of 1.6 % (one standard deviation).
const LOG_REGISTERS: u8 = 12;
/// Begins every encoded set, so that something else is never taken for one.
const MAGIC: &[u8; 4] = b"BDS1";

/// Counts the distinct values of one column.
#[derive(Debug)]
pub(super) struct ColumnSketch {
    sketch: HllSketch,
}

impl ColumnSketch {
    /// Starts a count; none for a type that has none.
    ///
    /// # Errors
    /// An internal error.
    pub(super) fn new(data_type: &DataType) -> Result<Option<Self>> {
        if data_type.is_nested() {
            return Ok(None);
        }
        let sketch = HllSketch::new(LOG_REGISTERS, HllType::Hll4).map_err(damaged)?;
        Ok(Some(Self { sketch }))
    }

    /// Adds the values of an array of a stored type. NULL is no value.
    ///
    /// # Errors
    /// Arrow's own.
    pub(super) fn update(&mut self, array: &ArrayRef) -> Result<()> {
        match array.data_type() {
            DataType::Utf8 => self
                .add(array.as_string::<i32>().iter(), |text| Coupon::from_value(raw_bytes::from_str(text))),
            DataType::Binary => self.add(array.as_binary::<i32>().iter(), |bytes| {
                Coupon::from_value(raw_bytes::from_slice(bytes))
            }),
            DataType::Float32 | DataType::Float64 => {
                let values = cast(array, &DataType::Float64)?;
                self.add_native(values.as_primitive::<Float64Type>(), |value| {
                    Coupon::from_value(canonical_float::from_f64(value))
                });
            }
            DataType::Decimal128(..) => self.add_native(array.as_primitive::<Decimal128Type>(), |value| {
                Coupon::from_value(raw_bytes::from_slice(&value.to_le_bytes()))
            }),
            // Integers, days and moments are integers; a boolean is 0 or 1.
            _ => {
                let values = cast(array, &DataType::Int64)?;
                self.add_native(values.as_primitive::<Int64Type>(), Coupon::from_value);
            }
        }
        Ok(())
    }

    fn add_native<T: ArrowPrimitiveType>(
        &mut self,
        array: &PrimitiveArray<T>,
        coupon: impl Fn(T::Native) -> Coupon,
    ) {
        if array.null_count() == 0 {
            self.add(array.values().iter().copied().map(Some), coupon);
        } else {
            self.add(array.iter(), coupon);
        }
    }

    /// A value that repeats the one before it costs a comparison: sorted columns are nearly free.
    fn add<V: Copy + PartialEq>(
        &mut self,
        values: impl Iterator<Item = Option<V>>,
        coupon: impl Fn(V) -> Coupon,
    ) {
        let mut last = None;
        for value in values.flatten() {
            if last != Some(value) {
                self.sketch.update_with_coupon(coupon(value));
                last = Some(value);
            }
        }
    }
}

/// The counts of a file's or a version's columns by name.
#[derive(Debug, Default)]
pub(super) struct Sketches {
    columns: BTreeMap<String, HllSketch>,
}

impl Sketches {
    /// Takes the counts of a file's columns.
    pub(super) fn of_file(schema: &Schema, counts: Vec<Option<ColumnSketch>>) -> Self {
        let named = schema.fields().iter().zip(counts);
        let columns = named.filter_map(|(field, count)| Some((field.name().clone(), count?.sketch)));
        Self { columns: columns.collect() }
    }

    /// Adds the counts of another file. A column that one of them lacks has no values there.
    ///
    /// # Errors
    /// An internal error.
    pub(super) fn merge(&mut self, other: Self) -> Result<()> {
        for (name, sketch) in other.columns {
            let merged = match self.columns.remove(&name) {
                None => sketch,
                Some(mine) => {
                    let mut union = HllUnion::new(LOG_REGISTERS).map_err(damaged)?;
                    union.update(&mine);
                    union.update(&sketch);
                    union.to_sketch(HllType::Hll4)
                }
            };
            self.columns.insert(name, merged);
        }
        Ok(())
    }

    /// Distinct values by column, estimated.
    pub(super) fn estimates(&self) -> BTreeMap<String, u64> {
        self.columns.iter().map(|(name, sketch)| (name.clone(), sketch.estimate().round() as u64)).collect()
    }

    /// The magic, then for each column the lengths of its name and its sketch (`u32`, little-endian), and both.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (name, sketch) in &self.columns {
            let sketch = sketch.serialize();
            for length in [name.len(), sketch.len()] {
                bytes.extend_from_slice(&(length as u32).to_le_bytes());
            }
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&sketch);
        }
        bytes
    }

    /// Reads what [`Sketches::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("no sketches"))?;
        let mut columns = BTreeMap::new();
        while !rest.is_empty() {
            let name_bytes = length(&mut rest)?;
            let sketch_bytes = length(&mut rest)?;
            let name = take(&mut rest, name_bytes)?;
            let name = std::str::from_utf8(name).map_err(damaged)?.to_owned();
            let sketch = HllSketch::deserialize(take(&mut rest, sketch_bytes)?).map_err(damaged)?;
            columns.insert(name, sketch);
        }
        Ok(Self { columns })
    }
}

fn length(rest: &mut &[u8]) -> Result<usize> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("cut short"))?;
    *rest = after;
    Ok(u32::from_le_bytes(*length) as usize)
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(bytes).ok_or_else(|| damaged("cut short"))?;
    *rest = after;
    Ok(taken)
}

fn damaged(reason: impl std::fmt::Display) -> DatasetsError {
    DatasetsError::internal(format!("sketch of distinct values: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, ListArray, StringArray, types::Int32Type};
    use arrow::datatypes::Field;

    use super::*;

    fn sketches(arrays: Vec<(&str, ArrayRef)>) -> Sketches {
        let fields: Vec<_> =
            arrays.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
        let counts = arrays.iter().map(|(_, array)| {
            let mut count = ColumnSketch::new(array.data_type()).unwrap();
            if let Some(count) = &mut count {
                count.update(array).unwrap();
            }
            count
        });
        Sketches::of_file(&Schema::new(fields), counts.collect())
    }

    fn near(estimate: u64, exact: u64) -> bool {
        estimate.abs_diff(exact) * 20 <= exact
    }

    #[test]
    fn unions_count_what_files_share_once() {
        let numbers = |from, to| Arc::new(Int32Array::from_iter_values(from..to)) as ArrayRef;
        let texts = |from: i32, to: i32| {
            let texts = (from..to).map(|n| (n % 7 != 0).then(|| format!("text {}", n / 3)));
            Arc::new(StringArray::from_iter(texts)) as ArrayRef
        };
        let mut all = sketches(vec![("n", numbers(0, 60_000)), ("t", texts(0, 60_000))]);
        all.merge(sketches(vec![("n", numbers(30_000, 90_000)), ("t", texts(30_000, 90_000))])).unwrap();
        let all = Sketches::decode(&all.encode()).unwrap().estimates();
        assert!(near(all["n"], 90_000), "{all:?}");
        assert!(near(all["t"], 30_000), "{all:?}");
    }

    #[test]
    fn few_values_are_counted_exactly_and_lists_not() {
        let few = Arc::new(Int32Array::from_iter((0..10_000).map(|n| (n % 3 > 0).then_some(n % 100))));
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]);
        assert_eq!(sketches(vec![("few", few)]).estimates()["few"], 100);
        assert!(sketches(vec![("list", Arc::new(list))]).estimates().is_empty());
    }

    #[test]
    fn other_bytes_are_refused() {
        let good = sketches(vec![("n", Arc::new(Int32Array::from_iter_values(0..100)))]).encode();
        for end in 0..good.len() {
            assert!(Sketches::decode(&good[..end]).is_err() || end == MAGIC.len(), "cut at {end}");
        }
        assert!(Sketches::decode(b"PAR1").is_err());
    }
}
