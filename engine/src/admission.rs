//! Which queries run now: at most so many at a time, the others wait in the order in which they came.
//!
//! Invariants
//! - Nothing that holds a slot waits for one: a session with an open query is let in at once (a cursor, a query inside a function that another
//!   query calls), since its older query goes on only when the newer one has ended.
//! - A query waits no longer than it was told to: by then PostgreSQL's own plan would have been done.

use crate::error::{Error, Result};
use crate::metrics::Gauge;
use fusion_common::{SqlError, SqlState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of an engine.
#[derive(Debug)]
pub struct Admission {
    /// First come, first served.
    slots: Arc<Semaphore>,
    most: usize,
    /// Queries that wait.
    pub waiting: Gauge,
}

/// Held by a query while it runs.
#[derive(Debug)]
pub struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// For at most `most` queries, at least one.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { slots: Arc::new(Semaphore::new(most)), most, waiting: Gauge::default() }
    }

    /// Lets a query in whose session has another one open.
    pub fn enter_nested(&self) -> Slot {
        Slot { _permit: None }
    }

    /// Lets a query if there is a slot and nobody waits for it.
    pub fn try_enter(&self) -> Option<Slot> {
        Arc::clone(&self.slots).try_acquire_owned().ok().map(|permit| Slot { _permit: Some(permit) })
    }

    /// Waits for a slot, at most for `patience`.
    ///
    /// # Errors
    /// 53000 when that was too short.
    pub async fn enter(&self, patience: Option<Duration>) -> Result<Slot> {
        if let Some(slot) = self.try_enter() {
            return Ok(slot);
        }
        let _waiting = self.waiting.hold();
        let slot = Arc::clone(&self.slots).acquire_owned();
        let slot = match patience {
            Some(patience) => tokio::time::timeout(patience, slot).await.map_err(|_| self.too_many())?,
            None => slot.await,
        };
        slot.map(|permit| Slot { _permit: Some(permit) }).map_err(|_| Error::Canceled)
    }

    fn too_many(&self) -> Error {
        let message = format!("too many queries run in the engine (limit {})", self.most);
        SqlError::new(SqlState::INSUFFICIENT_RESOURCES, message).with_hint("Increase fusion.max_queries.").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn queries_wait_in_the_order_in_which_they_came() {
        let admission = Arc::new(Admission::new(1));
        let running = admission.enter(None).await.unwrap();
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        for number in 0..3 {
            let (queue, told) = (Arc::clone(&admission), told.clone());
            tasks.push(tokio::spawn(async move {
                let _slot = queue.enter(None).await.unwrap();
                told.send(number).unwrap();
            }));
            while admission.waiting.get() <= number {
                tokio::task::yield_now().await;
            }
        }
        drop(running);
        for number in 0..3 {
            assert_eq!(heard.recv().await, Some(number));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(admission.waiting.get(), 0);
    }

    #[tokio::test]
    async fn patience_ends() {
        let admission = Admission::new(1);
        let _running = admission.enter(None).await.unwrap();
        let refused = admission.enter(Some(Duration::from_millis(10))).await.unwrap_err();
        assert_eq!(SqlError::from(refused).sqlstate, SqlState::INSUFFICIENT_RESOURCES);
        assert_eq!(admission.waiting.get(), 0);
        drop(admission.enter_nested());
    }
}
