//! A heap page: the header checked once, the line pointers, and the tuples they point to (bufpage.h).
//!
//! ```text
//!  0        8        10     12     14     16        18             20          24
//!  ┌────────┬────────┬──────┬──────┬──────┬─────────┬──────────────┬───────────┬────
//!  │ pd_lsn │checksum│flags │lower │upper │ special │ size|version │ prune_xid │ line pointers →
//!  └────────┴────────┴──────┴──────┴──────┴─────────┴──────────────┴───────────┴────
//!      … line pointers │ pd_lower    free    pd_upper │ ← tuples … │ pd_special … 8192
//! ```
//! Invariants of a [`Page`]: 8192 bytes; 24 <= pd_lower <= pd_upper <= pd_special <= 8192; at most
//! `MAX_HEAP_TUPLES_PER_PAGE` line pointers, all of them below pd_lower. A page of zeros (never initialised) is an empty
//! page, as in PostgreSQL. The checksum is the backend's business.

use crate::error::{Error, Result};
use crate::line_pointer::LinePointer;
use crate::tuple::{TUPLE_HEADER_MIN, Tuple};
use fusion_common::BlockNumber;
use fusion_common::limits::{BITMAP_WORDS, BLOCK_SIZE, MAX_HEAP_TUPLES_PER_PAGE};

/// The bytes of one page.
pub type PageBytes = [u8; BLOCK_SIZE];

/// Size of the page header (`SizeOfPageHeaderData`).
pub const PAGE_HEADER_SIZE: usize = 24;

/// `pd_pagesize_version` of an 8 KiB page of layout version 4 (PostgreSQL 8.3 and later).
pub const PAGE_SIZE_VERSION: u16 = BLOCK_SIZE as u16 | 4;

const LOWER: usize = 12;
const UPPER: usize = 14;
const SPECIAL: usize = 16;
const SIZE_VERSION: usize = 18;

/// A page whose header is sound.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    bytes: &'a PageBytes,
    /// Number of line pointers; `PAGE_HEADER_SIZE + 4 * line_pointers <= BLOCK_SIZE`.
    line_pointers: u16,
    /// First byte that a tuple may take.
    upper: u16,
    /// End of the tuples.
    special: u16,
}

#[inline(always)]
fn u16_at(bytes: &PageBytes, at: usize) -> u16 {
    u16::from_le_bytes([bytes[at & (BLOCK_SIZE - 1)], bytes[(at + 1) & (BLOCK_SIZE - 1)]])
}

impl<'a> Page<'a> {
    /// Checks the header of the page `bytes`, which is block `block` of its relation (for errors only).
    pub fn parse(block: BlockNumber, bytes: &'a [u8]) -> Result<Self> {
        Self::parse_header(bytes).map_err(|error| error.at_block(block))
    }

    fn parse_header(bytes: &'a [u8]) -> Result<Self> {
        let bytes: &PageBytes = bytes.try_into().map_err(|_| Error::corrupt("a page is not 8192 bytes long"))?;
        let (lower, upper) = (u16_at(bytes, LOWER), u16_at(bytes, UPPER));
        let special = u16_at(bytes, SPECIAL);
        if upper == 0 && bytes.iter().all(|&byte| byte == 0) {
            return Ok(Self { bytes, line_pointers: 0, upper: 0, special: 0 });
        }
        if u16_at(bytes, SIZE_VERSION) != PAGE_SIZE_VERSION {
            return Err(Error::corrupt("the page header has another page size or layout version"));
        }
        let ordered = PAGE_HEADER_SIZE <= usize::from(lower)
            && lower <= upper
            && upper <= special
            && usize::from(special) <= BLOCK_SIZE;
        let line_pointer_bytes = usize::from(lower).wrapping_sub(PAGE_HEADER_SIZE);
        if !ordered || line_pointer_bytes % LinePointer::SIZE != 0 {
            return Err(Error::corrupt("the bounds in the page header are out of order"));
        }
        let line_pointers = line_pointer_bytes / LinePointer::SIZE;
        if line_pointers > MAX_HEAP_TUPLES_PER_PAGE {
            return Err(Error::corrupt("the page has more line pointers than a heap page can have"));
        }
        Ok(Self { bytes, line_pointers: line_pointers as u16, upper, special })
    }

