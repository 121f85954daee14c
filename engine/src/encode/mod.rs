//! Record batches to PostgreSQL's MinimalTuples, byte for byte as `heap_form_minimal_tuple` makes them.
//!
//! A batch is encoded column by column: first every column adds its part to the length of every row, then rows are placed in the
//! frame and every column writes its values at the rows' positions. So there is no dispatch and no allocation per value.
//! Layout of a tuple and of a frame: [`fusion_proto::tuple_frame`].
//!
//! Invariants
//! - A column goes the same way over a row when it measures and when it writes, so the row ends where it was measured to end.
//! - Bytes that no column writes (padding) are zero: frames are zeroed before they are written.

mod column;
mod sink;

pub use sink::send_rows;

use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use column::{ColumnEncoder, column_encoder};
use fusion_common::limits::{FRAME_SIZE, MAX_MESSAGE_SIZE, MAX_TUPLE_ATTRIBUTES};
use fusion_common::{Attribute, ColumnType, SqlError, SqlState};
use fusion_proto::tuple_frame::{
    HEAP_HASNULL, HEAP_HASVARWIDTH, MAX_FRAME_TUPLE, MINIMAL_TUPLE_HEADER, MINIMAL_TUPLE_OFFSET, max_align,
};

/// Widest row that can be sent: a message less its other fields.
const MAX_ROW: usize = MAX_MESSAGE_SIZE - 64;

/// Encodes batches of one query's result.
pub struct RowEncoder {
    columns: Vec<Box<dyn ColumnEncoder>>,
    natts: u16,
    /// Bytes of the null bitmap of a row that has one.
    bitmap: usize,
    /// Per row: [`HEAP_HASNULL`], [`HEAP_HASVARWIDTH`].
    infomasks: Vec<u16>,
    /// Per row: `t_len`.
    lengths: Vec<u32>,
    /// Positions in the frame while rows are written.
    at: Vec<u32>,
    /// The first row that has not been written.
    next: usize,
}

