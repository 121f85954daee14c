//! What does this expression compute, and may it be computed in the engine?
//!
//! Constants have been folded before ([`QueryRef::normalise`](crate::pg::query::QueryRef::normalise)). What has no columns is
//! evaluated by the backend, as a parameter; everything else is translated node by node, and each step asks
//! `fusion_proto::plan::typing` whether the engine can hold the result exactly.

use super::collation::{check_comparison, check_equality};
use super::operator::{comparison, is_comparable_with};
use super::scope::{Scope, Typed};
use super::{Refusal, Result, Translator, constant};
use crate::pg::names;
use crate::pg::node::{BoolOp, CallNode, Node, NodeRef};
use fusion_common::types::oid;
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{CompareOp, Expr, ExprKind, Function, Value, call_type, case_type};
use pgrx::pg_sys::{NodeTag, ParamKind};

/// `extract(text, date)` and `extract(text, timestamp)`: their field is folded into the function.
const EXTRACT: [u32; 2] = [6199, 6202];

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
        let ty = node.type_ref();
        let held = constant::parameter_type(ty)?;
        let known = self.params.iter().position(|param| param.equals(node) && param.type_ref() == ty);
        let index = known.unwrap_or_else(|| {
            self.params.push(node);
            self.params.len() - 1
        });
        Ok(Typed { expr: Expr { ty, kind: ExprKind::Param(index as u32) }, held })
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
        if EXTRACT.contains(&call.function) {
            let [field, from] = call.args[..] else { return Err(refused()) };
            let Some(field) = constant_text(field) else { return Err(refused()) };
            let Some(function) = Function::extract_from_oid(call.function, &field) else {
                return Err(Refusal::unsupported(format_args!("extract({field} from …)")));
            };
            let arg = self.expr(from, scope)?;
            return apply(function, vec![arg], ty);
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
        let function = Function::from_oid(call.function).ok_or_else(refused)?;
        self.apply_call(function, call, ty, scope)
    }

    fn apply_call(&mut self, function: Function, call: &CallNode<'q>, ty: TypeRef, scope: &Scope<'q>) -> Result<Typed> {
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
    if !is_comparable_with(left.held, right.held) {
        return Err(incomparable(&left, &right));
    }
    check_comparison(op, left.held, call.collation)?;
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
    if args.iter().any(|arg| arg.held == ColumnType::Opaque) {
        return Err(Refusal::unsupported(format_args!(
            "function {} over values of this type",
            names::function(call.function)
        )));
    }
    match (function, args.first()) {
        (Function::Like | Function::NotLike, Some(arg)) => check_equality(arg.held, call.collation),
        _ => Ok(()),
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
    !node.any(|node| match node.view() {
        Node::Var(_) | Node::Aggregate(_) | Node::Window(_) | Node::Grouping(_) | Node::SubLink(_) | Node::CaseTest => {
            true
        }
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
        _ => false,
    })
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
        NodeTag::T_CoerceViaIO => format!("a cast to {} through text", ty()),
        NodeTag::T_ArrayCoerceExpr => format!("a cast to {}", ty()),
        NodeTag::T_CoerceToDomain => format!("a cast to domain {}", ty()),
        NodeTag::T_MinMaxExpr => "GREATEST or LEAST".to_owned(),
        NodeTag::T_RowExpr => "ROW".to_owned(),
        NodeTag::T_RowCompareExpr => "a comparison of rows".to_owned(),
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
