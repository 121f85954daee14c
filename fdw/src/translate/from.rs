//! Which rows do FROM and WHERE give?
//!
//! Inner joins and comma lists become one flat [`Rel::InnerJoin`] with all conjuncts of WHERE and ON, in whatever order the
//! engine finds best; outer joins keep their sides. Sub-selects and views are translated where they stand, WITH queries where they are
//! used, or once if they are used more often.
//!
//! Row security and security-barrier views are the matter of `barrier`.
//!
//! In a component come first the inputs that depend on nothing, among them scalar sub-selects that conjuncts compare with; then
//! FROM items that depend on others (LATERAL, or the rows around the query); then sub-selects of WHERE, as joins.

use super::correlate::{Key, Need};
use super::expr::{branch_type, is_parameter};
use super::scope::{Bound, Column, Scope, Source, visit_columns};
use super::select::Place;
use super::sublink::{Scalar, SemiJoin, semi_join};
use super::{Refusal, Result, ScanRelation, Translator};
use crate::pg::node::{BoolOp, Node, NodeRef, Var, Walk};
use crate::pg::query::{JoinTree, OuterKind, QueryRef, RangeEntry, RangeKind};
use crate::relation::{HeapColumn, HeapRelation};
use crate::statistics::RelationStatistics;
use fusion_common::{ScanId, TypeRef};
use fusion_proto::plan::{Expr, ExprKind, JoinKind, Rel, ScanColumn, ScanDef, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What FROM and WHERE give.
pub(super) struct From<'q> {
    pub bound: Bound<'q>,
    /// Conjuncts that refer to the queries around, where they were to be set aside.
    pub aside: Vec<NodeRef<'q>>,
}

/// What becomes of conjuncts that refer to the queries around.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Correlated {
    /// They are applied: FROM has the columns.
    Here,
    /// They are set aside.
    Aside,
}

/// A WITH query that is used several times: computed once.
pub(super) struct SharedWith<'q> {
    /// As it was written.
    query: QueryRef<'q>,
    rel: Rel,
    columns: Vec<(i16, Column<'q>)>,
}

/// One query level whose FROM is translated.
struct Level<'q> {
    query: QueryRef<'q>,
    /// Columns that the level uses, by range-table index.
    used: BTreeMap<u32, BTreeSet<i16>>,
}

