//! A lowered expression with what is known of it: how its values are held, and whether it is a constant.

use crate::function::decimal::power;
use crate::function::number::append_key;
use crate::function::{Kernel, call};
use crate::numeric::Payload;
use crate::{Error, Result};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use fusion_common::ColumnType;
use fusion_heapscan::arrow_type;
use fusion_proto::plan::Value;
use std::sync::Arc;

/// What is known of a value before execution.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// It depends on the row.
    No,
    /// NULL.
    Null,
    /// This.
    Value(Value),
}

/// An expression of DataFusion whose type is that of `column_type`, always.
#[derive(Clone, Debug)]
pub struct Held {
    /// The expression.
    pub expr: Expr,
    /// How its values are held.
    pub column_type: ColumnType,
    /// The constant that it is.
    pub constant: Constant,
    /// It may be NULL.
    pub nullable: bool,
}

impl Held {
    /// Of an expression that is no constant.
    pub fn new(expr: Expr, column_type: ColumnType) -> Self {
        Self { expr, column_type, constant: Constant::No, nullable: true }
    }

    /// A constant held as the type says.
    pub fn value(value: Value, column_type: ColumnType) -> Result<Self> {
        let expr = Expr::Literal(literal(&value, column_type)?, None);
        Ok(Self { expr, column_type, constant: Constant::Value(value), nullable: false })
    }

    /// NULL.
    pub fn null(column_type: ColumnType) -> Result<Self> {
        let expr = Expr::Literal(ScalarValue::try_from(&arrow_type(column_type))?, None);
        Ok(Self { expr, column_type, constant: Constant::Null, nullable: true })
    }

    /// Whether it is the constant NULL.
    pub fn is_null(&self) -> bool {
        self.constant == Constant::Null
    }

    /// The same values, held as another type of the same family; exact.
    pub fn convert(self, to: ColumnType) -> Result<Self> {
        use ColumnType::{Float4, Float8, Int2, Int4, Int8, Numeric, NumericVar};
        if self.column_type == to {
            return Ok(self);
        }
        if self.is_null() {
            return Self::null(to);
        }
        if let Constant::Value(value) = &self.constant
            && let Some(value) = convert_value(value, to)
        {
            return Self::value(value, to);
        }
        let expr = match (self.column_type, to) {
            (Numeric { .. }, NumericVar) => call(Kernel::NumericVariable, vec![self.expr], to),
            (Numeric { scale: from, .. }, Numeric { scale, .. }) if scale >= from => {
                call(Kernel::NumericRescale, vec![self.expr], to)
            }
            // Widening casts of Arrow are exact.
            (Int2, Int4 | Int8) | (Int4, Int8) | (Float4, Float8) => {
                datafusion::logical_expr::cast(self.expr, arrow_type(to))
            }
            (from, to) => return Err(Error::internal(format!("{from:?} cannot be held as {to:?}"))),
        };
        Ok(Self::new(expr, to))
    }
}

/// The same value for another type, where the types differ in the value's form.
fn convert_value(value: &Value, to: ColumnType) -> Option<Value> {
    Some(match (value, to) {
        (Value::Int2(v), ColumnType::Int4) => Value::Int4((*v).into()),
        (Value::Int2(v), ColumnType::Int8) => Value::Int8((*v).into()),
        (Value::Int4(v), ColumnType::Int8) => Value::Int8((*v).into()),
        (Value::Float4(v), ColumnType::Float8) => Value::Float8((*v).into()),
        (Value::Numeric { unscaled, scale }, ColumnType::NumericVar) => {
            Value::NumericVar(Payload::new(*unscaled, u16::from(*scale)).as_bytes().to_vec())
        }
        (Value::Numeric { unscaled, scale }, ColumnType::Numeric { precision, scale: to }) if to >= *scale => {
            let unscaled = unscaled.checked_mul(power(u32::from(to - scale))?)?;
            (unscaled.unsigned_abs() < power(precision.into())?.unsigned_abs())
                .then_some(Value::Numeric { unscaled, scale: to })?
        }
        _ => return None,
    })
}

/// A value as DataFusion holds it.
pub fn literal(value: &Value, column_type: ColumnType) -> Result<ScalarValue> {
    Ok(match (value, column_type) {
        (Value::Bool(v), ColumnType::Bool) => ScalarValue::Boolean(Some(*v)),
        (Value::Int2(v), ColumnType::Int2) => ScalarValue::Int16(Some(*v)),
        (Value::Int4(v), ColumnType::Int4) => ScalarValue::Int32(Some(*v)),
        (Value::Int8(v), ColumnType::Int8) => ScalarValue::Int64(Some(*v)),
        (Value::Float4(v), ColumnType::Float4) => ScalarValue::Float32(Some(*v)),
        (Value::Float8(v), ColumnType::Float8) => ScalarValue::Float64(Some(*v)),
        (Value::Numeric { unscaled, scale: of }, ColumnType::Numeric { precision, scale }) if *of == scale => {
            decimal(*unscaled, precision, scale)?
        }
        (Value::NumericVar(payload), ColumnType::NumericVar) => ScalarValue::BinaryView(Some(payload.clone())),
        (Value::Text(text), ColumnType::Text) => ScalarValue::Utf8View(Some(text.clone())),
        // Held without its trailing blanks.
        (Value::Text(text), ColumnType::Bpchar { .. }) => {
            ScalarValue::Utf8View(Some(text.trim_end_matches(' ').to_owned()))
        }
        (Value::Date(v), ColumnType::Date) => ScalarValue::Date32(Some(*v)),
        (Value::Timestamp(v), ColumnType::Timestamp) => ScalarValue::TimestampMicrosecond(Some(*v), None),
        (Value::Timestamptz(v), ColumnType::Timestamptz) => {
            ScalarValue::TimestampMicrosecond(Some(*v), Some(Arc::from("+00:00")))
        }
        (Value::Opaque(bytes), ColumnType::Opaque) => ScalarValue::BinaryView(Some(bytes.clone())),
        (value, column_type) => return Err(Error::internal(format!("{value:?} is not held as {column_type:?}"))),
    })
}

/// A fixed numeric.
pub fn decimal(unscaled: i128, precision: u8, scale: u8) -> Result<ScalarValue> {
    let fits = power(precision.into()).is_some_and(|limit| unscaled.unsigned_abs() < limit.unsigned_abs());
    if !fits {
        return Err(Error::internal(format!("{unscaled} has more than {precision} digits")));
    }
    Ok(match arrow_type(ColumnType::Numeric { precision, scale }) {
        arrow::datatypes::DataType::Decimal64(precision, scale) => {
            ScalarValue::Decimal64(Some(unscaled as i64), precision, scale)
        }
        _ => ScalarValue::Decimal128(Some(unscaled), precision, scale as i8),
    })
}

/// The key of a numeric constant; None for other constants.
pub fn numeric_key(value: &Value) -> Result<Option<ScalarValue>> {
    let mut key = Vec::new();
    match value {
        Value::Numeric { unscaled, scale } => {
            append_key(Payload::new(*unscaled, u16::from(*scale)).as_bytes(), &mut key)?
        }
        Value::NumericVar(payload) => append_key(payload, &mut key)?,
        _ => return Ok(None),
    }
    Ok(Some(ScalarValue::BinaryView(Some(key))))
}
