//! One tuple to a reused row of `ScalarValue`: the reference, and the way of zone maps, flattened tuples and diagnostics.
//!
//! Invariants: each value of the row is always of its column's variant, with the column's precision, scale or time zone; once
//! warm (each column has seen its longest value) decoding allocates nothing – a string or byte string keeps its capacity, and
//! while a value is NULL its buffer waits in `spare`.

use crate::builder::{date, timestamp};
use crate::compress::Compressed;
use crate::deform::{Datum, deform};
use crate::descriptor::Layout;
use crate::error::{Error, Result};
use crate::numeric::{FixedNumeric, Numeric};
use crate::tuple::Tuple;
use crate::views::trim_blanks;
use datafusion_common::ScalarValue;
use fusion_common::ColumnType;
use fusion_common::limits::DECIMAL64_PRECISION;
use std::sync::Arc;

/// A row of values, filled anew by each [`ScalarRow::decode`].
pub struct ScalarRow {
    layout: Arc<Layout>,
    values: Vec<ScalarValue>,
    cells: Vec<Cell>,
}

/// What a column keeps between tuples.
struct Cell {
    column_type: ColumnType,
    spec: FixedNumeric,
    /// The buffer of the value while it is NULL or being made.
    spare: Vec<u8>,
    /// Decompressed payload of a value that does not take over the buffer.
    scratch: Vec<u8>,
}

fn null(column_type: ColumnType) -> ScalarValue {
    match column_type {
        ColumnType::Bool => ScalarValue::Boolean(None),
        ColumnType::Int2 => ScalarValue::Int16(None),
        ColumnType::Int4 => ScalarValue::Int32(None),
        ColumnType::Int8 => ScalarValue::Int64(None),
        ColumnType::Float4 => ScalarValue::Float32(None),
        ColumnType::Float8 => ScalarValue::Float64(None),
        ColumnType::Numeric { precision, scale } if precision <= DECIMAL64_PRECISION => {
            ScalarValue::Decimal64(None, precision, scale as i8)
        }
        ColumnType::Numeric { precision, scale } => ScalarValue::Decimal128(None, precision, scale as i8),
        ColumnType::NumericVar | ColumnType::Opaque => ScalarValue::BinaryView(None),
        ColumnType::Text | ColumnType::Bpchar { .. } => ScalarValue::Utf8View(None),
        ColumnType::Date => ScalarValue::Date32(None),
        ColumnType::Timestamp => ScalarValue::TimestampMicrosecond(None, None),
        ColumnType::Timestamptz => ScalarValue::TimestampMicrosecond(None, Some(Arc::from("+00:00"))),
    }
}

impl ScalarRow {
    /// A row of NULLs.
    pub fn new(layout: Arc<Layout>) -> Self {
        let types = layout.columns().iter().map(|column| column.column_type);
        let values = types.clone().map(null).collect();
        let cells = types.map(Cell::new).collect();
        Self { layout, values, cells }
    }

    /// The needed columns of a tuple, in the layout's order. After an error the row's values are of no meaning.
    pub fn decode(&mut self, tuple: &Tuple<'_>) -> Result<&[ScalarValue]> {
        let Self { layout, values, cells } = self;
        deform(layout, tuple, |column, datum| match (values.get_mut(column), cells.get_mut(column)) {
            (Some(value), Some(cell)) => cell.set(value, datum),
            _ => Ok(()),
        })?;
        Ok(&self.values)
    }

    /// What the last [`Self::decode`] that succeeded gave; NULLs before the first.
    pub fn values(&self) -> &[ScalarValue] {
        &self.values
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Error::corrupt("a value is not as long as its type"))
}

impl Cell {
    fn new(column_type: ColumnType) -> Self {
        let spec = match column_type {
            ColumnType::Numeric { precision, scale } => FixedNumeric::new(precision, scale),
            _ => FixedNumeric::new(1, 0),
        };
        Self { column_type, spec, spare: Vec::new(), scratch: Vec::new() }
    }

