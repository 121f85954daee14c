//! PostgreSQL's numerics: base-10000 digits straight to scaled integers (`NumericData` of numeric.c).
//!
//! ```text
//!   u16 header                          then
//!   10sddddd dwwwwwww  short            i16 digits …      s sign, d display scale, w weight (7 bits, signed)
//!   0sdddddd dddddddd  long             i16 weight, i16 digits …      s sign
//!   1100…, 1101…, 1111…                 nothing: NaN, +Infinity, -Infinity
//!   value = ± Σ digit[i] · 10000^(weight - i)
//! ```
//! Invariants: a fixed numeric comes out exactly or not at all – NaN, infinities, a display scale other than the column's, or
//! more digits than declared are `NotRepresentable`; a digit above 9999 or an odd length is `Corrupt`. [`FixedNumeric::short`]
//! is the same function as [`FixedNumeric::decode`] for what it accepts.

use crate::error::{Error, Result};

/// Base of the digits.
const NBASE: u64 = 10_000;

/// A numeric's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numeric<'a> {
    /// Neither NaN nor infinite.
    Finite {
        /// Below zero.
        negative: bool,
        /// Power of 10000 of the first digit.
        weight: i32,
        /// Decimal digits shown after the point.
        display_scale: u16,
        /// Digits, two bytes each, all below 10000.
        digits: &'a [[u8; 2]],
    },
    /// Not a number.
    NaN,
    /// +Infinity or -Infinity.
    Infinity {
        /// -Infinity.
        negative: bool,
    },
}

impl<'a> Numeric<'a> {
    /// Reads and checks the payload of a numeric's varlena.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let (header, rest) = payload.split_first_chunk().ok_or_else(shape)?;
        let header = u16::from_le_bytes(*header);
        let (negative, weight, display_scale, digits) = match header & 0xc000 {
            0xc000 => {
                return match header & 0xf000 {
                    0xc000 => Ok(Self::NaN),
                    0xd000 => Ok(Self::Infinity { negative: false }),
                    0xf000 => Ok(Self::Infinity { negative: true }),
                    _ => Err(shape()),
                };
            }
            0x8000 => {
                let weight = i32::from((header as u8 as i8) << 1 >> 1);
                (header & 0x2000 != 0, weight, (header & 0x1f80) >> 7, rest)
            }
            sign => {
                let (weight, digits) = rest.split_first_chunk().ok_or_else(shape)?;
                (sign == 0x4000, i32::from(i16::from_le_bytes(*weight)), header & 0x3fff, digits)
            }
        };
        let (digits, odd) = digits.as_chunks();
        if !odd.is_empty() || digits.iter().any(|&digit| u64::from(u16::from_le_bytes(digit)) >= NBASE) {
            return Err(shape());
        }
        Ok(Self::Finite { negative, weight, display_scale, digits })
    }
}

#[cold]
fn shape() -> Error {
    Error::corrupt("a numeric is malformed")
}

/// A column of type numeric(precision, scale): how its values become integers at that scale.
#[derive(Clone, Copy, Debug)]
pub struct FixedNumeric {
    scale: u8,
    /// Digits of base 10000 after the point: `ceil(scale / 4)`.
    fraction: i32,
    /// 10^precision: every value is smaller.
    limit: i128,
    /// The same for 64 bits, `u64::MAX` where it does not fit.
    limit64: u64,
    /// `limit64` and short header that values of few digits have, except for sign and weight.
    short_header: u16,
}

/// Multipliers of the first three digits, by the number of whole base-10000 places before the last kept one.
const PLACES: [[u64; 3]; 4] =
    [[1, 0, 0], [NBASE, 1, 0], [NBASE * NBASE, NBASE, 1], [NBASE * NBASE * NBASE, NBASE * NBASE, NBASE]];

/// Bits of the digits that a payload of 2, 4, 6 or 8 bytes has after its header; of other lengths nothing may be taken.
const DIGIT_MASKS: [u64; 16] = [0, 0, 0, 0, 0xffff, 0, 0xffff_ffff, 0, 0xffff_ffff_ffff, 0, 0, 0, 0, 0, 0, 0];

/// Lengths that [`DIGIT_MASKS`] is for, as bits.
const SHORT_LENGTHS: u32 = 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8;

impl FixedNumeric {
    /// For numeric(precision, scale), 0 < precision <= 38, scale <= precision.
    pub fn new(precision: u8, scale: u8) -> Self {
        let limit = 10i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
        Self {
            scale,
            fraction: i32::from(scale.div_ceil(4)),
            limit,
            limit64: u64::try_from(limit).unwrap_or(u64::MAX),
            short_header: 0x8000 | u16::from(scale & 0x3f) << 7,
        }
    }

