//! Loops over columns and constants: the one place where NULLs, lengths and row errors are dealt with.
//!
//! A kernel is a plain function of values. The loops here run it over all rows, those with NULLs included, since that is faster
//! than asking; a failure counts only if its row is valid.
//!
//! Invariants: an output has as many rows as the batch; a row is NULL if any argument is (or, with [`unary_opt`], the kernel says
//! so); no error comes from a NULL row.

use super::failure::Failure;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};

/// An argument: a column, or a constant (a column of one row).
#[derive(Clone, Debug)]
pub struct Argument {
    /// Values; one row if constant.
    pub array: ArrayRef,
    /// The same value for all rows; never NULL (the caller has dealt with that).
    pub constant: bool,
}

impl Argument {
    /// The argument's NULLs; None if there are none.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        if self.constant { None } else { self.array.nulls() }
    }

    /// As primitive values.
    pub fn primitive<T: ArrowPrimitiveType>(&self) -> Result<Operand<'_, T>> {
        let array = self.array.as_primitive_opt::<T>().ok_or_else(|| wrong_type::<T>(self.array.data_type()))?;
        match (self.constant, array.values().first()) {
            (true, Some(&value)) => Ok(Operand::Constant(value)),
            (true, None) => Err(DataFusionError::Internal("a constant without a value".into())),
            (false, _) => Ok(Operand::Column(array)),
        }
    }
}

#[cold]
fn wrong_type<T: ArrowPrimitiveType>(found: &DataType) -> DataFusionError {
    DataFusionError::Internal(format!("kernel for {} was called with {found}", T::DATA_TYPE))
}

/// A primitive argument.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, T: ArrowPrimitiveType> {
    /// One value per row.
    Column(&'a PrimitiveArray<T>),
    /// One value for all.
    Constant(T::Native),
}

impl<T: ArrowPrimitiveType> Operand<'_, T> {
    fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Self::Column(array) => array.nulls(),
            Self::Constant(_) => None,
        }
    }
}

/// Builds an output of `rows` rows of type `data_type`.
fn output<O: ArrowPrimitiveType>(values: Vec<O::Native>, nulls: Option<NullBuffer>, data_type: &DataType) -> ArrayRef {
    let array = PrimitiveArray::<O>::new(ScalarBuffer::from(values), nulls);
    std::sync::Arc::new(array.with_data_type(data_type.clone()))
}

/// Looks for the first failure on a valid row; the fast loops call it only when some row has failed.
#[cold]
fn first_failure(
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut failure: impl FnMut(usize) -> Option<Failure>,
) -> Result<()> {
    let failed = (0..rows).filter(|&row| nulls.is_none_or(|nulls| nulls.is_valid(row))).find_map(&mut failure);
    failed.map_or(Ok(()), |failure| Err(failure.into()))
}

/// `kernel` over all rows of one column.
pub fn unary<A: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    argument: Operand<'_, A>,
    data_type: &DataType,
    kernel: impl Fn(A::Native) -> Result<O::Native, Failure>,
) -> Result<ArrayRef>
where
    O::Native: Default,
{
    let constant;
    let (values, nulls): (&[A::Native], _) = match argument {
        Operand::Column(array) => (array.values(), array.nulls()),
        Operand::Constant(value) => {
            constant = [value];
            (&constant, None)
        }
    };
    let mut failed = false;
    let out = values.iter().map(|&value| kept(kernel(value), &mut failed)).collect();
    if failed {
        first_failure(values.len(), nulls, |row| values.get(row).and_then(|&value| kernel(value).err()))?;
    }
    Ok(output::<O>(out, nulls.cloned(), data_type))
}

/// As [`unary`]; the kernel may also say NULL.
pub fn unary_opt<A: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    argument: Operand<'_, A>,
    data_type: &DataType,
    kernel: impl Fn(A::Native) -> Result<Option<O::Native>, Failure>,
) -> Result<ArrayRef> {
    let constant;
    let array = match argument {
        Operand::Column(array) => array,
        Operand::Constant(value) => {
            constant = PrimitiveArray::<A>::new(vec![value].into(), None);
            &constant
        }
    };
    let rows = array.iter().map(|value| value.map_or(Ok(None), &kernel));
    let out = rows.collect::<Result<PrimitiveArray<O>, Failure>>()?;
    Ok(std::sync::Arc::new(out.with_data_type(data_type.clone())))
}

/// `kernel` over all rows of two arguments.
pub fn binary<L: ArrowPrimitiveType, R: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    left: Operand<'_, L>,
    right: Operand<'_, R>,
    data_type: &DataType,
    kernel: impl Fn(L::Native, R::Native) -> Result<O::Native, Failure>,
) -> Result<ArrayRef>
where
    O::Native: Default,
{
    let nulls = NullBuffer::union(left.nulls(), right.nulls());
    let nulls = nulls.as_ref();
    let mut failed = false;
    let values: Vec<O::Native> = match (left, right) {
        (Operand::Column(left), Operand::Column(right)) => {
            let (left, right) = (left.values(), right.values());
            let out = left.iter().zip(right.iter()).map(|(&l, &r)| kept(kernel(l, r), &mut failed)).collect();
            if failed {
                let at = |row: usize| left.get(row).zip(right.get(row));
                first_failure(left.len(), nulls, |row| at(row).and_then(|(&l, &r)| kernel(l, r).err()))?;
            }
            out
        }
        (Operand::Column(left), Operand::Constant(r)) => {
            let left = left.values();
            let out = left.iter().map(|&l| kept(kernel(l, r), &mut failed)).collect();
            if failed {
                first_failure(left.len(), nulls, |row| left.get(row).and_then(|&l| kernel(l, r).err()))?;
            }
            out
        }
        (Operand::Constant(l), Operand::Column(right)) => {
            let right = right.values();
            let out = right.iter().map(|&r| kept(kernel(l, r), &mut failed)).collect();
            if failed {
                first_failure(right.len(), nulls, |row| right.get(row).and_then(|&r| kernel(l, r).err()))?;
            }
            out
        }
        (Operand::Constant(l), Operand::Constant(r)) => vec![kernel(l, r)?],
    };
    Ok(output::<O>(values, nulls.cloned(), data_type))
}

/// The value, or a default where the row failed.
#[inline(always)]
fn kept<T: Default>(result: Result<T, Failure>, failed: &mut bool) -> T {
    match result {
        Ok(value) => value,
        Err(_) => {
            *failed = true;
            T::default()
        }
    }
}
