//! Visibility map and file of a heap relation: what proves cached columns fresh.
//!
//! Stands between [`crate::feed`] and the buffer manager, once per execution and relation.
//!
//! Invariants
//! - It is read after the query's snapshot was taken: a tuple that a set bit calls visible to everyone is visible to that snapshot,
//!   the argument of index-only scans.
//! - Bits and LSN of a map page are read under one share lock. `engine::cache::blocks` tells why that is a proof.
//! - Backend's main thread only; the relation is open and locked.

use fusion_common::limits::{BLOCK_SIZE, BLOCKS_PER_MAP_PAGE};
use fusion_common::{BlockNumber, Lsn, RelationFile};
use fusion_proto::message::CacheInfo;
use pgrx::pg_sys;

const PAGE_HEADER: usize = 24;
/// `InvalidSubTransactionId` (c.h).
const INVALID_SUBTRANSACTION_ID: pg_sys::SubTransactionId = 0;

/// Whether VACUUM may call tuples visible to all, and remove others, against a snapshot that is in use: `old_snapshot_threshold` of 15 and 16. PostgreSQL
/// then looks at each page's LSN when it reads it, so each page must be read.
pub fn snapshots_may_be_overtaken() -> bool {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: a setting that only changes at the server's start.
    return unsafe { pg_sys::old_snapshot_threshold } >= 0;
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    false
}

/// What the engine may keep columns of `relation` by, as far as its first `blocks` blocks go; None where page LSNs do not tell of every change:
/// relations that are not logged, and those that this transaction has created or rewritten; and where snapshots may be overtaken.
///
/// # Safety
/// `relation` is open and locked.
pub unsafe fn cache_info(relation: pg_sys::Relation, blocks: BlockNumber) -> Option<CacheInfo> {
    // SAFETY: as the caller's; rd_rel is set for every open relation.
    unsafe {
        let is_permanent = (*(*relation).rd_rel).relpersistence as u8 == pg_sys::RELPERSISTENCE_PERMANENT;
        if !is_permanent || is_new_in_transaction(relation) || snapshots_may_be_overtaken() {
            return None;
        }
        let (map_lsns, all_visible) = read_map(relation, blocks);
        Some(CacheInfo { relation: (*relation).rd_id.to_u32(), file: relation_file(relation), map_lsns, all_visible })
    }
}

/// # Safety
/// As for [`cache_info`].
#[cfg(feature = "pg15")]
unsafe fn is_new_in_transaction(relation: pg_sys::Relation) -> bool {
    // SAFETY: as the caller's.
    let relation = unsafe { &*relation };
    [relation.rd_createSubid, relation.rd_newRelfilenodeSubid, relation.rd_firstRelfilenodeSubid]
        .iter()
        .any(|&subid| subid != INVALID_SUBTRANSACTION_ID)
}

/// # Safety
/// As for [`cache_info`].
#[cfg(not(feature = "pg15"))]
unsafe fn is_new_in_transaction(relation: pg_sys::Relation) -> bool {
    // SAFETY: as the caller's.
    let relation = unsafe { &*relation };
    [relation.rd_createSubid, relation.rd_newRelfilelocatorSubid, relation.rd_firstRelfilelocatorSubid]
        .iter()
        .any(|&subid| subid != INVALID_SUBTRANSACTION_ID)
}

/// The file of `relation`.
///
/// # Safety
/// `relation` is open.
#[cfg(feature = "pg15")]
pub unsafe fn relation_file(relation: pg_sys::Relation) -> RelationFile {
    // SAFETY: as the caller's.
    let node = unsafe { (*relation).rd_node };
    RelationFile { tablespace: node.spcNode.to_u32(), database: node.dbNode.to_u32(), number: node.relNode.to_u32() }
}

/// The file of `relation`.
///
/// # Safety
/// `relation` is open.
#[cfg(not(feature = "pg15"))]
pub unsafe fn relation_file(relation: pg_sys::Relation) -> RelationFile {
    // SAFETY: as the caller's.
    let locator = unsafe { (*relation).rd_locator };
    RelationFile {
        tablespace: locator.spcOid.to_u32(),
        database: locator.dbOid.to_u32(),
        number: locator.relNumber.to_u32(),
    }
}

/// LSNs of the map's pages, and the all-visible bits of the first `blocks` blocks, as far as the map goes.
unsafe fn read_map(relation: pg_sys::Relation, blocks: BlockNumber) -> (Vec<Lsn>, Vec<u8>) {
    let mut lsns = Vec::new();
    let mut bits = Vec::new();
    let mut buffer = pg_sys::InvalidBuffer as pg_sys::Buffer;
    for first in (0..blocks).step_by(BLOCKS_PER_MAP_PAGE as usize) {
        // SAFETY: the relation is open; the function pins the map page, or says by an invalid buffer that there is none.
        unsafe {
            pg_sys::visibilitymap_get_status(relation, first, &mut buffer);
            if buffer == pg_sys::InvalidBuffer as pg_sys::Buffer {
                break;
            }
            let count = (blocks - first).min(BLOCKS_PER_MAP_PAGE) as usize;
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as _);
            let page = std::slice::from_raw_parts(pg_sys::BufferGetPage(buffer).cast::<u8>(), BLOCK_SIZE);
            let [high, low] = *page.as_ptr().cast::<[u32; 2]>();
            lsns.push(u64::from(high) << 32 | u64::from(low));
            bits.extend(page[PAGE_HEADER..].chunks(2).take(count.div_ceil(8)).map(all_visible_bits));
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as _);
        }
    }
    if buffer != pg_sys::InvalidBuffer as pg_sys::Buffer {
        // SAFETY: pinned above.
        unsafe { pg_sys::ReleaseBuffer(buffer) };
    }
    (lsns, bits)
}

/// Of two bytes of the map, which hold two bits for each of eight blocks, the lower of each two (VISIBILITYMAP_ALL_VISIBLE).
fn all_visible_bits(bytes: &[u8]) -> u8 {
    let half = |byte: u8| byte & 1 | byte >> 1 & 2 | byte >> 2 & 4 | byte >> 3 & 8;
    half(bytes.first().copied().unwrap_or(0)) | half(bytes.get(1).copied().unwrap_or(0)) << 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_visible_is_the_lower_bit_of_two() {
        assert_eq!(all_visible_bits(&[0b11_10_01_00, 0b01_01_10_11]), 0b1101_1010);
        assert_eq!(all_visible_bits(&[0xff, 0xff]), 0xff);
        assert_eq!(all_visible_bits(&[0b1010_1010]), 0);
    }

    #[test]
    fn a_map_page_ends_on_a_whole_byte() {
        assert_eq!(BLOCKS_PER_MAP_PAGE % 8, 0);
    }
}
