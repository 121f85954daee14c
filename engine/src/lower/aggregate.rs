//! Grouping, aggregates and DISTINCT.
//!
//! Groups are formed over keys (see [`super::compare::hashed`]). Where a key does not tell its value (floats, variable numerics: equal values
//! of different looks) a representative is picked by an aggregate; PostgreSQL shows one of them, too.

use super::Lowering;
use super::compare::{hashed, ordered};
use super::estimate::Estimate;
use super::expr::{Scope, unsupported};
use super::held::Held;
use super::relation::Relation;
use crate::aggregate::array::Element;
use crate::aggregate::distinct_count::distinct_count;
use crate::aggregate::ordered::{Gathered, ordered_aggregate};
use crate::aggregate::{Kind, aggregate as pg_aggregate, distinct_aggregate};
use crate::function::{Kernel, call};
use crate::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::functions_aggregate::{bit_and_or_xor, bool_and_or, count, min_max};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlanBuilder, lit};
use fusion_common::ColumnType;
use fusion_common::limits::DECIMAL64_PRECISION;
use fusion_heapscan::arrow_type;
use fusion_proto::plan::{self as ir, Aggregate, ArithOp, BitOp, Function, NumberType};
use std::sync::Arc;

/// An aggregation being built: distinct keys and calls, and what is made of them above.
#[derive(Default)]
pub struct Building {
    groups: Vec<Expr>,
    calls: Vec<Expr>,
}

/// Index in `list`, which gets the expression if it has none like it.
fn intern(list: &mut Vec<Expr>, expr: Expr) -> usize {
    list.iter().position(|known| *known == expr).unwrap_or_else(|| {
        list.push(expr);
        list.len() - 1
    })
}

/// Whether equal values of this type may differ in their bits.
fn has_keys(column_type: ColumnType) -> bool {
    matches!(column_type, ColumnType::Float4 | ColumnType::Float8 | ColumnType::NumericVar)
}

/// What an output column is made of.
pub enum Output {
    /// A group as it is.
    Group(usize, ColumnType),
    /// A group of `Int64` that is a `Decimal64`.
    Reinterpreted(usize, ColumnType),
    /// The result of a call.
    Call(usize, ColumnType),
    /// avg from sum and count.
    Average(usize, usize),
    /// avg of floats from sum and count.
    FloatAverage(usize, usize),
}

impl Building {
    /// A grouping expression.
    pub fn group(&mut self, group: Held) -> Result<Output> {
        let column_type = group.column_type;
        match column_type {
            ColumnType::Opaque => Err(Error::Unsupported("grouping by a type that is only passed through".into())),
            ColumnType::Numeric { precision, .. } if precision <= DECIMAL64_PRECISION => {
                Ok(Output::Reinterpreted(intern(&mut self.groups, hashed(group)), column_type))
            }
            ColumnType::Float4 | ColumnType::Float8 => {
                intern(&mut self.groups, ordered(group.clone()));
                let least = pg_aggregate(Kind::Min, arrow_type(column_type));
                Ok(Output::Call(self.call(least, group.expr, false, None), column_type))
            }
            ColumnType::NumericVar => {
                intern(&mut self.groups, ordered(group.clone()));
                Ok(Output::Call(self.call(min_max::min_udaf(), group.expr, false, None), column_type))
            }
            _ => Ok(Output::Group(intern(&mut self.groups, group.expr), column_type)),
        }
    }

    /// A call of a function; its index.
    pub fn call(&mut self, function: Arc<AggregateUDF>, arg: Expr, distinct: bool, filter: Option<Expr>) -> usize {
        let call = AggregateFunction::new_udf(function, vec![arg], distinct, filter.map(Box::new), Vec::new(), None);
        intern(&mut self.calls, Expr::AggregateFunction(call))
    }

    /// Aggregate calls over the columns of `scope`.
    pub fn calls_of(&mut self, scope: Scope<'_>, aggregates: &[ir::AggregateCall]) -> Result<Vec<Output>> {
        aggregates.iter().map(|aggregate| self.aggregate(aggregate, scope)).collect()
    }

