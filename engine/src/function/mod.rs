//! PostgreSQL's functions as DataFusion's: every [`Function`] of the plan IR, exact to digit and error.
//!
//! One [`ScalarUDFImpl`], [`StrictFunction`], carries a [`Kernel`]: what is computed, by the families of this folder.
//!
//! | family | mirrors |
//! | --- | --- |
//! | [`integer`] | int.c, int8.c |
//! | [`float`] | float.c |
//! | [`decimal`], [`number`], [`variable`], [`wide`] | numeric.c: fixed numerics; the arithmetic of one variable numeric; columns of them; steps of more than 128 bits |
//! | [`date`] | date.c, timestamp.c |
//! | [`text`], [`strings`], [`mod@like`] | varlena.c, oracle_compat.c, like_match.c |
//! | [`convert`] | casts between numbers, and through text |
//! | [`kernel`], [`failure`] | loops over columns, errors |
//!
//! Invariants: a function is immutable and strict (NULL if any argument is NULL; no error from such a row); its result type was fixed by
//! `proto::plan::typing` when the call was lowered, and DataFusion's coercion does not touch its arguments.

pub mod convert;
pub mod date;
pub mod decimal;
pub mod failure;
pub mod float;
pub mod integer;
pub mod kernel;
pub mod like;
pub mod number;
pub mod strings;
pub mod text;
pub mod variable;
pub mod wide;

#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use fusion_common::ColumnType;
use fusion_heapscan::arrow_type;
use fusion_proto::plan::{ArithOp, Function, NumberType};
use kernel::Argument;
use number::Number;
use std::sync::Arc;

/// What a [`StrictFunction`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// A function of the plan IR; for LIKE, the length of a bpchar on its left.
    Function(Function, Option<u32>),
    /// A fixed numeric at another precision and scale; exact wherever the lowering uses it.
    NumericRescale,
    /// A fixed numeric as a variable one.
    NumericVariable,
    /// A key that compares by bytes as numerics do.
    NumericKey,
    /// `Decimal64` as `Int64`, or back.
    NumericReinterpret,
    /// avg from sum and count.
    NumericAverage,
    /// A fixed numeric, packed with its scale for [`crate::aggregate::packed`].
    NumericPack,
    /// A float without -0 and with one NaN.
    FloatKey,
}

impl Kernel {
    /// The name that EXPLAIN shows.
    fn name(self) -> String {
        match self {
            Self::Function(function, _) => function_name(function),
            Self::NumericRescale => "pg_numeric_rescale".into(),
            Self::NumericVariable => "pg_numeric_variable".into(),
            Self::NumericKey => "pg_numeric_key".into(),
            Self::NumericReinterpret => "pg_numeric_bits".into(),
            Self::NumericAverage => "pg_numeric_avg".into(),
            Self::NumericPack => "pg_numeric_pack".into(),
            Self::FloatKey => "pg_float_key".into(),
        }
    }

    /// Whether one argument gives different numerics, by the result's type alone. DataFusion names columns by the call, and two of a name are an error.
    fn is_conversion(self) -> bool {
        use Kernel::{Function as Of, NumericPack, NumericReinterpret, NumericRescale};
        matches!(self, NumericRescale | NumericPack | NumericReinterpret | Of(Function::NumericTypmod, _))
    }

    /// Over rows of which a constant argument is never NULL.
    fn run(self, arguments: &[Argument], rows: usize, out: &DataType) -> Result<ArrayRef> {
        match (self, arguments) {
            (Self::Function(function, length), _) => run_function(function, length, arguments, rows, out),
            (Self::NumericRescale, [argument]) => decimal::rescale(argument, out),
            (Self::NumericVariable, [argument]) => variable::from_fixed(argument),
            (Self::NumericKey, [argument]) => variable::key(argument),
            (Self::NumericReinterpret, [argument]) => decimal::reinterpret(argument, out),
            (Self::NumericAverage, [sum, count]) => variable::average(sum, count),
            (Self::NumericPack, [argument]) => crate::aggregate::packed::pack(argument, out),
            (Self::FloatKey, [argument]) => float::key(argument),
            _ => Err(DataFusionError::Internal(format!("{self:?} with {} arguments", arguments.len()))),
        }
    }
}

