//! Heap pages by PostgreSQL's own page-at-a-time routine.
//!
//! Stands between [`crate::feed`] and the buffer manager. `heapgetpage` (15, 16) and `heap_prepare_pagescan` (17, 18) prune the page
//! and say which line pointers the scan's snapshot sees; this module only points them at a block and lets the caller copy.
//!
//! Invariants
//! - A page is pinned exactly while [`HeapReader::read`] runs its closure, and share-locked while [`PageView::copy_to`] copies: what is
//!   copied is one state of the page, with the LSN that belongs to it. The pin keeps visible tuples where they are.
//! - Backend's main thread only; the relation is locked by the query that reads it.

use fusion_common::limits::BLOCK_SIZE;
use fusion_common::{BlockNumber, Lsn};
use fusion_proto::page_frame::VisibleBitmap;
use pgrx::pg_sys;

/// An open scan over a heap relation, reading blocks in any order.
pub struct HeapReader {
    relation: pg_sys::Relation,
    /// Made by `heap_beginscan`, so it is a `HeapScanDescData`.
    scan: pg_sys::HeapScanDesc,
}

/// A pinned page and what the snapshot sees of it.
pub struct PageView<'a> {
    page: *const u8,
    buffer: pg_sys::Buffer,
    /// Offset numbers of the tuples that the snapshot sees, ascending.
    pub visible: &'a [pg_sys::OffsetNumber],
}

impl HeapReader {
    /// Opens `relid`, which the query holds a lock on, for reading under `snapshot`.
    ///
    /// # Safety
    /// `snapshot` is registered or active for as long as the reader lives.
    pub unsafe fn begin(relid: pg_sys::Oid, snapshot: pg_sys::Snapshot) -> Self {
        // SAFETY: main thread; the caller vouches for the snapshot. An ERROR unwinds, and the resource owner closes the relation.
        unsafe {
            let relation = pg_sys::table_open(relid, pg_sys::NoLock as pg_sys::LOCKMODE);
            let flags = pg_sys::ScanOptions::SO_TYPE_SEQSCAN
                | pg_sys::ScanOptions::SO_ALLOW_STRAT
                | pg_sys::ScanOptions::SO_ALLOW_PAGEMODE;
            let scan =
                pg_sys::heap_beginscan(relation, snapshot, 0, std::ptr::null_mut(), std::ptr::null_mut(), flags as _);
            Self { relation, scan: scan.cast() }
        }
    }

    /// Blocks of the relation when the scan began: later ones hold nothing that the snapshot sees.
    pub fn blocks(&self) -> BlockNumber {
        // SAFETY: `scan` is valid until `end`.
        unsafe { (*self.scan).rs_nblocks }
    }

