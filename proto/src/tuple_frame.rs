//! Result rows on their way from the engine to a backend: PostgreSQL's MinimalTuples, ready for a slot.
//!
//! ```text
//! ┌─────────────┬───────────────┬─────┬───────────────┬─────┬─ ─
//! │ FrameHeader │ MinimalTuple  │ pad │ MinimalTuple  │ pad │        pad: to MAXALIGN, 8
//! │ 16 bytes    │ t_len bytes   │     │               │     │
//! └─────────────┴───────────────┴─────┴───────────────┴─────┴─ ─
//! MinimalTuple (htup_details.h):
//!   0 t_len u32 │ 4 padding [6] │ 10 t_infomask2 u16 │ 12 t_infomask u16 │ 14 t_hoff u8 │ 15 null bitmap … │ t_hoff-8: data
//! ```
//!
//! Invariants: `t_hoff` counts from 8 bytes before the tuple (`MINIMAL_TUPLE_OFFSET`), is MAXALIGNed and leaves room for the null bitmap;
//! the number of attributes is the result's; every varlena lies inside the tuple. [`TupleFrame::parse`] checks all of it once,
//! so that a slot may point into the frame.

use crate::error::{Error, Result};
use fusion_common::Attribute;
use fusion_common::limits::FRAME_SIZE;

const MAGIC: u32 = u32::from_le_bytes(*b"PGT1");
/// Bytes of the frame header.
pub const HEADER_SIZE: usize = 16;
/// `MINIMAL_TUPLE_OFFSET`: how far before a MinimalTuple its HeapTupleHeader would start.
pub const MINIMAL_TUPLE_OFFSET: usize = 8;
/// `SizeofMinimalTupleHeader`: where the null bitmap starts.
pub const MINIMAL_TUPLE_HEADER: usize = 15;
/// HEAP_HASNULL of t_infomask.
pub const HEAP_HASNULL: u16 = 0x0001;
/// HEAP_HASVARWIDTH of t_infomask.
pub const HEAP_HASVARWIDTH: u16 = 0x0002;
/// HEAP_NATTS_MASK of t_infomask2.
pub const HEAP_NATTS_MASK: u16 = 0x07FF;

/// Largest MinimalTuple that fits in a frame, bytes; wider ones go as `WideRow`.
pub const MAX_FRAME_TUPLE: usize = FRAME_SIZE - HEADER_SIZE;

/// `MAXALIGN`.
pub const fn max_align(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// Fills a frame with tuples.
#[derive(Debug)]
pub struct TupleFrameWriter<'a> {
    frame: &'a mut [u8],
    rows: u32,
    end: usize,
}

impl<'a> TupleFrameWriter<'a> {
    /// Starts on a whole frame.
    pub fn new(frame: &'a mut [u8]) -> Result<Self> {
        if frame.len() != FRAME_SIZE {
            return Err(Error::Frame("not a whole frame"));
        }
        frame[..HEADER_SIZE].fill(0);
        Ok(Self { frame, rows: 0, end: HEADER_SIZE })
    }

    /// Tuples so far.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Room for a tuple of `length` bytes, zeroed, to be filled by the caller; None if it does not fit.
    pub fn push(&mut self, length: usize) -> Option<&mut [u8]> {
        let end = self.end.checked_add(max_align(length))?;
        let to = self.frame.get_mut(self.end..end)?;
        to.fill(0);
        self.end = end;
        self.rows += 1;
        Some(&mut to[..length])
    }

    /// Writes the header; the frame may be sent.
    pub fn finish(self) {
        write_header(self.frame, self.rows, self.end);
    }
}

