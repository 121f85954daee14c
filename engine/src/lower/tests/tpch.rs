//! The shape of TPC-H's queries, over rows small enough to add up by hand (or by PostgreSQL: the answers were made by a real server).

use super::build::*;
use fusion_proto::plan::{Aggregate, ArithOp, CompareOp, Expr, Function, JoinKind, NumberType, Rel};

fn lineitem() -> Table {
    table(
        "lineitem",
        &[
            ("l_orderkey", INT8),
            ("l_suppkey", INT4),
            ("l_quantity", PRICE),
            ("l_extendedprice", PRICE),
            ("l_discount", PRICE),
            ("l_tax", PRICE),
            ("l_returnflag", bpchar(1)),
            ("l_linestatus", bpchar(1)),
            ("l_shipdate", DATE),
            ("l_partkey", INT4),
        ],
        &[
            "1|1|17.00|21168.23|0.04|0.02|N|O|1996-03-13|1",
            "1|2|36.00|45983.16|0.09|0.06|N|O|1996-04-12|2",
            "2|1|8.00|13309.60|0.10|0.02|R|F|1994-01-29|1",
            "3|2|28.00|28955.64|0.09|0.06|A|F|1994-04-21|3",
            "3|1|24.00|22824.48|0.06|0.04|A|F|1998-12-01|2",
            "4|3|32.00|49620.16|0.07|0.02|N|O|1998-09-02|1",
            "5|3|\\N|\\N|0.05|0.06|N|O|1994-06-01|3",
        ],
    )
}

fn mul(left: Expr, right: Expr) -> Expr {
    arith(ArithOp::Mul, NumberType::Numeric, left, right)
}

/// l_extendedprice * (1 - l_discount), the columns at an offset.
fn revenue(at: u32) -> Expr {
    let rest = arith(ArithOp::Sub, NumberType::Numeric, val("1", NUMERIC), col(PRICE, at + 4));
    mul(col(PRICE, at + 3), rest)
}

fn sum(arg: Expr) -> fusion_proto::plan::AggregateCall {
    agg(Aggregate::Sum(NumberType::Numeric), Some(arg), NUMERIC)
}

fn avg(arg: Expr) -> fusion_proto::plan::AggregateCall {
    agg(Aggregate::Avg(NumberType::Numeric), Some(arg), NUMERIC)
}

#[test]
fn q1() {
    let lineitem = lineitem();
    let shipped = cmp(CompareOp::Le, col(DATE, 8), val("1998-09-02 00:00:00", TIMESTAMP));
    let taxed = arith(ArithOp::Add, NumberType::Numeric, val("1", NUMERIC), col(PRICE, 5));
    let calls = vec![
        sum(col(PRICE, 2)),
        sum(col(PRICE, 3)),
        sum(revenue(0)),
        sum(mul(revenue(0), taxed)),
        avg(col(PRICE, 2)),
        avg(col(PRICE, 3)),
        avg(col(PRICE, 4)),
        agg(Aggregate::CountStar, None, INT8),
    ];
    let groups = vec![col(bpchar(1), 6), col(bpchar(1), 7)];
    let grouped = aggregate(filter(scan(0), vec![shipped]), groups, calls);
    let root = sort(grouped, vec![(col(bpchar(1), 0), false, false), (col(bpchar(1), 1), false, false)]);
    let types = [bpchar(1), bpchar(1), NUMERIC, NUMERIC, NUMERIC, NUMERIC, NUMERIC, NUMERIC, NUMERIC, INT8];
    let (rows, text) = run_with(&[&lineitem], &plan(&[&lineitem], root, &types), &[]).unwrap();
    assert_eq!(
        rows,
        [
            "A|F|28.00|28955.64|26349.6324|27930.610344|28.0000000000000000|28955.640000000000|0.09000000000000000000|1",
            "N|O|85.00|116771.55|108312.9252|112152.970728|28.3333333333333333|38923.850000000000|0.06250000000000000000|4",
            "R|F|8.00|13309.60|11978.6400|12218.212800|8.0000000000000000|13309.6000000000000000|0.10000000000000000000|1",
        ]
    );
    assert!(text.contains("l_shipdate@") && text.contains("<= 1998-09-02"), "the column is bare: {text}");
}

