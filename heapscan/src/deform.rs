//! One tuple, attribute by attribute: the plain way of taking a tuple apart (`heap_deform_tuple` of heaptuple.c).
//!
//! Used where one tuple matters: [`crate::ScalarRow`] and flattened tuples. Whole pages go through `slots`, which walks the
//! same attributes for all tuples at once; property tests hold the two together.
//!
//! Invariant: a [`Datum`] lies inside of the tuple or is the column's missing value.

use crate::compress::Compressed;
use crate::descriptor::Layout;
use crate::error::{Error, Result};
use crate::tuple::Tuple;
use crate::varlena::{self, BEYOND_TUPLE, Varlena};

/// A needed column's value in one tuple.
#[derive(Clone, Copy, Debug)]
pub enum Datum<'a> {
    /// NULL.
    Null,
    /// The bytes of a fixed-length value, or a varlena's payload.
    Bytes(&'a [u8]),
    /// A payload yet to be decompressed.
    Compressed(Compressed<'a>),
}

/// Calls `take` with each needed column (its index in the layout) and its value, in attnum order.
pub fn deform<'a>(
    layout: &'a Layout,
    tuple: &Tuple<'a>,
    mut take: impl FnMut(usize, Datum<'a>) -> Result<()>,
) -> Result<()> {
    let data = tuple.data();
    let bitmap = tuple.null_bitmap();
    let natts = usize::from(tuple.natts());
    let mut offset = 0;
    for (attribute, step) in layout.steps().iter().enumerate() {
        let is_null =
            bitmap.is_some_and(|bitmap| bitmap.get(attribute / 8).is_none_or(|byte| byte >> (attribute % 8) & 1 == 0));
        let datum = if attribute >= natts {
            match step.column.and_then(|column| layout.missing(column)) {
                Some(missing) => Datum::Bytes(missing),
                None => Datum::Null,
            }
        } else if is_null {
            Datum::Null
        } else {
            next(data, &mut offset, step.length, step.align_mask as usize, step.column.is_some())
                .map_err(|error| error.at_attribute(attribute as u16 + 1))?
        };
        if let Some(column) = step.column {
            take(column, datum).map_err(|error| error.at_attribute(attribute as u16 + 1))?;
        }
    }
    Ok(())
}

/// The value at `offset`, which moves behind it.
fn next<'a>(
    data: &'a [u8],
    offset: &mut usize,
    length: Option<u32>,
    align_mask: usize,
    needed: bool,
) -> Result<Datum<'a>> {
    let beyond = || Error::corrupt(BEYOND_TUPLE);
    if let Some(length) = length {
        let start = (*offset + align_mask) & !align_mask;
        *offset = start + length as usize;
        return Ok(Datum::Bytes(data.get(start..*offset).ok_or_else(beyond)?));
    }
    let &first = data.get(*offset).ok_or_else(beyond)?;
    let start = varlena::begin(first, *offset, align_mask);
    let (value, total) = if needed {
        varlena::parse(data.get(start..).ok_or_else(beyond)?)?
    } else {
        (Varlena::Plain(&[]), varlena::total_length(data.get(start..).ok_or_else(beyond)?)?)
    };
    *offset = start + total;
    match value {
        Varlena::Plain(payload) => Ok(Datum::Bytes(payload)),
        Varlena::Compressed(compressed) => Ok(Datum::Compressed(compressed)),
        Varlena::External => Err(Error::out_of_line()),
    }
}
