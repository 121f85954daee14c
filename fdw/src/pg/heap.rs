//! Heap pages as a query's snapshot sees them.
//!
//! Stands between [`crate::feed`] and the buffer manager. A page that is all-visible is taken as `heap_prepare_pagescan` takes it: every
//! normal line pointer is visible. Any other goes through PostgreSQL's own page-at-a-time routine (`heapgetpage` in 15 and 16,
//! `heap_prepare_pagescan` in 17 and 18), which prunes the page and asks for each tuple.
//!
//! Invariants
//! - An image is one state of the page: it is copied under the share lock, with the LSN that belongs to it.
//! - A page is pinned while [`HeapReader::read`] works and, for [`HeapReader::read_pinned`], while its closure runs: the pin keeps
//!   visible tuples where they are.
//! - `raw` declares functions without pgrx's guard, which costs more than some of them. They are called by [`load`] alone, a function
//!   without destructors, inside one guard for the whole page.
//! - Backend's main thread only; the relation is locked by the query that reads it.

use super::visibility;
use fusion_common::limits::{BLOCK_SIZE, MAX_HEAP_TUPLES_PER_PAGE};
use fusion_common::{BlockNumber, Lsn};
use fusion_proto::message::CacheInfo;
use fusion_proto::page_frame::VisibleBitmap;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

/// An open scan over a heap relation, reading blocks in any order.
pub struct HeapReader {
    relation: pg_sys::Relation,
    /// Made by `heap_beginscan`, so it is a `HeapScanDescData`.
    scan: pg_sys::HeapScanDesc,
    /// Whether PD_ALL_VISIBLE speaks for the snapshot: not for one taken on a standby, where the flag may be ahead of it, nor where it
    /// may be overtaken ([`visibility::snapshots_may_be_overtaken`]).
    trusts_all_visible: bool,
}

/// What the snapshot sees of a page that was read.
#[derive(Clone, Copy, Debug)]
pub struct PageContents {
    /// LSN of the page.
    pub lsn: Lsn,
    /// Whether all its tuples are visible to everyone (PD_ALL_VISIBLE, where that speaks for the snapshot).
    pub all_visible: bool,
    /// Whether the image was copied: the LSN is not the known one.
    pub copied: bool,
    /// Number of visible line pointers; not counted where the page is all-visible and was not copied, likewise `visible`.
    pub visible_count: u16,
    /// The visible line pointers.
    pub visible: VisibleBitmap,
}

