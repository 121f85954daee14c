//! Text and byte strings to Arrow views: up to 12 bytes inside of the view, longer ones in data blocks.
//!
//! ```text
//!   127                                    32 31        0
//!  ┌─────────────────────────────────────────┬───────────┐
//!  │ up to 12 bytes, zero-padded             │ length    │   length <= 12
//!  │ offset in block │ block │ first 4 bytes │ length    │   length > 12
//!  └─────────────────────────────────────────┴───────────┘
//! ```
//! Invariants: a long view's block and offset name bytes that were appended for it; blocks never move or change once a view
//! names them (a full block is put aside, not grown); of text, every view's bytes were checked to be UTF-8 as a whole.

use crate::builder::{Decode, payload};
use crate::error::{Error, Result};
use crate::numeric::Numeric;
use crate::page::PageBytes;
use crate::slots::Slot;
use arrow::array::{ArrayRef, BinaryViewArray, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use std::marker::PhantomData;
use std::sync::Arc;

/// Longest value inside of a view, bytes.
const INLINE: usize = 12;

/// Sizes of data blocks, bytes: they double from the first to the last.
const FIRST_BLOCK: usize = 16 * 1024;
const LAST_BLOCK: usize = 2 * 1024 * 1024;

/// What the bytes are.
pub(crate) trait Kind {
    /// Text: UTF-8, and a `Utf8View`.
    const TEXT: bool;
    /// `char(n)`: trailing blanks go.
    const TRIM: bool;
    /// A numeric's payload, checked to be one.
    const NUMERIC: bool;
}

pub(crate) struct TextKind;
pub(crate) struct BpcharKind;
pub(crate) struct NumericKind;
pub(crate) struct OpaqueKind;

impl Kind for TextKind {
    const TEXT: bool = true;
    const TRIM: bool = false;
    const NUMERIC: bool = false;
}

impl Kind for BpcharKind {
    const TEXT: bool = true;
    const TRIM: bool = true;
    const NUMERIC: bool = false;
}

impl Kind for NumericKind {
    const TEXT: bool = false;
    const TRIM: bool = false;
    const NUMERIC: bool = true;
}

impl Kind for OpaqueKind {
    const TEXT: bool = false;
    const TRIM: bool = false;
    const NUMERIC: bool = false;
}

/// The data blocks of a column of views.
pub(crate) struct Views<K> {
    full: Vec<Buffer>,
    /// Never grows beyond its capacity.
    block: Vec<u8>,
    next_block_size: usize,
    kind: PhantomData<K>,
}

impl Views<TextKind> {
    pub(crate) fn text() -> Self {
        Self::new()
    }
}

impl Views<BpcharKind> {
    pub(crate) fn bpchar() -> Self {
        Self::new()
    }
}

impl Views<NumericKind> {
    pub(crate) fn numeric_var() -> Self {
        Self::new()
    }
}

impl Views<OpaqueKind> {
    pub(crate) fn opaque() -> Self {
        Self::new()
    }
}

/// Bits of the first `length` bytes, for lengths up to 12.
const MASKS: [u128; INLINE + 1] = {
    let mut masks = [0; INLINE + 1];
    let mut length = 0;
    while length <= INLINE {
        masks[length] = (1u128 << (8 * length)) - 1;
        length += 1;
    }
    masks
};

const BLANKS: u128 = 0x2020_2020_2020_2020_2020_2020_2020_2020;
const NOT_ASCII: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;

/// Without trailing blanks: what `char(n)` means.
pub(crate) fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

impl<K: Kind> Views<K> {
    fn new() -> Self {
        Self { full: Vec::new(), block: Vec::new(), next_block_size: FIRST_BLOCK, kind: PhantomData }
    }

    /// The view of a value that is in no need of checks any more.
    fn long(&mut self, bytes: &[u8]) -> u128 {
        let length = bytes.len();
        if length <= INLINE {
            let mut view = [0; 16];
            if let Some(target) = view.get_mut(4..4 + length) {
                target.copy_from_slice(bytes);
            }
            return u128::from_le_bytes(view) | length as u128;
        }
        if self.block.capacity() - self.block.len() < length {
            let size = self.next_block_size.max(length);
            self.next_block_size = (2 * self.next_block_size).min(LAST_BLOCK);
            let full = std::mem::replace(&mut self.block, Vec::with_capacity(size));
            if !full.is_empty() {
                self.full.push(Buffer::from_vec(full));
            }
        }
        let offset = self.block.len();
        self.block.extend_from_slice(bytes);
        let prefix = bytes.first_chunk().copied().map_or(0, u32::from_le_bytes);
        // A block is at most as long as the longest varlena, 1 GiB.
        debug_assert!(u32::try_from(offset + length).is_ok());
        length as u128 | u128::from(prefix) << 32 | (self.full.len() as u128) << 64 | (offset as u128) << 96
    }
}

impl<K: Kind> Decode for Views<K> {
    type Value = u128;

    fn bytes(&mut self, bytes: &[u8]) -> Result<u128> {
        let bytes = if K::TRIM { trim_blanks(bytes) } else { bytes };
        if K::TEXT && std::str::from_utf8(bytes).is_err() {
            return Err(Error::invalid_utf8());
        }
        if K::NUMERIC {
            Numeric::parse(bytes)?;
        }
        Ok(self.long(bytes))
    }

    #[inline(always)]
    fn on_page(&mut self, page: &PageBytes, slot: Slot) -> Result<u128> {
        let mut length = slot.length();
        // Flags and codes of one to four letters are worth a path of their own: the general one works on 128 bits.
        if !K::NUMERIC
            && let (1..=4, Some(four)) =
                (length, page.get(slot.offset()..slot.offset() + 4).and_then(|b| b.first_chunk()))
        {
            let mask = u32::MAX >> (32 - 8 * length as u32);
            let mut bytes = u32::from_le_bytes(*four) & mask;
            if K::TRIM {
                let not_blank = bytes ^ (BLANKS as u32 & mask);
                length = 4 - not_blank.leading_zeros() as usize / 8;
                bytes = (u64::from(bytes) & ((1u64 << (8 * length)) - 1)) as u32;
            }
            if !K::TEXT || bytes & NOT_ASCII as u32 == 0 {
                return Ok(u128::from(u64::from(bytes) << 32 | length as u64));
            }
        }
        let sixteen = page.get(slot.offset()..slot.offset() + 16).and_then(|bytes| bytes.first_chunk());
        if !K::NUMERIC
            && let (Some(&mask), Some(sixteen)) = (MASKS.get(length), sixteen)
        {
            let mut bytes = u128::from_le_bytes(*sixteen) & mask;
            if K::TRIM {
                let not_blank = bytes ^ (BLANKS & mask);
                length = 16 - not_blank.leading_zeros() as usize / 8;
                bytes &= MASKS.get(length).copied().unwrap_or_default();
            }
            if !K::TEXT || bytes & NOT_ASCII == 0 {
                return Ok(bytes << 32 | length as u128);
            }
        }
        self.bytes(payload(page, slot)?)
    }

    fn memory(&self) -> usize {
        self.full.iter().map(Buffer::capacity).sum::<usize>() + self.block.capacity()
    }

    fn array(&mut self, views: Vec<u128>, nulls: Option<NullBuffer>, _: &DataType) -> Result<ArrayRef> {
        let mut last = std::mem::take(&mut self.block);
        if last.len() < last.capacity() / 8 * 7 {
            last.shrink_to_fit();
        }
        let mut blocks = std::mem::take(&mut self.full);
        if !last.is_empty() {
            blocks.push(Buffer::from_vec(last));
        }
        self.next_block_size = FIRST_BLOCK;
        let views = ScalarBuffer::from(views);
        debug_assert!(nulls.as_ref().is_none_or(|nulls| nulls.len() == views.len()));
        if K::TEXT {
            debug_assert!(arrow_views_are_text(&views, &blocks));
            // Arrow's own check would be a second one and takes 15% of Q1's seven columns (`benches/decode.rs`: 59 ns per tuple
            // instead of 50), a third of all of lineitem's.
            // SAFETY: by the invariants at the head of this file, each view was made by `on_page` or `bytes`: an inline view is
            // zero-padded and its bytes were found ASCII or UTF-8; a long one names its own bytes, found UTF-8, in the block
            // that is at that index of `blocks` now. `nulls` has an entry per view by the invariant of `Builder`.
            Ok(Arc::new(unsafe { StringViewArray::new_unchecked(views, blocks, nulls) }))
        } else {
            // Without UTF-8 to look at, Arrow's check costs little.
            let array = BinaryViewArray::try_new(views, blocks, nulls);
            Ok(Arc::new(array.map_err(|error| Error::Arrow(error.to_string()))?))
        }
    }
}

/// What Arrow would check; for debug builds.
fn arrow_views_are_text(views: &ScalarBuffer<u128>, blocks: &[Buffer]) -> bool {
    StringViewArray::try_new(views.clone(), blocks.to_vec(), None).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Page;
    use arrow::array::Array;
    use fusion_common::limits::BLOCK_SIZE;

    fn text(array: &ArrayRef) -> Vec<&str> {
        let array = array.as_any().downcast_ref::<StringViewArray>().unwrap();
        array.iter().map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn values_of_all_lengths_come_back_valid() {
        let mut views = Views::<TextKind>::new();
        let long = "x".repeat(3 * FIRST_BLOCK);
        let values = ["", "a", "twelve bytes", "thirteen byte", "größer als zwölf", "é", &long, "and one more of it"];
        let made: Vec<u128> = values.iter().map(|value| views.bytes(value.as_bytes()).unwrap()).collect();
        let array = views.array(made, None, &DataType::Utf8View).unwrap();
        array.to_data().validate_full().unwrap();
        assert_eq!(text(&array), values);
    }

    #[test]
    fn blanks_go_and_bad_text_is_refused() {
        let mut views = Views::<BpcharKind>::new();
        let made: Vec<u128> = ["   ", "a  ", " a ", "é    ", "blanks behind this      "]
            .map(|v| views.bytes(v.as_bytes()).unwrap())
            .into();
        let array = views.array(made, None, &DataType::Utf8View).unwrap();
        assert_eq!(text(&array), ["", "a", " a", "é", "blanks behind this"]);
        assert_eq!(views.bytes(b"\xc3"), Err(Error::invalid_utf8()));
        assert_eq!(views.bytes(b"more than twelve bytes \xff"), Err(Error::invalid_utf8()));
    }

    #[test]
    fn inline_views_from_the_page_equal_those_from_bytes() {
        let mut bytes = [b'z'; BLOCK_SIZE];
        let zeros = [0u8; BLOCK_SIZE];
        assert!(Page::parse(0, &zeros).is_ok());
        for (place, value) in ["", "a", "a   ", "    ", "é", "twelve bytes", "eleven byte ", "én  "].iter().enumerate()
        {
            for offset in [100 * place, BLOCK_SIZE - value.len()] {
                bytes[offset..offset + value.len()].copy_from_slice(value.as_bytes());
                let slot = Slot::on_page(offset as u32, value.len() as u32);
                let (mut text, mut bpchar) = (Views::<TextKind>::new(), Views::<BpcharKind>::new());
                assert_eq!(text.on_page(&bytes, slot), text.bytes(value.as_bytes()));
                assert_eq!(bpchar.on_page(&bytes, slot), bpchar.bytes(value.as_bytes()));
            }
        }
        bytes[0] = 0xff;
        assert!(Views::<TextKind>::new().on_page(&bytes, Slot::on_page(0, 1)).is_err());
        assert!(Views::<OpaqueKind>::new().on_page(&bytes, Slot::on_page(0, 1)).is_ok());
    }
}
