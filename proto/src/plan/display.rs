//! A plan as text, for EXPLAIN VERBOSE: one relation per line, its inputs indented below it.
//!
//! `#0` is the first column of a relation's inputs, `$0` the first parameter. Not an interface to parse: tests hold the form of a
//! few plans only.

use super::expr::{CompareOp, Expr, ExprKind, Value};
use super::rel::{AggregateCall, Plan, Rel, SortKey};
use std::fmt::Write;

/// Expressions nested deeper than this are cut.
const MAX_DEPTH: usize = 40;

impl Plan {
    /// The plan as text; with PostgreSQL's estimates of rows where `estimates`.
    pub fn describe(&self, estimates: bool) -> String {
        let mut text = String::new();
        for (id, shared) in self.shared.iter().enumerate() {
            let _ = writeln!(text, "Shared {id}:");
            self.rel(shared, 1, estimates, &mut text);
        }
        self.rel(&self.root, 0, estimates, &mut text);
        text
    }

    fn rel(&self, rel: &Rel, depth: usize, estimates: bool, text: &mut String) {
        let (what, inputs) = self.line(rel, estimates);
        let _ = writeln!(text, "{}{what}", "  ".repeat(depth));
        for input in inputs {
            self.rel(input, depth + 1, estimates, text);
        }
    }

    /// A relation in one line, and its inputs.
    fn line<'a>(&self, rel: &'a Rel, estimates: bool) -> (String, Vec<&'a Rel>) {
        match rel {
            Rel::Scan { scan, filtered_rows } => {
                let Some(def) = self.scans.get(usize::from(scan.0)) else {
                    return (format!("Scan {}", scan.0), Vec::new());
                };
                let columns: Vec<&str> = def.columns.iter().map(|column| column.name.as_str()).collect();
                let mut line = format!("Scan: {} {} ({})", def.relation, def.alias, columns.join(", "));
                if estimates {
                    let _ = write!(line, " rows={filtered_rows:.0} of {:.0}", def.rows);
                }
                (line, Vec::new())
            }
            Rel::Shared { id } => (format!("Shared {id}"), Vec::new()),
            Rel::Filter { input, predicates } => (format!("Filter: {}", exprs(predicates, " AND ")), vec![input]),
            Rel::Project { input, exprs: columns } => (format!("Project: {}", exprs(columns, ", ")), vec![input]),
            Rel::InnerJoin { inputs, predicates } => {
                (format!("InnerJoin: {}", exprs(predicates, " AND ")), inputs.iter().collect())
            }
            Rel::Join { kind, left, right, predicates } => {
                (format!("{kind:?}Join: {}", exprs(predicates, " AND ")), vec![left, right])
            }
            Rel::Aggregate { input, groups, aggregates } => {
                let calls: Vec<String> = aggregates.iter().map(aggregate).collect();
                (format!("Aggregate: [{}] [{}]", exprs(groups, ", "), calls.join(", ")), vec![input])
            }
            Rel::GroupingSets { input, groups, sets, aggregates } => {
                let calls: Vec<String> = aggregates.iter().map(aggregate).collect();
                (format!("GroupingSets: [{}] {sets:?} [{}]", exprs(groups, ", "), calls.join(", ")), vec![input])
            }
            Rel::Sort { input, keys } => {
                let keys: Vec<String> = keys.iter().map(sort_key).collect();
                (format!("Sort: {}", keys.join(", ")), vec![input])
            }
            Rel::Limit { input, offset, count } => {
                let row_count = |name: &str, expr: &Option<Expr>| {
                    expr.as_ref().map(|expr| format!(" {name} {}", describe(expr, 0))).unwrap_or_default()
                };
                (format!("Limit:{}{}", row_count("offset", offset), row_count("count", count)), vec![input])
            }
            Rel::UnionAll { inputs, .. } => ("UnionAll".to_owned(), inputs.iter().collect()),
            Rel::SetOperation { kind, all, left, right, .. } => {
                (format!("{kind:?}{}", if *all { " ALL" } else { "" }), vec![left, right])
            }
            Rel::Window { input, calls } => {
                let calls: Vec<String> = calls.iter().map(|call| format!("{:?}", call.function)).collect();
                (format!("Window: {}", calls.join(", ")), vec![input])
            }
            Rel::LimitWithTies { input, keys, offset, count } => {
                let keys: Vec<String> = keys.iter().map(sort_key).collect();
                let offset =
                    offset.as_ref().map(|offset| format!(" offset {}", describe(offset, 0))).unwrap_or_default();
                let count = describe(count, 0);
                (format!("LimitWithTies: {}{offset} count {count}", keys.join(", ")), vec![input])
            }
            Rel::Distinct { input } => ("Distinct".to_owned(), vec![input]),
            Rel::Barrier { input } => ("Barrier".to_owned(), vec![input]),
            other => (name(other), Vec::new()),
        }
    }
}

