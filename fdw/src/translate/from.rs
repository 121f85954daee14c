//! Which rows do FROM and WHERE give?
//!
//! Inner joins and comma lists become one flat [`Rel::InnerJoin`] with all conjuncts of WHERE and ON, in whatever order the
//! engine finds best; outer joins keep their sides. Sub-selects, views and WITH queries are translated where they stand. Semi and
//! anti joins of WHERE come last.

use super::expr::is_parameter;
use super::scope::{Bound, Column, Scope, Source, visit_columns};
use super::select::Place;
use super::sublink::semi_join;
use super::{Refusal, Result, ScanRelation, Translator};
use crate::pg::node::{BoolOp, Node, NodeRef, Var};
use crate::pg::query::{JoinTree, OuterKind, QueryRef, RangeEntry, RangeKind};
use crate::relation::{HeapColumn, HeapRelation};
use crate::statistics::RelationStatistics;
use fusion_common::{ScanId, TypeRef};
use fusion_proto::plan::{Expr, ExprKind, JoinKind, Rel, ScanColumn, ScanDef, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What FROM and WHERE give.
pub(super) struct From<'q> {
    pub bound: Bound<'q>,
    /// Conjuncts of WHERE that refer to the query around; they have not been applied.
    pub correlated: Vec<NodeRef<'q>>,
}

/// One query level whose FROM is translated.
struct Level<'q> {
    query: QueryRef<'q>,
    /// Columns that the level uses, by range-table index.
    used: BTreeMap<u32, BTreeSet<i16>>,
}

