//! Comparisons, three-valued logic, CASE, and the types that computed columns are held in.

use super::build::*;
use fusion_common::TypeRef;
use fusion_proto::plan::CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
use fusion_proto::plan::{ArithOp, Expr, ExprKind, Function, NumberType};

fn t() -> Table {
    let columns = [
        ("i2", INT2),
        ("i8", INT8),
        ("f4", FLOAT4),
        ("f8", FLOAT8),
        ("n", numeric(5, 2)),
        ("v", NUMERIC),
        ("s", TEXT),
        ("b", bpchar(4)),
        ("d", DATE),
        ("x", BOOL),
    ];
    table(
        "t",
        &columns,
        &[
            "1|1|0.5|NaN|1.50|1.5|abc|ab|1998-09-02|t",
            "-3|4000000000|NaN|-0.0|-999.99|NaN|abd||infinity|f",
            "7|7|-0.0|inf|0.00|1.500|Ab|abcd|1998-09-03|\\N",
            "\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N",
        ],
    )
}

/// One condition over the rows: t, f or NULL (-) each.
fn truth(condition: Expr) -> String {
    eval(&t(), vec![condition]).iter().map(|row| if row == "\\N" { "-" } else { row.as_str() }).collect()
}

#[test]
fn constants_come_to_the_columns_type() {
    let n = || col(numeric(5, 2), 4);
    let number = |text| val(text, NUMERIC);
    assert_eq!(truth(cmp(Eq, n(), number("1.5"))), "tff-");
    assert_eq!(truth(cmp(Lt, n(), number("1.505"))), "ttt-");
    assert_eq!(truth(cmp(Le, n(), number("1.495"))), "ftt-");
    assert_eq!(truth(cmp(Gt, n(), number("-999.991"))), "ttt-");
    assert_eq!(truth(cmp(Ge, n(), number("-999.985"))), "tft-");
    assert_eq!(truth(cmp(Eq, n(), number("1.501"))), "fff-");
    assert_eq!(truth(cmp(Ne, n(), number("1.501"))), "ttt-");
    assert_eq!(truth(cmp(Lt, n(), number("1000000"))), "ttt-");
    assert_eq!(truth(cmp(Gt, number("-1000000.001"), n())), "fff-");
    assert_eq!(truth(cmp(Lt, number("0"), n())), "tff-");
    assert_eq!(truth(cmp(Lt, n(), val("NaN", NUMERIC))), "ttt-");
    assert_eq!(truth(cmp(Eq, col(INT2, 0), val("40000", INT4))), "fff-");
    assert_eq!(truth(cmp(Lt, col(INT2, 0), val("40000", INT4))), "ttt-");
    assert_eq!(truth(cmp(Gt, col(INT8, 1), val("5", INT2))), "ftt-");
    assert_eq!(truth(cmp(Gt, col(INT8, 1), null(INT8))), "----");
}

#[test]
fn dates_beside_timestamps() {
    let d = || col(DATE, 8);
    let at = |text| val(text, TIMESTAMP);
    assert_eq!(truth(cmp(Le, d(), at("1998-09-02 00:00:00"))), "tff-");
    assert_eq!(truth(cmp(Lt, d(), at("1998-09-02 00:00:00"))), "fff-");
    assert_eq!(truth(cmp(Lt, d(), at("1998-09-02 00:00:01"))), "tff-");
    assert_eq!(truth(cmp(Ge, d(), at("1998-09-02 00:00:01"))), "ftt-");
    assert_eq!(truth(cmp(Eq, d(), at("1998-09-02 12:00:00"))), "fff-");
    assert_eq!(truth(cmp(Ne, at("1998-09-02 12:00:00"), d())), "ttt-");
    let as_timestamp = call(Function::DateToTimestamp, vec![d()], TIMESTAMP);
    assert_eq!(truth(cmp(Eq, d(), as_timestamp.clone())), "ttt-");
    assert_eq!(truth(cmp(Lt, as_timestamp, val("1998-09-03", DATE))), "tff-");
}

#[test]
fn floats_have_postgresqls_order() {
    let (f4, f8) = (|| col(FLOAT4, 2), || col(FLOAT8, 3));
    assert_eq!(truth(cmp(Eq, f8(), val("NaN", FLOAT8))), "tff-");
    assert_eq!(truth(cmp(Gt, f8(), val("inf", FLOAT8))), "tff-");
    assert_eq!(truth(cmp(Eq, f8(), val("0", FLOAT4))), "ftf-");
    assert_eq!(truth(cmp(Lt, f4(), val("0", FLOAT8))), "fff-");
    assert_eq!(truth(cmp(Lt, f4(), f8())), "tft-");
    assert_eq!(truth(in_list(f4(), vec![val("NaN", FLOAT4), val("0", FLOAT4)], false)), "ftt-");
}

