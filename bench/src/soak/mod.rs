//! A soak: so many queries by many sessions, against an engine whose memory is small enough that queries and column cache press against its
//! limit. What the engine holds must stay flat, and what it takes must stay within its limit.
//!
//! Way of a run: `tables` (those of the chaos run, and a large one) → `engine` (the limit, and an engine started under it) → twice, to warm up and
//! then in earnest: clients (`client`) and writers in threads, while the engine is looked at (`watch`); then what is left behind while all sessions
//! idle, and once they are gone (`chaos::leaks`) → the settings as they were → one line.
//!
//! A run *fails* by
//! - a wrong answer, or an error that is not on the list of its kind of query (`client`);
//! - a warning, which is how PostgreSQL says that a transaction has leaked pins, snapshots, files or references to relations;
//! - memory: the engine's peak above [`MOST_PERCENT`] of its limit, segments and program included;
//! - growth: more descriptors, threads or memory at the end than after the warm-up, as far as [`leaks::TOLERANCE`] and [`GROWTH_PERCENT`];
//! - an engine that died, or another child of its supervisor;
//! - anything left behind: queries, sessions, segments, spill files, backends, snapshots, locks, pins;
//! - and when it has not met what it is for: queries in the engine, long ones, writes, spill files, a limit that was reached.

mod client;
mod engine;
mod tables;
mod watch;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use self::{engine::Limits, watch::Watch};
use crate::{
    arguments::SoakOptions,
    cache,
    chaos::leaks::{self, State},
    client::Client,
    error::{Error, Result},
    machine,
    random::Random,
    statistics::{milliseconds, percentile},
    stop::Stop,
};

/// Sessions that write.
const WRITERS: u64 = 2;
const WRITE_PAUSE: Duration = Duration::from_millis(20);
/// Of the queries, and of the time, so much is for warming up.
const WARM_UP_PERCENT: u64 = 15;
/// What the engine may take, of its limit.
const MOST_PERCENT: i64 = 115;
/// The memory that it must at least have taken, so that the limit was one.
const LEAST_PERCENT: i64 = 60;
/// How much more memory it may have at the end than after the warm-up, of its limit.
const GROWTH_PERCENT: i64 = 10;
/// How long an engine may take to give back what was cached.
const REST: Duration = Duration::from_secs(3);
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// Failures that are printed; more would say the same.
const SHOWN_FAILURES: usize = 20;

/// What the threads share.
pub struct Soak {
    seed: u64,
    stop: Stop,
    /// Queries that are still to be run.
    left: AtomicU64,
    counts: Counts,
    /// Queries that the engine gave up and PostgreSQL ran, by SQLSTATE.
    given_up: Mutex<BTreeMap<String, u64>>,
    times: Mutex<Times>,
    failures: Mutex<Vec<String>>,
}

/// What the engine took for queries of two kinds.
#[derive(Default)]
struct Times {
    short: Vec<Duration>,
    long: Vec<Duration>,
}

