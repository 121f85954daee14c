//! A finished plan as a tree of the planner's estimates, without pointers: what [`crate::route::cost`] guesses its run time by.
//!
//! Invariant: nothing of the plan is kept; what is not known of a node leaves its kind `Other`.

use crate::pg::catalog::Relation;
use crate::pg::node::NodeRef;
use fusion_common::types::oid;
use pgrx::PgList;
use pgrx::pg_sys::{self, NodeTag};

/// A node of a plan.
#[derive(Clone, Debug, Default)]
pub struct PlanEstimate {
    /// What it does.
    pub kind: PlanKind,
    /// Rows that come out, per execution and process (`plan_rows`).
    pub rows: f64,
    /// Calls in its quals and target list, per row.
    pub calls: Calls,
    /// Works on a share of the rows in each process (`parallel_aware`).
    pub parallel_aware: bool,
    /// Its inputs: outer, then inner; those of Append.
    pub inputs: Vec<PlanEstimate>,
    /// Sub-plans that run once.
    pub init_plans: Vec<PlanEstimate>,
    /// Sub-plans of its expressions that run for each row.
    pub sub_plans: Vec<PlanEstimate>,
}

/// How many functions and operators are called, by what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// On values that are passed in a register.
    pub plain: u32,
    /// On numeric and strings.
    pub varlena: u32,
    /// Transitions of aggregates.
    pub aggregates: u32,
    /// Those over numeric.
    pub numeric_aggregates: u32,
}

/// What a node does, as far as its cost goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum PlanKind {
    /// All blocks of a relation, and all its tuples.
    SeqScan {
        /// Blocks.
        blocks: f64,
        /// `reltuples`.
        tuples: f64,
    },
    /// Rows by an index, one by one.
    IndexScan,
    /// Rows by an index, in the order of their blocks.
    BitmapScan,
    /// The inner side is executed for each outer row.
    NestLoop,
    /// Keeps results of its input by parameter, so many of them.
    Memoize {
        /// `est_entries`.
        entries: f64,
    },
    /// Keeps its input for further executions.
    Material,
    /// The inner side goes into a hash table.
    HashJoin,
    /// Both sides in order.
    MergeJoin,
    /// Sorts.
    Sort,
    /// Groups or aggregates; how many grouping columns.
    Aggregate {
        /// Grouping columns.
        keys: u32,
    },
    /// Collects the rows of so many workers and its own.
    Gather {
        /// Planned workers.
        workers: f64,
    },
    /// Anything else.
    #[default]
    Other,
}

impl PlanEstimate {
    /// Of a finished statement.
    ///
    /// # Safety
    /// `stmt` is a planned statement; the relations it scans are locked.
    pub unsafe fn of(stmt: *mut pg_sys::PlannedStmt) -> Self {
        // SAFETY: as the caller's.
        unsafe { Reader { stmt }.read((*stmt).planTree, 0) }
    }
}

/// Deeper plans are cut off: their costs are those of what is above.
const MAX_DEPTH: u32 = 100;

struct Reader {
    stmt: *mut pg_sys::PlannedStmt,
}

