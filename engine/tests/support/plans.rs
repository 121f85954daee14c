//! Plans over the table (id int4, name text) of `heap`.

use super::heap::{INT4, INT8, TEXT, Table};
use fusion_common::types::oid;
use fusion_common::{Attribute, ColumnType, QueryId, ScanId, TypeRef};
use fusion_proto::codec;
use fusion_proto::message::{Execute, ScanColumnInfo, ScanInfo};
use fusion_proto::plan::{
    Aggregate, AggregateCall, CompareOp, Expr, ExprKind, OutputColumn, Plan, Rel, ScanColumn, ScanDef, SortKey, Value,
};

pub const INT4_TYPE: TypeRef = TypeRef::plain(oid::INT4);
pub const INT8_TYPE: TypeRef = TypeRef::plain(oid::INT8);
pub const TEXT_TYPE: TypeRef = TypeRef { oid: oid::TEXT, typmod: -1, collation: 950 };

pub fn id() -> Expr {
    Expr::column(INT4_TYPE, 0)
}

pub fn int4(value: i32) -> Expr {
    Expr { ty: INT4_TYPE, kind: ExprKind::Const(Some(Value::Int4(value))) }
}

fn int8(value: i64) -> Expr {
    Expr { ty: INT8_TYPE, kind: ExprKind::Const(Some(Value::Int8(value))) }
}

/// All columns.
pub fn scan() -> Rel {
    Rel::Scan { scan: ScanId(0), filtered_rows: 1000.0 }
}

pub fn filter(input: Rel, op: CompareOp, value: i32) -> Rel {
    let kind = ExprKind::Compare { op, left: Box::new(id()), right: Box::new(int4(value)) };
    Rel::Filter { input: Box::new(input), predicates: vec![Expr::boolean(kind)] }
}

pub fn limit(input: Rel, count: i64) -> Rel {
    Rel::Limit { input: Box::new(input), offset: None, count: Some(int8(count)) }
}

pub fn sorted(input: Rel, descending: bool) -> Rel {
    Rel::Sort { input: Box::new(input), keys: vec![SortKey { expr: id(), descending, nulls_first: false }] }
}

pub fn count(input: Rel) -> Rel {
    let call = AggregateCall {
        function: Aggregate::CountStar,
        args: Vec::new(),
        distinct: false,
        order_by: Vec::new(),
        filter: None,
        ty: INT8_TYPE,
    };
    Rel::Aggregate { input: Box::new(input), groups: vec![], aggregates: vec![call] }
}

pub fn project(input: Rel, exprs: Vec<Expr>) -> Rel {
    Rel::Project { input: Box::new(input), exprs }
}

fn column(name: &str, ty: TypeRef) -> ScanColumn {
    ScanColumn { name: name.to_owned(), ty, not_null: false, stats: None }
}

/// `Execute` of a plan with the columns `output`.
pub fn execute(query: u32, root: Rel, output: &[(TypeRef, Attribute)], table: &Table) -> Execute {
    let plan = Plan {
        scans: vec![ScanDef {
            relation: "public.people".to_owned(),
            alias: "p".to_owned(),
            relid: 16384,
            columns: vec![column("id", INT4_TYPE), column("name", TEXT_TYPE)],
            rows: table.rows.len() as f64,
            unique_keys: vec![],
        }],
        shared: Vec::new(),
        root,
        output: output.iter().map(|(ty, _)| OutputColumn { name: "c".to_owned(), ty: *ty }).collect(),
    };
    let needed = |attnum, column_type| ScanColumnInfo { attnum, column_type, missing: None };
    Execute {
        query: QueryId(query),
        plan: codec::to_bytes(&plan).unwrap(),
        params: vec![],
        scans: vec![ScanInfo {
            blocks: table.pages.len() as u32,
            attributes: vec![INT4, TEXT],
            columns: vec![needed(1, ColumnType::Int4), needed(2, ColumnType::Text)],
            cache: table.cache.clone().map(Box::new),
        }],
        output: output.iter().map(|(_, attribute)| *attribute).collect(),
        analyze: false,
        patience_ms: None,
        user: 10,
        fault: None,
    }
}

/// All columns of a table.
pub const BOTH: [(TypeRef, Attribute); 2] = [(INT4_TYPE, INT4), (TEXT_TYPE, TEXT)];
/// One int8.
pub const ONE_INT8: [(TypeRef, Attribute); 1] = [(INT8_TYPE, INT8)];
