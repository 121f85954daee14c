//! A small writer of heap pages, for tests and for the fuzz corpus: what PostgreSQL's page and tuple code would have written.
#![allow(dead_code, reason = "each test takes what it needs")]

use fusion_common::limits::BLOCK_SIZE;
use fusion_common::{AttAlign, Attribute};
use fusion_heapscan::{LinePointer, LinePointerKind};

/// A stored value of one attribute.
#[derive(Clone, Debug)]
pub enum Stored {
    Null,
    /// A fixed-length value, or a whole varlena with its header (aligned if `aligned`).
    Bytes {
        bytes: Vec<u8>,
        aligned: bool,
    },
}

pub fn fixed(bytes: impl Into<Vec<u8>>) -> Stored {
    Stored::Bytes { bytes: bytes.into(), aligned: true }
}

/// A varlena with a short header (payload of at most 126 bytes).
pub fn short(payload: &[u8]) -> Stored {
    assert!(payload.len() <= 126);
    let mut bytes = vec![((payload.len() + 1) as u8) << 1 | 1];
    bytes.extend_from_slice(payload);
    Stored::Bytes { bytes, aligned: false }
}

/// A varlena with a plain 4-byte header.
pub fn plain(payload: &[u8]) -> Stored {
    let mut bytes = (((payload.len() + 4) as u32) << 2).to_le_bytes().to_vec();
    bytes.extend_from_slice(payload);
    Stored::Bytes { bytes, aligned: true }
}

/// A varlena compressed inline; `method` 0: pglz, 1: lz4.
pub fn compressed(method: u32, raw_size: usize, data: &[u8]) -> Stored {
    let mut bytes = (((data.len() + 8) as u32) << 2 | 2).to_le_bytes().to_vec();
    bytes.extend((method << 30 | raw_size as u32).to_le_bytes());
    bytes.extend_from_slice(data);
    Stored::Bytes { bytes, aligned: true }
}

/// pglz data made of literals and, where bytes repeat, of matches one byte back.
pub fn pglz(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let control = out.len();
        out.push(0);
        for bit in 0..8 {
            if at == payload.len() {
                break;
            }
            let run = match at.checked_sub(1) {
                Some(before) => payload[at..].iter().take_while(|&&b| b == payload[before]).count().min(18 + 255),
                None => 0,
            };
            if run < 3 {
                out.push(payload[at]);
                at += 1;
                continue;
            }
            out[control] |= 1 << bit;
            out.push((run.min(18) - 3) as u8);
            out.push(1);
            if run >= 18 {
                out.push((run - 18) as u8);
            }
            at += run;
        }
    }
    out
}

/// A TOAST pointer.
pub fn external() -> Stored {
    let mut bytes = vec![1, 18];
    bytes.extend([7; 16]);
    Stored::Bytes { bytes, aligned: false }
}

fn align(data: &mut Vec<u8>, to: usize) {
    data.resize(data.len().next_multiple_of(to), 0);
}

/// Header and data of a tuple that holds `values`, one per leading attribute.
pub fn tuple(attributes: &[Attribute], values: &[Stored]) -> Vec<u8> {
    let has_nulls = values.iter().any(|value| matches!(value, Stored::Null));
    let hoff = (23 + if has_nulls { values.len().div_ceil(8) } else { 0 }).next_multiple_of(8);
    let mut bytes = vec![0u8; hoff];
    bytes[18..20].copy_from_slice(&(values.len() as u16 | 0x2000).to_le_bytes());
    bytes[20..22].copy_from_slice(&(0x0900u16 | u16::from(has_nulls)).to_le_bytes());
    bytes[22] = hoff as u8;
    let mut data = Vec::new();
    for (i, (attribute, value)) in attributes.iter().zip(values).enumerate() {
        let Stored::Bytes { bytes: value, aligned } = value else { continue };
        if has_nulls {
            bytes[23 + i / 8] |= 1 << (i % 8);
        }
        if *aligned {
            align(&mut data, attribute.align.bytes());
        }
        data.extend_from_slice(value);
    }
    bytes.extend(data);
    bytes
}

