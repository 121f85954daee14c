//! PostgreSQL's window functions, and its aggregates over windows.
//!
//! One [`WindowUDFImpl`], [`PgWindow`], carries a [`Call`]: function and frame. DataFusion partitions and sorts; it hands over one partition at a
//! time, whole, and knows nothing of frames.
//!
//! | module | holds |
//! | --- | --- |
//! | [`frame`], [`distance`] | which rows a frame holds; RANGE offsets |
//! | [`position`] | row_number, rank … lag, lead, first_value, last_value, nth_value |
//! | [`aggregate`] | count, sum, avg, min, max, bool_and, bool_or |
//!
//! Arguments of a call, in this order: the function's own; FILTER; the order key's values, where [`frame::Frame::needs_values`]; the keys of
//! the window's order, in which peers are equal.

pub mod aggregate;
pub mod distance;
pub mod frame;
pub mod position;

#[cfg(test)]
mod tests;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use frame::{Frame, Frames, Peers};
use std::sync::Arc;

/// Window functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Function {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
    /// count(x); count(*) counts a constant.
    Count,
    Sum,
    /// avg of integers and numerics.
    Average,
    /// avg of float8.
    FloatAverage,
    Min,
    Max,
    BoolAnd,
    BoolOr,
}

/// A call of a window function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// Which function.
    pub function: Function,
    /// Its frame.
    pub frame: Frame,
    /// Arguments of the function itself.
    pub arguments: usize,
    /// Whether there is a FILTER.
    pub filtered: bool,
    /// Type of the result.
    pub output: DataType,
}

/// A [`Call`] as DataFusion's function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PgWindow {
    call: Call,
    signature: Signature,
}

/// The function that evaluates `call`.
pub fn window(call: Call) -> Arc<WindowUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(WindowUDF::new_from_impl(PgWindow { call, signature }))
}

impl WindowUDFImpl for PgWindow {
    fn name(&self) -> &str {
        match self.call.function {
            Function::RowNumber => "pg_row_number",
            Function::Rank => "pg_rank",
            Function::DenseRank => "pg_dense_rank",
            Function::PercentRank => "pg_percent_rank",
            Function::CumeDist => "pg_cume_dist",
            Function::Ntile => "pg_ntile",
            Function::Lag => "pg_lag",
            Function::Lead => "pg_lead",
            Function::FirstValue => "pg_first_value",
            Function::LastValue => "pg_last_value",
            Function::NthValue => "pg_nth_value",
            Function::Count => "pg_count",
            Function::Sum => "pg_sum",
            Function::Average | Function::FloatAverage => "pg_avg",
            Function::Min => "pg_min",
            Function::Max => "pg_max",
            Function::BoolAnd => "pg_bool_and",
            Function::BoolOr => "pg_bool_or",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Evaluator(self.call.clone())))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), self.call.output.clone(), true)))
    }
}

#[derive(Debug)]
struct Evaluator(Call);

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        self.0.evaluate(values, rows)
    }
}

impl Call {
    /// Results for all rows of a partition, whose arguments are `values`.
    pub fn evaluate(&self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let missing = || DataFusionError::Internal(format!("{:?} lacks an argument", self.function));
        let (own, mut rest) = values.split_at_checked(self.arguments).ok_or_else(missing)?;
        let mut next = |wanted: bool| match rest.split_first() {
            Some((first, others)) if wanted => {
                rest = others;
                Ok(Some(first))
            }
            None if wanted => Err(missing()),
            _ => Ok(None),
        };
        let filter = next(self.filtered)?.map(|filter| filter.as_boolean());
        let keys = next(self.frame.needs_values())?;
        let peers = Peers::new(rest, rows)?;
        let frames = || Frames::new(&self.frame, &peers, keys);
        let argument = own.first().ok_or_else(missing);
        match self.function {
            Function::RowNumber => Ok(position::row_number(rows)),
            Function::Rank => Ok(position::rank(&peers)),
            Function::DenseRank => Ok(position::dense_rank(&peers)),
            Function::PercentRank => Ok(position::percent_rank(&peers)),
            Function::CumeDist => Ok(position::cume_dist(&peers)),
            Function::Ntile => position::ntile(argument?),
            Function::Lag => position::shifted(own, false),
            Function::Lead => position::shifted(own, true),
            Function::FirstValue => position::first_value(argument?, &frames()?),
            Function::LastValue => position::last_value(argument?, &frames()?),
            Function::NthValue => position::nth_value(argument?, own.get(1).ok_or_else(missing)?, &frames()?),
            function => aggregate::aggregate(function, argument?, filter, &frames()?, &self.output),
        }
    }
}
