//! string_agg and array_agg: aggregates whose result is made of all values of a group, in the order that the call asks for.
//!
//! Every value is kept as an entry: the bytes of its sort keys, which compare as the keys do, and what the result is made of. The partial
//! state is the list of entries, so that parts may come in any order.
//!
//! Invariants: the sort keys, one per sort option, are the last arguments, in the form in which Arrow orders them as PostgreSQL does. With
//! DISTINCT they include all other arguments, so that equal keys mean equal values. What the order leaves open is as open as in
//! PostgreSQL.

use super::array::{Element, array_payload};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::mem::size_of_val;
use std::sync::Arc;

/// What is made of the values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Gathered {
    /// string_agg: value and delimiter come first.
    Text,
    /// array_agg: the value comes first.
    Array(Element),
}

impl Gathered {
    /// Arguments in front of the sort keys.
    fn arguments(&self) -> usize {
        match self {
            Self::Text => 2,
            Self::Array(_) => 1,
        }
    }

    fn output(&self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Array(_) => DataType::BinaryView,
        }
    }
}

/// An ordered aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OrderedAggregate {
    gathered: Gathered,
    /// Per sort key: descending, nulls first.
    order: Vec<(bool, bool)>,
    distinct: bool,
    signature: Signature,
}

/// The aggregate that gathers values sorted by keys: per key, whether it descends and whether NULLs come first.
pub fn ordered_aggregate(gathered: Gathered, order: Vec<(bool, bool)>, distinct: bool) -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(OrderedAggregate { gathered, order, distinct, signature }))
}

impl AggregateUDFImpl for OrderedAggregate {
    fn name(&self) -> &str {
        match self.gathered {
            Gathered::Text => "pg_string_agg",
            Gathered::Array(_) => "pg_array_agg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.gathered.output())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(DataType::Binary, true);
        Ok(vec![Arc::new(Field::new_list(format_state_name(args.name, "entries"), item, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let keys = args.expr_fields.iter().skip(self.gathered.arguments());
        let fields: Vec<SortField> = keys
            .zip(&self.order)
            .map(|(field, &(descending, nulls_first))| {
                SortField::new_with_options(field.data_type().clone(), SortOptions { descending, nulls_first })
            })
            .collect();
        if fields.len() != self.order.len() {
            return Err(DataFusionError::Internal("an ordered aggregate without its sort keys".into()));
        }
        Ok(Box::new(Entries {
            gathered: self.gathered.clone(),
            distinct: self.distinct,
            keys: RowConverter::new(fields)?,
            entries: Vec::new(),
            bytes: 0,
        }))
    }
}

/// Bytes of the length before a part of an entry.
const LENGTH: usize = size_of::<u32>();

/// Appends a part: NULL is a length of its own.
fn put_part(entry: &mut Vec<u8>, part: Option<&[u8]>) {
    let length = part.map_or(u32::MAX, |part| part.len() as u32);
    entry.extend_from_slice(&length.to_le_bytes());
    entry.extend_from_slice(part.unwrap_or_default());
}

/// The first part, and what is behind it.
fn take_part(entry: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some((length, rest)) = entry.split_first_chunk::<LENGTH>() else {
        return (None, &[]);
    };
    match u32::from_le_bytes(*length) {
        u32::MAX => (None, rest),
        length => match rest.split_at_checked(length as usize) {
            Some((part, rest)) => (Some(part), rest),
            None => (None, &[]),
        },
    }
}

/// The sort keys of an entry.
fn key(entry: &[u8]) -> &[u8] {
    take_part(entry).0.unwrap_or_default()
}

/// One group's entries: keys, then the parts of which the result is made.
#[derive(Debug)]
struct Entries {
    gathered: Gathered,
    distinct: bool,
    keys: RowConverter,
    entries: Vec<Box<[u8]>>,
    /// Of all entries.
    bytes: usize,
}

impl Entries {
    fn push(&mut self, entry: &[u8]) {
        self.bytes += entry.len();
        self.entries.push(entry.into());
    }

    fn text(&self) -> Result<ScalarValue> {
        let mut result: Option<Vec<u8>> = None;
        for entry in &self.entries {
            let (value, rest) = take_part(take_part(entry).1);
            let value = value.unwrap_or_default();
            match &mut result {
                // The first value's delimiter is not used.
                None => result = Some(value.to_vec()),
                Some(result) => {
                    result.extend_from_slice(take_part(rest).0.unwrap_or_default());
                    result.extend_from_slice(value);
                }
            }
        }
        let text = result.map(String::from_utf8).transpose();
        Ok(ScalarValue::Utf8View(text.map_err(|error| DataFusionError::Internal(error.to_string()))?))
    }
}

impl Accumulator for Entries {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some((arguments, keys)) = values.split_at_checked(self.gathered.arguments()) else {
            return Err(DataFusionError::Internal("an ordered aggregate without its arguments".into()));
        };
        let [value, others @ ..] = arguments else { return Ok(()) };
        let rows = if keys.is_empty() { None } else { Some(self.keys.convert_columns(keys)?) };
        let mut entry = Vec::new();
        for row in 0..value.len() {
            entry.clear();
            put_part(&mut entry, Some(rows.as_ref().map_or(&[], |rows| rows.row(row).data())));
            match &self.gathered {
                // Values that are NULL leave nothing.
                Gathered::Text if value.is_null(row) => continue,
                Gathered::Text => {
                    put_part(&mut entry, Some(value.as_string_view().value(row).as_bytes()));
                    let delimiter = others.first().filter(|delimiter| delimiter.is_valid(row));
                    put_part(&mut entry, delimiter.map(|delimiter| delimiter.as_string_view().value(row).as_bytes()));
                }
                Gathered::Array(_) if value.is_null(row) => put_part(&mut entry, None),
                Gathered::Array(element) => {
                    let bytes = element.datum(value, row)?;
                    put_part(&mut entry, Some(&bytes));
                }
            }
            self.push(&entry);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states.iter().flat_map(|state| state.as_list::<i32>().iter()).flatten() {
            list.as_binary::<i32>().iter().flatten().for_each(|entry| self.push(entry));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.entries.sort_by(|left, right| key(left).cmp(key(right)));
        if self.distinct {
            self.entries.dedup_by(|left, right| key(left) == key(right));
        }
        match &self.gathered {
            Gathered::Text => self.text(),
            Gathered::Array(_) if self.entries.is_empty() => Ok(ScalarValue::BinaryView(None)),
            Gathered::Array(element) => {
                let elements = self.entries.iter().map(|entry| take_part(take_part(entry).1).0);
                Ok(ScalarValue::BinaryView(Some(array_payload(element, elements))))
            }
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let entries: BinaryArray = self.entries.iter().map(Some).collect();
        self.entries.clear();
        self.bytes = 0;
        let values: Vec<ScalarValue> =
            entries.iter().map(|entry| ScalarValue::Binary(entry.map(<[u8]>::to_vec))).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Binary))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.entries.capacity() * size_of::<Box<[u8]>>() + self.bytes
    }
}
