//! Where queries run: crews of threads, each of as many threads as a query has partitions.
//!
//! tokio interrupts nobody, and some steps of operators take seconds (sorting, the groups of a large aggregate, a window): on one crew short queries wait for
//! them. So a query goes to the crew that has the fewest, and the operating system divides the cores among the crews. A query alone has a crew to itself, as if there
//! were no other.
//!
//! Invariant: all that a query spawns runs on its crew, as tokio spawns on the runtime of who spawns.

use crate::metrics::{Gauge, Held};
use std::time::Duration;
use tokio::runtime::Handle;

/// How many crews there are.
pub const CREWS: usize = 4;
/// How long a thread stays with its turn of [`Crews::on_each_thread`], so that the next turn is another's.
const TURN: Duration = Duration::from_millis(1);

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

    /// Has each thread do `act`, where all of them idle; one that is busy may be passed over. Does not wait for it.
    pub fn on_each_thread(&self, act: fn()) {
        for (runtime, _) in std::iter::once(&self.first).chain(&self.others) {
            for _ in 0..runtime.metrics().num_workers() {
                runtime.spawn(async move {
                    act();
                    // Not `tokio::time::sleep`: the thread is to be held.
                    std::thread::sleep(TURN);
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::{Mutex, PoisonError};
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
        // On a busy machine a thread may sleep through its turn.
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
