//! A session: one connection of one backend, its segment, its frames, its open queries.
//!
//! ```text
//!   socket ──► reader ──► Session ──► ranges of the scans, frames, cancellation      (socket threads)
//!   socket ◄── outbox ◄── grants, ReadRange, Tuples, Done …                          (whoever says it)
//! ```
//! [`connection`] is the socket's task, [`outbox`] what goes out, [`book`] who owns which frame, [`query`] what a running query asks of its session,
//! [`run`] the stages of a query.
//!
//! Invariants
//! - Messages that give a frame away are pushed under the lock under which the book changed hands.
//! - Every query that was accepted is answered with exactly one `Done`, `Failed` or `Explained`, as its last message.
//! - What the backend holds or owes is the session's alone: the end of the connection frees all of it and cancels every query.

pub mod book;
pub mod connection;
pub mod outbox;
pub mod query;
pub mod run;

use crate::activity::Peer;
use crate::error::{Error, Result};
use crate::log::{self, Level};
use crate::metrics::Held;
use crate::scan::{PageBytes, RangeEvent, RangeRequest, WideTuple};
use crate::server::Engine;
use book::{Book, Purpose};
use fusion_common::limits::CHUNK_BLOCKS;
use fusion_common::{FrameNumber, Oid, QueryId, ScanId};
use fusion_proto::message::{FromEngine, Wanted};
use fusion_proto::segment::{Frame, Segment};
use outbox::Outbox;
use query::{CopiedPages, Inbox, PageFrameGuard};
use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

/// Rows too wide for a frame that wait for the socket, per session.
pub const MAX_QUEUED_WIDE_ROWS: usize = 2;

/// How long a session idles before its segment's memory goes back to the system.
const REST: Duration = Duration::from_millis(500);
/// The same where the process is near its limit.
const REST_NEAR_LIMIT: Duration = Duration::from_millis(50);

/// Page images that fit in a frame: how many frames a range needs at least.
const IMAGES_PER_FRAME: u32 = 32;

/// Frames with the images of a whole chunk.
const FRAMES_OF_CHUNK: usize = CHUNK_BLOCKS.div_ceil(IMAGES_PER_FRAME) as usize;

/// When free frames are granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// As far as they are wanted.
    Now,
    /// Only to a query whose backend has none left while little waits to be decoded: the others get them with the next range that is asked
    /// for, or when a chunk's are free. One by one they would wake the backend up as often, and it would fill and send them one by one.
    WhenNeeded,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    engine: Arc<Engine>,
    peer: Peer,
    _segment: Held,
    outbox: Outbox,
    /// Signalled when the session must end: a backend that does not read.
    ended: Notify,
    wide_rows: Arc<Semaphore>,
    state: Mutex<State>,
    /// Signalled when a query has ended.
    rests: Notify,
}

#[derive(Debug)]
struct State {
    book: Book,
    queries: BTreeMap<QueryId, Open>,
    /// Queries that have ended.
    ended: u64,
    closed: bool,
}

/// The state, locked. Messages go out after the lock is released: sending wakes the backend up, which takes longer than all that is done
/// under the lock.
struct Locked<'a> {
    /// None only in drop.
    state: Option<MutexGuard<'a, State>>,
    outbox: &'a Outbox,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state.as_ref().expect("the state is locked until the guard is dropped")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("the state is locked until the guard is dropped")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.state = None;
        self.outbox.flush();
    }
}

/// A query that has been accepted and not answered.
#[derive(Debug)]
struct Open {
    inbox: Arc<Inbox>,
    ranges: HashMap<u32, Route>,
    next_range: u32,
    /// Frames that the backend holds to fill them.
    granted: usize,
    /// Blocks of each scan that nobody has asked for yet.
    unread: Vec<u32>,
}

/// Where the pages of a range go.
#[derive(Debug)]
struct Route {
    scan: ScanId,
    events: mpsc::UnboundedSender<RangeEvent>,
    /// Frames that are expected, at least one until the range is done.
    expected_frames: u32,
}

impl Open {
    fn new(inbox: Arc<Inbox>, unread: Vec<u32>) -> Self {
        Self { inbox, ranges: HashMap::new(), next_range: 0, granted: 0, unread }
    }