#[test]
fn variable_numerics_compare_by_value() {
    let v = || col(NUMERIC, 5);
    assert_eq!(truth(cmp(Eq, v(), val("1.50", NUMERIC))), "tft-");
    assert_eq!(truth(cmp(Gt, v(), val("100000000", NUMERIC))), "ftf-");
    assert_eq!(truth(cmp(Eq, v(), col(numeric(5, 2), 4))), "tff-");
    assert_eq!(truth(in_list(v(), vec![val("NaN", NUMERIC), val("1.5000", NUMERIC)], false)), "ttt-");
}

#[test]
fn text_compares_by_bytes() {
    assert_eq!(truth(cmp(Lt, col(TEXT, 6), val("abc", TEXT))), "fft-");
    assert_eq!(truth(cmp(Eq, col(bpchar(4), 7), val("ab   ", bpchar(-5)))), "tff-");
    assert_eq!(truth(cmp(Eq, col(bpchar(4), 7), val("  ", bpchar(-5)))), "ftf-");
    let like = call(Function::Like, vec![col(bpchar(4), 7), val("ab  ", TEXT)], BOOL);
    assert_eq!(truth(like), "tff-");
    let text = call(Function::BpcharToText, vec![col(bpchar(4), 7)], TEXT);
    assert_eq!(truth(cmp(Eq, text, val("ab", TEXT))), "tff-");
}

#[test]
fn in_lists_are_three_valued() {
    let i2 = || col(INT2, 0);
    let one_null = || vec![val("1", INT2), null(INT2)];
    assert_eq!(truth(in_list(i2(), one_null(), false)), "t---");
    assert_eq!(truth(in_list(i2(), one_null(), true)), "f---");
    assert_eq!(truth(in_list(i2(), vec![val("1", INT2), val("7", INT4)], true)), "ftf-");
    assert_eq!(truth(in_list(i2(), vec![null(INT2)], true)), "----");
    assert_eq!(truth(in_list(i2(), vec![], true)), "tttt");
    assert_eq!(truth(in_list(i2(), vec![val("70000", INT4)], false)), "fff-");
    assert_eq!(truth(in_list(null(INT2), one_null(), false)), "----");
    let n = in_list(col(numeric(5, 2), 4), vec![val("1.5", NUMERIC), val("0.001", NUMERIC), val("0", NUMERIC)], true);
    assert_eq!(truth(n), "ftf-");
    assert_eq!(truth(in_list(col(INT8, 1), vec![col(INT2, 0), val("4000000000", INT8)], false)), "ttt-");
}

#[test]
fn logic_is_three_valued() {
    let x = || col(BOOL, 9);
    let is = |value, negated| Expr::boolean(ExprKind::IsBool { arg: Box::new(x()), value, negated });
    assert_eq!(truth(is(Some(true), false)), "tfff");
    assert_eq!(truth(is(Some(true), true)), "fttt");
    assert_eq!(truth(is(Some(false), false)), "ftff");
    assert_eq!(truth(is(None, false)), "fftt");
    assert_eq!(truth(is(None, true)), "ttff");
    assert_eq!(truth(Expr::boolean(ExprKind::Not(Box::new(x())))), "ft--");
    let (and, or) = (|args| Expr::boolean(ExprKind::And(args)), |args| Expr::boolean(ExprKind::Or(args)));
    assert_eq!(truth(and(vec![x(), null(BOOL)])), "-f--");
    assert_eq!(truth(or(vec![x(), null(BOOL)])), "t---");
    assert_eq!(truth(Expr::boolean(ExprKind::IsNull { arg: Box::new(col(FLOAT4, 2)), negated: false })), "ffft");
    assert_eq!(truth(cmp(Gt, x(), val("f", BOOL))), "tf--");
}

