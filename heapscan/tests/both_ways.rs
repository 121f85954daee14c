//! The columnar way and the scalar way, held against each other and against what was written, on pages made at random: NULLs,
//! missing attributes, dropped columns, flattened tuples, compressed values; and on pages with bytes changed at random.

mod support;

use arrow::array::Array;
use datafusion_common::ScalarValue;
use fusion_common::{Attribute, ColumnType};
use fusion_heapscan::{Column, ColumnDecoder, Flattened, Layout, Page, Result, ScalarRow, Tuple};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::Arc;
use support::{
    PageWriter, Stored, attribute, compressed, external, fixed, numeric, pglz, plain, short, tuple, visible,
};

/// An attribute: how it is stored, and as what it is read (None: dropped).
#[derive(Clone, Debug)]
struct Kind {
    attribute: Attribute,
    column_type: Option<ColumnType>,
}

fn kind() -> impl Strategy<Value = Kind> {
    let typed =
        |length, letter, column_type| Kind { attribute: attribute(length, letter), column_type: Some(column_type) };
    prop_oneof![
        Just(typed(1, b'c', ColumnType::Bool)),
        Just(typed(2, b's', ColumnType::Int2)),
        Just(typed(4, b'i', ColumnType::Int4)),
        Just(typed(8, b'd', ColumnType::Int8)),
        Just(typed(4, b'i', ColumnType::Float4)),
        Just(typed(8, b'd', ColumnType::Float8)),
        Just(typed(4, b'i', ColumnType::Date)),
        Just(typed(8, b'd', ColumnType::Timestamp)),
        Just(typed(8, b'd', ColumnType::Timestamptz)),
        Just(typed(16, b'c', ColumnType::Opaque)),
        (1u8..=38).prop_flat_map(|p| (Just(p), 0..=p)).prop_map(move |(precision, scale)| typed(
            -1,
            b'i',
            ColumnType::Numeric { precision, scale }
        )),
        Just(typed(-1, b'i', ColumnType::Numeric { precision: 15, scale: 2 })),
        Just(typed(-1, b'i', ColumnType::NumericVar)),
        Just(typed(-1, b'i', ColumnType::Text)),
        Just(typed(-1, b'i', ColumnType::Bpchar { length: 20 })),
        Just(typed(-1, b'd', ColumnType::Opaque)),
        prop_oneof![Just((8, b'd')), Just((2, b's')), Just((-1, b'i')), Just((3, b'c'))]
            .prop_map(|(length, letter)| Kind { attribute: attribute(length, letter), column_type: None }),
    ]
}

/// A value before it is stored: raw bytes of a fixed-length one, or a varlena's payload and the form to store it in.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Fixed(Vec<u8>),
    Varlena(Vec<u8>, u8),
}

impl Value {
    fn stored(&self) -> Stored {
        match self {
            Self::Null => Stored::Null,
            Self::Fixed(bytes) => fixed(bytes.clone()),
            Self::Varlena(payload, form) => match form {
                0 => plain(payload),
                1 => compressed(0, payload.len(), &pglz(payload)),
                2 => compressed(1, payload.len(), &lz4_flex::block::compress(payload)),
                _ if payload.len() <= 126 => short(payload),
                _ => plain(payload),
            },
        }
    }

    /// The value as the layout's missing value.
    fn payload(&self) -> Option<Vec<u8>> {
        match self {
            Self::Null => None,
            Self::Fixed(bytes) | Self::Varlena(bytes, _) => Some(bytes.clone()),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,14}",
        "[a-zäöü€ ]{0,20}",
        prop::collection::vec(prop::char::any(), 0..8).prop_map(String::from_iter),
        (0usize..400, "[a-z]").prop_map(|(n, letter)| letter.repeat(n)),
    ]
}

