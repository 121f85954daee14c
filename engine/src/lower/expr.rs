//! Expressions of the IR to expressions of DataFusion.
//!
//! Arithmetic is always a call of our functions, never an operator of DataFusion, which would wrap, round and simplify its own way.
//! AND, OR, NOT, CASE, IS and the comparisons are DataFusion's: their three-valued logic is PostgreSQL's.

use super::compare::{compare, in_list, unknown};
use super::held::{Constant, Held};
use crate::aggregate::packed::{MAX_PRECISION, pack_value, packed_type};
use crate::function::{Kernel, call, call_into, is_implemented};
use crate::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, lit, not};
use fusion_common::limits::DECIMAL128_PRECISION;
use fusion_common::{ColumnType, SqlError, SqlState, TypeRef};
use fusion_proto::plan::{self as ir, ExprKind, Function, NumberType, Value};

/// Deepest nesting of expressions and relations. The translation refuses earlier.
pub const MAX_DEPTH: usize = 400;

/// 54001 beyond [`MAX_DEPTH`].
pub fn check_depth(depth: usize) -> Result<()> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    let state = SqlState(*b"54001");
    Err(SqlError::new(state, format!("the plan is nested deeper than {MAX_DEPTH} levels")).into())
}

/// Lowers expressions over the columns of one relation.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Columns that [`ExprKind::Column`] counts.
    pub columns: &'a [Held],
    /// Values of [`ExprKind::Param`].
    pub params: &'a [Option<Value>],
    /// Levels above.
    pub depth: usize,
}

