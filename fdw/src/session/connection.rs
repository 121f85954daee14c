//! One connection to the engine as a state machine: bytes in, deliveries per query out; messages in, bytes out.
//!
//! It stands between the socket and [`super`], which adds PostgreSQL's waits. Nothing here blocks, waits or calls PostgreSQL, so a
//! connection is never left half done: an interrupt strikes between two calls.
//!
//! Invariants
//! - `held[n]` names a query exactly while frame n is ours by the messages so far: from `Grant`/`Tuples` until `Pages`/`Return` is queued.
//! - A query is *open* from its first message until its end (`Done`, `Failed`, `Explained`) has been taken, and *closing* from
//!   `Cancel` until the engine has answered; what arrives for a closing query is dropped. Its frames go straight back if some of it were ours
//!   when it was cancelled; otherwise the engine has taken back those that were on their way, and they are not ours when they come.
//! - After `lost` is set nothing is read or sent; what had been delivered before can still be taken.
//! - Bounded: open and closing queries by [`MAX_SESSION_QUERIES`], frames by the segment, other deliveries by
//!   [`MAX_DELIVERIES`] and [`MAX_WIDE_BYTES`]; `out` by the frames, the queries and what the callers wait for
//!   ([`Connection::backlog`]).

use fusion_common::limits::MAX_SESSION_QUERIES;
use fusion_common::{BlockNumber, FrameNumber, QueryId, Result, ScanId, SqlError, SqlState};
use fusion_proto::Error;
use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{CacheEntry, EngineStatus, FromBackend, FromEngine, QueryActivity, QueryMetrics, Wanted};
use fusion_proto::segment::{self, Segment};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Deliveries of one query that nobody has taken yet; more are a broken engine.
const MAX_DELIVERIES: usize = 1 << 16;

/// Bytes of wide rows that wait in one connection; with more, the query that they are for ends with an error.
const MAX_WIDE_BYTES: usize = 256 << 20;

/// Bytes of one read from the socket, and reads of one [`Connection::pump`].
const READ_SIZE: usize = 64 << 10;
const READS_PER_PUMP: usize = 64;

/// What the engine sent to one query.
#[derive(Debug)]
pub enum Delivery {
    /// Blocks are wanted.
    ReadRange {
        /// The engine's number of the range.
        range: u32,
        /// The scan.
        scan: ScanId,
        /// First block.
        first_block: BlockNumber,
        /// How many.
        count: u32,
        /// What of each; empty: images.
        wanted: Vec<Wanted>,
    },
    /// A frame to be filled with pages.
    Grant(segment::Frame),
    /// A frame of rows.
    Tuples(segment::Frame),
    /// A row too wide for a frame.
    WideRow(Vec<u8>),
    /// The end: all rows were sent.
    Done(Box<QueryMetrics>),
    /// The end: an error.
    Failed(SqlError),
    /// The end of an `Explain`.
    Explained(String),
    /// The end of an `Evict` or a `CacheStatistics`: what the cache holds, and bytes thrown out.
    CacheReport(Vec<CacheEntry>, u64),
    /// The end of an `AskCacheShare`.
    CacheShare(Vec<f32>),
    /// The end of an `AskActivity`.
    Activity(Vec<QueryActivity>),
}

impl Delivery {
    fn is_end(&self) -> bool {
        matches!(
            self,
            Self::Done(_)
                | Self::Failed(_)
                | Self::Explained(_)
                | Self::CacheReport(..)
                | Self::CacheShare(_)
                | Self::Activity(_)
        )
    }

    fn wide_bytes(&self) -> usize {
        if let Self::WideRow(tuple) = self { tuple.len() } else { 0 }
    }
}

/// Deliveries of an open query, oldest first.
#[derive(Debug, Default)]
struct Inbox {
    deliveries: VecDeque<Delivery>,
    /// The last delivery is the end of the query.
    ended: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    segment: Arc<Segment>,
    decoder: Decoder,
    /// Encoded messages; the first `sent` bytes are with the kernel already.
    out: Vec<u8>,
    sent: usize,
    held: Vec<Option<QueryId>>,
    open: BTreeMap<QueryId, Inbox>,
    /// Whether we return its frames.
    closing: BTreeMap<QueryId, bool>,
    next_query: u32,
    /// Status questions asked and answered so far; answers come in order.
    status_asked: u64,
    status_answered: u64,
    status: Option<EngineStatus>,
    wide_bytes: usize,
    buffer: Box<[u8]>,
    /// The peer takes no more; what it had sent can still be read.
    deaf: bool,
    lost: Option<SqlError>,
}

impl Connection {
    /// A connection after its handshake: a non-blocking socket, and a decoder that may hold bytes that came behind the `Welcome`.
    pub fn new(socket: OwnedFd, segment: Arc<Segment>, decoder: Decoder) -> Self {
        let frames = usize::from(segment.frames());
        Self {
            socket,
            segment,
            decoder,
            out: Vec::new(),
            sent: 0,
            held: vec![None; frames],
            open: BTreeMap::new(),
            closing: BTreeMap::new(),
            next_query: 1,
            status_asked: 0,
            status_answered: 0,
            status: None,
            wide_bytes: 0,
            buffer: vec![0; READ_SIZE].into(),
            deaf: false,
            lost: None,
        }
    }