fn decimal(precision: u8, scale: u8) -> impl Strategy<Value = Vec<u8>> {
    let digits = prop_oneof![Just(1..=precision), Just(1..=precision.min(6))].prop_flat_map(|range| range);
    (digits, any::<u128>(), any::<bool>(), prop::option::weighted(0.3, 0u32..30)).prop_map(
        move |(digits, seed, negative, round)| {
            let mut value = seed % 10u128.pow(u32::from(digits));
            if let Some(round) = round.filter(|&round| round < u32::from(digits)) {
                value -= value % 10u128.pow(round);
            }
            let all = format!("{value:0width$}", width = usize::from(scale) + 1);
            let (whole, fraction) = all.split_at(all.len() - usize::from(scale));
            let sign = if negative { "-" } else { "" };
            numeric(&if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
        },
    )
}

/// Values of an attribute; with `special`, also NULL and compressed ones.
fn value(kind: &Kind, special: bool) -> BoxedStrategy<Value> {
    let form =
        if special { prop_oneof![5 => Just(3u8), 1 => 0u8..3] } else { prop_oneof![5 => Just(3u8), 1 => 0u8..1] };
    let payload = match kind.column_type {
        Some(ColumnType::Numeric { precision, scale }) => decimal(precision, scale).boxed(),
        Some(ColumnType::NumericVar) => prop_oneof![
            decimal(38, 10),
            prop_oneof!["NaN", "-?Infinity", "-?[1-9][0-9]{0,90}", "-?0\\.0{0,80}[1-9]{1,30}"]
                .prop_map(|text| numeric(&text)),
        ]
        .boxed(),
        Some(ColumnType::Text | ColumnType::Bpchar { .. }) => text().prop_map(String::into_bytes).boxed(),
        _ => prop::collection::vec(any::<u8>(), 0..200).boxed(),
    };
    let present = match (kind.attribute.length, kind.column_type) {
        (8, Some(ColumnType::Timestamp | ColumnType::Timestamptz)) => {
            prop_oneof![Just(i64::MAX), Just(i64::MIN), -1i64 << 60..1 << 60]
                .prop_map(|micros| Value::Fixed(micros.to_le_bytes().to_vec()))
                .boxed()
        }
        (4, Some(ColumnType::Date)) => prop_oneof![Just(i32::MAX), Just(i32::MIN), -1i32 << 30..1 << 30]
            .prop_map(|days| Value::Fixed(days.to_le_bytes().to_vec()))
            .boxed(),
        (-1, _) => (payload, form).prop_map(|(payload, form)| Value::Varlena(payload, form)).boxed(),
        (length, _) => prop::collection::vec(any::<u8>(), length as usize).prop_map(Value::Fixed).boxed(),
    };
    // A page on which nothing is special takes the fast way.
    if special { prop_oneof![1 => Just(Value::Null), 6 => present].boxed() } else { present }
}

#[derive(Clone, Debug)]
struct Row {
    values: Vec<Value>,
    /// How many of the values the stored tuple has.
    natts: Index,
    visible: bool,
    /// The page holds TOAST pointers in its varlenas, and a flattened tuple stands in.
    flattened: bool,
}

#[derive(Clone, Debug)]
struct Table {
    kinds: Vec<Kind>,
    missing: Vec<Value>,
    rows: Vec<Row>,
    needed: Vec<bool>,
}

fn table(nulls: bool) -> impl Strategy<Value = Table> {
    prop::collection::vec(kind(), 1..12).prop_flat_map(move |kinds| {
        let values: Vec<_> = kinds.iter().map(|kind| value(kind, nulls)).collect();
        let count = kinds.len();
        let row = (values.clone(), any::<Index>(), prop::bool::weighted(0.9), prop::bool::weighted(0.1)).prop_map(
            move |(values, natts, visible, flattened)| Row { values, natts, visible, flattened: flattened && nulls },
        );
        let rows = prop::collection::vec(row, 0..40);
        let needed = prop::collection::vec(prop::bool::weighted(0.7), count);
        (Just(kinds), values, rows, needed).prop_map(move |(kinds, missing, rows, needed)| Table {
            kinds,
            missing,
            rows,
            needed,
        })
    })
}

/// A page and what stands beside it.
struct Built {
    layout: Arc<Layout>,
    page: Vec<u8>,
    visible: Vec<u64>,
    /// Visible offset numbers, each with its stand-in.
    rows: Vec<(u16, Option<Vec<u8>>)>,
    /// What was written, per row and needed column.
    written: Vec<Vec<Option<Vec<u8>>>>,
}

impl Table {
    fn build(&self, nulls: bool) -> Built {
        let attributes: Vec<_> = self.kinds.iter().map(|kind| kind.attribute).collect();
        let is_needed = |i: usize| self.needed[i] && self.kinds[i].column_type.is_some();
        // Out of order, to see that the layout's order is kept.
        let needed: Vec<usize> = (0..self.kinds.len()).rev().filter(|&i| is_needed(i)).collect();
        let columns = needed.iter().map(|&i| Column {
            attnum: i as u16 + 1,
            column_type: self.kinds[i].column_type.unwrap(),
            missing: self.missing[i].payload(),
        });
        let layout = Arc::new(Layout::try_new(attributes.clone(), columns.collect()).unwrap());
        let mut page = PageWriter::new();
        let (mut rows, mut written) = (Vec::new(), Vec::new());
        for row in &self.rows {
            let natts = if nulls { row.natts.index(row.values.len() + 1) } else { row.values.len() };
            let mut values = row.values[..natts].to_vec();
            for (i, value) in values.iter_mut().enumerate() {
                if self.kinds[i].column_type.is_none() && natts % 2 == 0 && nulls {
                    *value = Value::Null;
                }
            }
            let stored: Vec<_> = values.iter().map(Value::stored).collect();
            let whole = tuple(&attributes, &stored);
            let stand_in = row.flattened.then(|| whole.clone());
            let added = if row.flattened {
                let toasted = stored.iter().map(|value| match value {
                    Stored::Bytes { aligned: false, .. } => external(),
                    other => other.clone(),
                });
                page.add(&tuple(&attributes, &toasted.collect::<Vec<_>>()))
            } else {
                page.add(&whole)
            };
            let Some(offset_number) = added else { break };
            if row.visible {
                rows.push((offset_number, stand_in));
                let value = |&i: &usize| values.get(i).unwrap_or(&self.missing[i]).payload();
                written.push(needed.iter().map(value).collect());
            }
        }
        let visible = visible(rows.iter().map(|row| row.0));
        Built { layout, page: page.bytes, visible, rows, written }
    }
}

impl Built {
    fn flattened(&self) -> Vec<Flattened<'_>> {
        let mut flattened: Vec<_> = self
            .rows
            .iter()
            .filter_map(|(offset_number, tuple)| {
                tuple.as_ref().map(|tuple| Flattened { offset_number: *offset_number, tuple })
            })
            .collect();
        flattened.reverse();
        flattened
    }

    /// Columns by the columnar way.
    fn columns(&self, decoder: &mut ColumnDecoder) -> Result<Vec<Vec<ScalarValue>>> {
        let before = decoder.rows();
        let appended = decoder.append_page(3, &self.page, &self.visible, &self.flattened())?;
        assert_eq!(appended, self.rows.len());
        assert_eq!(decoder.rows(), before + appended);
        let arrays = decoder.finish()?;
        Ok(arrays
            .iter()
            .enumerate()
            .map(|(i, array)| {
                array.to_data().validate_full().expect("arrow finds the array valid");
                assert_eq!(array.len(), before + appended);
                assert_eq!(array.data_type(), &self.layout.arrow_type(i));
                (before..array.len()).map(|row| ScalarValue::try_from_array(array, row).unwrap()).collect()
            })
            .collect())
    }

    /// Rows by the scalar way.
    fn scalars(&self) -> Result<Vec<Vec<ScalarValue>>> {
        let page = Page::parse(3, &self.page)?;
        let mut row = ScalarRow::new(self.layout.clone());
        let rows = self.rows.iter().map(|(offset_number, stand_in)| {
            let of_page = match stand_in {
                None => page.tuple(*offset_number)?,
                Some(bytes) => Tuple::parse(bytes)?,
            };
            row.decode(&of_page).map(<[_]>::to_vec)
        });
        rows.collect()
    }
}

