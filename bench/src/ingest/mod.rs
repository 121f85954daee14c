//! `fusion_bench ingest`: the queries natively and in the engine, warm, while other sessions write.
//!
//! Way of a run: every query once to fill the cache, then quiet passes that are timed; then `writer` updates lineitem and
//! vacuums it, and passes go on until the time is up; `report` writes what came of it.
//!
//! Invariants: a query runs natively and in the engine in one REPEATABLE READ transaction, so under one snapshot, and which
//! comes first changes from pass to pass; the answers are compared byte for byte; every query runs at least once under
//! writing; the writers have ended when `run` returns.

mod report;
mod writer;

use std::{
    thread,
    time::{Duration, Instant},
};

use self::{
    report::{Measured, Phase, Report},
    writer::Writing,
};
use crate::{
    answer::{difference, route},
    arguments::IngestOptions,
    cache,
    client::{Answer, Client},
    error::{Error, Result},
    machine,
    stop::Stop,
};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// Timed passes before there is writing.
const QUIET_PASSES: usize = 3;
/// The sides, as settings of a transaction.
const NATIVE: &str = "SET LOCAL search_path = public";
const FUSION: &str = "SET LOCAL search_path = fast; SET LOCAL fusion.enabled = on; SET LOCAL fusion.force = on; \
                      SET LOCAL fusion.fallback = off";

/// Returns whether every answer is PostgreSQL's, and every query ran in the engine.
pub fn run(options: &IngestOptions) -> Result<bool> {
    let mut reader = Reader::connect(options)?;
    println!("    filling the cache, then {QUIET_PASSES} passes without writing");
    reader.pass(Phase::Warm, 0)?;
    (0..QUIET_PASSES).try_for_each(|pass| reader.pass(Phase::Quiet, pass))?;
    let before = cache::counters(&mut reader.client)?;
    println!(
        "    writing: {} % of lineitem a minute for {} s, VACUUM every {} s",
        options.percent, options.seconds, options.vacuum
    );
    let stop = Stop::default();
    let (passes, writing) = thread::scope(|scope| {
        let writers = writer::start(scope, options, &stop);
        // However the reading ends, also by a panic, the writers are told.
        let told = stop.on_drop();
        let passes = reader.read_for(Duration::from_secs(options.seconds));
        drop(told);
        (passes, writers.join())
    });
    let writing: Writing = writing?;
    let after = cache::counters(&mut reader.client)?;
    let mut report = reader.report;
    report.passes = passes?;
    report.writing = writing;
    report.counters = cache::changes(&before, &after);
    report.print();
    if let Some(stem) = &options.query.results {
        report.write(stem)?;
    }
    println!("{}", report.summary());
    Ok(report.succeeded())
}

struct Reader {
    client: Client,
    queries: Vec<(u32, String)>,
    report: Report,
}

impl Reader {
    fn connect(options: &IngestOptions) -> Result<Reader> {
        let mut client = Client::connect()?;
        let version: String = client.query("SHOW server_version")?.lines().collect();
        let queries = options
            .query
            .queries
            .iter()
            .map(|&number| Ok((number, options.query.sql(number)?)))
            .collect::<Result<Vec<_>>>()?;
        let setting = format!("{}; PostgreSQL {version}", machine::description());
        let mut report = Report::new(&options.query.label, setting);
        for (number, sql) in &queries {
            let plan = client.query(&format!("BEGIN; {FUSION}; EXPLAIN {sql}"));
            client.query("ROLLBACK")?;
            let (in_engine, note) = match plan {
                Ok(plan) => route(&plan),
                Err(error @ Error::Server { .. }) => (false, Some(error.to_string())),
                Err(error) => return Err(error),
            };
            report.queries.push(Measured::new(*number, in_engine, note));
        }
        Ok(Reader { client, queries, report })
    }

    /// Passes until the time is up; the number of those that were complete, at least one.
    fn read_for(&mut self, time: Duration) -> Result<usize> {
        let start = Instant::now();
        let mut said = start;
        let mut passes = 0;
        while passes == 0 || start.elapsed() < time {
            for at in 0..self.queries.len() {
                if passes > 0 && start.elapsed() >= time {
                    return Ok(passes);
                }
                self.one(Phase::Writing, at, passes)?;
            }
            passes += 1;
            if said.elapsed() >= PROGRESS_INTERVAL {
                said = Instant::now();
                println!("    {passes} passes, {:.0} s ...", start.elapsed().as_secs_f64());
            }
        }
        Ok(passes)
    }

    fn pass(&mut self, phase: Phase, pass: usize) -> Result<()> {
        (0..self.queries.len()).try_for_each(|at| self.one(phase, at, pass))
    }

    /// Both sides of one query, under one snapshot.
    fn one(&mut self, phase: Phase, at: usize, pass: usize) -> Result<()> {
        let (Some((number, sql)), Some(measured)) = (self.queries.get(at), self.report.queries.get_mut(at)) else {
            return Ok(());
        };
        self.client.query("BEGIN ISOLATION LEVEL REPEATABLE READ")?;
        let sides = if pass.is_multiple_of(2) { [NATIVE, FUSION] } else { [FUSION, NATIVE] };
        let mut both = Vec::new();
        for side in sides {
            match timed(&mut self.client, side, sql) {
                Ok(timed) => both.push((side, timed)),
                Err(error @ Error::Server { .. }) => {
                    let name = if side == NATIVE { "native" } else { "fusion" };
                    measured.differs(format!("{name}: {error}"));
                    break;
                }
                Err(error) => {
                    eprintln!("Q{number}: {error}");
                    return Err(error);
                }
            }
        }
        self.client.query("ROLLBACK")?;
        let find = |wanted| both.iter().find(|(side, _)| *side == wanted).map(|(_, timed)| timed);
        if let (Some((native, native_time)), Some((fusion, fusion_time))) = (find(NATIVE), find(FUSION)) {
            measured.add(phase, *native_time, *fusion_time);
            if let Some(text) = difference(native, fusion) {
                measured.differs(text);
            }
        }
        Ok(())
    }
}

fn timed(client: &mut Client, settings: &str, sql: &str) -> Result<(Answer, Duration)> {
    client.query(settings)?;
    let start = Instant::now();
    let answer = client.query(sql)?;
    Ok((answer, start.elapsed()))
}
