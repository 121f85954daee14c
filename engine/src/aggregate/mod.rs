//! PostgreSQL's aggregates as DataFusion's: sums that do not wrap, averages with PostgreSQL's digits, floats in PostgreSQL's order.
//!
//! | aggregate of the plan IR | becomes |
//! | --- | --- |
//! | sum | [`Kind::Sum`]: [`operation`] over [`primitive`] groups; of variable numerics: [`variable`] |
//! | avg | the sum and DataFusion's count, divided by the lowering above the aggregation, so that sum(x), avg(x) and count(x) share work |
//! | min, max of floats | [`Kind::Min`], [`Kind::Max`] |
//! | min, max of other types, count, bool_and, bool_or | DataFusion's, which are exact for them |
//!
//! Invariants: a group without values gives NULL; an overflow of what the engine holds is an error; DISTINCT is exact for every type
//! whose equal values are the same bits (the lowering refuses others).

pub mod operation;
pub mod primitive;
pub mod single;
pub mod variable;

#[cfg(test)]
mod tests;

use arrow::datatypes::{
    DataType, Decimal64Type, Decimal128Type, Field, FieldRef, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};
use operation::{AverageSum, Extreme, SumDecimal, SumFloat, SumInteger};
use primitive::PrimitiveGroups;
use single::{Distinct, Groups, Single};
use std::sync::Arc;
use variable::VariableSums;

/// What a [`PgAggregate`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// sum, by the type of the argument.
    Sum,
    /// The sum of avg(float8).
    AverageSum,
    /// min of floats.
    Min,
    /// max of floats.
    Max,
}

/// An aggregate over one argument with a result type of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PgAggregate {
    kind: Kind,
    output: DataType,
    signature: Signature,
}

/// The aggregate that computes `kind` into `output`.
pub fn aggregate(kind: Kind, output: DataType) -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(PgAggregate { kind, output, signature }))
}

impl PgAggregate {
    /// Groups for arguments of type `input`.
    fn groups(&self, input: &DataType) -> Result<Groups> {
        fn of<O: operation::Operation>(output: &DataType) -> Groups {
            Box::new(PrimitiveGroups::<O>::new(output.clone()))
        }
        let out = &self.output;
        Ok(match (self.kind, input) {
            (Kind::Sum, DataType::Int16) => of::<SumInteger<Int16Type>>(out),
            (Kind::Sum, DataType::Int32) => of::<SumInteger<Int32Type>>(out),
            (Kind::Sum, DataType::Int64) => of::<SumDecimal<Int64Type>>(out),
            (Kind::Sum, DataType::Decimal64(..)) => of::<SumDecimal<Decimal64Type>>(out),
            (Kind::Sum, DataType::Decimal128(..)) => of::<SumDecimal<Decimal128Type>>(out),
            (Kind::Sum, DataType::Float32) => of::<SumFloat<Float32Type>>(out),
            (Kind::Sum, DataType::Float64) => of::<SumFloat<Float64Type>>(out),
            (Kind::Sum, DataType::BinaryView) => Box::new(VariableSums::default()),
            (Kind::AverageSum, DataType::Float64) => of::<AverageSum>(out),
            (Kind::Min, DataType::Float32) => of::<Extreme<Float32Type, false>>(out),
            (Kind::Min, DataType::Float64) => of::<Extreme<Float64Type, false>>(out),
            (Kind::Max, DataType::Float32) => of::<Extreme<Float32Type, true>>(out),
            (Kind::Max, DataType::Float64) => of::<Extreme<Float64Type, true>>(out),
            (kind, input) => return Err(DataFusionError::Internal(format!("{kind:?} of {input}"))),
        })
    }
}

/// The type of the only argument.
fn input<'a>(args: &'a AccumulatorArgs<'_>) -> Result<&'a DataType> {
    match args.expr_fields {
        [field] => Ok(field.data_type()),
        fields => Err(DataFusionError::Internal(format!("an aggregate of {} arguments", fields.len()))),
    }
}

impl AggregateUDFImpl for PgAggregate {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Sum => "pg_sum",
            Kind::AverageSum => "pg_avg_sum",
            Kind::Min => "pg_min",
            Kind::Max => "pg_max",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, if args.is_distinct { "distinct" } else { "state" });
        let field = match (args.is_distinct, args.input_fields) {
            (true, [input]) => {
                let item = Field::new_list_field(input.data_type().clone(), true);
                Field::new_list(name, item, true)
            }
            _ => Field::new(name, self.output.clone(), true),
        };
        Ok(vec![Arc::new(field)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let input = input(&args)?;
        let single = Single::new(self.groups(input)?);
        Ok(if args.is_distinct { Box::new(Distinct::new(input.clone(), single)) } else { Box::new(single) })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(self.groups(input(&args)?)?)
    }
}
