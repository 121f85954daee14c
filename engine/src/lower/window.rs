//! Window functions: what is partitioned, sorted and computed by [`crate::window`], and where its arguments come from.
//!
//! A projection below computes arguments and keys, so that the window's own expressions are columns; windows with one partitioning and order are
//! one node, those with more keys below, so that the others may find their input sorted.

use super::Lowering;
use super::compare::{hashed, ordered};
use super::evaluate;
use super::expr::{Scope, unsupported};
use super::held::{Constant, Held};
use super::relation::Relation;
use crate::window::distance::Distance;
use crate::window::frame::{Bound, Exclusion, Frame, Unit};
use crate::window::{Call, Function, window};
use crate::{Error, Result};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Sort, WindowFunction as DfWindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, lit,
};
use fusion_common::{ColumnType, SqlError, SqlState};
use fusion_heapscan::arrow_type;
use fusion_proto::plan::{
    self as ir, Aggregate, FrameBound, FrameExclusion, FrameUnit, NumberType, Rel, Value, WindowCall, WindowFunction,
};

/// A window: what partitions and what sorts.
#[derive(PartialEq)]
struct Window {
    partition: Vec<Expr>,
    order: Vec<Sort>,
}

/// What is computed below the windows, besides the input's columns.
struct Below {
    exprs: Vec<Expr>,
    computed: Vec<(Expr, Expr)>,
}

impl Below {
    /// `expr` as a column.
    fn column(&mut self, lowering: &mut Lowering<'_>, expr: Expr) -> Expr {
        if matches!(expr, Expr::Column(_) | Expr::Literal(..)) {
            return expr;
        }
        if let Some((_, reference)) = self.computed.iter().find(|(known, _)| *known == expr) {
            return reference.clone();
        }
        let (aliased, reference) = lowering.names.alias(expr.clone(), "w");
        self.exprs.push(aliased);
        self.computed.push((expr, reference.clone()));
        reference
    }
}

/// Columns: those of `input`, then the results.
pub fn windows(lowering: &mut Lowering<'_>, input: &Rel, calls: &[WindowCall], depth: usize) -> Result<Relation> {
    let input = lowering.rel(input, depth)?;
    over(lowering, input, calls, depth)
}

/// As [`windows`], over a lowered relation.
pub fn over(lowering: &mut Lowering<'_>, input: Relation, calls: &[WindowCall], depth: usize) -> Result<Relation> {
    let mut below = Below { exprs: Vec::new(), computed: Vec::new() };
    for column in &input.columns {
        if !below.exprs.contains(&column.expr) {
            below.exprs.push(column.expr.clone());
        }
    }
    let mut nodes: Vec<(Window, Vec<Expr>)> = Vec::new();
    let mut results = Vec::with_capacity(calls.len());
    let mut known: Vec<(Expr, Held)> = Vec::with_capacity(calls.len());
    for call in calls {
        let (window, expr, column_type) = lower_call(lowering, &input, call, &mut below, depth)?;
        // DataFusion would pull one call that occurs twice out of its window.
        if let Some((_, held)) = known.iter().find(|(other, _)| *other == expr) {
            results.push(held.clone());
            continue;
        }
        let unnamed = expr.clone();
        let (expr, reference) = lowering.names.alias(expr, "w");
        let held = Held::new(reference, column_type);
        known.push((unnamed, held.clone()));
        results.push(held);
        match nodes.iter_mut().find(|(known, _)| *known == window) {
            Some((_, exprs)) => exprs.push(expr),
            None => nodes.push((window, vec![expr])),
        }
    }
    nodes.sort_by_key(|(window, _)| std::cmp::Reverse(window.partition.len() + window.order.len()));
    let mut builder = LogicalPlanBuilder::new(input.plan);
    if !below.computed.is_empty() {
        builder = builder.project(below.exprs)?;
    }
    for (_, exprs) in nodes {
        builder = builder.window(exprs)?;
    }
    let kept: Vec<Option<usize>> = (0..input.columns.len()).map(Some).chain(calls.iter().map(|_| None)).collect();
    let estimate = input.estimate.project(&kept);
    Ok(Relation { plan: builder.build()?, columns: input.columns.into_iter().chain(results).collect(), estimate })
}

