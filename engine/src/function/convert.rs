//! Conversions between numbers, and between text and other types: numeric.c, float.c, int.c, and the plain part of the input functions.
//!
//! Text is read only where every version and setting of PostgreSQL reads it alike: decimal digits, a point, an exponent for floats, blanks
//! around; a date as `YYYY-MM-DD`. Anything else is [`Failure::UnknownText`], and PostgreSQL reads it.

use super::date::days_from_civil;
use super::decimal::round_div;
use super::failure::Failure;
use super::kernel::{Argument, unary};
use super::number::{Number, ReadError};
use super::variable::{Numbers, PayloadBuilder};
use crate::numeric::{DecodedNumeric, NAN, NEG_INFINITY, POS_INFINITY, Payload, decode_numeric};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewBuilder, Date32Array, Float32Array, Float64Array,
    PrimitiveArray, PrimitiveBuilder, StringViewBuilder,
};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use fusion_proto::plan::NumberType;
use std::fmt::Write;
use std::sync::Arc;

/// A float to an integer type: halves to even, 22003 outside of it.
pub fn float_to_integer(from: NumberType, to: NumberType, argument: &Argument) -> Result<ArrayRef> {
    // The bounds are exact in both float types; the upper one is the first that does not fit.
    fn of<F: ArrowPrimitiveType<Native: Into<f64>>>(to: NumberType, argument: &Argument) -> Result<ArrayRef> {
        let column = argument.primitive::<F>()?;
        let rounded = |value: F::Native, limit: f64, range: Failure| {
            let value: f64 = value.into().round_ties_even();
            if value >= -limit && value < limit { Ok(value) } else { Err(range) }
        };
        match to {
            NumberType::Int2 => unary::<F, Int16Type>(column, &DataType::Int16, |value| {
                rounded(value, 32_768.0, Failure::SmallintRange).map(|value| value as i16)
            }),
            NumberType::Int4 => unary::<F, Int32Type>(column, &DataType::Int32, |value| {
                rounded(value, 2_147_483_648.0, Failure::IntegerRange).map(|value| value as i32)
            }),
            _ => unary::<F, Int64Type>(column, &DataType::Int64, |value| {
                rounded(value, 9_223_372_036_854_775_808.0, Failure::BigintRange).map(|value| value as i64)
            }),
        }
    }
    match from {
        NumberType::Float4 => of::<Float32Type>(to, argument),
        _ => of::<Float64Type>(to, argument),
    }
}

/// float8 to float4: 22003 where a number becomes infinite or zero.
pub fn narrow(argument: &Argument) -> Result<ArrayRef> {
    unary::<Float64Type, Float32Type>(argument.primitive()?, &DataType::Float32, |value| {
        let narrowed = value as f32;
        if narrowed.is_infinite() && !value.is_infinite() {
            Err(Failure::FloatOverflow)
        } else if narrowed == 0.0 && value != 0.0 {
            Err(Failure::FloatUnderflow)
        } else {
            Ok(narrowed)
        }
    })
}

/// The number that `printf` shows with so many significant digits: what float4_numeric and float8_numeric read.
fn number_of_float(value: f64, digits: usize) -> Result<Number, Failure> {
    let text = format!("{:.*e}", digits - 1, value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or((1, mantissa), |mantissa| (-1, mantissa));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = digits.trim_end_matches('0');
    let behind = digits.len().max(1) as i32 - 1 - exponent;
    let unscaled: i128 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| Failure::NumericDigits)? };
    if unscaled == 0 {
        return Ok(Number { unscaled: 0, scale: 0 });
    }
    let number = Number { unscaled: sign * unscaled, scale: behind.max(0) as u16 };
    match u32::try_from(-behind) {
        Ok(zeros) => {
            let by = 10i128.checked_pow(zeros).and_then(|by| number.unscaled.checked_mul(by));
            Ok(Number { unscaled: by.ok_or(Failure::NumericDigits)?, scale: 0 })
        }
        Err(_) => Ok(number),
    }
}

/// A float to numeric: as many digits as always come back, 6 or 15.
pub fn float_to_numeric(argument: &Argument) -> Result<ArrayRef> {
    let array = &argument.array;
    let mut out = BinaryViewBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        let (value, digits) = match array.data_type() {
            DataType::Float32 => (f64::from(array.as_primitive::<Float32Type>().value(row)), 6),
            _ => (array.as_primitive::<Float64Type>().value(row), 15),
        };
        if value.is_nan() {
            out.append_value(NAN);
        } else if value.is_infinite() {
            out.append_value(if value > 0.0 { POS_INFINITY } else { NEG_INFINITY });
        } else {
            let number = number_of_float(value, digits)?;
            out.append_value(Payload::new(number.unscaled, number.scale).as_bytes());
        }
    }
    Ok(Arc::new(out.finish()))
}