#[derive(Default)]
struct Counts {
    queries: AtomicU64,
    compared: AtomicU64,
    /// Of these, those that are known to have run in the engine.
    in_engine: AtomicU64,
    long: AtomicU64,
    cursors: AtomicU64,
    /// Ended by a timeout that was made short.
    cut: AtomicU64,
    errors: AtomicU64,
    too_long: AtomicU64,
    abandoned: AtomicU64,
    connections: AtomicU64,
    writes: AtomicU64,
    failures: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Soak {
    fn new(seed: u64) -> Soak {
        Soak {
            seed,
            stop: Stop::default(),
            left: AtomicU64::new(0),
            counts: Counts::default(),
            given_up: Mutex::default(),
            times: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Takes the next query's number, from 1; None: no more.
    fn take(&self) -> Option<u64> {
        if self.stop.is_told() {
            return None;
        }
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.ok().map(|_| self.counts.queries.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn is_over(&self) -> bool {
        self.stop.is_told() || self.left.load(Ordering::Relaxed) == 0
    }

    fn fail(&self, text: String) {
        count(&self.counts.failures);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < SHOWN_FAILURES {
            println!("--- {text}");
            failures.push(text);
        }
    }

    fn give_up(&self, sqlstate: &str) {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner).entry(sqlstate.to_owned()).or_default() += 1;
    }

    fn took(&self, is_long: bool, time: Duration) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if is_long { &mut times.long } else { &mut times.short }.push(time);
    }
}

/// Returns whether nothing failed.
pub fn run(options: &SoakOptions) -> Result<bool> {
    let mut witness = Client::connect()?;
    tables::make(&mut witness)?;
    client::check_routes(&mut witness, options.seed)?;
    let limits = Limits { memory_mb: options.memory, cache_mb: options.memory / 2 };
    let passed = engine::start_under(&mut witness, &limits).and_then(|()| run_under(options, &limits, &mut witness));
    engine::start_as_before(&mut witness)?;
    passed
}

fn run_under(options: &SoakOptions, limits: &Limits, witness: &mut Client) -> Result<bool> {
    let soak = Soak::new(options.seed);
    let mut watch = Watch::default();
    let fresh = State::of(witness)?.ok_or_else(|| Error::Connection("there is no engine".to_owned()))?;
    println!("    fresh engine: {}", fresh.footprint());
    let warm = part(&soak, options, "warmed up", WARM_UP_PERCENT, &fresh, witness, &mut watch)?;
    let last = part(&soak, options, "afterwards", 100 - WARM_UP_PERCENT, &warm, witness, &mut watch)?;
    judge_growth(&soak, &warm, &last, limits);
    judge(&soak, limits, &fresh, &watch, witness)?;
    Ok(read(&soak.counts.failures) == 0)
}

/// Runs so many per cent of the queries, and looks for what they leave behind; `before`: when no session was there. Returns how it is when none is again, and the
/// column cache is empty.
fn part(
    soak: &Soak,
    options: &SoakOptions,
    name: &str,
    percent: u64,
    before: &State,
    witness: &mut Client,
    watch: &mut Watch,
) -> Result<State> {
    let share = |whole: u64| (whole * percent).div_ceil(100);
    let end = (options.seconds > 0).then(|| Instant::now() + Duration::from_secs(share(options.seconds)));
    soak.left.store(share(options.queries), Ordering::Relaxed);
    let sessions = phase(soak, options, end, witness, watch)?;
    match leaks::wait_for_idle(witness)? {
        Ok(state) => watch.see(&state),
        Err(left) => soak.fail(format!("{name}, {} idle sessions hold: {left}", sessions.len())),
    }
    match leaks::pins(witness)? {
        Some(0) => {}
        Some(pins) => soak.fail(format!("{name}: {pins} buffers are pinned")),
        None => {
            println!(
                "    pins are not counted, for there is no pg_buffercache; one that a transaction leaks is a warning"
            )
        }
    }
    drop(sessions);
    if let Err(left) = leaks::wait_for_none(witness, before)? {
        soak.fail(format!("{name}: left behind: {left}"));
    }
    // Columns stay in the cache, and more of them the longer the run is; the rest must not grow.
    cache::evict(witness)?;
    thread::sleep(REST);
    let state = State::of(witness)?.ok_or_else(|| Error::Connection("there is no engine".to_owned()))?;
    println!("    {name}: {}", state.footprint());
    Ok(state)
}

/// Runs clients and writers until the queries or the time are over. Returns the clients' sessions, still open.
fn phase(
    soak: &Soak,
    options: &SoakOptions,
    end: Option<Instant>,
    witness: &mut Client,
    watch: &mut Watch,
) -> Result<Vec<Client>> {
    let first = read(&soak.counts.queries);
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..options.clients).map(|number| scope.spawn(move || client::run(soak, number, first))).collect();
        for number in 0..WRITERS {
            scope.spawn(move || writer(soak, number));
        }
        let mut said = Instant::now();
        while !soak.is_over() {
            thread::sleep(LOOK_INTERVAL);
            if end.is_some_and(|end| Instant::now() >= end) {
                soak.left.store(0, Ordering::Relaxed);
            }
            match State::of(witness) {
                Ok(Some(state)) => watch.see(&state),
                Ok(None) => soak.fail("the engine does not answer".to_owned()),
                Err(error) => {
                    soak.fail(format!("the engine cannot be looked at: {error}"));
                    soak.left.store(0, Ordering::Relaxed);
                    return Err(error);
                }
            }
            if said.elapsed() >= PROGRESS_INTERVAL {
                said = Instant::now();
                println!("    {}; {}", soak.counts.summary(), watch.last());
            }
        }
        Ok(clients.into_iter().filter_map(|client| client.join().unwrap_or_default()).collect())
    })
}

