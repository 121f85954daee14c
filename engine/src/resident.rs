//! What the process has in memory, and what of it nobody accounts for.
//!
//! Operators and the column cache take what they hold from the pool ([`crate::memory`]). The rest nobody takes: the program itself, the sessions'
//! segments, batches on their way between operators, copies that an operator makes and forgets to count, what the allocator has not given back. So
//! the process is looked at ([`Resident::look`]) several times a second, and before an operator is refused, and what it has beyond what is taken
//! is a consumer of the pool of its own, which is never refused: operators spill earlier, and the column cache gives way, until the whole process is
//! within `fusion.memory_limit`.
//!
//! What comes between two looks has some room: the pool is smaller than the limit ([`pool_size`]).
//!
//! Invariants
//! - It takes at most [`MOST`] of the pool, and leaves [`MIN_LIMIT`] of it: queries keep that even where the process alone is larger than the limit,
//!   which then cannot be kept.
//! - Where the system does not tell what a process has in memory, nothing is taken.

use crate::cache::ColumnCache;
use crate::log::{self, Level};
use crate::memory::MIN_LIMIT;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use once_cell::sync::OnceCell;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the process is looked at.
pub const INTERVAL: Duration = Duration::from_millis(50);
/// Most that is taken, of the pool: numerator and denominator.
const MOST: (usize, usize) = (3, 4);
/// Room for what comes between two looks: one part of the limit in so many, and the most, bytes.
const HEADROOM: (usize, usize) = (8, 256 << 20);
/// Percent of the limit from which the log is told who has the memory, and how often.
const TOLD: (usize, Duration) = (115, Duration::from_secs(60));
/// Percent of the limit from which the allocator keeps nothing, and how often a thread gives back what it has freed. Below it, what is kept is soon used again.
const NEAR: (usize, Duration) = (60, Duration::from_millis(100));
/// Consumers that it names.
const TOLD_CONSUMERS: usize = 8;

/// The pool in which all memory is counted.
pub type Pool = TrackConsumersPool<FairSpillPool>;

/// Bytes of the pool under a limit of `fusion.memory_limit`.
pub fn pool_size(limit: usize) -> usize {
    (limit - (limit / HEADROOM.0).min(HEADROOM.1)).max(MIN_LIMIT)
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Resident {
    of: OnceCell<Of>,
    told: Mutex<Option<Instant>>,
    /// Whether the process is near its limit.
    is_near: AtomicBool,
    /// None for an engine inside of another program, whose memory is not the engine's to count.
    allocator: Option<Allocator>,
}

/// What the program's allocator does on demand.
#[derive(Clone, Copy, Debug)]
pub struct Allocator {
    /// Has the calling thread give back what it has freed.
    pub give_back: fn(),
    /// Says whether what is freed is kept for a while.
    pub keep: fn(bool),
}

#[derive(Debug)]
struct Of {
    /// As configured.
    limit: usize,
    /// Bytes of the pool, and the most that is taken of it.
    size: usize,
    most: usize,
    pool: Arc<Pool>,
    cache: Arc<ColumnCache>,
    /// Locked by who looks.
    reservation: Mutex<MemoryReservation>,
}

impl Resident {
    /// Of an engine that is a process with this allocator; without, nothing is looked at.
    pub fn new(allocator: Option<Allocator>) -> Self {
        Self { allocator, ..Self::default() }
    }

    /// Takes from `pool`, which is made for `limit`, from now on. Once.
    pub fn connect(&self, limit: usize, pool: &Arc<Pool>, cache: &Arc<ColumnCache>) {
        if self.allocator.is_none() {
            return;
        }
        self.of.get_or_init(|| {
            let reservation = MemoryConsumer::new("process").register(&(Arc::clone(pool) as Arc<dyn MemoryPool>));
            let size = pool_size(limit);
            let most = (size / MOST.1 * MOST.0).min(size.saturating_sub(MIN_LIMIT));
            let (pool, cache) = (Arc::clone(pool), Arc::clone(cache));
            Of { limit, size, most, pool, cache, reservation: Mutex::new(reservation) }
        });
    }

    /// Takes what is not accounted for, or gives back what is no more. Returns whether the pool has more room than before.
    pub fn look(&self) -> bool {
        let (Some(of), Some(resident)) = (self.of.get(), bytes()) else { return false };
        let (more_room, excess) = of.adjust(resident);
        if excess > 0 {
            of.cache.give_way(excess);
        }
        let near = resident > of.limit / 100 * NEAR.0;
        if let (Some(allocator), true) = (self.allocator, self.is_near.swap(near, Ordering::Relaxed) != near) {
            (allocator.keep)(!near);
        }
        if resident > of.limit / 100 * TOLD.0 {
            self.tell(of, resident);
        }
        more_room
    }

    /// Whether the process is near its limit, so that memory that is not in use is better given back.
    pub fn is_near(&self) -> bool {
        self.is_near.load(Ordering::Relaxed)
    }

    /// Has this thread, which is about to idle, give back what it has freed, where the process is near its limit: an allocator keeps for each thread what only
    /// that thread can give back.
    pub fn before_idling(&self) {
        thread_local!(static LAST: Cell<Option<Instant>> = const { Cell::new(None) });
        if let Some(allocator) = self.allocator
            && self.is_near()
            && LAST.get().is_none_or(|last| last.elapsed() >= NEAR.1)
        {
            (allocator.give_back)();
            LAST.set(Some(Instant::now()));
        }
    }

    /// Takes over what a consumer has given back: that the process has it no more is seen by the next [`look`](Self::look). Otherwise the pool would give
    /// the same bytes to two, and the process have both.
    pub fn take_over(&self, bytes: usize) {
        if let Some(of) = self.of.get() {
            let reservation = of.reservation.lock().unwrap_or_else(PoisonError::into_inner);
            reservation.grow(bytes.min(of.most.saturating_sub(reservation.size())));
        }
    }

    /// Bytes that it has taken.
    pub fn taken(&self) -> usize {
        self.of.get().map_or(0, |of| of.reservation.lock().unwrap_or_else(PoisonError::into_inner).size())
    }

    fn tell(&self, of: &Of, resident: usize) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TOLD.1) {
            *told = Some(Instant::now());
            log::line(
                Level::Warning,
                &format!(
                    "{} MB in memory, fusion.memory_limit is {} MB; the largest consumers: {}",
                    resident >> 20,
                    of.limit >> 20,
                    of.pool.report_top(TOLD_CONSUMERS)
                ),
            );
        }
    }
}

