//! One column of a result: how much room its values take, and writing them.
//!
//! Mirrors `heap_compute_data_size` and `fill_val` of heaptuple.c: fixed lengths aligned to the attribute, a varlena with a
//! 1-byte header and no alignment where it may be packed and is short, else with an aligned 4-byte header.
//!
//! Invariant: positions grow by at most [`MAX_PART`] per column, so that 32 bits hold them.

use crate::error::{Error, Result};
use crate::numeric::Payload;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, PrimitiveArray, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, ToByteSlice,
};
use fusion_common::types::{PG_EPOCH_DAYS, PG_EPOCH_MICROS};
use fusion_common::{Attribute, ColumnType, SqlError, SqlState};

/// Positions are not counted further than this, bytes: longer rows are refused anyway.
const MAX_PART: u32 = 1 << 30;
/// `VARATT_SHORT_MAX`: the longest varlena with a 1-byte header, its header included.
const SHORT_MAX: u32 = 0x7f;
/// 22008: datetime_field_overflow.
const DATETIME_FIELD_OVERFLOW: SqlState = SqlState(*b"22008");

/// Encodes the values of one column.
pub(super) trait ColumnEncoder: Send {
    /// Takes in the column of the next batch.
    fn start(&mut self, array: &ArrayRef) -> Result<()>;
    /// Its NULLs, if it has any.
    fn nulls(&self) -> Option<&NullBuffer>;
    /// Whether its values are varlenas.
    fn is_varlena(&self) -> bool {
        false
    }
    /// Moves the position of each row behind its value.
    fn measure(&self, at: &mut [u32]);
    /// Writes the values of the rows from `first` on at their positions, and moves these behind them.
    fn write(&self, first: usize, at: &mut [u32], out: &mut [u8]);
}

/// The encoder of values held as `held` for an attribute.
pub(super) fn column_encoder(held: ColumnType, attribute: Attribute) -> Result<Box<dyn ColumnEncoder>> {
    let physical = match held {
        ColumnType::Bool => Some(1),
        ColumnType::Int2 => Some(2),
        ColumnType::Int4 | ColumnType::Float4 | ColumnType::Date => Some(4),
        ColumnType::Int8 | ColumnType::Float8 | ColumnType::Timestamp | ColumnType::Timestamptz => Some(8),
        ColumnType::Opaque => None,
        _ => Some(-1),
    };
    if attribute.length == 0 || attribute.length < -1 || physical.is_some_and(|length| length != attribute.length) {
        return Err(Error::internal(format!("{held:?} for an attribute of length {}", attribute.length)));
    }
    Ok(match held {
        ColumnType::Bool => Box::new(Bools::new(attribute)),
        ColumnType::Int2 => Box::new(Fixed::<Int16Type>::new(attribute)),
        ColumnType::Int4 => Box::new(Fixed::<Int32Type>::new(attribute)),
        ColumnType::Int8 => Box::new(Fixed::<Int64Type>::new(attribute)),
        ColumnType::Float4 => Box::new(Fixed::<Float32Type>::new(attribute)),
        ColumnType::Float8 => Box::new(Fixed::<Float64Type>::new(attribute)),
        ColumnType::Date => Box::new(Fixed::<Date32Type>::new(attribute)),
        ColumnType::Timestamp | ColumnType::Timestamptz => Box::new(Fixed::<TimestampMicrosecondType>::new(attribute)),
        ColumnType::Numeric { scale, .. } => Box::new(Varlena::new(attribute, Numerics::new(scale))),
        ColumnType::NumericVar => Box::new(Varlena::new(attribute, Binaries::default())),
        ColumnType::Text => Box::new(Varlena::new(attribute, Texts::default())),
        ColumnType::Bpchar { length } => Box::new(Varlena::new(attribute, Padded { length, ..Padded::default() })),
        ColumnType::Opaque if attribute.length < 0 => Box::new(Varlena::new(attribute, Binaries::default())),
        ColumnType::Opaque => Box::new(FixedBytes::new(attribute)),
    })
}

#[cold]
fn wrong_type(array: &dyn Array, expected: &str) -> Error {
    Error::internal(format!("result column of type {} where {expected} was planned", array.data_type()))
}

#[inline(always)]
fn aligned(at: u32, mask: u32) -> u32 {
    (at + mask) & !mask
}

fn align_mask(attribute: Attribute) -> u32 {
    attribute.align.bytes() as u32 - 1
}

