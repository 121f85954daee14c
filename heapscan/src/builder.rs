//! Slots of one column to an Arrow array: one decoder per representation, one loop per decoder.
//!
//! Invariants of a [`Builder`]: `values` and `nulls` have one entry per row; a NULL's value is the default. A text column's
//! views name only bytes that were checked to be UTF-8.

use crate::error::{Error, Result};
use crate::numeric::FixedNumeric;
use crate::page::PageBytes;
use crate::slots::{ColumnSlots, Slot};
use crate::views::Views;
use arrow::array::{Array, ArrayRef, BooleanArray, NullBufferBuilder, PrimitiveArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use fusion_common::ColumnType;
use fusion_common::limits::DECIMAL64_PRECISION;
use fusion_common::types::{PG_EPOCH_DAYS, PG_EPOCH_MICROS};
use std::marker::PhantomData;
use std::sync::Arc;

/// How the values of one representation are decoded and become an array.
pub(crate) trait Decode {
    /// A decoded value.
    type Value: Copy + Default;

    /// The value of a payload, wherever it lies.
    fn bytes(&mut self, bytes: &[u8]) -> Result<Self::Value>;

    /// The value of a payload of the page; `bytes` with what is known of the place.
    #[inline(always)]
    fn on_page(&mut self, page: &PageBytes, slot: Slot) -> Result<Self::Value> {
        self.bytes(payload(page, slot)?)
    }

    /// Bytes that belong to values beside themselves.
    fn memory(&self) -> usize {
        0
    }

    /// The array of all values; resets the decoder.
    fn array(&mut self, values: Vec<Self::Value>, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef>;
}

/// The bytes that a slot of the page names.
#[inline(always)]
pub(crate) fn payload(page: &PageBytes, slot: Slot) -> Result<&[u8]> {
    debug_assert!(slot.offset() + slot.length() <= page.len());
    page.get(slot.offset()..slot.offset() + slot.length()).ok_or_else(outside)
}

#[cold]
fn outside() -> Error {
    Error::corrupt("a value lies outside of the page")
}

#[cold]
fn wrong_length() -> Error {
    Error::corrupt("a value is not as long as its type")
}

/// A value of fixed length: of the page at the slot's offset; its length is the type's, as `Layout` made sure.
#[inline(always)]
fn fixed_on_page<const N: usize>(page: &PageBytes, slot: Slot) -> Result<[u8; N]> {
    debug_assert_eq!(slot.length(), N);
    page.get(slot.offset()..slot.offset() + N).and_then(|bytes| bytes.first_chunk()).copied().ok_or_else(outside)
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| wrong_length())
}

/// `date` as stored to days since 1970-01-01.
#[inline(always)]
pub(crate) fn date(days: i32) -> Result<i32> {
    match days {
        i32::MAX | i32::MIN => Ok(days),
        _ => days
            .checked_add(PG_EPOCH_DAYS)
            .filter(|&shifted| shifted != i32::MAX)
            .ok_or_else(|| Error::not_representable("a date that overflows when counted from 1970")),
    }
}

/// `timestamp` or `timestamptz` as stored to microseconds since 1970-01-01.
#[inline(always)]
pub(crate) fn timestamp(micros: i64) -> Result<i64> {
    match micros {
        i64::MAX | i64::MIN => Ok(micros),
        _ => micros
            .checked_add(PG_EPOCH_MICROS)
            .filter(|&shifted| shifted != i64::MAX)
            .ok_or_else(|| Error::not_representable("a timestamp that overflows when counted from 1970")),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let array = PrimitiveArray::<T>::try_new(ScalarBuffer::from(values), nulls);
    let array = array.map_err(|error| Error::Arrow(error.to_string()))?;
    debug_assert!(PrimitiveArray::<T>::is_compatible(data_type));
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

/// Decoders of fixed length: name, Arrow type, value's type, bytes to value.
macro_rules! fixed_decoders {
    ($($name:ident, $arrow:ty, $native:ty, $size:literal, $convert:expr;)*) => {$(
        #[derive(Default)]
        pub(crate) struct $name;

        impl Decode for $name {
            type Value = $native;

            fn bytes(&mut self, bytes: &[u8]) -> Result<$native> {
                let convert: fn([u8; $size]) -> Result<$native> = $convert;
                convert(fixed(bytes)?)
            }

            #[inline(always)]
            fn on_page(&mut self, page: &PageBytes, slot: Slot) -> Result<$native> {
                $convert(fixed_on_page::<$size>(page, slot)?)
            }

            fn array(
                &mut self,
                values: Vec<$native>,
                nulls: Option<NullBuffer>,
                data_type: &DataType,
            ) -> Result<ArrayRef> {
                primitive::<$arrow>(values, nulls, data_type)
            }
        }
    )*};
}

fixed_decoders! {
    Int2, Int16Type, i16, 2, |bytes| Ok(i16::from_le_bytes(bytes));
    Int4, Int32Type, i32, 4, |bytes| Ok(i32::from_le_bytes(bytes));
    Int8, Int64Type, i64, 8, |bytes| Ok(i64::from_le_bytes(bytes));
    Float4, Float32Type, f32, 4, |bytes| Ok(f32::from_le_bytes(bytes));
    Float8, Float64Type, f64, 8, |bytes| Ok(f64::from_le_bytes(bytes));
    Date, Date32Type, i32, 4, |bytes| date(i32::from_le_bytes(bytes));
    Timestamp, TimestampMicrosecondType, i64, 8, |bytes| timestamp(i64::from_le_bytes(bytes));
}

/// `bool`: any byte but 0 is true.
#[derive(Default)]
pub(crate) struct Bool;

impl Decode for Bool {
    type Value = bool;

    fn bytes(&mut self, bytes: &[u8]) -> Result<bool> {
        Ok(fixed::<1>(bytes)? != [0])
    }

    #[inline(always)]
    fn on_page(&mut self, page: &PageBytes, slot: Slot) -> Result<bool> {
        Ok(fixed_on_page::<1>(page, slot)? != [0])
    }

    fn array(&mut self, values: Vec<bool>, nulls: Option<NullBuffer>, _: &DataType) -> Result<ArrayRef> {
        Ok(Arc::new(BooleanArray::new(values.into(), nulls)))
    }
}

/// The integer that a fixed numeric becomes.
pub(crate) trait DecimalNative: ArrowNativeType + From<i64> {
    type Arrow: ArrowPrimitiveType<Native = Self>;
    fn decode(spec: &FixedNumeric, payload: &[u8]) -> Result<Self>;
}

impl DecimalNative for i64 {
    type Arrow = Decimal64Type;
    fn decode(spec: &FixedNumeric, payload: &[u8]) -> Result<Self> {
        spec.decode64(payload)
    }
}

impl DecimalNative for i128 {
    type Arrow = Decimal128Type;
    fn decode(spec: &FixedNumeric, payload: &[u8]) -> Result<Self> {
        spec.decode(payload)
    }
}

/// Fixed numeric; `DIVISOR` is `FixedNumeric::divisor`.
pub(crate) struct Decimal<T, const DIVISOR: u64> {
    spec: FixedNumeric,
    native: PhantomData<T>,
}

impl<T, const DIVISOR: u64> Decimal<T, DIVISOR> {
    pub(crate) fn new(spec: FixedNumeric) -> Self {
        debug_assert_eq!(spec.divisor(), DIVISOR);
        Self { spec, native: PhantomData }
    }
}

impl<T: DecimalNative, const DIVISOR: u64> Decode for Decimal<T, DIVISOR> {
    type Value = T;

    fn bytes(&mut self, bytes: &[u8]) -> Result<T> {
        T::decode(&self.spec, bytes)
    }

    #[inline(always)]
    fn on_page(&mut self, page: &PageBytes, slot: Slot) -> Result<T> {
        let word = page.get(slot.offset()..slot.offset() + 8).and_then(|bytes| bytes.first_chunk());
        let short = word.and_then(|word| self.spec.short::<DIVISOR>(u64::from_le_bytes(*word), slot.length()));
        match short {
            Some(value) => Ok(T::from(value)),
            None => T::decode(&self.spec, payload(page, slot)?),
        }
    }

    fn array(&mut self, values: Vec<T>, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef> {
        primitive::<T::Arrow>(values, nulls, data_type)
    }
}

/// The rows of one column so far.
pub(crate) struct Builder<D: Decode> {
    decode: D,
    values: Vec<D::Value>,
    nulls: NullBufferBuilder,
    /// Rows that memory is taken for at the first of them: about as many as the last array had.
    capacity: usize,
}

impl<D: Decode> Builder<D> {
    /// Takes no memory before the first row.
    pub(crate) fn new(decode: D, capacity: usize) -> Self {
        Self { decode, values: Vec::new(), nulls: NullBufferBuilder::new(capacity), capacity }
    }
}

/// A column under construction, whatever its representation.
pub(crate) trait ColumnBuilder: Send {
    /// Appends the values of one page. Returns whether rows that need not have a value lack one.
    fn append(&mut self, column: ColumnSlots<'_, '_>) -> Result<bool>;

    /// Bytes that the rows so far take.
    fn memory(&self) -> usize;

    /// The array; the builder is empty afterwards.
    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef>;
}

impl<D: Decode<Value: Send> + Send> ColumnBuilder for Builder<D> {
    fn append(&mut self, column: ColumnSlots<'_, '_>) -> Result<bool> {
        let ColumnSlots { page, slots, offset_numbers, side, must } = column;
        let mut absent = false;
        let mut without_value = |error: Error, offset_number: u16| match error {
            Error::NotRepresentable { .. } if !must.holds(offset_number) => {
                absent = true;
                Ok(())
            }
            error => Err(error.at_offset_number(offset_number)),
        };
        if self.values.is_empty() {
            self.values.reserve_exact(self.capacity);
        }
        let decode = &mut self.decode;
        if let Some(side) = side {
            for (&slot, &offset_number) in slots.iter().zip(offset_numbers) {
                let decoded = if slot.is_special() {
                    side.get(slot).map(|bytes| decode.bytes(bytes)).transpose()
                } else {
                    decode.on_page(page, slot).map(Some)
                };
                let decoded = match decoded {
                    Ok(decoded) => decoded,
                    Err(error) => without_value(error, offset_number).map(|()| None)?,
                };
                self.nulls.append(decoded.is_some());
                self.values.push(decoded.unwrap_or_default());
            }
        } else {
            // The slice's length is known, so that no value is written twice and room is looked for once.
            let mut failed = Vec::new();
            self.values.extend(slots.iter().enumerate().map(|(row, &slot)| {
                decode.on_page(page, slot).unwrap_or_else(|error| {
                    failed.push((row, error));
                    D::Value::default()
                })
            }));
            for (row, error) in failed {
                without_value(error, offset_numbers.get(row).copied().unwrap_or_default())?;
            }
            self.nulls.append_n_non_nulls(slots.len());
        }
        Ok(absent)
    }

    fn memory(&self) -> usize {
        self.values.capacity() * size_of::<D::Value>() + self.decode.memory()
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef> {
        let mut values = std::mem::take(&mut self.values);
        self.capacity = values.len() + values.len() / 32;
        // Arrays may be kept: no more than an eighth of them is room for nothing.
        if values.len() < values.capacity() / 8 * 7 {
            values.shrink_to_fit();
        }
        let array = self.decode.array(values, self.nulls.finish(), data_type)?;
        debug_assert_eq!(array.data_type(), data_type);
        Ok(array)
    }
}

/// The builder of a column's representation, with room for `capacity` rows.
pub(crate) fn column_builder(column_type: ColumnType, capacity: usize) -> Box<dyn ColumnBuilder> {
    fn boxed<D: Decode<Value: Send> + Send + 'static>(decode: D, capacity: usize) -> Box<dyn ColumnBuilder> {
        Box::new(Builder::new(decode, capacity))
    }
    fn decimal<T: DecimalNative + Send + 'static>(spec: FixedNumeric, capacity: usize) -> Box<dyn ColumnBuilder> {
        match spec.divisor() {
            1 => boxed(Decimal::<T, 1>::new(spec), capacity),
            10 => boxed(Decimal::<T, 10>::new(spec), capacity),
            100 => boxed(Decimal::<T, 100>::new(spec), capacity),
            _ => boxed(Decimal::<T, 1000>::new(spec), capacity),
        }
    }
    match column_type {
        ColumnType::Bool => boxed(Bool, capacity),
        ColumnType::Int2 => boxed(Int2, capacity),
        ColumnType::Int4 => boxed(Int4, capacity),
        ColumnType::Int8 => boxed(Int8, capacity),
        ColumnType::Float4 => boxed(Float4, capacity),
        ColumnType::Float8 => boxed(Float8, capacity),
        ColumnType::Numeric { precision, scale } if precision <= DECIMAL64_PRECISION => {
            decimal::<i64>(FixedNumeric::new(precision, scale), capacity)
        }
        ColumnType::Numeric { precision, scale } => decimal::<i128>(FixedNumeric::new(precision, scale), capacity),
        ColumnType::NumericVar => boxed(Views::numeric_var(), capacity),
        ColumnType::Text => boxed(Views::text(), capacity),
        ColumnType::Bpchar { .. } => boxed(Views::bpchar(), capacity),
        ColumnType::Date => boxed(Date, capacity),
        ColumnType::Timestamp | ColumnType::Timestamptz => boxed(Timestamp, capacity),
        ColumnType::Opaque => boxed(Views::opaque(), capacity),
    }
}
