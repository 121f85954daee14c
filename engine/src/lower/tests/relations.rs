//! Joins of every kind, grouping, DISTINCT, sorting, limits and constant rows.

use super::build::*;
use fusion_common::TypeRef;
use fusion_proto::plan::{
    Aggregate, AggregateCall, ArithOp, BitOp, CompareOp, Expr, ExprKind, JoinKind, NumberType, Rel, SortKey, Spread,
};

const SAMPLE: Spread = Spread { sample: true, root: false };

fn a() -> Table {
    let columns = [("k", numeric(5, 2)), ("f", FLOAT8), ("v", NUMERIC), ("c", bpchar(3)), ("id", INT4)];
    table("a", &columns, &["1.00|NaN|1.5|x|1", "2.50|-0.0|2.0|yy|2", "\\N|\\N|\\N|\\N|3", "2.50|1|NaN|x|4"])
}

fn b() -> Table {
    let columns = [("k", numeric(9, 4)), ("f", FLOAT4), ("v", numeric(4, 1)), ("c", bpchar(8)), ("id", INT2)];
    table("b", &columns, &["1.0000|NaN|1.5|x  |10", "2.5000|0|2.0|z|20", "\\N|\\N|\\N|\\N|30", "2.5001|7|9.0|yy|40"])
}

fn pairs(predicate: Expr) -> Vec<String> {
    let joined = Rel::InnerJoin { inputs: vec![scan(0), scan(1)], predicates: vec![predicate] };
    run_sorted(&[&a(), &b()], project(joined, vec![col(INT4, 4), col(INT2, 9)]), &[INT4, INT2])
}

#[test]
fn keys_of_every_family() {
    assert_eq!(pairs(eq(col(numeric(5, 2), 0), col(numeric(9, 4), 5))), ["1|10", "2|20", "4|20"]);
    assert_eq!(pairs(eq(col(FLOAT8, 1), col(FLOAT4, 6))), ["1|10", "2|20"]);
    assert_eq!(pairs(eq(col(numeric(4, 1), 7), col(NUMERIC, 2))), ["1|10", "2|20"]);
    assert_eq!(pairs(eq(col(bpchar(3), 3), col(bpchar(8), 8))), ["1|10", "2|40", "4|10"]);
    let ten = fusion_proto::plan::ArithOp::Mul;
    let tens = arith(ten, NumberType::Int4, col(INT4, 4), val("10", INT4));
    assert_eq!(pairs(eq(tens, col(INT2, 9))), ["1|10", "2|20", "3|30", "4|40"]);
}

#[test]
fn joins_without_equality() {
    let tens = arith(fusion_proto::plan::ArithOp::Mul, NumberType::Int4, col(INT4, 4), val("10", INT4));
    assert_eq!(pairs(cmp(CompareOp::Gt, tens, col(INT2, 9))), ["2|10", "3|10", "3|20", "4|10", "4|20", "4|30"]);
    let joined = Rel::InnerJoin { inputs: vec![scan(0), scan(1)], predicates: vec![] };
    assert_eq!(run(&[&a(), &b()], project(joined, vec![col(INT4, 4)]), &[INT4]).len(), 16);
}

/// The OR of TPC-H's Q19.
#[test]
fn equalities_are_found_inside_an_or() {
    let same = || eq(col(numeric(5, 2), 0), col(numeric(9, 4), 5));
    let branch = |left: &str, right: &str| {
        let left = eq(col(INT4, 4), val(left, INT4));
        Expr::boolean(ExprKind::And(vec![same(), left, eq(col(INT2, 9), val(right, INT2))]))
    };
    let predicate = Expr::boolean(ExprKind::Or(vec![branch("1", "10"), branch("4", "20"), branch("2", "10")]));
    let joined = Rel::InnerJoin { inputs: vec![scan(0), scan(1)], predicates: vec![predicate] };
    let root = project(joined, vec![col(INT4, 4), col(INT2, 9)]);
    let (mut rows, text) = run_with(&[&a(), &b()], &plan(&[&a(), &b()], root, &[INT4, INT2]), &[]).unwrap();
    rows.sort();
    assert_eq!(rows, ["1|10", "4|20"]);
    assert!(text.contains("HashJoinExec"), "{text}");
}

