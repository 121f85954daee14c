//! A client: one query after another, each natively and in the engine under one snapshot.
//!
//! Invariant: an error is explained by a strike, or by the engine's death after the first rows; anything else is a failure of the run.

use std::sync::atomic::Ordering;

use super::{
    Chaos, Seat, count,
    generated::{Generated, Outcome},
    queries,
};
use crate::{
    client::Client,
    diff,
    error::{Error, Result},
    random::Random,
};

/// What a strike ends a statement or a connection with.
const CANCELED: &str = "57014";
const TERMINATED: &str = "57P01";
/// The connection to the engine was lost.
const LOST: &str = "HV00N";

/// Of a hundred queries so many are generated.
const GENERATED: usize = 34;
/// Numbers of generated queries.
const NUMBERS: usize = 1_000_000;

/// Runs queries until the end.
pub fn run(chaos: &Chaos, seat: &Seat, number: u64) {
    let mut random = Random::new(chaos.seed, number);
    // Strikes that have been felt.
    let mut felt = 0;
    let mut client = None;
    while !chaos.is_over() {
        let open = match client.take() {
            Some(open) => open,
            None => match connect(chaos, seat) {
                Ok(open) => open,
                // The strike may meet the new connection.
                Err(error) => {
                    if !is_strike(&error, seat, &mut felt) {
                        chaos.fail(format!("client {number} could not connect: {error}"));
                        return;
                    }
                    continue;
                }
            },
        };
        client = one_query(chaos, seat, number, open, &mut random, &mut felt);
    }
    seat.pid.store(0, Ordering::Relaxed);
}

fn connect(chaos: &Chaos, seat: &Seat) -> Result<Client> {
    let mut client = Client::connect()?;
    client.query("SET fusion.force = on; SET client_min_messages = error")?;
    let pid: String = client.query("SELECT pg_backend_pid()")?.lines().collect();
    seat.pid.store(pid.parse().unwrap_or(0), Ordering::Relaxed);
    count(&chaos.counts.reconnects);
    Ok(client)
}

/// Gives the connection back if it still is one.
fn one_query(
    chaos: &Chaos,
    seat: &Seat,
    number: u64,
    mut client: Client,
    random: &mut Random,
    felt: &mut u64,
) -> Option<Client> {
    let (sql, has_many_rows, result) = if random.percent(GENERATED) {
        let query = Generated::new(chaos.seed, random.below(NUMBERS) as u64);
        let result = query.compare(&mut client, "", is_after_rows);
        (query.sql, false, result)
    } else {
        let (sql, has_many_rows) = queries::query(random);
        let result = compare(&mut client, &sql);
        (sql, has_many_rows, result)
    };
    let error = match result {
        Ok(outcome) => {
            count(match outcome {
                Outcome::Equal => &chaos.counts.compared,
                Outcome::Error => &chaos.counts.errors,
                Outcome::TooLong => &chaos.counts.too_long,
                Outcome::AfterRows => &chaos.counts.after_rows,
                Outcome::Different(difference) => {
                    chaos.fail(format!("client {number}: DIFFERENT\n{sql};\n{difference}"));
                    return Some(client);
                }
            });
            return Some(client);
        }
        Err(error) => error,
    };
    if is_strike(&error, seat, felt) {
        count(&chaos.counts.struck);
    } else if has_many_rows && is_after_rows(&error) {
        count(&chaos.counts.after_rows);
    } else {
        chaos.fail(format!("client {number}: {error}\n{sql};"));
    }
    let is_open = matches!(&error, Error::Server { sqlstate, .. } if sqlstate != TERMINATED);
    // The strike may come this late.
    if is_open && client.query("ROLLBACK").is_ok() {
        return Some(client);
    }
    seat.pid.store(0, Ordering::Relaxed);
    None
}

/// Both answers to a written query under one snapshot.
fn compare(client: &mut Client, sql: &str) -> Result<Outcome> {
    client.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL search_path = chaos")?;
    let native = client.query(sql)?;
    client.query("SET LOCAL search_path = chaos_fast")?;
    let engine = client.query(sql)?;
    client.query("COMMIT")?;
    Ok(diff::compare(&native, &engine, true).map_or(Outcome::Equal, Outcome::Different))
}

/// Whether a monkey has done this, which each strike can only once.
fn is_strike(error: &Error, seat: &Seat, felt: &mut u64) -> bool {
    let is_like_one = match error {
        Error::Server { sqlstate, .. } => sqlstate == CANCELED || sqlstate == TERMINATED,
        Error::Connection(_) => true,
        _ => false,
    };
    let is_one = is_like_one && *felt < seat.strikes.load(Ordering::SeqCst);
    *felt += u64::from(is_one);
    is_one
}

fn is_after_rows(error: &Error) -> bool {
    matches!(error, Error::Server { sqlstate, hint, .. }
        if sqlstate == LOST || hint.starts_with("Rows had been returned already"))
}