impl Scope<'_> {
    fn deeper(self) -> Result<Self> {
        check_depth(self.depth + 1)?;
        Ok(Self { depth: self.depth + 1, ..self })
    }

    /// Any expression.
    pub fn expr(self, expr: &ir::Expr) -> Result<Held> {
        let scope = self.deeper()?;
        match &expr.kind {
            ExprKind::Column(index) => {
                let column = self.columns.get(*index as usize);
                column.cloned().ok_or_else(|| Error::internal(format!("there is no column {index}")))
            }
            ExprKind::Const(value) => constant(value.as_ref(), expr.ty),
            ExprKind::Param(index) => match self.params.get(*index as usize) {
                Some(value) => constant(value.as_ref(), expr.ty),
                None => Err(Error::internal(format!("there is no parameter {index}"))),
            },
            ExprKind::Call { function, args } => {
                let args = args.iter().map(|arg| scope.expr(arg)).collect::<Result<Vec<_>>>()?;
                lower_call(*function, args, expr.ty)
            }
            ExprKind::Case { branches, otherwise } => scope.case(branches, otherwise.as_deref(), expr.ty),
            ExprKind::Coalesce(args) => scope.coalesce(args, expr.ty),
            _ => Ok(Held::new(scope.boolean(expr)?, ColumnType::Bool)),
        }
    }

    /// A condition: an expression of type bool.
    pub fn predicate(self, expr: &ir::Expr) -> Result<Expr> {
        let held = self.expr(expr)?;
        match held.column_type {
            ColumnType::Bool => Ok(held.expr),
            other => Err(Error::internal(format!("a condition is held as {other:?}"))),
        }
    }

    /// The kinds that are bool and nothing else.
    fn boolean(self, expr: &ir::Expr) -> Result<Expr> {
        let chain = |args: &[ir::Expr], with: fn(Expr, Expr) -> Expr, empty: bool| -> Result<Expr> {
            let args = args.iter().map(|arg| self.predicate(arg)).collect::<Result<Vec<_>>>()?;
            Ok(args.into_iter().reduce(with).unwrap_or_else(|| lit(empty)))
        };
        Ok(match &expr.kind {
            ExprKind::And(args) => chain(args, Expr::and, true)?,
            ExprKind::Or(args) => chain(args, Expr::or, false)?,
            ExprKind::Not(arg) => not(self.predicate(arg)?),
            ExprKind::Compare { op, left, right } => compare(*op, self.expr(left)?, self.expr(right)?)?,
            ExprKind::InList { arg, list, negated } => {
                let list = list.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>>>()?;
                in_list(self.expr(arg)?, list, *negated)?
            }
            ExprKind::InArray { arg, array, negated } => self.in_array(arg, array, *negated)?,
            ExprKind::IsNull { arg, negated } => {
                let arg = self.expr(arg)?.expr;
                if *negated { arg.is_not_null() } else { arg.is_null() }
            }
            ExprKind::IsBool { arg, value, negated } => {
                let arg = self.predicate(arg)?;
                match (value, negated) {
                    (Some(true), false) => arg.is_true(),
                    (Some(true), true) => arg.is_not_true(),
                    (Some(false), false) => arg.is_false(),
                    (Some(false), true) => arg.is_not_false(),
                    (None, false) => arg.is_unknown(),
                    (None, true) => arg.is_not_unknown(),
                }
            }
            kind => return Err(Error::internal(format!("{kind:?} is no condition"))),
        })
    }

    /// `arg = ANY (parameter)`, or `arg <> ALL (parameter)`.
    fn in_array(self, arg: &ir::Expr, array: &ir::Expr, negated: bool) -> Result<Expr> {
        let value = match &array.kind {
            ExprKind::Param(index) => self.params.get(*index as usize).and_then(Option::as_ref),
            _ => return Err(Error::internal("an array that is no parameter")),
        };
        let Some(value) = value else {
            return Ok(unknown());
        };
        let Value::Array(ty, elements) = value else {
            return Err(Error::internal("an array parameter without elements"));
        };
        if elements.is_empty() {
            // Not even a NULL on the left matters.
            return Ok(lit(negated));
        }
        let elements = elements.iter().map(|element| constant(element.as_ref(), *ty)).collect::<Result<Vec<_>>>()?;
        in_list(self.expr(arg)?, elements, negated)
    }

    /// CASE or COALESCE over fixed numerics of several scales, packed for [`crate::aggregate::packed`]; None for any other expression, and
    /// where a packed value has no room for the digits.
    pub fn packed(self, expr: &ir::Expr) -> Result<Option<Expr>> {
        let scope = self.deeper()?;
        let (conditions, results) = match &expr.kind {
            ExprKind::Case { branches, otherwise } => scope.case_parts(branches, otherwise.as_deref(), expr.ty)?,
            ExprKind::Coalesce(args) => scope.coalesce_parts(args)?,
            _ => return Ok(None),
        };
        let (mut digits, mut scales) = (0, Vec::new());
        for result in results.iter().filter(|result| !result.is_null()) {
            let ColumnType::Numeric { precision, scale } = result.column_type else { return Ok(None) };
            digits = digits.max(precision - scale);
            scales.push(scale);
        }
        let (Some(&scale), Some(&least)) = (scales.iter().max(), scales.iter().min()) else { return Ok(None) };
        if scale == least || digits + scale > MAX_PRECISION || conditions.is_empty() {
            return Ok(None);
        }
        let out = packed_type(digits + scale, scale);
        let pack = |held: Held| -> Result<Expr> {
            Ok(match held.constant {
                Constant::Null => lit(ScalarValue::try_from(&out)?),
                Constant::Value(Value::Numeric { unscaled, scale: of }) => {
                    let packed = pack_value(unscaled, of, scale).map_err(DataFusionError::from)?;
                    lit(match out {
                        DataType::Decimal64(precision, scale) => {
                            ScalarValue::Decimal64(Some(packed as i64), precision, scale)
                        }
                        _ => ScalarValue::Decimal128(Some(packed), DECIMAL128_PRECISION, scale as i8),
                    })
                }
                _ => call_into(Kernel::NumericPack, vec![held.expr], out.clone()),
            })
        };
        let results = results.into_iter().map(pack).collect::<Result<Vec<_>>>()?;
        Ok(Some(choose(conditions, results)?))
    }

    fn case(self, branches: &[(ir::Expr, ir::Expr)], otherwise: Option<&ir::Expr>, ty: TypeRef) -> Result<Held> {
        let (conditions, results) = self.case_parts(branches, otherwise, ty)?;
        one_of(conditions, results, ty)
    }

    /// Conditions, and one result more than these.
    fn case_parts(
        self,
        branches: &[(ir::Expr, ir::Expr)],
        otherwise: Option<&ir::Expr>,
        ty: TypeRef,
    ) -> Result<(Vec<Expr>, Vec<Held>)> {
        let conditions = branches.iter().map(|(condition, _)| self.predicate(condition)).collect::<Result<Vec<_>>>()?;
        let mut results = branches.iter().map(|(_, result)| self.expr(result)).collect::<Result<Vec<_>>>()?;
        results.push(match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Held::null(ty.column_type())?,
        });
        Ok((conditions, results))
    }

    fn coalesce(self, args: &[ir::Expr], ty: TypeRef) -> Result<Held> {
        let (conditions, results) = self.coalesce_parts(args)?;
        if results.is_empty() {
            return Held::null(ty.column_type());
        }
        one_of(conditions, results, ty)
    }

    /// As [`Self::case_parts`]; no results where all arguments are NULL.
    fn coalesce_parts(self, args: &[ir::Expr]) -> Result<(Vec<Expr>, Vec<Held>)> {
        let args = args.iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>>>()?;
        let args: Vec<Held> = args.into_iter().filter(|arg| !arg.is_null()).collect();
        let tested = args.split_last().map_or(&[][..], |(_, tested)| tested);
        let conditions = tested.iter().map(|arg| arg.expr.clone().is_not_null()).collect();
        Ok((conditions, args))
    }
}