/// A numeric to an integer type: halves away from zero, 22003 outside of it.
pub fn numeric_to_integer(to: NumberType, argument: &Argument) -> Result<ArrayRef> {
    fn of<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(argument: &Argument, range: Failure) -> Result<ArrayRef> {
        let numbers = Numbers::of(&argument.array)?;
        let mut out = PrimitiveBuilder::<T>::with_capacity(argument.array.len());
        for row in 0..argument.array.len() {
            if argument.array.is_null(row) {
                out.append_null();
                continue;
            }
            let number = numbers.at(row)?;
            let by = 10i128.checked_pow(number.scale.into());
            let rounded = by.map_or(0, |by| round_div(number.unscaled, by));
            out.append_value(T::Native::try_from(rounded).map_err(|_| range)?);
        }
        Ok(Arc::new(out.finish()))
    }
    match to {
        NumberType::Int2 => of::<Int16Type>(argument, Failure::SmallintRange),
        NumberType::Int4 => of::<Int32Type>(argument, Failure::IntegerRange),
        _ => of::<Int64Type>(argument, Failure::BigintRange),
    }
}

/// `10^0` to `10^22`, which are exact.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

fn float_of_number(number: Number, text: &mut String) -> f64 {
    // A quotient of two exact floats is the nearest float.
    if number.unscaled.unsigned_abs() < 1 << 53
        && let Some(by) = POWERS.get(usize::from(number.scale))
    {
        return number.unscaled as f64 / by;
    }
    text.clear();
    // Writing to a String does not fail.
    let _ = write!(text, "{}e-{}", number.unscaled, number.scale);
    text.parse().unwrap_or(f64::NAN)
}

/// A numeric to float8 or float4, by way of its digits: the nearest float; 22003 beyond the largest one.
pub fn numeric_to_float(to: NumberType, argument: &Argument) -> Result<ArrayRef> {
    let (array, mut text) = (&argument.array, String::new());
    let numbers = Numbers::of(array)?;
    let (mut wide, mut narrow) = (Vec::new(), Vec::new());
    let small = to == NumberType::Float4;
    for row in 0..array.len() {
        let number = if array.is_null(row) { Ok(Number { unscaled: 0, scale: 0 }) } else { numbers.at(row) };
        let special = match number {
            Err(ReadError::Failed(Failure::NumericSpecial)) => match special(array, row) {
                Some(special) => Some(special),
                None => return Err(Failure::NumericSpecial.into()),
            },
            _ => None,
        };
        if small {
            narrow.push(match (special, number) {
                (Some(special), _) => special as f32,
                (None, number) => {
                    let number = number?;
                    // Rounded once, from the digits.
                    text.clear();
                    let _ = write!(text, "{}e-{}", number.unscaled, number.scale);
                    let value: f32 = text.parse().unwrap_or(f32::NAN);
                    if value.is_infinite() {
                        return Err(Failure::FloatOverflow.into());
                    }
                    if value == 0.0 && number.unscaled != 0 {
                        return Err(Failure::FloatUnderflow.into());
                    }
                    value
                }
            });
        } else {
            wide.push(match (special, number) {
                (Some(special), _) => special,
                (None, number) => {
                    let number = number?;
                    let value = float_of_number(number, &mut text);
                    if value == 0.0 && number.unscaled != 0 {
                        return Err(Failure::FloatUnderflow.into());
                    }
                    value
                }
            });
        }
    }
    let nulls = array.nulls().cloned();
    Ok(if small {
        Arc::new(Float32Array::new(narrow.into(), nulls))
    } else {
        Arc::new(Float64Array::new(wide.into(), nulls))
    })
}

/// NaN or an infinity of a variable numeric.
fn special(array: &ArrayRef, row: usize) -> Option<f64> {
    match decode_numeric(array.as_binary_view_opt()?.value(row)).ok()? {
        DecodedNumeric::NaN => Some(f64::NAN),
        DecodedNumeric::PosInfinity => Some(f64::INFINITY),
        DecodedNumeric::NegInfinity => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Digits of a number as numeric_out shows it.
fn write_number(number: Number, out: &mut String) {
    let scale = usize::from(number.scale);
    // Writing to a String does not fail.
    let _ =
        write!(out, "{}{:0>2$}", if number.unscaled < 0 { "-" } else { "" }, number.unscaled.unsigned_abs(), scale + 1);
    if scale > 0 {
        out.insert(out.len() - scale, '.');
    }
}

/// A bool, an integer or a numeric as text.
pub fn to_text(argument: &Argument) -> Result<ArrayRef> {
    let array = &argument.array;
    let (mut out, mut text) = (StringViewBuilder::with_capacity(array.len()), String::new());
    let numbers = Numbers::of(array).ok();
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        text.clear();
        let written = match (array.data_type(), &numbers) {
            (DataType::Boolean, _) => write!(text, "{}", array.as_boolean().value(row)),
            (DataType::Int16, _) => write!(text, "{}", array.as_primitive::<Int16Type>().value(row)),
            (DataType::Int32, _) => write!(text, "{}", array.as_primitive::<Int32Type>().value(row)),
            (DataType::Int64, _) => write!(text, "{}", array.as_primitive::<Int64Type>().value(row)),
            (_, Some(numbers)) => {
                match (numbers.at(row), special(array, row)) {
                    (_, Some(special)) if special.is_nan() => text.push_str("NaN"),
                    (_, Some(special)) => text.push_str(if special > 0.0 { "Infinity" } else { "-Infinity" }),
                    (number, None) => write_number(number?, &mut text),
                }
                Ok(())
            }
            (other, None) => return Err(DataFusionError::Internal(format!("text of {other}"))),
        };
        debug_assert!(written.is_ok());
        out.append_value(&text);
    }
    Ok(Arc::new(out.finish()))
}

/// What `isspace` takes in the C locale, and PostgreSQL around numbers.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}'])
}

