//! Which relations a partitioned table or inheritance parent is read as.
//!
//! They are those that the native plan has: PostgreSQL has expanded and pruned them by the query's quals, locked them, and put them
//! into the range table and `relationOids` of the statement, so that a cached plan locks them again and is invalidated with them.
//!
//! Invariant: what the native plan does not read cannot give a row of the result, wherever in the query the parent occurs: each
//! occurrence reads the leaves that any occurrence of that parent has in the native plan.

use super::Refusal;
use crate::pg::planner::{self, Child};
use crate::relation::HeapRelation;
use fusion_common::Oid;
use pgrx::pg_sys;

/// Children by parent, in the plan's order.
#[derive(Default)]
pub struct Leaves(Vec<Child>);

impl Leaves {
    /// Of a native plan.
    ///
    /// # Safety
    /// `stmt` is a valid planned statement.
    pub unsafe fn of(stmt: *mut pg_sys::PlannedStmt) -> Self {
        // SAFETY: as the caller's.
        let mut children = unsafe { planner::children(stmt) };
        let mut seen = std::collections::HashSet::new();
        children.retain(|child| seen.insert((child.parent, child.relid)));
        Self(children)
    }

    /// Whether the plan reads no parent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `heap` as the query reads it: with its leaves if it has children and `inherit` (no ONLY).
    pub fn read(&self, heap: HeapRelation, inherit: bool) -> Result<HeapRelation, Refusal> {
        if !heap.has_children || (!inherit && !heap.is_partitioned) {
            return Ok(heap);
        }
        let mut leaves = Vec::new();
        if inherit {
            self.collect(heap.heap, &mut leaves);
        }
        heap.with_leaves(&leaves).map_err(Refusal)
    }

    /// Inheritance trees are flat in a plan, the parent being its own first child; partitioned ones are not.
    fn collect(&self, parent: Oid, leaves: &mut Vec<Oid>) {
        for child in self.0.iter().filter(|child| child.parent == parent) {
            if child.is_partitioned {
                self.collect(child.relid, leaves);
            } else {
                leaves.push(child.relid);
            }
        }
    }
}
