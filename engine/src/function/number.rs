//! Variable numerics: finite values with a display scale of their own, as PostgreSQL computes them.
//!
//! Mirrors add_var, mul_var, div_var with select_div_scale, and cmp_numerics of numeric.c, on integers of 128 bits. What such an
//! integer does not hold, and NaN and the infinities, are errors that lead to the native plan; never other digits.

use super::decimal::{checked_mul, power, round_div};
use super::failure::Failure;
use crate::numeric::{DecodedNumeric, decode_numeric};
use datafusion::error::Result;
use fusion_heapscan::numeric::Numeric;

/// `NUMERIC_MIN_SIG_DIGITS`.
pub const MIN_SIGNIFICANT_DIGITS: i32 = 16;
/// `NUMERIC_MAX_DISPLAY_SCALE`.
pub const MAX_DISPLAY_SCALE: i32 = 1000;
/// `DEC_DIGITS`: decimal digits of a base-10000 digit.
pub const DEC_DIGITS: i32 = 4;

/// `unscaled * 10^-scale`, shown with `scale` digits after the point; `scale` is at most 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Unscaled value.
    pub unscaled: i128,
    /// Display scale.
    pub scale: u16,
}

impl Number {
    /// Reads the payload of PostgreSQL's varlena.
    pub fn decode(payload: &[u8]) -> Result<Self, ReadError> {
        match decode_numeric(payload).map_err(ReadError::Corrupt)? {
            DecodedNumeric::Finite { unscaled, dscale } if i32::from(dscale) <= MAX_DISPLAY_SCALE => {
                Ok(Self { unscaled, scale: dscale })
            }
            DecodedNumeric::Finite { .. } | DecodedNumeric::TooLarge => Err(ReadError::Failed(Failure::NumericDigits)),
            DecodedNumeric::NaN | DecodedNumeric::PosInfinity | DecodedNumeric::NegInfinity => {
                Err(ReadError::Failed(Failure::NumericSpecial))
            }
        }
    }

    /// The unscaled value at a larger scale.
    pub fn at_scale(self, scale: u16) -> Result<i128, Failure> {
        let by = power(u32::from(scale.saturating_sub(self.scale)));
        match (self.unscaled, by) {
            (0, _) => Ok(0),
            (value, Some(by)) => checked_mul(value, by).ok_or(Failure::NumericDigits),
            _ => Err(Failure::NumericDigits),
        }
    }

    /// `self + other`: the larger display scale.
    pub fn checked_add(self, other: Self) -> Result<Self, Failure> {
        let scale = self.scale.max(other.scale);
        let sum = self.at_scale(scale)?.checked_add(other.at_scale(scale)?);
        Ok(Self { unscaled: sum.ok_or(Failure::NumericDigits)?, scale })
    }

    /// `self - other`: the larger display scale.
    pub fn checked_sub(self, other: Self) -> Result<Self, Failure> {
        // An i128 holds the negative of all but its least value, and that one is no numeric.
        self.checked_add(Self { unscaled: other.unscaled.checked_neg().ok_or(Failure::NumericDigits)?, ..other })
    }

    /// `self * other`: the sum of the display scales.
    pub fn checked_mul(self, other: Self) -> Result<Self, Failure> {
        let scale = self.scale + other.scale;
        if i32::from(scale) > MAX_DISPLAY_SCALE {
            return Err(Failure::NumericDigits);
        }
        let unscaled = checked_mul(self.unscaled, other.unscaled).ok_or(Failure::NumericDigits)?;
        Ok(Self { unscaled, scale })
    }

    /// Both at the larger display scale, which comes third.
    fn aligned(self, other: Self) -> Result<(i128, i128, u16), Failure> {
        let scale = self.scale.max(other.scale);
        Ok((self.at_scale(scale)?, other.at_scale(scale)?, scale))
    }

    /// `self % other`: what division leaves, with the sign of `self`; the larger display scale.
    pub fn checked_rem(self, other: Self) -> Result<Self, Failure> {
        let (left, right, scale) = self.aligned(other)?;
        let rest = if right == 0 { return Err(Failure::DivisionByZero) } else { left.wrapping_rem(right) };
        Ok(Self { unscaled: rest, scale })
    }

