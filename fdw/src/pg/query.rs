//! A safe view of an analysed and rewritten `Query`: its clauses, range table and join tree.
//!
//! The translation works on a copy ([`QueryRef::copy`]); [`QueryRef::normalise`] brings one query level of it into the form
//! that the planner would look at: no join aliases, no grouping aliases, constants folded, quals in canonical form.
//!
//! Invariant: as for [`NodeRef`]; `normalise` and `keep_targets` change the copy only, before its parts are viewed.

use super::node::{Node, NodeRef, Var, integers, nodes, optional, part, text};
use fusion_common::{Oid, TypeRef};
use fusion_proto::plan::{FrameExclusion, FrameUnit};
use pgrx::pg_sys::{self, NodeTag};
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

/// A SELECT, or a sub-select.
#[derive(Clone, Copy)]
pub struct QueryRef<'q> {
    query: NonNull<pg_sys::Query>,
    tree: PhantomData<&'q pg_sys::Query>,
}

/// A target list entry.
#[derive(Clone)]
pub struct Target<'q> {
    /// What is computed.
    pub expr: NodeRef<'q>,
    /// `resno`: column of the query, from 1.
    pub number: i16,
    /// `resname`.
    pub name: String,
    /// Not part of the result.
    pub junk: bool,
    /// What GROUP BY, DISTINCT and ORDER BY name it by; 0: they do not.
    pub reference: u32,
}

/// An entry of GROUP BY, DISTINCT or ORDER BY.
#[derive(Clone, Copy)]
pub struct SortGroup {
    /// [`Target::reference`].
    pub reference: u32,
    /// Equality operator.
    pub equality: Oid,
    /// Ordering operator; 0 where there is none.
    pub ordering: Oid,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// The join tree.
pub enum JoinTree<'q> {
    /// A range-table entry.
    Relation(u32),
    /// A list of FROM items, or an inner join, with its quals.
    Inner { items: Vec<JoinTree<'q>>, quals: Option<NodeRef<'q>> },
    /// Another join.
    Outer { kind: OuterKind, left: Box<JoinTree<'q>>, right: Box<JoinTree<'q>>, quals: Option<NodeRef<'q>> },
}

/// A clause of GROUP BY among grouping sets; expressions by [`Target::reference`].
pub enum GroupingSet {
    /// Some expressions, or none.
    Simple(Vec<u32>),
    /// ROLLUP.
    Rollup(Vec<Vec<u32>>),
    /// CUBE.
    Cube(Vec<Vec<u32>>),
    /// GROUPING SETS.
    Sets(Vec<GroupingSet>),
}

/// A window.
pub struct Window<'q> {
    /// What window functions name it by.
    pub reference: u32,
    /// PARTITION BY.
    pub partition: Vec<SortGroup>,
    /// ORDER BY.
    pub order: Vec<SortGroup>,
    /// What offsets count.
    pub unit: FrameUnit,
    /// Where frames start.
    pub start: FrameEnd<'q>,
    /// Where frames end.
    pub end: FrameEnd<'q>,
    /// EXCLUDE.
    pub exclusion: FrameExclusion,
}

/// An end of a frame.
#[allow(missing_docs)]
pub enum FrameEnd<'q> {
    Unbounded,
    CurrentRow,
    Preceding(NodeRef<'q>),
    Following(NodeRef<'q>),
}

/// A tree of UNION, INTERSECT and EXCEPT.
pub enum SetTree<'q> {
    /// A range-table entry, which is a sub-select.
    Leaf(u32),
    /// An operation.
    Operation(Box<SetOperation<'q>>),
}

/// A set operation.
pub struct SetOperation<'q> {
    /// Which.
    pub kind: pg_sys::SetOperation::Type,
    /// ALL.
    pub all: bool,
    /// Left side.
    pub left: SetTree<'q>,
    /// Right side.
    pub right: SetTree<'q>,
    /// Types of the result's columns; those of the sides may differ.
    pub types: Vec<TypeRef>,
    /// How rows compare, by column; empty for UNION ALL.
    pub equalities: Vec<Oid>,
    tree: PhantomData<&'q pg_sys::Query>,
}

