//! Byte layouts of encoded rows, against tuples that PostgreSQL 18.6 formed (`heap_page_items` of pageinspect).

use super::*;
use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal64Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, RecordBatchOptions, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Schema;
use fusion_common::AttAlign;
use fusion_common::types::{PG_EPOCH_DAYS, PG_EPOCH_MICROS};
use fusion_proto::tuple_frame::{HEADER_SIZE, TupleFrame, check_tuple, write_header};
use std::sync::Arc;

const fn fixed(length: i16, align: AttAlign) -> Attribute {
    Attribute { length, align, by_value: length <= 8, packable: false }
}

const VARLENA: Attribute = Attribute { length: -1, align: AttAlign::Int, by_value: false, packable: true };
const PLAIN: Attribute = Attribute { packable: false, ..VARLENA };
const INT4: Attribute = fixed(4, AttAlign::Int);

fn batch(columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let names = columns.iter().enumerate().map(|(index, column)| (index.to_string(), column.data_type().clone()));
    let fields: Vec<_> = names.map(|(name, data_type)| arrow::datatypes::Field::new(name, data_type, true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).unwrap()
}

/// Encodes into as many frames as it takes; rows too wide for one as they are. Every tuple is checked as a backend does.
fn encode(held: &[ColumnType], attributes: &[Attribute], batch: &RecordBatch) -> Vec<Vec<u8>> {
    let mut encoder = RowEncoder::try_new(held, attributes).unwrap();
    encoder.start(batch).unwrap();
    let mut tuples = Vec::new();
    while !encoder.is_done() {
        if let Some(wide) = encoder.wide_row() {
            assert_eq!(check_tuple(&wide, attributes).unwrap(), wide.len());
            tuples.push(wide);
            continue;
        }
        let mut frame = vec![0xAA; FRAME_SIZE];
        let mut end = HEADER_SIZE;
        let rows = encoder.fill(&mut frame, &mut end);
        assert!(rows > 0);
        write_header(&mut frame, rows, end);
        let parsed = TupleFrame::parse(&frame, attributes).unwrap();
        assert_eq!(parsed.rows(), rows);
        let mut offset = parsed.first();
        while let Some(at) = offset {
            let length = check_tuple(&frame[at..], attributes).unwrap();
            tuples.push(frame[at..at + length].to_vec());
            offset = parsed.next(&frame, at);
        }
    }
    tuples
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// (infomask, t_hoff, t_bits as pageinspect shows them, t_data)
fn assert_tuple(tuple: &[u8], natts: u16, infomask: u16, hoff: u8, bits: &str, data: &str) {
    let data = hex(data);
    let start = usize::from(hoff) - MINIMAL_TUPLE_OFFSET;
    assert_eq!(tuple[start..], data[..], "data");
    assert_eq!(tuple[0..4], (tuple.len() as u32).to_le_bytes());
    assert_eq!(tuple[4..10], [0; 6]);
    assert_eq!(u16::from_le_bytes([tuple[10], tuple[11]]), natts);
    assert_eq!(u16::from_le_bytes([tuple[12], tuple[13]]), infomask);
    assert_eq!(tuple[14], hoff);
    let mut header = tuple[MINIMAL_TUPLE_HEADER..start].to_vec();
    for (index, bit) in bits.chars().enumerate() {
        let valid = header[index / 8] & (1 << (index % 8)) != 0;
        assert_eq!(valid, bit == '1', "bit {index}");
        header[index / 8] &= !(1 << (index % 8));
    }
    assert!(header.iter().all(|byte| *byte == 0), "padding of the header");
}

#[test]
fn rows_are_laid_out_as_postgresql_does() {
    use ColumnType as T;
    let day = |days: i32| days + PG_EPOCH_DAYS;
    let micros = |micros: i64| micros + PG_EPOCH_MICROS;
    let mut variable = vec![Vec::new(); 4];
    crate::numeric::encode_numeric(123_456_789_012_345, 14, &mut variable[0]);
    variable[1] = crate::numeric::NAN.to_vec();
    crate::numeric::encode_numeric(0, 0, &mut variable[2]);
    variable[3] = hex("11806400");
    let uuids = [
        Some(hex("00112233445566778899aabbccddeeff")),
        None,
        Some(hex("00000000000000000000000000000000")),
        Some(hex("ffffffffffffffffffffffffffffffff")),
    ];
    let (x, y) = ("x".repeat(126), "y".repeat(127));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)])),
        Arc::new(Int16Array::from(vec![Some(-2), None, Some(1), Some(1)])),
        Arc::new(Int32Array::from(vec![Some(7), Some(-1), None, Some(1)])),
        Arc::new(Int64Array::from(vec![Some(1_234_567_890_123), None, Some(0), Some(1)])),
        Arc::new(Float32Array::from(vec![1.5, f32::NAN, 0.0, 1.0])),
        Arc::new(Float64Array::from(vec![-2.25, f64::NEG_INFINITY, 0.0, 1.0])),
        Arc::new(Decimal64Array::from(vec![3_307_894, -4, 0, 10_000_000_000]).with_precision_and_scale(15, 2).unwrap()),
        Arc::new(BinaryViewArray::from_iter_values(&variable)),
        Arc::new(StringViewArray::from(vec!["abc", "é", &x, &y])),
        Arc::new(StringViewArray::from(vec!["xy", "éü", "", "abcde"])),
        Arc::new(Date32Array::from(vec![day(-396), i32::MAX, day(-730_119), day(0)])),
        Arc::new(TimestampMicrosecondArray::from(vec![micros(1), i64::MIN, -1_000_000, micros(0)])),
        Arc::new(BinaryViewArray::from_iter(uuids)),
        Arc::new(StringViewArray::from(vec![Some("p"), None, Some(""), Some("zzz")])),
    ];
    let held = [
        T::Bool,
        T::Int2,
        T::Int4,
        T::Int8,
        T::Float4,
        T::Float8,
        T::Numeric { precision: 15, scale: 2 },
        T::NumericVar,
        T::Text,
        T::Bpchar { length: 5 },
        T::Date,
        T::Timestamp,
        T::Opaque,
        T::Text,
    ];
    let attributes = [
        fixed(1, AttAlign::Char),
        fixed(2, AttAlign::Short),
        INT4,
        fixed(8, AttAlign::Double),
        INT4,
        fixed(8, AttAlign::Double),
        VARLENA,
        VARLENA,
        VARLENA,
        VARLENA,
        INT4,
        fixed(8, AttAlign::Double),
        fixed(16, AttAlign::Char),
        VARLENA,
    ];
    let tuples = encode(&held, &attributes, &batch(columns, 4));
    assert_eq!(tuples.len(), 4);
    assert_tuple(
        &tuples[0],
        14,
        2,
        24,
        "",
        "0100feff07000000cb04fb711f0100000000c03f0000000000000000000002c01301810300060cb8241b008701002909851a7b009411\
         096162630d787920202074feffff00000000010000000000000000112233445566778899aabbccddeeff0570"
            .replace(' ', "")
            .as_str(),
    );
    assert_tuple(
        &tuples[1],
        14,
        3,
        32,
        "1010111111110000",
        "00000000ffffffff0000c07f00000000000000000000f0ff0b7fa190010700c007c3a911c3a9c3bc20202000ffffff7f0000000000000080",
    );
    assert_tuple(
        &tuples[2],
        14,
        3,
        32,
        "0101111111111100",
        &format!(
            "0100000000000000000000000000000000000000000000000000000000000000070081070080ff{}0d202020202000f9dbf4ff\
             c0ddb8c4fea2fcff0000000000000000000000000000000003",
            "78".repeat(126)
        )
        .replace(' ', ""),
    );
    assert_tuple(
        &tuples[3],
        14,
        2,
        24,
        "",
        &format!(
            "010001000100000001000000000000000000803f00000000000000000000f03f0b028101000b1180640000000c020000{}\
             0d616263646500000000000000000000000000000000000000ffffffffffffffffffffffffffffffff097a7a7a",
            "79".repeat(127)
        )
        .replace(' ', ""),
    );
}

