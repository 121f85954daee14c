//! Where queries run: crews of threads, each of as many threads as a query has partitions.
//!
//! tokio interrupts nobody, and some steps of operators take seconds (sorting, the groups of a large aggregate, a window): on one crew short queries wait for
//! them. So a query goes to the crew that has the fewest, and the operating system divides the cores among the crews. A query alone has a crew to itself, as if there
//! were no other.
//!
//! Invariant: all that a query spawns runs on its crew, as tokio spawns on the runtime of who spawns.

use crate::metrics::{Gauge, Held};
use tokio::runtime::Handle;

/// How many crews there are.
pub const CREWS: usize = 4;

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

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
