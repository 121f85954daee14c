//! A shorthand for IR, tables in memory, and results as PostgreSQL prints them.

use crate::function::number::Number;
use crate::lower::{Lowered, lower};
use crate::optimizer::session_state;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::datatypes::{
    Date32Type, Decimal64Type, Decimal128Type, Field, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Schema, TimestampMicrosecondType,
};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::SessionConfig;
use fusion_common::types::oid;
use fusion_common::{ColumnType, ScanId, SqlError, TypeRef};
use fusion_heapscan::arrow_type;
use fusion_proto::plan::{
    Aggregate, AggregateCall, ArithOp, ColumnStats, CompareOp, Expr, ExprKind, Function, NumberType, OutputColumn,
    Plan, Rel, ScanColumn, ScanDef, SortKey, Value,
};
use std::sync::Arc;

pub const BOOL: TypeRef = TypeRef::plain(oid::BOOL);
pub const INT2: TypeRef = TypeRef::plain(oid::INT2);
pub const INT4: TypeRef = TypeRef::plain(oid::INT4);
pub const INT8: TypeRef = TypeRef::plain(oid::INT8);
pub const FLOAT4: TypeRef = TypeRef::plain(oid::FLOAT4);
pub const FLOAT8: TypeRef = TypeRef::plain(oid::FLOAT8);
pub const NUMERIC: TypeRef = TypeRef::plain(oid::NUMERIC);
pub const TEXT: TypeRef = TypeRef { oid: oid::TEXT, typmod: -1, collation: 100 };
pub const DATE: TypeRef = TypeRef::plain(oid::DATE);
pub const TIMESTAMP: TypeRef = TypeRef::plain(oid::TIMESTAMP);
pub const PRICE: TypeRef = numeric(15, 2);

pub const fn numeric(precision: i32, scale: i32) -> TypeRef {
    TypeRef { oid: oid::NUMERIC, typmod: ((precision << 16) | scale) + 4, collation: 0 }
}

pub const fn bpchar(length: i32) -> TypeRef {
    TypeRef { oid: oid::BPCHAR, typmod: length + 4, collation: 100 }
}

/// A value as it is written in tests; `None` in a row is NULL.
pub fn parse(text: &str, ty: TypeRef) -> Value {
    match ty.oid {
        oid::BOOL => Value::Bool(text == "t"),
        oid::INT2 => Value::Int2(text.parse().unwrap()),
        oid::INT4 => Value::Int4(text.parse().unwrap()),
        oid::INT8 => Value::Int8(text.parse().unwrap()),
        oid::FLOAT4 => Value::Float4(text.parse().unwrap()),
        oid::FLOAT8 => Value::Float8(text.parse().unwrap()),
        oid::NUMERIC if text == "NaN" => Value::NumericVar(crate::numeric::NAN.to_vec()),
        oid::NUMERIC => {
            let Number { unscaled, scale } = parse_number(text);
            match ty.numeric_precision_scale() {
                Some((_, to)) => {
                    Value::Numeric { unscaled: unscaled * 10i128.pow(to as u32 - u32::from(scale)), scale: to as u8 }
                }
                None => Value::Numeric { unscaled, scale: scale as u8 },
            }
        }
        oid::DATE if text == "infinity" => Value::Date(i32::MAX),
        oid::DATE if text == "-infinity" => Value::Date(i32::MIN),
        oid::DATE => Value::Date(parse_date(text)),
        oid::TIMESTAMP => {
            let (date, time) = text.split_once(' ').unwrap();
            let seconds: i64 = time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap());
            Value::Timestamp((i64::from(parse_date(date)) * 86_400 + seconds) * 1_000_000)
        }
        _ => Value::Text(text.to_owned()),
    }
}

pub fn parse_number(text: &str) -> Number {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    Number { unscaled: format!("{whole}{fraction}").parse().unwrap(), scale: fraction.len() as u16 }
}

fn parse_date(text: &str) -> i32 {
    let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
    let &[year, month, day] = parts.as_slice() else { panic!("{text}") };
    // Days since 1970-01-01, years beginning in March.
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    (365 * year + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + day - 1 - 719_468) as i32
}

/// A relation with rows, NULL written as `\N`.
pub struct Table {
    pub name: &'static str,
    pub columns: Vec<(&'static str, TypeRef)>,
    pub rows: Vec<Vec<String>>,
    pub unique: Vec<Vec<u32>>,
}

pub fn table(name: &'static str, columns: &[(&'static str, TypeRef)], rows: &[&str]) -> Table {
    let rows = rows.iter().map(|row| row.split('|').map(str::to_owned).collect()).collect();
    Table { name, columns: columns.to_vec(), rows, unique: Vec::new() }
}

fn scalar(text: &str, ty: TypeRef) -> ScalarValue {
    let held = ty.column_type();
    if text == "\\N" {
        return ScalarValue::try_from(&arrow_type(held)).unwrap();
    }
    let mut value = parse(text, ty);
    if let (ColumnType::NumericVar, Value::Numeric { unscaled, scale }) = (held, &value) {
        value = Value::NumericVar(crate::numeric::Payload::new(*unscaled, u16::from(*scale)).as_bytes().to_vec());
    }
    crate::lower::held::literal(&value, held).unwrap()
}

