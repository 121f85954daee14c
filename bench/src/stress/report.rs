//! What a stress run counts, when it is over, and what it says.
//!
//! Invariants: sessions share it by reference; a failure is printed when it happens; after [`MAX_FAILURES`] the run ends.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{arguments::StressOptions, stop};

/// Failures after which going on tells nothing new.
const MAX_FAILURES: u64 = 10;

/// What writers do, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    Committed,
    RolledBack,
    Vacuum,
    Truncate,
    CopyFreeze,
    VacuumFull,
    Alter,
    Evict,
}

impl Written {
    /// With their names.
    const ALL: [(Written, &str); 8] = [
        (Written::Committed, "committed"),
        (Written::RolledBack, "rolled back"),
        (Written::Vacuum, "VACUUM"),
        (Written::Truncate, "TRUNCATE"),
        (Written::CopyFreeze, "COPY FREEZE"),
        (Written::VacuumFull, "VACUUM FULL"),
        (Written::Alter, "ALTER TABLE"),
        (Written::Evict, "evictions"),
    ];
}

/// How an answer of the engine was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Whole,
    Cursor,
}

/// A run, as its sessions see it.
pub struct Run {
    pub seed: u64,
    start: Instant,
    end: Instant,
    whole: AtomicU64,
    cursors: AtomicU64,
    rows: AtomicU64,
    failures: AtomicU64,
    /// Of the failures, answers that differ.
    different: AtomicU64,
    writes: Mutex<BTreeMap<Written, u64>>,
    /// By role and SQLSTATE.
    errors: Mutex<BTreeMap<(&'static str, String), u64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    /// Starts now.
    pub fn new(options: &StressOptions) -> Run {
        let start = Instant::now();
        Run {
            seed: options.seed,
            start,
            end: start + Duration::from_secs(options.seconds),
            whole: AtomicU64::new(0),
            cursors: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            different: AtomicU64::new(0),
            writes: Mutex::default(),
            errors: Mutex::default(),
        }
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end || self.failures() >= MAX_FAILURES
    }

    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits, but not beyond the run's end.
    pub fn pause(&self, time: Duration) {
        stop::wait_until(Instant::now() + time, || self.is_over());
    }

    pub fn count_comparison(&self, way: Way, rows: usize) {
        let counter = match way {
            Way::Whole => &self.whole,
            Way::Cursor => &self.cursors,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub fn count_write(&self, written: Written) {
        *lock(&self.writes).entry(written).or_default() += 1;
    }

    pub fn count_error(&self, role: &'static str, sqlstate: &str) {
        *lock(&self.errors).entry((role, sqlstate.to_string())).or_default() += 1;
    }

    /// Another answer.
    pub fn differ(&self, text: &str) {
        self.different.fetch_add(1, Ordering::Relaxed);
        self.fail(&format!("DIFFERENT, {text}"));
    }

    /// Anything else that must not be, an error that is not expected above all.
    pub fn fail(&self, text: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        println!("--- FAILED after {:.1} s, seed {}: {text}", self.elapsed().as_secs_f64(), self.seed);
    }

    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Counts a failure if it is dropped without [`FailOnPanic::disarm`].
    pub fn fail_on_panic(&self, role: &str, number: u64) -> FailOnPanic<'_> {
        FailOnPanic { run: self, session: format!("{role} {number}"), armed: true }
    }

    fn writes_of(&self, written: Written) -> u64 {
        lock(&self.writes).get(&written).copied().unwrap_or(0)
    }

    /// What a run that tells anything cannot lack, and this one does.
    pub fn missing(&self) -> Vec<String> {
        let whole = self.whole.load(Ordering::Relaxed);
        let cursors = self.cursors.load(Ordering::Relaxed);
        [
            (whole, "comparisons"),
            (cursors, "comparisons by cursor"),
            (self.writes_of(Written::Committed), "committed writes"),
            (self.writes_of(Written::RolledBack), "writes rolled back"),
            (self.writes_of(Written::Vacuum), "VACUUM"),
        ]
        .into_iter()
        .filter(|(count, _)| *count == 0)
        .map(|(_, name)| String::from(name))
        .collect()
    }

    /// `4312 comparisons, 812 by cursor, 5120 writes (41 rolled back, ...), 7 expected errors, 0 different`.
    pub fn summary(&self) -> String {
        let (whole, cursors) = (self.whole.load(Ordering::Relaxed), self.cursors.load(Ordering::Relaxed));
        let writes = Written::ALL.iter().map(|(written, _)| self.writes_of(*written)).sum::<u64>();
        let kinds: Vec<String> = Written::ALL
            .iter()
            .filter(|(written, _)| *written != Written::Committed)
            .map(|(written, name)| format!("{} {name}", self.writes_of(*written)))
            .collect();
        let different = self.different.load(Ordering::Relaxed);
        let mut text = format!(
            "{} comparisons, {cursors} by cursor, {writes} writes ({}), {} expected errors, {different} different",
            whole + cursors,
            kinds.join(", "),
            lock(&self.errors).values().sum::<u64>(),
        );
        match self.failures().saturating_sub(different) {
            0 => {}
            others => {
                let _ = write!(text, ", {others} other failures");
            }
        }
        text
    }

    /// Rows compared, and errors by SQLSTATE.
    pub fn print_details(&self) {
        println!("    {} rows compared", self.rows.load(Ordering::Relaxed));
        let mut text = String::new();
        for ((role, sqlstate), count) in lock(&self.errors).iter() {
            let _ = write!(text, "{}{role} {sqlstate}: {count}", if text.is_empty() { "" } else { ", " });
        }
        println!("    expected errors: {}", if text.is_empty() { "none" } else { &text });
    }
}

/// See [`Run::fail_on_panic`].
pub struct FailOnPanic<'a> {
    run: &'a Run,
    session: String,
    armed: bool,
}

impl FailOnPanic<'_> {
    /// The session has ended by itself.
    pub fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.run.fail(&format!("{} panicked", self.session));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: u64) -> Run {
        Run::new(&StressOptions { seconds, readers: 1, writers: 1, seed: 3 })
    }

    #[test]
    fn a_run_that_compared_nothing_lacks_something() {
        let run = run(60);
        assert_eq!(run.missing().len(), 5);
        run.count_comparison(Way::Whole, 10);
        run.count_comparison(Way::Cursor, 10);
        for written in [Written::Committed, Written::RolledBack, Written::Vacuum] {
            run.count_write(written);
        }
        assert!(run.missing().is_empty());
        assert!(
            run.summary().starts_with("2 comparisons, 1 by cursor, 3 writes (1 rolled back, 1 VACUUM"),
            "{}",
            run.summary()
        );
        assert!(run.summary().ends_with("0 different"));
    }

    #[test]
    fn a_panic_is_a_failure_and_many_end_the_run() {
        let run = run(60);
        run.fail_on_panic("reader", 1).disarm();
        assert_eq!(run.failures(), 0);
        drop(run.fail_on_panic("reader", 1));
        assert_eq!((run.failures(), run.is_over()), (1, false));
        (1..MAX_FAILURES).for_each(|_| run.differ("again"));
        assert!(run.summary().ends_with("9 different, 1 other failures"), "{}", run.summary());
        assert!(run.is_over());
        run.pause(Duration::from_secs(60));
    }

    #[test]
    fn the_time_ends_it() {
        assert!(run(0).is_over());
    }
}
