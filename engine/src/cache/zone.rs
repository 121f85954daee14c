//! Smallest and largest value of a chunk's column, for skipping chunks.
//!
//! Invariant: every value that is not NULL lies between them, by the order in which the engine compares the type: so none for floats,
//! whose NaN and zeros PostgreSQL orders in its own way, and for what is held as bytes.

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::compute::{max, min};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use std::sync::Arc;

/// Of an array; None where there is no value, or no order.
pub(super) fn of(array: &ArrayRef) -> Option<(ScalarValue, ScalarValue)> {
    match array.data_type() {
        DataType::Int16 => range::<Int16Type>(array),
        DataType::Int32 => range::<Int32Type>(array),
        DataType::Int64 => range::<Int64Type>(array),
        DataType::Date32 => range::<Date32Type>(array),
        DataType::Decimal64(..) => range::<Decimal64Type>(array),
        DataType::Decimal128(..) => range::<Decimal128Type>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => range::<TimestampMicrosecondType>(array),
        _ => None,
    }
}

fn range<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<(ScalarValue, ScalarValue)>
where
    T::Native: Ord,
{
    let values = array.as_primitive_opt::<T>()?;
    let scalar = |value: T::Native| {
        let one = PrimitiveArray::<T>::from_value(value, 1).with_data_type(array.data_type().clone());
        ScalarValue::try_from_array(&(Arc::new(one) as ArrayRef), 0).ok()
    };
    Some((scalar(min(values)?)?, scalar(max(values)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Decimal64Array, Float64Array, Int32Array};

    #[test]
    fn ranges_leave_nulls_out() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), None, Some(-7)]));
        assert_eq!(of(&numbers), Some((ScalarValue::from(-7), ScalarValue::from(3))));
        let none: ArrayRef = Arc::new(Int32Array::from(vec![None, None]));
        assert_eq!(of(&none), None);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        assert_eq!(of(&floats), None);
    }

    #[test]
    fn decimals_keep_their_type() {
        let array = Decimal64Array::from(vec![5, 1]).with_precision_and_scale(15, 2).unwrap();
        let zone = of(&(Arc::new(array) as ArrayRef));
        assert_eq!(zone, Some((ScalarValue::Decimal64(Some(1), 15, 2), ScalarValue::Decimal64(Some(5), 15, 2))));
    }
}