/// A pinned page.
pub struct PinnedPage {
    page: pg_sys::Page,
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
            let trusts_all_visible = !(*snapshot).takenDuringRecovery && !visibility::snapshots_may_be_overtaken();
            Self { relation, scan: scan.cast(), trusts_all_visible }
        }
    }

    /// Blocks of the relation when the scan began: later ones hold nothing that the snapshot sees.
    pub fn blocks(&self) -> BlockNumber {
        // SAFETY: `scan` is valid until `end`.
        unsafe { (*self.scan).rs_nblocks }
    }

    /// What proves cached columns of the relation fresh, as of now; None where nothing can.
    pub fn cache_info(&self) -> Option<CacheInfo> {
        // SAFETY: the relation is open, and locked by the query.
        unsafe { visibility::cache_info(self.relation, self.blocks()) }
    }

    /// The relation's tuple descriptor.
    pub fn tuple_descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: the relation is open.
        unsafe { (*self.relation).rd_att }
    }

    /// `RelationIsScannable`.
    pub fn is_populated(&self) -> bool {
        // SAFETY: the relation is open; rd_rel is set for every open relation.
        unsafe { (*(*self.relation).rd_rel).relispopulated }
    }

    /// Whether the relation has a TOAST table, so that out-of-line values can occur.
    pub fn has_toast(&self) -> bool {
        // SAFETY: the relation is open; rd_rel is set for every open relation.
        unsafe { (*(*self.relation).rd_rel).reltoastrelid != pg_sys::InvalidOid }
    }

    /// Copies `block` into `image` (`BLOCK_SIZE` bytes), unless its page LSN is `known`, and tells what the snapshot sees of it.
    pub fn read(&mut self, block: BlockNumber, known: Option<Lsn>, image: &mut [u8]) -> PageContents {
        let (contents, buffer) = self.load(block, known, image, false);
        debug_assert_eq!(buffer, pg_sys::InvalidBuffer as pg_sys::Buffer);
        contents
    }

    /// As [`Self::read`], and shows the page to `visit` while it is still pinned.
    pub fn read_pinned<R>(
        &mut self,
        block: BlockNumber,
        known: Option<Lsn>,
        image: &mut [u8],
        visit: impl FnOnce(&PageContents, &PinnedPage) -> R,
    ) -> (PageContents, R) {
        let (contents, buffer) = self.load(block, known, image, true);
        // SAFETY: `load` has left the buffer pinned; an ERROR in `visit` leaves the pin to the resource owner.
        unsafe {
            let result = visit(&contents, &PinnedPage { page: pg_sys::BufferGetPage(buffer) });
            pg_sys::ReleaseBuffer(buffer);
            (contents, result)
        }
    }

    fn load(
        &mut self,
        block: BlockNumber,
        known: Option<Lsn>,
        image: &mut [u8],
        keep_pin: bool,
    ) -> (PageContents, pg_sys::Buffer) {
        assert_eq!(image.len(), BLOCK_SIZE);
        let (relation, scan, trusts_all_visible) = (self.relation, self.scan, self.trusts_all_visible);
        let target = Target { image: image.as_mut_ptr(), known };
        // SAFETY: main thread; `load` has no destructors to be skipped. The scan is ours alone, the image has BLOCK_SIZE bytes.
        unsafe { pg_guard_ffi_boundary(|| load(relation, scan, block, target, trusts_all_visible, keep_pin)) }
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

/// Where a page is copied to, unless it has the known LSN.
#[derive(Clone, Copy)]
struct Target {
    /// `BLOCK_SIZE` writable bytes.
    image: *mut u8,
    known: Option<Lsn>,
}

impl Target {
    /// Copies `page`; returns its LSN, and whether it was copied.
    ///
    /// # Safety
    /// `page` is pinned and share-locked.
    unsafe fn copy(self, page: *const u8) -> (Lsn, bool) {
        // SAFETY: as the caller's, and the target's.
        unsafe {
            let lsn = page_lsn(page);
            let differs = self.known != Some(lsn);
            if differs {
                std::ptr::copy_nonoverlapping(page, self.image, BLOCK_SIZE);
            }
            (lsn, differs)
        }
    }
}

/// Pins `block`, finds what is visible, copies it, and releases the pin unless it is to be kept; then the buffer is
/// returned, otherwise `InvalidBuffer`.
///
/// # Safety
/// `scan` is a page-mode scan of `relation` with no buffer pinned. Called under a guard.
unsafe fn load(
    relation: pg_sys::Relation,
    scan: pg_sys::HeapScanDesc,
    block: BlockNumber,
    target: Target,
    trusts_all_visible: bool,
    keep_pin: bool,
) -> (PageContents, pg_sys::Buffer) {
    // SAFETY: the caller vouches for the pointers. A page is read only while it is pinned, and copied under the share lock, which
    // keeps writers (but for hint bits, which nobody decodes) away.
    unsafe {
        let mut buffer = raw::ReadBufferExtended(
            relation,
            pg_sys::ForkNumber::MAIN_FORKNUM,
            block,
            pg_sys::ReadBufferMode::RBM_NORMAL,
            (*scan).rs_strategy,
        );
        let page = pg_sys::BufferGetPage(buffer).cast::<u8>();
        let (mut lsn, mut copied) = (0, false);
        raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as _);
        let all_visible = trusts_all_visible && is_all_visible(page);
        let is_sound = all_visible || line_pointers_are_sound(page);
        if all_visible {
            (lsn, copied) = target.copy(page);
        } else if !is_sound {
            (lsn, copied) = Target { known: None, ..target }.copy(page);
        }
        raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as _);
        let (visible, visible_count) = match (all_visible || !is_sound, copied) {
            // Of an unsound page, too: the engine finds the fault among them.
            (true, true) => normal_line_pointers(target.image),
            (true, false) => (VisibleBitmap::default(), 0),
            (false, _) => {
                buffer = prepare_pagescan(scan, block, buffer);
                let page = pg_sys::BufferGetPage(buffer).cast::<u8>();
                raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as _);
                (lsn, copied) = target.copy(page);
                raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as _);
                (*scan).rs_cbuf = pg_sys::InvalidBuffer as pg_sys::Buffer;
                visible_tuples(scan)
            }
        };
        if !keep_pin {
            raw::ReleaseBuffer(buffer);
            buffer = pg_sys::InvalidBuffer as pg_sys::Buffer;
        }
        (PageContents { lsn, all_visible, copied, visible_count, visible }, buffer)
    }
}

