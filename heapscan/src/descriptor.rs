//! What to read: the relation's attributes to walk over and the columns to keep, worked out once per scan.
//!
//! Invariants of a [`Layout`]: `steps` holds every attribute up to the last needed one, in order; each needed column is the
//! column of exactly one step, whose length and alignment are those of its type; all attributes below `fixed` lie at the
//! constant offset of their step in a tuple without NULLs.

use crate::error::{Error, Result};
use crate::numeric::FixedNumeric;
use arrow::datatypes::{DataType, TimeUnit};
use fusion_common::limits::{DECIMAL64_PRECISION, DECIMAL128_PRECISION, MAX_TUPLE_ATTRIBUTES};
use fusion_common::{AttAlign, Attribute, ColumnType};
use std::sync::Arc;

/// A needed column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// `attnum`, 1-based.
    pub attnum: u16,
    /// How the engine holds it.
    pub column_type: ColumnType,
    /// The value of tuples written before the column was added (`attmissingval`): of a varlena the payload, uncompressed and
    /// without header, else `attlen` bytes. None: NULL.
    pub missing: Option<Vec<u8>>,
}

/// One attribute on the way through a tuple.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Bytes of a fixed-length attribute, or None for a varlena.
    pub(crate) length: Option<u32>,
    /// Alignment minus one.
    pub(crate) align_mask: u32,
    /// Index of the needed column that this attribute is.
    pub(crate) column: Option<usize>,
    /// Offset in the data of a tuple without NULLs; only of the first `fixed` steps.
    pub(crate) offset: u32,
}

/// What a scan reads of a relation's tuples.
#[derive(Clone, Debug)]
pub struct Layout {
    columns: Vec<Column>,
    arrow_types: Vec<DataType>,
    steps: Vec<Step>,
    /// Number of leading steps at constant offsets.
    fixed: usize,
}

/// The Arrow type that holds a column: the table of [`ColumnType`].
pub fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int2 => DataType::Int16,
        ColumnType::Int4 => DataType::Int32,
        ColumnType::Int8 => DataType::Int64,
        ColumnType::Float4 => DataType::Float32,
        ColumnType::Float8 => DataType::Float64,
        ColumnType::Numeric { precision, scale } if precision <= DECIMAL64_PRECISION => {
            DataType::Decimal64(precision, scale as i8)
        }
        ColumnType::Numeric { precision, scale } => DataType::Decimal128(precision, scale as i8),
        ColumnType::NumericVar | ColumnType::Opaque => DataType::BinaryView,
        ColumnType::Text | ColumnType::Bpchar { .. } => DataType::Utf8View,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("+00:00"))),
    }
}

/// `attlen` and `attalign` of a type; None for an opaque one, which may have any.
fn physical(column_type: ColumnType) -> Option<(i16, AttAlign)> {
    Some(match column_type {
        ColumnType::Bool => (1, AttAlign::Char),
        ColumnType::Int2 => (2, AttAlign::Short),
        ColumnType::Int4 | ColumnType::Float4 | ColumnType::Date => (4, AttAlign::Int),
        ColumnType::Int8 | ColumnType::Float8 | ColumnType::Timestamp | ColumnType::Timestamptz => {
            (8, AttAlign::Double)
        }
        ColumnType::Numeric { .. } | ColumnType::NumericVar | ColumnType::Text | ColumnType::Bpchar { .. } => {
            (-1, AttAlign::Int)
        }
        ColumnType::Opaque => return None,
    })
}

impl Layout {
    /// `attributes`: the relation's, dropped ones included, in attnum order, up to the last needed one at least.
    /// `columns`: the needed ones, in the order in which they shall come out, each once.
    pub fn try_new(attributes: Vec<Attribute>, columns: Vec<Column>) -> Result<Self> {
        let last = columns.iter().map(|column| usize::from(column.attnum)).max().unwrap_or(0);
        if last > attributes.len() || last > MAX_TUPLE_ATTRIBUTES {
            return Err(Error::Layout { attnum: last as u16, detail: "there is no such attribute" });
        }
        let mut steps = Vec::with_capacity(last);
        let mut fixed = 0;
        let mut offset = Some(0u32);
        for (i, attribute) in attributes.iter().take(last).enumerate() {
            let length = match attribute.length {
                -1 => None,
                length @ 1.. => Some(length as u32),
                _ => return Err(Error::Layout { attnum: i as u16 + 1, detail: "its length is neither fixed nor -1" }),
            };
            let align_mask = attribute.align.bytes() as u32 - 1;
            let start = offset.map(|offset| (offset + align_mask) & !align_mask);
            offset = start.zip(length).map(|(start, length)| start + length);
            if offset.is_some() {
                fixed = i + 1;
            }
            steps.push(Step { length, align_mask, column: None, offset: start.unwrap_or(0) });
        }
        for (i, column) in columns.iter().enumerate() {
            check_column(column, &attributes)?;
            let step = usize::from(column.attnum).checked_sub(1).and_then(|step| steps.get_mut(step));
            match step {
                Some(step) if step.column.is_none() => step.column = Some(i),
                _ => return Err(Error::Layout { attnum: column.attnum, detail: "it is needed twice, or is none" }),
            }
        }
        let arrow_types = columns.iter().map(|column| arrow_type(column.column_type)).collect();
        Ok(Self { columns, arrow_types, steps, fixed })
    }

