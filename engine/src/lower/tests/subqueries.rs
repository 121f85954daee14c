//! What subqueries become: shared relations, null-safe keys, marks, groups of one row, single rows as filters.

use super::build::*;
use fusion_common::SqlState;
use fusion_proto::plan::{Aggregate, CompareOp, Expr, ExprKind, Function, JoinKind, Plan, Rel};

/// (id, k), with a NULL and a duplicate in k.
fn left() -> Table {
    table("l", &[("id", INT4), ("k", INT4)], &["1|1", "2|2", "3|\\N", "4|2", "5|7"])
}

fn right() -> Table {
    table("r", &[("id", INT4), ("k", INT4)], &["10|2", "20|\\N", "30|7", "40|2"])
}

fn shared(id: u32) -> Rel {
    Rel::Shared { id }
}

fn join(kind: JoinKind, left: Rel, right: Rel, predicates: Vec<Expr>) -> Rel {
    Rel::Join { kind, left: Box::new(left), right: Box::new(right), predicates }
}

fn same(left: Expr, right: Expr) -> Expr {
    cmp(CompareOp::Same, left, right)
}

/// Column of the left, of the right side.
fn l(column: u32) -> Expr {
    col(INT4, column)
}

fn r(column: u32) -> Expr {
    col(INT4, 2 + column)
}

fn rows(root: Rel, output: &[fusion_common::TypeRef]) -> Vec<String> {
    run_sorted(&[&left(), &right()], root, output)
}

fn with_shared(mut plan: Plan, shared: Vec<Rel>) -> Plan {
    plan.shared = shared;
    plan
}

#[test]
fn a_shared_relation_is_computed_once() {
    let tables = [&left(), &right()];
    // The second shared relation reads the first; the root reads both, one of them twice.
    let counts = aggregate(shared(0), vec![l(1)], vec![agg(Aggregate::CountStar, None, INT8)]);
    let inputs = vec![shared(0), shared(1), shared(0)];
    let predicates = vec![same(l(1), col(INT4, 2)), eq(l(0), col(INT4, 4))];
    let root = project(Rel::InnerJoin { inputs, predicates }, vec![l(0), col(INT8, 3), col(INT4, 5)]);
    let plan = with_shared(plan(&tables, root, &[INT4, INT8, INT4]), vec![scan(0), counts]);
    let (mut rows, text) = run_with(&tables, &plan, &[]).unwrap();
    rows.sort();
    assert_eq!(rows, ["1|1|1", "2|2|2", "3|1|\\N", "4|2|2", "5|1|7"]);
    assert_eq!(text.matches("DataSourceExec").count(), 1, "{text}");
    assert_eq!(text.matches("SharedExec: shared=0").count(), 3, "{text}");
}