impl<'q> Translator<'q, '_> {
    /// FROM and WHERE of `query`. Conjuncts that refer to the query around are set aside where `correlated`.
    pub(super) fn rows_of(&mut self, query: QueryRef<'q>, correlated: bool) -> Result<From<'q>> {
        let mut used: BTreeMap<u32, BTreeSet<i16>> = BTreeMap::new();
        for var in query.used_columns() {
            used.entry(var.rtindex).or_default().insert(var.attnum);
        }
        let level = Level { query, used };
        self.component(&level, query.join_tree(), correlated)
    }

    /// A join tree, its inner joins flattened.
    fn component(&mut self, level: &Level<'q>, tree: JoinTree<'q>, correlated: bool) -> Result<From<'q>> {
        let mut component = Component::default();
        self.nested(|translator| translator.gather(level, tree, &mut component))?;
        let Component { inputs, quals } = component;

        let (mut plain, mut semi_joins, mut outer) = (Vec::new(), Vec::new(), Vec::new());
        for conjunct in quals {
            match semi_join(conjunct) {
                Some(join) => semi_joins.push(join),
                None if correlated && conjunct.has_columns_of_level(1) => outer.push(conjunct),
                None => plain.push(conjunct),
            }
        }
        let mut bound = self.inner_join(inputs, &plain)?;
        for join in semi_joins {
            bound = self.join_sublink(bound, join)?;
        }
        Ok(From { bound, correlated: outer })
    }

    /// Collects the inputs and conjuncts of nested inner joins.
    fn gather(&mut self, level: &Level<'q>, tree: JoinTree<'q>, component: &mut Component<'q>) -> Result<()> {
        match tree {
            JoinTree::Relation(rtindex) => component.inputs.push(self.relation(level, rtindex)?),
            JoinTree::Inner { items, quals } => {
                for item in items {
                    self.nested(|translator| translator.gather(level, item, component))?;
                }
                if let Some(quals) = quals {
                    push_conjuncts(quals, &mut component.quals);
                }
            }
            JoinTree::Outer { kind, left, right, quals } => {
                component.inputs.push(self.outer_join(level, kind, *left, *right, quals)?);
            }
        }
        Ok(())
    }

    fn inner_join(&mut self, inputs: Vec<Bound<'q>>, conjuncts: &[NodeRef<'q>]) -> Result<Bound<'q>> {
        let mut columns = Vec::new();
        let mut rels = Vec::with_capacity(inputs.len());
        let mut offsets = Vec::with_capacity(inputs.len());
        for input in inputs {
            offsets.push(columns.len());
            columns.extend(input.columns);
            rels.push(input.rel);
        }
        let scope = Scope::new(columns);
        let (mut predicates, mut constants) = (Vec::new(), Vec::new());
        for &conjunct in conjuncts {
            let predicate = self.condition(conjunct, &scope)?;
            match predicate.kind {
                ExprKind::Const(Some(Value::Bool(true))) => {}
                _ if is_parameter(conjunct) => constants.push(predicate),
                _ => predicates.push(predicate),
            }
        }
        offsets.push(scope.columns.len());
        for (rel, range) in rels.iter_mut().zip(offsets.windows(2)) {
            let own: Vec<&Expr> =
                predicates.iter().filter(|predicate| uses_only(predicate, range[0], range[1])).collect();
            self.estimate(rel, &own, range[0]);
        }
        let rel = match (rels.pop(), rels.is_empty()) {
            (None, _) => Rel::Values { types: Vec::new(), rows: vec![Vec::new()] },
            (Some(only), true) => only,
            (Some(last), false) => {
                rels.push(last);
                Rel::InnerJoin { inputs: rels, predicates: std::mem::take(&mut predicates) }
            }
        };
        Ok(Bound { rel, columns: scope.columns }.filter(predicates).filter(constants))
    }

    /// Tells the scans of a table how many rows pass `own`, predicates on that table alone, whose columns begin at `offset`.
    fn estimate(&self, rel: &mut Rel, own: &[&Expr], offset: usize) {
        match rel {
            Rel::Scan { scan, filtered_rows } => {
                if let Some(statistics) = self.statistics.get(usize::from(scan.0)) {
                    *filtered_rows = statistics.filtered_rows(own, offset);
                }
            }
            Rel::UnionAll { inputs, .. } => inputs.iter_mut().for_each(|input| self.estimate(input, own, offset)),
            _ => {}
        }
    }

    fn outer_join(
        &mut self,
        level: &Level<'q>,
        kind: OuterKind,
        left: JoinTree<'q>,
        right: JoinTree<'q>,
        quals: Option<NodeRef<'q>>,
    ) -> Result<Bound<'q>> {
        let (kind, left, right) = match kind {
            OuterKind::Left => (JoinKind::Left, left, right),
            OuterKind::Right => (JoinKind::Left, right, left),
            OuterKind::Full => (JoinKind::Full, left, right),
        };
        let left = self.component(level, left, false)?.bound;
        let right = self.component(level, right, false)?.bound;
        let columns = left.columns.into_iter().chain(right.columns).collect();
        let scope = Scope::new(columns);
        let mut conjuncts = Vec::new();
        if let Some(quals) = quals {
            push_conjuncts(quals, &mut conjuncts);
        }
        let predicates =
            conjuncts.into_iter().map(|conjunct| self.condition(conjunct, &scope)).collect::<Result<_>>()?;
        let rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(right.rel), predicates };
        Ok(Bound { rel, columns: scope.columns })
    }

    /// A range-table entry.
    fn relation(&mut self, level: &Level<'q>, rtindex: u32) -> Result<Bound<'q>> {
        let Some(entry) = level.query.range_entry(rtindex) else {
            return Err(Refusal("the query's range table is incomplete".to_owned()));
        };
        if entry.secured {
            return Err(Refusal(format!("row security or a security barrier applies to \"{}\"", entry.alias)));
        }
        if entry.lateral {
            return Err(Refusal::unsupported("LATERAL"));
        }
        if entry.sampled {
            return Err(Refusal::unsupported("TABLESAMPLE"));
        }
        let nothing = BTreeSet::new();
        let used = level.used.get(&rtindex).unwrap_or(&nothing);
        if used.contains(&0) {
            return Err(Refusal::unsupported("a whole-row reference"));
        }
        match &entry.kind {
            RangeKind::Relation => self.scan(rtindex, &entry, used),
            RangeKind::Subquery(query) => self.subquery(rtindex, *query, used),
            RangeKind::With { name, level, recursive } => self.with(rtindex, name, *level, *recursive, used),
            RangeKind::Other(what) => Err(Refusal::unsupported(what)),
        }
    }

    /// A table; a parent is the union of its leaves.
    fn scan(&mut self, rtindex: u32, entry: &RangeEntry<'q>, used: &BTreeSet<i16>) -> Result<Bound<'q>> {
        let mut relation = (self.resolve)(rtindex, entry.entry)?;
        let mut columns = Vec::with_capacity(used.len());
        for &attnum in used {
            if attnum < 0 {
                return Err(Refusal::unsupported("a system column (ctid, xmin, tableoid …)"));
            }
            let position = usize::try_from(attnum - 1).unwrap_or(usize::MAX);
            let Some(Some(column)) = relation.columns.get(position) else {
                return Err(Refusal(format!("\"{}\" has no column for number {attnum}", entry.alias)));
            };
            columns.push(Column {
                source: Source::Column(Var { rtindex, attnum, level: 0 }),
                ty: column.ty,
                held: column.ty.column_type(),
            });
        }
        let rel = match relation.leaves.take() {
            None => self.heap_scan(relation, &entry.alias, used)?,
            Some(leaves) => {
                let types: Vec<_> = columns.iter().map(|column| column.ty).collect();
                let scans = leaves.into_iter().map(|leaf| self.heap_scan(leaf, &entry.alias, used));
                union_all(scans.collect::<Result<_>>()?, types)
            }
        };
        Ok(Bound { rel, columns })
    }

    /// A scan of these columns of one heap relation.
    fn heap_scan(&mut self, relation: HeapRelation, alias: &str, used: &BTreeSet<i16>) -> Result<Rel> {
        let Ok(id) = u16::try_from(self.scans.len()) else {
            return Err(Refusal("the query has too many tables".to_owned()));
        };
        let column = |attnum: &i16| relation.columns.get(usize::try_from(attnum - 1).ok()?)?.as_ref();
        let found: Vec<&HeapColumn> = used.iter().filter_map(column).collect();
        let attnums: Vec<i16> = found.iter().map(|column| column.attnum).collect();
        let statistics = RelationStatistics::read(relation.heap, &attnums);
        let scan_columns = found.iter().enumerate().map(|(position, column)| ScanColumn {
            name: column.name.clone(),
            ty: column.ty,
            not_null: column.not_null,
            stats: statistics.column(position),
        });
        self.scans.push(ScanDef {
            relation: relation.name.clone(),
            alias: alias.to_owned(),
            relid: relation.heap,
            columns: scan_columns.collect(),
            rows: statistics.rows(),
            unique_keys: statistics.unique_keys(),
        });
        let filtered_rows = statistics.rows();
        self.statistics.push(statistics);
        self.relations.push(ScanRelation { relation, attnums });
        Ok(Rel::Scan { scan: ScanId(id), filtered_rows })
    }

    fn subquery(&mut self, rtindex: u32, query: QueryRef<'q>, used: &BTreeSet<i16>) -> Result<Bound<'q>> {
        let output = self.select(query, Some(used), Place::From)?;
        let column = |field: super::select::OutputField| Column {
            source: Source::Column(Var { rtindex, attnum: field.number, level: 0 }),
            ty: field.ty,
            held: field.held,
        };
        Ok(Bound { rel: output.rel, columns: output.columns.into_iter().map(column).collect() })
    }

    /// A WITH query, in place of its only reference.
    fn with(
        &mut self,
        rtindex: u32,
        name: &str,
        level: u32,
        recursive: bool,
        used: &BTreeSet<i16>,
    ) -> Result<Bound<'q>> {
        let owner = self.levels.len().checked_sub(1 + level as usize);
        let with = owner.and_then(|owner| self.levels.get(owner)).and_then(|query| query.with(name));
        let (Some(owner), Some(with)) = (owner, with) else {
            return Err(Refusal::unsupported(format_args!("WITH query \"{name}\" in this place")));
        };
        if recursive || with.recursive {
            return Err(Refusal::unsupported("WITH RECURSIVE"));
        }
        if with.references != 1 {
            return Err(Refusal::unsupported(format_args!("WITH query \"{name}\" that is used more than once")));
        }
        // Inside, WITH queries are counted from where it was written.
        let inner = self.levels.split_off(owner + 1);
        let bound = self.subquery(rtindex, with.query, used);
        self.levels.truncate(owner + 1);
        self.levels.extend(inner);
        bound
    }
}

/// The rows of all `inputs`, whose columns have these types.
pub(super) fn union_all(mut inputs: Vec<Rel>, types: Vec<TypeRef>) -> Rel {
    match inputs.len() {
        // Without rows, no columns are no row either.
        0 => Rel::Values { types, rows: Vec::new() },
        1 => inputs.remove(0),
        _ => Rel::UnionAll { inputs, types },
    }
}

/// Inputs and conjuncts of an inner-join component.
#[derive(Default)]
struct Component<'q> {
    inputs: Vec<Bound<'q>>,
    quals: Vec<NodeRef<'q>>,
}

/// Takes a condition apart at its ANDs.
fn push_conjuncts<'q>(condition: NodeRef<'q>, conjuncts: &mut Vec<NodeRef<'q>>) {
    match condition.view() {
        // The planner's simplification has flattened nested ANDs.
        Node::Bool { op: BoolOp::And, args } => conjuncts.extend(args),
        _ => conjuncts.push(condition),
    }
}

/// Whether an expression has columns, all of them from `start` up to `end`.
fn uses_only(expr: &Expr, start: usize, end: usize) -> bool {
    let (mut any, mut outside) = (false, false);
    visit_columns(expr, &mut |column| {
        any = true;
        outside |= !(start..end).contains(&(column as usize));
    });
    any && !outside
}