#[test]
fn plain_varlenas_keep_a_long_header() {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![true])),
        Arc::new(BinaryViewArray::from_iter_values([b"ab"])),
        Arc::new(Decimal128Array::from(vec![i128::MAX / 10]).with_precision_and_scale(38, 3).unwrap()),
    ];
    let held = [ColumnType::Bool, ColumnType::Opaque, ColumnType::Numeric { precision: 38, scale: 3 }];
    let tuples = encode(&held, &[fixed(1, AttAlign::Char), PLAIN, VARLENA], &batch(columns, 1));
    let data = &tuples[0][16..];
    assert_eq!(data[..10], [1, 0, 0, 0, 6 << 2, 0, 0, 0, b'a', b'b']);
    assert_eq!(data[10], ((data.len() as u8 - 10) << 1) | 1);
}

#[test]
fn rows_without_columns_are_headers() {
    let tuples = encode(&[], &[], &batch(vec![], 3));
    assert_eq!(tuples.len(), 3);
    for tuple in tuples {
        assert_tuple(&tuple, 0, 0, 24, "", "");
    }
}

#[test]
fn rows_fill_frames_and_wide_ones_go_alone() {
    let rows = 9_000;
    let wide = "w".repeat(FRAME_SIZE);
    let texts = (0..rows).map(|row| match row {
        0 | 5_000 | 8_999 => wide.clone(),
        _ => "t".repeat(row % 200),
    });
    let texts: Vec<_> = texts.collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter((0..rows).map(|row| (row % 3 != 0).then_some(row as i32)))),
        Arc::new(StringViewArray::from_iter_values(&texts)),
    ];
    let tuples = encode(&[ColumnType::Int4, ColumnType::Text], &[INT4, VARLENA], &batch(columns, rows));
    assert_eq!(tuples.len(), rows);
    for (row, tuple) in tuples.iter().enumerate() {
        let data = &tuple[usize::from(tuple[14]) - MINIMAL_TUPLE_OFFSET..];
        let data = if row % 3 == 0 {
            data
        } else {
            assert_eq!(data[..4], (row as i32).to_le_bytes());
            &data[4..]
        };
        let header = if texts[row].len() < 127 { 1 } else { 4 };
        assert_eq!(data[header..], *texts[row].as_bytes(), "row {row}");
    }
}