#[test]
fn a_shared_relation_is_counted_in_the_pool() {
    let rows: Vec<String> = (0..20_000).map(|row| format!("{row}|{row}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let big = table("big", &[("id", INT4), ("k", INT4)], &rows);
    let root = project(shared(0), vec![l(0)]);
    let plan = with_shared(plan(&[&big], root, &[INT4]), vec![scan(0)]);
    assert_eq!(run_within(limited(1 << 20), &[&big], &plan, &[]).unwrap().0.len(), 20_000);
    let error = run_within(limited(1 << 10), &[&big], &plan, &[]).unwrap_err();
    assert_eq!(error.sqlstate, SqlState::OUT_OF_MEMORY);
}

#[test]
fn an_error_in_a_shared_relation_keeps_its_state() {
    let tables = [&left(), &right()];
    let rows = aggregate(scan(0), vec![], vec![agg(Aggregate::CountStar, None, INT8)]);
    let check = call(Function::AtMostOne, vec![col(INT8, 0)], INT8);
    let plan = with_shared(plan(&tables, shared(0), &[INT8]), vec![project(rows, vec![check])]);
    let error = run_with(&tables, &plan, &[]).unwrap_err();
    assert_eq!(
        (&error.sqlstate.0, error.message.as_str()),
        (b"21000", "more than one row returned by a subquery used as an expression")
    );
}

#[test]
fn null_safe_keys_beside_plain_ones() {
    let joined = |predicates| {
        let root = Rel::InnerJoin { inputs: vec![scan(0), scan(1)], predicates };
        rows(project(root, vec![l(0), r(0)]), &[INT4, INT4])
    };
    assert_eq!(joined(vec![same(l(1), r(1))]), ["2|10", "2|40", "3|20", "4|10", "4|40", "5|30"]);
    // NULL = NULL is not true, though the other key is null-safe.
    assert_eq!(joined(vec![same(l(1), r(1)), eq(l(1), r(1))]), ["2|10", "2|40", "4|10", "4|40", "5|30"]);
    let anti = |predicates| rows(join(JoinKind::Anti, scan(0), scan(1), predicates), &[INT4, INT4]);
    assert_eq!(anti(vec![same(l(1), r(1))]), ["1|1"]);
    assert_eq!(anti(vec![same(l(1), r(1)), eq(l(1), r(1))]), ["1|1", "3|\\N"]);
    let kind = JoinKind::Left;
    let outer = project(join(kind, scan(0), scan(1), vec![same(l(1), r(1))]), vec![l(0), r(0)]);
    assert_eq!(rows(outer, &[INT4, INT4]), ["1|\\N", "2|10", "2|40", "3|20", "4|10", "4|40", "5|30"]);
}

#[test]
fn null_safe_comparison_of_values() {
    let exprs = vec![same(l(1), val("2", INT4)), same(l(1), null(INT4)), same(l(1), l(0))];
    assert_eq!(eval(&left(), exprs), ["f|f|t", "t|f|t", "f|t|f", "t|f|f", "f|f|f"]);
}

/// Both estimates, so that each side is built once.
#[test]
fn marks() {
    let sized = |id, rows| Rel::Scan { scan: fusion_common::ScanId(id), filtered_rows: rows };
    for (of_left, of_right) in [(1.0, 1000.0), (1000.0, 1.0)] {
        let mark = |predicates| {
            let left = Rel::Filter { input: Box::new(sized(0, of_left)), predicates: vec![] };
            rows(join(JoinKind::Mark, left, sized(1, of_right), predicates), &[INT4, INT4, BOOL])
        };
        assert_eq!(mark(vec![eq(l(1), r(1))]), ["1|1|f", "2|2|t", "3|\\N|f", "4|2|t", "5|7|t"]);
        assert_eq!(mark(vec![same(l(1), r(1))]), ["1|1|f", "2|2|t", "3|\\N|t", "4|2|t", "5|7|t"]);
        assert_eq!(mark(vec![cmp(CompareOp::Lt, l(0), r(1))]), ["1|1|t", "2|2|t", "3|\\N|t", "4|2|t", "5|7|t"]);
        let unknown = ExprKind::IsBool { arg: Box::new(eq(l(1), r(1))), value: None, negated: false };
        let twice = mark(vec![Expr::boolean(unknown), eq(l(1), val("2", INT4))]);
        assert_eq!(twice, ["1|1|f", "2|2|t", "3|\\N|f", "4|2|t", "5|7|f"]);
    }
    let twice = join(JoinKind::Mark, scan(0), scan(1), vec![eq(l(1), r(1))]);
    let twice = join(JoinKind::Mark, twice, scan(1), vec![eq(l(0), col(INT4, 4))]);
    assert_eq!(rows(twice, &[INT4, INT4, BOOL, BOOL])[1], "2|2|t|t");
}

#[test]
fn the_only_row_of_a_group() {
    let of = |rows: Rel| {
        let only = aggregate(
            rows,
            vec![l(1)],
            vec![agg(Aggregate::Only, Some(l(0)), INT4), agg(Aggregate::CountStar, None, INT8)],
        );
        let one = eq(call(Function::AtMostOne, vec![col(INT8, 2)], INT8), val("1", INT8));
        project(only, vec![l(0), case(vec![(one, col(INT4, 1))], None, INT4)])
    };
    let few = filter(scan(0), vec![cmp(CompareOp::Ne, l(0), val("4", INT4))]);
    assert_eq!(rows(of(few), &[INT4, INT4]), ["1|1", "2|2", "7|5", "\\N|3"]);
    assert_eq!(fails(&[&left(), &right()], of(scan(0)), &[INT4, INT4]).sqlstate.0, *b"21000");
}

#[test]
fn a_single_row_filters_the_input_it_is_compared_with() {
    let least = aggregate(scan(1), vec![], vec![agg(Aggregate::Min, Some(l(1)), INT4)]);
    let inputs = vec![scan(0), least, scan(1)];
    let predicates = vec![cmp(CompareOp::Gt, l(1), col(INT4, 2)), eq(l(1), col(INT4, 4))];
    let root = project(Rel::InnerJoin { inputs, predicates }, vec![l(0), col(INT4, 3)]);
    let tables = [&left(), &right()];
    let (rows, text) = run_with(&tables, &plan(&tables, root, &[INT4, INT4]), &[]).unwrap();
    assert_eq!(rows, ["5|30"]);
    let (hash, nested) = (text.find("HashJoinExec").unwrap(), text.find("NestedLoopJoinExec").unwrap());
    assert!(hash < nested, "{text}");
}

#[test]
fn a_semi_join_tests_its_input_before_the_other_joins() {
    let of_left = || Rel::Scan { scan: fusion_common::ScanId(0), filtered_rows: 5.0 };
    let few = filter(scan(1), vec![eq(l(0), val("30", INT4))]);
    let few = aggregate(few, vec![], vec![agg(Aggregate::Max, Some(l(1)), INT4)]);
    let component = Rel::InnerJoin { inputs: vec![of_left(), scan(1)], predicates: vec![eq(l(1), r(1))] };
    let root = join(JoinKind::Semi, component, few, vec![eq(l(1), col(INT4, 4))]);
    let tables = [&left(), &right()];
    let plan = plan(&tables, project(root, vec![l(0), r(0)]), &[INT4, INT4]);
    let (rows, text) = run_with(&tables, &plan, &[]).unwrap();
    assert_eq!(rows, ["5|30"]);
    let (inner, semi) = (text.find("join_type=Inner").unwrap(), text.find("Semi").unwrap());
    assert!(inner < semi, "{text}");
}