    /// 10^(4 * fraction - scale): 1, 10, 100 or 1000.
    pub(crate) fn divisor(&self) -> u64 {
        10u64.pow((4 * self.fraction - i32::from(self.scale)) as u32)
    }

    pub(crate) fn fits_table(&self) -> bool {
        self.scale <= 38 && (0..=10).contains(&self.fraction)
    }

    /// A value of at most three digits with a short header, from the first eight bytes of its payload and its length; None:
    /// decode it the general way. `DIVISOR` is [`Self::divisor`].
    #[inline(always)]
    pub(crate) fn short<const DIVISOR: u64>(&self, word: u64, length: usize) -> Option<i64> {
        let header = word as u16;
        let places = (i32::from((header as u8 as i8) << 1 >> 1) + self.fraction) as u32;
        let digits = word >> 16 & DIGIT_MASKS[length & 15];
        // Lanes of 16 bits: the upper bit is set by a digit above 9999 (and only by one, as carries need one first).
        let above = (digits | digits.wrapping_add(0x58f0_58f0_58f0)) & 0x8000_8000_8000;
        let multipliers = PLACES[(places & 3) as usize];
        let (first, second, third) = (digits as u16, (digits >> 16) as u16, (digits >> 32) as u16);
        let sum =
            u64::from(first) * multipliers[0] + u64::from(second) * multipliers[1] + u64::from(third) * multipliers[2];
        let magnitude = sum / DIVISOR;
        let fits = (header & 0xdf80 == self.short_header)
            & (length <= 8)
            & (SHORT_LENGTHS >> (length & 15) & 1 == 1)
            & (places <= 3)
            & (length <= 4 + 2 * places as usize)
            & (above == 0)
            & (magnitude * DIVISOR == sum)
            & (magnitude < self.limit64);
        let sign = -i64::from(header >> 13 & 1);
        fits.then_some((magnitude as i64 ^ sign) - sign)
    }

    /// Any value, at the column's scale.
    pub fn decode(&self, payload: &[u8]) -> Result<i128> {
        let Numeric::Finite { negative, weight, display_scale, digits } = Numeric::parse(payload)? else {
            return Err(Error::not_representable("a NaN or an infinity in a numeric with precision and scale"));
        };
        if display_scale != u16::from(self.scale) {
            return Err(Error::not_representable("a numeric with another scale than its column's"));
        }
        let mut sum = 0i128;
        for (i, &digit) in digits.iter().enumerate() {
            let digit = i128::from(u16::from_le_bytes(digit));
            if digit == 0 {
                continue;
            }
            let exponent = 4 * (weight - i as i32) + i32::from(self.scale);
            let power = 10i128.checked_pow(exponent.unsigned_abs());
            let part = match (exponent >= 0, power) {
                (true, Some(power)) => digit.checked_mul(power),
                (false, Some(power)) if digit % power == 0 => Some(digit / power),
                _ => None,
            };
            sum = part.and_then(|part| sum.checked_add(part)).ok_or_else(too_many_digits)?;
        }
        if sum >= self.limit {
            return Err(too_many_digits());
        }
        Ok(if negative { -sum } else { sum })
    }

    /// As [`Self::decode`], for precisions up to 18.
    pub fn decode64(&self, payload: &[u8]) -> Result<i64> {
        i64::try_from(self.decode(payload)?).map_err(|_| too_many_digits())
    }
}

