//! Query → plan IR, or the reason why not.
//!
//! `route` hands over the analysed and rewritten Query; [`translate`] says it in the engine's algebra. One file answers one
//! question:
//!
//! | file | question |
//! | --- | --- |
//! | [`select`] | in which order are the clauses of one SELECT applied? |
//! | [`from`] | which rows do FROM and WHERE give? |
//! | [`set_operation`] | which rows do UNION, INTERSECT and EXCEPT give? |
//! | [`sublink`] | which joins compute the sub-selects of expressions? |
//! | [`correlate`] | how does a sub-select depend on the rows around it? |
//! | [`nullable`] | can this expression be NULL? |
//! | [`aggregate`] | what do GROUP BY and the aggregates compute? |
//! | [`grouping`] | which sets of expressions does GROUP BY group by? |
//! | [`window`] | what do window functions compute? |
//! | [`sort`] | who sorts, the engine or PostgreSQL? |
//! | [`expr`] | what does this expression compute, and may it be computed in the engine? |
//! | [`operator`] | which comparison is this built-in operator? |
//! | [`collation`] | does this collation compare by bytes? |
//! | [`constant`] | how does the engine hold this value? |
//! | [`scope`] | which column does a name mean here? |
//!
//! Invariants: a plan that comes out has PostgreSQL's meaning exactly; whatever is not known to be so is a [`Refusal`]. The
//! query that comes in is not changed. Nothing is executed, but for the immutable functions that the planner folds, too.

mod aggregate;
mod barrier;
mod collation;
pub mod constant;
mod correlate;
mod expr;
mod from;
mod grouping;
mod nullable;
mod operator;
mod scope;
mod select;
mod set_operation;
mod sort;
mod sublink;
mod window;

use crate::pg::names;
use crate::pg::node::{Node, NodeRef};
use crate::pg::query::QueryRef;
use crate::relation::HeapRelation;
use crate::statistics::RelationStatistics;
use from::SharedWith;
use fusion_common::limits::MAX_TUPLE_ATTRIBUTES;
use fusion_proto::plan::{OutputColumn, Plan, Rel, ScanDef, Unsupported};
use pgrx::pg_sys;
use scope::Typed;
pub use sort::PostSort;

/// Expressions and sub-selects nested deeper than this are refused: the engine's recursion is bounded, too.
const MAX_DEPTH: u32 = 200;
/// Trees deeper than this are not even looked at: PostgreSQL's planner may manage them, our walks need more stack.
const MAX_TREE_DEPTH: u32 = 2 * MAX_DEPTH;

/// A query in the engine's words.
pub struct Translation {
    /// The plan.
    pub plan: Plan,
    /// What `plan.scans` reads, by ScanId.
    pub relations: Vec<ScanRelation>,
    /// `ExprKind::Param(i)`: expressions without columns that the backend evaluates when execution starts. They live in the
    /// memory context that was current at [`translate`].
    pub params: Vec<*mut pg_sys::Expr>,
    /// Sorting that PostgreSQL must do above the plan.
    pub post_sort: Option<PostSort>,
}

/// A heap relation that the plan scans.
pub struct ScanRelation {
    /// The heap relation.
    pub relation: HeapRelation,
    /// Heap attribute numbers of `ScanDef::columns`, same order.
    pub attnums: Vec<i16>,
}

/// Why a query does not translate, in words a user knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Refusal {
    fn unsupported(what: impl std::fmt::Display) -> Self {
        Self(format!("{what} is not supported in the engine"))
    }
}

impl From<Unsupported> for Refusal {
    fn from(reason: Unsupported) -> Self {
        Self(reason.0)
    }
}

type Result<T> = std::result::Result<T, Refusal>;

/// How the caller finds the heap relation of a range-table entry.
pub type Resolve<'r> = dyn Fn(u32, *mut pg_sys::RangeTblEntry) -> Result<HeapRelation> + 'r;

/// Translates a SELECT. `resolve` is asked for each table in it.
///
/// # Safety
/// `query` is a valid, analysed and rewritten Query; the current memory context lives as long as the translation is used.
pub unsafe fn translate(query: *mut pg_sys::Query, resolve: &Resolve<'_>) -> Result<Translation> {
    // SAFETY: the caller's promise.
    let query = unsafe { QueryRef::copy(query) };
    check_depth(query.node())?;
    refuse_volatile(query.node())?;
    let mut translator = Translator::new(resolve);
    let output = translator.select(query, None, select::Place::Top)?;
    let names = output.columns.into_iter().map(|column| OutputColumn { name: column.name, ty: column.ty });
    let plan = Plan { scans: translator.scans, shared: translator.shared, root: output.rel, output: names.collect() };
    let params = translator.params.into_iter().map(|param| param.as_ptr().cast()).collect();
    Ok(Translation { plan, relations: translator.relations, params, post_sort: output.post_sort })
}

/// What has been gathered so far, over all query levels.
struct Translator<'q, 'r> {
    resolve: &'r Resolve<'r>,
    /// Plan parts, by ScanId: what the engine is told, what the feed reads, what is known of the values.
    scans: Vec<ScanDef>,
    relations: Vec<ScanRelation>,
    statistics: Vec<RelationStatistics>,
    params: Vec<NodeRef<'q>>,
    /// `Plan::shared`.
    shared: Vec<Rel>,
    /// WITH queries that are used several times.
    withs: Vec<SharedWith<'q>>,
    /// Operands of the simple CASEs around the current expression.
    case_operands: Vec<Typed>,
    /// The queries around the current one, itself last.
    levels: Vec<QueryRef<'q>>,
    depth: u32,
}

impl<'q, 'r> Translator<'q, 'r> {
    fn new(resolve: &'r Resolve<'r>) -> Self {
        Self {
            resolve,
            scans: Vec::new(),
            relations: Vec::new(),
            statistics: Vec::new(),
            params: Vec::new(),
            shared: Vec::new(),
            withs: Vec::new(),
            case_operands: Vec::new(),
            levels: Vec::new(),
            depth: 0,
        }
    }

    /// Runs `inner` one nesting level down.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

/// Refuses what may give another result each time it is evaluated, by name.
fn refuse_volatile(node: NodeRef<'_>) -> Result<()> {
    if !node.is_volatile() {
        return Ok(());
    }
    let mut name = None;
    node.any(|node| {
        let function = match node.view() {
            Node::Function(call) | Node::Operator(call) => call.function,
            _ => return false,
        };
        if names::is_volatile_function(function) {
            name = Some(names::function(function));
        }
        name.is_some()
    });
    Err(match name {
        Some(name) => Refusal(format!("function {name} is volatile")),
        None => Refusal("the query contains a volatile expression".to_owned()),
    })
}

/// Refuses a tree that is too deep to walk with the stack that a backend has. Expressions are bounded more tightly, by
/// [`MAX_DEPTH`].
fn check_depth(node: NodeRef<'_>) -> Result<()> {
    if node.is_deeper_than(MAX_TREE_DEPTH) { Err(too_deep()) } else { Ok(()) }
}

fn too_deep() -> Refusal {
    Refusal(format!("the query is nested deeper than {MAX_DEPTH} levels"))
}

/// Refuses more columns than a tuple of PostgreSQL may have.
fn check_width(columns: usize) -> Result<()> {
    if columns > MAX_TUPLE_ATTRIBUTES {
        return Err(Refusal(format!("more than {MAX_TUPLE_ATTRIBUTES} columns")));
    }
    Ok(())
}
