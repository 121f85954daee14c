//! PostgreSQL's aggregates as DataFusion's: sums that do not wrap, averages with PostgreSQL's digits, floats in PostgreSQL's order.
//!
//! | aggregate of the plan IR | becomes |
//! | --- | --- |
//! | sum | [`Kind::Sum`]: [`operation`] over [`primitive`] groups; of variable numerics: [`variable`] |
//! | avg | the sum and DataFusion's count, divided by the lowering above the aggregation, so that sum(x), avg(x) and count(x) share work |
//! | sum of CASE over fixed numerics of several scales | [`Kind::PackedSum`] over packed values: [`packed`] |
//! | variance, stddev | [`Kind::Spread`]: [`moments`] |
//! | min, max of floats and variable numerics | [`Kind::Min`], [`Kind::Max`]: [`primitive`], [`extreme`] |
//! | string_agg, array_agg | [`ordered`] |
//! | count(DISTINCT x) | DataFusion's count, with groups of its own: [`distinct_count`] |
//! | min, max of other types, count, bool_and, bool_or, bit_and, bit_or, bit_xor | DataFusion's, which are exact for them |
//!
//! Invariants: a group without values gives NULL; an overflow of what the engine holds is an error. DISTINCT is DataFusion's where equal
//! values are the same bits; floats and variable numerics are made distinct here, by key, and taken in ascending order ([`single`]).

pub mod array;
pub mod distinct_count;
pub mod extreme;
pub mod moments;
pub mod operation;
pub mod ordered;
pub mod packed;
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
use extreme::VariableExtremes;
use fusion_proto::plan::Spread;
use moments::{FloatSpreads, NumericMoments};
use operation::{AverageSum, Extreme, SumDecimal, SumFloat, SumInteger};
use packed::PackedSums;
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
    /// The sum of packed numerics.
    PackedSum,
    /// min of floats and variable numerics.
    Min,
    /// max of floats and variable numerics.
    Max,
    /// variance and stddev, by the type of the argument.
    Spread(Spread),
}

/// An aggregate over one argument with a result type of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PgAggregate {
    kind: Kind,
    output: DataType,
    /// Over distinct values; unlike DISTINCT of DataFusion, whose optimizer does not see it.
    distinct: bool,
    signature: Signature,
}

/// The aggregate that computes `kind` into `output`.
pub fn aggregate(kind: Kind, output: DataType) -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(PgAggregate { kind, output, distinct: false, signature }))
}

/// The same over distinct values whose equality is not that of their bits.
pub fn distinct_aggregate(kind: Kind, output: DataType) -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(PgAggregate { kind, output, distinct: true, signature }))
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
            (Kind::PackedSum, DataType::Decimal64(_, scale)) => {
                Box::new(PackedSums::<Decimal64Type>::new(*scale as u8))
            }
            (Kind::PackedSum, DataType::Decimal128(_, scale)) => {
                Box::new(PackedSums::<Decimal128Type>::new(*scale as u8))
            }
            (Kind::Spread(spread), DataType::Float32 | DataType::Float64) => Box::new(FloatSpreads::new(spread)),
            (Kind::Spread(spread), _) => Box::new(NumericMoments::new(spread)),
            (Kind::AverageSum, DataType::Float64) => of::<AverageSum>(out),
            (Kind::Min, DataType::Float32) => of::<Extreme<Float32Type, false>>(out),
            (Kind::Min, DataType::Float64) => of::<Extreme<Float64Type, false>>(out),
            (Kind::Max, DataType::Float32) => of::<Extreme<Float32Type, true>>(out),
            (Kind::Max, DataType::Float64) => of::<Extreme<Float64Type, true>>(out),
            (Kind::Min, DataType::BinaryView) => Box::new(VariableExtremes::new(false)),
            (Kind::Max, DataType::BinaryView) => Box::new(VariableExtremes::new(true)),
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
            Kind::PackedSum => "pg_packed_sum",
            Kind::Spread(Spread { sample: false, root: false }) => "pg_var_pop",
            Kind::Spread(Spread { sample: true, root: false }) => "pg_var_samp",
            Kind::Spread(Spread { sample: false, root: true }) => "pg_stddev_pop",
            Kind::Spread(Spread { sample: true, root: true }) => "pg_stddev_samp",
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
        let distinct = self.distinct || args.is_distinct;
        let field =
            |name: &str, data_type: DataType| Arc::new(Field::new(format_state_name(args.name, name), data_type, true));
        let floats = || args.input_fields.iter().all(|field| field.data_type().is_floating());
        Ok(match (distinct, self.kind, args.input_fields) {
            (true, _, [input]) => {
                let item = Field::new_list_field(input.data_type().clone(), true);
                vec![Arc::new(Field::new_list(format_state_name(args.name, "distinct"), item, true))]
            }
            (_, Kind::PackedSum, _) => {
                vec![field("sum", DataType::Decimal128(38, 0)), field("scale", DataType::Int8)]
            }
            (_, Kind::Spread(_), _) if floats() => {
                ["count", "sum", "squares"].map(|name| field(name, DataType::Float64) as FieldRef).to_vec()
            }
            (_, Kind::Spread(_), _) => vec![
                field("count", DataType::Int64),
                field("sum", DataType::BinaryView),
                field("squares", DataType::BinaryView),
            ],
            _ => vec![field("state", self.output.clone())],
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let input = input(&args)?;
        let single = Single::new(self.groups(input)?);
        Ok(if self.distinct || args.is_distinct {
            Box::new(Distinct::new(input.clone(), single))
        } else {
            Box::new(single)
        })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !self.distinct && !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(self.groups(input(&args)?)?)
    }
}
