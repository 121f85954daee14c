//! The book of a session's frames: who owns which, and how many a query may hold.
//!
//! ```text
//!   free ──take──► engine ──lend──► backend ──receive (Pages)──► engine ──give_back──► free
//!                                      └───returned (Return), take_back (Cancel)───────► free
//! ```
//! Invariants
//! - A [`Frame`] exists for exactly the frames that the engine owns: in `free`, or with whoever took it.
//! - Every open query can have [`MIN_QUERY_FRAMES`] frames, one of each purpose, whatever the others hold: extra frames are given
//!   out only as far as these stay in reserve. So a query that nobody reads holds up nobody else.
//! - Frames that the backend still holds when their query ends (`strays`) count as extra until they come back.

use crate::error::{Error, Result};
use fusion_common::limits::MAX_SESSION_QUERIES;
use fusion_common::{FrameNumber, QueryId};
use fusion_proto::segment::{Frame, Segment};
use std::collections::HashMap;
use std::sync::Arc;

/// Frames of each purpose that an open query can always have.
const MIN_OF_PURPOSE: usize = 1;
/// Frames that an open query can always have: one for pages, one for tuples.
pub const MIN_QUERY_FRAMES: usize = 2 * MIN_OF_PURPOSE;
/// Parts (of 8) of all frames that one query may hold for pages, and for tuples, beside others.
const MAX_EIGHTHS: [usize; 2] = [3, 1];
/// The same of the only query of a session, which most are: five chunks of pages under way keep both sides at work.
const MAX_EIGHTHS_ALONE: [usize; 2] = [6, 1];
/// Parts (of 8) of all frames that may be out beyond the minimums: beside others, and alone.
const MAX_EXTRA_EIGHTHS: [usize; 2] = [4, 6];

/// What a frame is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Heap pages from the backend.
    Pages,
    /// Result rows to the backend.
    Tuples,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Free,
    Engine,
    Backend,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    owner: Owner,
    /// Only meaningful while the frame is not free, like `purpose`.
    query: QueryId,
    purpose: Purpose,
}

/// See the module.
#[derive(Debug)]
pub struct Book {
    segment: Arc<Segment>,
    slots: Vec<Slot>,
    free: Vec<Frame>,
    /// Frames that each open query holds, by purpose, on either side.
    held: HashMap<QueryId, [usize; 2]>,
    strays: usize,
}

/// A backend that does not own what it gives.
fn not_owner() -> Error {
    Error::Protocol(fusion_proto::Error::Unexpected("frame is not the sender's"))
}

impl Book {
    /// Of a new segment: all frames are the engine's.
    pub fn new(segment: Arc<Segment>) -> Result<Self> {
        let frames = segment.frames();
        let slot = Slot { owner: Owner::Free, query: QueryId(0), purpose: Purpose::Pages };
        let mut free = Vec::with_capacity(usize::from(frames));
        for number in (0..frames).rev() {
            // SAFETY: the segment is new, so that the engine owns all frames, and each number is taken once.
            free.push(unsafe { segment.frame(FrameNumber(number)) }?);
        }
        Ok(Self { segment, slots: vec![slot; usize::from(frames)], free, held: HashMap::new(), strays: 0 })
    }

    /// Opens a query, if its minimum can be reserved.
    pub fn open(&mut self, query: QueryId) -> Result<()> {
        if self.held.contains_key(&query) {
            return Err(Error::Protocol(fusion_proto::Error::Unexpected("query id is in use")));
        }
        if self.held.len() >= MAX_SESSION_QUERIES {
            return Err(Error::Resources(format!(
                "too many open queries in one session (limit {MAX_SESSION_QUERIES})"
            )));
        }
        if (self.held.len() + 1) * MIN_QUERY_FRAMES + self.extra() > self.slots.len() {
            return Err(Error::Resources("too few frames are left for another query in this session".to_owned()));
        }
        self.held.insert(query, [0; 2]);
        Ok(())
    }

