//! Hand-built heap pages of a table (id int4, name text), as bufpage.h and htup_details.h draw them.

use fusion_common::limits::{BITMAP_WORDS, BLOCK_SIZE};
use fusion_common::{AttAlign, Attribute};
use fusion_proto::message::CacheInfo;
use fusion_proto::page_frame::VisibleBitmap;
use std::sync::Arc;

pub const INT4: Attribute = Attribute { length: 4, align: AttAlign::Int, by_value: true, packable: false };
pub const TEXT: Attribute = Attribute { length: -1, align: AttAlign::Int, by_value: false, packable: true };
pub const INT8: Attribute = Attribute { length: 8, align: AttAlign::Double, by_value: true, packable: false };

pub type Row = (i32, Option<String>);

#[derive(Clone)]
pub struct Page {
    pub image: Vec<u8>,
    pub visible: VisibleBitmap,
    pub flattened: Vec<(u16, Vec<u8>)>,
    pub wide: Vec<(u16, Vec<u8>)>,
    /// Page LSN.
    pub lsn: u64,
    /// PD_ALL_VISIBLE.
    pub all_visible: bool,
}

#[derive(Clone)]
pub struct Table {
    pub pages: Vec<Page>,
    pub rows: Vec<Row>,
    /// What goes with a query, where it may be cached.
    pub cache: Option<CacheInfo>,
}

/// HeapTupleHeader and data of a row.
pub fn tuple((id, name): &Row) -> Vec<u8> {
    let mut tuple = vec![0; 24];
    tuple[18..20].copy_from_slice(&2u16.to_le_bytes());
    tuple[22] = 24;
    let mut infomask = 0x0900u16;
    tuple.extend_from_slice(&id.to_le_bytes());
    match name {
        None => {
            infomask |= 1;
            tuple[23] = 0b01;
        }
        Some(name) => {
            infomask |= 2;
            tuple.extend_from_slice(&varlena(name));
        }
    }
    tuple[20..22].copy_from_slice(&infomask.to_le_bytes());
    tuple
}

fn varlena(text: &str) -> Vec<u8> {
    let mut bytes = match text.len() {
        short @ 0..=126 => vec![(((short + 1) << 1) | 1) as u8],
        long => (((long + 4) << 2) as u32).to_le_bytes().to_vec(),
    };
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A tuple whose name is a TOAST pointer.
fn toasted(id: i32) -> Vec<u8> {
    let mut tuple = tuple(&(id, Some(String::new())));
    tuple.truncate(28);
    tuple.push(1);
    tuple.push(18);
    tuple.extend_from_slice(&[1; 16]);
    tuple
}

impl Page {
    /// An empty page.
    pub fn new() -> Self {
        let mut image = vec![0; BLOCK_SIZE];
        image[12..14].copy_from_slice(&24u16.to_le_bytes());
        image[14..16].copy_from_slice(&(BLOCK_SIZE as u16).to_le_bytes());
        image[16..18].copy_from_slice(&(BLOCK_SIZE as u16).to_le_bytes());
        image[18..20].copy_from_slice(&(BLOCK_SIZE as u16 | 4).to_le_bytes());
        Self { image, visible: [0; BITMAP_WORDS], flattened: Vec::new(), wide: Vec::new(), lsn: 1, all_visible: false }
    }

    fn u16_at(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([self.image[at], self.image[at + 1]]))
    }

    pub fn items(&self) -> usize {
        (self.u16_at(12) - 24) / 4
    }

    pub fn visible_count(&self) -> u16 {
        self.visible.iter().map(|word| word.count_ones() as u16).sum()
    }

    /// Adds a tuple; gives its offset number, or None if the page is full.
    pub fn push(&mut self, tuple: &[u8], visible: bool) -> Option<u16> {
        let (lower, upper) = (self.u16_at(12), self.u16_at(14));
        let start = upper.checked_sub(tuple.len().next_multiple_of(8)).filter(|&start| start >= lower + 4)?;
        self.image[start..start + tuple.len()].copy_from_slice(tuple);
        let pointer = start as u32 | 1 << 15 | (tuple.len() as u32) << 17;
        self.image[lower..lower + 4].copy_from_slice(&pointer.to_le_bytes());
        self.image[12..14].copy_from_slice(&(lower as u16 + 4).to_le_bytes());
        self.image[14..16].copy_from_slice(&(start as u16).to_le_bytes());
        let index = self.items() - 1;
        if visible {
            self.visible[index / 64] |= 1 << (index % 64);
        }
        Some(index as u16 + 1)
    }
}

impl Table {
    /// Rows 0.. with names of various lengths, NULLs among them, and invisible tuples between them. Names longer than a page
    /// are flattened; longer than a frame, they are wide.
    pub fn new(rows: Vec<Row>) -> Arc<Self> {
        let mut pages = vec![Page::new()];
        for row in &rows {
            let name_length = row.1.as_ref().map_or(0, String::len);
            let stored = if name_length > 2000 { toasted(row.0) } else { tuple(row) };
            let last = pages.last_mut().unwrap();
            let crowded = name_length > 2000 && last.flattened.len() + last.wide.len() >= 1;
            let placed = if crowded { None } else { last.push(&stored, true) };
            let offset_number = placed.unwrap_or_else(|| {
                pages.push(Page::new());
                pages.last_mut().unwrap().push(&stored, true).unwrap()
            });
            let last = pages.last_mut().unwrap();
            match name_length {
                0..=2000 => {}
                2001..=8000 => last.flattened.push((offset_number, tuple(row))),
                _ => last.wide.push((offset_number, tuple(row))),
            }
            if row.0 % 7 == 0 {
                // Dead: must not be seen.
                last.push(&tuple(&(-1, Some("dead".to_owned()))), false);
            }
        }
        Arc::new(Self { pages, rows, cache: None })
    }

    /// `count` rows.
    pub fn numbered(count: i32) -> Arc<Self> {
        let name = |id: i32| (id % 5 != 0).then(|| format!("name {id} {}", "x".repeat(id as usize % 40)));
        Self::new((0..count).map(|id| (id, name(id))).collect())
    }
}

/// The MinimalTuple of values laid out as (int4, text).
pub fn minimal(id: i32, name: Option<&str>) -> Vec<u8> {
    let mut tuple = vec![0; 16];
    let mut infomask = 2u16;
    tuple[10..12].copy_from_slice(&2u16.to_le_bytes());
    tuple[14] = 24;
    tuple.extend_from_slice(&id.to_le_bytes());
    match name {
        Some(name) => tuple.extend_from_slice(&varlena(name)),
        None => {
            infomask = 1;
            tuple[15] = 1;
        }
    }
    tuple[12..14].copy_from_slice(&infomask.to_le_bytes());
    let length = tuple.len() as u32;
    tuple[0..4].copy_from_slice(&length.to_le_bytes());
    tuple
}

/// The MinimalTuple of one int8.
pub fn minimal_int8(value: i64) -> Vec<u8> {
    let mut tuple = vec![0; 16];
    tuple[0..4].copy_from_slice(&24u32.to_le_bytes());
    tuple[10..12].copy_from_slice(&1u16.to_le_bytes());
    tuple[14] = 24;
    tuple.extend_from_slice(&value.to_le_bytes());
    tuple
}
