//! How much the column cache may hold, and what goes when there is no room.
//!
//! Two bounds: the cache's own limit (`fusion.cache_size`), and the memory pool, in which queries come first. Columns go by their last
//! use, and among those of one query the ones first whose bytes were cheapest to decode. A query never throws out what it has used itself, so
//! that of a relation larger than the cache the first chunks stay, and the next query finds them: a cyclic scan with plain
//! last-use order would find nothing.
//!
//! Invariants: `used` is the bytes of the columns in the map and of those about to come in; the reservation is as large; the pool is
//! never asked for memory while a candidate list is locked.

use super::{ChunkKey, ColumnCache, ColumnIdentity};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use once_cell::sync::OnceCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A column that may go.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) key: ChunkKey,
    pub(super) identity: Arc<ColumnIdentity>,
    pub(super) last_use: u64,
    /// Nanoseconds of decoding per 1024 bytes.
    cost: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Room {
    limit: AtomicUsize,
    used: AtomicUsize,
    reservation: OnceCell<MemoryReservation>,
    candidates: Mutex<Candidates>,
}

#[derive(Debug, Default)]
struct Candidates {
    /// In the order in which they go, as of the last look.
    queue: VecDeque<Candidate>,
    /// A query for which nothing was found: it need not look again until something has changed.
    nothing_for: u64,
}

impl Room {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            reservation: OnceCell::new(),
            candidates: Mutex::default(),
        }
    }

    /// Takes memory from `pool` from now on. Once, before the first column comes.
    pub fn connect(&self, pool: &Arc<dyn MemoryPool>) {
        self.reservation.get_or_init(|| MemoryConsumer::new("column cache").register(pool));
    }

    /// The limit, bytes.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Bytes of all columns.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Sees to it that `bytes` more fit under the limit, throwing out what was last used before the query `epoch`.
    pub(super) fn make(&self, bytes: usize, epoch: u64, cache: &ColumnCache) -> bool {
        let limit = self.limit();
        let wanted = self.used().saturating_add(bytes);
        if wanted <= limit {
            return true;
        }
        if bytes > limit {
            return false;
        }
        self.evict(wanted - limit, epoch.saturating_sub(1), cache);
        self.used().saturating_add(bytes) <= limit
    }

    /// Takes `bytes` for a column that comes in; false: queries have taken the memory.
    pub(super) fn take(&self, bytes: usize) -> bool {
        if self.reservation.get().is_some_and(|reservation| reservation.try_grow(bytes).is_err()) {
            return false;
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// Gives back the bytes of columns that are gone.
    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(reservation) = self.reservation.get() {
            reservation.shrink(bytes);
        }
        self.candidates().nothing_for = 0;
    }

    /// Throws out columns last used by the query `newest` or an earlier one, until `bytes` are free. Returns how many were freed.
    pub(super) fn evict(&self, bytes: usize, newest: u64, cache: &ColumnCache) -> usize {
        let mut freed = 0;
        let mut looked = false;
        while freed < bytes {
            match self.next_candidate(newest) {
                Some(candidate) => freed += cache.remove(&candidate),
                None if looked || !self.look(newest, cache) => break,
                None => looked = true,
            }
        }
        freed
    }

    fn candidates(&self) -> std::sync::MutexGuard<'_, Candidates> {
        self.candidates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_candidate(&self, newest: u64) -> Option<Candidate> {
        let mut candidates = self.candidates();
        if candidates.queue.front()?.last_use > newest { None } else { candidates.queue.pop_front() }
    }

    /// Lists what may go; false: nothing.
    fn look(&self, newest: u64, cache: &ColumnCache) -> bool {
        if newest < self.candidates().nothing_for {
            return false;
        }
        let mut found = Vec::new();
        cache.for_each(|key, _, identity, column| {
            let last_use = column.last_use.load(Ordering::Relaxed);
            if last_use <= newest {
                let cost = column.cost_ns.saturating_mul(1024) / (column.bytes as u64).max(1);
                found.push(Candidate { key: *key, identity: Arc::clone(identity), last_use, cost });
            }
        });
        found.sort_unstable_by_key(|candidate| (candidate.last_use, candidate.cost));
        let mut candidates = self.candidates();
        if found.is_empty() {
            candidates.nothing_for = newest.saturating_add(1);
        }
        candidates.queue = found.into();
        !candidates.queue.is_empty()
    }
}
