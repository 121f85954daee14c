//! A heap tuple: the header's few facts that deforming needs (`HeapTupleHeaderData` of htup_details.h).
//!
//! ```text
//!  0                       12       18           20          22      23            t_hoff
//!  ┌──────────────────────┬────────┬────────────┬───────────┬───────┬─────────────┬──────
//!  │ xmin xmax cid/xvac   │ t_ctid │t_infomask2 │t_infomask │t_hoff │ null bitmap │ data
//!  └──────────────────────┴────────┴────────────┴───────────┴───────┴─────────────┴──────
//! ```
//! Invariants of a [`Tuple`]: 24 <= t_hoff <= length; t_hoff is a multiple of 8; if the tuple has NULLs, its bitmap covers
//! `natts` bits before t_hoff. xmin, xmax and the hint bits are never looked at: PostgreSQL decided what is visible.

use crate::error::{Error, Result};

/// Size of the fixed part of a tuple header (`SizeofHeapTupleHeader`).
pub const TUPLE_HEADER_SIZE: usize = 23;

/// The smallest t_hoff: the fixed part, rounded up to 8. No tuple is shorter.
pub const TUPLE_HEADER_MIN: usize = 24;

/// Some attribute is NULL, so the header carries a bitmap.
pub const HEAP_HASNULL: u16 = 0x0001;

/// Bits of t_infomask2 that hold the number of attributes.
pub const HEAP_NATTS_MASK: u16 = 0x07ff;

/// The header's facts, from its bytes 16 to 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TupleFacts {
    pub(crate) natts: u16,
    pub(crate) has_nulls: bool,
    pub(crate) hoff: u16,
}

impl TupleFacts {
    /// From the last eight bytes of the smallest header.
    #[inline(always)]
    pub(crate) fn from_word(word: [u8; 8]) -> Self {
        let word = u64::from_le_bytes(word);
        Self {
            natts: (word >> 16) as u16 & HEAP_NATTS_MASK,
            has_nulls: (word >> 32) as u16 & HEAP_HASNULL != 0,
            hoff: u16::from((word >> 48) as u8),
        }
    }

    /// Whether they fit each other and a tuple of `length` bytes.
    #[inline(always)]
    pub(crate) fn fit(self, length: usize) -> bool {
        let hoff = usize::from(self.hoff);
        let bitmap = if self.has_nulls { usize::from(self.natts).div_ceil(8) } else { 0 };
        hoff >= TUPLE_HEADER_SIZE + bitmap && hoff.is_multiple_of(8) && hoff <= length
    }
}

/// A tuple whose header is sound.
#[derive(Clone, Copy, Debug)]
pub struct Tuple<'a> {
    bytes: &'a [u8],
    facts: TupleFacts,
}

impl<'a> Tuple<'a> {
    /// Checks the header of a tuple: header and data, from a page or as `heap_form_tuple` made it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let word = bytes
            .get(TUPLE_HEADER_MIN - 8..)
            .and_then(|rest| rest.first_chunk())
            .ok_or_else(|| Error::corrupt("a tuple is shorter than its header"))?;
        let facts = TupleFacts::from_word(*word);
        if !facts.fit(bytes.len()) {
            return Err(Error::corrupt(BAD_HEADER));
        }
        Ok(Self { bytes, facts })
    }

    /// Number of attributes that the tuple holds; later ones have their missing value.
    pub fn natts(&self) -> u16 {
        self.facts.natts
    }

    /// The attributes' bytes, after the header; alignment counts from their start.
    pub fn data(&self) -> &'a [u8] {
        self.bytes.get(usize::from(self.facts.hoff)..).unwrap_or_default()
    }

    /// The null bitmap (bit set: not NULL), or None if no attribute is NULL.
    pub fn null_bitmap(&self) -> Option<&'a [u8]> {
        if !self.facts.has_nulls {
            return None;
        }
        self.bytes.get(TUPLE_HEADER_SIZE..usize::from(self.facts.hoff))
    }
}

/// Detail of a header whose parts do not fit.
pub(crate) const BAD_HEADER: &str = "the parts of a tuple header do not fit each other";

#[cfg(test)]
mod tests {
    use super::*;

    fn header(natts: u16, infomask: u16, hoff: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0u8; length];
        bytes[18..20].copy_from_slice(&natts.to_le_bytes());
        bytes[20..22].copy_from_slice(&infomask.to_le_bytes());
        bytes[22] = hoff;
        bytes
    }

    #[test]
    fn facts_are_read() {
        let bytes = header(0x2003, 0x0901, 24, 32);
        let tuple = Tuple::parse(&bytes).unwrap();
        assert_eq!(tuple.natts(), 3);
        assert_eq!(tuple.data().len(), 8);
        assert_eq!(tuple.null_bitmap(), Some(&[0u8][..]));
        let bytes = header(3, 0x0900, 24, 24);
        assert_eq!(Tuple::parse(&bytes).unwrap().null_bitmap(), None);
    }

    #[test]
    fn parts_that_do_not_fit_are_corrupt() {
        let bad = [header(3, 0, 16, 32), header(3, 0, 40, 32), header(3, 0, 25, 32), header(9, 1, 24, 32), vec![0; 23]];
        for bytes in bad {
            assert!(Tuple::parse(&bytes).is_err());
        }
    }
}
