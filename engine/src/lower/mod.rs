//! Plan IR to DataFusion's logical plan.
//!
//! `proto::plan` → here → [`crate::optimizer`] → physical plan. Every relation and expression of the IR is lowered, or refused with a
//! reason (0A000, and the query runs natively).
//!
//! | module | lowers |
//! | --- | --- |
//! | [`expr`], [`compare`], [`held`] | expressions; comparisons, IN and keys; constants and conversions |
//! | [`join`], [`predicate`], [`estimate`] | joins; conjuncts; what the join order is chosen by |
//! | [`aggregate`], [`grouping_sets`], [`window`] | grouping and DISTINCT; several groupings at once; window functions |
//! | [`union`], [`set_operation`] | UNION ALL; INTERSECT, EXCEPT |
//! | [`relation`] | what a lowered relation is |
//!
//! Invariants: a column's Arrow type is that of its `ColumnType`; names are unique in the whole plan, so that columns are found by name
//! wherever joins put them; parameters are constants of the plan.

mod aggregate;
mod compare;
mod estimate;
mod expr;
mod grouping_sets;
mod held;
mod join;
mod predicate;
mod relation;
mod set_operation;
mod union;
mod window;

#[cfg(test)]
mod tests;

use crate::optimizer::barrier::Barrier;
use crate::shared::SharedTable;
use crate::{Error, Result};
use compare::ordered;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_expr::create_physical_expr;
use estimate::Estimate;
use expr::{Scope, check_depth, unsupported};
use fusion_common::{ColumnType, SqlError, SqlState, TypeRef};
use fusion_heapscan::arrow_type;
use fusion_proto::plan::{self as ir, Plan, Rel, SortKey, Value};
use held::{Constant, Held};
use relation::{Names, Relation};
use std::sync::Arc;

/// A query for DataFusion's optimizer.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The plan; its columns are those of the result, by position.
    pub plan: LogicalPlan,
    /// How they are held.
    pub output: Vec<ColumnType>,
    /// What several places of `plan` read, by position in [`Plan::shared`].
    pub shared: Vec<Arc<SharedTable>>,
}

/// Lowers `plan`. `tables` by `ScanId`: one field per column of the scan, of the Arrow type of its `ColumnType`.
pub fn lower(plan: &Plan, params: &[Option<Value>], tables: &[Arc<dyn TableProvider>]) -> Result<Lowered> {
    let mut lowering = Lowering { plan, params, tables, shared: Vec::new(), names: Names::default() };
    for rel in &plan.shared {
        lowering.share(rel)?;
    }
    let relation = lowering.rel(&plan.root, 0)?;
    if relation.columns.len() != plan.output.len() {
        return Err(Error::internal("the root has another number of columns than the output"));
    }
    let relation = lowering.project_columns(relation)?;
    check_types(&relation)?;
    let output = relation.columns.iter().map(|column| column.column_type).collect();
    let shared = lowering.shared.into_iter().map(|shared| shared.table).collect();
    Ok(Lowered { output, plan: relation.plan, shared })
}

/// Holds the first invariant of this module to the result.
fn check_types(relation: &Relation) -> Result<()> {
    for (field, column) in relation.plan.schema().fields().iter().zip(&relation.columns) {
        if *field.data_type() != arrow_type(column.column_type) {
            let (found, held) = (field.data_type(), column.column_type);
            return Err(Error::internal(format!("a column of {found} is held as {held:?}")));
        }
    }
    Ok(())
}

/// The lowering of one query.
struct Lowering<'a> {
    plan: &'a Plan,
    params: &'a [Option<Value>],
    tables: &'a [Arc<dyn TableProvider>],
    shared: Vec<SharedRelation>,
    names: Names,
}

/// A shared relation, and what is known of it. Its columns are those of the table.
struct SharedRelation {
    table: Arc<SharedTable>,
    columns: Vec<Held>,
    estimate: Estimate,
}

