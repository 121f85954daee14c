//! Pages to Arrow arrays: the way of everything hot.
//!
//! One decoder per scan and thread: it takes pages until the caller has enough rows, then [`ColumnDecoder::finish`] gives one
//! array per needed column and the decoder starts afresh. Memory of the walk is reused from page to page.
//!
//! Invariants: every column has [`ColumnDecoder::rows`] rows between calls that succeed; after an error they may differ, and
//! the decoder is to be thrown away.

use crate::builder::{ColumnBuilder, column_builder};
use crate::descriptor::Layout;
use crate::error::Result;
use crate::page::Page;
use crate::slots::{Must, Walk};
use crate::toast::Flattened;
use arrow::array::ArrayRef;
use fusion_common::BlockNumber;
use std::sync::Arc;

/// Decodes pages of one relation, column by column.
pub struct ColumnDecoder {
    layout: Arc<Layout>,
    walk: Box<Walk>,
    /// One per column of the layout.
    builders: Vec<Box<dyn ColumnBuilder>>,
    rows: usize,
}

impl ColumnDecoder {
    /// A decoder that takes room for `capacity_rows` rows at the first one; more may be appended. Arrays after the first take as much as the
    /// one before had.
    pub fn new(layout: Arc<Layout>, capacity_rows: usize) -> Self {
        let columns = layout.columns().iter();
        let builders = columns.map(|column| column_builder(column.column_type, capacity_rows)).collect();
        Self { layout, walk: Walk::new(), builders, rows: 0 }
    }

    /// Appends the tuples of one page image whose line pointers are set in `visible` (bit i of word i/64: offset number
    /// i + 1), in the order of their offset numbers. A tuple in `flattened` stands in for the page's at its offset number;
    /// one whose bit is not set is not looked at, except that it must be sound. Returns the number of rows appended.
    ///
    /// On an error the decoder is to be thrown away.
    pub fn append_page(
        &mut self,
        block: BlockNumber,
        page: &[u8],
        visible: &[u64],
        flattened: &[Flattened<'_>],
    ) -> Result<usize> {
        self.append(block, page, visible, Must::All, flattened).map(|(rows, _)| rows)
    }

    /// As [`Self::append_page`] for all tuples whose line pointers are set in `rows`, which `visible` is a part of. A tuple that is not
    /// visible may lack a value: it is out of line and not in `flattened`, or the representation does not have it. Then it gets an
    /// arbitrary one. Returns the number of rows, and whether there is such a tuple.
    pub fn append_tuples(
        &mut self,
        block: BlockNumber,
        page: &[u8],
        rows: &[u64],
        visible: &[u64],
        flattened: &[Flattened<'_>],
    ) -> Result<(usize, bool)> {
        self.append(block, page, rows, Must::Only(visible), flattened)
    }

    fn append(
        &mut self,
        block: BlockNumber,
        page: &[u8],
        rows: &[u64],
        must: Must<'_>,
        flattened: &[Flattened<'_>],
    ) -> Result<(usize, bool)> {
        let (walk, builders, layout) = (&mut self.walk, &mut self.builders, &self.layout);
        let (rows, absent) = Page::parse(block, page)
            .and_then(|page| {
                walk.run(layout, &page, rows, must, flattened, |column, slots| match builders.get_mut(column) {
                    Some(builder) => builder.append(slots),
                    None => Ok(false),
                })
            })
            .map_err(|error| error.at_block(block))?;
        self.rows += rows;
        Ok((rows, absent))
    }

    /// Rows appended since the last [`Self::finish`].
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that the rows appended since the last [`Self::finish`] take.
    pub fn memory(&self) -> usize {
        self.builders.iter().map(|builder| builder.memory()).sum()
    }

    /// The arrays of the needed columns, in the layout's order, each of [`Self::rows`] rows. The decoder is empty afterwards.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        let types = (0..self.builders.len()).map(|column| self.layout.arrow_type(column));
        self.builders.iter_mut().zip(types).map(|(builder, data_type)| builder.finish(&data_type)).collect()
    }
}
