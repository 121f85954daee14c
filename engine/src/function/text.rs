//! Text in characters: substring and lengths, as varlena.c counts them in UTF-8.

use super::failure::Failure;
use super::kernel::{Argument, Operand, unary};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringViewBuilder};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::error::Result;
use std::sync::Arc;

/// Characters of a text.
fn characters(text: &str) -> i32 {
    // A datum is at most 1 GB.
    text.chars().count() as i32
}

/// `length(text)`; of a bpchar, which is held without its trailing blanks, too.
pub fn char_length(text: &Argument) -> Result<ArrayRef> {
    let array = text.array.as_string_view();
    let lengths: Int32Array = array.iter().map(|text| text.map(characters)).collect();
    Ok(Arc::new(lengths))
}

/// `octet_length(text)`.
pub fn octet_length(text: &Argument) -> Result<ArrayRef> {
    // The low 32 bits of a view are its length.
    let views = text.array.as_string_view();
    let lengths: Vec<i32> = views.views().iter().map(|view| *view as u32 as i32).collect();
    let lengths = Int32Array::new(lengths.into(), views.nulls().cloned());
    unary::<Int32Type, Int32Type>(Operand::Column(&lengths), &DataType::Int32, Ok)
}

/// The characters of `text` from `first` (from 1, may be below) and, with `length`, so many of them.
fn slice(text: &str, first: i32, length: Option<i32>) -> Result<&str, Failure> {
    if length.is_some_and(|length| length < 0) {
        return Err(Failure::NegativeSubstring);
    }
    // The first position behind the slice; one beyond the integers is as good as none.
    let end = length.and_then(|length| first.checked_add(length));
    if end.is_some_and(|end| end < 1) {
        return Ok("");
    }
    let first = first.max(1);
    let skip = first as usize - 1;
    let take = end.map(|end| end.saturating_sub(first).max(0) as usize);
    if text.is_ascii() {
        let rest = text.get(skip..).unwrap_or("");
        return Ok(take.and_then(|take| rest.get(..take)).unwrap_or(rest));
    }
    let offset = |text: &str, characters: usize| text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
    let rest = text.get(offset(text, skip)..).unwrap_or("");
    Ok(take.map_or(rest, |take| rest.get(..offset(rest, take)).unwrap_or(rest)))
}

/// `substring(text, first)` or `substring(text, first, length)`.
pub fn substring(arguments: &[Argument], rows: usize) -> Result<ArrayRef> {
    let [text, first, length @ ..] = arguments else {
        return Err(datafusion::error::DataFusionError::Internal("substring without arguments".into()));
    };
    let texts = text.array.as_string_view();
    let first_at = integers(first)?;
    let length = length.first();
    let length_at = length.map(integers).transpose()?;
    let null = |argument: &Argument, row: usize| argument.nulls().is_some_and(|nulls| nulls.is_null(row));
    let mut out = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        if null(text, row) || null(first, row) || length.is_some_and(|length| null(length, row)) {
            out.append_null();
            continue;
        }
        let text = texts.value(if text.constant { 0 } else { row });
        out.append_value(slice(text, first_at(row), length_at.as_ref().map(|at| at(row)))?);
    }
    Ok(Arc::new(out.finish()))
}

/// The integer of a row.
fn integers(argument: &Argument) -> Result<impl Fn(usize) -> i32> {
    let operand = argument.primitive::<Int32Type>()?;
    Ok(move |row: usize| match operand {
        Operand::Constant(value) => value,
        Operand::Column(array) => array.value(row),
    })
}

/// A bpchar as PostgreSQL stores it: with blanks up to its length.
pub fn pad<'a>(text: &'a str, length: Option<u32>, buffer: &'a mut String) -> &'a str {
    let Some(length) = length else {
        return text;
    };
    let missing = (length as usize).saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    buffer.clear();
    buffer.push_str(text);
    buffer.extend(std::iter::repeat_n(' ', missing));
    buffer
}
