//! PostgreSQL's tree walkers (`nodeFuncs.c`) with Rust visitors.
//!
//! The walkers call back for each node, and the callback calls them again for what is below it, as deep as the tree is. Going through pgrx's guard at each
//! level would take a jump buffer a level, and an ERROR (`check_stack_depth`) that becomes a panic down there cannot unwind through the C frames
//! between: the process would abort. So only the outermost call is guarded.
//!
//! Invariants: [`step`] has nothing to drop while it calls a walker, so that an ERROR may jump over it to the guard; a visitor's panic is kept until the walk
//! has returned, and never passes a C frame.

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// How a walk goes on after a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// It ends.
    Stop,
    /// With the next node that is not below this one.
    Over,
    /// With the nodes below it.
    Into,
}

type Node = *mut pg_sys::Node;

struct Visitor<'v> {
    enter: &'v mut dyn FnMut(Node) -> Walk,
    leave: &'v mut dyn FnMut(Node),
    /// `QTW_` flags for queries.
    flags: c_int,
    panic: Option<Box<dyn Any + Send>>,
}

/// Visits `node` and what is below it, in queries as `QTW_` flags say, parents first; true if it was stopped. `leave` is called after all that is below a node into
/// which the walk has gone, unless it was stopped.
///
/// # Safety
/// `node` is null or a valid node; the visitors leave what they have not been given alone.
pub unsafe fn walk(node: Node, flags: u32, enter: &mut dyn FnMut(Node) -> Walk, leave: &mut dyn FnMut(Node)) -> bool {
    // SAFETY: as the caller's.
    unsafe { run(enter, leave, flags, |context| step(node, context)) }
}

/// Visits what is below the query `node`, or `node` and what is below it where it is no query, with the number of queries, of those below, that the visited
/// node is inside of; true if it was stopped.
///
/// # Safety
/// As for [`walk`]; `node` is not null.
pub unsafe fn by_level(node: Node, flags: u32, visit: &mut dyn FnMut(Node, u32) -> Walk) -> bool {
    // SAFETY: the walkers give valid nodes.
    let is_query = |node: Node| unsafe { (*node).type_ == pg_sys::NodeTag::T_Query };
    let level = Cell::new(0);
    let mut enter = |node| {
        let walk = visit(node, level.get());
        if walk == Walk::Into && is_query(node) {
            level.set(level.get() + 1);
        }
        walk
    };
    let mut leave = |node| {
        if is_query(node) {
            level.set(level.get() - 1);
        }
    };
    let flags_of_start = flags as c_int;
    // SAFETY: as the caller's.
    unsafe {
        run(&mut enter, &mut leave, flags, |context| {
            if is_query(node) { below(node, flags_of_start, context) } else { step(node, context) }
        })
    }
}

/// Whether `test` is true for `node` or something below it, as far as it does not say [`Walk::Over`].
///
/// # Safety
/// As for [`walk`].
pub unsafe fn any(node: Node, test: &mut dyn FnMut(Node) -> Walk) -> bool {
    // SAFETY: as the caller's.
    unsafe { walk(node, 0, test, &mut |_| {}) }
}

unsafe fn run(
    enter: &mut dyn FnMut(Node) -> Walk,
    leave: &mut dyn FnMut(Node),
    flags: u32,
    start: impl FnOnce(*mut c_void) -> bool,
) -> bool {
    let mut visitor = Visitor { enter, leave, flags: flags as c_int, panic: None };
    let context = (&raw mut visitor).cast();
    // SAFETY: the closure calls PostgreSQL's walkers, and holds nothing to drop.
    let stopped = unsafe { pg_guard_ffi_boundary(|| start(context)) };
    if let Some(panic) = visitor.panic {
        resume_unwind(panic);
    }
    stopped
}

/// The walkers' callback.
unsafe extern "C-unwind" fn step(node: Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    let visitor: *mut Visitor<'_> = context.cast();
    // SAFETY: `run` made the context, which lives during the walk; no reference to it is held over the recursion.
    unsafe {
        match enter(visitor, node) {
            Walk::Stop => true,
            Walk::Over => false,
            Walk::Into => {
                let stopped = below(node, (*visitor).flags, context);
                stopped || leave(visitor, node)
            }
        }
    }
}

/// Not inlined: its frame is gone when the walk goes on.
#[inline(never)]
unsafe fn enter(visitor: *mut Visitor<'_>, node: Node) -> Walk {
    // SAFETY: as in `step`.
    let visitor = unsafe { &mut *visitor };
    catch_unwind(AssertUnwindSafe(|| (visitor.enter)(node))).unwrap_or_else(|panic| {
        visitor.panic = Some(panic);
        Walk::Stop
    })
}

/// Likewise; true after a panic.
#[inline(never)]
unsafe fn leave(visitor: *mut Visitor<'_>, node: Node) -> bool {
    // SAFETY: as in `step`.
    let visitor = unsafe { &mut *visitor };
    catch_unwind(AssertUnwindSafe(|| (visitor.leave)(node))).map_err(|panic| visitor.panic = Some(panic)).is_err()
}

unsafe fn below(node: Node, flags: c_int, context: *mut c_void) -> bool {
    // SAFETY: a valid node, and a context that `step` expects.
    unsafe {
        if (*node).type_ == pg_sys::NodeTag::T_Query {
            raw::query_tree_walker(node.cast(), step, context, flags)
        } else {
            raw::expression_tree_walker(node, step, context)
        }
    }
}

/// Without pgrx's guard.
mod raw {
    use super::Node;
    use pgrx::pg_sys;
    use std::ffi::{c_int, c_void};

    type Callback = unsafe extern "C-unwind" fn(Node, *mut c_void) -> bool;

    // Macros of the old names around these since 16.
    unsafe extern "C-unwind" {
        #[cfg_attr(not(feature = "pg15"), link_name = "expression_tree_walker_impl")]
        pub fn expression_tree_walker(node: Node, walker: Callback, context: *mut c_void) -> bool;
        #[cfg_attr(not(feature = "pg15"), link_name = "query_tree_walker_impl")]
        pub fn query_tree_walker(
            query: *mut pg_sys::Query,
            walker: Callback,
            context: *mut c_void,
            flags: c_int,
        ) -> bool;
    }
}