    /// The socket, for waits only.
    pub fn socket(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Bytes that the kernel has not taken yet.
    pub fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Why the connection is of no more use, if it is.
    pub fn lost(&self) -> Option<&SqlError> {
        self.lost.as_ref()
    }

    /// Whether no further query can be opened before one has ended.
    pub fn is_full(&self) -> bool {
        self.open.len() + self.closing.len() >= MAX_SESSION_QUERIES
    }

    /// Whether the engine still owes the end of a cancelled query.
    pub fn is_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Opens a query with the message that `make` builds for its id.
    pub fn open(&mut self, make: impl FnOnce(QueryId) -> FromBackend) -> Result<QueryId> {
        if self.is_full() {
            return Err(SqlError::new(
                SqlState::INSUFFICIENT_RESOURCES,
                "too many open fusion queries in this session",
            )
            .with_detail(format!("At most {MAX_SESSION_QUERIES} can be open at a time."))
            .with_hint("Close cursors that are no longer needed."));
        }
        let query = QueryId(self.next_query);
        self.send(&make(query))?;
        self.next_query = self.next_query.wrapping_add(1);
        self.open.insert(query, Inbox::default());
        Ok(query)
    }

    /// Queues a message and sends what the kernel takes. An error means that the message was not queued.
    pub fn send(&mut self, message: &FromBackend) -> Result<()> {
        self.queue(message)?;
        self.flush();
        Ok(())
    }

    /// Queues a message, to be sent with the next one that is, or by [`Self::pump`]: the engine wakes up once for all of them.
    fn queue(&mut self, message: &FromBackend) -> Result<()> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        if self.backlog() == 0 {
            self.out.clear();
            self.sent = 0;
        }
        let before = self.out.len();
        codec::encode(message, &mut self.out).inspect_err(|_| self.out.truncate(before))?;
        Ok(())
    }

    /// Gives a filled frame to the engine, the `last` of its range or not. It is on its way after [`Self::pump`].
    pub fn queue_pages(&mut self, query: QueryId, range: u32, frame: segment::Frame, last: bool) -> Result<()> {
        let frame = self.forget(frame);
        self.queue(&FromBackend::Pages { query, range, frame })?;
        if last {
            self.queue(&FromBackend::RangeDone { query, range })?;
        }
        Ok(())
    }

    /// Gives a frame back. On a lost connection there is nobody to give it to, and that is no error.
    pub fn release(&mut self, frame: segment::Frame) {
        let frame = self.forget(frame);
        let _ = self.send(&FromBackend::Return { frame });
    }

    /// Asks for the engine's status; the ticket is for [`Connection::status`].
    pub fn ask_status(&mut self) -> Result<u64> {
        self.send(&FromBackend::Status)?;
        self.status_asked += 1;
        Ok(self.status_asked)
    }

    /// The answer to the question with this ticket, or to a later one.
    pub fn status(&mut self, ticket: u64) -> Option<EngineStatus> {
        if self.status_answered >= ticket { self.status.clone() } else { None }
    }

    /// The oldest delivery of `query`.
    pub fn take(&mut self, query: QueryId) -> Option<Delivery> {
        let delivery = self.open.get_mut(&query)?.deliveries.pop_front()?;
        self.wide_bytes -= delivery.wide_bytes();
        if delivery.is_end() {
            self.open.remove(&query);
        }
        Some(delivery)
    }

    /// Ends a query from our side: its frames go back and, if the engine has not ended it, it is cancelled. Cannot fail.
    pub fn close(&mut self, query: QueryId) {
        let Some(inbox) = self.open.remove(&query) else { return };
        for delivery in inbox.deliveries {
            self.discard(delivery);
        }
        if !inbox.ended {
            self.cancel(query);
        }
    }