#[test]
fn what_stands_above_a_barrier_stays_there() {
    // Division by zero for the row that the condition below takes away.
    let three = || arith(ArithOp::Sub, NumberType::Int4, col(INT4, 4), val("3", INT4));
    let leaky = || cmp(CompareOp::Lt, arith(ArithOp::Div, NumberType::Int4, val("6", INT4), three()), val("9", INT4));
    let seen = Expr::boolean(ExprKind::IsNull { arg: Box::new(col(FLOAT8, 1)), negated: true });
    let barrier = || Rel::Barrier { input: Box::new(filter(scan(0), vec![seen.clone()])) };
    let above = project(filter(barrier(), vec![leaky()]), vec![col(INT4, 4)]);
    let (mut rows, text) = run_with(&[&a()], &plan(&[&a()], above, &[INT4]), &[]).unwrap();
    rows.sort();
    assert_eq!(rows, ["1", "2", "4"]);
    assert!(text.contains("BarrierExec"), "{text}");
    let joined =
        Rel::InnerJoin { inputs: vec![barrier(), scan(1)], predicates: vec![leaky(), eq(col(INT4, 4), col(INT2, 9))] };
    let rows = run(&[&a(), &b()], project(joined, vec![col(INT4, 4)]), &[INT4]);
    assert!(rows.is_empty());
}

/// Both estimates, so that each side is built once.
fn outer(kind: JoinKind, swap: bool, predicates: Vec<Expr>) -> Vec<String> {
    let sized = |id, rows| Rel::Scan { scan: fusion_common::ScanId(id), filtered_rows: rows };
    let (left, right) = if swap { (sized(0, 4.0), sized(1, 1.0)) } else { (sized(0, 1.0), sized(1, 4.0)) };
    let joined = Rel::Join { kind, left: Box::new(left), right: Box::new(right), predicates };
    let (exprs, types) = match kind {
        JoinKind::Left | JoinKind::Full => (vec![col(INT4, 4), col(INT2, 9)], vec![INT4, INT2]),
        _ => (vec![col(INT4, 4)], vec![INT4]),
    };
    run_sorted(&[&a(), &b()], project(joined, exprs), &types)
}

#[test]
fn outer_semi_and_anti_joins() {
    for swap in [false, true] {
        let same = || vec![eq(col(numeric(5, 2), 0), col(numeric(9, 4), 5))];
        let not_ten = || vec![same().remove(0), cmp(CompareOp::Ne, col(INT2, 9), val("10", INT2))];
        assert_eq!(outer(JoinKind::Left, swap, same()), ["1|10", "2|20", "3|\\N", "4|20"]);
        assert_eq!(outer(JoinKind::Left, swap, not_ten()), ["1|\\N", "2|20", "3|\\N", "4|20"]);
        assert_eq!(
            outer(JoinKind::Full, swap, not_ten()),
            ["1|\\N", "2|20", "3|\\N", "4|20", "\\N|10", "\\N|30", "\\N|40"]
        );
        assert_eq!(outer(JoinKind::Semi, swap, same()), ["1", "2", "4"]);
        assert_eq!(outer(JoinKind::Anti, swap, not_ten()), ["1", "3"]);
        let never = || vec![cmp(CompareOp::Gt, col(INT4, 4), col(INT2, 9))];
        assert_eq!(outer(JoinKind::Anti, swap, never()), ["1", "2", "3", "4"]);
        assert_eq!(outer(JoinKind::Semi, swap, vec![]), ["1", "2", "3", "4"]);
        assert!(outer(JoinKind::Anti, swap, vec![]).is_empty());
    }
}

