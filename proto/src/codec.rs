//! Framing: a little-endian u32 length, then that many bytes of postcard.
//!
//! Invariants: no message is longer than [`MAX_MESSAGE_SIZE`]; a [`Decoder`] never holds more than one message and
//! what was read with it; a decoder that gave an error is not used again.

use crate::error::{Error, Result};
use fusion_common::limits::MAX_MESSAGE_SIZE;
use serde::{Serialize, de::DeserializeOwned};

const PREFIX: usize = size_of::<u32>();

/// Appends `message` with its length prefix to `out`.
pub fn encode<M: Serialize>(message: &M, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    let taken = std::mem::take(out);
    *out = postcard::to_extend(message, taken)?;
    let length = out.len() - start - PREFIX;
    if length > MAX_MESSAGE_SIZE {
        out.truncate(start);
        return Err(Error::MessageTooLarge(length));
    }
    out[start..start + PREFIX].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(())
}

/// Postcard bytes of a value that travels inside a message or a plan tree.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    Ok(postcard::to_stdvec(value)?)
}

/// The reverse of [`to_bytes`]; trailing bytes are an error.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(Error::Unexpected("bytes after the end")) }
}

/// Cuts messages out of a byte stream that arrives in pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Adds bytes as they came from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > 1 << 20 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next whole message, or None until more bytes come.
    pub fn take<M: DeserializeOwned>(&mut self) -> Result<Option<M>> {
        let pending = &self.buffer[self.start..];
        let Some((prefix, body)) = pending.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > MAX_MESSAGE_SIZE {
            return Err(Error::MessageTooLarge(length));
        }
        let Some(body) = body.get(..length) else {
            return Ok(None);
        };
        let message = from_bytes(body)?;
        self.start += PREFIX + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_any_cut() {
        let mut wire = Vec::new();
        for n in 0..50u64 {
            encode(&(n, vec![n as u8; n as usize * 7]), &mut wire).unwrap();
        }
        for step in [1, 2, 3, 7, 64, wire.len()] {
            let mut decoder = Decoder::default();
            let mut seen = 0u64;
            for piece in wire.chunks(step) {
                decoder.push(piece);
                while let Some((n, body)) = decoder.take::<(u64, Vec<u8>)>().unwrap() {
                    assert_eq!((n, body.len()), (seen, n as usize * 7));
                    seen += 1;
                }
            }
            assert_eq!(seen, 50);
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_it_is_read() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_le_bytes());
        assert!(matches!(decoder.take::<u64>(), Err(Error::MessageTooLarge(_))));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = to_bytes(&7u32).unwrap();
        bytes.push(0);
        assert!(from_bytes::<u32>(&bytes).is_err());
    }
}
