//! Numbers and truth values from text, exactly.

/// Most digits that a `u64` holds whatever they are.
const SAFE_DIGITS: usize = 19;

/// Reads a whole number; a fraction of zeros is allowed, since tools write counts with gaps as `5.0`.
pub(super) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = signed(text.as_bytes());
    let (whole, rest) = leading_digits(digits);
    if whole.is_empty() {
        return None;
    }
    match rest {
        [] => {}
        [b'.', zeros @ ..] if zeros.iter().all(|digit| *digit == b'0') => {}
        _ => return None,
    }
    let number = magnitude(whole)?;
    Some(if negative { -number } else { number })
}

/// Reads a decimal number with at most `scale` digits behind the point that are not zero.
pub(super) fn decimal(text: &str, comma: bool, precision: u8, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let point = if comma { b',' } else { b'.' };
    let (negative, digits) = signed(text.as_bytes());
    let (whole, rest) = leading_digits(digits);
    let fraction = match rest {
        [] => rest,
        [first, fraction @ ..] if *first == point => fraction,
        _ => return None,
    };
    let (fraction, rest) = leading_digits(fraction);
    if !rest.is_empty() || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(scale));
    if beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let shift = |power: usize| 10_i128.checked_pow(u32::try_from(power).ok()?);
    let part = magnitude(kept)?.checked_mul(shift(scale - kept.len())?)?;
    let number = magnitude(whole)?.checked_mul(shift(scale)?)?.checked_add(part)?;
    if number >= shift(usize::from(precision))? {
        return None;
    }
    Some(if negative { -number } else { number })
}

/// Reads a finite number.
pub(super) fn float(text: &str, comma: bool) -> Option<f64> {
    let number: f64 = if comma {
        if text.contains('.') {
            return None;
        }
        fast_float2::parse(text.replace(',', ".")).ok()?
    } else {
        fast_float2::parse(text).ok()?
    };
    number.is_finite().then_some(number)
}

/// Reads a truth value.
pub(super) fn truth(text: &str) -> Option<bool> {
    const TRUE: [&str; 6] = ["true", "t", "yes", "y", "1", "是"];
    const FALSE: [&str; 6] = ["false", "f", "no", "n", "0", "否"];
    let is = |word: &&str| word.eq_ignore_ascii_case(text);
    if TRUE.iter().any(is) {
        return Some(true);
    }
    FALSE.iter().any(is).then_some(false)
}

fn signed(bytes: &[u8]) -> (bool, &[u8]) {
    match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    }
}

#[inline]
fn leading_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.split_at(count)
}

/// The value of digits; `None` when it exceeds any decimal.
#[inline]
fn magnitude(digits: &[u8]) -> Option<i128> {
    if digits.len() <= SAFE_DIGITS {
        return Some(i128::from(digits.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'))));
    }
    digits.iter().try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(i128::from(digit - b'0')))
}
