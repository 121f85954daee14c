//! Varlena headers: how long a value of variable length is, and in which form it is stored (varatt.h).
//!
//! ```text
//!  first byte  xxxxxxx1  short: total length 1..127 in the upper 7 bits, then the payload; no alignment
//!              00000001  TOAST pointer, see toast.rs
//!              xxxxxx00  plain: u32 header, total length in the upper 30 bits, then the payload
//!              xxxxxx10  compressed: u32 header, u32 raw size (30 bits) and method (2 bits), then compressed bytes
//!              00000000  possibly a pad byte before an aligned header
//! ```
//! Invariant: what [`parse`] returns lies inside of the bytes that it was given.

use crate::compress::Compressed;
use crate::error::{Error, Result};
use crate::toast::{EXTERNAL_HEADER, EXTERNAL_SIZE, VARTAG_ONDISK};

/// One varlena, by form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Varlena<'a> {
    /// The payload as it is.
    Plain(&'a [u8]),
    /// Compressed inline.
    Compressed(Compressed<'a>),
    /// Out of line: a TOAST pointer.
    External,
}

/// Reads the varlena at the head of `bytes`, which reach to the tuple's end; gives its form and its total length in bytes.
pub fn parse(bytes: &[u8]) -> Result<(Varlena<'_>, usize)> {
    let &first = bytes.first().ok_or_else(beyond)?;
    if first & 1 == 1 {
        if first == EXTERNAL_HEADER {
            return match bytes.get(1) {
                Some(&VARTAG_ONDISK) if bytes.len() >= EXTERNAL_SIZE => Ok((Varlena::External, EXTERNAL_SIZE)),
                _ => Err(Error::corrupt("an out-of-line pointer is invalid")),
            };
        }
        let total = usize::from(first >> 1);
        return Ok((Varlena::Plain(bytes.get(1..total).ok_or_else(beyond)?), total));
    }
    let header = u32::from_le_bytes(*bytes.first_chunk().ok_or_else(beyond)?);
    let total = (header >> 2) as usize;
    if header & 3 == 0 {
        let payload = bytes.get(4..total).ok_or_else(beyond)?;
        return Ok((Varlena::Plain(payload), total));
    }
    let value = bytes.get(4..total).ok_or_else(beyond)?;
    Ok((Varlena::Compressed(Compressed::parse(value)?), total))
}

/// Total length of the varlena at the head of `bytes`, whatever its form; it lies inside of `bytes`.
pub fn total_length(bytes: &[u8]) -> Result<usize> {
    let &first = bytes.first().ok_or_else(beyond)?;
    let total = match first {
        EXTERNAL_HEADER => parse(bytes)?.1,
        _ if first & 1 == 1 => usize::from(first >> 1),
        _ => {
            let header = u32::from_le_bytes(*bytes.first_chunk().ok_or_else(beyond)?);
            (header >> 2) as usize
        }
    };
    let smallest = if first & 1 == 1 { 1 } else { 4 };
    if total < smallest || total > bytes.len() {
        return Err(beyond());
    }
    Ok(total)
}

#[cold]
fn beyond() -> Error {
    Error::corrupt(BEYOND_TUPLE)
}

/// Detail of a value whose end lies outside of its tuple.
pub(crate) const BEYOND_TUPLE: &str = "a value ends beyond its tuple";

/// Where a varlena begins that may be preceded by pad bytes: a header's first byte is never 0 unless it is aligned.
#[inline(always)]
pub(crate) fn begin(first: u8, offset: usize, align_mask: usize) -> usize {
    if first == 0 { (offset + align_mask) & !align_mask } else { offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Method;

    #[test]
    fn forms_are_told_apart() {
        assert_eq!(parse(&[0x07, b'a', b'b', 9]).unwrap(), (Varlena::Plain(b"ab"), 3));
        assert_eq!(parse(&[0x03]).unwrap(), (Varlena::Plain(b""), 1));
        assert_eq!(parse(&[0x18, 0, 0, 0, b'a', b'b']).unwrap(), (Varlena::Plain(b"ab"), 6));
        let compressed = [0x2a, 0, 0, 0, 4, 0, 0, 0x40, 7, 7];
        let (value, total) = parse(&compressed).unwrap();
        assert_eq!(total, 10);
        let Varlena::Compressed(value) = value else { panic!("{value:?}") };
        assert_eq!((value.method, value.raw_size, value.data), (Method::Lz4, 4, &[7u8, 7][..]));
        let mut pointer = [0u8; 18];
        pointer[..2].copy_from_slice(&[1, 18]);
        assert_eq!(parse(&pointer).unwrap(), (Varlena::External, 18));
    }

    #[test]
    fn ends_beyond_the_bytes_are_corrupt() {
        let bad: [&[u8]; 8] = [
            &[],
            &[0x07, b'a'],
            &[0x18, 0, 0],
            &[0x18, 0, 0, 0, 1],
            &[0x0c, 0, 0, 0, 1],
            &[1, 18, 0],
            &[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x1a, 0, 0, 0, 1, 2],
        ];
        for bytes in bad {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn only_a_zero_byte_is_padding() {
        assert_eq!(begin(0, 5, 3), 8);
        assert_eq!(begin(0, 8, 3), 8);
        assert_eq!(begin(7, 5, 3), 5);
    }
}
