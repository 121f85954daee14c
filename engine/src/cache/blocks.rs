//! Which tuples of a chunk's blocks are the rows of its decoded columns, and the state of the pages they were decoded from.
//!
//! A chunk's columns hold **all** tuples of its blocks that a normal line pointer leads to, whoever sees them. A [`BlockTable`] says for
//! each block at which page LSN that was, which line pointers its rows are, and where the block's first row is. It is shared by
//! the columns that were decoded together.
//!
//! Invariants
//! - Row `first_row + i` of a block is the tuple at its `i`-th line pointer of the block's [`RowMap`].
//! - `map_lsns` were read, together with all-visible bits, before any page of the table was: see [`BlockTable::vouches`].

use datafusion::arrow::array::BooleanBufferBuilder;
use datafusion::arrow::buffer::BooleanBuffer;
use fusion_common::limits::{BITMAP_WORDS, BLOCKS_PER_MAP_PAGE};
use fusion_common::{BlockNumber, Lsn};
use fusion_proto::message::CacheInfo;
use fusion_proto::page_frame::VisibleBitmap;
use std::ops::Range;

/// Line pointers of a block that are rows, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowMap {
    /// The first so many.
    First(u16),
    /// Those whose bit is set.
    Some(Box<VisibleBitmap>),
}

impl RowMap {
    /// Of a bitmap.
    pub fn new(bitmap: &VisibleBitmap) -> Self {
        let count = count(bitmap);
        if *bitmap == first(count) { Self::First(count) } else { Self::Some(Box::new(*bitmap)) }
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        usize::from(match self {
            Self::First(count) => *count,
            Self::Some(bitmap) => count(bitmap),
        })
    }

    /// As a bitmap of offset numbers.
    pub fn bitmap(&self) -> VisibleBitmap {
        match self {
            Self::First(count) => first(*count),
            Self::Some(bitmap) => **bitmap,
        }
    }
}

fn count(bitmap: &VisibleBitmap) -> u16 {
    bitmap.iter().map(|word| word.count_ones() as u16).sum()
}

/// The bitmap whose first `count` bits are set.
fn first(count: u16) -> VisibleBitmap {
    std::array::from_fn(|word| match usize::from(count).saturating_sub(64 * word) {
        0 => 0,
        bits @ 1..64 => (1 << bits) - 1,
        _ => u64::MAX,
    })
}

/// A block of a table.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its page LSN when it was decoded.
    pub lsn: Lsn,
    /// Its first row in the chunk.
    pub first_row: u32,
    /// Its rows.
    pub rows: RowMap,
    /// Whether its page said that all tuples are visible to everyone (`PD_ALL_VISIBLE`) when it was decoded, or found to be as decoded.
    pub all_visible: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub struct BlockTable {
    first_block: BlockNumber,
    /// LSNs of the map pages of the first and the last block; None where there was no map page.
    map_lsns: [Option<Lsn>; 2],
    blocks: Vec<Block>,
    /// How many blocks, from the first, are all [`Block::all_visible`].
    all_visible: usize,
    rows: usize,
}

impl BlockTable {
    /// Of `blocks` (LSN, rows and [`Block::all_visible`] of each), decoded by a scan that had read the map as `info` says.
    pub fn new(first_block: BlockNumber, blocks: impl Iterator<Item = (Lsn, RowMap, bool)>, info: &CacheInfo) -> Self {
        let mut rows = 0;
        let blocks: Vec<Block> = blocks
            .map(|(lsn, map, all_visible)| {
                let block = Block { lsn, first_row: rows as u32, rows: map, all_visible };
                rows += block.rows.count();
                block
            })
            .collect();
        let last = first_block.saturating_add((blocks.len() as u32).saturating_sub(1));
        let all_visible = blocks.iter().take_while(|block| block.all_visible).count();
        Self { first_block, map_lsns: [info.map_lsn(first_block), info.map_lsn(last)], blocks, all_visible, rows }
    }

