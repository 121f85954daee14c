//! `fusion_bench stress`: readers that compare native and engine under one snapshot, while writers change the tables in every way.
//!
//! Way of a run: `tables` (make them, and fusion tables over them) → `writer` (several sessions: DML with savepoints and rollbacks,
//! VACUUM, TRUNCATE, COPY FREEZE, VACUUM FULL, ALTER TABLE) beside `reader` (several sessions: a query natively, then in the engine
//! again and again, or by a cursor fetched in parts) → `report` (what was counted, what differed).
//!
//! Invariants
//! - A reader reads natively first, so that from then on its lock keeps TRUNCATE, VACUUM FULL and ALTER TABLE, which older snapshots
//!   notice, away from between the two answers.
//! - An error is expected only by its SQLSTATE, and only where it can occur ([`EXPECTED_OF_WRITERS`], [`EXPECTED_OF_READERS`]); any
//!   other, a lost connection and another answer are failures.
//! - A run that compared nothing, read nothing by a cursor, wrote nothing, or in which the cache served or patched nothing, has failed.
//! - The same seed gives each session the same decisions; what they meet depends on time, so a failure need not come again.

mod reader;
mod report;
mod tables;
mod writer;

use std::{
    thread,
    time::{Duration, Instant},
};

use self::report::Run;
use crate::{
    arguments::StressOptions,
    cache,
    client::Client,
    error::{Error, Result},
};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// How soon the run notices that a session has given up.
const TICK: Duration = Duration::from_millis(50);
/// Lock timeout, deadlock, serialization failure.
const EXPECTED_OF_WRITERS: [&str; 3] = ["55P03", "40P01", "40001"];
/// The same; a column that is not there, natively or in the fusion table; a fusion table that its heap table has run away from (the
/// column is missing there, or has another type).
const EXPECTED_OF_READERS: [&str; 6] = ["55P03", "40P01", "40001", "42703", "HV021", "HV004"];
/// For all sessions. A statement that takes longer hangs, on tables as small as these.
const SETTINGS: &str = "SET statement_timeout = '60s'; SET lock_timeout = '400ms'; SET TimeZone = 'UTC'; \
                        SET client_min_messages = warning; SET synchronous_commit = on";

/// Returns whether every answer was PostgreSQL's, and there were some.
pub fn run(options: &StressOptions) -> Result<bool> {
    let mut client = connect()?;
    tables::make(&mut client)?;
    println!(
        "    seed {}: {} writers, {} readers, {} s, {} tables in the schemas stress and stress_fast",
        options.seed,
        options.writers,
        options.readers,
        options.seconds,
        tables::TABLES.len()
    );
    let before = cache::counters(&mut client)?;
    let run = Run::new(options);
    thread::scope(|scope| {
        for number in 0..options.writers {
            let run = &run;
            scope.spawn(move || session(run, "writer", number, writer::write));
        }
        for number in 0..options.readers {
            let run = &run;
            scope.spawn(move || session(run, "reader", number, reader::read));
        }
        let mut said = Instant::now();
        while !run.is_over() {
            thread::sleep(TICK);
            if said.elapsed() >= PROGRESS_INTERVAL {
                said = Instant::now();
                println!("    {:.0} s: {}", run.elapsed().as_secs_f64(), run.summary());
            }
        }
    });
    let after = cache::counters(&mut client)?;
    let changes = cache::changes(&before, &after);
    run.print_details();
    let in_cache: Vec<String> = changes.iter().map(|(name, change)| format!("{name} {change:+}")).collect();
    println!("    fusion.stat_cache: {}", in_cache.join(", "));
    let mut missing = run.missing();
    for name in ["hits", "patches"] {
        if changes.iter().all(|(other, change)| other != name || *change <= 0) {
            missing.push(format!("{name} of the cache"));
        }
    }
    if !missing.is_empty() {
        println!("    FAILED: there were no {}", missing.join(", no "));
    }
    println!("stress: {}", run.summary());
    Ok(run.failures() == 0 && missing.is_empty())
}

/// A connection with the settings of all sessions.
fn connect() -> Result<Client> {
    let mut client = Client::connect()?;
    client.query(SETTINGS)?;
    Ok(client)
}

/// A session's life. Its connection must not be lost, nor may it panic.
fn session(run: &Run, role: &str, number: u64, work: fn(&Run, u64) -> Result<()>) {
    // However it ends: if by a panic, the run ends, too.
    let guard = run.fail_on_panic(role, number);
    if let Err(error) = work(run, number) {
        run.fail(&format!("{role} {number}: {error}"));
    }
    guard.disarm();
}

/// The SQLSTATE of a server's error; None for an error of the connection.
fn sqlstate(error: &Error) -> Option<&str> {
    match error {
        Error::Server { sqlstate, .. } => Some(sqlstate),
        _ => None,
    }
}

/// Counts an error that is expected in `role`; gives any other back.
fn expect(run: &Run, role: &'static str, expected: &[&str], error: Error) -> Result<()> {
    match sqlstate(&error) {
        Some(state) if expected.contains(&state) => {
            run.count_error(role, state);
            Ok(())
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(sqlstate: &str) -> Error {
        Error::Server {
            sqlstate: sqlstate.to_string(),
            message: String::new(),
            detail: String::new(),
            hint: String::new(),
        }
    }

    #[test]
    fn only_expected_errors_are_swallowed() {
        let run = Run::new(&StressOptions { seconds: 1, readers: 1, writers: 1, seed: 1 });
        assert!(expect(&run, "readers", &EXPECTED_OF_READERS, server("HV004")).is_ok());
        assert!(expect(&run, "readers", &EXPECTED_OF_READERS, server("XX000")).is_err());
        assert!(expect(&run, "writers", &EXPECTED_OF_WRITERS, server("HV004")).is_err());
        assert!(expect(&run, "writers", &EXPECTED_OF_WRITERS, Error::Connection(String::new())).is_err());
        assert!(run.summary().contains("1 expected errors"), "{}", run.summary());
    }
}