/// `CASE WHEN conditions[0] THEN results[0] … ELSE results.last() END`, held as `proto::plan::case_type` says.
fn one_of(conditions: Vec<Expr>, results: Vec<Held>, ty: TypeRef) -> Result<Held> {
    let held: Vec<ColumnType> = results.iter().filter(|held| !held.is_null()).map(|held| held.column_type).collect();
    let column_type = ir::case_type(&held, ty).map_err(unsupported)?;
    let mut results = results.into_iter().map(|held| held.convert(column_type)).collect::<Result<Vec<_>>>()?;
    if conditions.is_empty() || results.len() != conditions.len() + 1 {
        return results.pop().map_or_else(|| Held::null(column_type), Ok);
    }
    let results = results.into_iter().map(|result| result.expr).collect();
    Ok(Held::new(choose(conditions, results)?, column_type))
}

/// `CASE WHEN conditions[0] THEN results[0] … ELSE results.last() END`.
fn choose(conditions: Vec<Expr>, mut results: Vec<Expr>) -> Result<Expr> {
    let last = results.pop().ok_or_else(|| Error::internal("a CASE without results"))?;
    let branches = conditions.into_iter().zip(results);
    let branches = branches.map(|(condition, result)| (Box::new(condition), Box::new(result))).collect();
    // Without ELSE where it is NULL, as DataFusion writes it itself.
    let is_null = matches!(&last, Expr::Literal(value, _) if value.is_null());
    let otherwise = if is_null { None } else { Some(Box::new(last)) };
    Ok(Expr::Case(Case::new(None, branches, otherwise)))
}

fn constant(value: Option<&Value>, ty: TypeRef) -> Result<Held> {
    match value {
        Some(value) => Held::value(value.clone(), value.column_type(ty)),
        None => Held::null(ty.column_type()),
    }
}

/// 0A000 with the reason.
pub fn unsupported(reason: ir::Unsupported) -> Error {
    Error::Unsupported(reason.0)
}

/// How a number type is held, but for numeric.
fn number_type(number: NumberType) -> Option<ColumnType> {
    Some(match number {
        NumberType::Int2 => ColumnType::Int2,
        NumberType::Int4 => ColumnType::Int4,
        NumberType::Int8 => ColumnType::Int8,
        NumberType::Float4 => ColumnType::Float4,
        NumberType::Float8 => ColumnType::Float8,
        NumberType::Numeric => return None,
    })
}

fn lower_call(function: Function, args: Vec<Held>, ty: TypeRef) -> Result<Held> {
    if !is_implemented(function) {
        return Err(Error::Unsupported(format!("{function:?} is not supported")));
    }
    if args.iter().any(Held::is_null) {
        // Strict.
        return Held::null(ty.column_type());
    }
    // The cross-type operators: the narrower side is widened.
    let args = match function {
        Function::Arith(_, number) => match number_type(number) {
            Some(to) => args.into_iter().map(|arg| arg.convert(to)).collect::<Result<Vec<_>>>()?,
            None => args,
        },
        _ => args,
    };
    let held: Vec<ColumnType> = args.iter().map(|arg| arg.column_type).collect();
    let column_type = ir::call_type(function, &held, ty).map_err(unsupported)?;
    let length = match (function, held.first()) {
        (Function::Like | Function::NotLike, Some(ColumnType::Bpchar { length })) => Some(*length),
        _ => None,
    };
    let exprs = args.iter().map(|arg| arg.expr.clone()).collect();
    match (function, args.as_slice()) {
        // The same bytes by another name.
        (Function::BpcharToText, [arg]) => {
            let constant = match &arg.constant {
                Constant::Value(Value::Text(text)) => {
                    Constant::Value(Value::Text(text.trim_end_matches(' ').to_owned()))
                }
                other => other.clone(),
            };
            Ok(Held { column_type, constant, ..arg.clone() })
        }
        (Function::NumericTypmod, [arg]) if arg.column_type == column_type => Ok(arg.clone()),
        _ => Ok(Held::new(call(Kernel::Function(function, length), exprs, column_type), column_type)),
    }
}