    /// An aggregate call.
    fn aggregate(&mut self, call: &ir::AggregateCall, scope: Scope<'_>) -> Result<Output> {
        let filter = call.filter.as_ref().map(|filter| scope.predicate(filter)).transpose()?;
        if let (Aggregate::Sum(NumberType::Numeric) | Aggregate::Avg(NumberType::Numeric), [arg], false) =
            (call.function, &call.args[..], call.distinct)
            && let Some(packed) = scope.packed(arg)?
        {
            return self.packed_sum(call.function, packed, filter);
        }
        let args = call.args.iter().map(|arg| scope.expr(arg)).collect::<Result<Vec<_>>>()?;
        match call.function {
            Aggregate::StringAgg | Aggregate::ArrayAgg => self.gather(call, args, scope, filter),
            function => self.single(function, args, call.distinct, filter),
        }
    }

    /// sum or avg of a CASE whose branches have several scales.
    fn packed_sum(&mut self, function: Aggregate, packed: Expr, filter: Option<Expr>) -> Result<Output> {
        let sum = pg_aggregate(Kind::PackedSum, arrow_type(ColumnType::NumericVar));
        let sum = self.call(sum, packed.clone(), false, filter.clone());
        Ok(match function {
            Aggregate::Avg(_) => Output::Average(sum, self.call(count::count_udaf(), packed, false, filter)),
            _ => Output::Call(sum, ColumnType::NumericVar),
        })
    }

    /// string_agg, array_agg.
    fn gather(
        &mut self,
        call: &ir::AggregateCall,
        args: Vec<Held>,
        scope: Scope<'_>,
        filter: Option<Expr>,
    ) -> Result<Output> {
        let held: Vec<ColumnType> = args.iter().map(|arg| arg.column_type).collect();
        let column_type = ir::aggregate_type(call.function, held.first().copied()).map_err(unsupported)?;
        let gathered = match (call.function, &call.args[..], &held[..]) {
            (Aggregate::StringAgg, [_, _], [ColumnType::Text, ColumnType::Text]) => Gathered::Text,
            (Aggregate::ArrayAgg, [arg], [held]) => match Element::of(arg.ty, *held) {
                Some(element) => Gathered::Array(element),
                None => return Err(Error::Unsupported(format!("array_agg of {held:?}"))),
            },
            _ => return Err(Error::internal("string_agg or array_agg with other arguments than it has")),
        };
        let mut exprs: Vec<Expr> = args.into_iter().map(|arg| arg.expr).collect();
        for key in &call.order_by {
            exprs.push(ordered(scope.expr(&key.expr)?));
        }
        let order = call.order_by.iter().map(|key| (key.descending, key.nulls_first)).collect();
        let function = ordered_aggregate(gathered, order, call.distinct);
        let call = AggregateFunction::new_udf(function, exprs, false, filter.map(Box::new), Vec::new(), None);
        Ok(Output::Call(intern(&mut self.calls, Expr::AggregateFunction(call)), column_type))
    }