fn distinct(arg: Expr, function: Aggregate, ty: TypeRef) -> AggregateCall {
    AggregateCall { distinct: true, ..agg(function, Some(arg), ty) }
}

#[test]
fn groups_of_every_type() {
    let count = || vec![agg(Aggregate::CountStar, None, INT8)];
    let columns = [("f", FLOAT8), ("n", numeric(5, 2)), ("v", NUMERIC), ("c", bpchar(4))];
    let t = table(
        "t",
        &columns,
        &["NaN|1.00|1.0|x", "NaN|1.00|2|x ", "0|1.00|1.0|y", "-0.0|2.00|2|y", "\\N|\\N|\\N|\\N", "\\N|\\N|\\N|\\N"],
    );
    let by =
        |column: u32, ty: TypeRef| run_sorted(&[&t], aggregate(scan(0), vec![col(ty, column)], count()), &[ty, INT8]);
    assert_eq!(by(0, FLOAT8).len(), 3);
    assert_eq!(by(1, numeric(5, 2)), ["1.00|3", "2.00|1", "\\N|2"]);
    assert_eq!(by(2, NUMERIC), ["1.0|2", "2|2", "\\N|2"]);
    assert_eq!(by(3, bpchar(4)), ["\\N|2", "x|2", "y|2"]);
    let groups = vec![col(numeric(5, 2), 1), col(bpchar(4), 3), col(NUMERIC, 2)];
    let rows = run_sorted(&[&t], aggregate(scan(0), groups, count()), &[numeric(5, 2), bpchar(4), NUMERIC, INT8]);
    assert_eq!(rows, ["1.00|x|1.0|1", "1.00|x|2|1", "1.00|y|1.0|1", "2.00|y|2|1", "\\N|\\N|\\N|2"]);
    let all = Rel::Distinct { input: Box::new(project(scan(0), vec![col(FLOAT8, 0), col(bpchar(4), 3)])) };
    assert_eq!(run(&[&t], all, &[FLOAT8, bpchar(4)]).len(), 3);
}

