//! Heap pages on their way from a backend to the engine.
//!
//! ```text
//! ┌──────────────┬──────────────────────────┬─────────┬─ ─ ─┬─────────┬─────────────────────────────┐
//! │ FrameHeader  │ BlockEntry × 128         │ image   │     │ image   │ flattened tuples of a block │
//! │ 16 bytes     │ 72 bytes each, directory │ 8 KiB   │     │ 8 KiB   │ behind its image            │
//! └──────────────┴──────────────────────────┴─────────┴─ ─ ─┴─────────┴─────────────────────────────┘
//! flattened tuple: offset number u16 · 0 u16 · length u32 · bytes · pad to 8
//! ```
//!
//! Invariants: everything is 8-byte aligned; entries stand in the order in which blocks were pushed; an entry with image offset 0
//! says that only its visibility is meant, and with [`ALL_VISIBLE`] its bitmap, too, is left out; offsets grow and never overlap. [`PageFrame::parse`] checks bounds, counts and
//! alignment once; the page images themselves stay untrusted (heapscan checks them).

use crate::error::{Error, Result};
use fusion_common::limits::{BITMAP_WORDS, BLOCK_SIZE, FRAME_SIZE};
use fusion_common::{BlockNumber, Lsn};

/// Entries of the directory: a whole chunk of blocks by visibility alone.
pub const DIRECTORY_CAPACITY: usize = fusion_common::limits::CHUNK_BLOCKS as usize;

/// Visible line pointers: bit `i % 64` of word `i / 64` is offset number `i + 1`.
pub type VisibleBitmap = [u64; BITMAP_WORDS];

const MAGIC: u32 = u32::from_le_bytes(*b"PGF1");
const HEADER_SIZE: usize = 16;
const ENTRY_SIZE: usize = 72;
const DATA_START: usize = HEADER_SIZE + DIRECTORY_CAPACITY * ENTRY_SIZE;
const TUPLE_HEADER: usize = 8;

const _: () = assert!(DATA_START.is_multiple_of(8));
const _: () = assert!((FRAME_SIZE - DATA_START) / BLOCK_SIZE >= 32);
const _: () = assert!(32 + 8 * BITMAP_WORDS == ENTRY_SIZE);

/// All tuples of the page are visible to every snapshot.
pub const ALL_VISIBLE: u16 = 1;

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Its page LSN when it was read.
    pub lsn: Lsn,
    /// Its number.
    pub block: BlockNumber,
    /// Offset of the image in the frame; 0: none.
    image: u32,
    /// Offset of the first flattened tuple; 0: none.
    flattened: u32,
    /// Number of flattened tuples.
    flattened_count: u16,
    /// Number of visible line pointers.
    pub visible_count: u16,
    /// [`ALL_VISIBLE`].
    pub flags: u16,
    /// Visible line pointers.
    pub visible: VisibleBitmap,
}

/// What the backend found in a block when it copied it; see [`BlockEntry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockState {
    /// Its page LSN.
    pub lsn: Lsn,
    /// [`ALL_VISIBLE`].
    pub flags: u16,
    /// Number of visible line pointers.
    pub visible_count: u16,
    /// Visible line pointers.
    pub visible: VisibleBitmap,
}