/// Kinds of outer join.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OuterKind {
    Left,
    Right,
    Full,
}

/// A range-table entry.
pub struct RangeEntry<'q> {
    /// What it is.
    pub kind: RangeKind<'q>,
    /// Its name in the query.
    pub alias: String,
    /// What row security lets its user see, as conditions in the order in which they are evaluated.
    pub policies: Vec<NodeRef<'q>>,
    /// A security-barrier view.
    pub barrier: bool,
    /// TABLESAMPLE.
    pub sampled: bool,
    /// The entry itself.
    pub entry: *mut pg_sys::RangeTblEntry,
}

/// Kinds of range-table entry.
pub enum RangeKind<'q> {
    /// A table.
    Relation,
    /// A sub-select or view.
    Subquery(QueryRef<'q>),
    /// A reference to a WITH query, so many query levels up.
    With { name: String, level: u32, recursive: bool },
    /// VALUES: rows, and the types of the columns.
    Values { rows: Vec<Vec<NodeRef<'q>>>, types: Vec<TypeRef> },
    /// Anything else, in a user's words.
    Other(&'static str),
}

/// A WITH query.
pub struct With<'q> {
    /// The query.
    pub query: QueryRef<'q>,
    /// References to it.
    pub references: i32,
    /// WITH RECURSIVE that refers to itself.
    pub recursive: bool,
    /// NOT MATERIALIZED.
    pub inlined: bool,
}

impl<'q> QueryRef<'q> {
    /// # Safety
    /// `query` is null or a Query as [`NodeRef`]'s invariant says.
    pub unsafe fn new(query: *mut pg_sys::Query) -> Option<Self> {
        Some(Self { query: NonNull::new(query)?, tree: PhantomData })
    }

    /// A copy of `query` in the current memory context.
    ///
    /// # Safety
    /// `query` is a valid Query, and the current memory context outlives `'q`.
    pub unsafe fn copy(query: *mut pg_sys::Query) -> Self {
        // SAFETY: a valid Query; its copy is a Query that only this value knows.
        let copy = unsafe { pg_sys::copyObjectImpl(query.cast_const().cast()) };
        match NonNull::new(copy.cast()) {
            Some(query) => Self { query, tree: PhantomData },
            None => pgrx::error!("pg_fusion: there is no query to copy"),
        }
    }

    /// A copy in the current memory context, so that what is done to it is not done to this one.
    pub fn duplicate(self) -> Self {
        // SAFETY: a valid Query; the translation runs in the memory context that its copy lives in.
        unsafe { Self::copy(self.query.as_ptr()) }
    }

    fn get(&self) -> &pg_sys::Query {
        // SAFETY: the type's invariant; nothing changes the tree while the reference is used inside this file.
        unsafe { self.query.as_ref() }
    }

    /// The query as a node, for walks.
    pub fn node(self) -> NodeRef<'q> {
        part(self.query.as_ptr())
    }

    /// A clause that the engine's plan has no words for, in a user's words.
    pub fn unsupported_clause(self) -> Option<&'static str> {
        let query = self.get();
        let checks = [
            (query.commandType != pg_sys::CmdType::CMD_SELECT, "a statement other than SELECT"),
            (!query.utilityStmt.is_null(), "a utility statement"),
            (query.hasModifyingCTE, "a data-modifying statement in WITH"),
            (query.hasForUpdate || !query.rowMarks.is_null(), "FOR UPDATE or FOR SHARE"),
            (query.hasTargetSRFs, "a set-returning function in the select list"),
        ];
        checks.into_iter().find_map(|(found, name)| found.then_some(name))
    }

    /// Brings this query level into the planner's form (see the module). Sub-selects stay as they are.
    pub fn normalise(self) {
        let query = self.query.as_ptr();
        // SAFETY: the copy is ours alone, and no view of its parts exists yet; the functions take any expression, list
        // or join tree of `query` and give one back, whose type is that of the field.
        unsafe {
            let simplify = move |node: *mut pg_sys::Node| {
                if node.is_null() {
                    return node;
                }
                pg_sys::eval_const_expressions(null_mut(), flatten_aliases(query, node))
            };
            (*query).targetList = simplify(flatten_groups(query, (*query).targetList.cast())).cast();
            (*query).havingQual = simplify(flatten_groups(query, (*query).havingQual));
            (*query).jointree = simplify((*query).jointree.cast()).cast();
            for window in nodes((*query).windowClause) {
                let window = window.as_ptr().cast::<pg_sys::WindowClause>();
                (*window).startOffset = simplify((*window).startOffset);
                (*window).endOffset = simplify((*window).endOffset);
            }
            (*query).limitCount = simplify((*query).limitCount);
            (*query).limitOffset = simplify((*query).limitOffset);
            (*query).havingQual = pg_sys::canonicalize_qual((*query).havingQual.cast(), false).cast();
            canonicalise_quals((*query).jointree.cast());
            for entry in nodes((*query).rtable) {
                let entry = entry.as_ptr().cast::<pg_sys::RangeTblEntry>();
                (*entry).values_lists = simplify((*entry).values_lists.cast()).cast();
                (*entry).securityQuals = simplify((*entry).securityQuals.cast()).cast();
                forget_aliases(entry);
            }
        }
    }

    /// Drops target list entries that nobody wants: not in `wanted` (numbers) and not used for sorting or grouping. Where
    /// none is left, the first becomes a constant, so that what nobody wants is not even folded: it might fail.
    pub fn keep_targets(self, wanted: &BTreeSet<i16>) {
        let query = self.query.as_ptr();
        let mut kept = null_mut();
        let targets = nodes(self.get().targetList);
        // SAFETY: a target list holds TargetEntry nodes; the copy is ours alone; appending to a list makes or grows it.
        unsafe {
            let entry = |target: NodeRef<'q>| target.as_ptr().cast::<pg_sys::TargetEntry>();
            let is_kept = |target: NodeRef<'q>| {
                let entry = &*entry(target);
                entry.ressortgroupref != 0 || entry.resjunk || wanted.contains(&entry.resno)
            };
            for &target in targets.iter().filter(|target| is_kept(**target)) {
                kept = pg_sys::lappend(kept, target.as_ptr().cast());
            }
            if !targets.iter().any(|&target| is_kept(target) && !(*entry(target)).resjunk)
                && let Some(&first) = targets.iter().find(|target| !(*entry(**target)).resjunk)
            {
                (*entry(first)).expr = pg_sys::makeBoolConst(true, false).cast();
                kept = pg_sys::lappend(kept, first.as_ptr().cast());
            }
            (*query).targetList = kept;
        }
    }

    /// Takes away what EXISTS does not look at: the select list, but for what rows are grouped by, and a constant LIMIT of one or
    /// more.
    pub fn reduce_to_existence(self) {
        let query = self.query.as_ptr();
        // SAFETY: the copy is ours alone; LIMIT is an expression without columns, or null.
        unsafe {
            if !(*query).limitCount.is_null() {
                (*query).limitCount = pg_sys::eval_const_expressions(null_mut(), (*query).limitCount);
            }
        }
        let is_met = match self.limit().map(|limit| (limit.type_ref().oid, limit.view())) {
            Some((fusion_common::types::oid::INT8, Node::Const(count))) => {
                count.is_none_or(|count| count.bits() as i64 > 0)
            }
            _ => false,
        };
        if is_met {
            // SAFETY: the copy is ours alone.
            unsafe { (*query).limitCount = null_mut() };
        }
        if self.get().distinctClause.is_null() {
            self.keep_targets(&BTreeSet::new());
        }
    }

    /// Whether rows are grouped or aggregated.
    pub fn is_grouped(self) -> bool {
        let query = self.get();
        query.hasAggs || !query.groupClause.is_null() || !query.groupingSets.is_null() || !query.havingQual.is_null()
    }

    /// Whether all its rows are one group, of which it gives one row, or none by HAVING.
    pub fn is_one_group(self) -> bool {
        let query = self.get();
        self.is_grouped() && query.groupClause.is_null() && query.groupingSets.is_null()
    }

    /// Whether it gives one row, always.
    pub fn is_one_row(self) -> bool {
        let query = self.get();
        self.is_one_group()
            && query.havingQual.is_null()
            && query.limitCount.is_null()
            && query.limitOffset.is_null()
            && query.setOperations.is_null()
            && !query.hasTargetSRFs
    }

    /// Whether it is UNION, INTERSECT or EXCEPT.
    pub fn has_set_operations(self) -> bool {
        !self.get().setOperations.is_null()
    }

    /// A clause that cannot be said once for all rows of the query around, in a user's words.
    pub fn uncorrelatable_clause(self) -> Option<&'static str> {
        let query = self.get();
        let limited = !query.limitCount.is_null() || !query.limitOffset.is_null();
        let checks = [
            (limited && self.is_one_group(), "LIMIT or OFFSET over an aggregate"),
            (!query.setOperations.is_null(), "UNION, INTERSECT or EXCEPT"),
            (!query.groupingSets.is_null(), "GROUPING SETS, ROLLUP or CUBE"),
        ];
        checks.into_iter().find_map(|(found, name)| found.then_some(name))
    }

    /// Whether it is `SELECT … FROM … WHERE …` and nothing else; ORDER BY is not looked at.
    pub fn is_simple(self) -> bool {
        let query = self.get();
        !self.is_grouped()
            && query.setOperations.is_null()
            && !query.hasWindowFuncs
            && !query.hasDistinctOn
            && query.cteList.is_null()
            && query.limitOffset.is_null()
            && query.limitCount.is_null()
            && self.unsupported_clause().is_none()
    }

    /// LIMIT.
    pub fn limit(self) -> Option<NodeRef<'q>> {
        optional(self.get().limitCount)
    }

    /// OFFSET.
    pub fn offset(self) -> Option<NodeRef<'q>> {
        optional(self.get().limitOffset)
    }

    /// HAVING.
    pub fn having(self) -> Option<NodeRef<'q>> {
        optional(self.get().havingQual)
    }

    /// The set operations that the query consists of, if it does.
    pub fn set_operations(self) -> Option<SetTree<'q>> {
        optional(self.get().setOperations).map(set_tree)
    }

    /// Column `number` (from 1) of a side of a set operation, of type `from`, as the operation's result has it.
    pub fn coerced_column(self, number: i16, from: TypeRef, to: TypeRef) -> NodeRef<'q> {
        // SAFETY: a new Var and, around it, the conversion that the planner would make; the parser has looked that there is one.
        unsafe {
            let column = pg_sys::makeVar(
                SET_OPERATION_SIDE as _,
                number,
                from.oid.into(),
                from.typmod,
                from.collation.into(),
                0,
            );
            let context = c"UNION/INTERSECT/EXCEPT";
            let coerced = pg_sys::coerce_to_common_type(null_mut(), column.cast(), to.oid.into(), context.as_ptr());
            part(pg_sys::eval_const_expressions(null_mut(), coerced))
        }
    }

    /// The target list.
    pub fn targets(self) -> Vec<Target<'q>> {
        let target = |node: NodeRef<'q>| {
            // SAFETY: a target list holds TargetEntry nodes.
            let entry = unsafe { node.cast::<pg_sys::TargetEntry>() };
            Target {
                expr: part(entry.expr),
                number: entry.resno,
                name: text(entry.resname),
                junk: entry.resjunk,
                reference: entry.ressortgroupref,
            }
        };
        nodes(self.get().targetList).into_iter().map(target).collect()
    }

    /// GROUPING SETS and the like, with the plain expressions of GROUP BY beside them; empty where GROUP BY is plain.
    pub fn grouping_sets(self) -> Vec<GroupingSet> {
        nodes(self.get().groupingSets).into_iter().map(grouping_set).collect()
    }

    /// GROUP BY DISTINCT.
    pub fn is_group_distinct(self) -> bool {
        self.get().groupDistinct
    }

    /// The windows that window functions name.
    pub fn windows(self) -> Vec<Window<'q>> {
        // SAFETY: a windowClause holds WindowClause nodes.
        nodes(self.get().windowClause).into_iter().map(|node| Window::new(unsafe { node.cast() })).collect()
    }

    /// Whether DISTINCT is DISTINCT ON.
    pub fn is_distinct_on(self) -> bool {
        self.get().hasDistinctOn
    }

    /// Whether LIMIT is FETCH FIRST … WITH TIES.
    pub fn is_with_ties(self) -> bool {
        let query = self.get();
        !query.limitCount.is_null() && query.limitOption == pg_sys::LimitOption::LIMIT_OPTION_WITH_TIES
    }

    /// GROUP BY.
    pub fn group_by(self) -> Vec<SortGroup> {
        sort_groups(self.get().groupClause)
    }

    /// DISTINCT.
    pub fn distinct(self) -> Vec<SortGroup> {
        sort_groups(self.get().distinctClause)
    }

    /// ORDER BY.
    pub fn order_by(self) -> Vec<SortGroup> {
        sort_groups(self.get().sortClause)
    }

    /// FROM and WHERE.
    pub fn join_tree(self) -> JoinTree<'q> {
        join_tree(part(self.get().jointree))
    }

    /// A range-table entry; `rtindex` counts from 1.
    pub fn range_entry(self, rtindex: u32) -> Option<RangeEntry<'q>> {
        let node = *nodes(self.get().rtable).get(usize::try_from(rtindex).ok()?.checked_sub(1)?)?;
        // SAFETY: a range table holds RangeTblEntry nodes.
        let entry = unsafe { node.cast::<pg_sys::RangeTblEntry>() };
        use pg_sys::RTEKind as K;
        let kind = match entry.rtekind {
            K::RTE_RELATION => RangeKind::Relation,
            // SAFETY: a sub-select in the range table is a Query of the same tree.
            K::RTE_SUBQUERY => match unsafe { QueryRef::new(entry.subquery) } {
                Some(query) => RangeKind::Subquery(query),
                None => RangeKind::Other("a subquery without a query"),
            },
            K::RTE_CTE => {
                RangeKind::With { name: text(entry.ctename), level: entry.ctelevelsup, recursive: entry.self_reference }
            }
            K::RTE_FUNCTION => RangeKind::Other("a function in FROM"),
            K::RTE_TABLEFUNC => RangeKind::Other("XMLTABLE or JSON_TABLE"),
            K::RTE_VALUES => RangeKind::Values {
                // SAFETY: each of the lists is a list of expressions.
                rows: nodes(entry.values_lists).into_iter().map(|row| nodes(row.as_ptr().cast())).collect(),
                types: column_types(entry.coltypes, entry.coltypmods, entry.colcollations),
            },
            K::RTE_NAMEDTUPLESTORE => RangeKind::Other("a transition table"),
            _ => RangeKind::Other("an unknown kind of FROM item"),
        };
        // SAFETY: an entry's names are an Alias, or null.
        let alias = unsafe { entry.eref.as_ref() }.map(|names| text(names.aliasname)).unwrap_or_default();
        Some(RangeEntry {
            kind,
            alias,
            policies: nodes(entry.securityQuals),
            barrier: entry.security_barrier,
            sampled: !entry.tablesample.is_null(),
            entry: node.as_ptr().cast(),
        })
    }

    /// The WITH query of that name.
    pub fn with(self, name: &str) -> Option<With<'q>> {
        nodes(self.get().cteList).into_iter().find_map(|node| {
            // SAFETY: a cteList holds CommonTableExpr nodes, and after analysis their query is a Query.
            let (cte, query) = unsafe {
                let cte = node.cast::<pg_sys::CommonTableExpr>();
                (cte, QueryRef::new(cte.ctequery.cast())?)
            };
            (text(cte.ctename) == name).then_some(With {
                query,
                references: cte.cterefcount,
                recursive: cte.cterecursive,
                inlined: cte.ctematerialized == pg_sys::CTEMaterialize::CTEMaterializeNever,
            })
        })
    }

    /// Columns of this query's own range table that it or its sub-selects use.
    pub fn used_columns(self) -> Vec<Var> {
        // SAFETY: a valid Query; the function gives a new list of its Var nodes (and of PlaceHolderVars, which exist in
        // the planner only).
        let vars = nodes(unsafe { pg_sys::pull_vars_of_level(self.query.as_ptr().cast(), 0) });
        vars.into_iter()
            .filter(|node| node.tag() == NodeTag::T_Var)
            // SAFETY: the tag was looked at.
            .map(|node| Var { level: 0, ..Var::new(unsafe { node.cast() }) })
            .collect()
    }
}

