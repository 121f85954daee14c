//! PostgreSQL's numeric payloads from and to scaled integers: what `make_result` of numeric.c writes, byte for byte.
//!
//! Used where results leave ([`crate::encode`]) and by the functions and aggregates on variable numerics.
//!
//! ```text
//!   u16 header                          then i16 digits of base 10000, most significant first
//!   10sddddd dwwwwwww  short            s sign, d display scale (0..63), w weight (-64..63)
//!   0sdddddd dddddddd  long             i16 weight before the digits
//! ```
//! Invariants: leading and trailing zero digits are stripped; zero has no digits, weight 0 and no sign; the short header is used
//! whenever it fits. Reading goes through [`fusion_heapscan::numeric::Numeric`], which checks every bit of the payload.

use fusion_heapscan::numeric::Numeric;
use fusion_heapscan::{Error, Result};

const NBASE: u64 = 10_000;
/// `NUMERIC_DSCALE_MAX`.
pub const MAX_DISPLAY_SCALE: u16 = 0x3fff;
/// `NUMERIC_SHORT_DSCALE_MAX`.
const SHORT_DISPLAY_SCALE_MAX: u16 = 63;
/// `NUMERIC_SHORT_WEIGHT_MIN` and `_MAX`.
const SHORT_WEIGHTS: std::ops::RangeInclusive<i32> = -64..=63;
/// Base-10000 digits of an i128 at most: 39 decimal digits, cut at the point.
const MAX_DIGITS: usize = 11;
/// Bytes of the largest payload of an i128: long header and digits.
pub const MAX_PAYLOAD: usize = 4 + 2 * MAX_DIGITS;

/// What a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodedNumeric {
    /// `unscaled * 10^-dscale`, shown with `dscale` digits after the point.
    Finite {
        /// Unscaled value.
        unscaled: i128,
        /// Display scale.
        dscale: u16,
    },
    /// Not a number.
    NaN,
    /// +Infinity.
    PosInfinity,
    /// -Infinity.
    NegInfinity,
    /// Finite, but an i128 does not hold it at its display scale.
    TooLarge,
}

/// The payload of one value, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    bytes: [u8; MAX_PAYLOAD],
    length: u8,
}

impl Payload {
    /// Of `unscaled * 10^-dscale`. `dscale` is at most [`MAX_DISPLAY_SCALE`].
    #[inline]
    pub fn new(unscaled: i128, dscale: u16) -> Self {
        debug_assert!(dscale <= MAX_DISPLAY_SCALE);
        let magnitude = unscaled.unsigned_abs();
        let mut digits = Digits::default();
        match u64::try_from(magnitude) {
            Ok(small) => digits.split(small, dscale),
            Err(_) => digits.split_wide(magnitude, dscale),
        }
        digits.payload(unscaled < 0, dscale)
    }

