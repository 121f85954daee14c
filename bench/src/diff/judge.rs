//! Compares what happened to a query with what was expected.
//!
//! Answers are equal when column names, types and type modifiers are, and the rows byte for byte: in order if the query says
//! `-- ordered`, else as multisets.
//! Invariants: a difference in the answer is never excused by an expectation; an expectation of something worse than what
//! happened (native, though the engine runs it) is a deviation too, so that the files stay true.

use std::fmt::Write as _;

use super::{
    file::Expect,
    session::{Failure, Observed, Outcome},
};
use crate::client::{Answer, Row};

/// Rows shown of each side of a difference.
const SHOWN_ROWS: usize = 3;
/// Bytes shown of a value.
const SHOWN_BYTES: usize = 100;
/// Bytes of a reason that `--rewrite` writes into a file.
const REASON_BYTES: usize = 110;

/// What became of a query.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Good(Kind),
    /// PostgreSQL's answer, on another way than expected: the way it took, and what is wrong.
    OtherWay(Expect, String),
    /// Another answer than PostgreSQL's: the text shows both.
    Different(String),
}

/// How a query is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Engine,
    Partial,
    Native,
    Error,
}

pub fn judge(expect: &Expect, ordered: bool, observed: &Observed) -> Verdict {
    if let Some(text) = difference(ordered, observed) {
        return Verdict::Different(text);
    }
    let way = way(observed);
    let fits = match (expect, &way) {
        (Expect::Native(wanted), Expect::Native(reason))
        | (Expect::Partial(wanted), Expect::Partial(reason))
        | (Expect::Fallback(wanted), Expect::Fallback(reason)) => reason.contains(wanted.as_str()),
        (expect, way) => expect == way,
    };
    if !fits {
        return Verdict::OtherWay(way.clone(), format!("expected: {}\nhappened: {}", describe(expect), describe(&way)));
    }
    Verdict::Good(match way {
        Expect::Engine => Kind::Engine,
        Expect::Partial(_) => Kind::Partial,
        Expect::Native(_) | Expect::Fallback(_) => Kind::Native,
        Expect::Error { .. } => Kind::Error,
    })
}

/// The way the query took; only for answers that are equal.
fn way(observed: &Observed) -> Expect {
    if let Err(failure) = &observed.native {
        let refused = matches!(&observed.route, Ok((route, _)) if route == "native");
        return Expect::Error { sqlstate: failure.sqlstate.clone(), natively: refused };
    }
    match (&observed.route, &observed.engine) {
        (Ok((route, _)), Ok(_)) if route == "engine" => Expect::Engine,
        (Ok((route, reason)), Ok(_)) if route == "partial" => Expect::Partial(cut(reason, REASON_BYTES)),
        (Ok((route, _)), Err(failure)) if route != "native" => Expect::Fallback(cut(&failure.message, REASON_BYTES)),
        (Ok((_, reason)), _) => Expect::Native(cut(reason, REASON_BYTES)),
        (Err(failure), _) => Expect::Native(cut(&failure.message, REASON_BYTES)),
    }
}

fn describe(expect: &Expect) -> String {
    match expect {
        Expect::Engine => String::from("in the engine"),
        Expect::Native(reason) => format!("native: {reason}"),
        Expect::Partial(reason) => format!("partial: {reason}"),
        Expect::Fallback(text) => format!("the engine gives up: {text}"),
        Expect::Error { sqlstate, natively: false } => format!("error {sqlstate}"),
        Expect::Error { sqlstate, natively: true } => format!("error {sqlstate}, native"),
    }
}

/// What differs between the native outcome and what a user sees.
fn difference(ordered: bool, observed: &Observed) -> Option<String> {
    let shown = observed.shown.as_ref().unwrap_or(&observed.engine);
    let text = match (&observed.native, shown) {
        (Ok(native), Ok(engine)) => compare(native, engine, ordered)?,
        (Err(native), Err(engine)) if native == engine => return None,
        (native, engine) => format!("native: {}\nengine: {}", brief(native), brief(engine)),
    };
    Some(text)
}

fn brief(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => {
            let mut text = format!("{} rows", answer.rows().len());
            for row in answer.rows().iter().take(SHOWN_ROWS) {
                let _ = write!(text, "\n    {}", show(row));
            }
            text
        }
        Err(Failure { sqlstate, message }) => format!("error {sqlstate}: {message}"),
    }
}

/// None if the answers are equal.
pub fn compare(native: &Answer, engine: &Answer, ordered: bool) -> Option<String> {
    if native.columns != engine.columns {
        return Some(format!("native columns: {:?}\nengine columns: {:?}", native.columns, engine.columns));
    }
    if native.rows() == engine.rows() {
        return None;
    }
    let mut left: Vec<&Row> = native.rows().iter().collect();
    let mut right: Vec<&Row> = engine.rows().iter().collect();
    if ordered && left.len() == right.len() {
        let at = left.iter().zip(&right).position(|(a, b)| a != b)?;
        let mut text = format!("{} rows each; row {} is the first that differs", left.len(), at + 1);
        for (label, rows) in [("native", &left), ("engine", &right)] {
            for row in rows.iter().skip(at).take(SHOWN_ROWS) {
                let _ = write!(text, "\n{label}: {}", show(row));
            }
        }
        return Some(text);
    }
    left.sort_unstable();
    right.sort_unstable();
    if left == right {
        return None;
    }
    let mut text = format!("native {} rows, engine {} rows", left.len(), right.len());
    for (label, rows, others) in [("native", &left, &right), ("engine", &right, &left)] {
        for row in missing(rows, others).into_iter().take(SHOWN_ROWS) {
            let _ = write!(text, "\nonly {label}: {}", show(row));
        }
    }
    Some(text)
}