    /// Sends and receives what is possible without waiting.
    pub fn pump(&mut self) {
        if self.lost.is_some() {
            return;
        }
        self.flush();
        for _ in 0..READS_PER_PUMP {
            match rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => return self.lose("The engine closed the connection."),
                Ok((count, _)) => {
                    self.decoder.push(&self.buffer[..count]);
                    if let Err(error) = self.dispatch_all() {
                        return self.lose(format!("The engine broke the protocol: {error}."));
                    }
                    if count < READ_SIZE {
                        return;
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(errno) => return self.lose(format!("Reading from the engine failed: {errno}.")),
            }
        }
    }

    /// Sends what the kernel takes of what is queued.
    pub fn flush(&mut self) {
        while self.sent < self.out.len() && !self.deaf {
            match rustix::net::send(&self.socket, &self.out[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                // What the engine sent before it went is still to be read; the end of that ends the connection.
                Err(_) => self.deaf = true,
            }
        }
        self.out.clear();
        self.sent = 0;
    }

    fn dispatch_all(&mut self) -> fusion_proto::Result<()> {
        while let Some(message) = self.decoder.take()? {
            self.dispatch(message)?;
        }
        Ok(())
    }

    fn dispatch(&mut self, message: FromEngine) -> fusion_proto::Result<()> {
        let (query, delivery) = match message {
            FromEngine::ReadRange { query, range, scan, first_block, count, wanted } => {
                (query, Delivery::ReadRange { range, scan, first_block, count, wanted })
            }
            FromEngine::Grant { query, .. } | FromEngine::Tuples { query, .. }
                if self.closing.get(&query) == Some(&false) =>
            {
                return Ok(());
            }
            FromEngine::Grant { query, frame } => (query, Delivery::Grant(self.hold(frame, query)?)),
            FromEngine::Tuples { query, frame } => (query, Delivery::Tuples(self.hold(frame, query)?)),
            FromEngine::WideRow { query, tuple } => (query, Delivery::WideRow(tuple)),
            FromEngine::Done { query, metrics } => (query, Delivery::Done(metrics)),
            FromEngine::Failed { query, error } => (query, Delivery::Failed(error)),
            FromEngine::Explained { query, plan } => (query, Delivery::Explained(plan)),
            FromEngine::CacheReport { query, entries, evicted } => (query, Delivery::CacheReport(entries, evicted)),
            FromEngine::CacheShare { query, shares } => (query, Delivery::CacheShare(shares)),
            FromEngine::Activity { query, running } => (query, Delivery::Activity(running)),
            FromEngine::Status(status) => return self.answer(status),
            FromEngine::Welcome { .. } | FromEngine::Refused(_) => {
                return Err(Error::Unexpected("handshake in an open session"));
            }
        };
        self.deliver(query, delivery)
    }

    fn answer(&mut self, status: EngineStatus) -> fusion_proto::Result<()> {
        if self.status_answered == self.status_asked {
            return Err(Error::Unexpected("status that was not asked for"));
        }
        self.status_answered += 1;
        self.status = Some(status);
        Ok(())
    }

    fn deliver(&mut self, query: QueryId, delivery: Delivery) -> fusion_proto::Result<()> {
        if self.closing.contains_key(&query) {
            if delivery.is_end() {
                self.closing.remove(&query);
            }
            self.discard_new(delivery);
            return Ok(());
        }
        let inbox = match self.open.get_mut(&query) {
            Some(inbox) if !inbox.ended => inbox,
            _ => return Err(Error::Unexpected("message for a query that is not open")),
        };
        if inbox.deliveries.len() >= MAX_DELIVERIES {
            return Err(Error::Unexpected("more messages for a query than the limit"));
        }
        let wide_bytes = self.wide_bytes + delivery.wide_bytes();
        if wide_bytes > MAX_WIDE_BYTES {
            let error = SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "too many wide rows wait to be read");
            inbox.deliveries.push_back(Delivery::Failed(error));
            inbox.ended = true;
            self.cancel(query);
            return Ok(());
        }
        self.wide_bytes = wide_bytes;
        inbox.ended = delivery.is_end();
        inbox.deliveries.push_back(delivery);
        Ok(())
    }

    /// Drops a delivery that had been counted.
    fn discard(&mut self, delivery: Delivery) {
        self.wide_bytes -= delivery.wide_bytes();
        self.discard_new(delivery);
    }

    fn discard_new(&mut self, delivery: Delivery) {
        if let Delivery::Grant(frame) | Delivery::Tuples(frame) = delivery {
            self.release(frame);
        }
    }

    fn cancel(&mut self, query: QueryId) {
        let returns_frames = self.held.contains(&Some(query));
        if self.send(&FromBackend::Cancel { query, returns_frames }).is_ok() {
            self.closing.insert(query, returns_frames);
        }
    }

    fn hold(&mut self, number: FrameNumber, query: QueryId) -> fusion_proto::Result<segment::Frame> {
        match self.held.get_mut(usize::from(number.0)) {
            Some(held) if held.is_none() => *held = Some(query),
            Some(_) => return Err(Error::Unexpected("frame that this backend has already")),
            None => return Err(Error::Unexpected("frame number out of range")),
        }
        // SAFETY: a message made the frame ours just now, and `held` was empty: no other `Frame` of this number exists here, since
        // `forget` is the only place that clears it and takes the `Frame` to do so.
        unsafe { self.segment.frame(number) }
    }

    fn forget(&mut self, frame: segment::Frame) -> FrameNumber {
        let number = frame.number();
        drop(frame);
        if let Some(held) = self.held.get_mut(usize::from(number.0)) {
            *held = None;
        }
        number
    }

    fn lose(&mut self, detail: impl Into<String>) {
        // The engine shall learn of it now, not when the last query of this connection is dropped.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
        self.out.clear();
        self.sent = 0;
        self.lost = Some(
            SqlError::new(SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION, "connection to the fusion engine was lost")
                .with_detail(detail)
                .with_hint("The engine is restarted by itself; the next query connects to it again."),
        );
    }
}