    /// An aggregate of one argument at most.
    fn single(
        &mut self,
        function: Aggregate,
        mut args: Vec<Held>,
        distinct: bool,
        filter: Option<Expr>,
    ) -> Result<Output> {
        let column_type = ir::aggregate_type(function, args.first().map(|arg| arg.column_type)).map_err(unsupported)?;
        let Some(arg) = args.pop() else {
            return Ok(Output::Call(self.call(count::count_udaf(), lit(1i64), false, filter), column_type));
        };
        let output = arrow_type(column_type);
        Ok(match function {
            Aggregate::CountStar | Aggregate::Count => Output::Call(self.count(arg, distinct, filter)?, column_type),
            Aggregate::Sum(_) => Output::Call(self.fold(Kind::Sum, arg, output, distinct, filter), column_type),
            Aggregate::Spread(spread, _) => {
                Output::Call(self.fold(Kind::Spread(spread), arg, output, distinct, filter), column_type)
            }
            Aggregate::Avg(NumberType::Float4 | NumberType::Float8) => {
                let arg = arg.convert(ColumnType::Float8)?;
                let sum = self.fold(Kind::AverageSum, arg.clone(), output, distinct, filter.clone());
                Output::FloatAverage(sum, self.count(arg, distinct, filter)?)
            }
            Aggregate::Avg(number) => {
                let sum_type =
                    ir::aggregate_type(Aggregate::Sum(number), Some(arg.column_type)).map_err(unsupported)?;
                let sum = self.fold(Kind::Sum, arg.clone(), arrow_type(sum_type), distinct, filter.clone());
                Output::Average(sum, self.count(arg, distinct, filter)?)
            }
            Aggregate::Min | Aggregate::Max | Aggregate::Only => {
                let least = function != Aggregate::Max;
                // Any value will do, of any type.
                let by_key = has_keys(arg.column_type) && function != Aggregate::Only;
                let function = match (by_key, least) {
                    (true, true) => pg_aggregate(Kind::Min, output),
                    (true, false) => pg_aggregate(Kind::Max, output),
                    (false, true) => min_max::min_udaf(),
                    (false, false) => min_max::max_udaf(),
                };
                Output::Call(self.call(function, arg.expr, false, filter), column_type)
            }
            Aggregate::BoolAnd => {
                Output::Call(self.call(bool_and_or::bool_and_udaf(), arg.expr, false, filter), column_type)
            }
            Aggregate::BoolOr => {
                Output::Call(self.call(bool_and_or::bool_or_udaf(), arg.expr, false, filter), column_type)
            }
            Aggregate::Bits(op, _) => {
                let function = match op {
                    BitOp::And => bit_and_or_xor::bit_and_udaf(),
                    BitOp::Or => bit_and_or_xor::bit_or_udaf(),
                    // DataFusion's bit_xor over distinct values has a state of another type than it says.
                    BitOp::Xor if distinct => return Err(Error::Unsupported("bit_xor of distinct values".into())),
                    BitOp::Xor => bit_and_or_xor::bit_xor_udaf(),
                };
                Output::Call(self.call(function, arg.expr, false, filter), column_type)
            }
            Aggregate::StringAgg | Aggregate::ArrayAgg => {
                return Err(Error::internal("string_agg or array_agg as an aggregate of single values"));
            }
        })
    }

    /// One of our aggregates; over distinct values by key where bits do not tell them.
    fn fold(&mut self, kind: Kind, arg: Held, output: DataType, distinct: bool, filter: Option<Expr>) -> usize {
        if distinct && has_keys(arg.column_type) {
            return self.call(distinct_aggregate(kind, output), arg.expr, false, filter);
        }
        self.call(pg_aggregate(kind, output), arg.expr, distinct, filter)
    }

    fn count(&mut self, arg: Held, distinct: bool, filter: Option<Expr>) -> Result<usize> {
        if !distinct {
            // What is never NULL is counted like rows, so that one count serves all.
            let arg = if arg.nullable { arg.expr } else { lit(1i64) };
            return Ok(self.call(count::count_udaf(), arg, false, filter));
        }
        if arg.column_type == ColumnType::Opaque {
            return Err(Error::Unsupported("count of distinct values of a type that is only passed through".into()));
        }
        Ok(self.call(distinct_count(), hashed(arg), true, filter))
    }