impl Lowering<'_> {
    /// Any relation.
    fn rel(&mut self, rel: &Rel, depth: usize) -> Result<Relation> {
        check_depth(depth)?;
        let depth = depth + 1;
        match rel {
            Rel::Scan { scan, filtered_rows } => self.scan(scan.0.into(), *filtered_rows),
            Rel::Shared { id } => self.shared(*id as usize),
            Rel::Values { types, rows } => self.values(types, rows, depth),
            Rel::Filter { input, predicates } => self.filter(input, predicates, depth),
            Rel::Project { input, exprs } => self.project(input, exprs, depth),
            Rel::Barrier { input } => {
                let input = self.rel(input, depth)?;
                Ok(Relation { plan: Barrier::over(input.plan), ..input })
            }
            Rel::InnerJoin { inputs, predicates } => join::inner(self, inputs, predicates, depth),
            Rel::Join { kind, left, right, predicates } => join::outer(self, *kind, (left, right), predicates, depth),
            Rel::Aggregate { input, groups, aggregates } => {
                aggregate::aggregate(self, input, groups, aggregates, depth)
            }
            Rel::UnionAll { inputs, types } => union::union_all(self, inputs, types, depth),
            Rel::GroupingSets { input, groups, sets, aggregates } => {
                grouping_sets::grouping_sets(self, input, (groups, sets), aggregates, depth)
            }
            Rel::Distinct { input } => aggregate::distinct(self, input, depth),
            Rel::SetOperation { kind, all, left, right, types } => {
                set_operation::counted(self, (*kind, *all), (left, right), types, depth)
            }
            Rel::Window { input, calls } => window::windows(self, input, calls, depth),
            Rel::Sort { input, keys } => self.sort(input, keys, depth),
            Rel::LimitWithTies { input, keys, offset, count } => {
                self.limit_with_ties(input, keys, offset.as_ref(), count, depth)
            }
            Rel::Limit { input, offset, count } => self.limit(input, offset.as_ref(), count.as_ref(), depth),
        }
    }

    fn scan(&mut self, scan: usize, filtered_rows: f64) -> Result<Relation> {
        let (Some(def), Some(table)) = (self.plan.scans.get(scan), self.tables.get(scan)) else {
            return Err(Error::internal(format!("there is no scan {scan}")));
        };
        let types: Vec<ColumnType> = def.columns.iter().map(|column| column.ty.column_type()).collect();
        let schema = table.schema();
        let fits = schema.fields().len() == types.len()
            && schema.fields().iter().zip(&types).all(|(field, held)| *field.data_type() == arrow_type(*held));
        if !fits {
            return Err(Error::internal(format!("the table of {} has other columns than its scan", def.relation)));
        }
        // Each occurrence under a name of its own: the relation's alias, and a number where that is taken.
        let name = self.names.fresh(&format!("{}_", def.alias));
        let source = provider_as_source(Arc::clone(table));
        let name = datafusion::common::TableReference::bare(name);
        let plan = LogicalPlanBuilder::scan(name, source, None)?.build()?;
        let mut relation = Relation::of_plan(plan, types, Estimate::scan(def, filtered_rows));
        for (column, def) in relation.columns.iter_mut().zip(&def.columns) {
            column.nullable = !def.not_null;
        }
        Ok(relation)
    }

    /// Lowers the next shared relation.
    fn share(&mut self, rel: &Rel) -> Result<()> {
        let relation = self.rel(rel, 0)?;
        let exprs: Vec<Expr> = relation.columns.iter().map(|held| self.names.alias(held.expr.clone(), "s").0).collect();
        let plan = LogicalPlanBuilder::new(relation.plan).project(exprs)?.build()?;
        let table = Arc::new(SharedTable::new(self.shared.len(), plan, relation.estimate.rows));
        self.shared.push(SharedRelation { table, columns: relation.columns, estimate: relation.estimate });
        Ok(())
    }

    /// A reader of a shared relation.
    fn shared(&mut self, id: usize) -> Result<Relation> {
        let shared = self.shared.get(id).ok_or_else(|| Error::internal(format!("there is no shared relation {id}")))?;
        let name = datafusion::common::TableReference::bare(self.names.fresh("shared_"));
        let source = provider_as_source(Arc::clone(&shared.table) as Arc<dyn TableProvider>);
        let plan = LogicalPlanBuilder::scan(name, source, None)?.build()?;
        let types = shared.columns.iter().map(|column| column.column_type);
        let mut relation = Relation::of_plan(plan, types, shared.estimate.clone());
        for (column, known) in relation.columns.iter_mut().zip(&shared.columns) {
            column.nullable = known.nullable;
        }
        Ok(relation)
    }

    fn scope<'a>(&'a self, columns: &'a [Held], depth: usize) -> Scope<'a> {
        Scope { columns, params: self.params, depth }
    }

    fn values(&mut self, types: &[TypeRef], rows: &[Vec<ir::Expr>], depth: usize) -> Result<Relation> {
        if types.is_empty() {
            let produce_one_row = match rows.len() {
                0 => false,
                1 => true,
                _ => return Err(Error::Unsupported("several rows of no columns".into())),
            };
            let plan = LogicalPlanBuilder::empty(produce_one_row).build()?;
            return Ok(Relation::of_plan(plan, [], Estimate::unknown(1.0, 0)));
        }
        let scope = self.scope(&[], depth);
        let mut lowered = Vec::with_capacity(rows.len());
        for row in rows {
            lowered.push(row.iter().map(|expr| scope.expr(expr)).collect::<Result<Vec<_>>>()?);
        }
        let column_type = |(index, ty): (usize, &TypeRef)| {
            let column = lowered.iter().filter_map(|row| row.get(index));
            let held: Vec<ColumnType> = column.filter(|held| !held.is_null()).map(|held| held.column_type).collect();
            ir::case_type(&held, *ty).map_err(unsupported)
        };
        let held = types.iter().enumerate().map(column_type).collect::<Result<Vec<_>>>()?;
        let plan = if lowered.is_empty() {
            let fields = held.iter().map(|held| Field::new(self.names.fresh("v"), arrow_type(*held), true));
            let schema = Schema::new(fields.collect::<Vec<_>>());
            let schema = Arc::new(DFSchema::try_from(schema)?);
            LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema })
        } else {
            let mut values = Vec::with_capacity(lowered.len());
            for row in lowered {
                if row.len() != held.len() {
                    return Err(Error::internal("a row of VALUES has another number of columns"));
                }
                let row = row.into_iter().zip(&held).map(|(value, held)| Ok(value.convert(*held)?.expr));
                values.push(row.collect::<Result<Vec<_>>>()?);
            }
            let name = self.names.fresh("values");
            LogicalPlanBuilder::values(values)?.alias(name)?.build()?
        };
        let estimate = Estimate::unknown(rows.len() as f64, held.len());
        Ok(Relation::of_plan(plan, held, estimate))
    }

    fn filter(&mut self, input: &Rel, predicates: &[ir::Expr], depth: usize) -> Result<Relation> {
        let mut relation = self.rel(input, depth)?;
        let scope = self.scope(&relation.columns, depth);
        let conjuncts = predicate::conjuncts(predicates);
        let predicates = conjuncts.iter().map(|predicate| scope.predicate(predicate)).collect::<Result<Vec<_>>>()?;
        relation.estimate = relation.estimate.clone().filter(predicates.len());
        join::filter(&mut relation, predicates)?;
        Ok(relation)
    }

    fn project(&mut self, input: &Rel, exprs: &[ir::Expr], depth: usize) -> Result<Relation> {
        let input = self.rel(input, depth)?;
        let scope = self.scope(&input.columns, depth);
        let columns = exprs.iter().map(|expr| scope.expr(expr)).collect::<Result<Vec<_>>>()?;
        let kept: Vec<Option<usize>> = exprs
            .iter()
            .map(|expr| if let ir::ExprKind::Column(index) = expr.kind { Some(index as usize) } else { None })
            .collect();
        let estimate = input.estimate.project(&kept);
        self.project_columns(Relation { plan: input.plan, columns, estimate })
    }

    /// A projection to exactly the columns of `relation`, which may be any expressions here. Bare columns keep their names where those
    /// stay unique.
    fn project_columns(&mut self, relation: Relation) -> Result<Relation> {
        let mut exprs: Vec<Expr> = Vec::with_capacity(relation.columns.len());
        let mut columns = Vec::with_capacity(relation.columns.len());
        for column in relation.columns {
            let bare = matches!(column.expr, Expr::Column(_)) && !exprs.contains(&column.expr);
            let (expr, reference) =
                if bare { (column.expr.clone(), column.expr) } else { self.names.alias(column.expr, "c") };
            exprs.push(expr);
            columns.push(Held { nullable: column.nullable, ..Held::new(reference, column.column_type) });
        }
        let plan = LogicalPlanBuilder::new(relation.plan).project(exprs)?.build()?;
        Ok(Relation { plan, columns, estimate: relation.estimate })
    }

    fn sort(&mut self, input: &Rel, keys: &[SortKey], depth: usize) -> Result<Relation> {
        let relation = self.rel(input, depth)?;
        self.sorted(relation, keys, depth)
    }

    fn sorted(&mut self, relation: Relation, keys: &[SortKey], depth: usize) -> Result<Relation> {
        let scope = self.scope(&relation.columns, depth);
        let mut sorts = Vec::with_capacity(keys.len());
        for key in keys {
            let held = scope.expr(&key.expr)?;
            if held.column_type == ColumnType::Opaque {
                return Err(Error::Unsupported("sorting by a type that is only passed through".into()));
            }
            // A constant orders nothing.
            if held.constant == Constant::No {
                sorts.push(ordered(held).sort(!key.descending, key.nulls_first));
            }
        }
        if sorts.is_empty() {
            return Ok(relation);
        }
        let plan = LogicalPlanBuilder::new(relation.plan).sort(sorts)?.build()?;
        Ok(Relation { plan, ..relation })
    }

    fn limit(
        &mut self,
        input: &Rel,
        offset: Option<&ir::Expr>,
        count: Option<&ir::Expr>,
        depth: usize,
    ) -> Result<Relation> {
        let mut relation = self.rel(input, depth)?;
        let offset = self.row_count(offset, *b"2201X", "OFFSET must not be negative", depth)?.unwrap_or(0);
        let count = self.row_count(count, *b"2201W", "LIMIT must not be negative", depth)?;
        if offset == 0 && count.is_none() {
            return Ok(relation);
        }
        relation.plan = LogicalPlanBuilder::new(relation.plan).limit(offset, count)?.build()?;
        if let Some(count) = count {
            relation.estimate.rows = relation.estimate.rows.min(count as f64).max(1.0);
        }
        Ok(relation)
    }

    /// Rows behind the first OFFSET that fewer than OFFSET + LIMIT rows precede.
    fn limit_with_ties(
        &mut self,
        input: &Rel,
        keys: &[SortKey],
        offset: Option<&ir::Expr>,
        count: &ir::Expr,
        depth: usize,
    ) -> Result<Relation> {
        let relation = self.rel(input, depth)?;
        let offset = self.row_count(offset, *b"2201X", "OFFSET must not be negative", depth)?.unwrap_or(0);
        let count = self.row_count(Some(count), *b"2201W", "LIMIT must not be negative", depth)?;
        let width = relation.columns.len();
        let call = |function| ir::WindowCall {
            function,
            args: Vec::new(),
            filter: None,
            partition: Vec::new(),
            order: keys.to_vec(),
            frame: ir::Frame::default_frame(),
            ty: TypeRef::plain(fusion_common::types::oid::INT8),
        };
        let calls = [call(ir::WindowFunction::RowNumber), call(ir::WindowFunction::Rank)];
        let mut relation = window::over(self, relation, &calls, depth)?;
        let (Some(rank), Some(number)) = (relation.columns.pop(), relation.columns.pop()) else {
            return Err(Error::internal("a window without its columns"));
        };
        let rows = |rows: usize| lit(i64::try_from(rows).unwrap_or(i64::MAX));
        let mut wanted = number.expr.gt(rows(offset));
        if let Some(count) = count {
            wanted = wanted.and(rank.expr.lt_eq(rows(offset.saturating_add(count))));
            relation.estimate.rows = relation.estimate.rows.min(count as f64).max(1.0);
            if count == 0 {
                wanted = lit(false);
            }
        }
        relation.plan = LogicalPlanBuilder::new(relation.plan).filter(wanted)?.build()?;
        relation.columns.truncate(width);
        self.sorted(relation, keys, depth)
    }

    /// The value of an OFFSET or LIMIT; None is none.
    fn row_count(
        &self,
        expr: Option<&ir::Expr>,
        state: [u8; 5],
        negative: &'static str,
        depth: usize,
    ) -> Result<Option<usize>> {
        let Some(expr) = expr else {
            return Ok(None);
        };
        let held = self.scope(&[], depth).expr(expr)?.convert(ColumnType::Int8)?;
        match evaluate(&held.expr)? {
            ScalarValue::Int64(None) => Ok(None),
            ScalarValue::Int64(Some(rows)) => {
                let rows = usize::try_from(rows).map_err(|_| SqlError::new(SqlState(state), negative))?;
                Ok(Some(rows))
            }
            other => Err(Error::internal(format!("a row count of type {}", other.data_type()))),
        }
    }
}

/// The value of an expression without columns.
fn evaluate(expr: &Expr) -> Result<ScalarValue> {
    if let Expr::Literal(value, _) = expr {
        return Ok(value.clone());
    }
    let schema = Arc::new(Schema::empty());
    let physical = create_physical_expr(
        expr,
        &DFSchema::try_from(Arc::clone(&schema))?,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )?;
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    let one_row = RecordBatch::try_new_with_options(schema, Vec::new(), &options)?;
    Ok(match physical.evaluate(&one_row)? {
        ColumnarValue::Scalar(value) => value,
        ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
    })
}
