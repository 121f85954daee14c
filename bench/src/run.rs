//! Times each query on the heap tables and on the fusion tables, and compares the answers.
//!
//! A query counts as *in the engine* when the EXPLAIN of its fusion form shows the route `engine`; with
//! `fusion.fallback = off` it then cannot end in PostgreSQL unnoticed. It counts as *the same* when every run on both sides
//! gave the same column names and types and the same rows in the same order, byte for byte.

use std::time::{Duration, Instant};

use crate::{
    answer::{difference, route},
    arguments::RunOptions,
    client::{Answer, Client},
    error::{Error, Result},
    report::{self, Measured, Report},
    statistics::median,
};

const NATIVE_SETTINGS: &str = "SET search_path = public";
const FUSION_SETTINGS: &str =
    "SET search_path = fast; SET fusion.enabled = on; SET fusion.force = on; SET fusion.fallback = off";

/// Returns whether every query ran in the engine with the same answer.
pub fn run(options: &RunOptions) -> Result<bool> {
    let mut native = Client::connect()?;
    native.query(NATIVE_SETTINGS)?;
    let mut fusion = if options.native_only { None } else { Some(connect_fusion()?) };
    let version = native.query("SHOW server_version")?.lines().collect();
    let mut report = Report::new(&options.query.label, version, options.runs);
    report::print_head();
    for &number in &options.query.queries {
        let sql = options.query.sql(number)?;
        report::print_query(number);
        let expected = measure(&mut native, &sql, options.runs)?;
        report::print_native(expected.time);
        let mut measured =
            Measured { number, native: expected.time, fusion: None, same: false, in_engine: false, notes: vec![] };
        if let Some(client) = &mut fusion {
            compare(client, &sql, options.runs, &expected, &mut measured)?;
        }
        report::print_fusion(&measured);
        report.queries.push(measured);
    }
    report.print_notes();
    if let Some(stem) = &options.query.results {
        report.write(stem)?;
    }
    if options.native_only {
        return Ok(true);
    }
    println!("{}", report.summary());
    Ok(report.succeeded())
}

fn connect_fusion() -> Result<Client> {
    let mut client = Client::connect()?;
    client.query(FUSION_SETTINGS)?;
    Ok(client)
}

/// The answer of one query and the median time of its runs.
struct Timed {
    answer: Answer,
    time: Duration,
    /// Whether every run gave `answer`.
    stable: bool,
}

/// One warm-up, then `runs` timed runs, from sending the text to having the last row.
fn measure(client: &mut Client, sql: &str, runs: usize) -> Result<Timed> {
    let answer = client.query(sql)?;
    let mut times = Vec::with_capacity(runs);
    let mut stable = true;
    for _ in 0..runs {
        let start = Instant::now();
        let again = client.query(sql)?;
        times.push(start.elapsed());
        stable &= again == answer;
    }
    Ok(Timed { answer, time: median(times), stable })
}

/// Runs the query on the fusion tables. An error of the server is a result, written into the notes; a lost connection is not.
fn compare(client: &mut Client, sql: &str, runs: usize, expected: &Timed, measured: &mut Measured) -> Result<()> {
    let got = client.query(&format!("EXPLAIN {sql}")).and_then(|plan| {
        let (in_engine, note) = route(&plan);
        measured.in_engine = in_engine;
        measured.notes.extend(note);
        measure(client, sql, runs)
    });
    match got {
        Ok(got) => {
            measured.fusion = Some(got.time);
            measured.same = got.stable && expected.stable && got.answer == expected.answer;
            if !measured.same {
                measured.notes.push(deviation(expected, &got));
            }
        }
        Err(error @ Error::Server { .. }) => {
            measured.in_engine = false;
            measured.notes.push(error.to_string());
        }
        Err(error) => {
            // The backend has died, perhaps the whole server: say for which query.
            println!();
            eprintln!("Q{}: {error}", measured.number);
            return Err(error);
        }
    }
    Ok(())
}

/// Why two measured answers are not the same.
fn deviation(expected: &Timed, got: &Timed) -> String {
    if !expected.stable || !got.stable {
        let side = if expected.stable { "fusion" } else { "native" };
        return format!("the {side} answer differs from run to run");
    }
    difference(&expected.answer, &got.answer).unwrap_or_default()
}
