//! Mask: values as those see them who may not see the values. A mask never fails, and keeps the column's type.

use basin_catalog::Mask;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, StringArray, new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bytes of a hash that are shown: 128 bits, so that equal hashes mean equal values.
const HASH_BYTES: usize = 16;

/// The key that values are hashed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaskKey([u8; 32]);

impl MaskKey {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn hash(self, value: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, value)
    }
}

impl std::fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MaskKey(<key>)")
    }
}

/// Returns the values of `raw` under masks, applied one after the other.
pub(super) fn masked(raw: Expr, masks: &[Mask], key: MaskKey) -> Expr {
    let function = ScalarUDF::new_from_impl(MaskFunction {
        masks: masks.to_vec(),
        key,
        signature: Signature::any(1, Volatility::Immutable),
    });
    function.call(vec![raw])
}

#[derive(Debug, PartialEq, Eq)]
struct MaskFunction {
    masks: Vec<Mask>,
    key: MaskKey,
    signature: Signature,
}

impl Hash for MaskFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.masks.len().hash(state);
    }
}

impl ScalarUDFImpl for MaskFunction {
    fn name(&self) -> &'static str {
        "mask"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [one] => Ok(one.clone()),
            _ => exec_err!("a mask takes one column"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else { return exec_err!("a mask takes one column") };
        let mut values = value.to_array(args.number_rows)?;
        for mask in &self.masks {
            values = apply(mask, &values, self.key)?;
        }
        Ok(ColumnarValue::Array(values))
    }
}

fn apply(mask: &Mask, values: &ArrayRef, key: MaskKey) -> Result<ArrayRef> {
    match mask {
        Mask::Deny {} | Mask::Null {} => Ok(new_null_array(values.data_type(), values.len())),
        Mask::KeyedHash {} => hashed(values, key),
        Mask::TruncatedCode { characters } => {
            let kept = |text: &str| text.chars().take(usize::from(*characters)).collect::<String>();
            texts(values, kept)
        }
        Mask::Range { width } => ranged(values, *width),
    }
}

fn hashed(values: &ArrayRef, key: MaskKey) -> Result<ArrayRef> {
    if let Some(numbers) = values.as_primitive_opt::<Int64Type>() {
        let hashed = numbers.iter().map(|number| {
            let hash = key.hash(&number?.to_le_bytes());
            let (first, _) = hash.as_bytes().split_first_chunk::<8>()?;
            Some(i64::from_le_bytes(*first))
        });
        return Ok(Arc::new(hashed.collect::<Int64Array>()));
    }
    texts(values, |text| {
        let hash = key.hash(text.as_bytes());
        hash.as_bytes().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
    })
}

/// Changes texts; values of another type become NULL, since no such mask fits them.
fn texts(values: &ArrayRef, change: impl Fn(&str) -> String) -> Result<ArrayRef> {
    if !values.data_type().is_string() {
        return Ok(new_null_array(values.data_type(), values.len()));
    }
    let plain = cast(values, &DataType::Utf8)?;
    let changed: StringArray = plain.as_string::<i32>().iter().map(|text| text.map(&change)).collect();
    Ok(cast(&changed, values.data_type())?)
}

/// The lower bound of each number's range; NULL where the type can't hold it.
fn ranged(values: &ArrayRef, width: u64) -> Result<ArrayRef> {
    let (data_type, whole) = (values.data_type(), i64::try_from(width).unwrap_or(i64::MAX));
    let bounds: ArrayRef = match data_type {
        DataType::Decimal128(precision, scale) => {
            let step =
                i128::from(width).saturating_mul(10_i128.saturating_pow(u32::try_from(*scale).unwrap_or(0)));
            let decimals = values.as_primitive::<Decimal128Type>().iter();
            let bounds =
                decimals.map(|number| number.map(|number| number.div_euclid(step).saturating_mul(step)));
            let bounds: Decimal128Array = bounds.collect();
            Arc::new(bounds.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Float32 | DataType::Float64 => {
            let floats = cast(values, &DataType::Float64)?;
            #[expect(clippy::cast_precision_loss, reason = "widths are below 2^32")]
            let step = width as f64;
            let bounds = floats.as_primitive::<Float64Type>().iter();
            Arc::new(bounds.map(|n| n.map(|n| (n / step).floor() * step)).collect::<Float64Array>())
        }
        number if number.is_integer() => {
            let wide = cast(values, &DataType::Int64)?;
            let bounds = wide.as_primitive::<Int64Type>().iter();
            let bounds = bounds.map(|n| n.and_then(|n| n.div_euclid(whole).checked_mul(whole)));
            Arc::new(bounds.collect::<Int64Array>())
        }
        _ => return Ok(new_null_array(data_type, values.len())),
    };
    Ok(cast(&bounds, data_type)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int8Array, StringViewArray};

    const KEY: MaskKey = MaskKey([7; 32]);

    fn texts_of(mask: &Mask, values: &[Option<&str>]) -> Vec<Option<String>> {
        let values: ArrayRef = Arc::new(StringViewArray::from(values.to_vec()));
        let masked = apply(mask, &values, KEY).unwrap();
        assert_eq!(masked.data_type(), values.data_type());
        masked.as_string_view().iter().map(|text| text.map(ToOwned::to_owned)).collect()
    }

    #[test]
    fn equal_values_keep_equal_hashes_under_one_key() {
        let hashes = texts_of(&Mask::KeyedHash {}, &[Some("张三"), None, Some("李四"), Some("张三")]);
        assert_eq!((hashes[0].as_ref(), hashes[1].as_ref()), (hashes[3].as_ref(), None));
        assert!(hashes[0] != hashes[2] && hashes[0].as_ref().is_some_and(|hash| hash.len() == 32));
        let other = MaskKey([8; 32]).hash("张三".as_bytes()).to_hex().to_string();
        assert!(!other.starts_with(hashes[0].as_deref().unwrap()));
    }

    #[test]
    fn codes_are_cut_between_characters_and_numbers_fall_to_their_bound() {
        let cut = texts_of(&Mask::TruncatedCode { characters: 2 }, &[Some("330100"), Some("浙"), None]);
        assert_eq!(cut, [Some("33".to_owned()), Some("浙".to_owned()), None]);
        let ages: ArrayRef = Arc::new(Int8Array::from(vec![Some(37), Some(-1), Some(-128), None]));
        let ranges = apply(&Mask::Range { width: 10 }, &ages, KEY).unwrap();
        // -130 is no int8: it is withheld, not wrapped.
        assert_eq!(ranges.as_ref(), &Int8Array::from(vec![Some(30), Some(-10), None, None]));
        let nothing = apply(&Mask::Null {}, &ages, KEY).unwrap();
        assert_eq!((nothing.null_count(), nothing.data_type()), (4, &DataType::Int8));
    }
}
