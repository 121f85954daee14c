//! What does this expression compute, and may it be computed in the engine?
//!
//! Constants have been folded before ([`QueryRef::normalise`](crate::pg::query::QueryRef::normalise)). What has no columns is
//! evaluated by the backend, as a parameter; everything else is translated node by node, and each step asks
//! `fusion_proto::plan::typing` whether the engine can hold the result exactly.

use super::collation::{check_comparison, check_equality};
use super::operator::{comparison, is_comparable_with, name_equality};
use super::scope::{Scope, Typed};
use super::{Refusal, Result, Translator, constant};
use crate::pg::collation::{CaseMapping, case_mapping};
use crate::pg::names;
use crate::pg::node::{BoolOp, CallNode, Node, NodeRef, Walk};
use fusion_common::types::oid;
use fusion_common::{ColumnType, Oid, TypeRef};
use fusion_proto::plan::{CompareOp, Expr, ExprKind, Function, TextFunction, Value, call_type, case_type};
use pgrx::pg_sys::{self, NodeTag, ParamKind};

/// `extract(text, date)`, `extract(text, timestamp)`, `date_part(text, timestamp)` and `date_trunc(text, timestamp)`: their field is
/// folded into the function.
const WITH_FIELD: [u32; 4] = [6199, 6202, 2021, 2020];
/// `bpchar(bpchar, int4, bool)`.
const BPCHAR_LENGTH: u32 = 668;
/// `text ILIKE text` and NOT ILIKE.
const ILIKE: [u32; 2] = [1633, 1634];

/// Arguments of GREATEST and LEAST that are compared each with each.
const MAX_COMPARED: usize = 16;

impl Typed {
    pub(super) fn boolean(kind: ExprKind) -> Self {
        Self { expr: Expr::boolean(kind), held: ColumnType::Bool }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.expr.kind, ExprKind::Const(None))
    }

    fn boxed(self) -> Box<Expr> {
        Box::new(self.expr)
    }
}