/// Changes rows in transactions, some of which are rolled back, and vacuums now and then.
fn writer(soak: &Soak, number: u64) {
    let mut random = Random::new(soak.seed, 1_000_000 + number);
    let mut client = match Client::connect() {
        Ok(client) => client,
        Err(error) => return soak.fail(format!("a writer could not connect: {error}")),
    };
    while !soak.is_over() {
        if let Err(error) = client.query(&tables::write(&mut random)) {
            return soak.fail(format!("a writer failed: {error}"));
        }
        count(&soak.counts.writes);
        crate::stop::wait_until(Instant::now() + WRITE_PAUSE, || soak.is_over());
    }
}

fn judge_growth(soak: &Soak, before: &State, after: &State, limits: &Limits) {
    if after.resident > before.resident + limits.memory_kib() * GROWTH_PERCENT / 100 {
        soak.fail(format!(
            "memory grows: {} MB after the warm-up, {} MB at the end, without the cache",
            before.resident / 1024,
            after.resident / 1024
        ));
    }
}

fn judge(soak: &Soak, limits: &Limits, fresh: &State, watch: &Watch, witness: &mut Client) -> Result<()> {
    let counts = &soak.counts;
    let limit = limits.memory_kib();
    let last = State::of(witness)?.unwrap_or_default();
    let percent = last.peak * 100 / limit;
    println!("    {}", watch.summary());
    for (sqlstate, count) in &*soak.given_up.lock().unwrap_or_else(PoisonError::into_inner) {
        println!("    given up by the engine and run by PostgreSQL: {count} with {sqlstate}");
    }
    {
        let mut times = soak.times.lock().unwrap_or_else(PoisonError::into_inner);
        let Times { short, long } = &mut *times;
        for (name, times) in [("short", short), ("long", long)] {
            println!(
                "    {} {name} queries in the engine: median {} ms, p99 {} ms, longest {} ms",
                times.len(),
                milliseconds(percentile(times, 50)),
                milliseconds(percentile(times, 99)),
                milliseconds(percentile(times, 100))
            );
        }
    }
    if last.pid != fresh.pid {
        soak.fail(format!("the engine died: {} was started, {} runs", fresh.pid, last.pid));
    }
    let supervisor: String = witness
        .query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor'")?
        .lines()
        .collect();
    let children = machine::children(supervisor.parse().unwrap_or(0));
    if children.iter().map(|pid| i64::from(*pid)).ne([last.pid]) {
        soak.fail(format!(
            "the supervisor {supervisor} has the children {children:?}, not the engine {} alone",
            last.pid
        ));
    }
    if percent > MOST_PERCENT {
        soak.fail(format!("the engine took {percent} % of its memory limit of {} MB", limits.memory_mb));
    }
    let ran = u64::try_from(last.queries_total - fresh.queries_total).unwrap_or(0);
    if ran < read(&counts.in_engine) {
        soak.fail(format!("{} queries should have run in the engine, which ran {ran}", read(&counts.in_engine)));
    }
    let met = [
        ("queries in the engine", read(&counts.in_engine) > 0),
        ("long queries", read(&counts.long) > 0),
        ("cursors", read(&counts.cursors) > 0),
        ("queries cut short", read(&counts.cut) > 0),
        ("writes", read(&counts.writes) > 0),
        ("spill files", watch.spilled()),
        ("pressure on the limit", percent >= LEAST_PERCENT),
    ];
    for (name, _) in met.iter().filter(|(_, met)| !met) {
        soak.fail(format!("there was none of: {name}"));
    }
    println!(
        "soak: {}, {ran} run by the engine, peak {} MB of {} ({percent} %)",
        counts.summary(),
        last.peak / 1024,
        limits.memory_mb
    );
    Ok(())
}

impl Counts {
    fn summary(&self) -> String {
        format!(
            "{} queries, {} compared ({} in the engine, {} long, {} by half a cursor), {} cut short, {} with errors, {} too long, \
             {} abandoned, {} connections, {} writes, {} failures",
            read(&self.queries),
            read(&self.compared),
            read(&self.in_engine),
            read(&self.long),
            read(&self.cursors),
            read(&self.cut),
            read(&self.errors),
            read(&self.too_long),
            read(&self.abandoned),
            read(&self.connections),
            read(&self.writes),
            read(&self.failures)
        )
    }
}