#[test]
fn aggregates_of_every_kind() {
    let columns = [
        ("i", INT4),
        ("l", INT8),
        ("n", numeric(5, 2)),
        ("v", NUMERIC),
        ("f", FLOAT8),
        ("s", TEXT),
        ("x", BOOL),
        ("d", DATE),
    ];
    let t = table(
        "t",
        &columns,
        &[
            "1|10|1.00|1|1.5|b|t|1998-01-01",
            "2|20|2.50|0.25|NaN|a|f|\\N",
            "2|20|2.50|1.000|2.5|\\N|t|1970-01-02",
            "\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N",
        ],
    );
    use NumberType::{Float8, Int4, Int8, Numeric};
    let calls = vec![
        agg(Aggregate::Sum(Int4), Some(col(INT4, 0)), INT8),
        agg(Aggregate::Avg(Int4), Some(col(INT4, 0)), NUMERIC),
        agg(Aggregate::Sum(Int8), Some(col(INT8, 1)), NUMERIC),
        agg(Aggregate::Avg(Int8), Some(col(INT8, 1)), NUMERIC),
        agg(Aggregate::Sum(Numeric), Some(col(numeric(5, 2), 2)), NUMERIC),
        agg(Aggregate::Sum(Numeric), Some(col(NUMERIC, 3)), NUMERIC),
        agg(Aggregate::Avg(Numeric), Some(col(NUMERIC, 3)), NUMERIC),
        agg(Aggregate::Max, Some(col(FLOAT8, 4)), FLOAT8),
        agg(Aggregate::Min, Some(col(FLOAT8, 4)), FLOAT8),
        agg(Aggregate::Max, Some(col(TEXT, 5)), TEXT),
        agg(Aggregate::Min, Some(col(numeric(5, 2), 2)), numeric(5, 2)),
        agg(Aggregate::BoolAnd, Some(col(BOOL, 6)), BOOL),
        agg(Aggregate::BoolOr, Some(col(BOOL, 6)), BOOL),
        agg(Aggregate::Min, Some(col(DATE, 7)), DATE),
        agg(Aggregate::Count, Some(col(TEXT, 5)), INT8),
        agg(Aggregate::CountStar, None, INT8),
        distinct(col(INT4, 0), Aggregate::Count, INT8),
        distinct(col(INT4, 0), Aggregate::Sum(Int4), INT8),
        distinct(col(numeric(5, 2), 2), Aggregate::Sum(Numeric), NUMERIC),
        distinct(col(numeric(5, 2), 2), Aggregate::Avg(Numeric), NUMERIC),
        distinct(col(NUMERIC, 3), Aggregate::Count, INT8),
        agg(Aggregate::Max, Some(col(NUMERIC, 3)), NUMERIC),
        agg(Aggregate::Bits(BitOp::Xor, Int4), Some(col(INT4, 0)), INT4),
        agg(Aggregate::Spread(SAMPLE, Int4), Some(col(INT4, 0)), NUMERIC),
        agg(Aggregate::Spread(SAMPLE, Numeric), Some(col(NUMERIC, 3)), NUMERIC),
        distinct(col(INT4, 0), Aggregate::Spread(SAMPLE, Int4), NUMERIC),
        AggregateCall {
            filter: Some(cmp(CompareOp::Gt, col(INT4, 0), val("1", INT4))),
            ..agg(Aggregate::Sum(Numeric), Some(col(numeric(5, 2), 2)), NUMERIC)
        },
        agg(
            Aggregate::Avg(Float8),
            Some(arith(fusion_proto::plan::ArithOp::Mul, Float8, val("2", FLOAT8), val("0.5", FLOAT8))),
            FLOAT8,
        ),
    ];
    let types: Vec<TypeRef> = calls.iter().map(|call| call.ty).collect();
    let expected = "5|1.6666666666666667|50|16.6666666666666667|6.00|2.250|0.75000000000000000000|NaN|1.5|b|1.00|f|t|1|2|4|2|3|3.50|1.7500000000000000|2|1.000|1|0.33333333333333333333|0.18750000000000000000|0.50000000000000000000|5.00|1";
    assert_eq!(run(&[&t], aggregate(scan(0), vec![], calls.clone()), &types), [expected]);
    // Per group as well, and nothing is one row without groups, none with them.
    let mut with_group = vec![INT4];
    with_group.extend(&types);
    let constant = aggregate(
        scan(0),
        vec![arith(fusion_proto::plan::ArithOp::Mul, NumberType::Int4, val("1", INT4), val("7", INT4))],
        calls.clone(),
    );
    assert_eq!(run(&[&t], constant, &with_group), [format!("7|{expected}")]);
    let nothing = || filter(scan(0), vec![cmp(CompareOp::Gt, col(INT4, 0), val("99", INT4))]);
    let empty =
        "\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|0|0|0|\\N|\\N|\\N|0|\\N|\\N|\\N|\\N|\\N|\\N|\\N";
    assert_eq!(run(&[&t], aggregate(nothing(), vec![], calls.clone()), &types), [empty]);
    assert!(run(&[&t], aggregate(nothing(), vec![col(INT4, 0)], calls), &with_group).is_empty());
}

/// The result of one aggregate over all rows of a table, and the same by a group that all rows are in.
fn over_all(t: &Table, call: AggregateCall) -> String {
    let ty = call.ty;
    let all = run(&[t], aggregate(scan(0), vec![], vec![call.clone()]), &[ty]).concat();
    let key = Expr::boolean(ExprKind::IsNull { arg: Box::new(Expr::column(INT4, 0)), negated: false });
    let grouped = run(&[t], aggregate(scan(0), vec![key], vec![call]), &[BOOL, ty]).concat();
    assert_eq!(grouped, format!("f|{all}"));
    all
}

