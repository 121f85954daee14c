//! What runs now: the queries of all sessions, for `fusion.stat_activity`.
//!
//! Invariant: a query is listed from when it was accepted until it has been answered.

use crate::metrics::{QueryCounters, unix_micros};
use fusion_common::Oid;
use fusion_proto::message::QueryActivity;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whose queries a session runs.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Pid of the backend.
    pub pid: u32,
    /// OID of its database.
    pub database: Oid,
}

/// A query, as others may look at it.
#[derive(Debug)]
pub struct Running {
    peer: Peer,
    user: Oid,
    started_at: i64,
    waiting: AtomicBool,
    memory: Arc<AtomicUsize>,
    counters: Arc<QueryCounters>,
}

impl Running {
    /// Says whether it waits to be let in.
    pub fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Bytes that it has taken of the engine's memory.
    pub fn memory(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.memory)
    }

    fn activity(&self) -> QueryActivity {
        QueryActivity {
            pid: self.peer.pid,
            database: self.peer.database,
            user: self.user,
            started_at: self.started_at,
            waiting: self.waiting.load(Ordering::Relaxed),
            memory: self.memory.load(Ordering::Relaxed) as u64,
            pages: self.counters.pages(),
            rows_decoded: self.counters.decoded(),
            rows_returned: self.counters.returned(),
        }
    }
}

/// All queries, in the order in which they came.
#[derive(Debug, Default)]
pub struct Activity {
    list: Arc<Mutex<List>>,
}

#[derive(Debug, Default)]
struct List {
    next: u64,
    running: BTreeMap<u64, Arc<Running>>,
}

/// Takes its query from the list when dropped.
#[derive(Debug)]
pub struct Listed {
    list: Arc<Mutex<List>>,
    number: u64,
    running: Arc<Running>,
}

impl Activity {
    /// Lists a query for as long as what is returned lives.
    pub fn enter(&self, peer: Peer, user: Oid, counters: Arc<QueryCounters>) -> Listed {
        let running = Arc::new(Running {
            peer,
            user,
            started_at: unix_micros(),
            waiting: AtomicBool::new(false),
            memory: Arc::default(),
            counters,
        });
        let mut list = lock(&self.list);
        let number = list.next;
        list.next += 1;
        list.running.insert(number, Arc::clone(&running));
        Listed { list: Arc::clone(&self.list), number, running }
    }

    /// What runs now.
    pub fn list(&self) -> Vec<QueryActivity> {
        lock(&self.list).running.values().map(|running| running.activity()).collect()
    }
}

impl std::ops::Deref for Listed {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        lock(&self.list).running.remove(&self.number);
    }
}

/// A panic elsewhere cannot leave the list half changed.
fn lock(list: &Mutex<List>) -> MutexGuard<'_, List> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_listed_while_it_runs() {
        let activity = Activity::default();
        let first = activity.enter(Peer { pid: 7, database: 5 }, 10, Arc::default());
        let second = activity.enter(Peer { pid: 8, database: 5 }, 11, Arc::default());
        second.set_waiting(true);
        first.memory().store(4096, Ordering::Relaxed);
        let seen: Vec<_> = activity.list().iter().map(|query| (query.pid, query.waiting, query.memory)).collect();
        assert_eq!(seen, [(7, false, 4096), (8, true, 0)]);
        drop(first);
        assert_eq!(activity.list().len(), 1);
    }
}
