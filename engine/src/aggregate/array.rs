//! PostgreSQL's arrays of one dimension, as array_agg makes them: the payload of `ArrayType`.
//!
//! ```text
//!   varlena header (not here) │ i32 dimensions │ i32 data offset, 0 without NULLs │ u32 element type │ i32 elements │ i32 lower bound 1
//!   │ NULL bitmap, if any │ to a multiple of 8 │ elements, each aligned
//! ```
//! Offsets count from the varlena header. Mirrors construct_md_array of arrayfuncs.c.

use crate::function::text::pad;
use crate::numeric::Payload;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};
use fusion_common::types::{PG_EPOCH_DAYS, PG_EPOCH_MICROS, oid};
use fusion_common::{ColumnType, Oid, TypeRef};

/// Bytes of the varlena header that the payload lacks.
const VARLENA_HEADER: usize = 4;
/// Header of an array of one dimension, the varlena header included.
const HEADER: usize = 24;
/// `MAXALIGN`.
const MAX_ALIGN: usize = 8;

/// The type of the elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Element {
    oid: Oid,
    held: ColumnType,
    /// `typalign` in bytes.
    align: usize,
}

impl Element {
    /// Elements of type `ty` held as `held`; None for a type whose arrays are not made here.
    pub fn of(ty: TypeRef, held: ColumnType) -> Option<Self> {
        let align = match ty.oid {
            oid::BOOL => 1,
            oid::INT2 => 2,
            oid::INT4 | oid::FLOAT4 | oid::DATE => 4,
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NUMERIC => 4,
            oid::INT8 | oid::FLOAT8 | oid::TIMESTAMP | oid::TIMESTAMPTZ => 8,
            _ => return None,
        };
        Some(Self { oid: ty.oid, held, align })
    }

    /// The datum of a row that is not NULL: a varlena with its 4-byte header.
    pub fn datum(&self, array: &ArrayRef, row: usize) -> Result<Vec<u8>> {
        macro_rules! bytes {
            ($type:ty) => {
                array.as_primitive::<$type>().value(row).to_le_bytes().to_vec()
            };
        }
        Ok(match array.data_type() {
            DataType::Boolean => vec![u8::from(array.as_boolean().value(row))],
            DataType::Int16 => bytes!(Int16Type),
            DataType::Int32 => bytes!(Int32Type),
            DataType::Int64 => bytes!(Int64Type),
            DataType::Float32 => bytes!(Float32Type),
            DataType::Float64 => bytes!(Float64Type),
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>().value(row);
                let stored = match days {
                    i32::MIN | i32::MAX => days,
                    _ => days.wrapping_sub(PG_EPOCH_DAYS),
                };
                stored.to_le_bytes().to_vec()
            }
            DataType::Timestamp(..) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                let stored = match micros {
                    i64::MIN | i64::MAX => micros,
                    _ => micros.wrapping_sub(PG_EPOCH_MICROS),
                };
                stored.to_le_bytes().to_vec()
            }
            DataType::Decimal64(_, scale) => {
                let value = array.as_primitive::<Decimal64Type>().value(row);
                varlena(Payload::new(value.into(), *scale as u16).as_bytes())
            }
            DataType::Decimal128(_, scale) => {
                let value = array.as_primitive::<Decimal128Type>().value(row);
                varlena(Payload::new(value, *scale as u16).as_bytes())
            }
            DataType::BinaryView => varlena(array.as_binary_view().value(row)),
            DataType::Utf8View => {
                let text = array.as_string_view().value(row);
                let length = if let ColumnType::Bpchar { length } = self.held { Some(length) } else { None };
                varlena(pad(text, length, &mut String::new()).as_bytes())
            }
            other => return Err(DataFusionError::Internal(format!("an array of {other}"))),
        })
    }
}

/// The bytes behind a 4-byte varlena header.
fn varlena(payload: &[u8]) -> Vec<u8> {
    let length = ((payload.len() + VARLENA_HEADER) as u32) << 2;
    [&length.to_le_bytes(), payload].concat()
}

/// The payload of the array of these datums, at least one; None is NULL.
pub fn array_payload<'a>(element: &Element, datums: impl Iterator<Item = Option<&'a [u8]>> + Clone) -> Vec<u8> {
    let count = datums.clone().count();
    let nulls = datums.clone().any(|datum| datum.is_none());
    let bitmap = if nulls { count.div_ceil(8) } else { 0 };
    let start = (HEADER + bitmap).next_multiple_of(MAX_ALIGN);
    let offset = if nulls { start } else { 0 };
    let mut out = Vec::with_capacity(start);
    for field in [1, offset as u32, element.oid, count as u32, 1] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    debug_assert_eq!(out.len() + VARLENA_HEADER, HEADER);
    out.resize(start - VARLENA_HEADER, 0);
    for (index, datum) in datums.enumerate() {
        let Some(datum) = datum else { continue };
        if nulls {
            out[HEADER - VARLENA_HEADER + index / 8] |= 1 << (index % 8);
        }
        let at = (out.len() + VARLENA_HEADER).next_multiple_of(element.align) - VARLENA_HEADER;
        out.resize(at, 0);
        out.extend_from_slice(datum);
    }
    // Like every array, it ends where the next element would begin.
    let end = (out.len() + VARLENA_HEADER).next_multiple_of(element.align) - VARLENA_HEADER;
    out.resize(end, 0);
    out
}
