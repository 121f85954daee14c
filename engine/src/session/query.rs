//! What a running query and its session have to do with each other: pages, result frames, cancellation.
//!
//! Invariants: a frame that a query holds goes back to the book when its guard is dropped, however the query ends; the
//! first failure that the session reports to a query ends it.

use super::Session;
use crate::error::{Error, Result};
use crate::metrics::QueryCounters;
use crate::optimizer::cancel::CancelFlag;
use crate::scan::{PageBytes, PageSource, RangeEvent, RangeRequest};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use fusion_common::{QueryId, ScanId};
use fusion_proto::segment::Frame;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};

/// What the session tells a query.
#[derive(Debug)]
pub struct Inbox {
    failure: Mutex<Option<Error>>,
    failed: Notify,
    canceled: CancelFlag,
    waits_for_frame: AtomicBool,
    frame: Notify,
    memory: MemoryReservation,
}

impl Inbox {
    /// Of a new query; wide tuples are taken from `pool`.
    pub fn new(pool: &Arc<dyn MemoryPool>) -> Self {
        Self {
            failure: Mutex::new(None),
            failed: Notify::new(),
            canceled: CancelFlag::default(),
            waits_for_frame: AtomicBool::new(false),
            frame: Notify::new(),
            memory: MemoryConsumer::new("wide tuples").register(pool),
        }
    }

    /// Takes memory for a wide tuple.
    pub fn account(&self, bytes: usize) -> Result<MemoryReservation> {
        let reservation = self.memory.new_empty();
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }

    /// Ends the query with this error, unless it has one already.
    pub fn fail(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        self.canceled.set();
        self.failed.notify_one();
    }

    /// Set when the session ends the query: for those who do not wait.
    pub fn cancel_flag(&self) -> &CancelFlag {
        &self.canceled
    }

    /// Waits until the session ends the query.
    pub async fn failed(&self) -> Error {
        self.failed.notified().await;
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.unwrap_or(Error::Canceled)
    }

    /// Whether the query waits for a frame to fill.
    pub fn waits_for_frame(&self) -> bool {
        self.waits_for_frame.load(Ordering::Acquire)
    }

    /// A frame may be free.
    pub fn wake(&self) {
        self.frame.notify_one();
    }
}

/// A running query's way to its session.
#[derive(Clone, Debug)]
pub struct QueryHandle {
    session: Arc<Session>,
    query: QueryId,
    inbox: Arc<Inbox>,
    counters: Arc<QueryCounters>,
}

impl QueryHandle {
    /// Of an open query.
    pub fn new(session: Arc<Session>, query: QueryId, inbox: Arc<Inbox>) -> Self {
        Self { session, query, inbox, counters: Arc::default() }
    }

    /// Its session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Its id.
    pub fn id(&self) -> QueryId {
        self.query
    }

    /// What it has read and returned.
    pub fn counters(&self) -> &Arc<QueryCounters> {
        &self.counters
    }

    /// What the session tells it.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Waits for a frame to fill with result rows.
    pub async fn tuple_frame(&self) -> TupleFrameGuard {
        loop {
            // Flag first: a frame that comes back after the attempt wakes us.
            self.inbox.waits_for_frame.store(true, Ordering::Release);
            if let Some(frame) = self.session.take_tuple_frame(self.query) {
                self.inbox.waits_for_frame.store(false, Ordering::Release);
                return TupleFrameGuard { handle: self.clone(), frame: Some(frame) };
            }
            self.inbox.frame.notified().await;
        }
    }

    /// Sends a row that is too wide for a frame, when fewer than the limit wait for the socket.
    pub async fn send_wide_row(&self, tuple: Vec<u8>) -> Result<()> {
        let permit = Arc::clone(&self.session.wide_rows).acquire_owned().await.map_err(|_| Error::Canceled)?;
        self.session.send_wide_row(self.query, tuple, permit);
        Ok(())
    }
}

impl PageSource for QueryHandle {
    fn read_ranges(
        &self,
        scan: ScanId,
        ranges: Vec<RangeRequest>,
        events: &mpsc::UnboundedSender<RangeEvent>,
    ) -> Result<Vec<u32>> {
        self.session.read_ranges(self.query, scan, ranges, events)
    }

    fn check_canceled(&self) -> Result<()> {
        self.inbox.canceled.check()
    }
}

/// A frame of pages that the engine owns.
#[derive(Debug)]
pub struct PageFrameGuard {
    session: Arc<Session>,
    /// None only in drop.
    frame: Option<Frame>,
}

impl PageFrameGuard {
    pub(super) fn new(session: Arc<Session>, frame: Frame) -> Self {
        Self { session, frame: Some(frame) }
    }
}

impl PageBytes for PageFrameGuard {
    fn bytes(&self) -> &[u8] {
        self.frame.as_ref().map_or(&[], Frame::bytes)
    }
}

impl Drop for PageFrameGuard {
    fn drop(&mut self) {
        if let Some(frame) = self.frame.take() {
            self.session.release(frame);
        }
    }
}

/// Pages that left their frame, because too many frames of the query wait to be decoded. Counted in the memory pool.
#[derive(Debug)]
pub struct CopiedPages {
    bytes: Box<[u8]>,
    _memory: MemoryReservation,
}

impl CopiedPages {
    pub(super) fn new(frame: &[u8], inbox: &Inbox) -> Result<Self> {
        let memory = inbox.account(frame.len())?;
        Ok(Self { bytes: frame.into(), _memory: memory })
    }
}

impl PageBytes for CopiedPages {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A frame to fill with result rows.
#[derive(Debug)]
pub struct TupleFrameGuard {
    handle: QueryHandle,
    /// None once sent.
    frame: Option<Frame>,
}

impl TupleFrameGuard {
    /// The frame's bytes; empty never, since sending consumes the guard.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.frame {
            Some(frame) => frame.bytes_mut(),
            None => &mut [],
        }
    }

    /// Sends it to the backend.
    pub fn send(mut self) {
        if let Some(frame) = self.frame.take() {
            self.handle.session.send_tuples(self.handle.query, frame);
        }
    }
}

impl Drop for TupleFrameGuard {
    fn drop(&mut self) {
        if let Some(frame) = self.frame.take() {
            self.handle.session.release(frame);
        }
    }
}