    /// The whole page.
    #[inline(always)]
    pub fn bytes(&self) -> &'a PageBytes {
        self.bytes
    }

    /// Number of line pointers, of any kind.
    #[inline(always)]
    pub fn line_pointer_count(&self) -> u16 {
        self.line_pointers
    }

    /// Line pointer at an offset number (1-based); None beyond the last one.
    #[inline(always)]
    pub fn line_pointer(&self, offset_number: u16) -> Option<LinePointer> {
        if offset_number == 0 || offset_number > self.line_pointers {
            return None;
        }
        let at = PAGE_HEADER_SIZE + (usize::from(offset_number) - 1) * LinePointer::SIZE;
        debug_assert!(at + LinePointer::SIZE <= BLOCK_SIZE);
        let word = self.bytes.get(at..)?.first_chunk()?;
        Some(LinePointer(u32::from_le_bytes(*word)))
    }

    /// The line pointers that point to a tuple (LP_NORMAL), whoever sees it: bit `i % 64` of word `i / 64` is offset number `i + 1`.
    pub fn normal_line_pointers(&self) -> [u64; BITMAP_WORDS] {
        let mut bitmap = [0; BITMAP_WORDS];
        let pointers = self.bytes.get(PAGE_HEADER_SIZE..).unwrap_or_default().as_chunks::<{ LinePointer::SIZE }>().0;
        let pointers = pointers.get(..usize::from(self.line_pointers)).unwrap_or_default();
        for (word, pointers) in bitmap.iter_mut().zip(pointers.chunks(64)) {
            for (bit, pointer) in pointers.iter().enumerate() {
                *word |= u64::from(LinePointer(u32::from_le_bytes(*pointer)).is_normal()) << bit;
            }
        }
        bitmap
    }

    /// Whether a line pointer's bounds lie among the page's tuples, aligned, with room for a tuple header.
    #[inline(always)]
    pub(crate) fn holds(&self, pointer: LinePointer) -> bool {
        let (offset, length) = (pointer.offset(), pointer.length());
        offset >= usize::from(self.upper)
            && offset % 8 == 0
            && length >= TUPLE_HEADER_MIN
            && offset + length <= usize::from(self.special)
    }

    /// Why a visible bit at this offset number cannot be followed, or nothing.
    #[cold]
    pub(crate) fn fault(&self, offset_number: u16) -> Option<Error> {
        let detail = match self.line_pointer(offset_number) {
            None => "a visible tuple lies beyond the last line pointer",
            Some(pointer) if !pointer.is_normal() => "a visible line pointer does not point to a tuple",
            Some(pointer) if !self.holds(pointer) => "a line pointer points outside of the page's tuples",
            Some(_) => return None,
        };
        Some(Error::corrupt(detail).at_offset_number(offset_number))
    }

    /// The tuple at an offset number (1-based), its header checked.
    pub fn tuple(&self, offset_number: u16) -> Result<Tuple<'a>> {
        match self.line_pointer(offset_number) {
            Some(pointer) if pointer.is_normal() && self.holds(pointer) => {
                let bytes = self.bytes.get(pointer.offset()..pointer.offset() + pointer.length()).unwrap_or_default();
                Tuple::parse(bytes).map_err(|error| error.at_offset_number(offset_number))
            }
            _ => Err(self.fault(offset_number).unwrap_or_else(|| Error::corrupt("a line pointer is invalid"))),
        }
    }
}

/// Asks for a page image's cache lines ahead of its decoding. Whoever wrote it ran on another core, and tuples lie from its end to its
/// start, which the hardware does not foresee.
#[inline]
pub fn prefetch(image: &[u8]) {
    const CACHE_LINE: usize = 64;
    for line in image.chunks(CACHE_LINE) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing that the program sees, and the address is that of a slice.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_pointer::LinePointerKind;

    fn page_with(pointers: &[LinePointer], upper: u16) -> Box<PageBytes> {
        let mut page = Box::new([0u8; BLOCK_SIZE]);
        let lower = (PAGE_HEADER_SIZE + 4 * pointers.len()) as u16;
        page[LOWER..LOWER + 2].copy_from_slice(&lower.to_le_bytes());
        page[UPPER..UPPER + 2].copy_from_slice(&upper.to_le_bytes());
        page[SPECIAL..SPECIAL + 2].copy_from_slice(&(BLOCK_SIZE as u16).to_le_bytes());
        page[SIZE_VERSION..SIZE_VERSION + 2].copy_from_slice(&PAGE_SIZE_VERSION.to_le_bytes());
        for (i, pointer) in pointers.iter().enumerate() {
            page[PAGE_HEADER_SIZE + 4 * i..][..4].copy_from_slice(&pointer.0.to_le_bytes());
        }
        page
    }

    #[test]
    fn a_page_of_zeros_is_empty() {
        let bytes = [0u8; BLOCK_SIZE];
        let page = Page::parse(0, &bytes).unwrap();
        assert_eq!(page.line_pointer_count(), 0);
        assert!(page.tuple(1).is_err());
    }

    #[test]
    fn headers_out_of_order_are_corrupt() {
        let good = page_with(&[], 8192);
        assert!(Page::parse(0, &good[..]).is_ok());
        for (at, value) in [(LOWER, 8190u16), (LOWER, 20), (LOWER, 26), (UPPER, 8), (SPECIAL, 9000), (SIZE_VERSION, 5)]
        {
            let mut bad = good.clone();
            bad[at..at + 2].copy_from_slice(&value.to_le_bytes());
            let error = Page::parse(9, &bad[..]).err().unwrap();
            assert_eq!(error.to_string(), "invalid page in block 9", "{at} {value}");
        }
        assert!(Page::parse(0, &good[..8191]).is_err());
    }

    #[test]
    fn only_normal_line_pointers_inside_the_tuples_are_followed() {
        let pointers = [
            LinePointer::new(8160, LinePointerKind::Dead, 32),
            LinePointer::new(8160, LinePointerKind::Normal, 40),
            LinePointer::new(8100, LinePointerKind::Normal, 32),
            LinePointer::new(8161, LinePointerKind::Normal, 24),
            LinePointer::new(8160, LinePointerKind::Normal, 8),
        ];
        let bytes = page_with(&pointers, 8160);
        let page = Page::parse(0, &bytes[..]).unwrap();
        for offset_number in 0..=6 {
            assert!(page.tuple(offset_number).is_err(), "{offset_number}");
        }
    }
}