    /// Ends a query. Its frames come back one by one.
    pub fn close(&mut self, query: QueryId) {
        if let Some(held) = self.held.remove(&query) {
            self.strays += held.iter().sum::<usize>();
        }
    }

    /// Frames beyond the minimum of the query that holds them.
    fn extra(&self) -> usize {
        let beyond = self.held.values().flatten().map(|held| held.saturating_sub(MIN_OF_PURPOSE));
        beyond.sum::<usize>() + self.strays
    }

    /// Frames that a query may hold for a purpose, and those beyond the minimums that all may.
    fn quota(&self, purpose: Purpose) -> (usize, usize) {
        let frames = self.slots.len();
        let (eighths, extra) = match self.held.len() {
            0 | 1 => (MAX_EIGHTHS_ALONE, MAX_EXTRA_EIGHTHS[1]),
            _ => (MAX_EIGHTHS, MAX_EXTRA_EIGHTHS[0]),
        };
        ((frames * eighths[purpose as usize] / 8).max(MIN_OF_PURPOSE), frames * extra / 8)
    }

    /// Takes a free frame for a query, within its quota; None: wait until one comes back.
    pub fn take(&mut self, query: QueryId, purpose: Purpose) -> Option<Frame> {
        if self.available(query, purpose) == 0 {
            return None;
        }
        let frame = self.free.pop()?;
        *self.held.get_mut(&query)?.get_mut(purpose as usize)? += 1;
        if let Some(slot) = self.slots.get_mut(usize::from(frame.number().0)) {
            *slot = Slot { owner: Owner::Engine, query, purpose };
        }
        Some(frame)
    }

    /// How many frames [`Self::take`] would give a query now.
    pub fn available(&self, query: QueryId, purpose: Purpose) -> usize {
        let Some(held) = self.held.get(&query).and_then(|held| held.get(purpose as usize)) else { return 0 };
        let (most, most_extra) = self.quota(purpose);
        let extra = self.extra();
        let unreserved = self.slots.len().saturating_sub(self.held.len() * MIN_QUERY_FRAMES + extra);
        let room = unreserved.min(most_extra.saturating_sub(extra));
        let beyond = most.saturating_sub((*held).max(MIN_OF_PURPOSE)).min(room);
        (beyond + MIN_OF_PURPOSE.saturating_sub(*held)).min(self.free.len())
    }

    /// Makes a taken frame the backend's. The number goes into the message.
    pub fn lend(&mut self, frame: Frame) -> FrameNumber {
        let number = frame.number();
        if let Some(slot) = self.slots.get_mut(usize::from(number.0)) {
            debug_assert_eq!(slot.owner, Owner::Engine);
            slot.owner = Owner::Backend;
        }
        number
    }

    /// Takes a frame that the backend gives, and says whose it was.
    fn take_from_backend(&mut self, number: FrameNumber) -> Result<(Frame, QueryId, Purpose)> {
        let slot = self.slots.get_mut(usize::from(number.0)).ok_or_else(not_owner)?;
        if slot.owner != Owner::Backend {
            return Err(not_owner());
        }
        // SAFETY: the book says that the backend owned the frame, so that no `Frame` of it is here, and the message in
        // hand makes it ours.
        let frame = unsafe { self.segment.frame(number) }?;
        slot.owner = Owner::Engine;
        Ok((frame, slot.query, slot.purpose))
    }

    /// A frame of pages that the backend sent for a query.
    pub fn receive(&mut self, number: FrameNumber, query: QueryId) -> Result<Frame> {
        match self.take_from_backend(number)? {
            (frame, owner, Purpose::Pages) if owner == query => Ok(frame),
            _ => Err(not_owner()),
        }
    }

    fn pages_of(&self, query: QueryId, owner: Owner) -> usize {
        let of_query = |slot: &&Slot| slot.query == query && slot.purpose == Purpose::Pages && slot.owner == owner;
        self.slots.iter().filter(of_query).count()
    }

    /// Frames of pages of a query that are being decoded, or wait for it.
    pub fn waiting_pages(&self, query: QueryId) -> usize {
        self.pages_of(query, Owner::Engine)
    }

