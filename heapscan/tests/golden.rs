//! Pages that real servers wrote (`golden/make.sh`), against what the same servers say is on them.

mod support;

use datafusion_common::ScalarValue;
use fusion_common::limits::BLOCK_SIZE;
use fusion_common::types::{PG_EPOCH_DAYS, PG_EPOCH_MICROS};
use fusion_common::{Attribute, ColumnType, TypeRef};
use fusion_heapscan::numeric::Numeric;
use fusion_heapscan::{Column, ColumnDecoder, Error, Flattened, Layout, Page, ScalarRow};
use std::sync::Arc;
use support::{PageWriter, attribute, external, fixed, numeric, short, tuple, visible};

struct Golden {
    pages: &'static [u8],
    attributes: &'static str,
    expected: &'static str,
}

const GOLDEN: [Golden; 2] = [
    Golden {
        pages: include_bytes!("golden/pg15.pages"),
        attributes: include_str!("golden/pg15.attributes"),
        expected: include_str!("golden/pg15.expected"),
    },
    Golden {
        pages: include_bytes!("golden/pg18.pages"),
        attributes: include_str!("golden/pg18.attributes"),
        expected: include_str!("golden/pg18.expected"),
    },
];

/// A column of the table that is not dropped.
#[derive(Clone)]
struct Described {
    attnum: u16,
    name: &'static str,
    column_type: ColumnType,
}