/// The rows that the others do not have, or not as often; both are sorted.
fn missing<'a>(rows: &[&'a Row], others: &[&Row]) -> Vec<&'a Row> {
    let mut result = Vec::new();
    let mut others = others.iter().peekable();
    for row in rows {
        while others.next_if(|other| **other < row).is_some() {}
        if others.next_if(|other| *other == row).is_none() {
            result.push(*row);
        }
    }
    result
}

fn show(row: &Row) -> String {
    let values: Vec<String> = row
        .iter()
        .map(|value| match value {
            None => String::from("NULL"),
            Some(bytes) => format!("'{}'", cut(&String::from_utf8_lossy(bytes), SHOWN_BYTES)),
        })
        .collect();
    values.join(" | ")
}

/// The beginning of a text, on one line.
fn cut(text: &str, bytes: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.len() <= bytes {
        return line.to_string();
    }
    let end = (0..=bytes).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    line[..end].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Column;

    fn answer(rows: &[&[Option<&str>]]) -> Answer {
        let columns = vec![Column { name: String::from("a"), type_oid: 23, typmod: -1 }];
        let rows = rows
            .iter()
            .map(|row| row.iter().map(|value| value.map(|text| text.as_bytes().to_vec())).collect())
            .collect();
        Answer::new(columns, rows)
    }

    fn failure(sqlstate: &str) -> Failure {
        Failure { sqlstate: sqlstate.to_string(), message: String::from("message") }
    }

    fn observed(native: Outcome, route: &str, engine: Outcome, shown: Option<Outcome>) -> Observed {
        Observed {
            native,
            route: Ok((route.to_string(), String::from("window functions are not supported"))),
            engine,
            shown,
        }
    }

    fn one() -> Outcome {
        Ok(answer(&[&[Some("1")]]))
    }

    fn two() -> Outcome {
        Ok(answer(&[&[Some("2")]]))
    }

    #[test]
    fn multisets_and_orders() {
        let a = answer(&[&[Some("1")], &[None], &[Some("1")]]);
        let b = answer(&[&[None], &[Some("1")], &[Some("1")]]);
        assert_eq!(compare(&a, &b, false), None);
        assert!(compare(&a, &b, true).expect("difference").contains("row 1"));
        let c = answer(&[&[None], &[None], &[Some("1")]]);
        let text = compare(&a, &c, false).expect("difference");
        assert!(text.contains("only native: '1'") && text.contains("only engine: NULL"), "{text}");
    }

    #[test]
    fn null_is_not_empty_and_types_count() {
        assert!(compare(&answer(&[&[None]]), &answer(&[&[Some("")]]), false).is_some());
        let mut other = answer(&[]);
        other.columns[0].type_oid = 20;
        assert!(compare(&answer(&[]), &other, false).is_some());
    }

    #[test]
    fn a_difference_is_never_excused() {
        let native = Expect::Native(String::from("window"));
        assert!(matches!(judge(&native, false, &observed(one(), "native", two(), Some(two()))), Verdict::Different(_)));
        assert!(matches!(
            judge(&Expect::Engine, false, &observed(one(), "engine", two(), None)),
            Verdict::Different(_)
        ));
        let errors = observed(Err(failure("22012")), "engine", Err(failure("22003")), Some(Err(failure("22003"))));
        let expect = Expect::Error { sqlstate: String::from("22012"), natively: false };
        assert!(matches!(judge(&expect, false, &errors), Verdict::Different(_)));
    }

    #[test]
    fn the_way_must_be_the_expected_one() {
        assert_eq!(judge(&Expect::Engine, false, &observed(one(), "engine", one(), None)), Verdict::Good(Kind::Engine));
        let refused = observed(one(), "native", one(), Some(one()));
        assert!(matches!(judge(&Expect::Engine, false, &refused), Verdict::OtherWay(Expect::Native(_), _)));
        let native = Expect::Native(String::from("window functions"));
        assert_eq!(judge(&native, false, &refused), Verdict::Good(Kind::Native));
        let other = Expect::Native(String::from("LATERAL"));
        assert!(matches!(judge(&other, false, &refused), Verdict::OtherWay(..)));
        assert!(matches!(
            judge(&native, false, &observed(one(), "engine", one(), None)),
            Verdict::OtherWay(Expect::Engine, _)
        ));
        let partial = observed(one(), "partial", one(), None);
        assert!(matches!(judge(&native, false, &partial), Verdict::OtherWay(Expect::Partial(_), _)));
        assert_eq!(judge(&Expect::Partial(String::from("window")), false, &partial), Verdict::Good(Kind::Partial));
        let gave_up = observed(one(), "engine", Err(failure("54000")), Some(one()));
        assert!(matches!(judge(&Expect::Engine, false, &gave_up), Verdict::OtherWay(Expect::Fallback(_), _)));
        assert_eq!(judge(&Expect::Fallback(String::from("mess")), false, &gave_up), Verdict::Good(Kind::Native));
    }
}
