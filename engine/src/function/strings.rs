//! Functions of text whose result is text, a position or a truth: oracle_compat.c and varlena.c, in the characters of UTF-8.
//!
//! What a locale decides beyond ASCII, and results of a length that PostgreSQL may refuse, end the query here
//! ([`Failure::NotAscii`], [`Failure::LongText`]), so that PostgreSQL runs it.

use super::failure::Failure;
use super::kernel::Argument;
use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, Int32Builder, StringViewArray, StringViewBuilder};
use arrow::datatypes::Int32Type;
use datafusion::error::{DataFusionError, Result};
use fusion_proto::plan::TextFunction;
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of the longest text that is made here.
const MAX_TEXT: usize = 16 << 20;

/// An argument by rows.
enum Column<'a> {
    Text(&'a StringViewArray, bool),
    Integer(&'a arrow::array::Int32Array, bool),
}

impl<'a> Column<'a> {
    fn of(argument: &'a Argument) -> Result<Self> {
        if let Some(array) = argument.array.as_string_view_opt() {
            return Ok(Self::Text(array, argument.constant));
        }
        match argument.array.as_primitive_opt::<Int32Type>() {
            Some(array) => Ok(Self::Integer(array, argument.constant)),
            None => Err(DataFusionError::Internal(format!("a text function of {}", argument.array.data_type()))),
        }
    }

    /// The text of a valid row.
    fn text(&self, row: usize) -> &'a str {
        match self {
            Self::Text(array, constant) => array.value(if *constant { 0 } else { row }),
            Self::Integer(..) => "",
        }
    }

    /// The integer of a valid row.
    fn integer(&self, row: usize) -> i32 {
        match self {
            Self::Integer(array, constant) => array.value(if *constant { 0 } else { row }),
            Self::Text(..) => 0,
        }
    }
}

/// Arguments of one row.
struct Row<'r, 'a> {
    columns: &'r [Column<'a>],
    row: usize,
}

impl<'a> Row<'_, 'a> {
    fn text(&self, argument: usize) -> &'a str {
        self.columns.get(argument).map_or("", |column| column.text(self.row))
    }

    fn integer(&self, argument: usize) -> i32 {
        self.columns.get(argument).map_or(0, |column| column.integer(self.row))
    }
}

/// Calls `take` for every row: None where an argument is NULL.
fn each_row(
    arguments: &[Argument],
    rows: usize,
    mut take: impl FnMut(Option<Row<'_, '_>>) -> Result<()>,
) -> Result<()> {
    let columns = arguments.iter().map(Column::of).collect::<Result<Vec<_>>>()?;
    for row in 0..rows {
        let null = arguments.iter().any(|argument| argument.nulls().is_some_and(|nulls| nulls.is_null(row)));
        take((!null).then_some(Row { columns: &columns, row }))?;
    }
    Ok(())
}

/// Any text function.
pub fn call(function: TextFunction, arguments: &[Argument], rows: usize) -> Result<ArrayRef> {
    match function {
        TextFunction::Position | TextFunction::Ascii => {
            let mut out = Int32Builder::with_capacity(rows);
            each_row(arguments, rows, |row| {
                out.append_option(row.map(|row| match function {
                    TextFunction::Position => position(row.text(0), row.text(1)),
                    _ => row.text(0).chars().next().map_or(0, |first| first as i32),
                }));
                Ok(())
            })?;
            Ok(Arc::new(out.finish()))
        }
        TextFunction::StartsWith => {
            let mut out = BooleanBuilder::with_capacity(rows);
            each_row(arguments, rows, |row| {
                out.append_option(row.map(|row| row.text(0).starts_with(row.text(1))));
                Ok(())
            })?;
            Ok(Arc::new(out.finish()))
        }
        _ => {
            let mut out = StringViewBuilder::with_capacity(rows);
            let trims = arguments.len() > 1;
            each_row(arguments, rows, |row| {
                match row {
                    None => out.append_null(),
                    Some(row) => out.append_value(text_of(function, &row, trims)?),
                }
                Ok(())
            })?;
            Ok(Arc::new(out.finish()))
        }
    }
}