impl<'q> Translator<'q, '_> {
    /// Translates an expression over the columns of `scope`.
    pub(super) fn expr(&mut self, node: NodeRef<'q>, scope: &Scope<'q>) -> Result<Typed> {
        self.nested(|translator| translator.expr_here(node, scope))
    }

    /// Translates a condition.
    pub(super) fn condition(&mut self, node: NodeRef<'q>, scope: &Scope<'q>) -> Result<Expr> {
        let condition = self.expr(node, scope)?;
        if condition.held != ColumnType::Bool {
            return Err(Refusal::unsupported("a condition of a type other than boolean"));
        }
        Ok(condition.expr)
    }

    fn expr_here(&mut self, node: NodeRef<'q>, scope: &Scope<'q>) -> Result<Typed> {
        let view = node.view();
        if let Node::Const(datum) = view {
            return constant::constant(node.type_ref(), datum);
        }
        if let Some(column) = scope.find(node) {
            return Ok(column);
        }
        if is_parameter(node) {
            return self.parameter(node);
        }
        let ty = node.type_ref();
        match view {
            Node::Var(var) => Err(unknown_column(var.attnum, var.level, scope)),
            Node::Param { kind: ParamKind::PARAM_SUBLINK, id } => {
                let output = usize::try_from(id - 1).ok().and_then(|output| scope.sublink.get(output));
                output.cloned().ok_or_else(|| Refusal::unsupported("this comparison with a subquery"))
            }
            Node::Function(call) => self.function(&call, ty, scope),
            Node::Operator(call) => self.operator(&call, ty, scope),
            Node::Distinct(call) => self.is_distinct(&call, scope),
            Node::NullIf(call) => self.null_if(&call, ty, scope),
            Node::ArrayOperator { call, any } => self.array_operator(&call, any, scope),
            Node::Bool { op, args } => self.boolean(op, &args, scope),
            Node::Case { arg, branches, otherwise } => self.case(arg, &branches, otherwise, ty, scope),
            Node::CaseTest => match self.case_operands.last() {
                Some(operand) => Ok(operand.clone()),
                None => Err(Refusal::unsupported("an array or domain coercion")),
            },
            Node::Coalesce(args) => self.coalesce(&args, ty, scope),
            Node::NullTest { row: true, .. } => Err(Refusal::unsupported("IS NULL on a composite value")),
            Node::NullTest { arg, negated, .. } => {
                let arg = self.expr(arg, scope)?.boxed();
                Ok(Typed::boolean(ExprKind::IsNull { arg, negated }))
            }
            Node::BooleanTest { arg, value, negated } => {
                let arg = Box::new(self.condition(arg, scope)?);
                Ok(Typed::boolean(ExprKind::IsBool { arg, value, negated }))
            }
            Node::Relabel(arg) => self.relabel(arg, ty, scope),
            Node::MinMax { greatest, args, collation } => self.min_max(greatest, &args, collation, ty, scope),
            Node::RowCompare(columns) => self.row_compare(&columns, scope),
            Node::ViaText(arg) => self.via_text(arg, ty, scope),
            Node::SubLink(_) => Err(Refusal::unsupported("a subquery in this place")),
            Node::Aggregate(call) => {
                Err(Refusal::unsupported(format_args!("aggregate {} in this place", names::function(call.function))))
            }
            Node::Window(_) => Err(Refusal::unsupported("a window function in this place")),
            Node::Grouping(_) => Err(Refusal::unsupported("GROUPING in this place")),
            Node::Const(_) | Node::Param { .. } | Node::Array(_) | Node::Other(_) => Err(node_refusal(node)),
        }
    }

    /// An expression that the backend evaluates: the same one only once.
    pub(super) fn parameter(&mut self, node: NodeRef<'q>) -> Result<Typed> {
        let held = constant::parameter_type(node.type_ref())?;
        Ok(self.parameter_held(node, held))
    }

    fn parameter_held(&mut self, node: NodeRef<'q>, held: ColumnType) -> Typed {
        let ty = node.type_ref();
        let known = self.params.iter().position(|param| param.equals(node) && param.type_ref() == ty);
        let index = known.unwrap_or_else(|| {
            self.params.push(node);
            self.params.len() - 1
        });
        Typed { expr: Expr { ty, kind: ExprKind::Param(index as u32) }, held }
    }

    fn exprs(&mut self, nodes: &[NodeRef<'q>], scope: &Scope<'q>) -> Result<Vec<Typed>> {
        nodes.iter().map(|&node| self.expr(node, scope)).collect()
    }

    fn pair(&mut self, call: &CallNode<'q>, scope: &Scope<'q>) -> Result<(Typed, Typed)> {
        match call.args[..] {
            [left, right] => Ok((self.expr(left, scope)?, self.expr(right, scope)?)),
            _ => Err(Refusal::unsupported(format_args!("operator {}", names::operator(call.operator)))),
        }
    }

    fn function(&mut self, call: &CallNode<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        let refused = || Refusal::unsupported(format_args!("function {}", names::function(call.function)));
        if call.returns_set || call.variadic {
            return Err(refused());
        }
        if WITH_FIELD.contains(&call.function) {
            let [field, from] = call.args[..] else { return Err(refused()) };
            let Some(field) = constant_text(field) else { return Err(refused()) };
            let Some(function) = Function::extract_from_oid(call.function, &field.to_ascii_lowercase()) else {
                return Err(Refusal::unsupported(format_args!(
                    "field {field} of function {}",
                    names::function(call.function)
                )));
            };
            let arg = self.expr(from, scope)?;
            return apply(function, vec![arg], ty);
        }
        if let Some(typed) = self.call_with_constants(call, ty, scope)? {
            return Ok(typed);
        }
        let function = Function::from_oid(call.function).ok_or_else(refused)?;
        self.apply_call(function, call, ty, scope)
    }

    fn operator(&mut self, call: &CallNode<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        let refused = || Refusal::unsupported(format_args!("operator {}", names::operator(call.operator)));
        if call.returns_set {
            return Err(refused());
        }
        if let Some(op) = comparison(call.function) {
            let (left, right) = self.pair(call, scope)?;
            return compare(op, left, right, call);
        }
        if let Some(op) = name_equality(call.function) {
            // `owner = current_user`: a name that has no columns comes as the text that it is.
            let is_name = |node: NodeRef<'q>| node.type_ref().oid == pg_sys::NAMEOID.to_u32();
            let as_text = |&arg: &NodeRef<'q>| if is_name(arg) && is_parameter(arg) { arg.name_as_text() } else { arg };
            let call = CallNode { args: call.args.iter().map(as_text).collect(), ..call.clone() };
            let (left, right) = self.pair(&call, scope)?;
            return compare(op, left, right, &call);
        }
        if ILIKE.contains(&call.function) {
            return self.ilike(call, ty, scope);
        }
        if let Some(typed) = self.call_with_constants(call, ty, scope)? {
            return Ok(typed);
        }
        let function = Function::from_oid(call.function).ok_or_else(refused)?;
        self.apply_call(function, call, ty, scope)
    }

    /// A call whose last arguments decide how its result is held: they must be constants. None for other calls.
    fn call_with_constants(&mut self, call: &CallNode<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Option<Typed>> {
        let integer = |node: NodeRef<'q>| match node.view() {
            Node::Const(Some(datum)) => Some(datum.bits() as i32),
            _ => None,
        };
        let (arg, function) = match call.args[..] {
            [arg] if Function::is_identity(call.function) => return self.expr(arg, scope).map(Some),
            [arg, digits] => {
                match integer(digits).and_then(|digits| Function::rounding_from_oid(call.function, digits)) {
                    Some(function) => (arg, function),
                    None => return Ok(None),
                }
            }
            [arg, typmod, explicit] => {
                let (Some(typmod), Some(explicit)) = (integer(typmod), integer(explicit)) else { return Ok(None) };
                match Function::length_from_oid(call.function, typmod, explicit & 0xff != 0) {
                    Some(function) => (arg, function),
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        // Text becomes a bpchar without a length first, which is nothing to the function.
        let arg = match arg.view() {
            Node::Relabel(inner) if call.function == BPCHAR_LENGTH => inner,
            _ => arg,
        };
        let arg = self.expr(arg, scope)?;
        check_call(function, std::slice::from_ref(&arg), call)?;
        apply(function, vec![arg], ty).map(Some)
    }

    /// `text ILIKE text`: LIKE over both sides in lower case, as Generic_Text_IC_like has it.
    fn ilike(&mut self, call: &CallNode<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        let lower = cased(Function::Text(TextFunction::Lower), call)?;
        let like = if call.function == ILIKE[0] { Function::Like } else { Function::NotLike };
        let mut sides = Vec::with_capacity(2);
        for arg in self.exprs(&call.args, scope)? {
            let text = TypeRef { oid: oid::TEXT, typmod: -1, collation: call.collation };
            sides.push(apply(lower, vec![arg], text)?);
        }
        check_call(like, &sides, call)?;
        apply(like, sides, ty)
    }

    /// The first argument that no later one exceeds, NULLs left out: a CASE over comparisons.
    fn min_max(
        &mut self,
        greatest: bool,
        args: &[NodeRef<'q>],
        collation: Oid,
        ty: TypeRef,
        scope: &Scope<'q>,
    ) -> Result<Typed> {
        if args.len() > MAX_COMPARED {
            return Err(Refusal::unsupported(format_args!("GREATEST or LEAST of more than {MAX_COMPARED} arguments")));
        }
        let mut args = self.exprs(args, scope)?;
        args.retain(|arg| !arg.is_null());
        let held = branch_type(&args, ty)?;
        let op = if greatest { CompareOp::Ge } else { CompareOp::Le };
        let is_null =
            |arg: &Typed, negated: bool| Expr::boolean(ExprKind::IsNull { arg: Box::new(arg.expr.clone()), negated });
        let mut branches = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate() {
            let mut wins = vec![is_null(arg, true)];
            for later in &args[index + 1..] {
                let beats = compare_by(op, arg.clone(), later.clone(), collation)?;
                wins.push(Expr::boolean(ExprKind::Or(vec![is_null(later, false), beats.expr])));
            }
            let wins = if wins.len() > 1 { Expr::boolean(ExprKind::And(wins)) } else { wins.remove(0) };
            branches.push((wins, arg.expr.clone()));
        }
        let kind =
            if branches.is_empty() { ExprKind::Const(None) } else { ExprKind::Case { branches, otherwise: None } };
        Ok(Typed { expr: Expr { ty, kind }, held })
    }

    /// `(a, b) < (c, d)`: `CASE WHEN a = c THEN b < d ELSE a < c END`, where a NULL makes the comparison that decides NULL.
    fn row_compare(&mut self, columns: &[CallNode<'q>], scope: &Scope<'q>) -> Result<Typed> {
        let Some((last, leading)) = columns.split_last() else {
            return Err(node_refusal_named("a comparison of rows"));
        };
        let order = |call: &CallNode<'q>| match comparison(call.function) {
            Some(op @ (CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge)) => Ok(op),
            _ => Err(Refusal::unsupported(format_args!("operator {}", names::operator(call.operator)))),
        };
        let (left, right) = self.pair(last, scope)?;
        let mut result = compare(order(last)?, left, right, last)?;
        for call in leading.iter().rev() {
            let strict = match order(call)? {
                CompareOp::Lt | CompareOp::Le => CompareOp::Lt,
                _ => CompareOp::Gt,
            };
            let (left, right) = self.pair(call, scope)?;
            let equal = compare(CompareOp::Eq, left.clone(), right.clone(), call)?;
            let decides = compare(strict, left, right, call)?;
            result = Typed::boolean(ExprKind::Case {
                branches: vec![(equal.expr, result.expr)],
                otherwise: Some(decides.boxed()),
            });
        }
        Ok(result)
    }

    /// A cast by way of text: to text, and from it, where no setting of the session matters.
    fn via_text(&mut self, arg: NodeRef<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        use fusion_proto::plan::NumberType as N;
        let from = arg.type_ref().oid;
        let function = match (from, ty.oid) {
            (oid::INT2 | oid::INT4 | oid::INT8 | oid::NUMERIC, oid::TEXT | oid::VARCHAR) => Function::ToText,
            (oid::TEXT | oid::VARCHAR, oid::INT2) => Function::ParseNumber(N::Int2),
            (oid::TEXT | oid::VARCHAR, oid::INT4) => Function::ParseNumber(N::Int4),
            (oid::TEXT | oid::VARCHAR, oid::INT8) => Function::ParseNumber(N::Int8),
            (oid::TEXT | oid::VARCHAR, oid::FLOAT4) => Function::ParseNumber(N::Float4),
            (oid::TEXT | oid::VARCHAR, oid::FLOAT8) => Function::ParseNumber(N::Float8),
            (oid::TEXT | oid::VARCHAR, oid::NUMERIC) => Function::ParseNumber(N::Numeric),
            (oid::TEXT | oid::VARCHAR, oid::DATE) => Function::ParseDate,
            _ => {
                let (from, to) = (names::type_name(from), names::type_name(ty.oid));
                return Err(Refusal::unsupported(format_args!("a cast from {from} to {to}")));
            }
        };
        let arg = self.expr(arg, scope)?;
        apply(function, vec![arg], ty)
    }

    fn apply_call(&mut self, function: Function, call: &CallNode<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        let function = cased(function, call)?;
        let args = match (function, &call.args[..]) {
            // The target is the call's own typmod; only with a constant one is it known.
            (Function::NumericTypmod, &[arg, typmod]) if matches!(typmod.view(), Node::Const(Some(_))) => {
                vec![self.expr(arg, scope)?]
            }
            (_, args) => self.exprs(args, scope)?,
        };
        check_call(function, &args, call)?;
        apply(function, args, ty)
    }

    /// `NOT coalesce(a = b, a and b are NULL)`.
    fn is_distinct(&mut self, call: &CallNode<'q>, scope: &Scope<'q>) -> Result<Typed> {
        if comparison(call.function) != Some(CompareOp::Eq) {
            return Err(Refusal::unsupported(format_args!("operator {}", names::operator(call.operator))));
        }
        let (left, right) = self.pair(call, scope)?;
        let is_null = |arg: &Typed| Expr::boolean(ExprKind::IsNull { arg: Box::new(arg.expr.clone()), negated: false });
        let both_null = Expr::boolean(ExprKind::And(vec![is_null(&left), is_null(&right)]));
        let equal = compare(CompareOp::Eq, left, right, call)?;
        let same = Expr::boolean(ExprKind::Or(vec![equal.expr, both_null]));
        Ok(Typed::boolean(ExprKind::IsBool { arg: Box::new(same), value: Some(true), negated: true }))
    }

    /// `CASE WHEN a = b THEN NULL ELSE a END`.
    fn null_if(&mut self, call: &CallNode<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        if comparison(call.function) != Some(CompareOp::Eq) {
            return Err(Refusal::unsupported(format_args!("NULLIF with operator {}", names::operator(call.operator))));
        }
        let (left, right) = self.pair(call, scope)?;
        let equal = compare(CompareOp::Eq, left.clone(), right, call)?;
        let null = Expr { ty, kind: ExprKind::Const(None) };
        let kind = ExprKind::Case { branches: vec![(equal.expr, null)], otherwise: Some(Box::new(left.expr)) };
        Ok(Typed { expr: Expr { ty, kind }, held: left.held })
    }

    fn array_operator(&mut self, call: &CallNode<'q>, any: bool, scope: &Scope<'q>) -> Result<Typed> {
        let [arg, array] = call.args[..] else { return Err(node_refusal_named("this array comparison")) };
        let arg = self.expr(arg, scope)?;
        if !matches!(array.view(), Node::Const(_)) && is_parameter(array) {
            return self.array_parameter(arg, array, call, any);
        }
        let elements = self.elements(array, scope)?;
        let Some(elements) = elements else {
            return Ok(Typed::boolean(ExprKind::Const(None)));
        };
        // Over no elements the result does not depend on the operand, not even where that is NULL.
        if elements.is_empty() {
            return Ok(Typed::boolean(ExprKind::Const(Some(Value::Bool(!any)))));
        }
        let op = comparison(call.function);
        let same = elements.iter().all(|element| element.is_null() || is_same_kind(element.held, arg.held));
        if same && matches!((op, any), (Some(CompareOp::Eq), true) | (Some(CompareOp::Ne), false)) {
            check_equality(arg.held, call.collation)?;
            if !is_comparable_with(arg.held, arg.held) {
                return Err(incomparable(&arg, &arg));
            }
            let list = elements.into_iter().map(|element| element.expr).collect();
            return Ok(Typed::boolean(ExprKind::InList { arg: arg.boxed(), list, negated: !any }));
        }
        let mut tests = Vec::with_capacity(elements.len());
        for element in elements {
            let test = match (op, Function::from_oid(call.function)) {
                (Some(op), _) => compare(op, arg.clone(), element, call)?,
                (None, Some(function)) => {
                    let args = vec![arg.clone(), element];
                    check_call(function, &args, call)?;
                    apply(function, args, TypeRef::plain(oid::BOOL))?
                }
                (None, None) => {
                    return Err(Refusal::unsupported(format_args!("operator {}", names::operator(call.operator))));
                }
            };
            tests.push(test.expr);
        }
        Ok(match (tests.len(), any) {
            (1, _) => Typed { expr: tests.remove(0), held: ColumnType::Bool },
            (_, true) => Typed::boolean(ExprKind::Or(tests)),
            (_, false) => Typed::boolean(ExprKind::And(tests)),
        })
    }

    /// `arg = ANY (array)`, or `<> ALL`, over an array that the backend evaluates when execution starts.
    fn array_parameter(&mut self, arg: Typed, array: NodeRef<'q>, call: &CallNode<'q>, any: bool) -> Result<Typed> {
        let ty = array.type_ref();
        if !matches!((comparison(call.function), any), (Some(CompareOp::Eq), true) | (Some(CompareOp::Ne), false)) {
            let operator = names::operator(call.operator);
            return Err(Refusal::unsupported(format_args!("operator {operator} with ANY or ALL over a parameter")));
        }
        let Some(element) = constant::array_element(ty) else {
            return Err(Refusal::unsupported(format_args!("a parameter of type {}", names::type_name(ty.oid))));
        };
        let element = constant::parameter_type(element)?;
        if !is_same_kind(element, arg.held) {
            return Err(Refusal::unsupported("ANY or ALL over a parameter of another type"));
        }
        check_equality(arg.held, call.collation)?;
        let array = Box::new(self.parameter_held(array, ColumnType::Opaque).expr);
        Ok(Typed::boolean(ExprKind::InArray { arg: arg.boxed(), array, negated: !any }))
    }

    /// The elements of a constant array or an `ARRAY[…]`; None for NULL.
    fn elements(&mut self, array: NodeRef<'q>, scope: &Scope<'q>) -> Result<Option<Vec<Typed>>> {
        let ty = array.type_ref();
        match array.view() {
            Node::Const(None) => Ok(None),
            Node::Const(Some(datum)) => {
                let element = TypeRef { oid: names::array_element(ty.oid), typmod: -1, collation: ty.collation };
                // SAFETY: a constant of this array type.
                let elements = unsafe { datum.array_elements(element.oid) };
                elements.into_iter().map(|value| constant::constant(element, value)).collect::<Result<_>>().map(Some)
            }
            Node::Array(elements) => self.exprs(&elements, scope).map(Some),
            Node::Relabel(arg) => self.elements(arg, scope),
            _ => Err(Refusal::unsupported("ANY or ALL over an array that is not a list of values")),
        }
    }

    fn boolean(&mut self, op: BoolOp, args: &[NodeRef<'q>], scope: &Scope<'q>) -> Result<Typed> {
        let mut conditions: Vec<Expr> = args.iter().map(|&arg| self.condition(arg, scope)).collect::<Result<_>>()?;
        Ok(match op {
            BoolOp::And if conditions.len() > 1 => Typed::boolean(ExprKind::And(conditions)),
            BoolOp::Or if conditions.len() > 1 => Typed::boolean(ExprKind::Or(conditions)),
            _ => {
                let Some(only) = conditions.pop() else { return Err(node_refusal_named("an empty AND or OR")) };
                match op {
                    BoolOp::Not => Typed::boolean(ExprKind::Not(Box::new(only))),
                    _ => Typed { expr: only, held: ColumnType::Bool },
                }
            }
        })
    }

    fn case(
        &mut self,
        operand: Option<NodeRef<'q>>,
        branches: &[(NodeRef<'q>, NodeRef<'q>)],
        otherwise: Option<NodeRef<'q>>,
        ty: TypeRef,
        scope: &Scope<'q>,
    ) -> Result<Typed> {
        let operand = operand.map(|operand| self.expr(operand, scope)).transpose()?;
        let mut translated = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        for &(condition, result) in branches {
            // Only the conditions see the operand: a CASE inside a result has its own.
            self.case_operands.extend(operand.clone());
            let condition = self.condition(condition, scope);
            if operand.is_some() {
                self.case_operands.pop();
            }
            let result = self.expr(result, scope)?;
            translated.push((condition?, result.expr.clone()));
            results.push(result);
        }
        let otherwise = otherwise.map(|otherwise| self.expr(otherwise, scope)).transpose()?;
        results.extend(otherwise.clone());
        let held = branch_type(&results, ty)?;
        let kind = ExprKind::Case { branches: translated, otherwise: otherwise.map(Typed::boxed) };
        Ok(Typed { expr: Expr { ty, kind }, held })
    }

    fn coalesce(&mut self, args: &[NodeRef<'q>], ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        let args = self.exprs(args, scope)?;
        let held = branch_type(&args, ty)?;
        let kind = ExprKind::Coalesce(args.into_iter().map(|arg| arg.expr).collect());
        Ok(Typed { expr: Expr { ty, kind }, held })
    }

    /// The same value under another type or collation: only where the engine holds both the same way.
    fn relabel(&mut self, arg: NodeRef<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
        let from = arg.type_ref();
        let arg = self.expr(arg, scope)?;
        let is_text = |ty: TypeRef| matches!(ty.oid, oid::TEXT | oid::VARCHAR);
        let both_opaque = arg.held == ColumnType::Opaque && ty.column_type() == ColumnType::Opaque;
        if from.oid != ty.oid && !(is_text(from) && is_text(ty)) && !both_opaque {
            return Err(Refusal::unsupported(format_args!(
                "a cast from {} to {}",
                names::type_name(from.oid),
                names::type_name(ty.oid)
            )));
        }
        Ok(Typed { expr: Expr { ty, ..arg.expr }, held: arg.held })
    }
}

/// A comparison of what the engine can compare.
pub(super) fn compare(op: CompareOp, left: Typed, right: Typed, call: &CallNode<'_>) -> Result<Typed> {
    compare_by(op, left, right, call.collation)
}

fn compare_by(op: CompareOp, left: Typed, right: Typed, collation: Oid) -> Result<Typed> {
    if !is_comparable_with(left.held, right.held) {
        return Err(incomparable(&left, &right));
    }
    check_comparison(op, left.held, collation)?;
    Ok(Typed::boolean(ExprKind::Compare { op, left: left.boxed(), right: right.boxed() }))
}

fn incomparable(left: &Typed, right: &Typed) -> Refusal {
    let (left, right) = (names::type_name(left.expr.ty.oid), names::type_name(right.expr.ty.oid));
    Refusal::unsupported(format_args!("a comparison of {left} with {right}"))
}

/// Whether an IN list may hold such an element for such an operand.
fn is_same_kind(element: ColumnType, operand: ColumnType) -> bool {
    use ColumnType as T;
    match (element, operand) {
        (T::Numeric { .. } | T::NumericVar, T::Numeric { .. } | T::NumericVar) => true,
        (T::Bpchar { .. }, T::Bpchar { .. }) => true,
        (element, operand) => element == operand,
    }
}

/// Refuses what depends on more than the arguments' bytes.
fn check_call(function: Function, args: &[Typed], call: &CallNode<'_>) -> Result<()> {
    let takes_intervals = matches!(
        function,
        Function::TimestampAddInterval
            | Function::TimestampSubInterval
            | Function::DateAddInterval
            | Function::DateSubInterval
    );
    if args.iter().any(|arg| arg.held == ColumnType::Opaque) && !takes_intervals {
        return Err(Refusal::unsupported(format_args!(
            "function {} over values of this type",
            names::function(call.function)
        )));
    }
    match (function, args.first()) {
        (Function::Like | Function::NotLike, Some(arg)) => check_equality(arg.held, call.collation),
        (
            Function::Text(
                TextFunction::Position | TextFunction::Replace | TextFunction::SplitPart | TextFunction::StartsWith,
            ),
            Some(arg),
        ) => check_equality(arg.held, call.collation),
        _ => Ok(()),
    }
}

/// `upper` and `lower` as the collation has them.
fn cased(function: Function, call: &CallNode<'_>) -> Result<Function> {
    let (exact, ascii) = match function {
        Function::Text(TextFunction::Upper) => (TextFunction::Upper, TextFunction::UpperAscii),
        Function::Text(TextFunction::Lower) => (TextFunction::Lower, TextFunction::LowerAscii),
        other => return Ok(other),
    };
    match case_mapping(call.collation) {
        CaseMapping::Ascii => Ok(Function::Text(exact)),
        CaseMapping::AsciiAndOthers => Ok(Function::Text(ascii)),
        CaseMapping::Unknown if call.collation == 0 => {
            Err(Refusal::unsupported("the case of strings without a collation"))
        }
        CaseMapping::Unknown => {
            let collation = names::collation(call.collation);
            Err(Refusal::unsupported(format_args!("the case of letters under collation \"{collation}\"")))
        }
    }
}

fn apply(function: Function, args: Vec<Typed>, ty: TypeRef) -> Result<Typed> {
    let held: Vec<ColumnType> = args.iter().map(|arg| arg.held).collect();
    let held = call_type(function, &held, ty)?;
    let args = args.into_iter().map(|arg| arg.expr).collect();
    Ok(Typed { expr: Expr { ty, kind: ExprKind::Call { function, args } }, held })
}

/// How the result of several branches is held; constant NULLs take any form.
pub(super) fn branch_type(branches: &[Typed], ty: TypeRef) -> Result<ColumnType> {
    let held: Vec<ColumnType> = branches.iter().filter(|branch| !branch.is_null()).map(|branch| branch.held).collect();
    Ok(case_type(&held, ty)?)
}

/// Whether the backend can evaluate this once for the whole query: no columns, nothing that only means something inside the
/// query.
pub(super) fn is_parameter(node: NodeRef<'_>) -> bool {
    !depends(node, false)
}

/// Whether a value depends on rows, or on what stands around it in the query. Inside a simple CASE its operand is known.
fn depends(node: NodeRef<'_>, inside_case: bool) -> bool {
    let mut found = false;
    node.walk(|node| {
        found |= match node.view() {
            Node::Var(_) | Node::Aggregate(_) | Node::Window(_) | Node::Grouping(_) | Node::SubLink(_) => true,
            Node::CaseTest => !inside_case,
            Node::Param { kind, .. } => kind != ParamKind::PARAM_EXTERN,
            Node::Other(tag) => matches!(
                tag,
                NodeTag::T_SubLink
                    | NodeTag::T_SetToDefault
                    | NodeTag::T_CoerceToDomainValue
                    | NodeTag::T_CurrentOfExpr
                    | NodeTag::T_NextValueExpr
                    | NodeTag::T_PlaceHolderVar
            ),
            Node::Function(call) | Node::Operator(call) => call.returns_set,
            Node::Case { arg: Some(arg), branches, otherwise } => {
                let results = branches.iter().map(|(_, result)| *result).chain(otherwise);
                found = depends(arg, inside_case)
                    || branches.iter().any(|(condition, _)| depends(*condition, true))
                    || results.into_iter().any(|result| depends(result, inside_case));
                return if found { Walk::Stop } else { Walk::Over };
            }
            _ => false,
        };
        if found { Walk::Stop } else { Walk::Into }
    });
    found
}

/// The string of a text constant.
fn constant_text(node: NodeRef<'_>) -> Option<String> {
    match (node.type_ref().oid, node.view()) {
        (oid::TEXT, Node::Const(Some(datum))) => String::from_utf8(datum.bytes()?).ok(),
        _ => None,
    }
}

fn unknown_column(attnum: i16, level: u32, scope: &Scope<'_>) -> Refusal {
    let system = match attnum {
        0 => return Refusal::unsupported("a whole-row reference"),
        -1 => "ctid",
        -2 => "xmin",
        -3 => "cmin",
        -4 => "xmax",
        -5 => "cmax",
        -6 => "tableoid",
        _ if level > 0 => return Refusal::unsupported("this reference from a subquery to an outer query"),
        _ if scope.grouped => return Refusal::unsupported("a column that is neither grouped nor aggregated"),
        _ => return Refusal::unsupported("a column from this place in the query"),
    };
    Refusal::unsupported(format_args!("system column {system}"))
}

fn node_refusal_named(what: &str) -> Refusal {
    Refusal::unsupported(what)
}

/// Refuses a node by what a user calls it.
fn node_refusal(node: NodeRef<'_>) -> Refusal {
    let ty = || names::type_name(node.type_ref().oid);
    let what = match node.tag() {
        NodeTag::T_ArrayCoerceExpr => format!("a cast to {}", ty()),
        NodeTag::T_CoerceToDomain => format!("a cast to domain {}", ty()),
        NodeTag::T_RowExpr => "ROW".to_owned(),
        NodeTag::T_ArrayExpr => "ARRAY[…]".to_owned(),
        NodeTag::T_SubscriptingRef => "an array subscript".to_owned(),
        NodeTag::T_FieldSelect => "a field of a composite value".to_owned(),
        NodeTag::T_ConvertRowtypeExpr => "a conversion of row types".to_owned(),
        NodeTag::T_XmlExpr => "an XML expression".to_owned(),
        NodeTag::T_SQLValueFunction => format!("a parameter of type {}", ty()),
        tag => format!("an expression ({tag:?})"),
    };
    Refusal::unsupported(what)
}