#[test]
fn q6() {
    let lineitem = lineitem();
    let predicates = vec![
        cmp(CompareOp::Ge, col(DATE, 8), val("1994-01-01", DATE)),
        cmp(CompareOp::Lt, col(DATE, 8), val("1995-01-01 00:00:00", TIMESTAMP)),
        cmp(CompareOp::Ge, col(PRICE, 4), val("0.05", NUMERIC)),
        cmp(CompareOp::Le, col(PRICE, 4), val("0.0999", NUMERIC)),
        cmp(CompareOp::Lt, col(PRICE, 2), val("30", NUMERIC)),
    ];
    let root = aggregate(filter(scan(0), predicates), vec![], vec![sum(mul(col(PRICE, 3), col(PRICE, 4)))]);
    assert_eq!(run(&[&lineitem], root, &[NUMERIC]), ["2606.0076"]);
}

fn orders() -> Table {
    let columns = [("o_orderkey", INT4), ("o_custkey", INT4), ("o_orderdate", DATE), ("o_priority", TEXT)];
    let rows = [
        "1|1|1996-01-02|1-URGENT",
        "2|2|1994-01-01|2-HIGH",
        "3|1|1994-02-02|5-LOW",
        "4|3|1998-01-01|2-HIGH",
        "5|2|1994-05-05|5-LOW",
        "6|\\N|1994-05-05|5-LOW",
    ];
    Table { unique: vec![vec![0]], ..table("orders", &columns, &rows) }
}

fn customer() -> Table {
    let rows = ["1|BUILDING|1", "2|BUILDING  |2", "3|AUTO|1"];
    let columns = [("c_custkey", INT4), ("c_mktsegment", bpchar(10)), ("c_nationkey", INT4)];
    Table { unique: vec![vec![0]], ..table("customer", &columns, &rows) }
}

/// customer, orders (3 columns on), lineitem (4 more on).
#[test]
fn q3() {
    let tables = [&customer(), &orders(), &lineitem()];
    let predicates = vec![
        eq(col(bpchar(10), 1), val("BUILDING", bpchar(-5))),
        eq(col(INT4, 0), col(INT4, 4)),
        eq(col(INT8, 7), col(INT4, 3)),
        cmp(CompareOp::Lt, col(DATE, 5), val("1996-02-01", DATE)),
    ];
    let joined = Rel::InnerJoin { inputs: vec![scan(0), scan(1), scan(2)], predicates };
    let groups = vec![col(INT8, 7), col(DATE, 5), col(TEXT, 6)];
    let root = sort(
        aggregate(joined, groups, vec![sum(revenue(7))]),
        vec![(col(NUMERIC, 3), true, true), (col(DATE, 1), false, false)],
    );
    let root = Rel::Limit { input: Box::new(root), offset: None, count: Some(val("10", INT8)) };
    let rows = run(&tables, root, &[INT8, DATE, TEXT, NUMERIC]);
    assert_eq!(
        rows,
        ["5|8890|5-LOW|\\N", "1|9497|1-URGENT|62166.1764", "3|8798|5-LOW|47804.6436", "2|8766|2-HIGH|11978.6400"]
    );
}

