//! Decoding real lineitem pages: `cargo bench -p fusion_heapscan`. The last line per case is ns per tuple.
//!
//! `lineitem.pages` holds 64 pages that a PostgreSQL server wrote (`make_fixture.sh`); `lineitem.sums` what the server
//! says is on them, checked before anything is measured. Batches of about 8192 rows are finished to arrays, as a scan does.

use arrow::array::{Array, Decimal64Array};
use divan::counter::ItemsCount;
use fusion_common::limits::{BATCH_ROWS, BLOCK_SIZE};
use fusion_common::{AttAlign, Attribute, ColumnType};
use fusion_heapscan::{Column, ColumnDecoder, Layout, Page, ScalarRow};
use std::sync::Arc;

/// The engine's allocator: glibc's would fault the batches' memory in anew for each batch.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static PAGES: &[u8] = include_bytes!("lineitem.pages");
static SUMS: &str = include_str!("lineitem.sums");

const MONEY: ColumnType = ColumnType::Numeric { precision: 15, scale: 2 };
const Q1: [(u16, ColumnType); 7] = [
    (5, MONEY),
    (6, MONEY),
    (7, MONEY),
    (8, MONEY),
    (9, ColumnType::Bpchar { length: 1 }),
    (10, ColumnType::Bpchar { length: 1 }),
    (11, ColumnType::Date),
];
const Q6: [(u16, ColumnType); 4] = [(11, ColumnType::Date), (7, MONEY), (5, MONEY), (6, MONEY)];
const KEYS: [(u16, ColumnType); 4] =
    [(1, ColumnType::Int8), (2, ColumnType::Int8), (3, ColumnType::Int8), (4, ColumnType::Int4)];
const COMMENT: [(u16, ColumnType); 1] = [(16, ColumnType::Text)];
const ALL: [(u16, ColumnType); 16] = [
    (1, ColumnType::Int8),
    (2, ColumnType::Int8),
    (3, ColumnType::Int8),
    (4, ColumnType::Int4),
    (5, MONEY),
    (6, MONEY),
    (7, MONEY),
    (8, MONEY),
    (9, ColumnType::Bpchar { length: 1 }),
    (10, ColumnType::Bpchar { length: 1 }),
    (11, ColumnType::Date),
    (12, ColumnType::Date),
    (13, ColumnType::Date),
    (14, ColumnType::Bpchar { length: 25 }),
    (15, ColumnType::Bpchar { length: 10 }),
    (16, ColumnType::Text),
];

fn layout(columns: &[(u16, ColumnType)]) -> Arc<Layout> {
    let varlena = Attribute { length: -1, align: AttAlign::Int, by_value: false, packable: true };
    let int4 = Attribute { length: 4, align: AttAlign::Int, by_value: true, packable: false };
    let int8 = Attribute { length: 8, align: AttAlign::Double, by_value: true, packable: false };
    let mut attributes = vec![int8, int8, int8, int4];
    attributes.extend([varlena; 6]);
    attributes.extend([int4; 3]);
    attributes.extend([varlena; 3]);
    let columns = columns.iter().map(|&(attnum, column_type)| Column { attnum, column_type, missing: None }).collect();
    Arc::new(Layout::try_new(attributes, columns).unwrap())
}

/// Each page with its bitmap: after VACUUM all line pointers are normal and visible.
fn pages() -> Vec<(&'static [u8], Vec<u64>)> {
    PAGES
        .chunks(BLOCK_SIZE)
        .map(|bytes| {
            let count = usize::from(Page::parse(0, bytes).unwrap().line_pointer_count());
            let mut visible = vec![0u64; count.div_ceil(64)];
            (0..count).for_each(|i| visible[i / 64] |= 1 << (i % 64));
            (bytes, visible)
        })
        .collect()
}

fn decode(decoder: &mut ColumnDecoder, pages: &[(&[u8], Vec<u64>)]) -> usize {
    let mut rows = 0;
    for (block, (page, visible)) in pages.iter().enumerate() {
        rows += decoder.append_page(block as u32, page, visible, &[]).unwrap();
        if decoder.rows() >= BATCH_ROWS - 64 {
            divan::black_box(decoder.finish().unwrap());
        }
    }
    rows
}

