//! What of a chunk's cached columns is proven, and what the backend is to be asked for the rest.
//!
//! Columns come into the cache at different times, so one may be proven where another is not. Two ways lead to columns whose rows are
//! the same tuples in the same order:
//! - *Base*: some columns are proven as a whole by the visibility map. Their rows are the chunk's rows, all of them visible; blocks of the other
//!   columns stay where they are known for these rows at the page's LSN, and are decoded for exactly these rows otherwise, whatever has come to the
//!   page since the scan began.
//! - *Anew*: no column is proven as a whole. A block stays as it is where all columns know it at the page's LSN (or the map proves it for
//!   all), and is decoded for all columns otherwise.

use super::CachedColumn;
use super::blocks::BlockTable;
use fusion_proto::message::{CacheInfo, Wanted};
use std::sync::Arc;

/// The state of a chunk at a scan's start.
#[derive(Debug)]
pub struct Plan {
    /// The cached columns, in the scan's order.
    pub found: Vec<Option<Arc<CachedColumn>>>,
    /// Whether the map proves the column as a whole.
    pub proven: Vec<bool>,
    /// What to ask for each block; empty where all columns are proven.
    pub wanted: Vec<Wanted>,
    /// Rows of the proven columns.
    pub base: Option<Arc<BlockTable>>,
}

impl Plan {
    /// Of `found`, columns of a chunk that has `blocks` blocks now.
    pub fn new(found: Vec<Option<Arc<CachedColumn>>>, blocks: usize, info: &CacheInfo) -> Self {
        let vouched = |column: &CachedColumn, index| !column.is_incomplete(index) && column.table.vouches(index, info);
        let is_proven = |column: &Option<Arc<CachedColumn>>| {
            column.as_ref().is_some_and(|column| column.incomplete == 0 && column.table.vouches_for_all(blocks, info))
        };
        let proven: Vec<bool> = found.iter().map(is_proven).collect();
        if proven.iter().all(|proven| *proven) {
            let base = found.iter().flatten().next().map(|column| Arc::clone(&column.table));
            return Self { found, proven, wanted: Vec::new(), base };
        }
        let base = found.iter().zip(&proven).find_map(|(column, proven)| column.as_ref().filter(|_| *proven));
        let base = base.map(|column| Arc::clone(&column.table));
        let open: Option<Vec<&CachedColumn>> =
            found.iter().zip(&proven).filter(|(_, proven)| !**proven).map(|(column, _)| column.as_deref()).collect();
        let of_block = |index| {
            let Some(open) = &open else { return Wanted::Image };
            if open.iter().all(|column| vouched(column, index)) {
                return Wanted::Nothing;
            }
            // A page that has the LSN of a column's decoding still holds that column's rows; they must be the proven ones, too.
            let known = |column: &CachedColumn| {
                let block = column.table.blocks().get(index).filter(|_| !column.is_incomplete(index))?;
                let rows = base.as_ref().map(|base| base.blocks().get(index).map(|block| &block.rows));
                rows.is_none_or(|rows| rows == Some(&block.rows)).then_some(block.lsn)
            };
            match open.split_first().map(|(first, rest)| (known(first), rest)) {
                Some((Some(lsn), rest)) if rest.iter().all(|column| known(column) == Some(lsn)) => {
                    Wanted::IfChanged(lsn)
                }
                _ => Wanted::Image,
            }
        };
        let wanted = (0..blocks).map(of_block).collect();
        Self { found, proven, wanted, base }
    }

    /// Whether all columns are proven: nothing need be asked for.
    pub fn is_proven(&self) -> bool {
        self.proven.iter().all(|proven| *proven)
    }
}

#[cfg(test)]
mod tests {
    use super::super::blocks::RowMap;
    use super::*;
    use datafusion::arrow::array::{ArrayRef, Int32Array};
    use fusion_common::{Lsn, RelationFile};

    fn info(map_lsn: Lsn, all_visible: u8) -> CacheInfo {
        let file = RelationFile { tablespace: 1663, database: 5, number: 16384 };
        CacheInfo { relation: 1, file, map_lsns: vec![map_lsn], all_visible: vec![all_visible] }
    }