/// The first word of a Debug form.
fn name(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn exprs(list: &[Expr], separator: &str) -> String {
    list.iter().map(|expr| describe(expr, 0)).collect::<Vec<_>>().join(separator)
}

fn sort_key(key: &SortKey) -> String {
    let direction = if key.descending { " DESC" } else { "" };
    // PostgreSQL's defaults go without saying.
    let nulls = match (key.descending, key.nulls_first) {
        (false, true) => " NULLS FIRST",
        (true, false) => " NULLS LAST",
        _ => "",
    };
    format!("{}{direction}{nulls}", describe(&key.expr, 0))
}

fn aggregate(call: &AggregateCall) -> String {
    let args = if call.args.is_empty() { "*".to_owned() } else { exprs(&call.args, ", ") };
    let order: Vec<String> = call.order_by.iter().map(sort_key).collect();
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    let filter = call.filter.as_ref().map(|filter| format!(" FILTER ({})", describe(filter, 0))).unwrap_or_default();
    format!("{:?}({distinct}{args}{order}){filter}", call.function)
}

fn describe(expr: &Expr, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return "…".to_owned();
    }
    let one = |expr: &Expr| describe(expr, depth + 1);
    let all = |list: &[Expr], separator: &str| list.iter().map(one).collect::<Vec<_>>().join(separator);
    match &expr.kind {
        ExprKind::Column(column) => format!("#{column}"),
        ExprKind::Const(None) => "NULL".to_owned(),
        ExprKind::Const(Some(value)) => constant(value),
        ExprKind::Param(param) => format!("${param}"),
        ExprKind::Call { function, args } => format!("{function:?}({})", all(args, ", ")),
        ExprKind::Compare { op, left, right } => format!("{} {} {}", one(left), operator(*op), one(right)),
        ExprKind::And(args) => format!("({})", all(args, " AND ")),
        ExprKind::Or(args) => format!("({})", all(args, " OR ")),
        ExprKind::Not(arg) => format!("NOT ({})", one(arg)),
        ExprKind::Case { branches, otherwise } => {
            let mut text = "CASE".to_owned();
            for (condition, result) in branches {
                let _ = write!(text, " WHEN {} THEN {}", one(condition), one(result));
            }
            if let Some(otherwise) = otherwise {
                let _ = write!(text, " ELSE {}", one(otherwise));
            }
            text + " END"
        }
        ExprKind::Coalesce(args) => format!("COALESCE({})", all(args, ", ")),
        ExprKind::IsNull { arg, negated } => format!("{} IS {}NULL", one(arg), if *negated { "NOT " } else { "" }),
        ExprKind::InArray { arg, array, negated: false } => format!("{} = ANY ({})", one(arg), one(array)),
        ExprKind::InArray { arg, array, negated: true } => format!("{} <> ALL ({})", one(arg), one(array)),
        ExprKind::InList { arg, list, negated } => {
            format!("{} {}IN ({})", one(arg), if *negated { "NOT " } else { "" }, all(list, ", "))
        }
        other => name(other),
    }
}

fn operator(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "=",
        CompareOp::Ne => "<>",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
        CompareOp::Same => "IS NOT DISTINCT FROM",
    }
}

fn constant(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int2(value) => value.to_string(),
        Value::Int4(value) => value.to_string(),
        Value::Int8(value) => value.to_string(),
        // One line, whatever is in it.
        Value::Text(text) => format!("'{}'", text.replace('\'', "''").replace('\n', "\\n").replace('\r', "\\r")),
        Value::Numeric { unscaled, scale: 0 } => unscaled.to_string(),
        Value::Numeric { unscaled, scale } => format!("{unscaled}e-{scale}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::rel::{OutputColumn, ScanColumn, ScanDef};
    use fusion_common::types::oid;
    use fusion_common::{ScanId, TypeRef};

    #[test]
    fn a_plan_reads_from_the_top() {
        let int4 = TypeRef::plain(oid::INT4);
        let column = ScanColumn { name: "id".into(), ty: int4, not_null: true, stats: None };
        let scan = ScanDef {
            relation: "public.t".into(),
            alias: "x".into(),
            relid: 1,
            columns: vec![column],
            rows: 100.0,
            unique_keys: Vec::new(),
        };
        let ten = Expr { ty: int4, kind: ExprKind::Const(Some(Value::Int4(10))) };
        let predicate = Expr::boolean(ExprKind::Compare {
            op: CompareOp::Lt,
            left: Box::new(Expr::column(int4, 0)),
            right: Box::new(ten),
        });
        let filter = Rel::Filter {
            input: Box::new(Rel::Scan { scan: ScanId(0), filtered_rows: 10.0 }),
            predicates: vec![predicate],
        };
        let output = vec![OutputColumn { name: "id".into(), ty: int4 }];
        let plan = Plan { scans: vec![scan], shared: Vec::new(), root: filter, output };
        assert_eq!(plan.describe(false), "Filter: #0 < 10\n  Scan: public.t x (id)\n");
        assert_eq!(plan.describe(true), "Filter: #0 < 10\n  Scan: public.t x (id) rows=10 of 100\n");
    }
}
