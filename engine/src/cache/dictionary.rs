//! Texts of few distinct values, kept as one-byte codes: a sixteenth of the memory, and a predicate looks at each value once per batch.
//!
//! Invariants: an encoded array has at most [`MAX_VALUES`] values, all of them in use; the key of a NULL is [`NULL_KEY`] below its null bit, so
//! that keys can be looked at without it.

use crate::error::Result;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringViewArray, UInt8Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, UInt8Type};
use std::sync::Arc;

/// Distinct values of an encoded array.
pub const MAX_VALUES: usize = 128;
/// The key that stands where the value is NULL.
pub const NULL_KEY: u8 = u8::MAX;
/// Rows from which on encoding is worth it.
const MIN_ROWS: usize = 1024;
/// Places of the table that values are found in: a power of two, at most half full.
const PLACES: usize = 4 * MAX_VALUES;
/// A place without a value.
const FREE: u8 = u8::MAX;

/// The array with its values as codes; None where it has too many, too few rows, or is no text.
pub fn encode(array: &ArrayRef) -> Option<ArrayRef> {
    let texts = array.as_string_view_opt()?;
    if texts.len() < MIN_ROWS {
        return None;
    }
    let mut known = Known { places: [FREE; PLACES], values: Vec::with_capacity(MAX_VALUES) };
    let mut keys = Vec::with_capacity(texts.len());
    // Neighbours are often equal, and always cheaper to compare than to look up.
    let (mut last_view, mut last_key) = (None, 0);
    for (row, view) in texts.views().iter().enumerate() {
        if texts.is_null(row) {
            keys.push(NULL_KEY);
        } else if last_view == Some(*view) {
            keys.push(last_key);
        } else {
            last_key = known.key(texts, row, *view)?;
            last_view = Some(*view);
            keys.push(last_key);
        }
    }
    let values: StringViewArray = known.values.iter().map(|&row| Some(texts.value(row))).collect();
    // Its builder takes more room than a few values need.
    let values = values.gc();
    let keys = UInt8Array::new(keys.into(), texts.nulls().cloned());
    Some(Arc::new(DictionaryArray::<UInt8Type>::try_new(keys, Arc::new(values)).ok()?))
}

/// The values met so far.
struct Known {
    /// Key of the value whose hash leads here, by linear probing.
    places: [u8; PLACES],
    /// Of each key a row that has the value.
    values: Vec<usize>,
}

impl Known {
    /// The key of the value of `row`; None: there are too many values.
    fn key(&mut self, texts: &StringViewArray, row: usize, view: u128) -> Option<u8> {
        // A short value is its view. Of a long one the view has length and prefix; where the bytes lie does not count.
        let is_short = view as u32 <= 12;
        let identity = if is_short { view } else { view & u128::from(u64::MAX) };
        let hash = (identity as u64 ^ (identity >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut place = (hash >> 32) as usize % PLACES;
        loop {
            let key = *self.places.get(place)?;
            let Some(&known) = self.values.get(usize::from(key)) else { break };
            let is_same = match is_short {
                true => texts.views().get(known) == Some(&view),
                false => texts.value(known) == texts.value(row),
            };
            if is_same {
                return Some(key);
            }
            place = (place + 1) % PLACES;
        }
        if self.values.len() == MAX_VALUES {
            return None;
        }
        let key = self.values.len() as u8;
        self.values.push(row);
        *self.places.get_mut(place)? = key;
        Some(key)
    }
}

/// The codes of an encoded array.
pub fn encoded(array: &ArrayRef) -> Option<&DictionaryArray<UInt8Type>> {
    array.as_dictionary_opt::<UInt8Type>()
}

/// The values of an array, whether it is encoded or not.
pub fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    match encoded(array) {
        Some(codes) => Ok(take(codes.values(), codes.keys(), None)?),
        None => Ok(Arc::clone(array)),
    }
}

/// The type that an array has, encoded or not, as [`plain`] gives it.
pub fn plain_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: Vec<Option<String>>) -> ArrayRef {
        Arc::new(StringViewArray::from_iter(values))
    }

    fn value(row: usize) -> Option<String> {
        match row % 7 {
            0 => None,
            1 => Some(String::new()),
            2 => Some("AIR REG".to_owned()),
            3 => Some("DELIVER IN PERSON".to_owned()),
            4 => Some("DELIVER IN PARIS!".to_owned()),
            _ => Some(format!("{}", row % 50)),
        }
    }

    #[test]
    fn few_values_become_codes_and_come_back() {
        let array = texts((0..5000).map(value).collect());
        let codes = encode(&array).unwrap();
        assert!(codes.get_array_memory_size() * 4 < array.get_array_memory_size());
        assert_eq!(plain(&codes).unwrap().as_string_view(), array.as_string_view());
        let part = codes.slice(1234, 99);
        assert_eq!(plain(&part).unwrap().as_string_view(), array.slice(1234, 99).as_string_view());
        let codes = encoded(&codes).unwrap();
        assert!(codes.keys().values().iter().zip(0..).all(|(key, row)| (*key == NULL_KEY) == (row % 7 == 0)));
    }

    #[test]
    fn many_values_stay_as_they_are() {
        let distinct =
            |count: usize| texts((0..5000).map(|row| Some(format!("a value, number {}", row % count))).collect());
        assert!(encode(&distinct(MAX_VALUES)).is_some());
        assert!(encode(&distinct(MAX_VALUES + 1)).is_none());
        let short = |count: usize| texts((0..5000).map(|row| Some(format!("{}", row % count))).collect());
        assert!(encode(&short(MAX_VALUES)).is_some());
        assert!(encode(&short(MAX_VALUES + 1)).is_none());
        assert!(encode(&texts(vec![None; 10])).is_none(), "too few rows");
        let numbers: ArrayRef = Arc::new(UInt8Array::from(vec![1; 5000]));
        assert!(encode(&numbers).is_none());
    }

    #[test]
    fn nulls_alone_are_codes_of_nothing() {
        let array = texts(vec![None; 2000]);
        let codes = encode(&array).unwrap();
        assert_eq!(encoded(&codes).unwrap().values().len(), 0);
        assert_eq!(plain(&codes).unwrap().null_count(), 2000);
    }
}