    /// Whether pages that wait to be decoded hold so many frames of a query that its other scans might go without: more than half of
    /// its quota, or all that it can have now.
    pub fn is_crowded(&self, query: QueryId) -> bool {
        let (most, most_extra) = self.quota(Purpose::Pages);
        let spent = self.extra() >= most_extra;
        self.waiting_pages(query) * 2 > most || (spent && self.pages_of(query, Owner::Backend) == 0)
    }

    /// A frame that the backend returned unused or read; gives its query and purpose.
    pub fn returned(&mut self, number: FrameNumber) -> Result<(QueryId, Purpose)> {
        let (frame, query, purpose) = self.take_from_backend(number)?;
        self.give_back(frame);
        Ok((query, purpose))
    }

    /// Frees all frames of a query that the backend has been sent: it says that it holds none.
    pub fn take_back(&mut self, query: QueryId) {
        let lent = |slot: &Slot| slot.owner == Owner::Backend && slot.query == query;
        let numbers: Vec<_> = (0..).zip(&self.slots).filter(|(_, slot)| lent(slot)).map(|(number, _)| number).collect();
        for number in numbers {
            if let Ok((frame, ..)) = self.take_from_backend(FrameNumber(number)) {
                self.give_back(frame);
            }
        }
    }

    /// Frees a frame that was taken or received.
    pub fn give_back(&mut self, frame: Frame) {
        if let Some(slot) = self.slots.get_mut(usize::from(frame.number().0)) {
            debug_assert_eq!(slot.owner, Owner::Engine);
            slot.owner = Owner::Free;
            match self.held.get_mut(&slot.query).and_then(|held| held.get_mut(slot.purpose as usize)) {
                Some(held) => *held = held.saturating_sub(1),
                None => self.strays = self.strays.saturating_sub(1),
            }
        }
        self.free.push(frame);
    }

    /// Whether no open query has a frame; one that waits for its turn has none.
    pub fn rests(&self) -> bool {
        self.held.values().flatten().all(|held| *held == 0)
    }

    /// Gives the memory of the free frames back to the system.
    pub fn discard_free(&mut self) -> Result<()> {
        self.free.iter_mut().try_for_each(|frame| Ok(frame.discard()?))
    }