/// Whether the text is a sign, digits and, if `fraction`, a point among them, and if `exponent`, an exponent.
fn is_plain(text: &str, fraction: bool, exponent: bool) -> bool {
    let unsigned = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (text, power) = match text.split_once(['e', 'E']) {
        Some((text, power)) if exponent => (text, Some(power)),
        Some(_) => return false,
        None => (text, None),
    };
    if power.is_some_and(|power| !unsigned(power.strip_prefix(['+', '-']).unwrap_or(power))) {
        return false;
    }
    match text.split_once('.') {
        Some((whole, behind)) if fraction => unsigned(whole) && unsigned(behind),
        Some(_) => false,
        None => unsigned(text),
    }
}

fn parse_rows<T: ArrowPrimitiveType>(
    argument: &Argument,
    parse: impl Fn(&str) -> Result<T::Native, Failure>,
) -> Result<ArrayRef> {
    let texts = argument.array.as_string_view();
    let parsed = texts.iter().map(|text| text.map(|text| parse(trim(text))).transpose());
    Ok(Arc::new(parsed.collect::<Result<PrimitiveArray<T>, Failure>>()?))
}

fn parse_integer<T: std::str::FromStr>(text: &str) -> Result<T, Failure> {
    if !is_plain(text, false, false) {
        return Err(Failure::UnknownText);
    }
    text.parse().map_err(|_| Failure::UnknownText)
}

fn parse_number(text: &str) -> Result<Number, Failure> {
    if !is_plain(text, true, false) {
        return Err(Failure::UnknownText);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let unscaled = [whole, fraction].concat().parse().map_err(|_| Failure::NumericDigits)?;
    Ok(Number { unscaled, scale: u16::try_from(fraction.len()).map_err(|_| Failure::NumericDigits)? })
}

/// Text as a number.
pub fn parse(to: NumberType, argument: &Argument) -> Result<ArrayRef> {
    match to {
        NumberType::Int2 => parse_rows::<Int16Type>(argument, parse_integer),
        NumberType::Int4 => parse_rows::<Int32Type>(argument, parse_integer),
        NumberType::Int8 => parse_rows::<Int64Type>(argument, parse_integer),
        NumberType::Float4 | NumberType::Float8 => {
            fn float<F: std::str::FromStr + Into<f64> + Copy>(text: &str) -> Result<F, Failure> {
                let value: F = match is_plain(text, true, true) {
                    true => text.parse().map_err(|_| Failure::UnknownText)?,
                    false => return Err(Failure::UnknownText),
                };
                // Nearly out of range: whether that is an error is PostgreSQL's to say.
                let magnitude: f64 = value.into().abs();
                let zero =
                    text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).all(|b| !(b'1'..=b'9').contains(&b));
                if zero || (magnitude > 1e-37 && magnitude < 1e38) { Ok(value) } else { Err(Failure::UnknownText) }
            }
            match to {
                NumberType::Float4 => parse_rows::<Float32Type>(argument, float),
                _ => parse_rows::<Float64Type>(argument, float),
            }
        }
        NumberType::Numeric => {
            let texts = argument.array.as_string_view();
            let mut out = PayloadBuilder::new(texts.len());
            for text in texts {
                out.append(text.map(|text| parse_number(trim(text))).transpose()?);
            }
            Ok(out.finish())
        }
    }
}

fn parse_day(text: &str) -> Option<i32> {
    let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] else { return None };
    let number = |text: &str, width: usize| -> Option<i32> {
        (text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    days_from_civil(number(year, 4)?, number(month, 2)?, number(day, 2)?)
}

/// Text as a date.
pub fn parse_date(argument: &Argument) -> Result<ArrayRef> {
    let texts = argument.array.as_string_view();
    let day = |text: &str| parse_day(trim(text)).ok_or(Failure::UnknownText);
    let days = texts.iter().map(|text| text.map(day).transpose());
    Ok(Arc::new(days.collect::<Result<Date32Array, Failure>>()?))
}