    /// `div(self, other)`: the quotient without its fraction.
    pub fn div_trunc(self, other: Self) -> Result<Self, Failure> {
        let (left, right, _) = self.aligned(other)?;
        let quotient = if right == 0 { return Err(Failure::DivisionByZero) } else { left.wrapping_div(right) };
        Ok(Self { unscaled: quotient, scale: 0 })
    }

    /// Rounded (halves away from zero) or cut to so many digits behind the point, which it then shows.
    pub fn round(self, digits: i16, trunc: bool) -> Result<Self, Failure> {
        let scale = digits.max(0) as u16;
        if digits >= 0 && scale >= self.scale {
            return Ok(Self { unscaled: self.at_scale(scale)?, scale });
        }
        let dropped = (i32::from(self.scale) - i32::from(digits)) as u32;
        let kept = match power(dropped) {
            Some(by) if trunc => self.unscaled / by,
            Some(by) => round_div(self.unscaled, by),
            None => 0,
        };
        // Zeros take the place of digits before the point.
        let zeros = power(u32::from(digits.min(0).unsigned_abs()));
        let unscaled = match (kept, zeros) {
            (0, _) => Some(0),
            (kept, Some(by)) => checked_mul(kept, by),
            (_, None) => None,
        };
        Ok(Self { unscaled: unscaled.ok_or(Failure::NumericDigits)?, scale })
    }

    /// The next integer above, or below.
    pub fn to_integer(self, up: bool) -> Result<Self, Failure> {
        let by = power(self.scale.into()).unwrap_or(i128::MAX);
        let (whole, rest) = (self.unscaled / by, self.unscaled % by);
        let step = match (up, rest.signum()) {
            (true, 1) => 1,
            (false, -1) => -1,
            _ => 0,
        };
        Ok(Self { unscaled: whole + step, scale: 0 })
    }

    /// -1, 0 or 1.
    pub fn sign(self) -> Result<Self, Failure> {
        Ok(Self { unscaled: self.unscaled.signum(), scale: 0 })
    }

    /// `self / other`: at least 16 significant digits, halves away from zero.
    pub fn checked_div(self, other: Self) -> Result<Self, Failure> {
        if other.unscaled == 0 {
            return Err(Failure::DivisionByZero);
        }
        let scale = div_scale(self, other);
        // scale is at least both display scales, so that the exponent is not negative.
        let exponent = u32::from(scale + other.scale - self.scale);
        let magnitude = divide(self.unscaled.unsigned_abs(), exponent, other.unscaled.unsigned_abs())?;
        let magnitude = i128::try_from(magnitude).map_err(|_| Failure::NumericDigits)?;
        let negative = (self.unscaled < 0) != (other.unscaled < 0);
        Ok(Self { unscaled: if negative { -magnitude } else { magnitude }, scale })
    }
}

/// `value / 10^exponent` for any exponent.
fn shift_right(value: u128, exponent: u32) -> u128 {
    10u128.checked_pow(exponent).map_or(0, |by| value / by)
}

/// Weight and value of the first nonzero base-10000 digit, as numeric.c counts them; zeros for zero.
fn first_digit(number: Number) -> (i32, u32) {
    let magnitude = number.unscaled.unsigned_abs();
    let Some(log) = magnitude.checked_ilog10() else {
        return (0, 0);
    };
    // Exponent of ten of the leading decimal digit, then of the base-10000 digit that it lies in.
    let weight = (log as i32 - i32::from(number.scale)).div_euclid(DEC_DIGITS);
    let below = weight * DEC_DIGITS + i32::from(number.scale);
    let digit = match below {
        0.. => shift_right(magnitude, below as u32),
        // The digit reaches behind the last decimal: at most 3 zeros are behind it.
        _ => magnitude * 10u128.pow(below.unsigned_abs()),
    };
    (weight, digit as u32)
}

/// The display scale of a quotient: select_div_scale of numeric.c.
fn div_scale(dividend: Number, divisor: Number) -> u16 {
    let ((weight1, digit1), (weight2, digit2)) = (first_digit(dividend), first_digit(divisor));
    let quotient_weight = weight1 - weight2 - i32::from(digit1 <= digit2);
    let scale = MIN_SIGNIFICANT_DIGITS - quotient_weight * DEC_DIGITS;
    scale.max(dividend.scale.into()).max(divisor.scale.into()).clamp(0, MAX_DISPLAY_SCALE) as u16
}

