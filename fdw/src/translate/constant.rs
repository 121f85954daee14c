//! How does the engine hold this value?

use super::scope::Typed;
use super::{Refusal, Result};
use crate::pg::datum::TypedDatum;
use crate::pg::names;
use fusion_common::types::{PG_EPOCH_DAYS, PG_EPOCH_MICROS, oid};
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{Expr, ExprKind, Value};

/// The constant of a type; None is NULL.
pub(super) fn constant(ty: TypeRef, datum: Option<TypedDatum<'_>>) -> Result<Typed> {
    let value = datum.map(|datum| value(ty, datum)).transpose()?;
    let held = value.as_ref().map_or(ty.column_type(), |value| value.column_type(ty));
    Ok(Typed { expr: Expr { ty, kind: ExprKind::Const(value) }, held })
}

/// How a parameter of this type is held, as far as is known before it has a value.
pub(super) fn parameter_type(ty: TypeRef) -> Result<ColumnType> {
    match ty.oid {
        oid::NUMERIC => Ok(ColumnType::NumericVar),
        oid::INTERVAL => Ok(ColumnType::Opaque),
        oid::BPCHAR => Ok(ColumnType::Bpchar { length: ty.char_length().unwrap_or(0) }),
        _ => match ty.column_type() {
            ColumnType::Opaque => {
                Err(Refusal::unsupported(format_args!("a parameter of type {}", names::type_name(ty.oid))))
            }
            held => Ok(held),
        },
    }
}

/// The element type of an array whose elements the engine knows.
pub(super) fn array_element(ty: TypeRef) -> Option<TypeRef> {
    let element = TypeRef { oid: names::array_element(ty.oid), typmod: -1, collation: ty.collation };
    let known = element.oid == oid::BPCHAR || element.column_type() != ColumnType::Opaque;
    (element.oid != 0 && known).then_some(element)
}

/// A datum of type `ty` in the engine's form.
pub fn value(ty: TypeRef, datum: TypedDatum<'_>) -> Result<Value> {
    let bits = datum.bits();
    Ok(match ty.oid {
        oid::BOOL => Value::Bool(bits as u8 != 0),
        oid::INT2 => Value::Int2(bits as i16),
        oid::INT4 => Value::Int4(bits as i32),
        oid::INT8 => Value::Int8(bits as i64),
        oid::FLOAT4 => Value::Float4(f32::from_bits(bits as u32)),
        oid::FLOAT8 => Value::Float8(f64::from_bits(bits)),
        oid::DATE => Value::Date(shift_days(bits as i32)?),
        oid::TIMESTAMP => Value::Timestamp(shift_micros(bits as i64)?),
        oid::TIMESTAMPTZ => Value::Timestamptz(shift_micros(bits as i64)?),
        oid::NUMERIC => numeric(bytes(ty, datum)?),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR => match String::from_utf8(bytes(ty, datum)?) {
            Ok(text) => Value::Text(text),
            Err(_) => return Err(Refusal("a string constant is not valid UTF-8".to_owned())),
        },
        _ => match array_element(ty) {
            Some(element) => {
                // SAFETY: a datum of this array type.
                let elements = unsafe { datum.array_elements(element.oid) };
                let element_value =
                    |datum: Option<TypedDatum<'_>>| datum.map(|datum| value(element, datum)).transpose();
                Value::Array(element, elements.into_iter().map(element_value).collect::<Result<_>>()?)
            }
            None => Value::Opaque(bytes(ty, datum)?),
        },
    })
}

fn bytes(ty: TypeRef, datum: TypedDatum<'_>) -> Result<Vec<u8>> {
    datum.bytes().ok_or_else(|| Refusal::unsupported(format_args!("a constant of type {}", names::type_name(ty.oid))))
}

/// Days since PostgreSQL's epoch to days since 1970; infinities stay.
fn shift_days(days: i32) -> Result<i32> {
    match days {
        i32::MIN | i32::MAX => Ok(days),
        _ => days.checked_add(PG_EPOCH_DAYS).filter(|&days| days != i32::MAX).ok_or_else(out_of_range),
    }
}

/// Microseconds since PostgreSQL's epoch to microseconds since 1970; infinities stay.
fn shift_micros(micros: i64) -> Result<i64> {
    match micros {
        i64::MIN | i64::MAX => Ok(micros),
        _ => micros.checked_add(PG_EPOCH_MICROS).filter(|&micros| micros != i64::MAX).ok_or_else(out_of_range),
    }
}