impl<'q> NodeRef<'q> {
    /// Whether it refers to the query so many levels up (0: its own).
    pub fn has_columns_of_level(self, level: u32) -> bool {
        // SAFETY: a valid expression or query; the function only reads it.
        unsafe { pg_sys::contain_vars_of_level(self.as_ptr(), level as i32) }
    }
}

fn grouping_set(node: NodeRef<'_>) -> GroupingSet {
    // SAFETY: nothing but GroupingSet nodes stands among grouping sets.
    let set = unsafe { node.cast::<pg_sys::GroupingSet>() };
    use pg_sys::GroupingSetKind as K;
    let references =
        |list: *mut pg_sys::List| integers(list).into_iter().map(|reference| reference as u32).collect::<Vec<_>>();
    let parts = || {
        // SAFETY: see above; those of ROLLUP and CUBE are simple.
        let part = |node: NodeRef<'_>| references(unsafe { node.cast::<pg_sys::GroupingSet>() }.content);
        nodes(set.content).into_iter().map(part).collect()
    };
    match set.kind {
        K::GROUPING_SET_SIMPLE => GroupingSet::Simple(references(set.content)),
        K::GROUPING_SET_ROLLUP => GroupingSet::Rollup(parts()),
        K::GROUPING_SET_CUBE => GroupingSet::Cube(parts()),
        K::GROUPING_SET_SETS => GroupingSet::Sets(nodes(set.content).into_iter().map(grouping_set).collect()),
        _ => GroupingSet::Simple(Vec::new()),
    }
}