#[test]
fn q5() {
    let columns = [("s_suppkey", INT4), ("s_nationkey", INT4)];
    let supplier = Table { unique: vec![vec![0]], ..table("supplier", &columns, &["1|1", "2|2", "3|1"]) };
    let columns = [("n_nationkey", INT4), ("n_name", bpchar(25)), ("n_regionkey", INT4)];
    let nation = Table { unique: vec![vec![0]], ..table("nation", &columns, &["1|FRANCE|3", "2|CHINA|2"]) };
    let region = table("region", &[("r_regionkey", INT4), ("r_name", bpchar(25))], &["2|ASIA", "3|EUROPE"]);
    let tables = [&customer(), &orders(), &lineitem(), &supplier, &nation, &region];
    let predicates = vec![
        eq(col(INT4, 0), col(INT4, 4)),
        eq(col(INT8, 7), col(INT4, 3)),
        eq(col(INT4, 8), col(INT4, 17)),
        eq(col(INT4, 2), col(INT4, 18)),
        eq(col(INT4, 18), col(INT4, 19)),
        eq(col(INT4, 21), col(INT4, 22)),
        eq(col(bpchar(25), 23), val("EUROPE", bpchar(-5))),
    ];
    let joined = Rel::InnerJoin { inputs: (0..6).map(scan).collect(), predicates };
    let root = aggregate(joined, vec![col(bpchar(25), 20)], vec![sum(revenue(7))]);
    let root = sort(root, vec![(col(NUMERIC, 1), true, true)]);
    assert_eq!(run(&tables, root, &[bpchar(25), NUMERIC]), ["FRANCE|87923.2608"]);
}

/// Semi join, and sums of CASE.
#[test]
fn q12() {
    let tables = [&orders(), &lineitem()];
    let high = in_list(col(TEXT, 3), vec![val("1-URGENT", TEXT), val("2-HIGH", TEXT)], false);
    let one_if = |condition| {
        let one = case(vec![(condition, val("1", INT4))], Some(val("0", INT4)), INT4);
        agg(Aggregate::Sum(NumberType::Int4), Some(one), INT8)
    };
    let not = |expr| Expr::boolean(fusion_proto::plan::ExprKind::Not(Box::new(expr)));
    let joined = Rel::InnerJoin { inputs: vec![scan(0), scan(1)], predicates: vec![eq(col(INT4, 0), col(INT8, 4))] };
    let root = aggregate(joined, vec![col(bpchar(1), 10)], vec![one_if(high.clone()), one_if(not(high))]);
    let root = sort(root, vec![(col(bpchar(1), 0), false, false)]);
    assert_eq!(run(&tables, root, &[bpchar(1), INT8, INT8]), ["A|0|2", "N|3|1", "R|1|0"]);
}

#[test]
fn q14() {
    let part = table("part", &[("p_partkey", INT4), ("p_type", TEXT)], &["1|PROMO ANODIZED", "2|STANDARD", "3|PROMO"]);
    let tables = [&lineitem(), &part];
    let joined = Rel::InnerJoin { inputs: vec![scan(0), scan(1)], predicates: vec![eq(col(INT4, 9), col(INT4, 10))] };
    let promo = call(Function::Like, vec![col(TEXT, 11), val("PROMO%", TEXT)], BOOL);
    let promo = case(vec![(promo, revenue(0))], Some(val("0", NUMERIC)), NUMERIC);
    let sums = aggregate(joined, vec![], vec![sum(promo), sum(revenue(0))]);
    let share = arith(ArithOp::Div, NumberType::Numeric, mul(val("100.00", NUMERIC), col(NUMERIC, 0)), col(NUMERIC, 1));
    assert_eq!(run(&tables, project(sums, vec![share]), &[NUMERIC]), ["62.3431799849134968"]);
}

#[test]
fn semi_and_anti_joins_keep_the_left_side() {
    let tables = [&orders(), &lineitem()];
    let join = |kind| {
        let big = cmp(CompareOp::Gt, col(PRICE, 6), val("20", NUMERIC));
        let predicates = vec![eq(col(INT4, 0), col(INT8, 4)), big];
        let joined = Rel::Join { kind, left: Box::new(scan(0)), right: Box::new(scan(1)), predicates };
        run_sorted(&tables, project(joined, vec![col(INT4, 0)]), &[INT4])
    };
    assert_eq!(join(JoinKind::Semi), ["1", "3", "4"]);
    assert_eq!(join(JoinKind::Anti), ["2", "5", "6"]);
}