fn out_of_range() -> Refusal {
    Refusal("a date or timestamp constant is too far in the future".to_owned())
}

/// A numeric's payload (`NumericShort` or `NumericLong` of numeric.c) as a number where 38 digits hold it, else as it is.
fn numeric(payload: Vec<u8>) -> Value {
    match unscaled(&payload) {
        Some((unscaled, scale)) => Value::Numeric { unscaled, scale },
        None => Value::NumericVar(payload),
    }
}

/// Largest decimal exponent of a number that a fixed numeric holds, and largest number of its digits.
const MAX_DIGITS: u32 = 38;

/// `(unscaled, display scale)` of a finite numeric of at most 38 digits.
fn unscaled(payload: &[u8]) -> Option<(i128, u8)> {
    const SIGN_MASK: u16 = 0xc000;
    const SHORT: u16 = 0x8000;
    const SPECIAL: u16 = 0xc000;
    let mut words = payload.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]));
    let header = words.next()?;
    let (negative, scale, weight) = match header & SIGN_MASK {
        SPECIAL => return None,
        SHORT => {
            // Sign at 0x2000, six bits of display scale, seven bits of weight in two's complement.
            let weight = i32::from(((header & 0x7f) as i8) << 1 >> 1);
            (header & 0x2000 != 0, (header & 0x1f80) >> 7, weight)
        }
        sign => (sign == 0x4000, header & 0x3fff, i32::from(words.next()? as i16)),
    };
    let digits: Vec<u16> = words.collect();
    if u32::from(scale) > MAX_DIGITS {
        return None;
    }
    // Digit i stands for digit * 10000^(weight - i); its last decimal is at exponent 4 * (weight - i), counted in units
    // of 10^-scale below. Digits beyond the display scale are zero.
    let mut total: i128 = 0;
    for (index, &digit) in digits.iter().enumerate() {
        let exponent = 4 * (weight - i32::try_from(index).ok()?) + i32::from(scale);
        let digit = i128::from(digit);
        let part = if exponent >= 0 {
            digit.checked_mul(10_i128.checked_pow(exponent as u32)?)?
        } else {
            let divisor = 10_i128.checked_pow(exponent.unsigned_abs())?;
            if digit % divisor != 0 {
                return None;
            }
            digit / divisor
        };
        total = total.checked_add(part)?;
    }
    if total >= 10_i128.pow(MAX_DIGITS) {
        return None;
    }
    Some((if negative { -total } else { total }, scale as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn short(negative: bool, scale: u16, weight: i16) -> u16 {
        0x8000 | if negative { 0x2000 } else { 0 } | scale << 7 | (weight as u16 & 0x7f)
    }

    #[test]
    fn short_numerics_decode() {
        assert_eq!(unscaled(&payload(&[short(false, 0, 0)])), Some((0, 0)));
        assert_eq!(unscaled(&payload(&[short(false, 2, 0)])), Some((0, 2)));
        assert_eq!(unscaled(&payload(&[short(false, 2, -1), 600])), Some((6, 2)));
        assert_eq!(unscaled(&payload(&[short(true, 2, 1), 1, 2345, 6700])), Some((-1_234_567, 2)));
        assert_eq!(unscaled(&payload(&[short(false, 0, 1), 2])), Some((20_000, 0)));
        assert_eq!(unscaled(&payload(&[short(false, 1, 0), 1])), Some((10, 1)));
    }

    #[test]
    fn long_numerics_decode() {
        assert_eq!(unscaled(&payload(&[0x4000 | 3, 0, 1, 2300])), Some((-1230, 3)));
        assert_eq!(unscaled(&payload(&[0, 9, 1])), Some((10_i128.pow(36), 0)));
        assert_eq!(unscaled(&payload(&[2, 9, 1])), None);
    }

    #[test]
    fn what_does_not_fit_stays_as_it_is() {
        let nan = payload(&[0xc000]);
        assert_eq!(numeric(nan.clone()), Value::NumericVar(nan));
        assert_eq!(unscaled(&payload(&[39, 0, 1])), None);
        assert_eq!(unscaled(&payload(&[short(false, 0, 10), 1])), None);
        assert_eq!(unscaled(&[]), None);
    }

    #[test]
    fn infinities_stay() {
        assert_eq!(shift_days(i32::MAX), Ok(i32::MAX));
        assert_eq!(shift_days(0), Ok(PG_EPOCH_DAYS));
        assert!(shift_days(i32::MAX - 5).is_err());
        assert_eq!(shift_micros(i64::MIN), Ok(i64::MIN));
    }
}