    /// The bytes, without varlena header.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Appends the payload of `unscaled * 10^-dscale` to `out`; `dscale` is at most [`MAX_DISPLAY_SCALE`].
pub fn encode_numeric(unscaled: i128, dscale: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(Payload::new(unscaled, dscale).as_bytes());
}

/// Payloads of the special values.
pub const NAN: [u8; 2] = 0xc000u16.to_le_bytes();
/// +Infinity.
pub const POS_INFINITY: [u8; 2] = 0xd000u16.to_le_bytes();
/// -Infinity.
pub const NEG_INFINITY: [u8; 2] = 0xf000u16.to_le_bytes();

/// Reads the payload of a numeric's varlena.
pub fn decode_numeric(payload: &[u8]) -> Result<DecodedNumeric, Error> {
    let (negative, weight, dscale, digits) = match Numeric::parse(payload)? {
        Numeric::Finite { negative, weight, display_scale, digits } => (negative, weight, display_scale, digits),
        Numeric::NaN => return Ok(DecodedNumeric::NaN),
        Numeric::Infinity { negative: false } => return Ok(DecodedNumeric::PosInfinity),
        Numeric::Infinity { negative: true } => return Ok(DecodedNumeric::NegInfinity),
    };
    Ok(match magnitude(weight, dscale, digits) {
        Some(magnitude) => DecodedNumeric::Finite { unscaled: if negative { -magnitude } else { magnitude }, dscale },
        None => DecodedNumeric::TooLarge,
    })
}

/// The digits as one integer at `dscale`; None if it is too large, or has nonzero digits behind its display scale.
fn magnitude(weight: i32, dscale: u16, digits: &[[u8; 2]]) -> Option<i128> {
    let digits = &digits[..digits.iter().rposition(|&digit| digit != [0, 0]).map_or(0, |last| last + 1)];
    let Some((last, leading)) = digits.split_last() else {
        return Some(0);
    };
    let digit = |bytes: &[u8; 2]| i128::from(u16::from_le_bytes(*bytes));
    let mut sum = 0i128;
    for bytes in leading {
        sum = sum.checked_mul(i128::from(NBASE))?.checked_add(digit(bytes))?;
    }
    // The last digit counts 10^exponent at the display scale.
    let exponent = 4 * (weight - leading.len() as i32) + i32::from(dscale);
    if exponent >= 0 {
        let sum = sum.checked_mul(i128::from(NBASE))?.checked_add(digit(last))?;
        return sum.checked_mul(10i128.checked_pow(exponent as u32)?);
    }
    // It may reach behind the point's display scale only with zeros.
    let behind = 10i128.checked_pow(exponent.unsigned_abs().min(4))?;
    if exponent < -3 || digit(last) % behind != 0 {
        return None;
    }
    sum.checked_mul(i128::from(NBASE) / behind)?.checked_add(digit(last) / behind)
}

/// Base-10000 digits, least significant first, cut at the decimal point.
#[derive(Default)]
struct Digits {
    values: [u16; MAX_DIGITS + 1],
    /// Digits so far.
    count: usize,
    /// Zero digits at the least significant end that were left out.
    skipped: usize,
}

impl Digits {
    #[inline]
    fn push(&mut self, digit: u16) {
        if digit == 0 && self.count == 0 {
            self.skipped += 1;
        } else {
            self.values[self.count] = digit;
            self.count += 1;
        }
    }

    /// Takes the decimal digits of the least significant base-10000 digit, which may be cut short by the point.
    #[inline]
    fn split_first(&mut self, magnitude: u64, dscale: u16) -> u64 {
        let (kept, factor) = match dscale % 4 {
            0 => return magnitude,
            1 => (10, 1000),
            2 => (100, 100),
            _ => (1000, 10),
        };
        self.push((magnitude % kept * factor) as u16);
        magnitude / kept
    }

    #[inline]
    fn split(&mut self, magnitude: u64, dscale: u16) {
        let mut rest = self.split_first(magnitude, dscale);
        while rest != 0 {
            self.push((rest % NBASE) as u16);
            rest /= NBASE;
        }
    }

    #[cold]
    fn split_wide(&mut self, magnitude: u128, dscale: u16) {
        const CHUNK: u128 = 10u128.pow(16);
        let kept = 10u128.pow(u32::from(dscale % 4));
        self.split_first((magnitude % kept) as u64, dscale);
        let mut rest = magnitude / kept;
        while rest >= CHUNK {
            let mut chunk = (rest % CHUNK) as u64;
            for _ in 0..4 {
                self.push((chunk % NBASE) as u16);
                chunk /= NBASE;
            }
            rest /= CHUNK;
        }
        let mut rest = rest as u64;
        while rest != 0 {
            self.push((rest % NBASE) as u16);
            rest /= NBASE;
        }
    }