/// Functions with a text as result; `trims`: the set of characters to trim is an argument.
fn text_of<'a>(function: TextFunction, row: &Row<'_, 'a>, trims: bool) -> Result<Cow<'a, str>, Failure> {
    use TextFunction as F;
    let text = row.text(0);
    let set = if trims { row.text(1) } else { " " };
    let borrowed = |text: &'a str| Ok(Cow::Borrowed(text));
    match function {
        F::Concat => Ok(Cow::Owned([text, row.text(1)].concat())),
        F::Upper => Ok(Cow::Owned(text.to_ascii_uppercase())),
        F::Lower => Ok(Cow::Owned(text.to_ascii_lowercase())),
        F::UpperAscii | F::LowerAscii if !text.is_ascii() => Err(Failure::NotAscii),
        F::UpperAscii => Ok(Cow::Owned(text.to_ascii_uppercase())),
        F::LowerAscii => Ok(Cow::Owned(text.to_ascii_lowercase())),
        F::TrimBoth => borrowed(text.trim_matches(|c| set.contains(c))),
        F::TrimLeft => borrowed(text.trim_start_matches(|c| set.contains(c))),
        F::TrimRight => borrowed(text.trim_end_matches(|c| set.contains(c))),
        F::Left => {
            let wanted = i64::from(row.integer(1));
            let kept = if wanted < 0 { characters(text) + wanted } else { wanted };
            borrowed(split(text, kept).0)
        }
        F::Right => {
            let wanted = row.integer(1);
            // As in C, the negative of the least integer is itself.
            let skipped = if wanted < 0 { wanted.wrapping_neg().into() } else { characters(text) - i64::from(wanted) };
            borrowed(split(text, skipped).1)
        }
        F::Replace => match (text, row.text(1)) {
            ("", _) | (_, "") => borrowed(text),
            (text, from) => fits(text.matches(from).count() * row.text(2).len() + text.len())
                .map(|()| Cow::Owned(text.replace(from, row.text(2)))),
        },
        F::PadLeft | F::PadRight => pad(text, row.integer(1), row.text(2), function == F::PadLeft).map(Cow::Owned),
        F::Repeat => {
            let times = row.integer(1).max(0) as usize;
            fits(text.len().saturating_mul(times)).map(|()| Cow::Owned(text.repeat(times)))
        }
        F::Reverse => Ok(Cow::Owned(text.chars().rev().collect())),
        F::SplitPart => split_part(text, row.text(1), row.integer(2)).map(Cow::Borrowed),
        F::Chr => match u32::try_from(row.integer(0)).ok().filter(|&code| code != 0).and_then(char::from_u32) {
            Some(character) => Ok(Cow::Owned(character.to_string())),
            None => Err(Failure::NoCharacter),
        },
        F::Translate => {
            let (from, to): (Vec<char>, Vec<char>) = (row.text(1).chars().collect(), row.text(2).chars().collect());
            let translated = |c: char| match from.iter().position(|&known| known == c) {
                Some(position) => to.get(position).copied(),
                None => Some(c),
            };
            Ok(Cow::Owned(text.chars().filter_map(translated).collect()))
        }
        F::Position | F::Ascii | F::StartsWith => borrowed(""),
    }
}

fn fits(bytes: usize) -> Result<(), Failure> {
    if bytes <= MAX_TEXT { Ok(()) } else { Err(Failure::LongText) }
}

fn characters(text: &str) -> i64 {
    text.chars().count() as i64
}

/// The first so many characters, and the rest.
fn split(text: &str, characters: i64) -> (&str, &str) {
    let Ok(characters) = usize::try_from(characters) else {
        return ("", text);
    };
    let at = match text.is_ascii() {
        true => characters.min(text.len()),
        false => text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at),
    };
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Where `part` begins, from 1; 0 if nowhere.
fn position(text: &str, part: &str) -> i32 {
    let found = text.find(part).and_then(|at| text.get(..at));
    found.map_or(0, |before| before.chars().count() as i32 + 1)
}

fn pad(text: &str, length: i32, fill: &str, left: bool) -> Result<String, Failure> {
    let length = i64::from(length.max(0));
    fits(length.saturating_mul(4) as usize)?;
    let has = characters(text);
    if has >= length || fill.is_empty() {
        return Ok(split(text, length).0.to_owned());
    }
    let filling = fill.chars().cycle().take((length - has) as usize);
    Ok(if left { filling.chain(text.chars()).collect() } else { text.chars().chain(filling).collect() })
}

fn split_part<'a>(text: &'a str, delimiter: &str, field: i32) -> Result<&'a str, Failure> {
    if field == 0 {
        return Err(Failure::ZeroField);
    }
    if text.is_empty() {
        return Ok("");
    }
    if delimiter.is_empty() {
        return Ok(if matches!(field, 1 | -1) { text } else { "" });
    }
    // Fields count from the left, also those that are asked for from the right.
    let wanted = match field {
        1.. => field as usize - 1,
        _ => match (text.split(delimiter).count()).checked_sub(field.unsigned_abs() as usize) {
            Some(wanted) => wanted,
            None => return Ok(""),
        },
    };
    Ok(text.split(delimiter).nth(wanted).unwrap_or(""))
}

/// `varchar(length)` or, where `blank_padded`, `char(length)`, which is held without its trailing blanks.
pub fn limit(argument: &Argument, length: u32, explicit: bool, blank_padded: bool) -> Result<ArrayRef> {
    let array = argument.array.as_string_view();
    let mut out = StringViewBuilder::with_capacity(array.len());
    for text in array {
        let Some(text) = text else {
            out.append_null();
            continue;
        };
        let (kept, rest) = split(text, length.into());
        if !explicit && rest.bytes().any(|byte| byte != b' ') {
            return Err(Failure::LongValue.into());
        }
        out.append_value(if blank_padded { kept.trim_end_matches(' ') } else { kept });
    }
    Ok(Arc::new(out.finish()))
}
