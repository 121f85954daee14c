//! Telling the sessions of a run that it is over, and pausing until it is.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How soon a pause notices that the run is over.
const TICK: Duration = Duration::from_millis(5);

/// Waits until `end`, or until `is_over`.
pub fn wait_until(end: Instant, is_over: impl Fn() -> bool) {
    while Instant::now() < end && !is_over() {
        thread::sleep(TICK.min(end.saturating_duration_since(Instant::now())));
    }
}

/// Told once, heard by all.
#[derive(Default)]
pub struct Stop(AtomicBool);

/// Tells all to stop when it goes.
pub struct StopOnDrop<'a>(&'a Stop);

impl Stop {
    pub fn on_drop(&self) -> StopOnDrop<'_> {
        StopOnDrop(self)
    }

    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until `end`, or until told to stop.
    pub fn wait_until(&self, end: Instant) {
        wait_until(end, || self.is_told());
    }
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