    #[inline]
    fn payload(&self, negative: bool, dscale: u16) -> Payload {
        let mut count = self.count;
        while count > 0 && self.values[count - 1] == 0 {
            count -= 1;
        }
        let fraction = i32::from(dscale.div_ceil(4));
        let weight = if count == 0 { 0 } else { (self.skipped + count) as i32 - 1 - fraction };
        let negative = negative && count > 0;
        let mut payload = Payload { bytes: [0; MAX_PAYLOAD], length: 0 };
        let mut at = if dscale <= SHORT_DISPLAY_SCALE_MAX && SHORT_WEIGHTS.contains(&weight) {
            let header = 0x8000 | u16::from(negative) << 13 | dscale << 7 | (weight as u16 & 0x7f);
            payload.bytes[..2].copy_from_slice(&header.to_le_bytes());
            2
        } else {
            let header = u16::from(negative) << 14 | dscale;
            payload.bytes[..2].copy_from_slice(&header.to_le_bytes());
            payload.bytes[2..4].copy_from_slice(&(weight as i16).to_le_bytes());
            4
        };
        for &digit in self.values[..count].iter().rev() {
            payload.bytes[at..at + 2].copy_from_slice(&digit.to_le_bytes());
            at += 2;
        }
        payload.length = at as u8;
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(unscaled: i128, dscale: u16) -> Vec<u8> {
        let mut out = Vec::new();
        encode_numeric(unscaled, dscale, &mut out);
        out
    }

    fn words(payload: &[u8]) -> Vec<u16> {
        payload.as_chunks().0.iter().map(|&word| u16::from_le_bytes(word)).collect()
    }

    /// Header words as PostgreSQL 18 stores these values (read with pageinspect).
    #[test]
    fn payloads_are_postgresqls() {
        assert_eq!(words(&encoded(0, 0)), [0x8000]);
        assert_eq!(words(&encoded(0, 2)), [0x8100]);
        assert_eq!(words(&encoded(1, 0)), [0x8000, 1]);
        assert_eq!(words(&encoded(10_000, 0)), [0x8001, 1]);
        assert_eq!(words(&encoded(-1, 0)), [0xa000, 1]);
        assert_eq!(words(&encoded(1700, 2)), [0x8100, 17]);
        assert_eq!(words(&encoded(3_307_894, 2)), [0x8101, 3, 3078, 9400]);
        assert_eq!(words(&encoded(4, 2)), [0x817f, 400]);
        assert_eq!(words(&encoded(-101, 2)), [0xa100, 1, 100]);
        assert_eq!(words(&encoded(1, 5)), [0x82fe, 1000]);
        assert_eq!(words(&encoded(1, 70)), [70, (-18i16) as u16, 100]);
        assert_eq!(words(&encoded(-1, 64)), [0x4000 | 64, (-16i16) as u16, 1]);
    }

    #[test]
    fn every_scale_reads_back() {
        let mut values =
            vec![0i128, 1, 9, 10, 9999, 10_000, 10_001, 99_990_000, u64::MAX.into(), i128::MAX, i128::MIN + 1];
        let mut power = 1i128;
        for _ in 0..38 {
            power *= 10;
            values.extend([power - 1, power, power + 1, power.saturating_mul(3) / 7 * 5]);
        }
        for &value in &values {
            for value in [value, -value] {
                for dscale in 0..=80 {
                    let payload = encoded(value, dscale);
                    assert_eq!(
                        decode_numeric(&payload).unwrap(),
                        DecodedNumeric::Finite { unscaled: value, dscale },
                        "{value} {dscale} {payload:?}"
                    );
                    let digits = words(&payload);
                    let start = if digits[0] & 0x8000 == 0 { 2 } else { 1 };
                    assert!(digits.get(start) != Some(&0) && (digits.len() == start || digits.last() != Some(&0)));
                }
            }
        }
    }

    #[test]
    fn special_and_too_large_values_are_told_apart() {
        assert_eq!(decode_numeric(&NAN).unwrap(), DecodedNumeric::NaN);
        assert_eq!(decode_numeric(&POS_INFINITY).unwrap(), DecodedNumeric::PosInfinity);
        assert_eq!(decode_numeric(&NEG_INFINITY).unwrap(), DecodedNumeric::NegInfinity);
        let payload = |words: &[u16]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(decode_numeric(&payload(&[0x8009 + 1, 1])).unwrap(), DecodedNumeric::TooLarge);
        assert_eq!(decode_numeric(&payload(&[0, 30_000, 1])).unwrap(), DecodedNumeric::TooLarge);
        assert_eq!(decode_numeric(&payload(&[0x8100, 1, 1])).unwrap(), DecodedNumeric::TooLarge, "hidden digits");
        assert_eq!(
            decode_numeric(&payload(&[0x8100, 1, 100, 0, 0])).unwrap(),
            DecodedNumeric::Finite { unscaled: 101, dscale: 2 }
        );
        assert!(decode_numeric(&payload(&[0x8100, 10_000])).is_err());
        assert!(decode_numeric(&[1]).is_err());
    }
}