fn lower_call(
    lowering: &mut Lowering<'_>,
    input: &Relation,
    call: &WindowCall,
    below: &mut Below,
    depth: usize,
) -> Result<(Window, Expr, ColumnType)> {
    let scope = Scope { columns: &input.columns, params: lowering.params, depth };
    let args = call.args.iter().map(|arg| scope.expr(arg)).collect::<Result<Vec<_>>>()?;
    let types: Vec<Option<ColumnType>> = args.iter().map(|arg| (!arg.is_null()).then_some(arg.column_type)).collect();
    let types = match (call.function, types.as_slice(), args.as_slice()) {
        // An aggregate of NULLs alone is of the type that the NULL has.
        (WindowFunction::Aggregate(_), [None], [arg]) => vec![Some(arg.column_type)],
        _ => types,
    };
    let column_type = ir::window_type(call.function, &types, call.ty).map_err(unsupported)?;
    let (function, args) = function(call.function, args, column_type)?;
    let filter = call.filter.as_ref().map(|filter| scope.predicate(filter)).transpose()?;
    let partition = call.partition.iter().map(|key| scope.expr(key)).collect::<Result<Vec<_>>>()?;
    let order = call.order.iter().map(|key| scope.expr(&key.expr)).collect::<Result<Vec<_>>>()?;
    if partition.iter().chain(&order).any(|key| key.column_type == ColumnType::Opaque) {
        return Err(Error::Unsupported("a window over a type that is only passed through".into()));
    }
    let frame = frame(scope, call)?;

    let (arguments, filtered) = (args.len(), filter.is_some());
    let mut columns: Vec<Expr> = args.into_iter().chain(filter).map(|arg| below.column(lowering, arg)).collect();
    if frame.needs_values() {
        let [value] = order.as_slice() else {
            return Err(Error::internal("a RANGE frame with an offset wants one order key"));
        };
        columns.push(below.column(lowering, value.expr.clone()));
    }
    let mut window = Window { partition: Vec::new(), order: Vec::new() };
    // Constants neither part nor order anything.
    for key in partition.into_iter().filter(|key| key.constant == Constant::No) {
        window.partition.push(below.column(lowering, hashed(key)));
    }
    for (key, held) in call.order.iter().zip(order).filter(|(_, held)| held.constant == Constant::No) {
        let column = below.column(lowering, ordered(held));
        columns.push(column.clone());
        window.order.push(column.sort(!key.descending, key.nulls_first));
    }
    let output = arrow_type(column_type);
    let call = Call { function, frame, arguments, filtered, output };
    // The frame that DataFusion sees: it is ours to look at the real one.
    let whole = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::Following(ScalarValue::UInt64(None)),
    );
    let expr = Expr::from(DfWindowFunction {
        fun: WindowFunctionDefinition::WindowUDF(self::window(call)),
        params: WindowFunctionParams {
            args: columns,
            partition_by: window.partition.clone(),
            order_by: window.order.clone(),
            window_frame: whole,
            filter: None,
            null_treatment: None,
            distinct: false,
        },
    });
    Ok((window, expr, column_type))
}

/// The engine's function, and its arguments as it takes them.
fn function(function: WindowFunction, args: Vec<Held>, result: ColumnType) -> Result<(Function, Vec<Expr>)> {
    use WindowFunction as W;
    let plain = |function, args: Vec<Held>| Ok((function, args.into_iter().map(|arg| arg.expr).collect()));
    // The value comes as the result is held, numbers as int4.
    let of_value = |function, args: Vec<Held>| {
        let convert = |(index, arg): (usize, Held)| {
            arg.convert(if index == 1 { ColumnType::Int4 } else { result }).map(|arg| arg.expr)
        };
        Ok((function, args.into_iter().enumerate().map(convert).collect::<Result<_>>()?))
    };
    match function {
        W::RowNumber => plain(Function::RowNumber, args),
        W::Rank => plain(Function::Rank, args),
        W::DenseRank => plain(Function::DenseRank, args),
        W::PercentRank => plain(Function::PercentRank, args),
        W::CumeDist => plain(Function::CumeDist, args),
        W::Ntile => {
            let args = args.into_iter().map(|arg| arg.convert(ColumnType::Int4)).collect::<Result<_>>()?;
            plain(Function::Ntile, args)
        }
        W::Lag => of_value(Function::Lag, args),
        W::Lead => of_value(Function::Lead, args),
        W::FirstValue => of_value(Function::FirstValue, args),
        W::LastValue => of_value(Function::LastValue, args),
        W::NthValue => of_value(Function::NthValue, args),
        W::Aggregate(aggregate) => match aggregate {
            Aggregate::CountStar => Ok((Function::Count, vec![lit(1i64)])),
            Aggregate::Count => plain(Function::Count, args),
            Aggregate::Sum(_) => plain(Function::Sum, args),
            Aggregate::Avg(NumberType::Float4 | NumberType::Float8) => {
                let args = args.into_iter().map(|arg| arg.convert(ColumnType::Float8)).collect::<Result<_>>()?;
                plain(Function::FloatAverage, args)
            }
            Aggregate::Avg(_) => plain(Function::Average, args),
            Aggregate::Min => plain(Function::Min, args),
            Aggregate::Max => plain(Function::Max, args),
            Aggregate::BoolAnd => plain(Function::BoolAnd, args),
            Aggregate::BoolOr => plain(Function::BoolOr, args),
            #[allow(unreachable_patterns)]
            other => Err(Error::Unsupported(format!("{other:?} over a window"))),
        },
    }
}