#[test]
fn distinct_by_value_where_bits_differ() {
    let t = table(
        "t",
        &[("i", INT4), ("f", FLOAT8), ("v", NUMERIC)],
        &["1|0|1.0", "2|-0.0|1", "3|2.5|2.50", "4|2.5|2.5", "5|1|1.000", "6|\\N|\\N"],
    );
    use NumberType::{Float8, Numeric};
    assert_eq!(over_all(&t, distinct(col(FLOAT8, 1), Aggregate::Sum(Float8), FLOAT8)), "3.5");
    assert_eq!(over_all(&t, distinct(col(FLOAT8, 1), Aggregate::Avg(Float8), FLOAT8)), "1.1666666666666667");
    // Which of 1.0, 1 and 1.000 is taken is open; the average does not show it.
    assert_eq!(over_all(&t, distinct(col(NUMERIC, 2), Aggregate::Avg(Numeric), NUMERIC)), "1.7500000000000000");
}

#[test]
fn gathering_in_order() {
    let t = table(
        "t",
        &[("i", INT4), ("s", TEXT), ("v", NUMERIC), ("c", bpchar(3)), ("d", DATE)],
        &["1|b|1.0|x|1998-01-01", "2|a|2|\\N|\\N", "3|\\N|0.5|y|1970-01-02", "4|b|-1.50|zz|1970-01-01"],
    );
    let key = |expr: Expr, descending: bool, nulls_first: bool| SortKey { expr, descending, nulls_first };
    let text = |keys: Vec<SortKey>, distinct: bool| AggregateCall {
        args: vec![col(TEXT, 1), val(", ", TEXT)],
        order_by: keys,
        distinct,
        ..agg(Aggregate::StringAgg, None, TEXT)
    };
    assert_eq!(over_all(&t, text(vec![key(col(INT4, 0), false, false)], false)), "b, a, b");
    assert_eq!(over_all(&t, text(vec![key(col(NUMERIC, 2), true, true)], false)), "a, b, b");
    assert_eq!(over_all(&t, text(vec![key(col(DATE, 4), false, true)], false)), "a, b, b");
    assert_eq!(over_all(&t, text(vec![key(col(DATE, 4), false, false)], false)), "b, b, a");
    let all = vec![key(col(TEXT, 1), true, true), key(val(", ", TEXT), false, false)];
    assert_eq!(over_all(&t, text(all, true)), "b, a");
    // The delimiter of the first value is not used; a NULL one is none.
    let delimiters = AggregateCall {
        args: vec![val("x", TEXT), col(TEXT, 1)],
        order_by: vec![key(col(INT4, 0), false, false)],
        ..agg(Aggregate::StringAgg, None, TEXT)
    };
    assert_eq!(over_all(&t, delimiters), "xaxxbx");
    let nothing = filter(scan(0), vec![cmp(CompareOp::Gt, col(INT4, 0), val("9", INT4))]);
    let none = text(vec![key(col(INT4, 0), false, false)], false);
    assert_eq!(run(&[&t], aggregate(nothing, vec![], vec![none]), &[TEXT]), ["\\N"]);
}

/// Payloads of the arrays as PostgreSQL 18 makes them: read with pageinspect.
#[test]
fn arrays_are_postgresqls() {
    use crate::aggregate::array::{Element, array_payload};
    use arrow::array::{ArrayRef, Int16Array, StringViewArray};
    let payload = |ty: TypeRef, array: ArrayRef| {
        let element = Element::of(ty, ty.column_type()).unwrap();
        let datums: Vec<Option<Vec<u8>>> =
            (0..array.len()).map(|row| array.is_valid(row).then(|| element.datum(&array, row).unwrap())).collect();
        array_payload(&element, datums.iter().map(Option::as_deref))
    };
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let smallints: ArrayRef = std::sync::Arc::new(Int16Array::from(vec![Some(1), None, Some(-1)]));
    assert_eq!(
        hex(payload(INT2, smallints)),
        "0100000020000000150000000300000001000000050000000000000001 00ffff".replace(' ', "")
    );
    let texts: ArrayRef = std::sync::Arc::new(StringViewArray::from(vec!["a", "äbc"]));
    assert_eq!(hex(payload(TEXT, texts)), "0100000000000000190000000200000001000000140000006100000020000000c3a46263");
}