impl<'q> Window<'q> {
    fn new(window: &'q pg_sys::WindowClause) -> Self {
        let has = |option: u32| window.frameOptions as u32 & option != 0;
        let end = |current: u32, preceding: u32, following: u32, offset: *mut pg_sys::Node| {
            if has(current) {
                FrameEnd::CurrentRow
            } else if has(preceding) {
                FrameEnd::Preceding(part(offset))
            } else if has(following) {
                FrameEnd::Following(part(offset))
            } else {
                // The parser allows UNBOUNDED FOLLOWING as an end only, UNBOUNDED PRECEDING as a start only.
                FrameEnd::Unbounded
            }
        };
        Self {
            reference: window.winref,
            partition: sort_groups(window.partitionClause),
            order: sort_groups(window.orderClause),
            unit: if has(pg_sys::FRAMEOPTION_ROWS) {
                FrameUnit::Rows
            } else if has(pg_sys::FRAMEOPTION_GROUPS) {
                FrameUnit::Groups
            } else {
                FrameUnit::Range
            },
            start: end(
                pg_sys::FRAMEOPTION_START_CURRENT_ROW,
                pg_sys::FRAMEOPTION_START_OFFSET_PRECEDING,
                pg_sys::FRAMEOPTION_START_OFFSET_FOLLOWING,
                window.startOffset,
            ),
            end: end(
                pg_sys::FRAMEOPTION_END_CURRENT_ROW,
                pg_sys::FRAMEOPTION_END_OFFSET_PRECEDING,
                pg_sys::FRAMEOPTION_END_OFFSET_FOLLOWING,
                window.endOffset,
            ),
            exclusion: if has(pg_sys::FRAMEOPTION_EXCLUDE_CURRENT_ROW) {
                FrameExclusion::CurrentRow
            } else if has(pg_sys::FRAMEOPTION_EXCLUDE_GROUP) {
                FrameExclusion::Group
            } else if has(pg_sys::FRAMEOPTION_EXCLUDE_TIES) {
                FrameExclusion::Ties
            } else {
                FrameExclusion::Nothing
            },
        }
    }
}