    /// The relation's tuple descriptor.
    pub fn tuple_descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: the relation is open.
        unsafe { (*self.relation).rd_att }
    }

    /// Whether the relation has a TOAST table, so that out-of-line values can occur.
    pub fn has_toast(&self) -> bool {
        // SAFETY: the relation is open; rd_rel is set for every open relation.
        unsafe { (*(*self.relation).rd_rel).reltoastrelid != pg_sys::InvalidOid }
    }

    /// Pins `block`, lets PostgreSQL prune it and compute visibility, and shows it to `visit`.
    pub fn read<R>(&mut self, block: BlockNumber, visit: impl FnOnce(&PageView<'_>) -> R) -> R {
        // SAFETY: `scan` is ours alone; after `prepare` its rs_cbuf is pinned and rs_vistuples holds rs_ntuples entries.
        unsafe {
            self.prepare(block);
            let scan = &mut *self.scan;
            let buffer = scan.rs_cbuf;
            let count = (scan.rs_ntuples as usize).min(scan.rs_vistuples.len());
            let view = PageView {
                page: pg_sys::BufferGetPage(buffer).cast_const().cast(),
                buffer,
                visible: &scan.rs_vistuples[..count],
            };
            let result = visit(&view);
            pg_sys::ReleaseBuffer(buffer);
            (*self.scan).rs_cbuf = pg_sys::InvalidBuffer as pg_sys::Buffer;
            result
        }
    }

    #[cfg(any(feature = "pg15", feature = "pg16"))]
    unsafe fn prepare(&mut self, block: BlockNumber) {
        // SAFETY: a page-mode scan with no buffer pinned: heapgetpage pins the block and fills rs_vistuples.
        unsafe { pg_sys::heapgetpage(self.scan.cast(), block) }
    }

    #[cfg(any(feature = "pg17", feature = "pg18"))]
    unsafe fn prepare(&mut self, block: BlockNumber) {
        // SAFETY: as heap_fetch_next_buffer leaves a scan for heap_prepare_pagescan: rs_cbuf pinned, rs_cblock its number.
        unsafe {
            let scan = self.scan;
            (*scan).rs_cbuf = pg_sys::ReadBufferExtended(
                self.relation,
                pg_sys::ForkNumber::MAIN_FORKNUM,
                block,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                (*scan).rs_strategy,
            );
            (*scan).rs_cblock = block;
            pg_sys::heap_prepare_pagescan(scan.cast());
        }
    }

    /// Ends the scan and closes the relation, keeping the lock.
    pub fn end(self) {
        // SAFETY: both were opened by `begin` and are closed once, here. (A reader that is only dropped is cleaned up by the
        // resource owner at abort, as any scan is.)
        unsafe {
            pg_sys::heap_endscan(self.scan.cast());
            pg_sys::table_close(self.relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
    }
}

impl PageView<'_> {
    /// Copies the page into `to` (`BLOCK_SIZE` bytes) under the share lock; returns the LSN of what was copied.
    pub fn copy_to(&self, to: &mut [u8]) -> Lsn {
        assert_eq!(to.len(), BLOCK_SIZE);
        // SAFETY: the buffer is pinned for the life of this view, so the page is BLOCK_SIZE readable bytes; the share lock keeps
        // writers (but for hint bits, which nobody decodes) away while they are copied. The first 8 bytes are pd_lsn.
        unsafe {
            pg_sys::LockBuffer(self.buffer, pg_sys::BUFFER_LOCK_SHARE as _);
            std::ptr::copy_nonoverlapping(self.page, to.as_mut_ptr(), BLOCK_SIZE);
            pg_sys::LockBuffer(self.buffer, pg_sys::BUFFER_LOCK_UNLOCK as _);
        }
        let half = |at: usize| u64::from(u32::from_le_bytes([to[at], to[at + 1], to[at + 2], to[at + 3]]));
        half(0) << 32 | half(4)
    }

    /// Whether the page says that all its tuples are visible to everyone (PD_ALL_VISIBLE, as of the copy in `image`).
    pub fn is_all_visible(image: &[u8]) -> bool {
        const PD_FLAGS: usize = 10;
        image[PD_FLAGS] & pg_sys::PD_ALL_VISIBLE as u8 != 0
    }

    /// The visible line pointers as a bitmap.
    pub fn visible_bitmap(&self) -> VisibleBitmap {
        let mut bitmap = VisibleBitmap::default();
        for &offset_number in self.visible {
            let index = usize::from(offset_number).wrapping_sub(1);
            if let Some(word) = bitmap.get_mut(index / 64) {
                *word |= 1 << (index % 64);
            }
        }
        bitmap
    }

    /// The tuple at a visible offset number, as a `HeapTupleData` that points into the pinned page.
    pub fn tuple(&self, offset_number: pg_sys::OffsetNumber) -> pg_sys::HeapTupleData {
        // SAFETY: visible offset numbers are normal line pointers of the pinned page, which the pin keeps in place; the
        // server itself trusts its own page here.
        unsafe {
            let item = pg_sys::PageGetItemId(self.page.cast_mut().cast(), offset_number);
            let mut tuple: pg_sys::HeapTupleData = std::mem::zeroed();
            tuple.t_len = (*item).lp_len();
            tuple.t_data = self.page.cast_mut().add((*item).lp_off() as usize).cast();
            tuple
        }
    }
}