    /// The aggregation over `input`, and above it the projection to the outputs.
    pub fn finish(self, lowering: &mut Lowering<'_>, input: Relation, outputs: Vec<Output>) -> Result<Relation> {
        let (groups, group_count) = (self.groups, outputs.iter().filter(|output| output.is_group()).count());
        let estimate = estimate(&input, &groups, group_count, outputs.len());
        let at_call = groups.len();
        let plan = LogicalPlanBuilder::new(input.plan).aggregate(groups, self.calls)?.build()?;
        let columns = plan.schema().columns();
        let column = |index: usize| -> Result<Expr> {
            let column: Option<&Column> = columns.get(index);
            column.cloned().map(Expr::Column).ok_or_else(|| Error::internal("an aggregation without its column"))
        };
        let (mut exprs, mut held) = (Vec::new(), Vec::new());
        for output in outputs {
            let (expr, column_type) = match output {
                Output::Group(index, column_type) => (column(index)?, column_type),
                Output::Reinterpreted(index, column_type) => {
                    (call(Kernel::NumericReinterpret, vec![column(index)?], column_type), column_type)
                }
                Output::Call(index, column_type) => (column(at_call + index)?, column_type),
                Output::Average(sum, count) => {
                    let args = vec![column(at_call + sum)?, column(at_call + count)?];
                    (call(Kernel::NumericAverage, args, ColumnType::NumericVar), ColumnType::NumericVar)
                }
                Output::FloatAverage(sum, count) => {
                    (float_average(column(at_call + sum)?, column(at_call + count)?), ColumnType::Float8)
                }
            };
            let (expr, reference) = lowering.names.alias(expr, "a");
            exprs.push(expr);
            held.push(Held::new(reference, column_type));
        }
        let plan = LogicalPlanBuilder::new(plan).project(exprs)?.build()?;
        Ok(Relation { plan, columns: held, estimate })
    }
}

impl Output {
    fn is_group(&self) -> bool {
        matches!(self, Self::Group(..) | Self::Reinterpreted(..))
    }
}

fn float_average(sum: Expr, count: Expr) -> Expr {
    let to_float = Kernel::Function(Function::Cast(NumberType::Int8, NumberType::Float8), None);
    let count = call(to_float, vec![count], ColumnType::Float8);
    let divide = Kernel::Function(Function::Arith(ArithOp::Div, NumberType::Float8), None);
    call(divide, vec![sum, count], ColumnType::Float8)
}

fn estimate(input: &Relation, groups: &[Expr], group_count: usize, outputs: usize) -> Estimate {
    if groups.is_empty() {
        return Estimate { single_row: true, ..Estimate::unknown(1.0, outputs) };
    }
    let distinct = |group: &Expr| {
        let column = input.columns.iter().position(|column| column.expr == *group);
        column.map_or(200.0, |column| input.estimate.distinct(column))
    };
    let combinations: f64 = groups.iter().map(distinct).product();
    let mut estimate = Estimate::unknown(combinations.min(input.estimate.rows), outputs);
    if group_count == groups.len() {
        estimate.unique.push((0..group_count).collect());
    }
    estimate
}

/// Grouping and aggregation. Columns: groups, then aggregates.
pub fn aggregate(
    lowering: &mut Lowering<'_>,
    input: &ir::Rel,
    groups: &[ir::Expr],
    aggregates: &[ir::AggregateCall],
    depth: usize,
) -> Result<Relation> {
    let input = lowering.rel(input, depth)?;
    let scope = Scope { columns: &input.columns, params: lowering.params, depth };
    let mut building = Building::default();
    let mut outputs = Vec::with_capacity(groups.len() + aggregates.len());
    for group in groups {
        outputs.push(building.group(scope.expr(group)?)?);
    }
    outputs.extend(building.calls_of(scope, aggregates)?);
    if building.groups.is_empty() && building.calls.is_empty() {
        return Err(Error::Unsupported("an aggregation of nothing".into()));
    }
    building.finish(lowering, input, outputs)
}

/// Removes duplicate rows.
pub fn distinct(lowering: &mut Lowering<'_>, input: &ir::Rel, depth: usize) -> Result<Relation> {
    let input = lowering.rel(input, depth)?;
    if input.columns.is_empty() {
        return Err(Error::Unsupported("DISTINCT of no columns".into()));
    }
    let mut building = Building::default();
    let outputs = input.columns.iter().map(|column| building.group(column.clone())).collect::<Result<Vec<_>>>()?;
    building.finish(lowering, input, outputs)
}
