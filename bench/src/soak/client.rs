//! A client of the soak: one query after another, of many kinds, most of them natively and in the engine under one snapshot.
//!
//! Invariants
//! - The engine is asked with fusion.fallback off, so that an answer is known to be its own; what it gives up with [`GIVEN_UP`] is asked for again,
//!   as a user would have it, and compared all the same. (Generated queries, many of which run natively, are asked for as a user would from the start.)
//! - Which other error may come is said per kind of query; any other is a failure, and so is a statement that takes [`STATEMENT_TIMEOUT`].

use std::time::Instant;

use super::{Soak, count, tables};
use crate::{
    chaos::{
        generated::{Generated, Outcome},
        queries,
    },
    client::{Answer, Client},
    diff,
    error::{Error, Result},
    random::Random,
};

/// Out of memory: what cannot spill, or not enough, is run by PostgreSQL.
const GIVEN_UP: [&str; 1] = ["53200"];
/// A query that takes longer hangs: 200 clients and two cores may make a long one wait for some minutes.
const STATEMENT_TIMEOUT: &str = "600s";
const CANCELED: &str = "57014";
/// Numbers of generated queries.
const NUMBERS: usize = 1_000_000;
/// One query in so many is a long one.
const LONG_EVERY: u64 = 500;
/// Milliseconds of the longest of the timeouts that cut queries short.
const CUT_MS: usize = 40;
/// Rows that are fetched of a cursor, in two parts; there are more.
const FETCHED: (usize, usize) = (50, 150);
/// Kinds of written queries with many rows.
const MANY_ROWS: [usize; 2] = [7, 9];

/// Runs queries until there are no more. Returns the session, still open. `first`: how many queries there were before, so that another run asks others.
pub fn run(soak: &Soak, number: u64, first: u64) -> Option<Client> {
    let mut random = Random::new(soak.seed, (first << 16) + number);
    let mut session = None;
    while let Some(query) = soak.take() {
        let client = match session.take().map_or_else(|| connect(soak), Ok) {
            Ok(client) => client,
            Err(error) => {
                soak.fail(format!("client {number} could not connect: {error}"));
                return None;
            }
        };
        let (next, failure) = step(soak, query, &mut random, client);
        session = next;
        if let Some(text) = failure {
            soak.fail(format!("client {number}, query {query}: {text}"));
            session = session.and_then(|mut client| client.query("ROLLBACK").is_ok().then_some(client));
        }
    }
    session
}

fn connect(soak: &Soak) -> Result<Client> {
    let mut client = Client::connect()?;
    client.query(&format!("SET fusion.force = on; SET statement_timeout = '{STATEMENT_TIMEOUT}'"))?;
    count(&soak.counts.connections);
    Ok(client)
}

/// One query. Gives the session back if there still is one, and what failed.
fn step(soak: &Soak, number: u64, random: &mut Random, mut client: Client) -> (Option<Client>, Option<String>) {
    // The first ones, so that the warm-up has had one of each.
    let long = (number <= tables::LONG_KINDS)
        .then_some(number)
        .or_else(|| number.is_multiple_of(LONG_EVERY).then_some(number / LONG_EVERY));
    let (sql, result) = if let Some(kind) = long {
        let sql = tables::long_query(kind).to_owned();
        let result = both(soak, &mut client, &sql, Some(true));
        count(&soak.counts.long);
        (sql, result)
    } else {
        match random.below(100) {
            0..34 => generated(soak, &mut client, random),
            34..83 => point(soak, &mut client, random),
            83..91 => {
                let (sql, _) = queries::query(random);
                let result = both(soak, &mut client, &sql, None);
                (sql, result)
            }
            91..93 => {
                let kind = random.pick(&MANY_ROWS);
                let (sql, _) = queries::of_kind(kind, random);
                let result = half(soak, &mut client, &sql);
                (sql, result)
            }
            93..95 => {
                let (sql, _) = queries::query(random);
                let result = cut(soak, &mut client, &sql, 1 + random.below(CUT_MS));
                (sql, result)
            }
            95..97 => {
                let (sql, sqlstate) = tables::failing_query(random);
                let result = failing(soak, &mut client, &sql, sqlstate);
                (sql, result)
            }
            97..99 => {
                drop(client);
                client = match connect(soak) {
                    Ok(client) => client,
                    Err(error) => return (None, Some(format!("could not connect: {error}"))),
                };
                point(soak, &mut client, random)
            }
            _ => {
                let (sql, _) = queries::query(random);
                count(&soak.counts.abandoned);
                let result = client.abandon(&format!("SET search_path = chaos_fast; {sql}"));
                return (None, result.err().map(|error| format!("could not abandon a query: {error}")));
            }
        }
    };
    let warnings = client.take_warnings();
    let failure = match result {
        Ok(None) if warnings.is_empty() => None,
        Ok(None) => Some(format!("warnings: {}\n{sql};", warnings.join("; "))),
        Ok(Some(difference)) => Some(format!("DIFFERENT\n{sql};\n{difference}")),
        Err(error) => Some(format!("{error}\n{sql};")),
    };
    (Some(client), failure)
}

/// What differs, if anything does.
type Compared = Result<Option<String>>;

fn point(soak: &Soak, client: &mut Client, random: &mut Random) -> (String, Compared) {
    let (sql, _) = queries::of_kind(queries::POINT, random);
    let result = both(soak, client, &sql, Some(false));
    (sql, result)
}

