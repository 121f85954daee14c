//! Set operations, grouping sets, window functions, WITH TIES.

use super::build::*;
use fusion_common::TypeRef;
use fusion_proto::plan::{
    Aggregate, Expr, Frame, FrameBound, FrameExclusion, FrameUnit, NumberType, Rel, SetKind, SortKey, WindowCall,
    WindowFunction,
};

fn t() -> Table {
    let columns = [("i", INT4), ("n", numeric(5, 2)), ("f", FLOAT8), ("c", bpchar(3))];
    table("t", &columns, &["1|1.00|NaN|x", "1|1.00|NaN|x ", "2|2.50|-0.0|y", "\\N|\\N|\\N|\\N", "\\N|\\N|\\N|\\N"])
}

fn u() -> Table {
    let columns = [("i", INT4), ("n", numeric(9, 4)), ("f", FLOAT8), ("c", bpchar(3))];
    table("u", &columns, &["1|1.0000|NaN|x", "2|2.5000|0|y", "3|3.0000|1|z", "\\N|\\N|\\N|\\N"])
}

fn set(kind: SetKind, all: bool) -> usize {
    let types = vec![INT4, NUMERIC, FLOAT8, bpchar(3)];
    let side = |id| Box::new(scan(id));
    let rel = Rel::SetOperation { kind, all, left: side(0), right: side(1), types: types.clone() };
    run(&[&t(), &u()], rel, &types).len()
}

#[test]
fn rows_of_both_sides_are_counted() {
    assert_eq!(set(SetKind::Intersect, false), 3);
    assert_eq!(set(SetKind::Intersect, true), 3);
    assert_eq!(set(SetKind::Except, false), 0);
    assert_eq!(set(SetKind::Except, true), 2);
    let swapped = |kind, all| {
        let types = vec![INT4];
        let side = |id| Box::new(project(scan(id), vec![col(INT4, 0)]));
        let rel = Rel::SetOperation { kind, all, left: side(1), right: side(0), types: types.clone() };
        run_sorted(&[&t(), &u()], rel, &types)
    };
    assert_eq!(swapped(SetKind::Except, true), ["3"]);
    assert_eq!(swapped(SetKind::Intersect, true), ["1", "2", "\\N"]);
}

fn sets(input: Rel, sets: &[&[u32]]) -> Vec<String> {
    let calls = vec![
        agg(Aggregate::CountStar, None, INT8),
        agg(Aggregate::Sum(NumberType::Numeric), Some(col(numeric(5, 2), 1)), NUMERIC),
    ];
    let rel = Rel::GroupingSets {
        input: Box::new(input),
        groups: vec![col(INT4, 0), col(FLOAT8, 2), col(numeric(5, 2), 1)],
        sets: sets.iter().map(|set| set.to_vec()).collect(),
        aggregates: calls,
    };
    run_sorted(&[&t()], rel, &[INT4, FLOAT8, numeric(5, 2), INT8, NUMERIC, INT4])
}

#[test]
fn every_set_groups_all_rows() {
    let rows = sets(scan(0), &[&[0], &[], &[1, 2], &[]]);
    let expected = [
        "1|\\N|\\N|2|2.00|0",
        "2|\\N|\\N|1|2.50|0",
        "\\N|-0|2.50|1|2.50|2",
        "\\N|NaN|1.00|2|2.00|2",
        "\\N|\\N|\\N|2|\\N|0",
        "\\N|\\N|\\N|2|\\N|2",
        "\\N|\\N|\\N|5|4.50|1",
        "\\N|\\N|\\N|5|4.50|3",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn the_empty_set_has_a_row_over_no_rows() {
    let nothing = || filter(scan(0), vec![cmp(fusion_proto::plan::CompareOp::Gt, col(INT4, 0), val("99", INT4))]);
    assert_eq!(sets(nothing(), &[&[0], &[], &[]]), ["\\N|\\N|\\N|0|\\N|1", "\\N|\\N|\\N|0|\\N|2"]);
    assert!(sets(nothing(), &[&[0], &[1, 2]]).is_empty());
}

fn key(expr: Expr) -> SortKey {
    SortKey { expr, descending: false, nulls_first: false }
}

fn over(function: WindowFunction, args: Vec<Expr>, ty: TypeRef, frame: Frame) -> WindowCall {
    WindowCall {
        function,
        args,
        filter: None,
        partition: vec![col(bpchar(3), 3)],
        order: vec![key(col(INT4, 0))],
        frame,
        ty,
    }
}

#[test]
fn windows_partition_and_order() {
    let rows = FrameBound::Preceding(val("1", INT8));
    let sliding = Frame {
        unit: FrameUnit::Rows,
        start: rows,
        end: FrameBound::CurrentRow,
        exclusion: FrameExclusion::CurrentRow,
    };
    let sum = WindowFunction::Aggregate(Aggregate::Sum(NumberType::Numeric));
    let n = || col(numeric(5, 2), 1);
    let calls = vec![
        over(WindowFunction::RowNumber, vec![], INT8, Frame::default_frame()),
        over(sum, vec![n()], NUMERIC, Frame::default_frame()),
        over(sum, vec![n()], NUMERIC, sliding),
        // The same call again, which DataFusion must not share in its own way.
        over(WindowFunction::RowNumber, vec![], INT8, Frame::default_frame()),
        over(WindowFunction::Lag, vec![n(), val("1", INT4), val("0", NUMERIC)], NUMERIC, Frame::default_frame()),
    ];
    let rel = Rel::Window { input: Box::new(scan(0)), calls };
    let columns =
        vec![col(bpchar(3), 3), col(INT8, 4), col(NUMERIC, 5), col(NUMERIC, 6), col(INT8, 7), col(NUMERIC, 8)];
    let types: Vec<TypeRef> = columns.iter().map(|column| column.ty).collect();
    let rows = run_sorted(&[&t()], project(rel, columns), &types);
    let expected =
        ["\\N|1|\\N|\\N|1|0", "\\N|2|\\N|\\N|2|\\N", "x|1|2.00|\\N|1|0", "x|2|2.00|1.00|2|1.00", "y|1|2.50|\\N|1|0"];
    assert_eq!(rows, expected);
}

#[test]
fn ties_of_the_last_row_come_too() {
    let rows = |offset: Option<&str>, count: &str| {
        let rel = Rel::LimitWithTies {
            input: Box::new(scan(0)),
            keys: vec![key(col(INT4, 0))],
            offset: offset.map(|offset| val(offset, INT8)),
            count: val(count, INT8),
        };
        run(&[&t()], project(rel, vec![col(INT4, 0)]), &[INT4]).concat()
    };
    assert_eq!(rows(None, "1"), "11");
    assert_eq!(rows(Some("1"), "1"), "1");
    assert_eq!(rows(Some("2"), "2"), "2\\N\\N");
    assert_eq!(rows(Some("1"), "0"), "");
    assert_eq!(rows(None, "9"), "112\\N\\N");
}