#[test]
fn what_does_not_fit_the_plan_is_refused() {
    let int8 = fixed(8, AttAlign::Double);
    assert!(RowEncoder::try_new(&[ColumnType::Int4], &[int8]).is_err());
    assert!(RowEncoder::try_new(&[ColumnType::Int4], &[]).is_err());
    assert!(RowEncoder::try_new(&[ColumnType::Text], &[INT4]).is_err());
    let mut encoder = RowEncoder::try_new(&[ColumnType::Int4], &[INT4]).unwrap();
    assert!(encoder.start(&batch(vec![Arc::new(Int64Array::from(vec![1]))], 1)).is_err());
    let mut encoder = RowEncoder::try_new(&[ColumnType::Opaque], &[fixed(16, AttAlign::Char)]).unwrap();
    assert!(encoder.start(&batch(vec![Arc::new(BinaryViewArray::from_iter_values([b"short"]))], 1)).is_err());
    let mut encoder = RowEncoder::try_new(&[ColumnType::Date], &[INT4]).unwrap();
    let error = encoder.start(&batch(vec![Arc::new(Date32Array::from(vec![i32::MIN + 1]))], 1)).unwrap_err();
    assert_eq!(SqlError::from(error).sqlstate.as_str(), "22008");
}

#[test]
fn every_length_has_its_header() {
    for length in [0, 1, 125, 126, 127, 128, 5_000] {
        for packable in [false, true] {
            let attribute = Attribute { packable, ..VARLENA };
            let text = "q".repeat(length);
            let column: ArrayRef = Arc::new(StringViewArray::from(vec![text.as_str()]));
            let tuples = encode(&[ColumnType::Text], &[attribute], &batch(vec![column], 1));
            let header = if packable && length <= 126 { 1 } else { 4 };
            assert_eq!(tuples[0].len(), 16 + header + length);
        }
    }
}