#[test]
fn branches_keep_their_scale() {
    let positive = cmp(Gt, col(INT2, 0), val("0", INT2));
    let chosen = case(vec![(positive.clone(), col(numeric(5, 2), 4))], Some(val("0", NUMERIC)), NUMERIC);
    assert_eq!(eval(&t(), vec![chosen]), ["1.50", "0", "0.00", "0"]);
    let chosen = case(vec![(positive.clone(), col(NUMERIC, 5))], None, NUMERIC);
    assert_eq!(eval(&t(), vec![chosen]), ["1.5", "\\N", "1.500", "\\N"]);
    let same = case(vec![(positive, col(numeric(5, 2), 4))], Some(val("0.00", NUMERIC)), NUMERIC);
    assert_eq!(eval(&t(), vec![same]), ["1.50", "0.00", "0.00", "0.00"]);
    let first = Expr { ty: NUMERIC, kind: ExprKind::Coalesce(vec![null(NUMERIC), col(NUMERIC, 5), val("7", NUMERIC)]) };
    assert_eq!(eval(&t(), vec![first]), ["1.5", "NaN", "1.500", "7"]);
}

#[test]
fn a_branch_not_taken_raises_nothing() {
    let zero = || val("0", INT8);
    let quotient = arith(
        ArithOp::Div,
        NumberType::Int8,
        val("100", INT8),
        arith(ArithOp::Sub, NumberType::Int8, col(INT8, 1), val("1", INT8)),
    );
    let guarded = case(vec![(cmp(Eq, col(INT8, 1), val("1", INT8)), zero())], Some(quotient.clone()), INT8);
    assert_eq!(eval(&t(), vec![guarded]), ["0", "0", "16", "\\N"]);
    let error = fails(&[&t()], project(scan(0), vec![quotient]), &[INT8]);
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("22012", "division by zero"));
}

#[test]
fn arithmetic_is_postgresqls() {
    let n = || col(numeric(5, 2), 4);
    let with = |op, right: Expr| arith(op, NumberType::Numeric, n(), right);
    let rows = eval(
        &t(),
        vec![
            with(ArithOp::Add, val("1", NUMERIC)),
            with(ArithOp::Mul, n()),
            with(ArithOp::Div, val("3", NUMERIC)),
            call(Function::NumericTypmod, vec![n()], numeric(5, 1)),
            call(Function::Cast(NumberType::Int2, NumberType::Numeric), vec![col(INT2, 0)], NUMERIC),
            arith(ArithOp::Add, NumberType::Int8, col(INT8, 1), col(INT2, 0)),
        ],
    );
    assert_eq!(
        rows,
        [
            "2.50|2.2500|0.50000000000000000000|1.5|1|2",
            "-998.99|999980.0001|-333.3300000000000000|-1000.0|-3|3999999997",
            "1.00|0.0000|0.00000000000000000000|0.0|7|14",
            "\\N|\\N|\\N|\\N|\\N|\\N",
        ]
    );
}

#[test]
fn overflow_is_an_error() {
    let sum = arith(ArithOp::Add, NumberType::Int8, col(INT8, 1), val("9223372036854775807", INT8));
    let error = fails(&[&t()], project(scan(0), vec![sum]), &[INT8]);
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("22003", "bigint out of range"));
    let narrow = call(Function::Cast(NumberType::Int8, NumberType::Int4), vec![col(INT8, 1)], INT4);
    assert_eq!(fails(&[&t()], project(scan(0), vec![narrow]), &[INT4]).message, "integer out of range");
}

#[test]
fn parameters_are_constants() {
    let param = |ty: TypeRef| Expr { ty, kind: ExprKind::Param(0) };
    let root = filter(scan(0), vec![cmp(Lt, col(numeric(5, 2), 4), param(NUMERIC))]);
    let query = plan(&[&t()], project(root, vec![col(INT2, 0)]), &[INT2]);
    let (rows, text) = run_with(&[&t()], &query, &[Some(parse("1", NUMERIC))]).unwrap();
    assert_eq!(rows, ["-3", "7"]);
    assert!(text.contains("n@1 < 1.00") || text.contains("< 1.00"), "{text}");
    let (rows, _) = run_with(&[&t()], &query, &[None]).unwrap();
    assert!(rows.is_empty());
    assert!(run_with(&[&t()], &query, &[]).is_err());
}

#[test]
fn a_plan_that_is_too_deep_is_an_error() {
    let deep = |levels| (0..levels).fold(col(BOOL, 9), |expr, _| Expr::boolean(ExprKind::Not(Box::new(expr))));
    assert_eq!(truth(deep(200)), "tf--");
    assert_eq!(fails(&[&t()], project(scan(0), vec![deep(1000)]), &[BOOL]).sqlstate.as_str(), "54001");
}
