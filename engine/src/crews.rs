//! Where queries run: crews of threads, each of as many threads as a query has partitions.
//!
//! tokio interrupts nobody, and some steps of operators take seconds (sorting, the groups of a large aggregate, a window): on one crew short queries wait for
//! them. So a query goes to the crew that has the fewest, and the operating system divides the cores among the crews. A query alone has a crew to itself, as if there
//! were no other.
//!
//! Invariant: all that a query spawns runs on its crew, as tokio spawns on the runtime of who spawns.

use crate::metrics::{Gauge, Held};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// How many crews there are.
pub const CREWS: usize = 4;
/// How long a thread waits with its turn of [`on_each_thread`] for the others to take theirs. On a machine with much to do a thread may take
/// milliseconds to wake up.
const TURN: Duration = Duration::from_millis(20);

/// See the head of this file.
#[derive(Debug)]
pub struct Crews {
    first: (Handle, Gauge),
    others: Vec<(Handle, Gauge)>,
}

impl Crews {
    /// Of runtimes that outlive it.
    pub fn new(first: Handle, others: impl IntoIterator<Item = Handle>) -> Self {
        let crew = |runtime| (runtime, Gauge::default());
        Self { first: crew(first), others: others.into_iter().map(crew).collect() }
    }

    /// The crew for a query, which is counted there for as long as what comes with it lives.
    pub fn pick(&self) -> (&Handle, Held) {
        let fewer = |best: &'_ (Handle, Gauge), crew: &'_ (Handle, Gauge)| crew.1.get() < best.1.get();
        let (runtime, queries) =
            self.others.iter().fold(&self.first, |best, crew| if fewer(best, crew) { crew } else { best });
        (runtime, queries.hold())
    }

    /// As [`on_each_thread`], of all crews.
    pub fn on_each_thread(&self, act: fn()) {
        std::iter::once(&self.first).chain(&self.others).for_each(|(runtime, _)| on_each_thread(runtime, act));
    }
}

/// Has each thread of a runtime do `act`, where all of them idle; one that is busy may be passed over. Does not wait for it.
pub fn on_each_thread(runtime: &Handle, act: fn()) {
    let threads = runtime.metrics().num_workers();
    let turns = Arc::new((Mutex::new(0), Condvar::new()));
    for _ in 0..threads {
        let turns = Arc::clone(&turns);
        runtime.spawn(async move {
            act();
            // Holds the thread, so that the next turn is another's.
            let (taken, all) = &*turns;
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            *taken += 1;
            all.notify_all();
            drop(all.wait_timeout_while(taken, TURN, |taken| *taken < threads));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::thread::{self, ThreadId};
    use std::time::Instant;
    use tokio::runtime::Builder;

    #[test]
    fn each_thread_acts() {
        static SEEN: Mutex<Option<HashSet<ThreadId>>> = Mutex::new(None);
        let seen = || SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let runtimes = [3, 3].map(|threads| Builder::new_multi_thread().worker_threads(threads).build().unwrap());
        let [first, second] = runtimes.each_ref().map(|runtime| runtime.handle().clone());
        let crews = Crews::new(first, [second]);
        let end = Instant::now() + Duration::from_secs(60);
        // On a busy machine a thread may sleep through its turn all the same.
        while seen().as_ref().is_none_or(|seen| seen.len() < 6) {
            assert!(Instant::now() < end, "{:?} threads have acted", seen().as_ref().map(HashSet::len));
            crews.on_each_thread(|| {
                SEEN.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert_default()
                    .insert(thread::current().id());
            });
            thread::sleep(10 * TURN);
        }
    }

    #[test]
    fn a_query_goes_where_the_fewest_are() {
        let runtimes = [0, 1].map(|_| Builder::new_current_thread().build().unwrap());
        let [first, second] = runtimes.each_ref().map(|runtime| runtime.handle().clone());
        let crews = Crews::new(first, [second]);
        let counts = || [crews.first.1.get(), crews.others[0].1.get()];
        let (_, first) = crews.pick();
        let (_, second) = crews.pick();
        assert_eq!(counts(), [1, 1]);
        drop(first);
        let (_, third) = crews.pick();
        assert_eq!(counts(), [1, 1]);
        drop((second, third));
        assert_eq!(counts(), [0, 0]);
    }
}