fn sort_groups(list: *mut pg_sys::List) -> Vec<SortGroup> {
    let entry = |node: NodeRef<'_>| {
        // SAFETY: groupClause, distinctClause and sortClause hold SortGroupClause nodes (grouping sets are apart).
        let clause = unsafe { node.cast::<pg_sys::SortGroupClause>() };
        SortGroup {
            reference: clause.tleSortGroupRef,
            equality: clause.eqop.to_u32(),
            ordering: clause.sortop.to_u32(),
            nulls_first: clause.nulls_first,
        }
    };
    nodes(list).into_iter().map(entry).collect()
}

/// Types of columns that PostgreSQL keeps in three lists.
fn column_types(types: *mut pg_sys::List, typmods: *mut pg_sys::List, collations: *mut pg_sys::List) -> Vec<TypeRef> {
    // SAFETY: only called with such lists of nodes: of OIDs, of integers, of OIDs.
    let (types, typmods, collations) = unsafe {
        let cells = |list: *mut pg_sys::List| match list.as_ref() {
            Some(list) => std::slice::from_raw_parts(list.elements, list.length as usize),
            None => &[],
        };
        (cells(types), cells(typmods), cells(collations))
    };
    let columns = types.iter().zip(typmods).zip(collations);
    // SAFETY: as above.
    let types = columns.map(|((oid, typmod), collation)| unsafe {
        TypeRef { oid: oid.oid_value.to_u32(), typmod: typmod.int_value, collation: collation.oid_value.to_u32() }
    });
    types.collect()
}