impl Reader {
    /// # Safety
    /// `plan` is null or a node of the statement's plan.
    unsafe fn read(&self, plan: *mut pg_sys::Plan, depth: u32) -> PlanEstimate {
        if plan.is_null() || depth > MAX_DEPTH {
            return PlanEstimate::default();
        }
        // SAFETY: the tag says which struct a node is, and all of them begin with Plan (scans with Scan, joins with Join).
        unsafe {
            let mut found = PlanEstimate {
                rows: (*plan).plan_rows,
                parallel_aware: (*plan).parallel_aware,
                ..PlanEstimate::default()
            };
            let mut expressions: Vec<*mut pg_sys::List> = vec![(*plan).qual, (*plan).targetlist];
            let mut inputs = vec![(*plan).lefttree, (*plan).righttree];
            found.kind = match (*plan).type_ {
                NodeTag::T_SeqScan | NodeTag::T_SampleScan => self.seq_scan(plan.cast()),
                NodeTag::T_IndexScan | NodeTag::T_IndexOnlyScan => PlanKind::IndexScan,
                NodeTag::T_BitmapHeapScan => PlanKind::BitmapScan,
                tag @ (NodeTag::T_NestLoop | NodeTag::T_HashJoin | NodeTag::T_MergeJoin) => {
                    expressions.push((*plan.cast::<pg_sys::Join>()).joinqual);
                    match tag {
                        NodeTag::T_NestLoop => PlanKind::NestLoop,
                        NodeTag::T_HashJoin => PlanKind::HashJoin,
                        _ => PlanKind::MergeJoin,
                    }
                }
                NodeTag::T_Memoize => {
                    PlanKind::Memoize { entries: f64::from((*plan.cast::<pg_sys::Memoize>()).est_entries) }
                }
                // A named tuplestore stands for a part that runs in the engine: its rows are kept as those of Material.
                NodeTag::T_Material | NodeTag::T_NamedTuplestoreScan => PlanKind::Material,
                NodeTag::T_Sort | NodeTag::T_IncrementalSort => PlanKind::Sort,
                NodeTag::T_Agg => PlanKind::Aggregate { keys: (*plan.cast::<pg_sys::Agg>()).numCols.max(0) as u32 },
                NodeTag::T_Group | NodeTag::T_Unique | NodeTag::T_SetOp => PlanKind::Aggregate { keys: 1 },
                NodeTag::T_Gather => {
                    PlanKind::Gather { workers: f64::from((*plan.cast::<pg_sys::Gather>()).num_workers) }
                }
                NodeTag::T_GatherMerge => {
                    PlanKind::Gather { workers: f64::from((*plan.cast::<pg_sys::GatherMerge>()).num_workers) }
                }
                NodeTag::T_Append => {
                    inputs.extend(plans((*plan.cast::<pg_sys::Append>()).appendplans));
                    PlanKind::Other
                }
                NodeTag::T_MergeAppend => {
                    inputs.extend(plans((*plan.cast::<pg_sys::MergeAppend>()).mergeplans));
                    PlanKind::Other
                }
                NodeTag::T_SubqueryScan => {
                    inputs.push((*plan.cast::<pg_sys::SubqueryScan>()).subplan);
                    PlanKind::Other
                }
                _ => PlanKind::Other,
            };
            inputs.retain(|input| !input.is_null());
            found.inputs = inputs.into_iter().map(|input| self.read(input, depth + 1)).collect();
            for init in PgList::<pg_sys::SubPlan>::from_pg((*plan).initPlan).iter_ptr() {
                found.init_plans.push(self.sub_plan(init, depth));
            }
            for list in expressions {
                self.count(list, depth, &mut found);
            }
            found
        }
    }

    /// # Safety
    /// `scan` is a scan node of the statement's plan.
    unsafe fn seq_scan(&self, scan: *mut pg_sys::Scan) -> PlanKind {
        // SAFETY: scanrelid is a position in the statement's range table, whose relations are locked.
        unsafe {
            let entries = PgList::<pg_sys::RangeTblEntry>::from_pg((*self.stmt).rtable);
            let relation = (*scan).scanrelid.checked_sub(1).and_then(|index| entries.get_ptr(index as usize));
            match relation.and_then(|entry| Relation::open((*entry).relid.to_u32())) {
                Some(relation) => PlanKind::SeqScan {
                    blocks: f64::from(relation.blocks().unwrap_or(0)),
                    tuples: f64::from((*(*relation.as_ptr()).rd_rel).reltuples).max((*scan).plan.plan_rows),
                },
                None => PlanKind::Other,
            }
        }
    }