impl<'q> Translator<'q, '_> {
    /// FROM and WHERE of `query`, joined with a domain if there is one.
    pub(super) fn rows_of(
        &mut self,
        query: QueryRef<'q>,
        correlated: Correlated,
        domain: Option<Bound<'q>>,
    ) -> Result<From<'q>> {
        let mut used: BTreeMap<u32, BTreeSet<i16>> = BTreeMap::new();
        for var in query.used_columns() {
            used.entry(var.rtindex).or_default().insert(var.attnum);
        }
        let level = Level { query, used };
        let component = Component { domain, ..Component::default() };
        self.component(&level, query.join_tree(), correlated, component)
    }

    /// A join tree, its inner joins flattened.
    fn component(
        &mut self,
        level: &Level<'q>,
        tree: JoinTree<'q>,
        correlated: Correlated,
        mut component: Component<'q>,
    ) -> Result<From<'q>> {
        self.nested(|translator| translator.gather(level, tree, &mut component))?;
        let Component { mut inputs, quals, dependent, domain } = component;
        inputs.splice(0..0, domain);
        let is_late = |conjunct: NodeRef<'q>| {
            let of_dependent = |node: NodeRef<'q>| matches!(node.view(), Node::Var(var) if dependent.iter().any(|item| item.rtindex == var.rtindex));
            !dependent.is_empty() && conjunct.any(of_dependent)
        };

        let mut inner = InnerInputs { inputs, plain: Vec::new(), semi_joins: Vec::new() };
        let (mut with_sublinks, mut keyed) = (Vec::new(), Vec::new());
        let (mut late, mut aside) = (Vec::new(), Vec::new());
        for conjunct in quals {
            if correlated == Correlated::Aside && !conjunct.outer_columns().is_empty() {
                aside.push(conjunct);
            } else if let Some(join) = semi_join(conjunct) {
                inner.semi_joins.push(join);
            } else if is_late(conjunct) {
                late.push(conjunct);
            } else if !has_sublink(conjunct) {
                inner.plain.push(conjunct);
            } else {
                with_sublinks.push(conjunct);
            }
        }
        let mut joined = Vec::new();
        for conjunct in with_sublinks {
            let Some(scalars) = self.scalars_to_join(conjunct, &mut inner)? else {
                late.push(conjunct);
                continue;
            };
            for Scalar { bound, keys } in scalars {
                keyed.extend(keys.into_iter().map(|(column, key)| (inner.inputs.len(), column, key)));
                inner.inputs.push(bound);
            }
            joined.push(conjunct);
        }
        self.pass_barriers(&mut inner)?;
        let InnerInputs { inputs, mut plain, semi_joins } = inner;
        plain.extend(joined);
        let mut bound = self.inner_join(inputs, &plain, &keyed)?;
        for item in dependent {
            bound = self.join_dependent(bound, &item, None, Vec::new())?;
        }
        for join in semi_joins {
            bound = self.join_sublink(bound, join)?;
        }
        for conjunct in late {
            bound = self.filtered(bound, conjunct)?;
        }
        Ok(From { bound, aside })
    }

    /// The input that has all outer columns of `keys`, if its own conjuncts leave few of its rows: they are applied to it now, and it
    /// is shared, so that a sub-select need only look at rows that equal one of these.
    pub(super) fn few_rows(&mut self, inner: &mut InnerInputs<'q>, keys: &[Key<'q>]) -> Result<Option<Bound<'q>>> {
        let vars: Vec<Var> = keys.iter().flat_map(|key| key.outer.outer_columns()).collect();
        let Some(Var { rtindex, .. }) = vars.first().copied() else { return Ok(None) };
        if vars.iter().any(|var| var.level != 1 || var.rtindex != rtindex) {
            return Ok(None);
        }
        let has_all = |input: &Bound<'q>| {
            vars.iter().all(|var| input.position(Source::Column(Var { level: 0, ..*var })).is_some())
        };
        let Some(at) = inner.inputs.iter().position(has_all) else { return Ok(None) };
        let scan = match inner.inputs[at].rel {
            Rel::Shared { .. } => return Ok(Some(inner.inputs[at].clone())),
            Rel::Scan { scan, .. } => scan,
            _ => return Ok(None),
        };
        let is_own = |conjunct: &NodeRef<'q>| {
            let of_other =
                |node: NodeRef<'q>| matches!(node.view(), Node::Var(var) if var.rtindex != rtindex || var.level > 0);
            conjunct.has_columns_of_level(0) && !conjunct.any(of_other)
        };
        let (own, others): (Vec<_>, Vec<_>) = inner.plain.iter().copied().partition(is_own);
        let (tests, other_joins): (Vec<_>, Vec<_>) =
            inner.semi_joins.iter().copied().partition(|join| join.tests_only(rtindex));
        let mut bound = self.inner_join(vec![inner.inputs[at].clone()], &own, &[])?;
        let rows = self.scans.get(usize::from(scan.0)).map_or(0.0, |scan| scan.rows);
        if tests.is_empty() && scanned_rows(&bound.rel).is_none_or(|filtered| filtered > FEW_ROWS * rows) {
            return Ok(None);
        }
        for join in tests {
            bound = self.join_sublink(bound, join)?;
        }
        inner.inputs[at] = self.share(bound);
        (inner.plain, inner.semi_joins) = (others, other_joins);
        Ok(Some(inner.inputs[at].clone()))
    }

    /// Collects the inputs and conjuncts of nested inner joins.
    fn gather(&mut self, level: &Level<'q>, tree: JoinTree<'q>, component: &mut Component<'q>) -> Result<()> {
        match tree {
            JoinTree::Relation(rtindex) => match self.dependent(level, rtindex)? {
                Some(item) => component.dependent.push(item),
                None => component.inputs.push(self.relation(level, rtindex)?),
            },
            JoinTree::Inner { items, quals } => {
                for item in items {
                    self.nested(|translator| translator.gather(level, item, component))?;
                }
                if let Some(quals) = quals {
                    push_conjuncts(quals, &mut component.quals);
                }
            }
            JoinTree::Outer { kind, left, right, quals } => {
                // A domain that the join itself names goes into its left side.
                let named = kind == OuterKind::Left && names_outer(level, &right, quals);
                let domain = if named { component.domain.take() } else { None };
                component.inputs.push(self.outer_join(level, kind, *left, *right, quals, domain)?);
            }
        }
        Ok(())
    }

    /// Joins `inputs`. Of `keyed` each is an input, a column of it, and the key that says what it equals.
    fn inner_join(
        &mut self,
        inputs: Vec<Bound<'q>>,
        conjuncts: &[NodeRef<'q>],
        keyed: &[(usize, usize, Key<'q>)],
    ) -> Result<Bound<'q>> {
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
        if !keyed.is_empty() {
            let below = Scope::new(scope.columns.iter().map(Column::seen_below).collect());
            for (input, column, key) in keyed {
                let position = offsets[*input] + column;
                predicates.push(self.key_equality(key, scope.columns[position].at(position), &below)?);
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
    pub(super) fn estimate(&self, rel: &mut Rel, own: &[&Expr], offset: usize) {
        match rel {
            Rel::Scan { scan, filtered_rows } => {
                if let Some(statistics) = self.statistics.get(usize::from(scan.0)) {
                    *filtered_rows = statistics.filtered_rows(own, offset);
                }
            }
            Rel::UnionAll { inputs, .. } => inputs.iter_mut().for_each(|input| self.estimate(input, own, offset)),
            // What stands above may leak: nothing is to be learned of hidden values from what it lets pass.
            Rel::Barrier { input } => {
                let (input, conditions) = below_filters(input);
                self.estimate(input, &conditions.iter().collect::<Vec<_>>(), 0);
            }
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
        domain: Option<Bound<'q>>,
    ) -> Result<Bound<'q>> {
        let (kind, left, right) = match kind {
            OuterKind::Left => (JoinKind::Left, left, right),
            OuterKind::Right => (JoinKind::Left, right, left),
            OuterKind::Full => (JoinKind::Full, left, right),
        };
        let mut conjuncts = Vec::new();
        if let Some(quals) = quals {
            push_conjuncts(quals, &mut conjuncts);
        }
        let component = Component { domain, ..Component::default() };
        let mut left = self.component(level, left, Correlated::Here, component)?.bound;
        if let (JoinKind::Left, JoinTree::Relation(rtindex)) = (kind, &right)
            && let Some(item) = self.dependent(level, *rtindex)?
        {
            return self.join_dependent(left, &item, Some(kind), conjuncts);
        }
        let mut right = self.component(level, right, Correlated::Here, Component::default())?.bound;
        for &conjunct in &conjuncts {
            // A sub-select that one side has all columns for is computed there.
            let uses = |side: &Bound<'q>| conjunct_sublinks_use(conjunct, side);
            if has_sublink(conjunct) {
                match (uses(&left), uses(&right)) {
                    (_, false) => left = self.with_sublinks(left, [conjunct])?,
                    (false, true) => right = self.with_sublinks(right, [conjunct])?,
                    (true, true) => {
                        return Err(Refusal::unsupported("a subquery over both sides of an outer join in its ON"));
                    }
                }
            }
        }
        let columns = left.columns.into_iter().chain(right.columns).collect();
        let scope = Scope::new(columns);
        let predicates =
            conjuncts.into_iter().map(|conjunct| self.condition(conjunct, &scope)).collect::<Result<_>>()?;
        let rel = Rel::Join { kind, left: Box::new(left.rel), right: Box::new(right.rel), predicates };
        Ok(Bound { rel, columns: scope.columns })
    }

    /// A FROM item that depends on others beside it or on the rows around the query.
    fn dependent(&mut self, level: &Level<'q>, rtindex: u32) -> Result<Option<Dependent<'q>>> {
        let entry = level.query.range_entry(rtindex);
        let query = match entry.as_ref().map(|entry| &entry.kind) {
            Some(RangeKind::Subquery(query)) => Some(*query),
            // One that was written further out has its own levels.
            Some(RangeKind::With { name, level: 0, recursive: false }) => {
                level.query.with(name).filter(|with| !with.recursive).map(|with| with.query)
            }
            _ => None,
        };
        let Some(query) = query.filter(|query| !query.node().outer_columns().is_empty()) else { return Ok(None) };
        check_entry(&entry)?;
        if entry.is_some_and(|entry| entry.barrier) {
            return Err(Refusal::unsupported("a security-barrier view beside what it depends on"));
        }
        let query = query.duplicate();
        let used = level.used.get(&rtindex).cloned().unwrap_or_default();
        if used.contains(&0) {
            return Err(Refusal::unsupported("a whole-row reference"));
        }
        if query.distinct().is_empty() && !query.has_set_operations() {
            query.keep_targets(&used);
        }
        Ok(Some(Dependent { rtindex, query }))
    }

    /// Joins a dependent item; without a kind, as inner joins do.
    fn join_dependent(
        &mut self,
        left: Bound<'q>,
        item: &Dependent<'q>,
        kind: Option<JoinKind>,
        conjuncts: Vec<NodeRef<'q>>,
    ) -> Result<Bound<'q>> {
        let related = self.relate(left, item.query, Need::Rows)?;
        let mut columns = related.left.columns;
        for (typed, number) in related.outputs.iter().zip(&related.numbers) {
            let source = Source::Column(Var { rtindex: item.rtindex, attnum: *number, level: 0 });
            columns.push(Column { source, ty: typed.expr.ty, held: typed.held });
        }
        let scope = Scope::new(columns);
        let mut predicates = related.predicates;
        for conjunct in conjuncts {
            predicates.push(self.condition(conjunct, &scope)?);
        }
        let exprs = scope.columns.iter().enumerate().map(|(at, column)| column.at(at).expr).collect();
        let rel = match kind {
            Some(kind) => {
                Rel::Join { kind, left: Box::new(related.left.rel), right: Box::new(related.right), predicates }
            }
            None => Rel::InnerJoin { inputs: vec![related.left.rel, related.right], predicates },
        };
        // Without what relates the rows.
        Ok(Bound { rel: Rel::Project { input: Box::new(rel), exprs }, columns: scope.columns })
    }

    /// A range-table entry.
    fn relation(&mut self, level: &Level<'q>, rtindex: u32) -> Result<Bound<'q>> {
        let Some(entry) = level.query.range_entry(rtindex) else {
            return Err(Refusal("the query's range table is incomplete".to_owned()));
        };
        let entry = Some(entry);
        check_entry(&entry)?;
        let Some(entry) = entry else { return Err(Refusal::unsupported("this FROM item")) };
        let nothing = BTreeSet::new();
        let used = level.used.get(&rtindex).unwrap_or(&nothing);
        if used.contains(&0) {
            return Err(Refusal::unsupported("a whole-row reference"));
        }
        let bound = match &entry.kind {
            RangeKind::Relation => self.scan(rtindex, &entry, used),
            RangeKind::Subquery(query) => self.subquery(rtindex, *query, used),
            RangeKind::With { name, level, recursive } => self.with(rtindex, name, *level, *recursive, used),
            RangeKind::Values { rows, types } => self.values(rtindex, rows, types, used),
            RangeKind::Other(what) => Err(Refusal::unsupported(what)),
        }?;
        if entry.barrier || !entry.policies.is_empty() {
            return self.secured(bound, &entry.policies);
        }
        Ok(bound)
    }

    /// The rows of `bound` for which a condition, which may have sub-selects, is true.
    pub(super) fn filtered(&mut self, bound: Bound<'q>, condition: NodeRef<'q>) -> Result<Bound<'q>> {
        let bound = self.with_sublinks(bound, [condition])?;
        let predicate = self.condition(condition, &Scope::new(bound.columns.clone()))?;
        Ok(bound.filter(vec![predicate]))
    }

    /// VALUES, of which nothing but what the backend can evaluate is known here.
    fn values(
        &mut self,
        rtindex: u32,
        rows: &[Vec<NodeRef<'q>>],
        types: &[TypeRef],
        used: &BTreeSet<i16>,
    ) -> Result<Bound<'q>> {
        // Rows of no columns could not be told from none.
        let first = BTreeSet::from([1]);
        let used = if used.is_empty() { &first } else { used };
        let mut values: Vec<Vec<Expr>> = rows.iter().map(|_| Vec::with_capacity(used.len())).collect();
        let (mut columns, mut kept) = (Vec::with_capacity(used.len()), Vec::with_capacity(used.len()));
        for &attnum in used {
            let position = usize::try_from(attnum - 1).unwrap_or(usize::MAX);
            let Some(&ty) = types.get(position) else {
                return Err(Refusal("VALUES has no such column".to_owned()));
            };
            let mut branches = Vec::with_capacity(rows.len());
            for (row, values) in rows.iter().zip(&mut values) {
                let Some(&node) = row.get(position) else {
                    return Err(Refusal("VALUES has no such column".to_owned()));
                };
                let value = self.expr(node, &Scope::default())?;
                values.push(value.expr.clone());
                branches.push(value);
            }
            let held = branch_type(&branches, ty)?;
            columns.push(Column { source: Source::Column(Var { rtindex, attnum, level: 0 }), ty, held });
            kept.push(ty);
        }
        Ok(Bound { rel: Rel::Values { types: kept, rows: values }, columns })
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
        let bound = Bound { rel: output.rel, columns: output.columns.into_iter().map(column).collect() };
        Ok(self.raise_barrier(bound))
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
        if !with.query.node().outer_columns().is_empty() {
            return Err(Refusal::unsupported(format_args!(
                "WITH query \"{name}\" that refers to an outer query in this place"
            )));
        }
        // Inside, WITH queries are counted from where it was written.
        let inner = self.levels.split_off(owner + 1);
        let bound = if with.references > 1 && !with.inlined {
            self.shared_with(rtindex, with.query)
        } else {
            self.subquery(rtindex, with.query.duplicate(), used)
        };
        self.levels.truncate(owner + 1);
        self.levels.extend(inner);
        bound
    }

    /// A reference to a WITH query that is used several times.
    fn shared_with(&mut self, rtindex: u32, query: QueryRef<'q>) -> Result<Bound<'q>> {
        let is_this = |with: &SharedWith<'q>| with.query.node().as_ptr() == query.node().as_ptr();
        if !self.withs.iter().any(is_this) {
            let all = self.select(query.duplicate(), None, Place::From)?;
            let column = |field: &super::select::OutputField| {
                (field.number, Column { source: Source::Hidden, ty: field.ty, held: field.held })
            };
            let columns = all.columns.iter().map(column).collect();
            let rel = self.share_rel(all.rel);
            self.withs.push(SharedWith { query, rel, columns });
        }
        let Some(with) = self.withs.iter().find(|with| is_this(with)) else {
            return Err(Refusal::unsupported("this WITH query"));
        };
        let column = |(attnum, column): &(i16, Column<'q>)| Column {
            source: Source::Column(Var { rtindex, attnum: *attnum, level: 0 }),
            ..column.clone()
        };
        Ok(Bound { rel: with.rel.clone(), columns: with.columns.iter().map(column).collect() })
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
    dependent: Vec<Dependent<'q>>,
    /// An input that comes first, where it has not gone into one of the others.
    domain: Option<Bound<'q>>,
}

/// The inputs of an inner join, and the conjuncts that have no place yet.
pub(super) struct InnerInputs<'q> {
    pub(super) inputs: Vec<Bound<'q>>,
    /// Without sub-selects.
    pub(super) plain: Vec<NodeRef<'q>>,
    semi_joins: Vec<SemiJoin<'q>>,
}

/// The fraction of a relation's rows up to which they are few enough to look for them in a sub-select first.
const FEW_ROWS: f64 = 0.2;

/// The estimated rows of a filtered scan.
fn scanned_rows(rel: &Rel) -> Option<f64> {
    match rel {
        Rel::Scan { filtered_rows, .. } => Some(*filtered_rows),
        Rel::Filter { input, .. } => scanned_rows(input),
        _ => None,
    }
}

/// What the filters over a relation are of, and their conditions.
fn below_filters(mut rel: &mut Rel) -> (&mut Rel, Vec<Expr>) {
    let mut conditions = Vec::new();
    while let Rel::Filter { input, predicates } = rel {
        conditions.extend(predicates.iter().cloned());
        rel = input;
    }
    (rel, conditions)
}

/// A FROM item that depends on others.
struct Dependent<'q> {
    rtindex: u32,
    query: QueryRef<'q>,
}

/// Refuses a range-table entry for what is said of it beside its kind.
fn check_entry(entry: &Option<RangeEntry<'_>>) -> Result<()> {
    let Some(entry) = entry else { return Ok(()) };
    if entry.sampled {
        return Err(Refusal::unsupported("TABLESAMPLE"));
    }
    Ok(())
}

/// Whether the right side of a left join, or its ON, names columns of the queries around.
fn names_outer<'q>(level: &Level<'q>, right: &JoinTree<'q>, quals: Option<NodeRef<'q>>) -> bool {
    if quals.is_some_and(|quals| !quals.outer_columns().is_empty()) {
        return true;
    }
    match right {
        JoinTree::Relation(rtindex) => match level.query.range_entry(*rtindex).map(|entry| entry.kind) {
            Some(RangeKind::Subquery(query)) => query.node().outer_columns().iter().any(|var| var.level > 1),
            _ => false,
        },
        JoinTree::Inner { .. } | JoinTree::Outer { .. } => false,
    }
}

fn has_sublink(node: NodeRef<'_>) -> bool {
    node.any(|node| matches!(node.view(), Node::SubLink(_)))
}

/// Whether sub-selects in an expression, or what they are compared with, name columns of `side`.
fn conjunct_sublinks_use<'q>(conjunct: NodeRef<'q>, side: &Bound<'q>) -> bool {
    let mut found = false;
    let mut tests = vec![conjunct];
    let mut in_test = false;
    while let Some(node) = tests.pop() {
        node.walk(|node| match node.view() {
            Node::SubLink(link) => {
                tests.extend(link.test);
                let vars = link.query.node().outer_columns().into_iter().filter(|var| var.level == 1);
                found |= vars.into_iter().any(|var| side.position(Source::Column(Var { level: 0, ..var })).is_some());
                Walk::Over
            }
            Node::Var(var) if in_test => {
                found |= side.position(Source::Column(var)).is_some();
                Walk::Over
            }
            _ => Walk::Into,
        });
        in_test = true;
    }
    found
}

/// Takes a condition apart at its ANDs.
pub(super) fn push_conjuncts<'q>(condition: NodeRef<'q>, conjuncts: &mut Vec<NodeRef<'q>>) {
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
