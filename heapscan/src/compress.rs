//! Values compressed inline: PostgreSQL's own pglz, and lz4 blocks (toast_compression.h, pg_lzcompress.c).
//!
//! pglz is a run of groups: a control byte, then for each of its bits, lowest first, one item:
//! ```text
//!   bit 0   one literal byte
//!   bit 1   2 bytes: ┌ offset 11..8 │ length - 3 ┐ offset 7..0 ┐   and if length - 3 is 15, a third byte is added to it:
//!                    └──── 4 bits ──┴── 4 bits ──┴── 8 bits ───┘   copy `length` bytes from `offset` bytes back
//! ```
//! Invariants: exactly `raw_size` bytes come out, all input is used up, nothing is read before the first output byte; a
//! raw size that no input of that length can give is refused before memory is taken for it.

use crate::error::{Error, Result};

/// How a value is compressed (`ToastCompressionId`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// PostgreSQL's own.
    Pglz,
    /// lz4, one block.
    Lz4,
}

/// A value compressed inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compressed<'a> {
    /// How.
    pub method: Method,
    /// Bytes of the payload once decompressed; bounded by the length of `data`.
    pub raw_size: usize,
    /// Compressed bytes.
    pub data: &'a [u8],
}

/// The most that one compressed byte can stand for: pglz 273 for 3 bytes, lz4 255 for 1 (and a short head).
const MAX_EXPANSION: usize = 256;

const PGLZ: Error = Error::Corrupt { place: crate::error::Place::UNKNOWN, detail: "pglz-compressed data is corrupt" };

impl<'a> Compressed<'a> {
    /// From the bytes after the varlena header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (info, data) =
            bytes.split_first_chunk().ok_or_else(|| Error::corrupt("a compressed value is shorter than its header"))?;
        let info = u32::from_le_bytes(*info);
        let method = match info >> 30 {
            0 => Method::Pglz,
            1 => Method::Lz4,
            _ => return Err(Error::corrupt("a value has an unknown compression method")),
        };
        let raw_size = (info & 0x3fff_ffff) as usize;
        if raw_size > data.len().saturating_mul(MAX_EXPANSION).saturating_add(64) {
            return Err(Error::corrupt("a compressed value claims an impossible size"));
        }
        Ok(Self { method, raw_size, data })
    }

    /// Appends the decompressed payload to `out`.
    pub fn decompress(&self, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        match self.method {
            Method::Pglz => pglz(self.data, self.raw_size, out),
            Method::Lz4 => {
                out.resize(start + self.raw_size, 0);
                let target = out.get_mut(start..).unwrap_or_default();
                match lz4_flex::block::decompress_into(self.data, target) {
                    Ok(size) if size == self.raw_size => Ok(()),
                    _ => Err(Error::corrupt("lz4-compressed data is corrupt")),
                }
            }
        }
    }
}

fn pglz(mut data: &[u8], raw_size: usize, out: &mut Vec<u8>) -> Result<()> {
    out.reserve(raw_size);
    let start = out.len();
    let end = start + raw_size;
    while let Some((&control, rest)) = data.split_first()
        && out.len() < end
    {
        data = rest;
        for bit in 0..8 {
            if data.is_empty() || out.len() == end {
                break;
            }
            if control >> bit & 1 == 0 {
                let (&literal, rest) = data.split_first().ok_or(PGLZ)?;
                out.push(literal);
                data = rest;
                continue;
            }
            let (&[head, low], rest) = data.split_first_chunk().ok_or(PGLZ)?;
            data = rest;
            let mut length = usize::from(head & 0x0f) + 3;
            if length == 18 {
                let (&more, rest) = data.split_first().ok_or(PGLZ)?;
                length += usize::from(more);
                data = rest;
            }
            let distance = usize::from(head & 0xf0) << 4 | usize::from(low);
            if distance == 0 || distance > out.len() - start {
                return Err(PGLZ);
            }
            // The server's last match may be longer than what is left; it is cut there, as the server cuts it.
            repeat(out, distance, length.min(end - out.len()));
        }
    }
    if out.len() != end || !data.is_empty() {
        return Err(PGLZ);
    }
    Ok(())
}

/// Appends `length` bytes, each equal to the one `distance` before it; 0 < distance <= out.len().
fn repeat(out: &mut Vec<u8>, distance: usize, mut length: usize) {
    debug_assert!(0 < distance && distance <= out.len());
    let from = out.len() - distance;
    while length > 0 {
        let chunk = length.min(out.len() - from);
        out.extend_from_within(from..from + chunk);
        length -= chunk;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompress(method: u32, raw_size: u32, data: &[u8]) -> Result<Vec<u8>> {
        let mut bytes = (method << 30 | raw_size).to_le_bytes().to_vec();
        bytes.extend_from_slice(data);
        let mut out = b"before".to_vec();
        Compressed::parse(&bytes)?.decompress(&mut out)?;
        assert!(out.starts_with(b"before"));
        Ok(out.split_off(6))
    }

    #[test]
    fn pglz_literals_and_overlapping_matches() {
        assert_eq!(decompress(0, 3, &[0, b'a', b'b', b'c']).unwrap(), b"abc");
        // "ab", then 10 bytes from 2 back.
        assert_eq!(decompress(0, 12, &[0b100, b'a', b'b', 0x07, 2]).unwrap(), b"abababababab");
        // A long match: 18 + 2 bytes from 1 back.
        assert_eq!(decompress(0, 21, &[0b10, b'a', 0x0f, 1, 2]).unwrap(), [b'a'; 21]);
        // A last match longer than what is left.
        assert_eq!(decompress(0, 5, &[0b10, b'a', 0x0f, 1, 200]).unwrap(), b"aaaaa");
    }

    #[test]
    fn broken_pglz_is_corrupt() {
        let bad: [(u32, &[u8]); 7] = [
            (4, &[0, b'a', b'b', b'c']),
            (2, &[0, b'a', b'b', b'c']),
            (9, &[0b10, b'a', 0x07, 2]),
            (9, &[0b10, b'a', 0x07, 0]),
            (9, &[0b10, b'a', 0x07]),
            (19, &[0b10, b'a', 0x0f, 1]),
            (1 << 29, &[0b10, b'a', 0x0f, 1]),
        ];
        for (size, data) in bad {
            assert!(decompress(0, size, data).is_err(), "{data:?}");
        }
    }

    #[test]
    fn lz4_blocks_round_trip() {
        let text = b"heap heap heap heap heap heap heap page".repeat(20);
        let packed = lz4_flex::block::compress(&text);
        assert_eq!(decompress(1, text.len() as u32, &packed).unwrap(), text);
        assert!(decompress(1, text.len() as u32 + 1, &packed).is_err());
        assert!(decompress(1, text.len() as u32 - 1, &packed).is_err());
        assert!(decompress(2, text.len() as u32, &packed).is_err());
        assert!(decompress(1, text.len() as u32, &packed[..packed.len() / 2]).is_err());
    }
}