fn number_name(number: NumberType) -> &'static str {
    match number {
        NumberType::Int2 => "int2",
        NumberType::Int4 => "int4",
        NumberType::Int8 => "int8",
        NumberType::Float4 => "float4",
        NumberType::Float8 => "float8",
        NumberType::Numeric => "numeric",
    }
}

fn function_name(function: Function) -> String {
    match function {
        Function::Arith(op, number) => {
            let op = match op {
                ArithOp::Add => "add",
                ArithOp::Sub => "sub",
                ArithOp::Mul => "mul",
                ArithOp::Div => "div",
                ArithOp::Mod => "mod",
            };
            format!("pg_{}_{op}", number_name(number))
        }
        Function::Neg(number) => format!("pg_{}_neg", number_name(number)),
        Function::Abs(number) => format!("pg_{}_abs", number_name(number)),
        Function::Cast(from, to) => format!("pg_{}_to_{}", number_name(from), number_name(to)),
        Function::NumericTypmod => "pg_numeric_typmod".into(),
        Function::DateAddDays => "pg_date_add".into(),
        Function::DateSubDays => "pg_date_sub".into(),
        Function::DateDiff => "pg_date_diff".into(),
        Function::DateToTimestamp => "pg_date_to_timestamp".into(),
        Function::TimestampToDate => "pg_timestamp_to_date".into(),
        Function::ExtractDate(field) => format!("pg_date_{}", field.name()),
        Function::ExtractTimestamp(field) => format!("pg_timestamp_{}", field.name()),
        Function::DatePart(field) => format!("pg_date_part_{}", field.name()),
        Function::DateTrunc(field) => format!("pg_date_trunc_{}", field.name()),
        Function::Substring => "pg_substring".into(),
        Function::Like => "pg_like".into(),
        Function::NotLike => "pg_not_like".into(),
        Function::BpcharToText => "pg_bpchar_to_text".into(),
        Function::CharLength => "pg_char_length".into(),
        Function::OctetLength => "pg_octet_length".into(),
        Function::AtMostOne => "pg_at_most_one".into(),
        Function::Text(function) => format!("pg_{}", format!("{function:?}").to_ascii_lowercase()),
        Function::Varchar { length, .. } => format!("pg_varchar_{length}"),
        Function::Bpchar { length, .. } => format!("pg_char_{length}"),
        Function::ToText => "pg_to_text".into(),
        Function::ParseNumber(number) => format!("pg_text_to_{}", number_name(number)),
        Function::ParseDate => "pg_text_to_date".into(),
        Function::Float(function) => format!("pg_float8_{}", format!("{function:?}").to_ascii_lowercase()),
        Function::NumericRound { digits, trunc: false } => format!("pg_numeric_round_{digits}"),
        Function::NumericRound { digits, trunc: true } => format!("pg_numeric_trunc_{digits}"),
        Function::NumericCeil => "pg_numeric_ceil".into(),
        Function::NumericFloor => "pg_numeric_floor".into(),
        Function::NumericSign => "pg_numeric_sign".into(),
        Function::NumericDiv => "pg_numeric_div".into(),
        Function::Bits(op, number) => format!("pg_{}_{}", number_name(number), format!("{op:?}").to_ascii_lowercase()),
        Function::BitNot(number) => format!("pg_{}_not", number_name(number)),
        Function::ShiftLeft(number) => format!("pg_{}_shl", number_name(number)),
        Function::ShiftRight(number) => format!("pg_{}_shr", number_name(number)),
        Function::BoolToInt => "pg_bool_to_int4".into(),
        Function::IntToBool => "pg_int4_to_bool".into(),
        Function::TimestampAddInterval => "pg_timestamp_add".into(),
        Function::TimestampSubInterval => "pg_timestamp_sub".into(),
        Function::DateAddInterval => "pg_date_add_interval".into(),
        Function::DateSubInterval => "pg_date_sub_interval".into(),
        Function::TimestampDiff => "pg_timestamp_diff".into(),
        Function::MakeDate => "pg_make_date".into(),
    }
}

