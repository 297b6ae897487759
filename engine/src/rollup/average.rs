//! Average: a sum of decimals divided by a count exactly as the engine's `avg` divides: with four more digits after the
//! point, the rest cut off. No SQL reaches the function.

use datafusion::arrow::array::{AsArray, Decimal128Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, DecimalType, Int64Type};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// Digits that an average has more than its values, before and after the point together.
const MORE_DIGITS: u8 = 4;
/// What a sum is multiplied by before it is divided.
const SCALED: i128 = 10_000;
/// Decimals of more digits are added up by the engine in a wider type than a rollup's.
pub(super) const AVERAGED_DIGITS: u8 = 25;

/// The average of decimals of this type, of which at most [`AVERAGED_DIGITS`] digits are there.
pub(super) fn average_of_decimals(precision: u8, scale: i8, sum: Expr, count: Expr) -> Expr {
    let average = DataType::Decimal128(precision + MORE_DIGITS, scale + MORE_DIGITS.cast_signed());
    let function = AverageOfDecimals { average, signature: Signature::any(2, Volatility::Immutable) };
    let func = Arc::new(ScalarUDF::new_from_impl(function));
    Expr::ScalarFunction(ScalarFunction { func, args: vec![sum, count] })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AverageOfDecimals {
    average: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for AverageOfDecimals {
    fn name(&self) -> &'static str {
        "average"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.average.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let ([sums, counts], DataType::Decimal128(precision, scale)) = (arrays.as_slice(), &self.average)
        else {
            return Err(exec_datafusion_err!("an average has a sum and a count"));
        };
        let unfit = || exec_datafusion_err!("an average's sum and count have other types");
        let sums = sums.as_primitive_opt::<Decimal128Type>().ok_or_else(unfit)?;
        let counts = counts.as_primitive_opt::<Int64Type>().ok_or_else(unfit)?;
        let averages = sums.iter().zip(counts.iter()).map(|(sum, count)| match (sum, count) {
            (Some(sum), Some(count)) => divided(sum, count, *precision, *scale).map(Some),
            (None, _) | (_, None) => Ok(None),
        });
        let averages = averages.collect::<Result<Decimal128Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(averages.with_precision_and_scale(*precision, *scale)?)))
    }
}

fn divided(sum: i128, count: i64, precision: u8, scale: i8) -> Result<i128> {
    let average = sum.checked_mul(SCALED).and_then(|scaled| scaled.checked_div(i128::from(count)));
    let fits = |value: &i128| Decimal128Type::validate_decimal_precision(*value, precision, scale).is_ok();
    average.filter(fits).ok_or_else(|| exec_datafusion_err!("Arithmetic Overflow in AvgAccumulator"))
}