    /// The blocks, from the chunk's first.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Block number of the first.
    pub fn first_block(&self) -> BlockNumber {
        self.first_block
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows of the blocks at `range`, as far as there are any.
    pub fn rows_of(&self, range: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.blocks.get(index).map_or(self.rows, |block| block.first_row as usize);
        at(range.start)..at(range.end).max(at(range.start))
    }

    /// Whether the map proves the block at `index` unchanged since it was decoded, and all its tuples visible to every snapshot.
    ///
    /// Its bit is set, and its map page has the LSN that it had before the block was decoded. Setting a bit always moves the map page's LSN
    /// (`visibilitymap_set` logs it), so the bit was set before the block was decoded, and ever since; and clearing it comes
    /// before any change of the page's tuples.
    ///
    /// That is so for a scan that began after the one which decoded. One that began before may have seen a bit that was cleared before the
    /// block was decoded, which moves no LSN. So the page itself must have said that it was all-visible: no tuple can be
    /// called visible to everyone, nor a dead one be removed, against the snapshot of a scan that is still running.
    pub fn vouches(&self, index: usize, info: &CacheInfo) -> bool {
        let block = self.first_block.saturating_add(index as u32);
        let page = |block: BlockNumber| block / BLOCKS_PER_MAP_PAGE;
        let known = self.map_lsns[usize::from(page(block) != page(self.first_block))];
        self.blocks.get(index).is_some_and(|block| block.all_visible)
            && known.is_some()
            && known == info.map_lsn(block)
            && info.is_all_visible(block)
    }

    /// Whether [`Self::vouches`] for each of the first `blocks` blocks.
    pub fn vouches_for_all(&self, blocks: usize, info: &CacheInfo) -> bool {
        let first = self.first_block as usize / 8;
        let is_on_one_page = self.first_block / BLOCKS_PER_MAP_PAGE
            == self.first_block.saturating_add(blocks.saturating_sub(1) as u32) / BLOCKS_PER_MAP_PAGE;
        if !self.first_block.is_multiple_of(8) || !is_on_one_page {
            return (0..blocks).all(|index| self.vouches(index, info));
        }
        let (whole, rest) = (blocks / 8, blocks % 8);
        let bits = info.all_visible.get(first..first + whole + usize::from(rest > 0));
        blocks <= self.all_visible
            && self.map_lsns[0].is_some()
            && self.map_lsns[0] == info.map_lsn(self.first_block)
            && bits.is_some_and(|bits| {
                let mask = (1u8 << rest) - 1;
                bits.iter().take(whole).all(|byte| *byte == u8::MAX)
                    && bits.get(whole).is_none_or(|byte| byte & mask == mask)
            })
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let maps = self.blocks.iter().filter(|block| matches!(block.rows, RowMap::Some(_))).count();
        size_of::<Self>() + self.blocks.capacity() * size_of::<Block>() + maps * size_of::<VisibleBitmap>()
    }

    /// Which rows are visible, given what is visible of each block; None: all of them.
    pub fn mask(&self, visible: &[Visible]) -> Option<BooleanBuffer> {
        let is_all = |(block, visible): (&Block, &Visible)| match visible {
            Visible::All => true,
            Visible::Some(bitmap) => block.rows.bitmap() == **bitmap,
        };
        if self.blocks.iter().zip(visible).all(is_all) {
            return None;
        }
        let mut mask = BooleanBufferBuilder::new(self.rows);
        for (block, visible) in self.blocks.iter().zip(visible) {
            match visible {
                Visible::All => mask.append_n(block.rows.count(), true),
                Visible::Some(bitmap) => {
                    for (rows, visible) in block.rows.bitmap().into_iter().zip(bitmap.iter()) {
                        append_word(&mut mask, rows, *visible);
                    }
                }
            }
        }
        Some(mask.finish())
    }
}

/// For each set bit of `rows`, from the lowest, the bit of `visible` in its place.
fn append_word(mask: &mut BooleanBufferBuilder, rows: u64, visible: u64) {
    let count = rows.count_ones() as usize;
    if rows & visible == rows {
        mask.append_n(count, true);
        return;
    }
    let mut left = rows;
    while left != 0 {
        mask.append(visible & (left & left.wrapping_neg()) != 0);
        left &= left - 1;
    }
}

/// What a snapshot sees of a block.
#[derive(Clone, Debug)]
pub enum Visible {
    /// Every tuple.
    All,
    /// Those at the line pointers whose bit is set.
    Some(Box<VisibleBitmap>),
}

impl Visible {
    /// Of a bitmap over a block whose tuples are `rows`; None where it has a bit that `rows` has not.
    pub fn new(visible: &VisibleBitmap, rows: &VisibleBitmap) -> Option<Self> {
        let outside = (0..BITMAP_WORDS).any(|word| visible[word] & !rows[word] != 0);
        if outside {
            return None;
        }
        Some(if visible == rows { Self::All } else { Self::Some(Box::new(*visible)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusion_common::RelationFile;
    use fusion_common::limits::MAX_HEAP_TUPLES_PER_PAGE;

    fn info(map_lsns: &[Lsn], all_visible: &[u8]) -> CacheInfo {
        let file = RelationFile { tablespace: 1663, database: 5, number: 16384 };
        CacheInfo { relation: 1, file, map_lsns: map_lsns.to_vec(), all_visible: all_visible.to_vec() }
    }

    fn bitmap(offset_numbers: &[usize]) -> VisibleBitmap {
        let mut bitmap = [0; BITMAP_WORDS];
        offset_numbers.iter().for_each(|number| bitmap[(number - 1) / 64] |= 1 << ((number - 1) % 64));
        bitmap
    }

    #[test]
    fn row_maps_keep_their_bits() {
        for count in [0, 1, 63, 64, 65, 128, MAX_HEAP_TUPLES_PER_PAGE] {
            let bits = bitmap(&(1..=count).collect::<Vec<_>>());
            let map = RowMap::new(&bits);
            assert_eq!((map.clone(), map.count(), map.bitmap()), (RowMap::First(count as u16), count, bits));
        }
        let bits = bitmap(&[2, 64, 65, 291]);
        let map = RowMap::new(&bits);
        assert!(matches!(map, RowMap::Some(_)));
        assert_eq!((map.count(), map.bitmap()), (4, bits));
    }

    #[test]
    fn the_map_vouches_only_with_the_same_lsn_and_a_set_bit() {
        let rows = || (0..3).map(|block| (10 + block, RowMap::First(2), true));
        let then = info(&[7], &[0b101]);
        let table = BlockTable::new(0, rows(), &then);
        assert_eq!([0, 1, 2, 3].map(|index| table.vouches(index, &then)), [true, false, true, false]);
        assert!(!table.vouches(0, &info(&[8], &[0b111])), "a bit was set meanwhile, perhaps this one");
        assert!(!table.vouches(0, &info(&[7], &[0b110])), "cleared");
        assert!(!table.vouches(0, &info(&[], &[])), "the map is gone");
        assert!(!BlockTable::new(0, rows(), &info(&[], &[])).vouches(0, &then), "there was no map");
    }

    #[test]
    fn a_chunk_may_lie_on_two_map_pages() {
        let first = BLOCKS_PER_MAP_PAGE - 1;
        let mut bits = vec![0; first as usize / 8 + 2];
        for block in [first, first + 1] {
            bits[block as usize / 8] |= 1 << (block % 8);
        }
        let table = BlockTable::new(first, (0..2).map(|_| (1, RowMap::First(1), true)), &info(&[7, 9], &bits));
        let after = info(&[7, 10], &bits);
        assert_eq!([0, 1].map(|index| table.vouches(index, &after)), [true, false]);
    }

    #[test]
    fn all_are_vouched_for_when_each_is() {
        for (first, count) in [(0, 20), (128, 128), (BLOCKS_PER_MAP_PAGE - 8, 16), (3, 10)] {
            let mut bits = vec![u8::MAX; (first as usize + count) / 8 + 1];
            let table = BlockTable::new(first, (0..count).map(|_| (1, RowMap::First(1), true)), &info(&[7, 9], &bits));
            assert!(table.vouches_for_all(count, &info(&[7, 9], &bits)));
            assert!(!table.vouches_for_all(count + 1, &info(&[7, 9], &vec![u8::MAX; bits.len() + 8])));
            assert!(!table.vouches_for_all(count, &info(&[8, 8], &bits)));
            for index in 0..count {
                let block = first as usize + index;
                bits[block / 8] ^= 1 << (block % 8);
                let info = info(&[7, 9], &bits);
                assert!(!table.vouches_for_all(count, &info) && !table.vouches(index, &info), "{first} {index}");
                assert!(table.vouches_for_all(index, &info));
                bits[block / 8] ^= 1 << (block % 8);
            }
        }
    }

    #[test]
    fn a_page_that_was_not_all_visible_when_decoded_is_not_vouched_for() {
        // This scan read the map before an update cleared the bit of block 1; the one that decoded read it afterwards.
        let (before, after) = (info(&[7], &[0b111]), info(&[7], &[0b101]));
        let rows = (0..3).map(|block| (10 + block, RowMap::First(2), block != 1));
        let table = BlockTable::new(0, rows, &after);
        assert_eq!([0, 1, 2].map(|index| table.vouches(index, &before)), [true, false, true]);
        assert_eq!([1, 2, 3].map(|blocks| table.vouches_for_all(blocks, &before)), [true, false, false]);
    }

    #[test]
    fn visible_line_pointers_become_rows() {
        let maps = [bitmap(&[1, 2, 3]), bitmap(&[2, 70, 71]), bitmap(&[1])];
        let rows = maps.iter().map(|map| (1, RowMap::new(map), true));
        let table = BlockTable::new(0, rows, &info(&[], &[]));
        assert_eq!(table.rows_of(1..3), 3..7);
        let all = [Visible::All, Visible::All, Visible::All];
        assert!(table.mask(&all).is_none());
        let some = [
            Visible::new(&bitmap(&[1, 3]), &maps[0]).unwrap(),
            Visible::new(&bitmap(&[70]), &maps[1]).unwrap(),
            Visible::All,
        ];
        let mask: Vec<bool> = table.mask(&some).unwrap().iter().collect();
        assert_eq!(mask, [true, false, true, false, true, false, true]);
        assert!(Visible::new(&bitmap(&[4]), &maps[0]).is_none());
    }
}