    /// # Safety
    /// `node` is a SubPlan of the statement.
    unsafe fn sub_plan(&self, node: *mut pg_sys::SubPlan, depth: u32) -> PlanEstimate {
        // SAFETY: plan_id counts the statement's subplans from 1.
        unsafe {
            let plans = PgList::<pg_sys::Plan>::from_pg((*self.stmt).subplans);
            let index = usize::try_from((*node).plan_id).ok().and_then(|id| id.checked_sub(1));
            let plan = index.and_then(|index| plans.get_ptr(index)).unwrap_or(std::ptr::null_mut());
            self.read(plan, depth + 1)
        }
    }

    /// Counts the calls of a list of expressions.
    ///
    /// # Safety
    /// `list` is null or a list of expressions of the plan.
    unsafe fn count(&self, list: *mut pg_sys::List, depth: u32, found: &mut PlanEstimate) {
        // SAFETY: expressions of a plan that nobody changes.
        let Some(node) = (unsafe { NodeRef::new(list) }) else { return };
        node.any(|node| {
            let is_varlena =
                |ty: u32| matches!(ty, oid::NUMERIC | oid::TEXT | oid::VARCHAR | oid::BPCHAR) || ty > LAST_BUILT_IN;
            match node.tag() {
                NodeTag::T_OpExpr | NodeTag::T_FuncExpr | NodeTag::T_ScalarArrayOpExpr | NodeTag::T_DistinctExpr => {
                    // SAFETY: an expression; its first argument is one, too.
                    let first = unsafe { first_argument_type(node.as_ptr()) };
                    if is_varlena(first) || is_varlena(node.type_ref().oid) {
                        found.calls.varlena += 1;
                    } else {
                        found.calls.plain += 1;
                    }
                }
                NodeTag::T_Aggref => {
                    found.calls.aggregates += 1;
                    // SAFETY: as above.
                    let first = unsafe { first_argument_type(node.as_ptr()) };
                    found.calls.numeric_aggregates += u32::from(first == oid::NUMERIC);
                }
                NodeTag::T_SubPlan => {
                    let sub_plan = node.as_ptr().cast::<pg_sys::SubPlan>();
                    // SAFETY: the tag says so.
                    unsafe {
                        let plan = self.sub_plan(sub_plan, depth);
                        if (*sub_plan).useHashTable || (*sub_plan).parParam.is_null() {
                            found.init_plans.push(plan);
                        } else {
                            found.sub_plans.push(plan);
                        }
                    }
                }
                _ => {}
            }
            false
        });
    }
}

/// OIDs of built-in types are below this one (FirstUnpinnedObjectId).
const LAST_BUILT_IN: u32 = 12_000;

/// # Safety
/// `list` is null or a list of plans.
unsafe fn plans(list: *mut pg_sys::List) -> Vec<*mut pg_sys::Plan> {
    // SAFETY: as the caller's.
    unsafe { PgList::<pg_sys::Plan>::from_pg(list) }.iter_ptr().collect()
}

/// The type of an expression's first argument; 0 where there is none.
///
/// # Safety
/// `node` is an OpExpr, DistinctExpr, FuncExpr, ScalarArrayOpExpr or Aggref.
unsafe fn first_argument_type(node: *mut pg_sys::Node) -> u32 {
    // SAFETY: the tag says which struct it is; the arguments of an aggregate stand in target list entries, and exprType takes any
    // expression.
    unsafe {
        let args = match (*node).type_ {
            NodeTag::T_FuncExpr => (*node.cast::<pg_sys::FuncExpr>()).args,
            NodeTag::T_ScalarArrayOpExpr => (*node.cast::<pg_sys::ScalarArrayOpExpr>()).args,
            NodeTag::T_Aggref => (*node.cast::<pg_sys::Aggref>()).args,
            _ => (*node.cast::<pg_sys::OpExpr>()).args,
        };
        match PgList::<pg_sys::Node>::from_pg(args).get_ptr(0) {
            Some(first) if (*first).type_ == NodeTag::T_TargetEntry => {
                pg_sys::exprType((*first.cast::<pg_sys::TargetEntry>()).expr.cast()).to_u32()
            }
            Some(first) => pg_sys::exprType(first).to_u32(),
            None => 0,
        }
    }
}