fn frame(scope: Scope<'_>, call: &WindowCall) -> Result<Frame> {
    let unit = match (call.frame.unit, call.order.first()) {
        (FrameUnit::Rows, _) => Unit::Rows,
        (FrameUnit::Groups, _) => Unit::Groups,
        (FrameUnit::Range, key) => Unit::Range {
            descending: key.is_some_and(|key| key.descending),
            nulls_first: key.is_some_and(|key| key.nulls_first),
        },
    };
    let bound = |bound: &FrameBound, which: &str| {
        let distance = |offset: &ir::Expr| match call.frame.unit {
            FrameUnit::Range => range_distance(scope, offset, which),
            _ => count(scope, offset, which),
        };
        Ok::<_, Error>(match bound {
            FrameBound::Unbounded => Bound::Unbounded,
            FrameBound::CurrentRow => Bound::CurrentRow,
            FrameBound::Preceding(offset) => Bound::Preceding(distance(offset)?),
            FrameBound::Following(offset) => Bound::Following(distance(offset)?),
        })
    };
    Ok(Frame {
        unit,
        start: bound(&call.frame.start, "starting")?,
        end: bound(&call.frame.end, "ending")?,
        exclusion: match call.frame.exclusion {
            FrameExclusion::Nothing => Exclusion::Nothing,
            FrameExclusion::CurrentRow => Exclusion::CurrentRow,
            FrameExclusion::Group => Exclusion::Group,
            FrameExclusion::Ties => Exclusion::Ties,
        },
    })
}

fn null_offset(which: &str) -> Error {
    SqlError::new(SqlState(*b"22004"), format!("frame {which} offset must not be null")).into()
}

/// Rows or groups.
fn count(scope: Scope<'_>, offset: &ir::Expr, which: &str) -> Result<Distance> {
    let held = scope.expr(offset)?.convert(ColumnType::Int8)?;
    match evaluate(&held.expr)? {
        ScalarValue::Int64(Some(count)) => {
            let negative = || SqlError::new(SqlState(*b"22013"), format!("frame {which} offset must not be negative"));
            Ok(Distance::Count(usize::try_from(count).map_err(|_| negative())?))
        }
        ScalarValue::Int64(None) => Err(null_offset(which)),
        other => Err(Error::internal(format!("a frame offset of type {}", other.data_type()))),
    }
}

/// A distance of values.
fn range_distance(scope: Scope<'_>, offset: &ir::Expr, which: &str) -> Result<Distance> {
    let held = scope.expr(offset)?;
    let value = match held.constant {
        Constant::Null => return Err(null_offset(which)),
        Constant::Value(value) => value,
        Constant::No => return Err(Error::Unsupported("a frame offset that is no constant".into())),
    };
    let distance = match value {
        Value::Int2(v) => Some(Distance::Exact { unscaled: v.into(), scale: 0 }),
        Value::Int4(v) => Some(Distance::Exact { unscaled: v.into(), scale: 0 }),
        Value::Int8(v) => Some(Distance::Exact { unscaled: v.into(), scale: 0 }),
        Value::Numeric { unscaled, scale } => Some(Distance::Exact { unscaled, scale: scale.into() }),
        Value::Float4(v) => Some(Distance::Float(f64::from(v).to_bits())),
        Value::Float8(v) => Some(Distance::Float(v.to_bits())),
        Value::Opaque(bytes) => interval(&bytes),
        _ => None,
    };
    let valid = match distance {
        None => return Err(Error::Unsupported("a frame offset of this type".into())),
        Some(Distance::Exact { unscaled, .. }) => unscaled >= 0,
        Some(Distance::Float(bits)) => f64::from_bits(bits) >= 0.0,
        Some(Distance::Interval { months, days, micros }) => {
            if months < 0 || days < 0 || micros < 0 {
                return Err(Error::Unsupported("a frame offset with negative parts".into()));
            }
            true
        }
        Some(Distance::Count(_)) => true,
    };
    match distance {
        Some(distance) if valid => Ok(distance),
        _ => {
            let message = "invalid preceding or following size in window function";
            Err(SqlError::new(SqlState(*b"22013"), message).into())
        }
    }
}

/// An interval as PostgreSQL stores it: microseconds, days, months.
fn interval(bytes: &[u8]) -> Option<Distance> {
    let (micros, rest) = bytes.split_first_chunk::<8>()?;
    let (days, rest) = rest.split_first_chunk::<4>()?;
    let months = <[u8; 4]>::try_from(rest).ok()?;
    let months = i32::from_le_bytes(months);
    let (days, micros) = (i32::from_le_bytes(*days), i64::from_le_bytes(*micros));
    // An infinite one.
    if months == i32::MAX && days == i32::MAX && micros == i64::MAX {
        return None;
    }
    Some(Distance::Interval { months, days, micros })
}