#[test]
fn sums_of_several_scales() {
    let t = table(
        "t",
        &[("i", INT4), ("a", PRICE), ("b", numeric(5, 4)), ("w", numeric(30, 2))],
        &["1|10.50|0.2500|1.00", "2|3.00|1.0000|2.50", "3|\\N|\\N|\\N"],
    );
    use NumberType::Numeric;
    let when = |value: &str| cmp(CompareOp::Eq, col(INT4, 0), val(value, INT4));
    let case = |condition: Expr, a: Expr, b: Expr| Expr {
        ty: NUMERIC,
        kind: ExprKind::Case { branches: vec![(condition, a)], otherwise: Some(Box::new(b)) },
    };
    let sum = |arg: Expr| over_all(&t, agg(Aggregate::Sum(Numeric), Some(arg), NUMERIC));
    let zero = || val("0", NUMERIC);
    assert_eq!(sum(case(when("1"), col(PRICE, 1), zero())), "10.50");
    assert_eq!(sum(case(when("9"), col(PRICE, 1), zero())), "0");
    assert_eq!(sum(case(when("1"), col(PRICE, 1), col(numeric(5, 4), 2))), "11.5000");
    assert_eq!(sum(case(when("1"), col(numeric(30, 2), 3), val("0.5", NUMERIC))), "2.00");
    // The larger scale is not seen: no branch of it is taken.
    assert_eq!(sum(case(when("9"), col(numeric(5, 4), 2), col(PRICE, 1))), "13.50");
    let average = agg(Aggregate::Avg(Numeric), Some(case(when("1"), col(PRICE, 1), zero())), NUMERIC);
    assert_eq!(over_all(&t, average), "3.5000000000000000");
    let coalesce = Expr { ty: NUMERIC, kind: ExprKind::Coalesce(vec![col(PRICE, 1), zero()]) };
    assert_eq!(sum(coalesce), "13.50");
}

#[test]
fn sorting_has_postgresqls_order() {
    let t = table(
        "t",
        &[("f", FLOAT8), ("v", NUMERIC), ("id", INT4)],
        &["NaN|1.10|1", "-0.0|-5|2", "inf|NaN|3", "0|1.1|4", "\\N|\\N|5", "-inf|1000|6"],
    );
    let ordered = |keys| {
        let rows = run(&[&t], project(sort(scan(0), keys), vec![col(INT4, 2)]), &[INT4]);
        rows.concat()
    };
    let id = || (col(INT4, 2), false, false);
    assert_eq!(ordered(vec![(col(FLOAT8, 0), false, false), id()]), "624315");
    assert_eq!(ordered(vec![(col(FLOAT8, 0), true, true), id()]), "513246");
    assert_eq!(ordered(vec![(col(NUMERIC, 1), false, true), id()]), "521463");
    assert_eq!(ordered(vec![(col(NUMERIC, 1), true, false), id()]), "361425");
}

fn limited(offset: Option<Expr>, count: Option<Expr>) -> Rel {
    let t = sort(scan(0), vec![(col(INT4, 4), false, false)]);
    project(Rel::Limit { input: Box::new(t), offset, count }, vec![col(INT4, 4)])
}