    /// The needed columns, in the order in which they come out.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Arrow type of the needed column `i`, counted from 0. Panics if there is none.
    pub fn arrow_type(&self, i: usize) -> DataType {
        self.arrow_types[i].clone()
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Number of leading steps at constant offsets in tuples without NULLs.
    pub(crate) fn fixed(&self) -> usize {
        self.fixed
    }

    /// Bytes that the leading steps at constant offsets take.
    pub(crate) fn fixed_size(&self) -> u32 {
        let last = self.fixed.checked_sub(1).and_then(|last| self.steps.get(last));
        last.map_or(0, |step| step.offset + step.length.unwrap_or(0))
    }

    pub(crate) fn missing(&self, column: usize) -> Option<&[u8]> {
        self.columns.get(column)?.missing.as_deref()
    }
}

fn check_column(column: &Column, attributes: &[Attribute]) -> Result<()> {
    let attnum = column.attnum;
    let attribute = usize::from(attnum).checked_sub(1).and_then(|i| attributes.get(i));
    let Some(attribute) = attribute else {
        return Err(Error::Layout { attnum, detail: "attribute numbers begin with 1" });
    };
    if physical(column.column_type).is_some_and(|expected| expected != (attribute.length, attribute.align)) {
        return Err(Error::Layout { attnum, detail: "its length or alignment is not its type's" });
    }
    if let ColumnType::Numeric { precision, scale } = column.column_type {
        if precision == 0 || precision > DECIMAL128_PRECISION || scale > precision {
            return Err(Error::Layout { attnum, detail: "its precision or scale is out of range" });
        }
        debug_assert!(FixedNumeric::new(precision, scale).fits_table());
    }
    if let (Some(missing), true) = (&column.missing, attribute.length > 0)
        && missing.len() != attribute.length as usize
    {
        return Err(Error::Layout { attnum, detail: "its missing value is not as long as its type" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT4: Attribute = Attribute { length: 4, align: AttAlign::Int, by_value: true, packable: false };
    const INT8: Attribute = Attribute { length: 8, align: AttAlign::Double, by_value: true, packable: false };
    const TEXT: Attribute = Attribute { length: -1, align: AttAlign::Int, by_value: false, packable: true };

    fn column(attnum: u16, column_type: ColumnType) -> Column {
        Column { attnum, column_type, missing: None }
    }

    #[test]
    fn leading_fixed_attributes_have_constant_offsets() {
        let columns = vec![column(4, ColumnType::Int4), column(2, ColumnType::Int8)];
        let layout = Layout::try_new(vec![INT4, INT8, TEXT, INT4, TEXT], columns).unwrap();
        assert_eq!(layout.steps().len(), 4);
        assert_eq!(layout.fixed(), 2);
        assert_eq!(layout.steps()[1].offset, 8);
        assert_eq!(layout.steps()[1].column, Some(1));
        assert_eq!(layout.arrow_type(0), DataType::Int32);
    }

    #[test]
    fn no_columns_walk_over_nothing() {
        let layout = Layout::try_new(vec![INT4, TEXT], vec![]).unwrap();
        assert!(layout.steps().is_empty() && layout.columns().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bad = [
            vec![column(0, ColumnType::Int4)],
            vec![column(3, ColumnType::Int4)],
            vec![column(1, ColumnType::Int8)],
            vec![column(2, ColumnType::Int4)],
            vec![column(1, ColumnType::Int4), column(1, ColumnType::Int4)],
            vec![column(2, ColumnType::Numeric { precision: 39, scale: 0 })],
            vec![column(2, ColumnType::Numeric { precision: 3, scale: 4 })],
            vec![Column { missing: Some(vec![1]), ..column(1, ColumnType::Int4) }],
        ];
        for columns in bad {
            assert!(Layout::try_new(vec![INT4, TEXT], columns.clone()).is_err(), "{columns:?}");
        }
        let cstring = Attribute { length: -2, align: AttAlign::Char, by_value: false, packable: false };
        assert!(Layout::try_new(vec![cstring, INT4], vec![column(2, ColumnType::Int4)]).is_err());
    }
}
