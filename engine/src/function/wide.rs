//! Numerics on the way: results whose steps need more than 128 bits, though the result may not.
//!
//! Mirrors select_div_scale, div_var and sqrt_var of numeric.c for the variance family and for square roots, on integers of 256 bits.
//! What those do not hold is [`Failure::NumericDigits`], which leads to the native plan.

use super::failure::Failure;
use super::number::{DEC_DIGITS, MAX_DISPLAY_SCALE, MIN_SIGNIFICANT_DIGITS, Number};
use arrow::datatypes::i256;

/// 10^`exponent` of 256 bits.
fn power(exponent: u32) -> Result<i256, Failure> {
    i256::from_i128(10).checked_pow(exponent).ok_or(Failure::NumericDigits)
}

fn mul(left: i256, right: i256) -> Result<i256, Failure> {
    left.checked_mul(right).ok_or(Failure::NumericDigits)
}

/// Weight and value of the first nonzero base-10000 digit of `value * 10^-scale`; zeros for zero.
fn first_digit(value: i256, scale: i32) -> Result<(i32, i256), Failure> {
    let Some(log) = value.checked_ilog10() else {
        return Ok((0, i256::ZERO));
    };
    let weight = (log as i32 - scale).div_euclid(DEC_DIGITS);
    let below = weight * DEC_DIGITS + scale;
    let digit = match below {
        0.. => value.checked_div(power(below as u32)?).ok_or(Failure::NumericDigits)?,
        _ => mul(value, power(below.unsigned_abs())?)?,
    };
    Ok((weight, digit))
}

/// `dividend * 10^-scale / divisor` of positive integers, with the display scale that select_div_scale gives.
fn divide(dividend: i256, scale: i32, divisor: i256) -> Result<Number, Failure> {
    let ((weight1, digit1), (weight2, digit2)) = (first_digit(dividend, scale)?, first_digit(divisor, 0)?);
    let quotient_weight = weight1 - weight2 - i32::from(digit1 <= digit2);
    let result_scale = (MIN_SIGNIFICANT_DIGITS - quotient_weight * DEC_DIGITS).max(scale).clamp(0, MAX_DISPLAY_SCALE);
    let up = u32::try_from(result_scale - scale).map_err(|_| Failure::NumericDigits)?;
    let scaled = mul(dividend, power(up)?)?;
    let (quotient, rest) = (scaled.wrapping_div(divisor), scaled.wrapping_rem(divisor));
    let half_up = if rest >= divisor.wrapping_sub(rest) { i256::ONE } else { i256::ZERO };
    let unscaled = quotient.wrapping_add(half_up).to_i128().ok_or(Failure::NumericDigits)?;
    Ok(Number { unscaled, scale: result_scale as u16 })
}

/// The integer square root of a value that is not negative, rounded down.
fn integer_root(value: i256) -> i256 {
    if let Some(small) = value.to_i128() {
        return i256::from_i128(small.unsigned_abs().isqrt() as i128);
    }
    // Newton's steps from above fall until they have it.
    let bits = 256 - value.leading_zeros();
    let mut root = i256::ONE << (bits.div_ceil(2) as u8);
    loop {
        let next = root.wrapping_add(value.wrapping_div(root)) >> 1;
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// The square root of a number that is not negative, shown with `scale` decimals, halves up.
pub fn square_root(number: Number, scale: u16) -> Result<Number, Failure> {
    // One decimal more than asked for decides how the last one is rounded: the root of an integer is never halfway.
    let exponent = 2 * (u32::from(scale) + 1);
    let shift = exponent.checked_sub(number.scale.into()).ok_or(Failure::NumericDigits)?;
    let root = integer_root(mul(i256::from_i128(number.unscaled), power(shift)?)?);
    let root = root.to_i128().ok_or(Failure::NumericDigits)?;
    Ok(Number { unscaled: root / 10 + i128::from(root % 10 >= 5), scale })
}

/// The variance (or its root) of `count` values of display scale `scale` with this sum and sum of squares: numeric_stddev_internal of
/// numeric.c. `count` is at least 1, or 2 for a sample.
pub fn spread(count: i64, sum: i128, squares: i128, scale: u16, sample: bool, root: bool) -> Result<Number, Failure> {
    let wide = |value: i128| i256::from_i128(value);
    let (n, sum) = (wide(count.into()), wide(sum));
    let numerator = mul(n, wide(squares))?.checked_sub(mul(sum, sum)?).ok_or(Failure::NumericDigits)?;
    if numerator <= i256::ZERO {
        return Ok(Number { unscaled: 0, scale: 0 });
    }
    let divisor = mul(n, if sample { n.wrapping_sub(i256::ONE) } else { n })?;
    let variance = divide(numerator, 2 * i32::from(scale), divisor)?;
    if root { square_root(variance, variance.scale) } else { Ok(variance) }
}