    /// Frames that nobody holds.
    pub fn free(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(frames: u16) -> Book {
        Book::new(Segment::create(frames).unwrap().0).unwrap()
    }

    #[test]
    fn pages_that_wait_crowd_a_query_at_half_its_quota() {
        let mut book = book(16);
        let query = QueryId(1);
        book.open(query).unwrap();
        let mut received = Vec::new();
        for count in 1..=12 {
            let frame = book.take(query, Purpose::Pages).unwrap();
            let number = book.lend(frame);
            received.push(book.receive(number, query).unwrap());
            assert_eq!(book.is_crowded(query), count > 6, "{count} of 12");
            assert_eq!(book.available(query, Purpose::Pages), 12 - count);
        }
        received.into_iter().for_each(|frame| book.give_back(frame));
        assert!(!book.is_crowded(query));
    }

    #[test]
    fn a_greedy_query_leaves_the_minimum_of_others() {
        let mut book = book(16);
        let (greedy, modest) = (QueryId(1), QueryId(2));
        book.open(greedy).unwrap();
        let mut lent = Vec::new();
        for purpose in [Purpose::Pages, Purpose::Tuples] {
            while let Some(frame) = book.take(greedy, purpose) {
                lent.push(book.lend(frame));
            }
        }
        assert_eq!(lent.len(), 12 + 2, "six eighths and one eighth");
        book.open(modest).unwrap();
        assert!(book.take(greedy, Purpose::Pages).is_none(), "beside another one it has too many");
        assert!(book.take(modest, Purpose::Pages).is_some());
        assert!(book.take(modest, Purpose::Tuples).is_some());
        assert!(book.take(QueryId(3), Purpose::Pages).is_none(), "not open");
    }

    #[test]
    fn minimums_are_reserved_at_opening() {
        let mut book = book(8);
        for id in 0..4 {
            book.open(QueryId(id)).unwrap();
        }
        assert!(matches!(book.open(QueryId(4)), Err(Error::Resources(_))));
        assert!(matches!(book.open(QueryId(1)), Err(Error::Protocol(_))));
        for id in 0..4 {
            let frame = book.take(QueryId(id), Purpose::Pages).unwrap();
            assert!(book.take(QueryId(id), Purpose::Pages).is_none(), "nothing is left beyond the minimums");
            book.lend(frame);
            book.take(QueryId(id), Purpose::Tuples).unwrap();
        }
        assert_eq!(book.free(), 0);
    }

    #[test]
    fn too_many_queries_are_refused() {
        let mut book = book(4096);
        for id in 0..MAX_SESSION_QUERIES as u32 {
            book.open(QueryId(id)).unwrap();
        }
        assert!(matches!(book.open(QueryId(1000)), Err(Error::Resources(_))));
    }

    #[test]
    fn frames_of_others_are_refused() {
        let mut book = book(8);
        let query = QueryId(1);
        book.open(query).unwrap();
        assert!(book.receive(FrameNumber(0), query).is_err(), "free");
        assert!(book.returned(FrameNumber(8)).is_err(), "no such frame");
        let frame = book.take(query, Purpose::Pages).unwrap();
        let number = frame.number();
        assert!(book.receive(number, query).is_err(), "the engine's");
        book.lend(frame);
        assert!(book.receive(number, QueryId(2)).is_err(), "another query's");
    }

    #[test]
    fn frames_of_a_backend_that_holds_none_are_taken_back() {
        let mut book = book(8);
        let (canceled, other) = (QueryId(1), QueryId(2));
        book.open(canceled).unwrap();
        book.open(other).unwrap();
        let inside = book.take(canceled, Purpose::Pages).unwrap();
        let frame = book.take(canceled, Purpose::Tuples).unwrap();
        let lent = book.lend(frame);
        let frame = book.take(other, Purpose::Tuples).unwrap();
        let kept = book.lend(frame);
        book.take_back(canceled);
        book.close(canceled);
        assert_eq!(book.free(), 6);
        assert!(book.returned(lent).is_err(), "the backend had said that it holds none");
        book.give_back(inside);
        assert_eq!((book.free(), book.strays), (7, 0));
        assert_eq!(book.returned(kept).unwrap(), (other, Purpose::Tuples));
        // Also where the query had been answered already.
        let frame = book.take(other, Purpose::Pages).unwrap();
        book.lend(frame);
        book.close(other);
        assert_eq!(book.strays, 1);
        book.take_back(other);
        assert_eq!((book.free(), book.strays), (8, 0));
    }

    #[test]
    fn strays_count_until_they_return() {
        let mut book = book(8);
        let query = QueryId(1);
        book.open(query).unwrap();
        let frame = book.take(query, Purpose::Tuples).unwrap();
        let number = book.lend(frame);
        book.close(query);
        for id in 10..13 {
            book.open(QueryId(id)).unwrap();
        }
        assert!(book.open(QueryId(20)).is_err());
        assert_eq!(book.returned(number).unwrap(), (query, Purpose::Tuples));
        assert!(book.returned(number).is_err(), "once only");
        assert_eq!(book.free(), 8);
        book.open(QueryId(20)).unwrap();
    }

    #[test]
    fn a_query_without_frames_lets_the_session_rest() {
        let mut book = book(8);
        assert!(book.rests());
        let query = QueryId(1);
        book.open(query).unwrap();
        assert!(book.rests(), "it waits");
        let mut frame = book.take(query, Purpose::Pages).unwrap();
        assert!(!book.rests());
        frame.bytes_mut().fill(7);
        book.give_back(frame);
        assert!(book.rests());
        book.discard_free().unwrap();
        let frame = book.take(query, Purpose::Pages).unwrap();
        assert!(frame.bytes().iter().all(|byte| *byte == 0));
    }
}
