//! Result rows that have come from the engine and not gone out yet.
//!
//! Invariants: every frame is checked when it is added; a row handed out stays valid until the next is asked for; before
//! [`Rows::release`] what comes is copied, so that no frame is held while nothing goes out.

use crate::error::Result;
use crate::session::Frame;
use fusion_common::Attribute;
use fusion_proto::tuple_frame::{self, TupleFrame};
use std::collections::VecDeque;

/// Bytes of rows that are held back before the first goes out, unless the query ends earlier.
pub const BUFFER_LIMIT: usize = 1 << 20;

/// Rows in order of arrival.
pub struct Rows {
    attributes: Vec<Attribute>,
    pieces: VecDeque<Piece>,
    /// Bytes copied so far.
    buffered: usize,
    released: bool,
}

enum Piece {
    /// A frame, ours until it is dropped.
    Frame { frame: Frame, rows: TupleFrame, next: Option<usize> },
    /// A copy of a frame's used part; words, so that tuples stay MAXALIGNed.
    Copy { words: Vec<u64>, rows: TupleFrame, next: Option<usize> },
    /// One tuple.
    Wide { words: Vec<u64>, taken: bool },
}

fn to_words(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        })
        .collect()
}

fn as_bytes(words: &[u64]) -> &[u8] {
    // SAFETY: any u64s are readable as eight times as many bytes.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
}

impl Rows {
    /// No rows yet; `attributes` are those of the result.
    pub fn new(attributes: &[Attribute]) -> Self {
        Self { attributes: attributes.to_vec(), pieces: VecDeque::new(), buffered: 0, released: false }
    }

    /// Adds a frame of rows.
    pub fn push_frame(&mut self, frame: Frame) -> Result<()> {
        let rows = TupleFrame::parse(frame.bytes(), &self.attributes)?;
        let next = rows.first();
        if self.released {
            self.pieces.push_back(Piece::Frame { frame, rows, next });
        } else {
            self.buffered += rows.used();
            self.pieces.push_back(Piece::Copy { words: to_words(&frame.bytes()[..rows.used()]), rows, next });
            self.released = self.buffered >= BUFFER_LIMIT;
        }
        Ok(())
    }

    /// Adds a row that is too wide for a frame.
    pub fn push_wide(&mut self, tuple: &[u8]) -> Result<()> {
        tuple_frame::check_tuple(tuple, &self.attributes)?;
        self.buffered += tuple.len();
        self.released |= self.buffered >= BUFFER_LIMIT;
        self.pieces.push_back(Piece::Wide { words: to_words(tuple), taken: false });
        Ok(())
    }

    /// Lets rows go out: the query has ended.
    pub fn release(&mut self) {
        self.released = true;
    }

    /// The next row, if one may go out; valid until the next call.
    pub fn next(&mut self) -> Option<*const u8> {
        if !self.released {
            return None;
        }
        while let Some(piece) = self.pieces.front_mut() {
            if let Some(row) = piece.next() {
                return Some(row);
            }
            self.pieces.pop_front();
        }
        None
    }
}

impl Piece {
    fn next(&mut self) -> Option<*const u8> {
        let (bytes, rows, next) = match self {
            Self::Frame { frame, rows, next } => (frame.bytes(), rows, next),
            Self::Copy { words, rows, next } => (as_bytes(words), rows, next),
            Self::Wide { words, taken } => {
                return (!std::mem::replace(taken, true)).then_some(words.as_ptr().cast());
            }
        };
        let at = (*next)?;
        *next = rows.next(bytes, at);
        Some(bytes.get(at..)?.as_ptr())
    }
}