    /// Whether no other scan needs frames, now or later.
    fn is_last_scan(&self, scan: ScanId) -> bool {
        self.unread.iter().enumerate().all(|(other, &blocks)| blocks == 0 || other == usize::from(scan.0))
            && self.ranges.values().all(|route| route.scan == scan)
    }

    /// Whether a chunk of pages waits to be decoded, and there are no frames for another one yet. Not where several scans share the frames: what
    /// waits may then wait for the scan that lacks them.
    fn is_busy(&self, book: &Book, query: QueryId) -> bool {
        let first = self.ranges.values().next().map(|route| route.scan);
        first.is_some_and(|scan| self.is_last_scan(scan))
            && book.available(query, Purpose::Pages) < FRAMES_OF_CHUNK
            && book.waiting_pages(query) >= FRAMES_OF_CHUNK
    }

    /// How many frames the backend can fill with what has been asked for.
    fn wanted(&self) -> usize {
        self.ranges.values().map(|route| route.expected_frames as usize).sum()
    }
}

impl Session {
    /// A new session on a new segment.
    fn new(engine: Arc<Engine>, peer: Peer, segment: Arc<Segment>, outbox: Outbox) -> Result<Arc<Self>> {
        let state = State { book: Book::new(segment)?, queries: BTreeMap::new(), ended: 0, closed: false };
        Ok(Arc::new(Self {
            _segment: engine.counters.segments.hold(),
            engine,
            peer,
            outbox,
            ended: Notify::new(),
            wide_rows: Arc::new(Semaphore::new(MAX_QUEUED_WIDE_ROWS)),
            state: Mutex::new(state),
            rests: Notify::new(),
        }))
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The state; a panic elsewhere cannot leave it half changed, since nothing in here calls out. What is said meanwhile goes out when the
    /// lock is released.
    fn state(&self) -> Locked<'_> {
        Locked { state: Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)), outbox: &self.outbox }
    }

    /// Sends a message.
    fn send(&self, message: FromEngine) {
        self.say(&[message], None);
        self.outbox.flush();
    }

    /// Adds messages to those that go out when the state is unlocked.
    fn say(&self, messages: &[FromEngine], permit: Option<OwnedSemaphorePermit>) {
        if !messages.is_empty()
            && let Err(error) = self.outbox.push(messages, permit)
        {
            log::line(Level::Warning, &format!("session cannot go on: {error}"));
            self.ended.notify_one();
        }
    }

    /// Hands free frames to the queries that have ranges under way, and wakes those that wait for one to fill.
    fn distribute(&self, state: &mut State, when: When) {
        let mut messages = Vec::new();
        self.grant(state, when, &mut messages);
        self.say(&messages, None);
    }

    /// As [`Self::distribute`]; the grants go to `messages`, to be queued under the same lock.
    fn grant(&self, state: &mut State, when: When, messages: &mut Vec<FromEngine>) {
        for (&query, open) in &mut state.queries {
            let can_wait = when == When::WhenNeeded && (open.granted > 0 || open.is_busy(&state.book, query));
            while !can_wait && open.granted < open.wanted() {
                let Some(frame) = state.book.take(query, Purpose::Pages) else { break };
                let frame = state.book.lend(frame);
                open.granted += 1;
                messages.push(FromEngine::Grant { query, frame });
            }
            if open.inbox.waits_for_frame() {
                open.inbox.wake();
            }
        }
    }

    /// Opens a query over relations of so many blocks.
    fn open_query(&self, query: QueryId, inbox: Arc<Inbox>, blocks: Vec<u32>) -> Result<()> {
        let mut state = self.state();
        if state.closed {
            return Err(Error::Canceled);
        }
        state.book.open(query)?;
        state.queries.insert(query, Open::new(inbox, blocks));
        Ok(())
    }

    /// Whether the session has another query open than this one.
    fn has_other_query(&self, query: QueryId) -> bool {
        self.state().queries.keys().any(|&open| open != query)
    }

    /// Ends a query with its last message.
    fn close_query(&self, query: QueryId, last: FromEngine) {
        let mut state = self.state();
        let closed = state.queries.remove(&query);
        state.book.close(query);
        state.ended += 1;
        self.rests.notify_one();
        self.say(&[last], None);
        self.distribute(&mut state, When::Now);
        // Not under the lock: events that nobody took hold frames, whose guards take it.
        drop(state);
        drop(closed);
    }

    /// Gives the memory of the segment back when no query has a frame [`REST`] after one has ended: many sessions idle, or wait for their turn, and
    /// together would hold more than those that work. Never ends.
    async fn rest(&self) {
        loop {
            self.rests.notified().await;
            let ended = self.state().ended;
            tokio::time::sleep(if self.engine.resident.is_near() { REST_NEAR_LIMIT } else { REST }).await;
            let mut state = self.state();
            if state.book.rests()
                && state.ended == ended
                && let Err(error) = state.book.discard_free()
            {
                log::line(Level::Warning, &format!("the memory of a session could not be given back: {error}"));
            }
        }
    }

    /// Asks the backend for ranges, with the frames for them.
    fn read_ranges(
        &self,
        query: QueryId,
        scan: ScanId,
        asked: Vec<RangeRequest>,
        events: &mpsc::UnboundedSender<RangeEvent>,
    ) -> Result<Vec<u32>> {
        let mut state = self.state();
        let open = state.queries.get_mut(&query).ok_or(Error::Canceled)?;
        let mut messages = Vec::with_capacity(asked.len() + 4);
        let mut numbers = Vec::with_capacity(asked.len());
        for RangeRequest { first_block, count, wanted } in asked {
            let images = if wanted.is_empty() {
                count
            } else {
                wanted.iter().filter(|wanted| **wanted == Wanted::Image).count() as u32
            };
            let range = open.next_range;
            open.next_range += 1;
            if let Some(unread) = open.unread.get_mut(usize::from(scan.0)) {
                *unread = unread.saturating_sub(count);
            }
            let expected_frames = images.div_ceil(IMAGES_PER_FRAME).max(1);
            open.ranges.insert(range, Route { scan, events: events.clone(), expected_frames });
            messages.push(FromEngine::ReadRange { query, range, scan, first_block, count, wanted });
            numbers.push(range);
        }
        self.grant(&mut state, When::Now, &mut messages);
        self.say(&messages, None);
        Ok(numbers)
    }

    /// `Pages` came.
    fn pages(self: &Arc<Self>, query: QueryId, range: u32, number: FrameNumber) -> Result<()> {
        let mut state = self.state();
        let frame = state.book.receive(number, query)?;
        let Some(open) = state.queries.get_mut(&query) else {
            // The query has ended meanwhile.
            state.book.give_back(frame);
            self.distribute(&mut state, When::WhenNeeded);
            return Ok(());
        };
        open.granted = open.granted.saturating_sub(1);
        let inbox = Arc::clone(&open.inbox);
        let Some(route) = open.ranges.get_mut(&range) else {
            return Err(Error::Protocol(fusion_proto::Error::Unexpected("pages of a range that nobody asked for")));
        };
        route.expected_frames = route.expected_frames.saturating_sub(1).max(1);
        let (events, scan) = (route.events.clone(), route.scan);
        // A scan whose consumer waits for another scan must not keep the frames that the other one needs.
        let crowded = !open.is_last_scan(scan) && state.book.is_crowded(query);
        let copy = crowded.then(|| CopiedPages::new(frame.bytes(), &inbox));
        let (pages, frame): (Option<Box<dyn PageBytes>>, _) = match copy {
            None => (None, Some(frame)),
            Some(copy) => {
                state.book.give_back(frame);
                match copy {
                    Ok(copy) => (Some(Box::new(copy)), None),
                    Err(error) => {
                        inbox.fail(error);
                        (None, None)
                    }
                }
            }
        };
        self.distribute(&mut state, When::WhenNeeded);
        // Not under the lock: if the range was abandoned, the guard is dropped here and takes the lock.
        drop(state);
        let held = frame.map(|frame| -> Box<dyn PageBytes> { Box::new(PageFrameGuard::new(Arc::clone(self), frame)) });
        let Some(pages) = pages.or(held) else { return Ok(()) };
        drop(events.send(RangeEvent::Pages { range, pages }));
        Ok(())
    }

    /// `WideTuple` came.
    fn wide_tuple(&self, query: QueryId, range: u32, mut tuple: WideTuple) -> Result<()> {
        let mut state = self.state();
        let Some(open) = state.queries.get_mut(&query) else {
            return Ok(());
        };
        let Some(route) = open.ranges.get(&range) else {
            return Err(Error::Protocol(fusion_proto::Error::Unexpected("tuple of a range that nobody asked for")));
        };
        match open.inbox.account(tuple.tuple.len()) {
            Ok(reservation) => tuple.accounted = Some(reservation),
            Err(error) => {
                open.inbox.fail(error);
                return Ok(());
            }
        }
        drop(route.events.send(RangeEvent::Wide(tuple)));
        Ok(())
    }

    /// `RangeDone` came.
    fn range_done(&self, query: QueryId, range: u32) -> Result<()> {
        let mut state = self.state();
        let Some(open) = state.queries.get_mut(&query) else {
            return Ok(());
        };
        let Some(route) = open.ranges.remove(&range) else {
            return Err(Error::Protocol(fusion_proto::Error::Unexpected("end of a range that nobody asked for")));
        };
        drop(state);
        drop(route.events.send(RangeEvent::Done { range }));
        Ok(())
    }

    /// `Return` came.
    fn returned(&self, number: FrameNumber) -> Result<()> {
        let mut state = self.state();
        let (query, purpose) = state.book.returned(number)?;
        if let (Purpose::Pages, Some(open)) = (purpose, state.queries.get_mut(&query)) {
            open.granted = open.granted.saturating_sub(1);
        }
        self.distribute(&mut state, When::Now);
        Ok(())
    }

    /// What the column cache holds of a database.
    fn cache_report(&self, query: QueryId, database: Oid, evicted: u64) -> FromEngine {
        FromEngine::CacheReport { query, entries: self.engine.cache.entries(database), evicted }
    }

    /// Cancels a query; one that is not open has been answered already. Unless the backend returns its frames, none is with it any more, nor is
    /// given to it: the query is not open from here on, only its answer is still to come.
    fn cancel(&self, query: QueryId, returns_frames: bool) {
        let mut state = self.state();
        if let Some(open) = state.queries.get(&query) {
            open.inbox.fail(Error::Canceled);
        }
        if returns_frames {
            return;
        }
        let closed = state.queries.remove(&query);
        state.book.take_back(query);
        state.book.close(query);
        self.distribute(&mut state, When::Now);
        // Not under the lock, as in `close_query`.
        drop(state);
        drop(closed);
    }

    /// Frees a frame of the engine.
    fn release(&self, frame: Frame) {
        let mut state = self.state();
        state.book.give_back(frame);
        self.distribute(&mut state, When::WhenNeeded);
    }

    /// Sends a wide row, likewise.
    fn send_wide_row(&self, query: QueryId, tuple: Vec<u8>, permit: OwnedSemaphorePermit) {
        let state = self.state();
        if state.queries.contains_key(&query) {
            self.say(&[FromEngine::WideRow { query, tuple }], Some(permit));
        }
    }

    /// Takes a frame for result rows; None: wait for the inbox.
    fn take_tuple_frame(&self, query: QueryId) -> Option<Frame> {
        self.state().book.take(query, Purpose::Tuples)
    }

    /// Sends a frame of result rows; those of a query that has been answered meanwhile are nobody's.
    fn send_tuples(&self, query: QueryId, frame: Frame) {
        let mut state = self.state();
        if !state.queries.contains_key(&query) {
            state.book.give_back(frame);
            self.distribute(&mut state, When::Now);
            return;
        }
        let frame = state.book.lend(frame);
        self.say(&[FromEngine::Tuples { query, frame }], None);
    }

    /// The connection is gone: cancels all queries.
    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let mut routes = Vec::new();
        for open in state.queries.values_mut() {
            open.inbox.fail(Error::Canceled);
            routes.push(std::mem::take(&mut open.ranges));
        }
        drop(state);
        drop(routes);
    }
}
