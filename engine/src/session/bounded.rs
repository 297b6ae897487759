//! Bounded: functions that make much of little say so before they make it. What they build is one allocation, which no pool
//! counts: beyond the limit the query fails, and its process goes on.
//!
//! It wraps DataFusion's own functions and changes nothing else about them.

use crate::error::EngineError;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::{cast, kernels::length::bit_length};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNanoType};
use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};
use std::sync::Arc;

/// Bytes that a character may take.
const CHARACTER_BYTES: u64 = 4;
/// Bytes of an element of a range.
const NUMBER_BYTES: u64 = 8;
const DAY_NANOS: i64 = 86_400_000_000_000;

/// What a function makes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Makes {
    /// The text of the first argument, as often as the second says.
    Copies,
    /// A text of as many characters as the second argument says.
    Padding,
    /// A list with the first argument, as often as the second says.
    Elements,
    /// A list of as many elements as the second argument says.
    Resized,
    /// A list of all from one argument to another.
    Range,
}

const FUNCTIONS: [(&str, Makes); 7] = [
    ("repeat", Makes::Copies),
    ("lpad", Makes::Padding),
    ("rpad", Makes::Padding),
    ("array_repeat", Makes::Elements),
    ("array_resize", Makes::Resized),
    ("range", Makes::Range),
    ("generate_series", Makes::Range),
];

/// Puts the functions of a session under a limit of bytes that one call may build.
///
/// # Errors
/// Internal when a function is not there any more.
pub(super) fn bound(state: &mut SessionState, limit_bytes: usize) -> crate::error::Result<()> {
    for (name, makes) in FUNCTIONS {
        let inner = state.udf(name)?;
        let aliases = inner.aliases().to_vec();
        state.register_udf(Arc::new(ScalarUDF::from(Bounded { inner, makes, limit_bytes, aliases })))?;
    }
    Ok(())
}

/// A function under a limit.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    makes: Makes,
    limit_bytes: usize,
    aliases: Vec<String>,
}

impl Bounded {
    fn check(&self, args: &ScalarFunctionArgs) -> Result<()> {
        let bytes = self.makes.bytes(&args.args, args.number_rows)?;
        if bytes <= self.limit_bytes as u64 {
            return Ok(());
        }
        Err(EngineError::TooLarge(format!(
            "{} would build about {} MiB at once; at most {} MiB are built",
            self.inner.name(),
            bytes / (1024 * 1024),
            self.limit_bytes / (1024 * 1024)
        ))
        .into())
    }
}

impl Makes {
    /// Bytes that a call builds, about, and rather more than less.
    fn bytes(self, args: &[ColumnarValue], rows: usize) -> Result<u64> {
        // Of constants one value is made.
        let constant = args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { rows };
        let arrays: Vec<ArrayRef> = args.iter().map(|arg| arg.to_array(rows)).collect::<Result<_>>()?;
        let (Some(first), second) = (arrays.first(), arrays.get(1)) else { return Ok(0) };
        let counts = || second.map(numbers).transpose();
        Ok(match self {
            Self::Copies => {
                let Some(counts) = counts()? else { return Ok(0) };
                let bits = bit_length(first)?;
                let bits = numbers(&bits)?;
                sum(rows, |row| at(&bits, row) / 8, |row| at(&counts, row))
            }
            Self::Padding => {
                counts()?.map_or(0, |counts| sum(rows, |row| at(&counts, row), |_| CHARACTER_BYTES))
            }
            Self::Elements | Self::Resized => {
                let Some(counts) = counts()? else { return Ok(0) };
                let each = if self == Self::Elements { element_bytes(first) } else { NUMBER_BYTES };
                sum(rows, |row| at(&counts, row), |_| each)
            }
            Self::Range => sum(rows, |row| elements(&arrays, row), |_| NUMBER_BYTES),
        })
    }
}

/// What an element takes: of the value itself, with what it holds.
fn element_bytes(values: &ArrayRef) -> u64 {
    let rows = values.len().max(1) as u64;
    (values.get_buffer_memory_size() as u64 / rows).max(1)
}