/// Writes the header of a frame that was filled without a [`TupleFrameWriter`]: `rows` tuples from [`HEADER_SIZE`] to `end`.
/// Panics if `frame` is not a whole frame.
pub fn write_header(frame: &mut [u8], rows: u32, end: usize) {
    frame[4..8].copy_from_slice(&rows.to_le_bytes());
    frame[8..12].copy_from_slice(&(end as u32).to_le_bytes());
    frame[12..HEADER_SIZE].fill(0);
    frame[0..4].copy_from_slice(&MAGIC.to_le_bytes());
}

/// A frame of result rows, every one of them checked.
#[derive(Clone, Copy, Debug)]
pub struct TupleFrame {
    rows: u32,
    end: u32,
}

impl TupleFrame {
    /// Checks a frame that arrived against the result's attributes.
    pub fn parse(frame: &[u8], attributes: &[Attribute]) -> Result<Self> {
        let header: &[u8; HEADER_SIZE] = frame.first_chunk().ok_or(Error::Frame("too short"))?;
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if frame.len() != FRAME_SIZE || word(0) != MAGIC {
            return Err(Error::Frame("not a tuple frame"));
        }
        let (rows, end) = (word(4), word(8));
        let used = frame.get(..end as usize).ok_or(Error::Frame("tuple frame header out of range"))?;
        let mut at = HEADER_SIZE;
        for _ in 0..rows {
            let tuple = used.get(at..).ok_or(Error::Frame("tuple out of range"))?;
            at += max_align(check_tuple(tuple, attributes)?);
        }
        if at != end as usize {
            return Err(Error::Frame("bytes after the last tuple"));
        }
        Ok(Self { rows, end })
    }

    /// Number of rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Bytes of the frame that hold header and tuples.
    pub fn used(&self) -> usize {
        self.end as usize
    }

    /// Offset of the first tuple, if there is one.
    pub fn first(&self) -> Option<usize> {
        (self.rows > 0).then_some(HEADER_SIZE)
    }

    /// Offset of the tuple after the one at `offset` in `frame`, the frame that was parsed.
    pub fn next(&self, frame: &[u8], offset: usize) -> Option<usize> {
        let length = u32::from_le_bytes(*frame.get(offset..)?.first_chunk()?) as usize;
        let next = offset + max_align(length);
        (next < self.end as usize).then_some(next)
    }
}

/// Checks the MinimalTuple at the start of `bytes` and returns its `t_len`.
pub fn check_tuple(bytes: &[u8], attributes: &[Attribute]) -> Result<usize> {
    let header: &[u8; MINIMAL_TUPLE_HEADER] = bytes.first_chunk().ok_or(Error::Frame("tuple header out of range"))?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let infomask2 = u16::from_le_bytes([header[10], header[11]]);
    let infomask = u16::from_le_bytes([header[12], header[13]]);
    let header_offset = usize::from(header[14]);
    let has_nulls = infomask & HEAP_HASNULL != 0;
    let bitmap = if has_nulls { attributes.len().div_ceil(8) } else { 0 };
    let data_start = header_offset.wrapping_sub(MINIMAL_TUPLE_OFFSET);
    let tuple = bytes.get(..length).ok_or(Error::Frame("tuple longer than its frame"))?;
    if usize::from(infomask2 & HEAP_NATTS_MASK) != attributes.len() {
        return Err(Error::Frame("tuple with another number of attributes"));
    }
    if !header_offset.is_multiple_of(8) || data_start < MINIMAL_TUPLE_HEADER + bitmap || data_start > length {
        return Err(Error::Frame("tuple with a wrong header offset"));
    }
    let nulls = &tuple[MINIMAL_TUPLE_HEADER..MINIMAL_TUPLE_HEADER + bitmap];
    check_data(&tuple[data_start..], nulls, has_nulls, attributes)?;
    Ok(length)
}