#[test]
fn limits() {
    let rows = |offset: Option<&str>, count: Option<&str>| {
        let of = |text: Option<&str>| text.map(|text| if text == "\\N" { null(INT8) } else { val(text, INT8) });
        run(&[&a()], limited(of(offset), of(count)), &[INT4]).concat()
    };
    assert_eq!(rows(None, Some("2")), "12");
    assert_eq!(rows(Some("1"), Some("2")), "23");
    assert_eq!(rows(Some("3"), None), "4");
    assert_eq!(rows(Some("\\N"), Some("\\N")), "1234");
    assert_eq!(rows(None, Some("0")), "");
    let sum = arith(fusion_proto::plan::ArithOp::Add, NumberType::Int8, val("1", INT8), val("1", INT8));
    assert_eq!(run(&[&a()], limited(None, Some(sum)), &[INT4]).concat(), "12");
    let error = fails(&[&a()], limited(None, Some(val("-1", INT8))), &[INT4]);
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("2201W", "LIMIT must not be negative"));
    let error = fails(&[&a()], limited(Some(val("-1", INT8)), None), &[INT4]);
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("2201X", "OFFSET must not be negative"));
}

#[test]
fn constant_rows() {
    let one = Rel::Values { types: vec![], rows: vec![vec![]] };
    assert_eq!(run(&[], project(one, vec![val("1.50", NUMERIC), null(TEXT)]), &[NUMERIC, TEXT]), ["1.50|\\N"]);
    let rows = vec![vec![val("1", NUMERIC), val("a", TEXT)], vec![val("2.50", NUMERIC), null(TEXT)]];
    let values = Rel::Values { types: vec![NUMERIC, TEXT], rows };
    assert_eq!(run(&[], values, &[NUMERIC, TEXT]), ["1|a", "2.50|\\N"]);
    let none = Rel::Values { types: vec![INT4], rows: vec![] };
    assert!(run(&[], none.clone(), &[INT4]).is_empty());
    assert_eq!(run(&[], aggregate(none, vec![], vec![agg(Aggregate::CountStar, None, INT8)]), &[INT8]), ["0"]);
}

#[test]
fn a_column_may_come_out_twice_and_a_table_in_twice() {
    let joined = Rel::InnerJoin { inputs: vec![scan(0), scan(0)], predicates: vec![eq(col(INT4, 4), col(INT4, 9))] };
    let exprs = vec![col(INT4, 4), col(INT4, 9), col(INT4, 4)];
    assert_eq!(run_sorted(&[&a()], project(joined, exprs), &[INT4, INT4, INT4]), ["1|1|1", "2|2|2", "3|3|3", "4|4|4"]);
}

/// DataFusion rewrites what has only one distinct argument to two groupings.
#[test]
fn one_distinct_argument_per_group() {
    let columns = [("g", bpchar(2)), ("i", INT4), ("n", numeric(5, 2))];
    let t = table("t", &columns, &["a|1|1.00", "a|1|1.00", "a|2|\\N", "b|\\N|3.00", "b|5|3.00", "\\N|7|0.10"]);
    let by = |call: AggregateCall| {
        let ty = call.ty;
        run_sorted(&[&t], aggregate(scan(0), vec![col(bpchar(2), 0)], vec![call]), &[bpchar(2), ty])
    };
    let integer = || col(INT4, 1);
    assert_eq!(by(distinct(integer(), Aggregate::Count, INT8)), ["\\N|1", "a|2", "b|1"]);
    assert_eq!(by(distinct(integer(), Aggregate::Sum(NumberType::Int4), INT8)), ["\\N|7", "a|3", "b|5"]);
    let numeric = || col(numeric(5, 2), 2);
    assert_eq!(by(distinct(numeric(), Aggregate::Count, INT8)), ["\\N|1", "a|1", "b|1"]);
    let average = by(distinct(numeric(), Aggregate::Avg(NumberType::Numeric), NUMERIC));
    assert_eq!(average, ["\\N|0.10000000000000000000", "a|1.00000000000000000000", "b|3.0000000000000000"]);
}