    fn set(&mut self, value: &mut ScalarValue, datum: Datum<'_>) -> Result<()> {
        self.reclaim(value);
        let bytes = match datum {
            Datum::Null => return self.set_null(value),
            Datum::Bytes(bytes) => bytes,
            Datum::Compressed(compressed) => return self.set_compressed(value, compressed),
        };
        self.set_bytes(value, bytes)
    }

    /// Takes the buffer of a string or byte string out of the value.
    fn reclaim(&mut self, value: &mut ScalarValue) {
        match value {
            ScalarValue::Utf8View(text) => {
                if let Some(text) = text.take() {
                    self.spare = text.into_bytes();
                }
            }
            ScalarValue::BinaryView(bytes) => {
                if let Some(bytes) = bytes.take() {
                    self.spare = bytes;
                }
            }
            _ => {}
        }
    }

    fn set_null(&mut self, value: &mut ScalarValue) -> Result<()> {
        match value {
            ScalarValue::Boolean(v) => *v = None,
            ScalarValue::Int16(v) => *v = None,
            ScalarValue::Int32(v) | ScalarValue::Date32(v) => *v = None,
            ScalarValue::Int64(v) | ScalarValue::Decimal64(v, ..) | ScalarValue::TimestampMicrosecond(v, _) => {
                *v = None;
            }
            ScalarValue::Float32(v) => *v = None,
            ScalarValue::Float64(v) => *v = None,
            ScalarValue::Decimal128(v, ..) => *v = None,
            // The buffer has been reclaimed, which left NULL.
            _ => {}
        }
        Ok(())
    }

    fn set_compressed(&mut self, value: &mut ScalarValue, compressed: Compressed<'_>) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let result = compressed.decompress(&mut scratch).and_then(|()| self.set_bytes(value, &scratch));
        self.scratch = scratch;
        result
    }

    fn set_bytes(&mut self, value: &mut ScalarValue, bytes: &[u8]) -> Result<()> {
        match value {
            ScalarValue::Boolean(v) => *v = Some(fixed::<1>(bytes)? != [0]),
            ScalarValue::Int16(v) => *v = Some(i16::from_le_bytes(fixed(bytes)?)),
            ScalarValue::Int32(v) => *v = Some(i32::from_le_bytes(fixed(bytes)?)),
            ScalarValue::Int64(v) => *v = Some(i64::from_le_bytes(fixed(bytes)?)),
            ScalarValue::Float32(v) => *v = Some(f32::from_le_bytes(fixed(bytes)?)),
            ScalarValue::Float64(v) => *v = Some(f64::from_le_bytes(fixed(bytes)?)),
            ScalarValue::Date32(v) => *v = Some(date(i32::from_le_bytes(fixed(bytes)?))?),
            ScalarValue::TimestampMicrosecond(v, _) => *v = Some(timestamp(i64::from_le_bytes(fixed(bytes)?))?),
            ScalarValue::Decimal64(v, ..) => *v = Some(self.spec.decode64(bytes)?),
            ScalarValue::Decimal128(v, ..) => *v = Some(self.spec.decode(bytes)?),
            ScalarValue::Utf8View(v) => {
                let trim = matches!(self.column_type, ColumnType::Bpchar { .. });
                let bytes = if trim { trim_blanks(bytes) } else { bytes };
                let text = String::from_utf8(self.filled(bytes));
                *v = Some(text.map_err(|_| Error::invalid_utf8())?);
            }
            ScalarValue::BinaryView(v) => {
                if self.column_type == ColumnType::NumericVar {
                    Numeric::parse(bytes)?;
                }
                *v = Some(self.filled(bytes));
            }
            _ => debug_assert!(false, "no column has this variant"),
        }
        Ok(())
    }

    /// The spare buffer, holding a copy of `bytes`.
    fn filled(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.spare);
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }
}