fn columns(bencher: divan::Bencher<'_, '_>, wanted: &[(u16, ColumnType)]) {
    // As many pages as give several batches.
    let pages: Vec<_> = std::iter::repeat_n(pages(), 8).flatten().collect();
    let mut decoder = ColumnDecoder::new(layout(wanted), BATCH_ROWS);
    let rows = decode(&mut decoder, &pages);
    decoder.finish().unwrap();
    bencher.counter(ItemsCount::new(rows)).bench_local(|| decode(&mut decoder, &pages));
}

#[divan::bench]
fn q1_seven_columns(bencher: divan::Bencher<'_, '_>) {
    columns(bencher, &Q1);
}

#[divan::bench]
fn q6_four_columns(bencher: divan::Bencher<'_, '_>) {
    columns(bencher, &Q6);
}

#[divan::bench]
fn four_keys(bencher: divan::Bencher<'_, '_>) {
    columns(bencher, &KEYS);
}

#[divan::bench]
fn comment(bencher: divan::Bencher<'_, '_>) {
    columns(bencher, &COMMENT);
}

#[divan::bench]
fn one_numeric(bencher: divan::Bencher<'_, '_>) {
    columns(bencher, &Q1[1..2]);
}

#[divan::bench]
fn all_columns(bencher: divan::Bencher<'_, '_>) {
    columns(bencher, &ALL);
}

#[divan::bench]
fn no_column(bencher: divan::Bencher<'_, '_>) {
    columns(bencher, &[]);
}

#[divan::bench]
fn q1_scalar_row(bencher: divan::Bencher<'_, '_>) {
    let pages = pages();
    let mut row = ScalarRow::new(layout(&Q1));
    let rows: usize =
        pages.iter().map(|(page, _)| usize::from(Page::parse(0, page).unwrap().line_pointer_count())).sum();
    bencher.counter(ItemsCount::new(rows)).bench_local(|| {
        for (bytes, _) in &pages {
            let page = Page::parse(0, bytes).unwrap();
            for offset_number in 1..=page.line_pointer_count() {
                divan::black_box(row.decode(&page.tuple(offset_number).unwrap()).unwrap());
            }
        }
    });
}

/// The decoded columns sum up to what the server said.
fn check() {
    let mut decoder = ColumnDecoder::new(layout(&Q1), BATCH_ROWS);
    let rows = pages().iter().map(|(page, visible)| decoder.append_page(0, page, visible, &[]).unwrap()).sum::<usize>();
    let arrays = decoder.finish().unwrap();
    let cents = |i: usize| {
        let array = arrays[i].as_any().downcast_ref::<Decimal64Array>().unwrap();
        let sum: i64 = array.values().iter().sum();
        format!("{}.{:02}", sum / 100, sum % 100)
    };
    let found = format!("{rows} {} {} {} {} ", cents(0), cents(1), cents(2), cents(3));
    assert!(SUMS.starts_with(&found), "decoded {found}, the server says {SUMS}");
}

/// The best of several runs over all pages, without the harness: the figure of the bound.
fn nanoseconds_per_tuple(name: &str, wanted: &[(u16, ColumnType)]) {
    let pages: Vec<_> = std::iter::repeat_n(pages(), 8).flatten().collect();
    let mut decoder = ColumnDecoder::new(layout(wanted), BATCH_ROWS);
    let mut times: Vec<f64> = (0..60)
        .map(|_| {
            let start = std::time::Instant::now();
            let rows = decode(&mut decoder, &pages);
            start.elapsed().as_nanos() as f64 / rows as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name}: median {:.1} ns per tuple, best {:.1}", times[times.len() / 2], times[0]);
}

fn main() {
    check();
    divan::main();
    for (name, wanted) in [("Q1, seven columns", &Q1[..]), ("Q6, four columns", &Q6[..]), ("all columns", &ALL[..])] {
        nanoseconds_per_tuple(name, wanted);
    }
}