impl RowEncoder {
    /// For columns held as `held`, going to attributes laid out as `attributes`.
    pub fn try_new(held: &[ColumnType], attributes: &[Attribute]) -> Result<Self> {
        if held.len() != attributes.len() || held.len() > MAX_TUPLE_ATTRIBUTES {
            return Err(Error::internal(format!("{} columns for {} attributes", held.len(), attributes.len())));
        }
        let columns = held.iter().zip(attributes).map(|(held, attribute)| column_encoder(*held, *attribute));
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            natts: held.len() as u16,
            bitmap: held.len().div_ceil(8),
            infomasks: Vec::new(),
            lengths: Vec::new(),
            at: Vec::new(),
            next: 0,
        })
    }

    /// Takes in a batch; the rows of the one before must all have been written.
    pub fn start(&mut self, batch: &RecordBatch) -> Result<()> {
        debug_assert!(self.is_done());
        let rows = batch.num_rows();
        if batch.num_columns() != self.columns.len() {
            return Err(Error::internal("result with another number of columns"));
        }
        self.next = 0;
        self.infomasks.clear();
        self.infomasks.resize(rows, 0);
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.start(array)?;
            if let Some(nulls) = column.nulls() {
                for (infomask, valid) in self.infomasks.iter_mut().zip(nulls) {
                    *infomask |= if valid { 0 } else { HEAP_HASNULL };
                    *infomask |= if valid && column.is_varlena() { HEAP_HASVARWIDTH } else { 0 };
                }
            } else if column.is_varlena() {
                self.infomasks.iter_mut().for_each(|infomask| *infomask |= HEAP_HASVARWIDTH);
            }
        }
        let (without, with) = (data_start(0), data_start(self.bitmap));
        self.lengths.clear();
        self.lengths.extend(self.infomasks.iter().map(|mask| if mask & HEAP_HASNULL == 0 { without } else { with }));
        for column in &self.columns {
            column.measure(&mut self.lengths);
        }
        match self.lengths.iter().max() {
            Some(&longest) if longest as usize > MAX_ROW => Err(Error::Sql(
                SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "row is too wide for the engine")
                    .with_detail(format!("The limit is {MAX_ROW} bytes.")),
            )),
            _ => Ok(()),
        }
    }

    /// Whether all rows of the batch have been written.
    pub fn is_done(&self) -> bool {
        self.next >= self.lengths.len()
    }

    /// The next row, if it is too wide for any frame: on its own, as a MinimalTuple.
    pub fn wide_row(&mut self) -> Option<Vec<u8>> {
        let length = *self.lengths.get(self.next)? as usize;
        if length <= MAX_FRAME_TUPLE {
            return None;
        }
        let mut tuple = vec![0; length];
        self.write(1, &mut tuple, 0);
        Some(tuple)
    }

    /// Writes rows into `frame` from offset `end` (MAXALIGNed) on, as many as fit and come before a wide one. Gives the number
    /// of rows; `end` moves behind them.
    pub fn fill(&mut self, frame: &mut [u8], end: &mut usize) -> u32 {
        let start = *end;
        let capacity = frame.len().min(FRAME_SIZE);
        let mut rows = 0;
        for &length in self.lengths.get(self.next..).unwrap_or_default() {
            let after = *end + max_align(length as usize);
            if after > capacity {
                break;
            }
            *end = after;
            rows += 1;
        }
        if rows > 0
            && let Some(room) = frame.get_mut(start..*end)
        {
            room.fill(0);
            self.write(rows, frame, start);
        }
        rows as u32
    }

    /// Writes the next `rows` rows one after another from `start` on, where there is room for them.
    fn write(&mut self, rows: usize, out: &mut [u8], start: usize) {
        let (first, last) = (self.next, self.next + rows);
        self.at.clear();
        let mut base = start;
        for row in first..last {
            let (length, infomask) = (self.lengths[row], self.infomasks[row]);
            self.at.push(self.write_header(&mut out[base..], length, infomask, row) + base as u32);
            base += max_align(length as usize);
        }
        for column in &self.columns {
            column.write(first, &mut self.at, out);
        }
        debug_assert!(
            self.at
                .iter()
                .zip(first..last)
                .try_fold(start, |base, (&at, row)| {
                    (at as usize == base + self.lengths[row] as usize)
                        .then_some(base + max_align(self.lengths[row] as usize))
                })
                .is_some()
        );
        self.next = last;
    }

    /// Header and null bitmap of a row; gives the offset of its data.
    fn write_header(&self, tuple: &mut [u8], length: u32, infomask: u16, row: usize) -> u32 {
        let bitmap = if infomask & HEAP_HASNULL == 0 { 0 } else { self.bitmap };
        let data = data_start(bitmap);
        tuple[0..4].copy_from_slice(&length.to_le_bytes());
        tuple[10..12].copy_from_slice(&self.natts.to_le_bytes());
        tuple[12..14].copy_from_slice(&infomask.to_le_bytes());
        tuple[14] = (data as usize + MINIMAL_TUPLE_OFFSET) as u8;
        if bitmap > 0 {
            for (index, column) in self.columns.iter().enumerate() {
                if column.nulls().is_none_or(|nulls| nulls.is_valid(row)) {
                    tuple[MINIMAL_TUPLE_HEADER + index / 8] |= 1 << (index % 8);
                }
            }
        }
        data
    }
}

/// Where the data of a tuple starts: `t_hoff` less `MINIMAL_TUPLE_OFFSET`. With the bitmap of 1664 attributes `t_hoff` still
/// fits its byte, which is why PostgreSQL has that limit.
fn data_start(bitmap: usize) -> u32 {
    max_align(MINIMAL_TUPLE_HEADER + bitmap) as u32
}

#[cfg(test)]
mod tests;