/// Moves the positions of rows with a value.
#[inline(always)]
fn advance(at: &mut [u32], nulls: Option<&NullBuffer>, mut step: impl FnMut(usize, u32) -> u32) {
    match nulls {
        None => at.iter_mut().enumerate().for_each(|(row, at)| *at = step(row, *at)),
        Some(nulls) => {
            for (row, at) in at.iter_mut().enumerate() {
                if nulls.is_valid(row) {
                    *at = step(row, *at);
                }
            }
        }
    }
}

/// The same for the rows from `first` on; `row` counts in the whole batch.
#[inline(always)]
fn advance_from(first: usize, at: &mut [u32], nulls: Option<&NullBuffer>, mut step: impl FnMut(usize, u32) -> u32) {
    match nulls {
        None => at.iter_mut().enumerate().for_each(|(index, at)| *at = step(first + index, *at)),
        Some(nulls) => {
            for (index, at) in at.iter_mut().enumerate() {
                if nulls.is_valid(first + index) {
                    *at = step(first + index, *at);
                }
            }
        }
    }
}

/// Writes `bytes` at `at`. The room was measured, so that it is there.
#[inline(always)]
fn put(out: &mut [u8], at: u32, bytes: &[u8]) {
    out[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
}

fn some_nulls(array: &dyn Array) -> Option<NullBuffer> {
    array.nulls().filter(|nulls| nulls.null_count() > 0).cloned()
}

/// What PostgreSQL stores for a value of the array.
trait Stored: ArrowPrimitiveType + Sized {
    /// Shifts values to PostgreSQL's epoch, where there is one.
    fn stored(array: &PrimitiveArray<Self>) -> Result<PrimitiveArray<Self>> {
        Ok(array.clone())
    }
}

impl Stored for Int16Type {}
impl Stored for Int32Type {}
impl Stored for Int64Type {}
impl Stored for Float32Type {}
impl Stored for Float64Type {}

impl Stored for Date32Type {
    fn stored(array: &PrimitiveArray<Self>) -> Result<PrimitiveArray<Self>> {
        array.try_unary(|days| match days {
            i32::MIN | i32::MAX => Ok(days),
            _ => days
                .checked_sub(PG_EPOCH_DAYS)
                .filter(|&shifted| shifted != i32::MIN)
                .ok_or_else(|| out_of_range("date")),
        })
    }
}

impl Stored for TimestampMicrosecondType {
    fn stored(array: &PrimitiveArray<Self>) -> Result<PrimitiveArray<Self>> {
        array.try_unary(|micros| match micros {
            i64::MIN | i64::MAX => Ok(micros),
            _ => micros
                .checked_sub(PG_EPOCH_MICROS)
                .filter(|&shifted| shifted != i64::MIN)
                .ok_or_else(|| out_of_range("timestamp")),
        })
    }
}

#[cold]
fn out_of_range(what: &str) -> Error {
    Error::Sql(SqlError::new(DATETIME_FIELD_OVERFLOW, format!("{what} out of range")))
}

/// Numbers, dates and timestamps.
struct Fixed<T: ArrowPrimitiveType> {
    mask: u32,
    values: PrimitiveArray<T>,
    nulls: Option<NullBuffer>,
}

impl<T: Stored> Fixed<T> {
    fn new(attribute: Attribute) -> Self {
        Self { mask: align_mask(attribute), values: PrimitiveArray::new_null(0), nulls: None }
    }
}

impl<T: Stored> ColumnEncoder for Fixed<T> {
    fn start(&mut self, array: &ArrayRef) -> Result<()> {
        let values = array.as_primitive_opt::<T>().ok_or_else(|| wrong_type(array, &T::DATA_TYPE.to_string()))?;
        self.values = T::stored(values)?;
        self.nulls = some_nulls(array);
        Ok(())
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    fn measure(&self, at: &mut [u32]) {
        let (mask, size) = (self.mask, size_of::<T::Native>() as u32);
        advance(at, self.nulls(), |_, at| aligned(at, mask) + size);
    }

    fn write(&self, first: usize, at: &mut [u32], out: &mut [u8]) {
        let (mask, size) = (self.mask, size_of::<T::Native>() as u32);
        let values = self.values.values();
        advance_from(first, at, self.nulls(), |row, at| {
            let at = aligned(at, mask);
            put(out, at, values[row].to_byte_slice());
            at + size
        });
    }
}

/// bool: one byte.
struct Bools {
    mask: u32,
    values: BooleanArray,
    nulls: Option<NullBuffer>,
}

impl Bools {
    fn new(attribute: Attribute) -> Self {
        Self { mask: align_mask(attribute), values: BooleanArray::new_null(0), nulls: None }
    }
}

impl ColumnEncoder for Bools {
    fn start(&mut self, array: &ArrayRef) -> Result<()> {
        self.values = array.as_boolean_opt().ok_or_else(|| wrong_type(array, "Boolean"))?.clone();
        self.nulls = some_nulls(array);
        Ok(())
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    fn measure(&self, at: &mut [u32]) {
        advance(at, self.nulls(), |_, at| aligned(at, self.mask) + 1);
    }

    fn write(&self, first: usize, at: &mut [u32], out: &mut [u8]) {
        advance_from(first, at, self.nulls(), |row, at| {
            let at = aligned(at, self.mask);
            out[at as usize] = u8::from(self.values.value(row));
            at + 1
        });
    }
}

/// Opaque values of a fixed length, by value or not: stored as they came.
struct FixedBytes {
    length: u32,
    mask: u32,
    values: BinaryViewArray,
    nulls: Option<NullBuffer>,
}

impl FixedBytes {
    fn new(attribute: Attribute) -> Self {
        let length = u32::from(attribute.length.unsigned_abs());
        Self { length, mask: align_mask(attribute), values: BinaryViewArray::new_null(0), nulls: None }
    }
}

impl ColumnEncoder for FixedBytes {
    fn start(&mut self, array: &ArrayRef) -> Result<()> {
        self.values = array.as_binary_view_opt().ok_or_else(|| wrong_type(array, "BinaryView"))?.clone();
        self.nulls = some_nulls(array);
        let wrong = |row| self.values.is_valid(row) && view_length(self.values.views()[row]) != self.length;
        if (0..array.len()).any(wrong) {
            return Err(Error::internal("opaque value of another length than its type's"));
        }
        Ok(())
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    fn measure(&self, at: &mut [u32]) {
        advance(at, self.nulls(), |_, at| aligned(at, self.mask) + self.length);
    }

    fn write(&self, first: usize, at: &mut [u32], out: &mut [u8]) {
        advance_from(first, at, self.nulls(), |row, at| {
            let at = aligned(at, self.mask);
            put(out, at, self.values.value(row));
            at + self.length
        });
    }
}

/// Length of the value that a view of a byte-view array stands for.
#[inline(always)]
fn view_length(view: u128) -> u32 {
    view as u32
}

/// Payloads of varlenas.
trait Payloads: Send {
    /// Takes in a batch, and writes the length of each row's payload to `lengths` (any number for a NULL).
    fn start(&mut self, array: &ArrayRef, lengths: &mut Vec<u32>) -> Result<()>;
    /// Writes the payload of a row that is not NULL; `to` is as long as it.
    fn write(&self, row: usize, to: &mut [u8]);
}

/// Any varlena.
struct Varlena<P> {
    mask: u32,
    packable: bool,
    payloads: P,
    lengths: Vec<u32>,
    nulls: Option<NullBuffer>,
}

impl<P: Payloads> Varlena<P> {
    fn new(attribute: Attribute, payloads: P) -> Self {
        Self { mask: align_mask(attribute), packable: attribute.packable, payloads, lengths: Vec::new(), nulls: None }
    }

    #[inline(always)]
    fn is_short(&self, length: u32) -> bool {
        self.packable && length < SHORT_MAX
    }
}

impl<P: Payloads> ColumnEncoder for Varlena<P> {
    fn start(&mut self, array: &ArrayRef) -> Result<()> {
        self.lengths.clear();
        self.nulls = some_nulls(array);
        self.payloads.start(array, &mut self.lengths)
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    fn is_varlena(&self) -> bool {
        true
    }

    fn measure(&self, at: &mut [u32]) {
        advance(at, self.nulls(), |row, at| {
            let length = self.lengths[row];
            if self.is_short(length) { at + 1 + length } else { (aligned(at, self.mask) + 4 + length).min(MAX_PART) }
        });
    }

    fn write(&self, first: usize, at: &mut [u32], out: &mut [u8]) {
        advance_from(first, at, self.nulls(), |row, at| {
            let length = self.lengths[row];
            let start = if self.is_short(length) {
                out[at as usize] = (((length + 1) << 1) | 1) as u8;
                at + 1
            } else {
                let at = aligned(at, self.mask);
                put(out, at, &((length + 4) << 2).to_le_bytes());
                at + 4
            };
            self.payloads.write(row, &mut out[start as usize..(start + length) as usize]);
            start + length
        });
    }
}

/// text and varchar.
struct Texts(StringViewArray);

impl Default for Texts {
    fn default() -> Self {
        Self(StringViewArray::new_null(0))
    }
}

impl Payloads for Texts {
    fn start(&mut self, array: &ArrayRef, lengths: &mut Vec<u32>) -> Result<()> {
        self.0 = array.as_string_view_opt().ok_or_else(|| wrong_type(array, "Utf8View"))?.clone();
        lengths.extend(self.0.views().iter().map(|&view| view_length(view)));
        Ok(())
    }

    #[inline(always)]
    fn write(&self, row: usize, to: &mut [u8]) {
        to.copy_from_slice(self.0.value(row).as_bytes());
    }
}

/// Payloads that are in the array as they are: variable numerics, opaque varlenas.
struct Binaries(BinaryViewArray);

impl Default for Binaries {
    fn default() -> Self {
        Self(BinaryViewArray::new_null(0))
    }
}

impl Payloads for Binaries {
    fn start(&mut self, array: &ArrayRef, lengths: &mut Vec<u32>) -> Result<()> {
        self.0 = array.as_binary_view_opt().ok_or_else(|| wrong_type(array, "BinaryView"))?.clone();
        lengths.extend(self.0.views().iter().map(|&view| view_length(view)));
        Ok(())
    }

    #[inline(always)]
    fn write(&self, row: usize, to: &mut [u8]) {
        to.copy_from_slice(self.0.value(row));
    }
}

/// char(n): blanks up to n characters.
#[derive(Default)]
struct Padded {
    length: u32,
    texts: Texts,
}

impl Payloads for Padded {
    fn start(&mut self, array: &ArrayRef, lengths: &mut Vec<u32>) -> Result<()> {
        self.texts.start(array, lengths)?;
        for (row, length) in lengths.iter_mut().enumerate() {
            if *length > 0 && self.texts.0.is_null(row) {
                continue;
            }
            let text = self.texts.0.value(row);
            let characters = if text.is_ascii() { text.len() } else { text.chars().count() };
            *length = length.saturating_add(self.length.saturating_sub(characters as u32)).min(MAX_PART);
        }
        Ok(())
    }

    #[inline(always)]
    fn write(&self, row: usize, to: &mut [u8]) {
        let text = self.texts.0.value(row).as_bytes();
        let (value, blanks) = to.split_at_mut(text.len());
        value.copy_from_slice(text);
        blanks.fill(b' ');
    }
}

/// Fixed numerics: all payloads of a batch one after another.
struct Numerics {
    scale: u8,
    bytes: Vec<u8>,
    /// End of each row's payload in `bytes`.
    ends: Vec<u32>,
}

impl Numerics {
    fn new(scale: u8) -> Self {
        Self { scale, bytes: Vec::new(), ends: Vec::new() }
    }

    fn collect<T: ArrowPrimitiveType>(&mut self, array: &PrimitiveArray<T>, lengths: &mut Vec<u32>)
    where
        T::Native: Into<i128>,
    {
        let dscale = u16::from(self.scale);
        for (row, &value) in array.values().iter().enumerate() {
            let start = self.bytes.len();
            if array.is_valid(row) {
                self.bytes.extend_from_slice(Payload::new(value.into(), dscale).as_bytes());
            }
            lengths.push((self.bytes.len() - start) as u32);
            self.ends.push(self.bytes.len() as u32);
        }
    }
}

impl Payloads for Numerics {
    fn start(&mut self, array: &ArrayRef, lengths: &mut Vec<u32>) -> Result<()> {
        self.bytes.clear();
        self.ends.clear();
        match array.data_type() {
            DataType::Decimal64(_, scale) if *scale == self.scale as i8 => {
                self.collect(array.as_primitive::<Decimal64Type>(), lengths);
            }
            DataType::Decimal128(_, scale) if *scale == self.scale as i8 => {
                self.collect(array.as_primitive::<Decimal128Type>(), lengths);
            }
            _ => return Err(wrong_type(array, &format!("a decimal of scale {}", self.scale))),
        }
        Ok(())
    }

    #[inline(always)]
    fn write(&self, row: usize, to: &mut [u8]) {
        let end = self.ends[row] as usize;
        to.copy_from_slice(&self.bytes[end - to.len()..end]);
    }
}