impl Table {
    fn provider(&self) -> Arc<dyn TableProvider> {
        let fields = self.columns.iter().map(|(name, ty)| Field::new(*name, arrow_type(ty.column_type()), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns: Vec<ArrayRef> = (self.columns.iter().enumerate())
            .map(|(index, (_, ty))| match self.rows.is_empty() {
                true => new_null_array(&arrow_type(ty.column_type()), 0),
                false => ScalarValue::iter_to_array(self.rows.iter().map(|row| scalar(&row[index], *ty))).unwrap(),
            })
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        // Two partitions, so that partial and final aggregation both run.
        let half = batch.num_rows() / 2;
        let parts = vec![vec![batch.slice(0, half)], vec![batch.slice(half, batch.num_rows() - half)]];
        Arc::new(MemTable::try_new(schema, parts).unwrap())
    }

    fn def(&self) -> ScanDef {
        let columns = self.columns.iter().enumerate().map(|(index, (name, ty))| {
            let mut values: Vec<&String> = self.rows.iter().map(|row| &row[index]).collect();
            values.sort();
            values.dedup();
            let stats = ColumnStats { distinct: values.len().max(1) as f64, null_fraction: 0.0, width: 8.0 };
            ScanColumn { name: (*name).into(), ty: *ty, not_null: false, stats: Some(stats) }
        });
        ScanDef {
            relation: format!("public.{}", self.name),
            alias: self.name.into(),
            relid: 1,
            columns: columns.collect(),
            rows: self.rows.len() as f64,
            unique_keys: self.unique.clone(),
        }
    }
}

pub fn scan(id: u16) -> Rel {
    Rel::Scan { scan: ScanId(id), filtered_rows: 100.0 }
}

pub fn filter(input: Rel, predicates: Vec<Expr>) -> Rel {
    Rel::Filter { input: Box::new(input), predicates }
}

pub fn project(input: Rel, exprs: Vec<Expr>) -> Rel {
    Rel::Project { input: Box::new(input), exprs }
}

pub fn aggregate(input: Rel, groups: Vec<Expr>, aggregates: Vec<AggregateCall>) -> Rel {
    Rel::Aggregate { input: Box::new(input), groups, aggregates }
}

pub fn sort(input: Rel, keys: Vec<(Expr, bool, bool)>) -> Rel {
    let keys = keys.into_iter().map(|(expr, descending, nulls_first)| SortKey { expr, descending, nulls_first });
    Rel::Sort { input: Box::new(input), keys: keys.collect() }
}

pub fn agg(function: Aggregate, arg: Option<Expr>, ty: TypeRef) -> AggregateCall {
    AggregateCall { function, args: arg.into_iter().collect(), distinct: false, order_by: Vec::new(), filter: None, ty }
}

pub fn col(ty: TypeRef, index: u32) -> Expr {
    Expr::column(ty, index)
}

pub fn val(text: &str, ty: TypeRef) -> Expr {
    Expr { ty, kind: ExprKind::Const(Some(parse(text, ty))) }
}

pub fn null(ty: TypeRef) -> Expr {
    Expr { ty, kind: ExprKind::Const(None) }
}

pub fn call(function: Function, args: Vec<Expr>, ty: TypeRef) -> Expr {
    Expr { ty, kind: ExprKind::Call { function, args } }
}

pub fn arith(op: ArithOp, number: NumberType, left: Expr, right: Expr) -> Expr {
    let ty = match number {
        NumberType::Int2 => INT2,
        NumberType::Int4 => INT4,
        NumberType::Int8 => INT8,
        NumberType::Float4 => FLOAT4,
        NumberType::Float8 => FLOAT8,
        NumberType::Numeric => NUMERIC,
    };
    call(Function::Arith(op, number), vec![left, right], ty)
}

pub fn cmp(op: CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::boolean(ExprKind::Compare { op, left: Box::new(left), right: Box::new(right) })
}

pub fn eq(left: Expr, right: Expr) -> Expr {
    cmp(CompareOp::Eq, left, right)
}

pub fn in_list(arg: Expr, list: Vec<Expr>, negated: bool) -> Expr {
    Expr::boolean(ExprKind::InList { arg: Box::new(arg), list, negated })
}

pub fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>, ty: TypeRef) -> Expr {
    Expr { ty, kind: ExprKind::Case { branches, otherwise: otherwise.map(Box::new) } }
}

fn show(column: &dyn Array, row: usize, held: ColumnType) -> String {
    if column.is_null(row) {
        return "\\N".into();
    }
    let scaled = |unscaled: i128, scale: u16| {
        let digits = format!("{:0>1$}", unscaled.unsigned_abs(), usize::from(scale) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
        let sign = if unscaled < 0 { "-" } else { "" };
        if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    };
    match held {
        ColumnType::Bool => if column.as_boolean().value(row) { "t" } else { "f" }.into(),
        ColumnType::Int2 => column.as_primitive::<Int16Type>().value(row).to_string(),
        ColumnType::Int4 => column.as_primitive::<Int32Type>().value(row).to_string(),
        ColumnType::Int8 => column.as_primitive::<Int64Type>().value(row).to_string(),
        ColumnType::Float4 => column.as_primitive::<Float32Type>().value(row).to_string(),
        ColumnType::Float8 => column.as_primitive::<Float64Type>().value(row).to_string(),
        ColumnType::Numeric { precision, scale } => scaled(
            if precision <= 18 {
                column.as_primitive::<Decimal64Type>().value(row).into()
            } else {
                column.as_primitive::<Decimal128Type>().value(row)
            },
            scale.into(),
        ),
        ColumnType::NumericVar => match Number::decode(column.as_binary_view().value(row)) {
            Ok(number) => scaled(number.unscaled, number.scale),
            Err(_) => "NaN".into(),
        },
        ColumnType::Text | ColumnType::Bpchar { .. } => column.as_string_view().value(row).into(),
        ColumnType::Date => column.as_primitive::<Date32Type>().value(row).to_string(),
        ColumnType::Timestamp | ColumnType::Timestamptz => {
            column.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
        }
        ColumnType::Opaque => format!("{:?}", column.as_binary_view().value(row)),
    }
}

/// A plan over tables.
pub fn plan(tables: &[&Table], root: Rel, output: &[TypeRef]) -> Plan {
    let output = output.iter().map(|ty| OutputColumn { name: "x".into(), ty: *ty });
    Plan { scans: tables.iter().map(|table| table.def()).collect(), shared: Vec::new(), root, output: output.collect() }
}

pub fn lowered(tables: &[&Table], plan: &Plan, params: &[Option<Value>]) -> crate::Result<Lowered> {
    let providers: Vec<_> = tables.iter().map(|table| table.provider()).collect();
    lower(plan, params, &providers)
}

/// The rows of a query, columns separated by `|`, and its physical plan.
pub fn run_with(tables: &[&Table], plan: &Plan, params: &[Option<Value>]) -> Result<(Vec<String>, String), SqlError> {
    super::mutants::check(tables, plan, params);
    run_within(Arc::new(RuntimeEnv::default()), tables, plan, params)
}

/// A runtime with so many bytes of memory.
pub fn limited(bytes: usize) -> Arc<RuntimeEnv> {
    Arc::new(RuntimeEnvBuilder::new().with_memory_limit(bytes, 1.0).build().unwrap())
}

/// As [`run_with`], in a runtime whose memory may be limited. The text has the plans of shared relations, too.
pub fn run_within(
    environment: Arc<RuntimeEnv>,
    tables: &[&Table],
    plan: &Plan,
    params: &[Option<Value>],
) -> Result<(Vec<String>, String), SqlError> {
    let Lowered { plan, output, shared } = lowered(tables, plan, params)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let error = |error| SqlError::from(crate::Error::from(error));
        let state = session_state(SessionConfig::new().with_target_partitions(2), environment, &Default::default());
        let logical = state.optimize(&plan).map_err(error)?;
        let physical = state.query_planner().create_physical_plan(&logical, &state).await.map_err(error)?;
        let mut text = displayable(physical.as_ref()).indent(false).to_string();
        for plan in shared.iter().filter_map(|shared| shared.physical_plan()) {
            text.push_str(&displayable(plan.as_ref()).indent(false).to_string());
        }
        let mut rows = Vec::new();
        for batch in collect(physical, state.task_ctx()).await.map_err(error)? {
            for (column, held) in batch.columns().iter().zip(&output) {
                assert_eq!(*column.data_type(), arrow_type(*held), "{text}");
            }
            rows.extend((0..batch.num_rows()).map(|row| {
                let shown = batch.columns().iter().zip(&output).map(|(column, held)| show(column, row, *held));
                shown.collect::<Vec<_>>().join("|")
            }));
        }
        Ok((rows, text))
    })
}

/// The rows in the order they came.
pub fn run(tables: &[&Table], root: Rel, output: &[TypeRef]) -> Vec<String> {
    run_with(tables, &plan(tables, root, output), &[]).unwrap().0
}

/// The rows, sorted.
pub fn run_sorted(tables: &[&Table], root: Rel, output: &[TypeRef]) -> Vec<String> {
    let mut rows = run(tables, root, output);
    rows.sort();
    rows
}

/// The error.
pub fn fails(tables: &[&Table], root: Rel, output: &[TypeRef]) -> SqlError {
    run_with(tables, &plan(tables, root, output), &[]).unwrap_err()
}

/// Expressions over the rows of one table.
pub fn eval(table: &Table, exprs: Vec<Expr>) -> Vec<String> {
    let types: Vec<TypeRef> = exprs.iter().map(|expr| expr.ty).collect();
    run(&[table], project(scan(0), exprs), &types)
}