/// Block, offset number, and the columns' names and texts (None: NULL).
type ExpectedRow = (u32, u16, Vec<(&'static str, Option<String>)>);

impl Golden {
    fn attributes(&self) -> (Vec<Attribute>, Vec<Described>) {
        let mut attributes = Vec::new();
        let mut columns = Vec::new();
        for line in self.attributes.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            let number = |i: usize| fields[i].parse::<i32>().unwrap();
            attributes.push(attribute(number(5) as i16, fields[6].as_bytes()[0]));
            if fields[8] == "f" {
                let type_ref = TypeRef { oid: number(2) as u32, typmod: number(3), collation: number(4) as u32 };
                columns.push(Described {
                    attnum: number(0) as u16,
                    name: fields[1],
                    column_type: type_ref.column_type(),
                });
            }
        }
        (attributes, columns)
    }

    fn layout(&self, wanted: impl Fn(&str) -> bool) -> (Arc<Layout>, Vec<Described>) {
        let (attributes, mut described) = self.attributes();
        described.retain(|column| wanted(column.name));
        let columns = described.iter().map(|column| Column {
            attnum: column.attnum,
            column_type: column.column_type,
            missing: match column.name {
                "added_t" => Some(b"added later".to_vec()),
                "added_n" => Some(numeric("12.34")),
                "added_i" => Some(7i32.to_le_bytes().to_vec()),
                _ => None,
            },
        });
        (Arc::new(Layout::try_new(attributes, columns.collect()).unwrap()), described)
    }

    /// Visible offset numbers of each block and the fields of each row (None: NULL), in the order of their places.
    fn rows(&self) -> Vec<ExpectedRow> {
        let mut lines = self.expected.lines();
        let names: Vec<_> = lines.next().unwrap().split('\t').skip(1).collect();
        lines
            .map(|line| {
                let (ctid, fields) = line.split_once('\t').unwrap();
                let (block, offset_number) = ctid.trim_matches(['(', ')']).split_once(',').unwrap();
                let fields = fields.split('\t').map(|field| (field != "\\N").then(|| unescape(field)));
                let fields = names.iter().copied().zip(fields).collect();
                (block.parse().unwrap(), offset_number.parse().unwrap(), fields)
            })
            .collect()
    }

    fn blocks(&self) -> impl Iterator<Item = (u32, &'static [u8], Vec<u64>)> {
        let rows = self.rows();
        self.pages.chunks(BLOCK_SIZE).enumerate().map(move |(block, page)| {
            let block = block as u32;
            (block, page, visible(rows.iter().filter(|row| row.0 == block).map(|row| row.1)))
        })
    }
}

fn unescape(field: &str) -> String {
    field.replace("\\t", "\t").replace("\\n", "\n").replace("\\\\", "\\")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decimal_text(value: i128, scale: i8) -> String {
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn numeric_text(payload: &[u8]) -> String {
    let (negative, weight, display_scale, digits) = match Numeric::parse(payload).unwrap() {
        Numeric::NaN => return "NaN".into(),
        Numeric::Infinity { negative } => return if negative { "-Infinity" } else { "Infinity" }.into(),
        Numeric::Finite { negative, weight, display_scale, digits } => (negative, weight, display_scale, digits),
    };
    let digit = |place: i32| match usize::try_from(weight - place).ok().and_then(|i| digits.get(i)) {
        Some(&digit) => u16::from_le_bytes(digit),
        None => 0,
    };
    let whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", digit(place))).collect();
    let whole = whole.trim_start_matches('0');
    let fraction: String =
        (1..=i32::from(display_scale.div_ceil(4))).map(|place| format!("{:04}", digit(-place))).collect();
    let sign = if negative { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    match display_scale {
        0 => format!("{sign}{whole}"),
        scale => format!("{sign}{whole}.{}", &fraction[..usize::from(scale)]),
    }
}

/// A decoded value in the form of the expected file.
fn text(column: &Described, value: &ScalarValue) -> Option<String> {
    use ScalarValue as V;
    Some(match value {
        V::Boolean(v) => if (*v)? { "t" } else { "f" }.into(),
        V::Int16(v) => (*v)?.to_string(),
        V::Int32(v) => (*v)?.to_string(),
        V::Int64(v) => (*v)?.to_string(),
        V::Float32(v) => hex(&(*v)?.to_be_bytes()),
        V::Float64(v) => hex(&(*v)?.to_be_bytes()),
        V::Decimal64(v, _, scale) => decimal_text(i128::from((*v)?), *scale),
        V::Decimal128(v, _, scale) => decimal_text((*v)?, *scale),
        V::Date32(v) => {
            let v = (*v)?;
            hex(&if v == i32::MAX || v == i32::MIN { v } else { v - PG_EPOCH_DAYS }.to_be_bytes())
        }
        V::TimestampMicrosecond(v, zone) => {
            assert_eq!(zone.as_deref(), (column.name == "tz").then_some("+00:00"));
            let v = (*v)?;
            hex(&if v == i64::MAX || v == i64::MIN { v } else { v - PG_EPOCH_MICROS }.to_be_bytes())
        }
        V::Utf8View(v) => {
            let v = v.clone()?;
            match column.column_type {
                ColumnType::Bpchar { length } => {
                    assert!(!v.ends_with(' '));
                    let missing = length as usize - v.chars().count();
                    v + &" ".repeat(missing)
                }
                _ => v,
            }
        }
        V::BinaryView(v) => match column.column_type {
            ColumnType::NumericVar => numeric_text(v.as_ref()?),
            _ => hex(v.as_ref()?),
        },
        other => panic!("{other:?}"),
    })
}

#[test]
fn servers_and_decoders_agree() {
    for golden in &GOLDEN {
        let (layout, described) = golden.layout(|name| name != "ext");
        assert!(described.len() > 20);
        let mut decoder = ColumnDecoder::new(layout.clone(), 0);
        for (block, page, visible) in golden.blocks() {
            decoder.append_page(block, page, &visible, &[]).unwrap();
        }
        let rows = golden.rows();
        assert_eq!(decoder.rows(), rows.len());
        let arrays = decoder.finish().unwrap();
        let mut scalar_row = ScalarRow::new(layout.clone());
        for (row, (block, offset_number, expected)) in rows.iter().enumerate() {
            let page = Page::parse(*block, &golden.pages[*block as usize * BLOCK_SIZE..][..BLOCK_SIZE]).unwrap();
            let scalars = scalar_row.decode(&page.tuple(*offset_number).unwrap()).unwrap();
            for (i, column) in described.iter().enumerate() {
                let expected = &expected.iter().find(|(name, _)| *name == column.name).unwrap().1;
                let from_array = ScalarValue::try_from_array(&arrays[i], row).unwrap();
                assert_eq!(arrays[i].data_type(), &layout.arrow_type(i));
                assert_eq!(&text(column, &from_array), expected, "{} of ({block},{offset_number})", column.name);
                assert_eq!(&text(column, &scalars[i]), expected, "{} of ({block},{offset_number})", column.name);
            }
        }
    }
}

#[test]
fn the_golden_pages_hold_what_they_are_for() {
    for golden in &GOLDEN {
        let bytes = golden.pages;
        let kinds: Vec<_> = golden
            .blocks()
            .flat_map(|(block, page, _)| {
                let page = Page::parse(block, page).unwrap();
                (1..=page.line_pointer_count()).map(move |n| page.line_pointer(n).unwrap().kind())
            })
            .collect();
        use fusion_heapscan::LinePointerKind::{Normal, Redirect, Unused};
        assert!([Normal, Redirect, Unused].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
        assert!(kinds.iter().filter(|&&kind| kind == Normal).count() > golden.rows().len(), "no dead tuple");
        // Compressed values: 4500 bytes of pglz, 9100 of lz4 have these second words.
        for word in [4500u32, 9100 | 1 << 30] {
            assert!(bytes.windows(4).any(|four| four == word.to_le_bytes()), "{word:x}");
        }
    }
}

#[test]
fn an_out_of_line_value_is_passed_over_or_reported_or_replaced() {
    for golden in &GOLDEN {
        let rows = golden.rows();
        let (block, offset_number, _) = rows.iter().find(|row| row.2[0].1.as_deref() == Some("11")).unwrap();
        let page = &golden.pages[*block as usize * BLOCK_SIZE..][..BLOCK_SIZE];
        let only = visible([*offset_number]);

        let (layout, _) = golden.layout(|name| name == "added_t");
        let mut decoder = ColumnDecoder::new(layout, 0);
        assert_eq!(decoder.append_page(*block, page, &only, &[]), Ok(1));

        let (layout, _) = golden.layout(|name| name == "ext" || name == "id");
        let mut decoder = ColumnDecoder::new(layout.clone(), 0);
        let error = decoder.append_page(*block, page, &only, &[]).unwrap_err();
        assert!(matches!(error, Error::OutOfLine { .. }), "{error:?}");
        let place = error.place().unwrap();
        assert_eq!((place.block, place.offset_number, place.attnum), (*block, *offset_number, 25));

        let (attributes, _) = golden.attributes();
        let mut values = vec![support::Stored::Null; 29];
        values[0] = fixed(11i32.to_le_bytes());
        values[24] = support::plain(&[b'e'; 20_000]);
        let stand_in = tuple(&attributes, &values);
        let flattened = [Flattened { offset_number: *offset_number, tuple: &stand_in }];
        let mut decoder = ColumnDecoder::new(layout, 0);
        assert_eq!(decoder.append_page(*block, page, &only, &flattened), Ok(1));
        let arrays = decoder.finish().unwrap();
        assert_eq!(ScalarValue::try_from_array(&arrays[0], 0).unwrap(), ScalarValue::Int32(Some(11)));
        assert_eq!(
            ScalarValue::try_from_array(&arrays[1], 0).unwrap(),
            ScalarValue::Utf8View(Some("e".repeat(20_000)))
        );
    }
}

#[test]
fn no_columns_count_rows() {
    for golden in &GOLDEN {
        let (layout, _) = golden.layout(|_| false);
        let mut decoder = ColumnDecoder::new(layout, 0);
        for (block, page, visible) in golden.blocks() {
            decoder.append_page(block, page, &visible, &[]).unwrap();
        }
        assert_eq!(decoder.rows(), golden.rows().len());
        assert!(decoder.finish().unwrap().is_empty());
        assert_eq!(decoder.rows(), 0);
    }
}

#[test]
fn visible_bits_on_other_line_pointers_are_corrupt() {
    let golden = &GOLDEN[1];
    let (layout, _) = golden.layout(|name| name == "id");
    for (block, bytes, _) in golden.blocks() {
        let page = Page::parse(block, bytes).unwrap();
        for offset_number in 1..=page.line_pointer_count() + 1 {
            let normal = page.line_pointer(offset_number).is_some_and(|pointer| pointer.is_normal());
            let mut decoder = ColumnDecoder::new(layout.clone(), 0);
            let result = decoder.append_page(block, bytes, &visible([offset_number]), &[]);
            match result {
                Ok(rows) => assert!(normal && rows == 1),
                Err(error) => {
                    assert!(!normal && matches!(error, Error::Corrupt { .. }));
                    assert_eq!(error.to_string(), format!("invalid page in block {block}"));
                }
            }
        }
    }
}

#[test]
fn nan_in_a_fixed_numeric_is_not_representable() {
    let attributes = vec![attribute(-1, b'i')];
    let column = |column_type| vec![Column { attnum: 1, column_type, missing: None }];
    let fixed_numeric = column(ColumnType::Numeric { precision: 15, scale: 2 });
    let layout = Arc::new(Layout::try_new(attributes.clone(), fixed_numeric).unwrap());
    let mut page = PageWriter::new();
    page.add(&tuple(&attributes, &[short(&numeric("1.00"))]));
    page.add(&tuple(&attributes, &[short(&numeric("NaN"))]));
    page.add(&tuple(&attributes, &[external()]));
    let mut decoder = ColumnDecoder::new(layout, 0);
    let error = decoder.append_page(5, &page.bytes, &visible([1, 2]), &[]).unwrap_err();
    assert!(matches!(error, Error::NotRepresentable { .. }));
    assert_eq!((error.place().unwrap().block, error.place().unwrap().offset_number), (5, 2));
    let layout = Arc::new(Layout::try_new(attributes, column(ColumnType::NumericVar)).unwrap());
    let mut decoder = ColumnDecoder::new(layout, 0);
    assert_eq!(decoder.append_page(5, &page.bytes, &visible([1, 2]), &[]), Ok(2));
}