fn run_function(
    function: Function,
    length: Option<u32>,
    arguments: &[Argument],
    rows: usize,
    out: &DataType,
) -> Result<ArrayRef> {
    use NumberType::{Float4, Float8, Numeric};
    match (function, arguments) {
        (Function::Arith(op, Numeric), [l, r]) if *out == DataType::BinaryView => variable::arith(op, l, r),
        (Function::Arith(ArithOp::Mod, Numeric), [l, r]) => variable::binary_into(l, r, out, Number::checked_rem),
        (Function::NumericDiv, [l, r]) => variable::binary_into(l, r, out, Number::div_trunc),
        (Function::NumericRound { digits, trunc }, [x]) => variable::unary_into(x, out, |n| n.round(digits, trunc)),
        (Function::NumericCeil, [x]) => variable::unary_into(x, out, |n| n.to_integer(true)),
        (Function::NumericFloor, [x]) => variable::unary_into(x, out, |n| n.to_integer(false)),
        (Function::NumericSign, [x]) => variable::unary_into(x, out, Number::sign),
        (Function::Arith(op, Numeric), [l, r]) => decimal::arith(op, l, r, out),
        (Function::Arith(op, n @ (Float4 | Float8)), [l, r]) => float::arith(op, n, l, r),
        (Function::Arith(op, n), [l, r]) => integer::arith(op, n, l, r),
        (Function::Neg(n), [x]) => sign(false, n, x, out),
        (Function::Abs(n), [x]) => sign(true, n, x, out),
        (Function::Cast(Float4, Float8), [x]) => float::widen(x),
        (Function::Cast(Float8, Float4), [x]) => convert::narrow(x),
        (Function::Cast(Float4 | Float8, Numeric), [x]) => convert::float_to_numeric(x),
        (Function::Cast(from @ (Float4 | Float8), to), [x]) => convert::float_to_integer(from, to, x),
        (Function::Cast(Numeric, to @ (Float4 | Float8)), [x]) => convert::numeric_to_float(to, x),
        (Function::Cast(Numeric, to), [x]) => convert::numeric_to_integer(to, x),
        (Function::Cast(from, Numeric), [x]) => integer::to_numeric(from, x, out),
        (Function::Cast(from, to), [x]) => integer::cast(from, to, x),
        (Function::NumericTypmod, [x]) if *x.array.data_type() == DataType::BinaryView => variable::to_fixed(x, out),
        (Function::NumericTypmod, [x]) => decimal::rescale(x, out),
        (Function::DateAddDays, [date, days]) => date::shift(false, date, days),
        (Function::DateSubDays, [date, days]) => date::shift(true, date, days),
        (Function::DateDiff, [l, r]) => date::difference(l, r),
        (Function::DateToTimestamp, [x]) => date::to_timestamp(x),
        (Function::TimestampToDate, [x]) => date::to_date(x),
        (Function::ExtractDate(field), [x]) => date::extract_date(field, x, out),
        (Function::ExtractTimestamp(field), [x]) => date::extract_timestamp(field, x, out),
        (Function::Substring, arguments) => text::substring(arguments, rows),
        (Function::Like, [text, pattern]) => like::like(text, pattern, length, false, rows),
        (Function::NotLike, [text, pattern]) => like::like(text, pattern, length, true, rows),
        // Held without the blanks already.
        (Function::BpcharToText, [x]) => Ok(Arc::clone(&x.array)),
        (Function::CharLength, [x]) => text::char_length(x),
        (Function::OctetLength, [x]) => text::octet_length(x),
        (Function::AtMostOne, [x]) => integer::at_most_one(x),
        (Function::Text(function), arguments) => strings::call(function, arguments, rows),
        (Function::Varchar { length, explicit }, [x]) => strings::limit(x, length, explicit, false),
        (Function::Bpchar { length, explicit }, [x]) => strings::limit(x, length, explicit, true),
        (Function::ToText, [x]) => convert::to_text(x),
        (Function::ParseNumber(to), [x]) => convert::parse(to, x),
        (Function::ParseDate, [x]) => convert::parse_date(x),
        (Function::Float(function), [x]) => float::function(function, x),
        (Function::Bits(op, n), [l, r]) => integer::bits(op, n, l, r),
        (Function::BitNot(n), [x]) => integer::not(n, x),
        (Function::ShiftLeft(n), [x, by]) => integer::shift(true, n, x, by),
        (Function::ShiftRight(n), [x, by]) => integer::shift(false, n, x, by),
        (Function::BoolToInt, [x]) => integer::of_bool(x),
        (Function::IntToBool, [x]) => integer::to_bool(x),
        (Function::DatePart(field), [x]) => date::date_part(field, x),
        (Function::DateTrunc(field), [x]) => date::date_trunc(field, x),
        (Function::TimestampAddInterval | Function::DateAddInterval, [x, by]) => date::add_intervals(false, x, by),
        (Function::TimestampSubInterval | Function::DateSubInterval, [x, by]) => date::add_intervals(true, x, by),
        (Function::TimestampDiff, [l, r]) => date::timestamp_difference(l, r),
        (Function::MakeDate, arguments) => date::make_date(arguments, rows),
        _ => Err(DataFusionError::Internal(format!("{function:?} with {} arguments", arguments.len()))),
    }
}