    fn column(lsns: &[Lsn], info: &CacheInfo, incomplete: u128) -> Option<Arc<CachedColumn>> {
        let rows = lsns.iter().map(|&lsn| (lsn, RowMap::First(1), true));
        let table = Arc::new(BlockTable::new(0, rows, info));
        let array: ArrayRef = Arc::new(Int32Array::from_iter_values(0..lsns.len() as i32));
        Some(Arc::new(CachedColumn::new(table, array, incomplete, 0)))
    }

    #[test]
    fn a_quiet_chunk_is_proven() {
        let info = info(7, 0b11);
        let plan = Plan::new(vec![column(&[1, 2], &info, 0), column(&[1, 2], &info, 0)], 2, &info);
        assert!(plan.is_proven() && plan.wanted.is_empty());
    }

    #[test]
    fn changed_blocks_alone_are_asked_for() {
        let then = info(7, 0b11);
        // Block 1 was updated: its bit is clear.
        let plan = Plan::new(vec![column(&[1, 2], &then, 0)], 2, &info(7, 0b01));
        assert_eq!(plan.wanted, [Wanted::Nothing, Wanted::IfChanged(2)]);
        // VACUUM has set bits: every block is visited.
        let plan = Plan::new(vec![column(&[1, 2], &then, 0)], 2, &info(8, 0b11));
        assert_eq!(plan.wanted, [Wanted::IfChanged(1), Wanted::IfChanged(2)]);
        // Grown.
        let plan = Plan::new(vec![column(&[1, 2], &then, 0)], 3, &then);
        assert_eq!(plan.wanted, [Wanted::Nothing, Wanted::Nothing, Wanted::Image]);
    }

    #[test]
    fn columns_of_different_states_are_decoded_together() {
        let (then, now) = (info(7, 0b11), info(8, 0b11));
        let plan = Plan::new(vec![column(&[1, 2], &then, 0), column(&[1, 3], &then, 0)], 2, &now);
        assert_eq!(plan.wanted, [Wanted::IfChanged(1), Wanted::Image]);
        let plan = Plan::new(vec![column(&[1, 2], &then, 0), None], 2, &now);
        assert_eq!(plan.wanted, [Wanted::Image, Wanted::Image]);
    }

    #[test]
    fn proven_columns_are_the_base_of_others() {
        let info = info(7, 0b11);
        let plan = Plan::new(vec![None, column(&[1, 2], &info, 0)], 2, &info);
        assert_eq!((plan.proven, plan.wanted), (vec![false, true], vec![Wanted::Image, Wanted::Image]));
        assert!(plan.base.is_some());
    }

    #[test]
    fn beside_proven_columns_the_others_are_only_looked_at() {
        let (then, now) = (info(7, 0b11), info(8, 0b11));
        let plan = Plan::new(vec![column(&[1, 2], &then, 0), column(&[1, 9], &now, 0)], 2, &now);
        assert_eq!(plan.wanted, [Wanted::IfChanged(1), Wanted::IfChanged(2)]);
        // Decoded by a scan that began later, from a page with one more tuple.
        let rows = [(1, RowMap::First(1), true), (5, RowMap::First(2), true)];
        let table = Arc::new(BlockTable::new(0, rows.into_iter(), &then));
        let more: ArrayRef = Arc::new(Int32Array::from_iter_values(0..3));
        let later = Some(Arc::new(CachedColumn::new(table, more, 0, 0)));
        let plan = Plan::new(vec![later, column(&[1, 2], &now, 0)], 2, &now);
        assert_eq!(plan.wanted, [Wanted::IfChanged(1), Wanted::Image]);
    }

    #[test]
    fn a_block_that_lacks_values_is_decoded_again() {
        let info = info(7, 0b11);
        let plan = Plan::new(vec![column(&[1, 2], &info, 0b10)], 2, &info);
        assert_eq!(plan.wanted, [Wanted::Nothing, Wanted::Image]);
    }
}
