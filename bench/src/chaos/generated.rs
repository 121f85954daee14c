//! Generated queries (`diff::generated`) beside the written ones: natively, then as a user has them, under one snapshot.
//!
//! Invariants: another answer is never excused; an error is the query's own if both sides raise it, or if it is one of its data on one side only
//! (which of several conditions is evaluated first is open in PostgreSQL). Any other error is given to the caller, who knows what may explain it.

use crate::{
    client::{Answer, Client},
    diff,
    error::{Error, Result},
};

/// For each of the two: some joins of joins are large.
const STATEMENT_TIMEOUT: &str = "2s";
/// The SQLSTATE of a timeout, and how its message differs from a cancel's.
const CANCELED: (&str, &str) = ("57014", "statement timeout");
/// Data exceptions, and a subquery with more rows than one.
const DATA: [&str; 2] = ["22", "21"];
/// An answer of more bytes may have sent rows before its end, so that it cannot be replaced: half of what the backend holds back.
const HELD_BACK: usize = 1 << 19;

/// A query over the tables of `diff::make_tables`.
pub struct Generated {
    pub sql: String,
    ordered: bool,
}

/// What became of it.
pub enum Outcome {
    Equal,
    /// Its own, on both sides, or of its data on one.
    Error,
    /// One side took too long.
    TooLong,
    /// The engine was lost when rows may have gone out.
    AfterRows,
    Different(String),
}

/// A statement's answer or its own error.
enum Side {
    Answer(Answer),
    Error { sqlstate: String, message: String },
}

impl Side {
    fn is_too_long(&self) -> bool {
        matches!(self, Side::Error { sqlstate, message } if sqlstate == CANCELED.0 && message.contains(CANCELED.1))
    }
}

impl Generated {
    pub fn new(seed: u64, number: u64) -> Generated {
        let (sql, ordered) = diff::generated(seed, number);
        Generated { sql, ordered }
    }

    /// Runs it both ways in a transaction of its own; `settings` are those of the engine's side. `is_after_rows`: whether an error is one of a
    /// query that had sent rows when it lost the engine.
    pub fn compare(&self, client: &mut Client, settings: &str, is_after_rows: fn(&Error) -> bool) -> Result<Outcome> {
        client.query(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL search_path = fast, heap; \
             SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'; SAVEPOINT query"
        ))?;
        let native = match client.query(&format!("SET LOCAL fusion.enabled = off; {}", self.sql)) {
            Ok(answer) => Side::Answer(answer),
            Err(error) => own(error, |_| true)?,
        };
        client.query("ROLLBACK TO SAVEPOINT query")?;
        if native.is_too_long() {
            client.query("ROLLBACK")?;
            return Ok(Outcome::TooLong);
        }
        let engine = match client.query(&format!("{settings}; {}", self.sql)) {
            Ok(answer) => Side::Answer(answer),
            Err(error)
                if is_after_rows(&error) && matches!(&native, Side::Answer(answer) if answer.bytes() > HELD_BACK) =>
            {
                client.query("ROLLBACK")?;
                return Ok(Outcome::AfterRows);
            }
            Err(error) => own(error, |sqlstate| match &native {
                Side::Error { sqlstate: known, .. } if known == sqlstate => true,
                _ => DATA.iter().any(|class| sqlstate.starts_with(class)),
            })?,
        };
        client.query("ROLLBACK")?;
        Ok(match (&native, &engine) {
            _ if engine.is_too_long() => Outcome::TooLong,
            (Side::Answer(native), Side::Answer(engine)) => match diff::compare(native, engine, self.ordered) {
                None => Outcome::Equal,
                Some(difference) => Outcome::Different(difference),
            },
            (Side::Error { sqlstate, message }, Side::Answer(_))
                if !DATA.iter().any(|class| sqlstate.starts_with(class)) =>
            {
                Outcome::Different(format!("native: {sqlstate}: {message}\nengine: no error"))
            }
            _ => Outcome::Error,
        })
    }
}

/// The error as one of the query, if it is: a timeout, or one that `is_own` says so of.
fn own(error: Error, is_own: impl Fn(&str) -> bool) -> Result<Side> {
    match error {
        Error::Server { sqlstate, message, .. }
            if sqlstate == CANCELED.0 && message.contains(CANCELED.1)
                || sqlstate != CANCELED.0 && !sqlstate.starts_with("57P") && is_own(&sqlstate) =>
        {
            Ok(Side::Error { sqlstate, message })
        }
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(sqlstate: &str, message: &str) -> Error {
        Error::Server {
            sqlstate: sqlstate.to_owned(),
            message: message.to_owned(),
            detail: String::new(),
            hint: String::new(),
        }
    }

    #[test]
    fn a_cancel_is_not_the_querys_own() {
        assert!(own(server("57014", "canceling statement due to user request"), |_| true).is_err());
        assert!(own(server("57P01", "terminating connection due to administrator command"), |_| true).is_err());
        let timeout = own(server("57014", "canceling statement due to statement timeout"), |_| false);
        assert!(timeout.is_ok_and(|side| side.is_too_long()));
        assert!(own(server("22012", "division by zero"), |sqlstate| sqlstate.starts_with("22")).is_ok());
        assert!(own(server("XX000", "internal"), |sqlstate| sqlstate.starts_with("22")).is_err());
        assert!(own(Error::Connection(String::from("lost")), |_| true).is_err());
    }
}