/// A page under construction.
pub struct PageWriter {
    pub bytes: Vec<u8>,
    lower: usize,
    upper: usize,
}

impl PageWriter {
    pub fn new() -> Self {
        let mut writer = Self { bytes: vec![0; BLOCK_SIZE], lower: 24, upper: BLOCK_SIZE };
        writer.bytes[16..18].copy_from_slice(&(BLOCK_SIZE as u16).to_le_bytes());
        writer.bytes[18..20].copy_from_slice(&(BLOCK_SIZE as u16 | 4).to_le_bytes());
        writer.bounds();
        writer
    }

    fn bounds(&mut self) {
        self.bytes[12..14].copy_from_slice(&(self.lower as u16).to_le_bytes());
        self.bytes[14..16].copy_from_slice(&(self.upper as u16).to_le_bytes());
    }

    /// Adds a tuple; gives its offset number, or None if the page is full.
    pub fn add(&mut self, tuple: &[u8]) -> Option<u16> {
        let size = tuple.len().next_multiple_of(8);
        if self.lower + 4 + size > self.upper || self.lower >= 24 + 4 * 291 {
            return None;
        }
        self.upper -= size;
        self.bytes[self.upper..self.upper + tuple.len()].copy_from_slice(tuple);
        let pointer = LinePointer::new(self.upper as u16, LinePointerKind::Normal, tuple.len() as u16);
        Some(self.point(pointer))
    }

    /// Adds a line pointer; the page must have room.
    pub fn point(&mut self, pointer: LinePointer) -> u16 {
        self.bytes[self.lower..self.lower + 4].copy_from_slice(&pointer.0.to_le_bytes());
        self.lower += 4;
        self.bounds();
        ((self.lower - 24) / 4) as u16
    }
}

/// A bitmap of visible offset numbers.
pub fn visible(offset_numbers: impl IntoIterator<Item = u16>) -> Vec<u64> {
    let mut words = vec![0u64; 5];
    for offset_number in offset_numbers {
        let bit = usize::from(offset_number) - 1;
        words[bit / 64] |= 1 << (bit % 64);
    }
    words
}

pub fn attribute(length: i16, letter: u8) -> Attribute {
    let align = AttAlign::from_letter(letter).unwrap();
    Attribute { length, align, by_value: matches!(length, 1 | 2 | 4 | 8), packable: length == -1 }
}

/// A numeric's payload from its decimal text, as numeric.c would store it (short form where it fits).
pub fn numeric(text: &str) -> Vec<u8> {
    match text {
        "NaN" => return 0xc000u16.to_le_bytes().to_vec(),
        "Infinity" => return 0xd000u16.to_le_bytes().to_vec(),
        "-Infinity" => return 0xf000u16.to_le_bytes().to_vec(),
        _ => {}
    }
    let negative = text.starts_with('-');
    let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let display_scale = fraction.len();
    let whole = format!("{}{whole}", "0".repeat(whole.len().next_multiple_of(4) - whole.len()));
    let fraction = format!("{fraction}{}", "0".repeat(fraction.len().next_multiple_of(4) - fraction.len()));
    let mut weight = whole.len() as i32 / 4 - 1;
    let all = whole + &fraction;
    let mut digits: Vec<u16> =
        all.as_bytes().chunks(4).map(|four| std::str::from_utf8(four).unwrap().parse().unwrap()).collect();
    while digits.first() == Some(&0) {
        digits.remove(0);
        weight -= 1;
    }
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let negative = negative && !digits.is_empty();
    if digits.is_empty() {
        weight = 0;
    }
    let mut payload = Vec::new();
    if display_scale <= 63 && (-64..=63).contains(&weight) {
        let header = 0x8000 | u16::from(negative) << 13 | (display_scale as u16) << 7 | (weight as u16 & 0x7f);
        payload.extend(header.to_le_bytes());
    } else {
        payload.extend((u16::from(negative) << 14 | display_scale as u16).to_le_bytes());
        payload.extend((weight as i16).to_le_bytes());
    }
    payload.extend(digits.iter().flat_map(|digit| digit.to_le_bytes()));
    payload
}