impl Of {
    /// For a process of `resident` bytes. Returns whether there is more room, and by how many bytes all of it is beyond the pool.
    fn adjust(&self, resident: usize) -> (bool, usize) {
        let reservation = self.reservation.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = reservation.size();
        let accounted = self.pool.reserved().saturating_sub(taken);
        let beyond = resident.saturating_sub(accounted).min(self.most);
        if beyond > taken {
            reservation.grow(beyond - taken);
        } else {
            reservation.shrink(taken - beyond);
        }
        (beyond < taken, (accounted + beyond).saturating_sub(self.size))
    }
}

/// Bytes that the process has in memory; None where the system does not tell.
fn bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn what_nobody_takes_is_taken() {
        const LIMIT: usize = 200 << 20;
        let size = pool_size(LIMIT);
        assert_eq!(size, 175 << 20);
        let pool = Arc::new(Pool::new(FairSpillPool::new(size), NonZeroUsize::MIN));
        let resident = Resident::new(Some(Allocator { give_back: || (), keep: |_| () }));
        resident.connect(LIMIT, &pool, &Arc::new(ColumnCache::new(0)));
        let of = resident.of.get().unwrap();
        let query = MemoryConsumer::new("sort").register(&(Arc::clone(&pool) as Arc<dyn MemoryPool>));
        query.try_grow(30 << 20).unwrap();
        assert_eq!(of.adjust(50 << 20), (false, 0));
        assert_eq!(pool.reserved(), 50 << 20);
        // The operator takes more, and the process has no more than that: there is room again.
        query.try_grow(15 << 20).unwrap();
        assert_eq!(of.adjust(50 << 20), (true, 0));
        assert_eq!(pool.reserved(), 50 << 20);
        assert!(query.try_grow(126 << 20).is_err());
        // Never more than its share, and what is beyond the pool is said.
        let most = size / 4 * 3;
        assert_eq!(of.adjust(500 << 20), (false, (45 << 20) + most - size));
        assert_eq!(of.adjust(0), (true, 0));
        assert_eq!(pool.reserved(), 45 << 20);
    }

    #[test]
    fn small_limits_are_left_to_queries() {
        assert_eq!((pool_size(1 << 20), pool_size(16 << 20), pool_size(64 << 20)), (16 << 20, 16 << 20, 56 << 20));
        assert_eq!(pool_size(64 << 30), (64 << 30) - (256 << 20));
        let pool = Arc::new(Pool::new(FairSpillPool::new(16 << 20), NonZeroUsize::MIN));
        let resident = Resident::new(Some(Allocator { give_back: || (), keep: |_| () }));
        resident.connect(16 << 20, &pool, &Arc::new(ColumnCache::new(0)));
        assert_eq!(resident.of.get().unwrap().adjust(500 << 20), (false, 0));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn this_process_is_in_memory() {
        if std::path::Path::new("/proc/self/status").exists() {
            assert!(bytes().unwrap() > 1 << 20);
        }
    }
}
