//! Rows of a frame's pages, and how a mask over them drops some.

use crate::error::Result;
use datafusion::arrow::buffer::BooleanBuffer;
use fusion_common::BlockNumber;
use fusion_heapscan::{ColumnDecoder, Flattened};
use fusion_proto::page_frame::VisibleBitmap;

/// A page of the frame that is decoded.
pub(in crate::scan) struct PageRows<'a> {
    pub(in crate::scan) block: BlockNumber,
    pub(in crate::scan) image: &'a [u8],
    /// Rows that are still wanted.
    pub(in crate::scan) rows: VisibleBitmap,
    pub(in crate::scan) flattened: Vec<Flattened<'a>>,
}

impl PageRows<'_> {
    pub(super) fn append_to(&self, decoder: &mut ColumnDecoder) -> Result<usize> {
        Ok(decoder.append_page(self.block, self.image, &self.rows, &self.flattened)?)
    }

    /// Keeps the rows whose bit is set; `survivors` has one per row of the frame, those of this page from `first` on. Returns where those of
    /// the next page begin.
    pub(super) fn retain(&mut self, survivors: &BooleanBuffer, first: usize) -> usize {
        let mut next = first;
        for word in &mut self.rows {
            let count = word.count_ones() as usize;
            let bits = bits_at(survivors, next, count);
            next += count;
            *word = match bits.count_ones() as usize {
                0 => 0,
                kept if kept == count => *word,
                _ => deposit(bits, *word),
            };
        }
        let rows = self.rows;
        self.flattened.retain(|tuple| {
            let index = usize::from(tuple.offset_number).wrapping_sub(1);
            rows.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
        });
        next
    }
}

/// `count` bits of `buffer` from `start` on, at most 64, the first one lowest.
fn bits_at(buffer: &BooleanBuffer, start: usize, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    let at = buffer.offset() + start;
    let mut bytes = [0; 16];
    let from = buffer.values().get(at / 8..).unwrap_or_default();
    let length = from.len().min(9);
    bytes[..length].copy_from_slice(&from[..length]);
    let bits = (u128::from_le_bytes(bytes) >> (at % 8)) as u64;
    if count < 64 { bits & ((1 << count) - 1) } else { bits }
}

/// The lowest bits of `bits`, one by one, in the places of the set bits of `places`.
fn deposit(mut bits: u64, places: u64) -> u64 {
    let (mut left, mut result) = (places, 0);
    while left != 0 {
        let bit = left & left.wrapping_neg();
        left &= left - 1;
        if bits & 1 == 1 {
            result |= bit;
        }
        bits >>= 1;
    }
    result
}

/// The mask over all rows that has, for each set bit of `selected`, the next bit of `mask`.
pub(super) fn spread(selected: &BooleanBuffer, mask: &BooleanBuffer) -> BooleanBuffer {
    let mut next = 0;
    let mut words = Vec::with_capacity(selected.len().div_ceil(64));
    let mut push = |word: u64| {
        let count = word.count_ones() as usize;
        words.push(match bits_at(mask, next, count) {
            0 => 0,
            bits if bits.count_ones() as usize == count => word,
            bits => deposit(bits, word),
        });
        next += count;
    };
    let chunks = selected.bit_chunks();
    chunks.iter().for_each(&mut push);
    if chunks.remainder_len() > 0 {
        push(chunks.remainder_bits());
    }
    BooleanBuffer::new(words.into(), 0, selected.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_of_selected_rows_is_spread_over_all() {
        let selected: Vec<bool> = (0..1000).map(|row| row % 7 != 0 && !(300..400).contains(&row)).collect();
        let mask: Vec<bool> =
            (0..selected.iter().filter(|bit| **bit).count()).map(|row| row % 3 == 0 || row > 700).collect();
        let mut bits = mask.iter();
        let expected: Vec<bool> = selected.iter().map(|&bit| bit && *bits.next().unwrap()).collect();
        for cut in [0, 13] {
            let selected = BooleanBuffer::from(selected.clone()).slice(cut, 1000 - cut);
            let skipped = 1000 - cut - selected.len();
            assert_eq!(skipped, 0);
            let first = (0..cut).filter(|&row| row % 7 != 0).count();
            let mask = BooleanBuffer::from(mask.clone()).slice(first, mask.len() - first);
            assert_eq!(spread(&selected, &mask).iter().collect::<Vec<_>>(), expected[cut..]);
        }
    }

    #[test]
    fn survivors_keep_their_line_pointers() {
        // Rows of two pages: the second begins in the middle of a word of the mask.
        let mask: Vec<bool> = (0..150).map(|row| row % 3 == 0 || row > 140).collect();
        let survivors = BooleanBuffer::from(mask.clone());
        let visible: [VisibleBitmap; 2] = [[u64::MAX, 0b1011, 0, 0, 0], [u64::MAX << 3, 0, 1 << 63, 0xff, 0]];
        let mut next = 0;
        let mut rows = 0;
        for visible in visible {
            let mut page = PageRows { block: 0, image: &[], rows: visible, flattened: Vec::new() };
            next = page.retain(&survivors, next);
            for index in 0..64 * visible.len() {
                let bit = |bitmap: &VisibleBitmap| bitmap[index / 64] >> (index % 64) & 1 == 1;
                let expected = bit(&visible) && {
                    rows += 1;
                    mask[rows - 1]
                };
                assert_eq!(bit(&page.rows), expected, "{index}");
            }
        }
        assert_eq!(next, rows);
    }

    #[test]
    fn a_flattened_tuple_goes_with_its_row() {
        let flattened = [1, 2].map(|offset_number| Flattened { offset_number, tuple: &[] }).to_vec();
        let mut page = PageRows { block: 0, image: &[], rows: [0b11, 0, 0, 0, 0], flattened };
        page.retain(&BooleanBuffer::from(vec![false, true]), 0);
        assert_eq!(page.flattened.iter().map(|tuple| tuple.offset_number).collect::<Vec<_>>(), [2]);
    }
}
