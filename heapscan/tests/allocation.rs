//! `ScalarRow::decode` allocates nothing once warm: a counting allocator says so.

mod support;

use fusion_common::ColumnType;
use fusion_heapscan::{Column, Layout, ScalarRow, Tuple};
use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;
use std::sync::Arc;
use support::{Stored, attribute, compressed, fixed, numeric, pglz, plain, short, tuple};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, memory: Memory) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, memory) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, memory: Memory, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, memory, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))) > 0);
}

#[test]
fn a_warm_row_allocates_nothing() {
    let types = [
        (ColumnType::Bool, attribute(1, b'c')),
        (ColumnType::Int2, attribute(2, b's')),
        (ColumnType::Int4, attribute(4, b'i')),
        (ColumnType::Int8, attribute(8, b'd')),
        (ColumnType::Float4, attribute(4, b'i')),
        (ColumnType::Float8, attribute(8, b'd')),
        (ColumnType::Numeric { precision: 15, scale: 2 }, attribute(-1, b'i')),
        (ColumnType::Numeric { precision: 38, scale: 9 }, attribute(-1, b'i')),
        (ColumnType::NumericVar, attribute(-1, b'i')),
        (ColumnType::Text, attribute(-1, b'i')),
        (ColumnType::Bpchar { length: 10 }, attribute(-1, b'i')),
        (ColumnType::Date, attribute(4, b'i')),
        (ColumnType::Timestamp, attribute(8, b'd')),
        (ColumnType::Timestamptz, attribute(8, b'd')),
        (ColumnType::Opaque, attribute(-1, b'i')),
        (ColumnType::Opaque, attribute(16, b'c')),
        // Only later tuples have this one.
        (ColumnType::Text, attribute(-1, b'i')),
    ];
    let attributes: Vec<_> = types.iter().map(|(_, attribute)| *attribute).collect();
    let columns = types.iter().enumerate().map(|(i, (column_type, _))| Column {
        attnum: i as u16 + 1,
        column_type: *column_type,
        missing: (i == 16).then(|| b"a missing value that is longer than a view".to_vec()),
    });
    let layout = Arc::new(Layout::try_new(attributes.clone(), columns.collect()).unwrap());

    let long = "größer ".repeat(600);
    let lz4 = lz4_flex::block::compress(long.as_bytes());
    let squeezed = pglz(&[b'p'; 5000]);
    let values = |n: u8, text: Stored| {
        vec![
            fixed([n & 1]),
            fixed(i16::from(n).to_le_bytes()),
            fixed(i32::from(n).to_le_bytes()),
            fixed(i64::from(n).to_le_bytes()),
            fixed(f32::from(n).to_le_bytes()),
            fixed(f64::from(n).to_le_bytes()),
            short(&numeric("-12345.67")),
            short(&numeric("12345678901234567890.123456789")),
            short(&numeric("1234567890.12345678901234567890")),
            text.clone(),
            short(b"char      "),
            fixed(i32::from(n).to_le_bytes()),
            fixed(i64::from(n).to_le_bytes()),
            fixed(i64::MAX.to_le_bytes()),
            text,
            fixed([n; 16]),
        ]
    };
    let with_nulls = |mut values: Vec<Stored>, nulls: &[usize]| {
        nulls.iter().for_each(|&i| values[i] = Stored::Null);
        values
    };
    let tuples: Vec<Vec<u8>> = [
        values(1, short(b"short")),
        values(2, plain(long.as_bytes())),
        values(3, compressed(0, 5000, &squeezed)),
        values(4, compressed(1, long.len(), &lz4)),
        with_nulls(values(5, short(b"")), &[0, 2, 4, 6, 8, 9, 10, 12, 14]),
        with_nulls(values(6, short(b"x")), &[1, 3, 5, 7, 9, 11, 13, 15]),
        values(7, short(b"y")).into_iter().chain([plain(&[b'z'; 300])]).collect(),
        values(8, short(b"y")).into_iter().chain([Stored::Null]).collect(),
    ]
    .map(|values| tuple(&attributes, &values))
    .into();

    let mut row = ScalarRow::new(layout);
    let mut all = || {
        for bytes in &tuples {
            let tuple = Tuple::parse(bytes).unwrap();
            std::hint::black_box(row.decode(&tuple).unwrap());
        }
    };
    assert!(allocations(&mut all) > 0, "the first round fills the buffers");
    assert_eq!(allocations(|| (0..100).for_each(|_| all())), 0);
}