#[cold]
fn too_many_digits() -> Error {
    Error::not_representable("a numeric with more digits than its column declares")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn short(negative: bool, scale: u16, weight: i8, digits: &[u16]) -> Vec<u8> {
        let header = 0x8000 | u16::from(negative) << 13 | scale << 7 | u16::from(weight as u8 & 0x7f);
        let mut payload = header.to_le_bytes().to_vec();
        payload.extend(digits.iter().flat_map(|digit| digit.to_le_bytes()));
        payload
    }

    fn long(negative: bool, scale: u16, weight: i16, digits: &[u16]) -> Vec<u8> {
        let mut payload = (u16::from(negative) << 14 | scale).to_le_bytes().to_vec();
        payload.extend(weight.to_le_bytes());
        payload.extend(digits.iter().flat_map(|digit| digit.to_le_bytes()));
        payload
    }

    fn fast(spec: &FixedNumeric, payload: &[u8]) -> Option<i64> {
        let mut word = [0xee; 8];
        let taken = payload.len().min(8);
        word[..taken].copy_from_slice(&payload[..taken]);
        let word = u64::from_le_bytes(word);
        match spec.divisor() {
            1 => spec.short::<1>(word, payload.len()),
            10 => spec.short::<10>(word, payload.len()),
            100 => spec.short::<100>(word, payload.len()),
            _ => spec.short::<1000>(word, payload.len()),
        }
    }

    #[test]
    fn known_values() {
        let spec = FixedNumeric::new(15, 2);
        let cases = [
            (short(false, 2, 0, &[17]), 1700),
            (short(false, 2, 1, &[3, 3078, 9400]), 3_307_894),
            (short(false, 2, -1, &[400]), 4),
            (short(false, 2, 0, &[]), 0),
            (short(true, 2, 0, &[1, 100]), -101),
            (short(true, 2, 3, &[9, 9999, 9999, 9999, 9900]), -999_999_999_999_999),
            (long(true, 2, 1, &[3, 3078, 9400]), -3_307_894),
        ];
        for (payload, value) in cases {
            assert_eq!(spec.decode(&payload).unwrap(), value, "{payload:?}");
            assert!(fast(&spec, &payload).is_none_or(|fast| i128::from(fast) == value), "{payload:?}");
        }
        for few in [short(false, 2, 0, &[17]), short(true, 2, 1, &[3, 3078, 9400]), short(false, 2, 0, &[])] {
            assert!(fast(&spec, &few).is_some(), "{few:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_reported_by_kind() {
        let spec = FixedNumeric::new(5, 2);
        let not_representable = [
            short(false, 2, 0, &[1000]),
            short(false, 2, 0, &[1, 150]),
            short(false, 2, 0, &[1, 100, 1]),
            short(false, 3, 0, &[1]),
            short(false, 2, 63, &[1]),
            long(false, 2, i16::MAX, &[1]),
            long(false, 2, i16::MIN, &[1]),
            0xc000u16.to_le_bytes().to_vec(),
            0xd000u16.to_le_bytes().to_vec(),
            0xf000u16.to_le_bytes().to_vec(),
        ];
        for payload in not_representable {
            assert_eq!(fast(&spec, &payload), None, "{payload:?}");
            assert!(matches!(spec.decode(&payload), Err(Error::NotRepresentable { .. })), "{payload:?}");
        }
        let corrupt = [vec![], vec![0], vec![0, 0, 1], short(false, 2, 0, &[10_000]), vec![0, 0x80, 1], vec![0, 0xe0]];
        for payload in corrupt {
            assert_eq!(fast(&spec, &payload), None, "{payload:?}");
            assert!(matches!(spec.decode(&payload), Err(Error::Corrupt { .. })), "{payload:?}");
        }
    }

    proptest! {
        #[test]
        fn short_is_decode_where_it_answers(
            (precision, scale) in (1u8..=18).prop_flat_map(|p| (Just(p), 0..=p)),
            shown in prop::option::weighted(0.2, 0u16..64),
            negative: bool,
            weight in -4i8..=4,
            digits in prop::collection::vec(prop_oneof![0u16..10_000, (0u16..100).prop_map(|d| d * 100), 9_990u16..10_010, any::<u16>()], 0..=4),
            cut in 0usize..2,
        ) {
            let spec = FixedNumeric::new(precision, scale);
            let mut payload = short(negative, shown.unwrap_or(u16::from(scale)), weight, &digits);
            payload.truncate(payload.len() - cut.min(payload.len()));
            if let Some(value) = fast(&spec, &payload) {
                prop_assert_eq!(spec.decode(&payload), Ok(i128::from(value)));
            }
            if let (Ok(value), 0..=2) = (spec.decode(&payload), digits.len())
                && weight >= 0 && i32::from(weight) + spec.fraction <= 3
                && digits.len() <= (i32::from(weight) + spec.fraction + 1) as usize
            {
                prop_assert_eq!(fast(&spec, &payload), Some(value as i64), "the fast way must take this");
            }
        }

        #[test]
        fn any_bytes_decode_or_fail(payload in prop::collection::vec(any::<u8>(), 0..24)) {
            let spec = FixedNumeric::new(38, 10);
            let _ = spec.decode(&payload);
            let spec = FixedNumeric::new(18, 4);
            if let Some(value) = fast(&spec, &payload) {
                prop_assert_eq!(spec.decode(&payload), Ok(i128::from(value)));
            }
        }
    }
}
