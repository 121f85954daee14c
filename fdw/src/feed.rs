//! Heap pages of a query's scans, into frames, as the engine asks for them.
//!
//! Stands between [`crate::scan`] (which receives `ReadRange` and `Grant`) and [`crate::pg::heap`]. One [`Feed`] per heap
//! relation of the query. Of a block that the engine has decoded before, only what the snapshot sees is sent, unless it has changed.
//!
//! Invariants: what a frame says is visible is what PostgreSQL's routine found under the query's snapshot; a tuple that has a needed
//! value out of line is sent flattened, whatever else is in its page; only ranges that the engine asked for are read.

use crate::error::Result;
use crate::pg::heap::{HeapReader, PageContents};
use crate::pg::tuple::Flattener;
use crate::session::{Frame, Query};
use fusion_common::{BlockNumber, Lsn};
use fusion_proto::message::{CacheInfo, Wanted};
use fusion_proto::page_frame::{ALL_VISIBLE, BlockState, PageFrameWriter};
use pgrx::pg_sys;

/// The feed of one heap relation.
pub struct Feed {
    reader: HeapReader,
    /// Makes flattened copies; None where no needed column can be out of line.
    flattener: Option<Flattener>,
}

/// A range that the engine asked for and that is not sent whole yet.
#[derive(Debug)]
pub struct Range {
    /// The engine's number for it.
    pub id: u32,
    /// Index of the [`Feed`].
    pub scan: usize,
    /// Next block to send.
    pub next: BlockNumber,
    /// Block after the last.
    pub end: BlockNumber,
    /// What is wanted of the blocks from `next` on; the images of all where it is empty.
    pub wanted: std::vec::IntoIter<Wanted>,
}

impl Range {
    /// What is wanted of the next block.
    fn next_wanted(&mut self) -> Wanted {
        self.wanted.next().unwrap_or(Wanted::Image)
    }
}

impl Feed {
    /// Opens `relid` under `snapshot`; `attnums` are the needed columns.
    ///
    /// # Safety
    /// `snapshot` is registered or active for as long as the feed lives.
    pub unsafe fn begin(relid: pg_sys::Oid, snapshot: pg_sys::Snapshot, attnums: &[i16]) -> Self {
        // SAFETY: as the caller's.
        let reader = unsafe { HeapReader::begin(relid, snapshot) };
        let flattener = if reader.has_toast() { Flattener::new(reader.tuple_descriptor(), attnums) } else { None };
        Self { reader, flattener }
    }

    /// Blocks of the relation.
    pub fn blocks(&self) -> BlockNumber {
        self.reader.blocks()
    }

    /// Whether the relation has contents: a materialized view may have none yet.
    pub fn is_populated(&self) -> bool {
        self.reader.is_populated()
    }

    /// Descriptor of the relation, valid while the feed is open.
    pub fn tuple_descriptor(&self) -> pg_sys::TupleDesc {
        self.reader.tuple_descriptor()
    }

    /// What proves cached columns of the relation fresh.
    pub fn cache_info(&self) -> Option<CacheInfo> {
        self.reader.cache_info()
    }

    /// Fills `frame` with as many blocks of `range` as fit, and queues it for the engine. Returns whether the range is done.
    pub fn fill_frame(&mut self, query: &mut Query, range: &mut Range, mut frame: Frame) -> Result<bool> {
        let mut writer = PageFrameWriter::new(frame.bytes_mut())?;
        let end = range.end.min(self.reader.blocks());
        let mut wide = Vec::new();
        while range.next < end && writer.has_room() {
            let known = match range.next_wanted() {
                Wanted::Nothing => {
                    range.next += 1;
                    continue;
                }
                Wanted::IfChanged(lsn) => Some(lsn),
                Wanted::Image => None,
            };
            push_block(&mut writer, (range.next, known), &mut self.reader, self.flattener.as_mut(), &mut wide)?;
            range.next += 1;
        }
        writer.finish();
        for (block, offset_number, tuple) in wide {
            query.send_wide_tuple(range.id, block, offset_number, tuple)?;
        }
        let last = range.next >= end;
        query.queue_pages(range.id, frame, last)?;
        Ok(last)
    }

    /// Closes the relation.
    pub fn end(self) {
        self.reader.end();
    }
}

/// Reads a block into the frame, its image unless it has the known LSN. Tuples with needed values out of line follow it flattened; those too wide for the frame go to `wide`.
fn push_block(
    writer: &mut PageFrameWriter<'_>,
    (block, known): (BlockNumber, Option<Lsn>),
    reader: &mut HeapReader,
    flattener: Option<&mut Flattener>,
    wide: &mut Vec<(BlockNumber, u16, Vec<u8>)>,
) -> Result<()> {
    let Some(flattener) = flattener else {
        writer.push_block(block, |image| block_state(&reader.read(block, known, image)))?;
        return Ok(());
    };
    let mut flattened = Vec::new();
    writer.push_block(block, |image| {
        let (contents, ()) = reader.read_pinned(block, known, image, |contents, page| {
            if !contents.copied {
                return;
            }
            for offset_number in contents.offset_numbers() {
                // A tuple that is broken stays as it is, for the engine to say so.
                if let Some(tuple) = page.tuple(offset_number)
                    && let Some(tuple) = flattener.flatten(&tuple)
                {
                    flattened.push((offset_number, tuple.bytes().to_vec()));
                }
            }
        });
        block_state(&contents)
    })?;
    for (offset_number, tuple) in flattened {
        if !writer.push_flattened(offset_number, &tuple)? {
            wide.push((block, offset_number, tuple));
        }
    }
    Ok(())
}

fn block_state(contents: &PageContents) -> (BlockState, bool) {
    let state = BlockState {
        lsn: contents.lsn,
        flags: if contents.all_visible { ALL_VISIBLE } else { 0 },
        visible_count: contents.visible_count,
        visible: contents.visible,
    };
    (state, contents.copied)
}