/// `dividend * 10^exponent / divisor`, halves up; the divisor is neither 0 nor above 2^127.
fn divide(dividend: u128, exponent: u32, divisor: u128) -> Result<u128, Failure> {
    if let Some(scaled) = 10u128.checked_pow(exponent).and_then(|by| dividend.checked_mul(by)) {
        return Ok(round(scaled / divisor, scaled % divisor, divisor));
    }
    // Long division: as many decimal digits a step as the remainder has room for.
    let (mut quotient, mut rest) = (dividend / divisor, dividend % divisor);
    let mut left = exponent;
    while left > 0 {
        let room = (u128::MAX / divisor).checked_ilog10().unwrap_or(0).min(left);
        let (digits, by);
        if room > 0 {
            by = 10u128.pow(room);
            digits = rest * by / divisor;
            rest = rest * by % divisor;
        } else {
            by = 10;
            (digits, rest) = next_digit(rest, divisor);
        }
        quotient = quotient.checked_mul(by).and_then(|q| q.checked_add(digits)).ok_or(Failure::NumericDigits)?;
        left -= room.max(1);
    }
    Ok(round(quotient, rest, divisor))
}

/// `rest * 10` divided by a divisor so large that the product has no room.
fn next_digit(rest: u128, divisor: u128) -> (u128, u128) {
    let (mut digit, mut sum) = (0, 0u128);
    for _ in 0..10 {
        // Both are below the divisor, which is at most 2^127.
        sum += rest;
        if sum >= divisor {
            sum -= divisor;
            digit += 1;
        }
    }
    (digit, sum)
}

fn round(quotient: u128, rest: u128, divisor: u128) -> u128 {
    quotient + u128::from(rest >= divisor - rest)
}

/// Why a payload gave no number.
#[derive(Debug)]
pub enum ReadError {
    /// Not a payload.
    Corrupt(fusion_heapscan::Error),
    /// Not a number that the engine computes with.
    Failed(Failure),
}

impl From<ReadError> for datafusion::error::DataFusionError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt(error) => crate::error::external(error),
            ReadError::Failed(failure) => failure.into(),
        }
    }
}

/// First byte of a key, in PostgreSQL's order.
mod class {
    pub const NEGATIVE_INFINITY: u8 = 0;
    pub const NEGATIVE: u8 = 1;
    pub const ZERO: u8 = 2;
    pub const POSITIVE: u8 = 3;
    pub const INFINITY: u8 = 4;
    pub const NAN: u8 = 5;
}

/// Above any base-10000 digit.
const TERMINATOR: u16 = 10_000;

/// Appends a key of the payload: keys compare by bytes as PostgreSQL compares the values, whatever their display scales, NaN
/// and the infinities included.
pub fn append_key(payload: &[u8], key: &mut Vec<u8>) -> Result<(), fusion_heapscan::Error> {
    let (negative, weight, digits) = match Numeric::parse(payload)? {
        Numeric::NaN => {
            key.push(class::NAN);
            return Ok(());
        }
        Numeric::Infinity { negative } => {
            key.push(if negative { class::NEGATIVE_INFINITY } else { class::INFINITY });
            return Ok(());
        }
        Numeric::Finite { negative, weight, digits, .. } => (negative, weight, digits),
    };
    let nonzero = |digit: &[u8; 2]| *digit != [0, 0];
    let (Some(first), Some(last)) = (digits.iter().position(nonzero), digits.iter().rposition(nonzero)) else {
        key.push(class::ZERO);
        return Ok(());
    };
    // Weights of payloads are i16; shifted to be positive they keep their order as bytes.
    let weight = (weight - first as i32 + (1 << 20)) as u32;
    let significant = digits.iter().skip(first).take(last + 1 - first).map(|digit| u16::from_le_bytes(*digit));
    if negative {
        key.push(class::NEGATIVE);
        key.extend((!weight).to_be_bytes());
        // The greater the digits the less the value; and the longer, which the terminator above all digits says.
        significant.for_each(|digit| key.extend((TERMINATOR - 1).saturating_sub(digit).to_be_bytes()));
        key.extend(TERMINATOR.to_be_bytes());
    } else {
        key.push(class::POSITIVE);
        key.extend(weight.to_be_bytes());
        significant.for_each(|digit| key.extend(digit.to_be_bytes()));
    }
    Ok(())
}