/// Equal, with the bits of floats compared.
fn same(a: &ScalarValue, b: &ScalarValue) -> bool {
    match (a, b) {
        (ScalarValue::Float32(Some(a)), ScalarValue::Float32(Some(b))) => a.to_bits() == b.to_bits(),
        (ScalarValue::Float64(Some(a)), ScalarValue::Float64(Some(b))) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

fn check(table: &Table, nulls: bool) -> Result<(), TestCaseError> {
    let built = table.build(nulls);
    let mut decoder = ColumnDecoder::new(built.layout.clone(), 10);
    // Twice, the second time behind rows of the same page: finish resets, append appends.
    let columns = built.columns(&mut decoder).expect("a sound page decodes");
    decoder.append_page(0, &built.page, &built.visible, &built.flattened()).expect("a sound page decodes");
    let again = built.columns(&mut decoder).expect("a sound page decodes");
    let scalars = built.scalars().expect("a sound page decodes");
    prop_assert_eq!(scalars.len(), built.rows.len());
    for (row, scalars) in scalars.iter().enumerate() {
        for (column, scalar) in scalars.iter().enumerate() {
            prop_assert!(same(scalar, &columns[column][row]), "{scalar:?} {:?}", columns[column][row]);
            prop_assert!(same(scalar, &again[column][row]));
            let written = &built.written[row][column];
            prop_assert_eq!(scalar.is_null(), written.is_none());
            match (scalar, written) {
                (ScalarValue::BinaryView(Some(bytes)), Some(written)) => prop_assert_eq!(bytes, written),
                (ScalarValue::Utf8View(Some(text)), Some(written)) => {
                    let written = std::str::from_utf8(written).unwrap();
                    let blanks = matches!(built.layout.columns()[column].column_type, ColumnType::Bpchar { .. });
                    prop_assert_eq!(text, if blanks { written.trim_end_matches(' ') } else { written });
                }
                (ScalarValue::Int64(Some(value)), Some(written)) => prop_assert_eq!(&value.to_le_bytes()[..], written),
                _ => {}
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn both_ways_give_what_was_written(table in table(true)) {
        check(&table, true)?;
    }

    #[test]
    fn both_ways_give_what_was_written_without_nulls(table in table(false)) {
        check(&table, false)?;
    }

    #[test]
    fn corrupt_bytes_never_panic_and_both_ways_agree(
        table in table(true),
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), 0u8..8, any::<bool>()), 1..6),
        extra in prop::collection::vec(any::<u64>(), 0..7),
    ) {
        let mut built = table.build(true);
        // Among the line pointers and tuples, where it hurts.
        let used: Vec<usize> = (0..8192).filter(|&i| built.page[i] != 0 || i < 24).collect();
        for (place, byte, bit, flip) in &changes {
            let at = used[place.index(used.len())];
            built.page[at] = if *flip { built.page[at] ^ 1 << bit } else { *byte };
        }
        let columns = built.columns(&mut ColumnDecoder::new(built.layout.clone(), 0));
        let scalars = built.scalars();
        match (columns, scalars) {
            (Ok(columns), Ok(scalars)) => {
                for (row, scalars) in scalars.iter().enumerate() {
                    for (column, scalar) in scalars.iter().enumerate() {
                        prop_assert!(same(scalar, &columns[column][row]), "{scalar:?} {:?}", columns[column][row]);
                    }
                }
            }
            (Err(columnar), Err(scalar)) => {
                prop_assert_eq!(columnar.place().map(|place| place.block), Some(3));
                // They may meet different errors first when there are several.
                let _ = scalar;
            }
            // A stand-in's line pointer is checked by the columnar way only.
            (Err(_), Ok(_)) if built.rows.iter().any(|(_, stand_in)| stand_in.is_some()) => {}
            (columnar, scalar) => {
                prop_assert!(false, "columnar {:?}, scalar {:?}", columnar.err(), scalar.err());
            }
        }
        let _ = ColumnDecoder::new(built.layout.clone(), 0).append_page(3, &built.page, &extra, &built.flattened());
    }

    #[test]
    fn a_tuple_cut_short_fails_both_ways(table in table(false), nulls: bool, which: Index, cut in 1u16..12) {
        let mut built = table.build(nulls);
        built.rows.iter_mut().for_each(|row| row.1 = None);
        prop_assume!(!built.rows.is_empty());
        let row = which.index(built.rows.len());
        let at = 24 + 4 * (usize::from(built.rows[row].0) - 1);
        let word = u32::from_le_bytes(built.page[at..at + 4].try_into().unwrap());
        prop_assume!(word >> 17 >= 24 + u32::from(cut));
        built.page[at..at + 4].copy_from_slice(&(word - (u32::from(cut) << 17)).to_le_bytes());
        let columnar = built.columns(&mut ColumnDecoder::new(built.layout.clone(), 0));
        let scalar = built.scalars();
        prop_assert_eq!(columnar.is_err(), scalar.is_err(), "{:?} {:?}", columnar.err(), scalar.err());
        // The only fault of the page: the columnar way names its tuple.
        if let (Err(columnar), Err(scalar)) = (columnar, scalar) {
            prop_assert_eq!(columnar.place().map(|place| place.offset_number), Some(built.rows[row].0));
            prop_assert!(matches!(scalar, fusion_heapscan::Error::Corrupt { .. }), "{scalar:?}");
        }
    }

    #[test]
    fn corrupt_stand_ins_never_panic(
        table in table(true),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut built = table.build(true);
        for (i, (_, stand_in)) in built.rows.iter_mut().enumerate() {
            match stand_in {
                Some(tuple) => for (place, byte) in &changes {
                    let at = place.index(tuple.len());
                    tuple[at] = *byte;
                },
                None if i % 5 == 0 => *stand_in = Some(bytes.clone()),
                None => {}
            }
        }
        let _ = built.columns(&mut ColumnDecoder::new(built.layout.clone(), 0));
        let _ = built.scalars();
    }
}
