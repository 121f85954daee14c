//! Waiting in a backend or in the supervisor: the process latch and a socket together, and PostgreSQL's interrupts.
//!
//! Invariants: a wait ends within [`LONGEST_WAIT`] and then handles interrupts, so cancel, timeouts and shutdown raise PostgreSQL's
//! ERROR (a Rust panic until the border) from here; nothing of ours is borrowed or half done while a function of this file runs;
//! the death of the postmaster ends the process, unless the caller asked to be told.

use pgrx::pg_sys;
use std::os::fd::RawFd;
use std::time::Duration;

/// Longest single sleep: what bounds the reaction to an interrupt whose latch wake-up was lost.
pub const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// The socket can be read (or is at its end).
    pub readable: bool,
    /// The socket takes bytes.
    pub writable: bool,
    /// The postmaster is gone; only told by [`supervisor`].
    pub postmaster_died: bool,
}

/// Handles pending interrupts (`CHECK_FOR_INTERRUPTS`).
pub fn check_for_interrupts() {
    pg_sys::check_for_interrupts!();
}

/// Waits, at most [`LONGEST_WAIT`] or the shorter `timeout`, until `socket` can be read, or also written with `write`, or the latch is set.
/// Handles interrupts before it returns.
pub fn socket(socket: RawFd, write: bool, timeout: Duration) -> Wakeup {
    let writable = if write { pg_sys::WL_SOCKET_WRITEABLE } else { 0 };
    let wakeup =
        wait(pg_sys::WL_SOCKET_READABLE | writable | pg_sys::WL_EXIT_ON_PM_DEATH, socket, timeout.min(LONGEST_WAIT));
    check_for_interrupts();
    wakeup
}

/// Sleeps, at most [`LONGEST_WAIT`] or the shorter `timeout`, or until the latch is set. Handles interrupts before it returns.
pub fn pause(timeout: Duration) {
    wait(pg_sys::WL_EXIT_ON_PM_DEATH, pg_sys::PGINVALID_SOCKET, timeout.min(LONGEST_WAIT));
    check_for_interrupts();
}

/// The supervisor's wait: latch, postmaster's death and, if there is one, a pipe to read; no interrupts are handled.
pub fn supervisor(pipe: Option<RawFd>, timeout: Duration) -> Wakeup {
    let readable = if pipe.is_some() { pg_sys::WL_SOCKET_READABLE } else { 0 };
    wait(readable | pg_sys::WL_POSTMASTER_DEATH, pipe.unwrap_or(pg_sys::PGINVALID_SOCKET), timeout)
}

fn wait(events: u32, socket: RawFd, timeout: Duration) -> Wakeup {
    let events = events | pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT;
    let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    // SAFETY: on the main thread of a process with a latch; MyLatch is valid after process start.
    let happened = unsafe {
        let happened = pg_sys::WaitLatchOrSocket(pg_sys::MyLatch, events as i32, socket, timeout_ms, wait_event());
        if happened as u32 & pg_sys::WL_LATCH_SET != 0 {
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        happened as u32
    };
    Wakeup {
        readable: happened & pg_sys::WL_SOCKET_READABLE != 0,
        writable: happened & pg_sys::WL_SOCKET_WRITEABLE != 0,
        postmaster_died: happened & pg_sys::WL_POSTMASTER_DEATH != 0,
    }
}

/// What `pg_stat_activity.wait_event` shows: `FusionEngine` where extensions can name theirs, else `Extension`.
#[cfg(any(feature = "pg17", feature = "pg18"))]
fn wait_event() -> u32 {
    use std::cell::Cell;
    thread_local!(static EVENT: Cell<u32> = const { Cell::new(0) });
    if EVENT.get() == 0 {
        // SAFETY: on the main thread of a process attached to shared memory; the name is a constant.
        EVENT.set(unsafe { pg_sys::WaitEventExtensionNew(c"FusionEngine".as_ptr()) });
    }
    EVENT.get()
}

#[cfg(any(feature = "pg15", feature = "pg16"))]
fn wait_event() -> u32 {
    pg_sys::PG_WAIT_EXTENSION
}