/// Lets PostgreSQL prune the page in `buffer`, which is pinned, and fill `rs_vistuples`; returns the buffer, pinned.
///
/// # Safety
/// As for [`load`].
#[cfg(any(feature = "pg17", feature = "pg18"))]
unsafe fn prepare_pagescan(scan: pg_sys::HeapScanDesc, block: BlockNumber, buffer: pg_sys::Buffer) -> pg_sys::Buffer {
    // SAFETY: as heap_fetch_next_buffer leaves a scan for heap_prepare_pagescan: rs_cbuf pinned, rs_cblock its number.
    unsafe {
        (*scan).rs_cbuf = buffer;
        (*scan).rs_cblock = block;
        raw::heap_prepare_pagescan(scan.cast());
    }
    buffer
}

/// As above; `heapgetpage` pins the block itself, and the caller's pin is released.
///
/// # Safety
/// As for [`load`].
#[cfg(any(feature = "pg15", feature = "pg16"))]
unsafe fn prepare_pagescan(scan: pg_sys::HeapScanDesc, block: BlockNumber, buffer: pg_sys::Buffer) -> pg_sys::Buffer {
    // SAFETY: a page-mode scan with no buffer of its own pinned.
    unsafe {
        raw::heapgetpage(scan.cast(), block);
        raw::ReleaseBuffer(buffer);
        (*scan).rs_cbuf
    }
}

/// Functions of PostgreSQL without a guard: an ERROR in one jumps over the caller's frames.
mod raw {
    use pgrx::pg_sys;

    unsafe extern "C-unwind" {
        pub fn ReadBufferExtended(
            relation: pg_sys::Relation,
            fork: pg_sys::ForkNumber::Type,
            block: pg_sys::BlockNumber,
            mode: pg_sys::ReadBufferMode::Type,
            strategy: pg_sys::BufferAccessStrategy,
        ) -> pg_sys::Buffer;
        pub fn LockBuffer(buffer: pg_sys::Buffer, mode: std::ffi::c_int);
        pub fn ReleaseBuffer(buffer: pg_sys::Buffer);
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        pub fn heap_prepare_pagescan(scan: pg_sys::TableScanDesc);
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        pub fn heapgetpage(scan: pg_sys::TableScanDesc, block: pg_sys::BlockNumber);
    }
}

/// `pd_lsn`: two words, the higher first.
///
/// # Safety
/// `page` points to a page header, here and below.
unsafe fn page_lsn(page: *const u8) -> Lsn {
    // SAFETY: the header's first 8 bytes.
    let [high, low] = unsafe { page.cast::<[u32; 2]>().read_unaligned() };
    u64::from(high) << 32 | u64::from(low)
}

unsafe fn is_all_visible(page: *const u8) -> bool {
    const PD_FLAGS: usize = 10;
    // SAFETY: inside the header.
    unsafe { page.add(PD_FLAGS).cast::<u16>().read_unaligned() & pg_sys::PD_ALL_VISIBLE as u16 != 0 }
}

