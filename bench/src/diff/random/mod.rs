//! Generated queries: each runs natively and in the engine; one that differs is printed, made as small as it gets.
//!
//! A query *fails* when the answers differ, when the engine ends it with an internal error, when only its planning fails in
//! the extension, or when the connection is lost. A query that the translation refuses, that the engine gives up on with
//! another error, or that is an error natively, is counted. (Which of several conditions is evaluated first is open in
//! PostgreSQL; an error that only one side meets is no difference, but it is counted as well.)
//! Every fourth query is a part of another one, and every fourth has a condition that does not translate.

mod generate;
mod tree;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use self::tree::Query;
use super::{
    judge,
    session::{Observed, Session},
};
use crate::{error::Result, random::Random};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// Joins of joins may be large; such queries count as errors.
const STATEMENT_TIMEOUT: &str = "2s";
/// Queries tried to make a failing one smaller.
const REDUCTIONS: usize = 400;
/// Failing queries that are printed; more would say the same.
const SHOWN_FAILURES: usize = 20;
/// Reasons of refusals that are printed.
const SHOWN_REASONS: usize = 8;

/// What became of a generated query.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Equal,
    /// The translation refuses it, or the engine gives up: the reason.
    Native(String),
    /// An error natively, and a user sees the same.
    Error,
    /// An error on one side only.
    ErrorOnOneSide,
    Failed {
        kind: Failing,
        text: String,
    },
}

/// What must stay the same while a query is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    Different,
    Internal,
    Planning,
    Connection,
}

/// Returns whether no query failed.
pub fn run(count: u64, seed: u64) -> Result<bool> {
    let mut session = Session::new(STATEMENT_TIMEOUT)?;
    let start = Instant::now();
    let mut said = start;
    let mut counts = Counts::default();
    for number in 0..count {
        if said.elapsed() >= PROGRESS_INTERVAL {
            said = Instant::now();
            println!("    generated: {number} of {count} queries ...");
        }
        let query = query(seed, number);
        match observe(&mut session, &query)? {
            Outcome::Equal => counts.engine += 1,
            Outcome::Native(reason) => {
                counts.native += 1;
                *counts.reasons.entry(reason).or_default() += 1;
            }
            Outcome::Error => counts.errors += 1,
            Outcome::ErrorOnOneSide => counts.one_side += 1,
            Outcome::Failed { kind, text } => {
                counts.failed += 1;
                if counts.failed <= SHOWN_FAILURES {
                    let (query, text) = reduce(&mut session, query, kind, text)?;
                    println!("--- generated query {number} of seed {seed}");
                    println!("{};", query.sql());
                    for line in text.lines() {
                        println!("  {line}");
                    }
                }
            }
        }
    }
    counts.print(count, seed, start.elapsed());
    Ok(counts.failed == 0 && counts.engine > 0)
}

/// A generated query of a seed.
fn query(seed: u64, number: u64) -> Query {
    let query = generate::query(&mut Random::new(seed, number));
    match number % 4 {
        1 => query.into_part(),
        3 => query.in_parts(),
        _ => query,
    }
}

/// For other suites: the SQL of a generated query, and whether its rows are in a total order.
pub fn generated(seed: u64, number: u64) -> (String, bool) {
    let query = query(seed, number);
    (query.sql(), query.ordered)
}

fn observe(session: &mut Session, query: &Query) -> Result<Outcome> {
    let observed = match session.observe(&query.sql(), &[]) {
        Ok(observed) => observed,
        Err(error) => {
            *session = Session::new(STATEMENT_TIMEOUT)?;
            return Ok(Outcome::Failed { kind: Failing::Connection, text: error.to_string() });
        }
    };
    Ok(classify(query.ordered, &observed))
}

fn classify(ordered: bool, observed: &Observed) -> Outcome {
    let shown = observed.shown.as_ref().unwrap_or(&observed.engine);
    let (native, shown) = match (&observed.native, shown) {
        (Ok(native), Ok(shown)) => (native, shown),
        (Err(native), Err(shown)) if native == shown => return Outcome::Error,
        (Ok(_), Err(failure)) if observed.route.is_err() => {
            let text = format!("planning: {}: {}", failure.sqlstate, failure.message);
            return Outcome::Failed { kind: Failing::Planning, text };
        }
        _ => return Outcome::ErrorOnOneSide,
    };
    if let Some(text) = judge::compare(native, shown, ordered) {
        return Outcome::Failed { kind: Failing::Different, text };
    }
    match (&observed.route, &observed.engine) {
        (Ok((route, reason)), _) if route == "native" => Outcome::Native(reason.clone()),
        (_, Err(failure)) if failure.sqlstate.starts_with("XX") => {
            let text = format!("engine: {}: {}", failure.sqlstate, failure.message);
            Outcome::Failed { kind: Failing::Internal, text }
        }
        (_, Err(failure)) => Outcome::Native(format!("the engine gave up: {}", failure.message)),
        _ => Outcome::Equal,
    }
}

/// The smallest query found that fails in the same way, and how it fails.
fn reduce(session: &mut Session, mut query: Query, kind: Failing, mut text: String) -> Result<(Query, String)> {
    let mut tries = 0;
    'smaller: loop {
        for candidate in query.reductions() {
            tries += 1;
            if tries > REDUCTIONS {
                break 'smaller;
            }
            match observe(session, &candidate)? {
                Outcome::Failed { kind: again, text: shown } if again == kind => {
                    query = candidate;
                    text = shown;
                    continue 'smaller;
                }
                _ => {}
            }
        }
        break;
    }
    Ok((query, text))
}

#[derive(Default)]
struct Counts {
    engine: usize,
    native: usize,
    errors: usize,
    one_side: usize,
    failed: usize,
    reasons: BTreeMap<String, usize>,
}

impl Counts {
    fn print(&self, count: u64, seed: u64, time: Duration) {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        for (reason, times) in reasons.into_iter().take(SHOWN_REASONS) {
            println!("    {times:>6} native: {}", reason.lines().next().unwrap_or_default());
        }
        if self.one_side > 0 {
            println!("    {:>6} with an error on one side only", self.one_side);
        }
        println!("    seed {seed}, {:.1} s", time.as_secs_f64());
        println!(
            "diff: {count} queries generated, {} in the engine, {} native, {} errors, {} different",
            self.engine,
            self.native,
            self.errors + self.one_side,
            self.failed
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let texts =
            |seed| (0..50).map(|number| generate::query(&mut Random::new(seed, number)).sql()).collect::<Vec<_>>();
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }

    #[test]
    fn reducing_ends() {
        for number in 0..200 {
            let mut query = generate::query(&mut Random::new(3, number));
            let mut steps = 0;
            while let Some(smaller) = query.reductions().into_iter().next() {
                query = smaller;
                steps += 1;
                assert!(steps < 10_000, "{}", query.sql());
            }
        }
    }
}