/// Walks over the attributes of a tuple's data as `heap_deform_tuple` would.
fn check_data(data: &[u8], nulls: &[u8], has_nulls: bool, attributes: &[Attribute]) -> Result<()> {
    const OUTSIDE: Error = Error::Frame("attribute outside its tuple");
    let mut at = 0;
    for (index, attribute) in attributes.iter().enumerate() {
        if has_nulls && nulls[index / 8] & (1 << (index % 8)) == 0 {
            continue;
        }
        let align = attribute.align.bytes();
        if attribute.length > 0 {
            at = at_aligned(at, align) + attribute.length as usize;
        } else {
            if *data.get(at).ok_or(OUTSIDE)? == 0 {
                at = at_aligned(at, align);
            }
            let rest = data.get(at..).ok_or(OUTSIDE)?;
            let first = *rest.first().ok_or(OUTSIDE)?;
            at += match first {
                1 => return Err(Error::Frame("out-of-line value in a result")),
                short if short & 1 == 1 => usize::from(short >> 1),
                _ => {
                    let header = rest.first_chunk::<4>().ok_or(OUTSIDE)?;
                    let header = u32::from_le_bytes(*header);
                    let length = (header >> 2) as usize;
                    if header & 3 != 0 || length < 4 {
                        return Err(Error::Frame("compressed or broken value in a result"));
                    }
                    length
                }
            };
        }
        if at > data.len() {
            return Err(OUTSIDE);
        }
    }
    Ok(())
}

fn at_aligned(at: usize, align: usize) -> usize {
    at.next_multiple_of(align)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusion_common::AttAlign;

    const INT4: Attribute = Attribute { length: 4, align: AttAlign::Int, by_value: true, packable: false };
    const TEXT: Attribute = Attribute { length: -1, align: AttAlign::Int, by_value: false, packable: true };

    /// (int4 7, text 'abc'), as heap_form_minimal_tuple lays it out.
    fn tuple() -> Vec<u8> {
        let mut tuple = vec![0; 16];
        tuple[10..12].copy_from_slice(&2u16.to_le_bytes());
        tuple[12..14].copy_from_slice(&HEAP_HASVARWIDTH.to_le_bytes());
        tuple[14] = 24;
        tuple.extend_from_slice(&7i32.to_le_bytes());
        tuple.extend_from_slice(&[(4 << 1) | 1, b'a', b'b', b'c']);
        let length = tuple.len() as u32;
        tuple[0..4].copy_from_slice(&length.to_le_bytes());
        tuple
    }

    fn frame() -> Vec<u8> {
        let mut frame = vec![0xAA; FRAME_SIZE];
        let mut writer = TupleFrameWriter::new(&mut frame).unwrap();
        let row = tuple();
        while let Some(to) = writer.push(row.len()) {
            to.copy_from_slice(&row);
        }
        writer.finish();
        frame
    }

    #[test]
    fn rows_are_walked_to_the_end() {
        let frame = frame();
        let parsed = TupleFrame::parse(&frame, &[INT4, TEXT]).unwrap();
        let mut offset = parsed.first();
        let mut rows = 0;
        while let Some(at) = offset {
            assert_eq!(frame[at..at + 24], tuple()[..]);
            rows += 1;
            offset = parsed.next(&frame, at);
        }
        assert_eq!(rows, parsed.rows());
        assert_eq!(rows as usize, MAX_FRAME_TUPLE / 24);
    }

    #[test]
    fn tuples_that_do_not_fit_the_descriptor_are_refused() {
        assert!(check_tuple(&tuple(), &[INT4, TEXT]).is_ok());
        assert!(check_tuple(&tuple(), &[INT4]).is_err());
        let int8 = Attribute { length: 8, align: AttAlign::Double, by_value: true, packable: false };
        assert!(check_tuple(&tuple(), &[int8, int8]).is_err());
        for (at, value) in [(0, 255), (14, 16), (14, 25), (14, 200), (20, 1), (20, 255), (20, 2)] {
            let mut damaged = tuple();
            damaged[at] = value;
            assert!(check_tuple(&damaged, &[INT4, TEXT]).is_err(), "byte {at} set to {value}");
        }
    }
}