fn generated(soak: &Soak, client: &mut Client, random: &mut Random) -> (String, Compared) {
    let query = Generated::new(soak.seed, random.below(NUMBERS) as u64);
    let result = query.compare(client, "", |_| false).map(|outcome| {
        count(match outcome {
            Outcome::Equal => &soak.counts.compared,
            Outcome::Error => &soak.counts.errors,
            Outcome::TooLong | Outcome::AfterRows => &soak.counts.too_long,
            Outcome::Different(difference) => return Some(difference),
        });
        None
    });
    (query.sql, result)
}

/// Natively and in the engine. `timed`: whether it counts as a long or as a short query.
fn both(soak: &Soak, client: &mut Client, sql: &str, timed: Option<bool>) -> Compared {
    client.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL search_path = chaos")?;
    let native = client.query(sql)?;
    client.query("SET LOCAL search_path = chaos_fast; SET LOCAL fusion.fallback = off; SAVEPOINT engine")?;
    let start = Instant::now();
    let engine = match client.query(sql) {
        Ok(answer) => {
            count(&soak.counts.in_engine);
            if let Some(is_long) = timed {
                soak.took(is_long, start.elapsed());
            }
            answer
        }
        Err(error) => {
            soak.give_up(given_up(error)?);
            client.query("ROLLBACK TO SAVEPOINT engine; SET LOCAL fusion.fallback = on")?;
            client.query(sql)?
        }
    };
    client.query("COMMIT")?;
    count(&soak.counts.compared);
    Ok(diff::compare(&native, &engine, true))
}

/// The first rows of both, by cursors that are closed half way.
fn half(soak: &Soak, client: &mut Client, sql: &str) -> Compared {
    let (few, more) = FETCHED;
    client.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL search_path = chaos")?;
    client.query(&format!("DECLARE half CURSOR FOR {sql}"))?;
    let native = client.query(&format!("FETCH {} FROM half", few + more))?;
    client.query("CLOSE half; SET LOCAL search_path = chaos_fast; SET LOCAL fusion.fallback = off")?;
    client.query(&format!("DECLARE half CURSOR FOR {sql}"))?;
    let mut fetch = || -> Result<Answer> {
        let mut answer = client.query(&format!("FETCH {few} FROM half"))?;
        answer.append(client.query(&format!("FETCH {more} FROM half"))?);
        Ok(answer)
    };
    let engine = match fetch() {
        Ok(answer) => answer,
        Err(error) => {
            soak.give_up(given_up(error)?);
            return client.query("ROLLBACK").map(|_| None);
        }
    };
    client.query("CLOSE half; COMMIT")?;
    for counter in [&soak.counts.compared, &soak.counts.in_engine, &soak.counts.cursors] {
        count(counter);
    }
    Ok(diff::compare(&native, &engine, true))
}

/// In the engine, for some milliseconds.
fn cut(soak: &Soak, client: &mut Client, sql: &str, ms: usize) -> Compared {
    client.query(&format!("BEGIN; SET LOCAL search_path = chaos_fast; SET LOCAL statement_timeout = '{ms}ms'"))?;
    if is_cut(client.query(sql))? {
        count(&soak.counts.cut);
    }
    // The end of a query that was quick enough may itself take too long; what comes then has no timeout.
    if is_cut(client.query("ROLLBACK"))? {
        client.query("ROLLBACK")?;
    }
    Ok(None)
}

/// Whether a timeout has ended a statement.
fn is_cut(result: Result<Answer>) -> Result<bool> {
    match result {
        Ok(_) => Ok(false),
        Err(Error::Server { sqlstate, .. }) if sqlstate == CANCELED => Ok(true),
        Err(error) => Err(error),
    }
}

/// An error on both sides.
fn failing(soak: &Soak, client: &mut Client, sql: &str, expected: &str) -> Compared {
    for settings in
        ["SET LOCAL search_path = chaos", "SET LOCAL search_path = chaos_fast; SET LOCAL fusion.fallback = off"]
    {
        client.query(&format!("BEGIN; {settings}"))?;
        match client.query(sql) {
            Err(Error::Server { sqlstate, .. }) if sqlstate == expected || GIVEN_UP.contains(&sqlstate.as_str()) => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(Some(format!("no error {expected} under {settings}"))),
        }
        client.query("ROLLBACK")?;
    }
    count(&soak.counts.errors);
    Ok(None)
}

/// The SQLSTATE with which the engine may give a query up.
fn given_up(error: Error) -> Result<&'static str> {
    match &error {
        Error::Server { sqlstate, .. } => GIVEN_UP.into_iter().find(|known| known == sqlstate).ok_or(error),
        _ => Err(error),
    }
}

/// All written queries must be ones for the engine.
pub fn check_routes(client: &mut Client, seed: u64) -> Result<()> {
    client.query("SET search_path = chaos_fast; SET fusion.force = on")?;
    let mut random = Random::new(seed, 5_000_000);
    let written = (0..queries::KINDS).map(|kind| queries::of_kind(kind, &mut random).0);
    for sql in written.chain((0..tables::LONG_KINDS).map(|kind| tables::long_query(kind).to_owned())) {
        let route: String = client
            .query(&format!("SELECT concat(route, ' ', reason) FROM fusion.explain_route($soak${sql}$soak$)"))?
            .lines()
            .collect();
        if !route.starts_with("engine") {
            return Err(Error::File(format!("a query of the soak does not go to the engine ({route}): {sql}")));
        }
    }
    client.query("RESET search_path; RESET fusion.force").map(|_| ())
}
