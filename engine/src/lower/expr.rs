//! Expressions of the IR to expressions of DataFusion.
//!
//! Arithmetic is always a call of our functions, never an operator of DataFusion, which would wrap, round and simplify its own way.
//! AND, OR, NOT, CASE, IS and the comparisons are DataFusion's: their three-valued logic is PostgreSQL's.

use super::compare::{compare, in_list};
use super::held::{Constant, Held};
use crate::function::{Kernel, call, is_implemented};
use crate::{Error, Result};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, lit, not};
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

    fn case(self, branches: &[(ir::Expr, ir::Expr)], otherwise: Option<&ir::Expr>, ty: TypeRef) -> Result<Held> {
        let conditions = branches.iter().map(|(condition, _)| self.predicate(condition)).collect::<Result<Vec<_>>>()?;
        let mut results = branches.iter().map(|(_, result)| self.expr(result)).collect::<Result<Vec<_>>>()?;
        results.push(match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Held::null(ty.column_type())?,
        });
        one_of(conditions, results, ty)
    }

    fn coalesce(self, args: &[ir::Expr], ty: TypeRef) -> Result<Held> {
        let args = args.iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>>>()?;
        let args: Vec<Held> = args.into_iter().filter(|arg| !arg.is_null()).collect();
        let Some((_, tested)) = args.split_last() else {
            return Held::null(ty.column_type());
        };
        let conditions = tested.iter().map(|arg| arg.expr.clone().is_not_null()).collect();
        one_of(conditions, args, ty)
    }
}

/// `CASE WHEN conditions[0] THEN results[0] … ELSE results.last() END`, held as `proto::plan::case_type` says.
fn one_of(conditions: Vec<Expr>, results: Vec<Held>, ty: TypeRef) -> Result<Held> {
    let held: Vec<ColumnType> = results.iter().filter(|held| !held.is_null()).map(|held| held.column_type).collect();
    let column_type = ir::case_type(&held, ty).map_err(unsupported)?;
    let mut results = results.into_iter().map(|held| held.convert(column_type)).collect::<Result<Vec<_>>>()?;
    let Some(last) = results.pop() else {
        return Held::null(column_type);
    };
    if conditions.is_empty() || results.len() != conditions.len() {
        return Ok(last);
    }
    let branches = conditions.into_iter().zip(results);
    let branches = branches.map(|(condition, result)| (Box::new(condition), Box::new(result.expr))).collect();
    // Without ELSE where it is NULL, as DataFusion writes it itself.
    let otherwise = if last.is_null() { None } else { Some(Box::new(last.expr)) };
    Ok(Held::new(Expr::Case(Case::new(None, branches, otherwise)), column_type))
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