fn sign(absolute: bool, number: NumberType, argument: &Argument, out: &DataType) -> Result<ArrayRef> {
    match number {
        NumberType::Numeric if *out == DataType::BinaryView => variable::sign(absolute, argument),
        NumberType::Numeric => decimal::sign(absolute, argument, out),
        NumberType::Float4 | NumberType::Float8 => float::sign(absolute, number, argument),
        _ => integer::sign(absolute, number, argument),
    }
}

/// Whether the kernels implement a function that the plan IR can say.
pub fn is_implemented(function: Function) -> bool {
    use NumberType::{Float4, Float8};
    match function {
        Function::Arith(ArithOp::Mod, Float4 | Float8) => false,
        Function::Cast(from, to) => from != to,
        _ => true,
    }
}

/// A strict, immutable function with a result type of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StrictFunction {
    kernel: Kernel,
    name: String,
    output: DataType,
    signature: Signature,
}

impl StrictFunction {
    /// The function that computes `kernel` into `output`.
    pub fn new(kernel: Kernel, output: DataType) -> Self {
        let mut name = kernel.name();
        if kernel.is_conversion()
            && let Ok((precision, scale)) = decimal::precision_scale(&output)
        {
            name = format!("{name}_{precision}_{scale}");
        }
        Self { kernel, name, output, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// A call of `kernel`.
pub fn call(kernel: Kernel, arguments: Vec<Expr>, output: ColumnType) -> Expr {
    call_into(kernel, arguments, arrow_type(output))
}

/// As [`call`], for results that are no column type.
pub fn call_into(kernel: Kernel, arguments: Vec<Expr>, output: DataType) -> Expr {
    ScalarUDF::new_from_impl(StrictFunction::new(kernel, output)).call(arguments)
}

impl ScalarUDFImpl for StrictFunction {
    fn name(&self) -> &str {
        &self.name
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

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let mut arguments = Vec::with_capacity(args.args.len());
        for arg in args.args {
            arguments.push(match arg {
                ColumnarValue::Scalar(value) if value.is_null() => {
                    return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&self.output)?));
                }
                ColumnarValue::Scalar(value) => Argument { array: value.to_array()?, constant: true },
                // `logical`: DataFusion tries predicates on columns of type Null, whose arrays have no null bitmap.
                ColumnarValue::Array(array) if array.logical_null_count() == rows && rows > 0 => {
                    return Ok(ColumnarValue::Array(new_null_array(&self.output, rows)));
                }
                ColumnarValue::Array(array) => Argument { array, constant: false },
            });
        }
        if scalar {
            let value = self.kernel.run(&arguments, 1, &self.output)?;
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&value, 0)?));
        }
        self.kernel.run(&arguments, rows, &self.output).map(ColumnarValue::Array)
    }
}
