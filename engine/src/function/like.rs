//! LIKE with the escape character `\`, as like_match.c matches in UTF-8 under a deterministic collation.
//!
//! A constant pattern is compiled once: without `_` it is a list of pieces of text between `%`, which are looked for as bytes. Other
//! patterns are walked character by character, with one place to fall back to (the last `%`).

use super::failure::Failure;
use super::kernel::Argument;
use super::text::pad;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder};
use datafusion::error::Result;
use memchr::memmem::Finder;
use std::sync::Arc;

/// A step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// This character.
    Character(char),
    /// `_`.
    Any,
    /// `%`.
    Many,
    /// An escape character with nothing behind it: an error if the match gets there.
    BrokenEscape,
}

fn steps(pattern: &str, out: &mut Vec<Step>) {
    out.clear();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '%' => Step::Many,
            '_' => Step::Any,
            '\\' => characters.next().map_or(Step::BrokenEscape, Step::Character),
            other => Step::Character(other),
        });
    }
}

/// Matches all of `text` against all of `steps`.
fn walk(steps: &[Step], text: &str) -> Result<bool, Failure> {
    let (mut step, mut rest) = (0, text.chars());
    // Behind the last %: the step after it, and the text from which it is to be tried next.
    let mut fallback: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        match steps.get(step) {
            Some(Step::Many) => {
                if rest.as_str().is_empty() {
                    return Ok(steps.iter().skip(step).all(|step| *step == Step::Many));
                }
                // Wildcards in a row: each `_` takes a character, wherever.
                while let Some(wildcard @ (Step::Many | Step::Any)) = steps.get(step) {
                    if *wildcard == Step::Any && rest.next().is_none() {
                        return Ok(false);
                    }
                    step += 1;
                }
                match steps.get(step) {
                    None => return Ok(true),
                    // Found even where `_` has used up the text.
                    Some(Step::BrokenEscape) => return Err(Failure::PatternEscape),
                    Some(_) => fallback = Some((step, rest.clone())),
                }
                continue;
            }
            Some(expected) => match (expected, rest.next()) {
                (_, None) => return Ok(false),
                (Step::BrokenEscape, Some(_)) => return Err(Failure::PatternEscape),
                (Step::Any, Some(_)) => {
                    step += 1;
                    continue;
                }
                (Step::Character(expected), Some(found)) if *expected == found => {
                    step += 1;
                    continue;
                }
                _ => {}
            },
            None if rest.as_str().is_empty() => return Ok(true),
            None => {}
        }
        let Some((after, from)) = &mut fallback else {
            return Ok(false);
        };
        if from.next().is_none() {
            return Ok(false);
        }
        (step, rest) = (*after, from.clone());
    }
}

/// A compiled constant pattern.
enum Matcher {
    /// No `%`, no `_`.
    Equal(String),
    /// Pieces between `%`: the text begins with the first, ends with the last, and has the others in order between them.
    Pieces { prefix: String, middle: Vec<Finder<'static>>, suffix: String },
    /// Anything else.
    Steps(Vec<Step>),
}

impl Matcher {
    fn new(pattern: &str) -> Self {
        let mut compiled = Vec::new();
        steps(pattern, &mut compiled);
        if compiled.iter().any(|step| matches!(step, Step::Any | Step::BrokenEscape)) {
            return Self::Steps(compiled);
        }
        let mut pieces: Vec<String> = compiled
            .split(|step| *step == Step::Many)
            .map(|piece| {
                piece.iter().filter_map(|step| if let Step::Character(c) = step { Some(*c) } else { None }).collect()
            })
            .collect();
        let Some(suffix) = pieces.pop() else {
            return Self::Equal(String::new());
        };
        if pieces.is_empty() {
            return Self::Equal(suffix);
        }
        let prefix = pieces.remove(0);
        let middle = pieces.iter().filter(|piece| !piece.is_empty());
        Self::Pieces { prefix, middle: middle.map(|piece| Finder::new(piece).into_owned()).collect(), suffix }
    }

    fn matches(&self, text: &str) -> Result<bool, Failure> {
        match self {
            Self::Equal(pattern) => Ok(text == pattern),
            Self::Pieces { prefix, middle, suffix } => {
                let rest = text.as_bytes().strip_prefix(prefix.as_bytes());
                let rest = rest.and_then(|rest| rest.strip_suffix(suffix.as_bytes()));
                // Bytes of UTF-8 text match only where its characters do.
                let found = middle.iter().try_fold(rest, |rest, piece| {
                    let rest = rest?;
                    Some(piece.find(rest).and_then(|at| rest.get(at + piece.needle().len()..)))
                });
                Ok(found.flatten().is_some())
            }
            Self::Steps(steps) => walk(steps, text),
        }
    }
}

/// `text LIKE pattern`, or NOT LIKE where `negated`; a bpchar `text` is padded to `length` first.
pub fn like(text: &Argument, pattern: &Argument, length: Option<u32>, negated: bool, rows: usize) -> Result<ArrayRef> {
    let texts = text.array.as_string_view();
    let patterns = pattern.array.as_string_view();
    let mut padded = String::new();
    if pattern.constant && !text.constant {
        let matcher = Matcher::new(patterns.value(0));
        let mut failed = None;
        let values = arrow::buffer::BooleanBuffer::collect_bool(rows, |row| {
            if texts.is_null(row) {
                return false;
            }
            match matcher.matches(pad(texts.value(row), length, &mut padded)) {
                Ok(matches) => matches != negated,
                Err(failure) => {
                    failed = Some(failure);
                    false
                }
            }
        });
        return match failed {
            Some(failure) => Err(failure.into()),
            None => Ok(Arc::new(BooleanArray::new(values, texts.nulls().cloned()))),
        };
    }
    let mut compiled = Vec::new();
    let mut out = BooleanBuilder::with_capacity(rows);
    for row in 0..rows {
        let (at, pattern_at) = (if text.constant { 0 } else { row }, if pattern.constant { 0 } else { row });
        if texts.is_null(at) || patterns.is_null(pattern_at) {
            out.append_null();
            continue;
        }
        steps(patterns.value(pattern_at), &mut compiled);
        out.append_value(walk(&compiled, pad(texts.value(at), length, &mut padded))? != negated);
    }
    Ok(Arc::new(out.finish()))
}
