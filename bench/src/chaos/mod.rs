//! Queries while everything around them fails: the engine is killed again and again, backends are cancelled and terminated at random, and
//! writers change the tables. Every answer is compared with PostgreSQL's own under the same snapshot. A third of the queries are generated, over the
//! tables of the differential suite.
//!
//! Way of a run: `tables` → clients (`client`), writers and monkeys (`monkey`) in threads → what was left behind (`leaks`) → one line.
//!
//! A run *fails* by a wrong answer; by an error that no monkey explains (a client that was struck may fail once per strike; a query that had
//! sent rows may fail with the engine); by a restart of the server; by anything left behind; and when nothing was compared or killed.

mod client;
pub mod generated;
pub mod leaks;
mod monkey;
pub mod queries;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    arguments::ChaosOptions,
    client::Client,
    diff,
    error::{Error, Result},
    random::Random,
    stop::Stop,
};

/// Sessions that write.
const WRITERS: u64 = 2;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// Failures that are printed; more would say the same.
const SHOWN_FAILURES: usize = 20;

/// What the threads share.
pub struct Chaos {
    seed: u64,
    stop: Stop,
    seats: Vec<Seat>,
    counts: Counts,
    failures: Mutex<Vec<String>>,
}

/// A client as the monkeys see it.
#[derive(Default)]
struct Seat {
    /// Its backend; 0: none.
    pid: AtomicI32,
    /// Cancelled or terminated so often; counted before it is done.
    strikes: AtomicU64,
}

#[derive(Default)]
struct Counts {
    compared: AtomicU64,
    /// Generated queries that are errors, mostly on both sides.
    errors: AtomicU64,
    /// Generated queries that were given up.
    too_long: AtomicU64,
    /// Queries that a strike ended.
    struck: AtomicU64,
    /// Queries that had sent rows when the engine died.
    after_rows: AtomicU64,
    reconnects: AtomicU64,
    writes: AtomicU64,
    kills: AtomicU64,
    stops: AtomicU64,
    cancels: AtomicU64,
    terminations: AtomicU64,
    /// Queries that engines had run when they were killed.
    in_engine: AtomicU64,
    failures: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Chaos {
    fn is_over(&self) -> bool {
        self.stop.is_told()
    }

    fn fail(&self, text: String) {
        count(&self.counts.failures);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < SHOWN_FAILURES {
            println!("--- {text}");
            failures.push(text);
        }
    }

    /// Sleeps, or until the end.
    fn pause(&self, time: Duration) {
        self.stop.wait_until(Instant::now() + time);
    }
}

/// Returns whether nothing failed.
pub fn run(options: &ChaosOptions) -> Result<bool> {
    // Never struck: it is lost only if the server restarts.
    let mut witness = Client::connect()?;
    diff::make_tables(&mut witness)?;
    queries::make_tables(&mut witness)?;
    let chaos = Chaos {
        seed: options.seed,
        stop: Stop::default(),
        seats: (0..options.clients).map(|_| Seat::default()).collect(),
        counts: Counts::default(),
        failures: Mutex::default(),
    };
    let before = leaks::State::of(&mut witness)?.ok_or_else(|| Error::Connection("there is no engine".to_owned()))?;
    let start = Instant::now();
    thread::scope(|scope| {
        let chaos = &chaos;
        let _told = chaos.stop.on_drop();
        for (number, seat) in chaos.seats.iter().enumerate() {
            scope.spawn(move || client::run(chaos, seat, number as u64));
        }
        for number in 0..WRITERS {
            scope.spawn(move || writer(chaos, number));
        }
        if options.kill > 0 {
            scope.spawn(move || monkey::kill_engines(chaos, Duration::from_secs(options.kill)));
        }
        if options.strikes {
            scope.spawn(move || monkey::strike_backends(chaos));
        }
        let (mut said, end) = (start, start + Duration::from_secs(options.seconds));
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(100));
            if said.elapsed() >= PROGRESS_INTERVAL {
                said = Instant::now();
                println!("    {}", chaos.counts.summary());
            }
        }
    });
    if let Err(error) = witness.query("SELECT 1") {
        chaos.fail(format!("the server restarted: {error}"));
        return Ok(false);
    }
    match leaks::wait_for_none(&mut witness, &before)? {
        Ok(after) => println!("    before: {}\n    afterwards: {}", before.footprint(), after.footprint()),
        Err(left) => chaos.fail(format!("left behind: {left}")),
    }
    println!("chaos: {}", chaos.counts.summary());
    let counts = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let has_run = counts(&chaos.counts.compared) > 0
        && counts(&chaos.counts.writes) > 0
        && (options.kill == 0 || counts(&chaos.counts.kills) > 0 && counts(&chaos.counts.in_engine) > 0)
        && (!options.strikes || counts(&chaos.counts.cancels) > 0);
    Ok(has_run && counts(&chaos.counts.failures) == 0)
}

impl Counts {
    fn summary(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{} compared, {} generated ones with errors and {} too long, {} in killed engines, {} engines killed and {} stopped, {} cancels, {} terminations, {} ended by them, \
             {} failed with the engine after their first rows, {} connections, {} writes, {} failures",
            count(&self.compared),
            count(&self.errors),
            count(&self.too_long),
            count(&self.in_engine),
            count(&self.kills),
            count(&self.stops),
            count(&self.cancels),
            count(&self.terminations),
            count(&self.struck),
            count(&self.after_rows),
            count(&self.reconnects),
            count(&self.writes),
            count(&self.failures),
        )
    }
}

/// Changes rows in transactions, some of which are rolled back, and vacuums now and then.
fn writer(chaos: &Chaos, number: u64) {
    let mut random = Random::new(chaos.seed, 1_000_000 + number);
    let mut client = match Client::connect() {
        Ok(client) => client,
        Err(error) => return chaos.fail(format!("a writer could not connect: {error}")),
    };
    while !chaos.is_over() {
        if let Err(error) = client.query(&queries::write(&mut random)) {
            chaos.fail(format!("a writer failed: {error}"));
            match Client::connect() {
                Ok(next) => client = next,
                Err(_) => return,
            }
        }
        count(&chaos.counts.writes);
        chaos.pause(Duration::from_millis(20));
    }
}
