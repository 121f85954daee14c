//! Whether a plan of the IR can end with an error of PostgreSQL, were it given other rows than the query around it asks for.
//!
//! Asked of parts of a statement that PostgreSQL would not compute apart ([`super::part`]): it evaluates their expressions for rows that
//! conditions and joins around them have let through, the engine for all. Lack of memory and the like does not count, nor does what the
//! engine alone cannot do, as PostgreSQL then runs the part.
//!
//! Invariant: what is not known not to fail may fail.

use fusion_proto::plan::{
    Aggregate, AggregateCall, ArithOp, Expr, ExprKind, FrameBound, Function, NumberType, Plan, Rel, TextFunction,
    Value, WindowCall, WindowFunction,
};

/// Whether some expression of the plan may raise an error.
pub fn may_fail(plan: &Plan) -> bool {
    rel(&plan.root) || plan.shared.iter().any(rel)
}

fn rel(node: &Rel) -> bool {
    let own = match node {
        Rel::Scan { .. } | Rel::Shared { .. } | Rel::UnionAll { .. } | Rel::Distinct { .. } => false,
        Rel::SetOperation { .. } | Rel::Barrier { .. } => false,
        Rel::Values { rows, .. } => rows.iter().flatten().any(expr),
        Rel::Filter { predicates, .. } | Rel::InnerJoin { predicates, .. } | Rel::Join { predicates, .. } => {
            predicates.iter().any(expr)
        }
        Rel::Project { exprs, .. } => exprs.iter().any(expr),
        Rel::Aggregate { groups, aggregates, .. } | Rel::GroupingSets { groups, aggregates, .. } => {
            groups.iter().any(expr) || aggregates.iter().any(aggregate)
        }
        Rel::Sort { keys, .. } => keys.iter().any(|key| expr(&key.expr)),
        Rel::Limit { offset, count, .. } => !offset.iter().chain(count).all(is_row_count),
        Rel::Window { calls, .. } => calls.iter().any(window),
        Rel::LimitWithTies { .. } => true,
    };
    own || node.inputs().into_iter().any(rel)
}

/// Whether it is a number that LIMIT takes.
fn is_row_count(count: &Expr) -> bool {
    matches!(count.kind, ExprKind::Const(None)) || matches!(count.kind, ExprKind::Const(Some(Value::Int8(0..))))
}

fn expr(node: &Expr) -> bool {
    match &node.kind {
        // Parameters are evaluated before, by the backend.
        ExprKind::Column(_) | ExprKind::Const(_) | ExprKind::Param(_) => false,
        ExprKind::Call { function, args } => !is_total(*function, args) || args.iter().any(expr),
        ExprKind::Compare { left, right, .. } => expr(left) || expr(right),
        ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) => args.iter().any(expr),
        ExprKind::Not(arg) | ExprKind::IsNull { arg, .. } | ExprKind::IsBool { arg, .. } => expr(arg),
        ExprKind::Case { branches, otherwise } => {
            branches.iter().any(|(condition, result)| expr(condition) || expr(result))
                || otherwise.as_deref().is_some_and(expr)
        }
        ExprKind::InList { arg, list, .. } => expr(arg) || list.iter().any(expr),
        ExprKind::InArray { arg, array, .. } => expr(arg) || expr(array),
    }
}

/// Frames with offsets, and numbers of rows as arguments, have errors of their own.
fn window(call: &WindowCall) -> bool {
    let offset = |bound: &FrameBound| matches!(bound, FrameBound::Preceding(_) | FrameBound::Following(_));
    let own = match call.function {
        WindowFunction::RowNumber
        | WindowFunction::Rank
        | WindowFunction::DenseRank
        | WindowFunction::PercentRank
        | WindowFunction::CumeDist
        | WindowFunction::FirstValue
        | WindowFunction::LastValue => false,
        WindowFunction::Aggregate(function) => aggregation(function),
        WindowFunction::Ntile | WindowFunction::Lag | WindowFunction::Lead | WindowFunction::NthValue => true,
    };
    own || offset(&call.frame.start)
        || offset(&call.frame.end)
        || call.args.iter().chain(&call.filter).chain(&call.partition).any(expr)
        || call.order.iter().any(|key| expr(&key.expr))
}

fn aggregate(call: &AggregateCall) -> bool {
    aggregation(call.function)
        || call.args.iter().chain(&call.filter).any(expr)
        || call.order_by.iter().any(|key| expr(&key.expr))
}

/// Whether an aggregate itself may fail.
fn aggregation(function: Aggregate) -> bool {
    use NumberType::{Float4, Float8};
    match function {
        // Sums of floats overflow; one row too many of a scalar sub-select is an error.
        Aggregate::Sum(Float4 | Float8) | Aggregate::Avg(Float4 | Float8) | Aggregate::Spread(_, Float4 | Float8) => {
            true
        }
        Aggregate::Only => true,
        Aggregate::CountStar
        | Aggregate::Count
        | Aggregate::Sum(_)
        | Aggregate::Avg(_)
        | Aggregate::Min
        | Aggregate::Max
        | Aggregate::BoolAnd
        | Aggregate::BoolOr
        | Aggregate::Bits(..)
        | Aggregate::Spread(..)
        | Aggregate::StringAgg
        | Aggregate::ArrayAgg => false,
    }
}