/// How many elements a range of a row has; 0 when that can't be told, e.g. for NULL.
fn elements(args: &[ArrayRef], row: usize) -> u64 {
    let whole = |index: usize| {
        let array = args.get(index)?;
        let array = numbers(array).ok()?;
        array.is_valid(row).then(|| array.value(row))
    };
    let (start, stop) = if args.len() == 1 { (Some(0), whole(0)) } else { (whole(0), whole(1)) };
    let (Some(start), Some(stop)) = (start, stop) else { return 0 };
    let steps = args.get(2);
    let step = match steps.map(|steps| steps.data_type()) {
        Some(DataType::Interval(_)) => interval_step(args, row),
        // It never gets there.
        None if start > stop => return 0,
        None => 1,
        Some(_) => match whole(2).unwrap_or(1) {
            step if (step > 0 && start > stop) || (step < 0 && start < stop) => return 0,
            step => step.unsigned_abs(),
        },
    };
    (start.abs_diff(stop) / step.max(1)).saturating_add(1)
}

/// The least that a step of an interval is, in the unit of the range.
fn interval_step(args: &[ArrayRef], row: usize) -> u64 {
    let (Some(values), Some(steps)) = (args.first(), args.get(2)) else { return 1 };
    let Some(steps) =
        steps.as_primitive_opt::<IntervalMonthDayNanoType>().filter(|steps| steps.is_valid(row))
    else {
        return 1;
    };
    let step = steps.value(row);
    let days = i64::from(step.months) * 28 + i64::from(step.days);
    let nanos = days.saturating_mul(DAY_NANOS).saturating_add(step.nanoseconds).unsigned_abs();
    let unit = match values.data_type() {
        DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Nanosecond, _) => 1,
        DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Second, _) => 1_000_000_000,
        _ => DAY_NANOS.unsigned_abs(),
    };
    nanos / unit
}

fn numbers(array: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn at(numbers: &Int64Array, row: usize) -> u64 {
    let value = if numbers.is_valid(row) { numbers.value(row) } else { 0 };
    u64::try_from(value).unwrap_or(0)
}

fn sum(rows: usize, one: impl Fn(usize) -> u64, other: impl Fn(usize) -> u64) -> u64 {
    (0..rows).fold(0_u64, |all, row| all.saturating_add(one(row).saturating_mul(other(row))))
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args)?;
        self.inner.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::scalar::ScalarValue;

    fn bytes(makes: Makes, args: Vec<ScalarValue>) -> u64 {
        let args: Vec<ColumnarValue> = args.into_iter().map(ColumnarValue::Scalar).collect();
        makes.bytes(&args, 8192).unwrap()
    }

    #[test]
    fn what_would_be_built_is_known_before() {
        let text = |text: &str| ScalarValue::from(text);
        let number = |number: i64| ScalarValue::Int64(Some(number));
        assert_eq!(bytes(Makes::Copies, vec![text("abc"), number(1_000)]), 3_000);
        assert_eq!(bytes(Makes::Copies, vec![text("abc"), number(-1)]), 0);
        assert_eq!(bytes(Makes::Padding, vec![text("a"), number(1_000)]), 4_000);
        assert_eq!(bytes(Makes::Range, vec![number(1), number(1_000_000)]), 8_000_000);
        assert_eq!(bytes(Makes::Range, vec![number(10), number(0), number(-5)]), 24);
        assert_eq!(bytes(Makes::Range, vec![ScalarValue::Int64(None), number(7)]), 0);
        assert_eq!(bytes(Makes::Range, vec![number(1_000_000_000), number(1)]), 0);
        assert_eq!(bytes(Makes::Range, vec![number(1), number(1_000_000_000), number(-1)]), 0);
        assert_eq!(bytes(Makes::Range, vec![number(i64::MIN), number(i64::MAX)]), u64::MAX);
        assert!(bytes(Makes::Elements, vec![number(1), number(1_000)]) >= 8_000);
        let days = |day| ScalarValue::Date32(Some(day));
        let step = |days| ScalarValue::new_interval_mdn(0, days, 0);
        assert_eq!(bytes(Makes::Range, vec![days(0), days(70), step(7)]), 88);
    }

    #[test]
    fn rows_of_an_array_are_counted_each() {
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None, Some(2)]));
        let args = [ColumnarValue::Scalar(ScalarValue::from("ab")), ColumnarValue::Array(counts)];
        assert_eq!(Makes::Copies.bytes(&args, 3).unwrap(), 14);
    }
}