/// Range-table index of the columns in [`QueryRef::coerced_column`].
pub const SET_OPERATION_SIDE: u32 = 1;

fn set_tree(node: NodeRef<'_>) -> SetTree<'_> {
    if node.tag() == NodeTag::T_RangeTblRef {
        // SAFETY: the tag was looked at.
        return SetTree::Leaf(unsafe { node.cast::<pg_sys::RangeTblRef>() }.rtindex as u32);
    }
    // SAFETY: nothing else stands in a tree of set operations.
    let operation = unsafe { node.cast::<pg_sys::SetOperationStmt>() };
    let types = column_types(operation.colTypes, operation.colTypmods, operation.colCollations);
    SetTree::Operation(Box::new(SetOperation {
        kind: operation.op,
        all: operation.all,
        left: set_tree(part(operation.larg)),
        right: set_tree(part(operation.rarg)),
        types,
        equalities: sort_groups(operation.groupClauses).into_iter().map(|clause| clause.equality).collect(),
        tree: PhantomData,
    }))
}

fn join_tree(node: NodeRef<'_>) -> JoinTree<'_> {
    match node.tag() {
        // SAFETY: the tag was looked at, here and below.
        NodeTag::T_RangeTblRef => JoinTree::Relation(unsafe { node.cast::<pg_sys::RangeTblRef>() }.rtindex as u32),
        NodeTag::T_FromExpr => {
            // SAFETY: see above.
            let from = unsafe { node.cast::<pg_sys::FromExpr>() };
            JoinTree::Inner {
                items: nodes(from.fromlist).into_iter().map(join_tree).collect(),
                quals: optional(from.quals),
            }
        }
        _ => {
            // SAFETY: nothing else but a JoinExpr stands in a join tree.
            let join = unsafe { node.cast::<pg_sys::JoinExpr>() };
            let (left, right, quals) = (join_tree(part(join.larg)), join_tree(part(join.rarg)), optional(join.quals));
            let kind = match join.jointype {
                pg_sys::JoinType::JOIN_LEFT => OuterKind::Left,
                pg_sys::JoinType::JOIN_RIGHT => OuterKind::Right,
                pg_sys::JoinType::JOIN_FULL => OuterKind::Full,
                // The parser makes no others but inner joins.
                _ => return JoinTree::Inner { items: vec![left, right], quals },
            };
            JoinTree::Outer { kind, left: Box::new(left), right: Box::new(right), quals }
        }
    }
}

/// Replaces references to joins by what they stand for.
///
/// # Safety
/// `node` is an expression, list or join tree of `query`.
pub(super) unsafe fn flatten_aliases(query: *mut pg_sys::Query, node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::flatten_join_alias_vars(query, node);
        // No PlannerInfo is needed for what the parser makes.
        #[cfg(not(feature = "pg15"))]
        return pg_sys::flatten_join_alias_vars(null_mut(), query, node);
    }
}

/// Replaces references to the grouping range-table entry of 18 by the GROUP BY expressions.
///
/// # Safety
/// `node` is an expression or list of `query`, or null.
pub(super) unsafe fn flatten_groups(query: *mut pg_sys::Query, node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    #[cfg(feature = "pg18")]
    // SAFETY: the caller's promise. Only to mark what grouping sets make NULL a PlannerInfo would be needed: the translation finds
    // those expressions again by themselves.
    unsafe {
        if (*query).hasGroupRTE && !node.is_null() {
            return pg_sys::flatten_group_exprs(null_mut(), query, node);
        }
    }
    let _ = query;
    node
}

/// Brings the quals of a join tree into canonical form (common conjuncts of OR branches pulled out).
///
/// # Safety
/// `node` is null or a node of a join tree that is ours alone.
unsafe fn canonicalise_quals(node: *mut pg_sys::Node) {
    let Some(tree) = optional(node) else { return };
    // SAFETY: the tag says what the node is; the quals were simplified before, as canonicalize_qual asks.
    unsafe {
        match tree.tag() {
            NodeTag::T_FromExpr => {
                let from = node.cast::<pg_sys::FromExpr>();
                (*from).quals = pg_sys::canonicalize_qual((*from).quals.cast(), false).cast();
                for item in nodes((*from).fromlist) {
                    canonicalise_quals(item.as_ptr());
                }
            }
            NodeTag::T_JoinExpr => {
                let join = node.cast::<pg_sys::JoinExpr>();
                (*join).quals = pg_sys::canonicalize_qual((*join).quals.cast(), false).cast();
                canonicalise_quals((*join).larg);
                canonicalise_quals((*join).rarg);
            }
            _ => {}
        }
    }
}

/// Empties the alias lists of a range-table entry, so that walks see only what is used.
///
/// # Safety
/// `entry` is a range-table entry that is ours alone.
pub(super) unsafe fn forget_aliases(entry: *mut pg_sys::RangeTblEntry) {
    // SAFETY: the caller's promise.
    unsafe {
        (*entry).joinaliasvars = null_mut();
        #[cfg(feature = "pg18")]
        {
            (*entry).groupexprs = null_mut();
        }
    }
}