/// Whether the line pointers that have a tuple lead to one inside of the page. PostgreSQL's page-at-a-time routine does not look, and sets hint bits
/// where they lead: in the pages of other relations.
///
/// # Safety
/// `page` is pinned and share-locked.
unsafe fn line_pointers_are_sound(page: *const u8) -> bool {
    const PD_LOWER: usize = 12;
    const HEADER: usize = 24;
    const LINE_POINTER: usize = 4;
    const SMALLEST_TUPLE: usize = 24;
    // SAFETY: inside the header; and pointers below BLOCK_SIZE, as no more are looked at than a heap page can have.
    unsafe {
        let lower = usize::from(page.add(PD_LOWER).cast::<u16>().read_unaligned());
        let pointers = lower.saturating_sub(HEADER) / LINE_POINTER;
        pointers <= MAX_HEAP_TUPLES_PER_PAGE
            && (0..pointers).all(|index| {
                let pointer = page.add(HEADER + LINE_POINTER * index).cast::<u32>().read_unaligned();
                let (offset, length) = ((pointer & 0x7fff) as usize, (pointer >> 17) as usize);
                (pointer >> 15) & 3 != pg_sys::LP_NORMAL
                    || (offset >= HEADER && length >= SMALLEST_TUPLE && offset + length <= BLOCK_SIZE)
            })
    }
}

/// Line pointers of a page of `BLOCK_SIZE` bytes that have a tuple (LP_NORMAL), and how many they are.
unsafe fn normal_line_pointers(page: *const u8) -> (VisibleBitmap, u16) {
    const PD_LOWER: usize = 12;
    const HEADER: usize = 24;
    const LINE_POINTER: usize = 4;
    let mut bitmap = VisibleBitmap::default();
    let mut count = 0;
    // SAFETY: inside the header; and pointers below BLOCK_SIZE, whatever pd_lower says, as there are at most
    // MAX_HEAP_TUPLES_PER_PAGE of them.
    unsafe {
        let lower = usize::from(page.add(PD_LOWER).cast::<u16>().read_unaligned());
        let pointers = (lower.saturating_sub(HEADER) / LINE_POINTER).min(MAX_HEAP_TUPLES_PER_PAGE);
        for index in 0..pointers {
            let pointer = page.add(HEADER + LINE_POINTER * index).cast::<u32>().read_unaligned();
            let normal = u64::from((pointer >> 15) & 3 == pg_sys::LP_NORMAL);
            bitmap[index / 64] |= normal << (index % 64);
            count += normal as u16;
        }
    }
    (bitmap, count)
}

/// What the page-at-a-time routine found.
///
/// # Safety
/// `scan` has gone through [`prepare_pagescan`].
unsafe fn visible_tuples(scan: pg_sys::HeapScanDesc) -> (VisibleBitmap, u16) {
    let mut bitmap = VisibleBitmap::default();
    // SAFETY: rs_vistuples holds rs_ntuples offset numbers.
    let visible = unsafe {
        let scan = &*scan;
        &scan.rs_vistuples[..(scan.rs_ntuples as usize).min(scan.rs_vistuples.len())]
    };
    for &offset_number in visible {
        let index = usize::from(offset_number).wrapping_sub(1);
        if let Some(word) = bitmap.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }
    (bitmap, visible.len() as u16)
}

impl PageContents {
    /// Offset numbers of the visible tuples, ascending.
    pub fn offset_numbers(&self) -> impl Iterator<Item = pg_sys::OffsetNumber> + '_ {
        (0..64 * self.visible.len())
            .filter(|index| self.visible[index / 64] >> (index % 64) & 1 == 1)
            .map(|index| index as pg_sys::OffsetNumber + 1)
    }
}

impl PinnedPage {
    /// The tuple at a visible offset number, as a `HeapTupleData` that points into the page; None where the line pointer leads out of it, or to less
    /// than a tuple's header.
    pub fn tuple(&self, offset_number: pg_sys::OffsetNumber) -> Option<pg_sys::HeapTupleData> {
        const SMALLEST: usize = 24;
        // SAFETY: visible offset numbers are normal line pointers of the pinned page, which the pin keeps in place; there are no more of them
        // than fit in a page.
        unsafe {
            let item = pg_sys::PageGetItemId(self.page, offset_number);
            let (offset, length) = ((*item).lp_off() as usize, (*item).lp_len() as usize);
            if length < SMALLEST || offset + length > BLOCK_SIZE {
                return None;
            }
            let mut tuple: pg_sys::HeapTupleData = std::mem::zeroed();
            tuple.t_len = length as u32;
            tuple.t_data = self.page.cast::<u8>().add(offset).cast();
            Some(tuple)
        }
    }
}