/// Whether a function has a value for all arguments. (Numerics end at 131072 digits, texts at 1 GB: nothing that is stored comes near.)
fn is_total(function: Function, args: &[Expr]) -> bool {
    use NumberType::{Float4, Float8, Int2, Int4, Int8, Numeric};
    match function {
        Function::Arith(ArithOp::Add | ArithOp::Sub | ArithOp::Mul, Numeric)
        | Function::Neg(Numeric | Float4 | Float8)
        | Function::Abs(Numeric | Float4 | Float8)
        | Function::Cast(Int2, _)
        | Function::Cast(Int4, Int8 | Float4 | Float8 | Numeric)
        | Function::Cast(Int8, Float4 | Float8 | Numeric)
        | Function::Cast(Float4, Float8)
        | Function::DateDiff
        | Function::ExtractDate(_)
        | Function::ExtractTimestamp(_)
        | Function::BpcharToText
        | Function::CharLength
        | Function::OctetLength
        | Function::ToText
        | Function::NumericRound { .. }
        | Function::NumericCeil
        | Function::NumericFloor
        | Function::NumericSign
        | Function::Bits(..)
        | Function::BitNot(_)
        | Function::BoolToInt
        | Function::IntToBool => true,
        // A pattern must not end with its escape character.
        Function::Like | Function::NotLike => match args.get(1).map(|pattern| &pattern.kind) {
            Some(ExprKind::Const(Some(Value::Text(pattern)))) => !pattern.contains('\\'),
            Some(ExprKind::Const(None)) => true,
            _ => false,
        },
        Function::Text(function) => matches!(
            function,
            TextFunction::Concat
                | TextFunction::Upper
                | TextFunction::Lower
                | TextFunction::UpperAscii
                | TextFunction::LowerAscii
                | TextFunction::TrimBoth
                | TextFunction::TrimLeft
                | TextFunction::TrimRight
                | TextFunction::Left
                | TextFunction::Right
                | TextFunction::Position
                | TextFunction::Reverse
                | TextFunction::StartsWith
                | TextFunction::Ascii
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusion_common::TypeRef;
    use fusion_common::types::oid;

    fn column(oid: u32) -> Expr {
        Expr::column(TypeRef::plain(oid), 0)
    }

    fn call(function: Function, args: Vec<Expr>) -> Expr {
        Expr { ty: TypeRef::plain(oid::NUMERIC), kind: ExprKind::Call { function, args } }
    }

    fn project(exprs: Vec<Expr>) -> Plan {
        let input = Rel::Values { types: Vec::new(), rows: vec![Vec::new()] };
        let root = Rel::Project { input: Box::new(input), exprs };
        Plan { scans: Vec::new(), shared: Vec::new(), root, output: Vec::new() }
    }

    #[test]
    fn division_and_overflow_may_fail_numerics_do_not() {
        let both = || vec![column(oid::NUMERIC), column(oid::NUMERIC)];
        let numeric = |op| project(vec![call(Function::Arith(op, NumberType::Numeric), both())]);
        assert!(!may_fail(&numeric(ArithOp::Mul)));
        assert!(may_fail(&numeric(ArithOp::Div)));
        assert!(may_fail(&project(vec![call(Function::Arith(ArithOp::Add, NumberType::Int4), both())])));
        let nested =
            call(Function::NumericCeil, vec![call(Function::Arith(ArithOp::Div, NumberType::Numeric), both())]);
        assert!(may_fail(&project(vec![nested])));
    }

    #[test]
    fn patterns_are_looked_at() {
        let pattern = |text: &str| Expr {
            ty: TypeRef::plain(oid::TEXT),
            kind: ExprKind::Const(Some(Value::Text(text.to_owned()))),
        };
        let like = |right| project(vec![call(Function::Like, vec![column(oid::TEXT), right])]);
        assert!(!may_fail(&like(pattern("a%"))));
        assert!(may_fail(&like(pattern("a\\"))));
        assert!(may_fail(&like(column(oid::TEXT))));
    }

    #[test]
    fn limits_that_are_no_constants_may_fail() {
        let limit = |kind| {
            let count = Some(Expr { ty: TypeRef::plain(oid::INT8), kind });
            let mut plan = project(Vec::new());
            plan.root = Rel::Limit { input: Box::new(plan.root), offset: None, count };
            plan
        };
        assert!(!may_fail(&limit(ExprKind::Const(Some(Value::Int8(3))))));
        assert!(may_fail(&limit(ExprKind::Const(Some(Value::Int8(-3))))));
        assert!(may_fail(&limit(ExprKind::Param(0))));
    }
}
