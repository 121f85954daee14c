//! Arbitrary pages of the golden table: no panic, no access out of bounds, and both ways out agree.
//!
//! ```text
//!   0        4      5          45            8237
//!   ┌────────┬──────┬──────────┬─────────────┬─────────────────────────────────┐
//!   │ needed │ mode │ visible  │ page        │ a tuple that stands in for tuple 1 │
//!   └────────┴──────┴──────────┴─────────────┴─────────────────────────────────┘
//! ```
//! `needed`: bit per attribute. `mode` bit 0: visible is every normal line pointer instead; bit 1: the stand-in is used.
#![no_main]

use arrow::array::Array;
use datafusion_common::ScalarValue;
use fusion_common::limits::BLOCK_SIZE;
use fusion_common::{AttAlign, Attribute, TypeRef};
use fusion_heapscan::{Column, ColumnDecoder, Error, Flattened, Layout, Page, ScalarRow};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const ATTRIBUTES: &str = include_str!("../../heapscan/tests/golden/pg18.attributes");

fn layout(needed: u32) -> Arc<Layout> {
    let (mut attributes, mut columns) = (Vec::new(), Vec::new());
    for (i, line) in ATTRIBUTES.lines().enumerate() {
        let fields: Vec<_> = line.split('\t').collect();
        let number = |i: usize| fields[i].parse::<i32>().unwrap();
        let align = AttAlign::from_letter(fields[6].as_bytes()[0]).unwrap();
        attributes.push(Attribute { length: number(5) as i16, align, by_value: false, packable: false });
        if fields[8] == "f" && needed >> i & 1 == 1 {
            let type_ref = TypeRef { oid: number(2) as u32, typmod: number(3), collation: 0 };
            let missing = (i % 3 == 0 && number(5) > 0).then(|| vec![7; number(5) as usize]);
            columns.push(Column { attnum: i as u16 + 1, column_type: type_ref.column_type(), missing });
        }
    }
    Arc::new(Layout::try_new(attributes, columns).unwrap())
}

fn normal_line_pointers(page: &Page<'_>) -> Vec<u64> {
    let mut visible = vec![0u64; 5];
    for offset_number in 1..=page.line_pointer_count() {
        if page.line_pointer(offset_number).is_some_and(|pointer| pointer.is_normal()) {
            let bit = usize::from(offset_number) - 1;
            visible[bit / 64] |= 1 << (bit % 64);
        }
    }
    visible
}

fn same(a: &ScalarValue, b: &ScalarValue) -> bool {
    match (a, b) {
        (ScalarValue::Float32(Some(a)), ScalarValue::Float32(Some(b))) => a.to_bits() == b.to_bits(),
        (ScalarValue::Float64(Some(a)), ScalarValue::Float64(Some(b))) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

fn rows_one_by_one(layout: &Arc<Layout>, page: &Page<'_>, visible: &[u64]) -> Result<Vec<Vec<ScalarValue>>, Error> {
    let mut row = ScalarRow::new(layout.clone());
    let mut rows = Vec::new();
    for bit in 0..visible.len() * 64 {
        if visible[bit / 64] >> (bit % 64) & 1 == 1 {
            rows.push(row.decode(&page.tuple(bit as u16 + 1)?)?.to_vec());
        }
    }
    Ok(rows)
}

fuzz_target!(|data: &[u8]| {
    let Some((needed, rest)) = data.split_first_chunk::<4>() else { return };
    let Some((&mode, rest)) = rest.split_first() else { return };
    let Some((words, rest)) = rest.split_at_checked(40) else { return };
    let (page_bytes, stand_in) = rest.split_at(rest.len().min(BLOCK_SIZE));
    let mut image = vec![0u8; BLOCK_SIZE];
    image[..page_bytes.len()].copy_from_slice(page_bytes);

    let layout = layout(u32::from_le_bytes(*needed));
    let mut visible: Vec<u64> = words.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    let parsed = Page::parse(0, &image);
    if let (Ok(page), 1) = (&parsed, mode & 1) {
        visible = normal_line_pointers(page);
    }
    let flattened = [Flattened { offset_number: 1, tuple: stand_in }];
    let flattened = if mode & 2 == 2 { &flattened[..] } else { &[] };

    let mut decoder = ColumnDecoder::new(layout.clone(), 16);
    let appended = decoder.append_page(0, &image, &visible, flattened);
    let one_by_one = parsed.and_then(|page| rows_one_by_one(&layout, &page, &visible));
    if appended.is_ok() {
        let arrays = decoder.finish().unwrap();
        arrays.iter().for_each(|array| array.to_data().validate_full().unwrap());
        if let (Ok(rows), true) = (&one_by_one, flattened.is_empty()) {
            for (i, row) in rows.iter().enumerate() {
                for (array, scalar) in arrays.iter().zip(row) {
                    assert!(same(scalar, &ScalarValue::try_from_array(array, i).unwrap()), "{scalar:?}");
                }
            }
        }
    }
    if flattened.is_empty() {
        assert_eq!(appended.is_ok(), one_by_one.is_ok(), "{:?} {:?}", appended.err(), one_by_one.err());
    }
});