// Layout of an entry: lsn 0 · block 8 · image 12 · flattened 16 · flattened_count 20 · visible_count 22 · flags 24 · zero 26..32 ·
// bitmap 32.
impl BlockEntry {
    fn write(&self, to: &mut [u8]) {
        to[0..8].copy_from_slice(&self.lsn.to_le_bytes());
        to[8..12].copy_from_slice(&self.block.to_le_bytes());
        to[12..16].copy_from_slice(&self.image.to_le_bytes());
        to[16..20].copy_from_slice(&self.flattened.to_le_bytes());
        to[20..22].copy_from_slice(&self.flattened_count.to_le_bytes());
        to[22..24].copy_from_slice(&self.visible_count.to_le_bytes());
        to[24..26].copy_from_slice(&self.flags.to_le_bytes());
        to[26..32].fill(0);
        for (word, bytes) in self.visible.iter().zip(to[32..].chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }

    fn read(from: &[u8; ENTRY_SIZE]) -> Self {
        let u16_at = |at: usize| u16::from_le_bytes([from[at], from[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([from[at], from[at + 1], from[at + 2], from[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        Self {
            lsn: u64_at(0),
            block: u32_at(8),
            image: u32_at(12),
            flattened: u32_at(16),
            flattened_count: u16_at(20),
            visible_count: u16_at(22),
            flags: u16_at(24),
            visible: std::array::from_fn(|word| u64_at(32 + 8 * word)),
        }
    }
}

/// Fills a frame with blocks. The header is written by [`PageFrameWriter::finish`]: an unfinished frame does not parse.
#[derive(Debug)]
pub struct PageFrameWriter<'a> {
    frame: &'a mut [u8],
    entries: Vec<BlockEntry>,
    end: usize,
}

impl<'a> PageFrameWriter<'a> {
    /// Starts on a whole frame.
    pub fn new(frame: &'a mut [u8]) -> Result<Self> {
        if frame.len() != FRAME_SIZE {
            return Err(Error::Frame("not a whole frame"));
        }
        frame[..HEADER_SIZE].fill(0);
        Ok(Self { frame, entries: Vec::with_capacity(DIRECTORY_CAPACITY), end: DATA_START })
    }

    /// Blocks so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no block yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether one more block with its image fits.
    pub fn has_room(&self) -> bool {
        self.entries.len() < DIRECTORY_CAPACITY && self.end + BLOCK_SIZE <= FRAME_SIZE
    }

    /// Adds a block with its image. `copy` writes that into the slice it is given (`BLOCK_SIZE` bytes, old content) and tells what it wrote.
    pub fn push_image(&mut self, block: BlockNumber, copy: impl FnOnce(&mut [u8]) -> BlockState) -> Result<()> {
        self.push_block(block, |image| (copy(image), true))
    }

    /// Adds a block; `copy` also tells whether it has written the image, or means the block's visibility alone.
    pub fn push_block(&mut self, block: BlockNumber, copy: impl FnOnce(&mut [u8]) -> (BlockState, bool)) -> Result<()> {
        if !self.has_room() {
            return Err(Error::Frame("full"));
        }
        let image = self.end;
        let (state, has_image) = copy(&mut self.frame[image..image + BLOCK_SIZE]);
        let BlockState { lsn, flags, visible_count, visible } = state;
        if has_image {
            self.end += BLOCK_SIZE;
        }
        self.entries.push(BlockEntry {
            lsn,
            block,
            image: if has_image { image as u32 } else { 0 },
            flattened: 0,
            flattened_count: 0,
            visible_count,
            flags,
            visible,
        });
        Ok(())
    }

    /// Adds a flattened tuple of the block pushed last; false if it does not fit (send it as `WideTuple` then).
    pub fn push_flattened(&mut self, offset_number: u16, tuple: &[u8]) -> Result<bool> {
        let Some(entry) = self.entries.last_mut() else {
            return Err(Error::Frame("flattened tuple before any block"));
        };
        let end = self.end + (TUPLE_HEADER + tuple.len()).next_multiple_of(8);
        if end > FRAME_SIZE {
            return Ok(false);
        }
        let to = &mut self.frame[self.end..end];
        to[0..2].copy_from_slice(&offset_number.to_le_bytes());
        to[2..4].fill(0);
        to[4..8].copy_from_slice(&(tuple.len() as u32).to_le_bytes());
        to[TUPLE_HEADER..TUPLE_HEADER + tuple.len()].copy_from_slice(tuple);
        if entry.flattened_count == 0 {
            entry.flattened = self.end as u32;
        }
        entry.flattened_count += 1;
        self.end = end;
        Ok(true)
    }

    /// Writes header and directory; the frame may be sent.
    pub fn finish(self) {
        for (entry, to) in self.entries.iter().zip(self.frame[HEADER_SIZE..].chunks_exact_mut(ENTRY_SIZE)) {
            entry.write(to);
        }
        self.frame[4..8].copy_from_slice(&(self.entries.len() as u32).to_le_bytes());
        self.frame[8..12].copy_from_slice(&(self.end as u32).to_le_bytes());
        self.frame[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    }
}

/// A frame of blocks, its directory checked.
#[derive(Debug)]
pub struct PageFrame<'a> {
    frame: &'a [u8],
    entries: Vec<BlockEntry>,
}

impl<'a> PageFrame<'a> {
    /// Checks a frame that arrived.
    pub fn parse(frame: &'a [u8]) -> Result<Self> {
        let header: &[u8; HEADER_SIZE] = frame.first_chunk().ok_or(Error::Frame("too short"))?;
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if frame.len() != FRAME_SIZE || word(0) != MAGIC {
            return Err(Error::Frame("not a page frame"));
        }
        let (count, end) = (word(4) as usize, word(8) as usize);
        if count > DIRECTORY_CAPACITY || !(DATA_START..=FRAME_SIZE).contains(&end) {
            return Err(Error::Frame("page frame header out of range"));
        }
        let entries: Vec<_> =
            frame[HEADER_SIZE..].as_chunks::<ENTRY_SIZE>().0.iter().take(count).map(BlockEntry::read).collect();
        let mut free = DATA_START;
        for entry in &entries {
            for (offset, length) in [(entry.image, BLOCK_SIZE), (entry.flattened, 0)] {
                let offset = offset as usize;
                if offset != 0 {
                    if offset < free || !offset.is_multiple_of(8) || offset + length > end {
                        return Err(Error::Frame("block entry out of range"));
                    }
                    free = offset + length;
                }
            }
            if (entry.flattened == 0) != (entry.flattened_count == 0) {
                return Err(Error::Frame("flattened tuples without a place"));
            }
        }
        let parsed = Self { frame: &frame[..end], entries };
        for index in 0..parsed.entries.len() {
            for tuple in parsed.flattened(index) {
                tuple?;
            }
        }
        Ok(parsed)
    }

    /// The blocks.
    pub fn entries(&self) -> &[BlockEntry] {
        &self.entries
    }

    /// Image of the block at `index`; None where only its visibility was sent.
    pub fn image(&self, index: usize) -> Option<&'a [u8]> {
        let at = self.entries.get(index)?.image as usize;
        if at == 0 { None } else { self.frame.get(at..at + BLOCK_SIZE) }
    }

    /// Flattened tuples of the block at `index`: (offset number, tuple bytes).
    pub fn flattened(&self, index: usize) -> impl Iterator<Item = Result<(u16, &'a [u8])>> + use<'a> {
        let (frame, mut at, count) = match self.entries.get(index) {
            Some(entry) => (self.frame, entry.flattened as usize, entry.flattened_count),
            None => (self.frame, 0, 0),
        };
        (0..count).map(move |_| {
            let broken = || Error::Frame("flattened tuple out of range");
            let header = frame.get(at..).and_then(|rest| rest.first_chunk::<TUPLE_HEADER>()).ok_or_else(broken)?;
            let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
            let start = at + TUPLE_HEADER;
            let tuple = start.checked_add(length).and_then(|end| frame.get(start..end)).ok_or_else(broken)?;
            at = (start + length).next_multiple_of(8);
            Ok((u16::from_le_bytes([header[0], header[1]]), tuple))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Vec<u8> {
        let mut frame = vec![0xAA; FRAME_SIZE];
        let mut writer = PageFrameWriter::new(&mut frame).unwrap();
        let mut block = 0;
        while writer.has_room() {
            let copy = |image: &mut [u8]| {
                image.fill(block as u8);
                BlockState { lsn: 7 + u64::from(block), flags: ALL_VISIBLE, visible_count: 2, visible: [3, 0, 0, 0, 0] }
            };
            writer.push_image(block, copy).unwrap();
            if block == 3 {
                assert!(writer.push_flattened(2, b"a tuple").unwrap());
                assert!(writer.push_flattened(1, b"another one").unwrap());
                assert!(!writer.push_flattened(1, &vec![0; FRAME_SIZE]).unwrap());
            }
            block += 1;
        }
        writer.finish();
        frame
    }

    #[test]
    fn what_is_written_is_read() {
        let frame = filled();
        let parsed = PageFrame::parse(&frame).unwrap();
        assert_eq!(parsed.entries().len(), 32, "small tuples fit beside 32 images");
        for (index, entry) in parsed.entries().iter().enumerate() {
            assert_eq!((entry.block as usize, entry.lsn), (index, 7 + index as u64));
            assert!(parsed.image(index).unwrap().iter().all(|byte| usize::from(*byte) == index));
        }
        let tuples: Vec<_> = parsed.flattened(3).map(|tuple| tuple.unwrap()).collect();
        assert_eq!(tuples, [(2, b"a tuple".as_slice()), (1, b"another one".as_slice())]);
        assert_eq!(parsed.flattened(4).count(), 0);
    }

    #[test]
    fn damaged_frames_are_refused_or_read_within_bounds() {
        let frame = filled();
        for at in (0..DATA_START).chain(DATA_START + 4 * BLOCK_SIZE..DATA_START + 4 * BLOCK_SIZE + 64) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = frame.clone();
                damaged[at] = value;
                if let Ok(parsed) = PageFrame::parse(&damaged) {
                    for index in 0..parsed.entries().len() {
                        let _ = parsed.image(index);
                        assert!(parsed.flattened(index).all(|tuple| tuple.is_ok()));
                    }
                }
            }
        }
    }

    #[test]
    fn a_whole_chunk_fits_by_visibility_alone() {
        let mut frame = vec![0xAA; FRAME_SIZE];
        let mut writer = PageFrameWriter::new(&mut frame).unwrap();
        let state = BlockState { lsn: 9, flags: 0, visible_count: 1, visible: [1, 0, 0, 0, 0] };
        let mut block = 0;
        while writer.has_room() {
            writer.push_block(block, |_| (state, block == 5)).unwrap();
            block += 1;
        }
        writer.finish();
        let parsed = PageFrame::parse(&frame).unwrap();
        assert_eq!(parsed.entries().len(), DIRECTORY_CAPACITY);
        assert!((0..DIRECTORY_CAPACITY).all(|index| parsed.image(index).is_some() == (index == 5)));
    }

    #[test]
    fn an_unfinished_frame_does_not_parse() {
        let mut frame = filled();
        let nothing = BlockState { lsn: 0, flags: 0, visible_count: 0, visible: [0; BITMAP_WORDS] };
        PageFrameWriter::new(&mut frame).unwrap().push_image(0, |_| nothing).unwrap();
        assert!(PageFrame::parse(&frame).is_err());
    }
}
