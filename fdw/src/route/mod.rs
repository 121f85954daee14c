//! From a Query to a route: the planner hook.
//!
//! Every query that mentions a fusion table is planned natively first, over the heap relations ([`native`]): that plan is complete and
//! right whatever follows. A SELECT is then translated; if that succeeds and the engine is expected to be cheaper ([`cost`]), the
//! statement becomes one ForeignScan that carries IR and native plan ([`plan`]).
//!
//! Where it does not translate, parts of it may ([`part`]).
//!
//! Where `fusion.transparent` is on, queries over heap relations alone take the same way, if the relations are large.
//!
//! Invariants: with it off, a query that names no fusion table costs one walk over its range tables and nothing else; a query that is not
//! translated runs exactly PostgreSQL's plan; the reason for a native route is always at hand ([`last_decision`]).

mod cost;
mod fallible;
pub mod foreign;
pub mod leaves;
pub mod native;
mod part;
pub mod plan;

use crate::error::{OrRaise, Result, report};
use crate::guc;
use crate::pg::catalog;
use crate::pg::planner::{self, PlannerArgs};
use crate::pg::process;
use crate::relation::{self, HeapRelation};
use crate::session;
use crate::translate::{self, Refusal, Translation};
use fusion_common::{SqlError, SqlState};
use fusion_proto::message::CacheQuestion;
use leaves::Leaves;
use native::NativeQuery;
use pgrx::{PgLogLevel, pg_guard, pg_sys};
use plan::PlanCost;
use std::cell::{Cell, RefCell};

/// Where a query runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// In the engine.
    Engine,
    /// Parts of it in the engine, the rest in PostgreSQL: which, and why.
    Part(String),
    /// In PostgreSQL, for this reason.
    Native(String),
}

/// Why a query does not run in the engine as a whole.
enum Refused {
    /// It does not translate: parts of it may.
    Untranslatable(String),
    /// Nothing of it is to run there.
    Unwanted(String),
}

impl From<Refusal> for Refused {
    fn from(Refusal(reason): Refusal) -> Self {
        Self::Untranslatable(reason)
    }
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LAST: RefCell<Option<Decision>> = const { RefCell::new(None) };
    static EXPLAINING: Cell<bool> = const { Cell::new(false) };
}

/// Counts nested calls of the planner; undone on unwinding too.
struct Nesting;

impl Nesting {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Installs the planner hook.
pub fn init() {
    planner::install_hook(fusion_planner);
}

/// Runs `plan`, which plans a query to learn its route: why a query does not translate is then told although it is cheap, too.
pub fn explaining<R>(plan: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            EXPLAINING.set(false);
        }
    }
    EXPLAINING.set(true);
    let _reset = Reset;
    plan()
}

/// Takes the decision on the outermost query planned last; None if it named no fusion table.
pub fn take_last_decision() -> Option<Decision> {
    LAST.take()
}

#[pg_guard]
unsafe extern "C-unwind" fn fusion_planner(
    parse: *mut pg_sys::Query,
    query_string: *const std::ffi::c_char,
    cursor_options: std::ffi::c_int,
    bound_params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    let args = PlannerArgs { query_string, cursor_options, bound_params };
    let nesting = Nesting::enter();
    let outermost = DEPTH.get() == 1;
    if outermost {
        LAST.set(None);
    }
    // SAFETY: PostgreSQL passes a rewritten query.
    let (stmt, decision) = unsafe { route(parse, args) }.or_raise();
    drop(nesting);
    if let Some(decision) = decision {
        if guc::log_route() {
            log(&decision);
        }
        if outermost {
            LAST.set(Some(decision));
        }
    }
    stmt
}

fn log(decision: &Decision) {
    let (route, reason) = match decision {
        Decision::Engine => ("engine", None),
        Decision::Part(reason) => ("partial", Some(reason.clone())),
        Decision::Native(reason) => ("native", Some(reason.clone())),
    };
    let mut message = SqlError::new(SqlState(*b"00000"), format!("fusion route: {route}"));
    message.detail = reason;
    report(PgLogLevel::LOG, message);
}

/// Plans a query, and says where it runs if it names a fusion table.
///
/// # Safety
/// `parse` is a rewritten query, `args` those of the hook.
pub unsafe fn route(
    parse: *mut pg_sys::Query,
    args: PlannerArgs,
) -> Result<(*mut pg_sys::PlannedStmt, Option<Decision>)> {
    // SAFETY: as the caller's; what is changed is the copy inside `native`.
    unsafe {
        let native = match NativeQuery::new(parse)? {
            Some(native) => native,
            None => match NativeQuery::transparent(parse, args.cursor_options) {
                Some(native) => native,
                None => return Ok((planner::plan_natively(parse, args), None)),
            },
        };
        // The planner scribbles on what it plans, so the original stays for the translation.
        let native_stmt = planner::plan_natively(native.query, args);
        (*native_stmt).dependsOnRole |= native.depends_on_role();
        let routed = match planner::insert_source(parse) {
            Some(source) => route_insert(parse, &source, &native, native_stmt, args)?,
            None => route_whole(parse, &native, native_stmt, args)?,
        };
        let (stmt, decision) = match routed {
            Ok(routed) => routed,
            Err(Refused::Unwanted(reason)) => (native_stmt, Decision::Native(reason)),
            Err(Refused::Untranslatable(reason)) => {
                part::route(parse, native_stmt, &reason, args).unwrap_or((native_stmt, Decision::Native(reason)))
            }
        };
        Ok((stmt, Some(decision)))
    }
}

/// A statement and where it runs.
type Routed = std::result::Result<(*mut pg_sys::PlannedStmt, Decision), Refused>;

/// A query that runs in the engine as a whole, or not.
///
/// # Safety
/// As for [`route`]; `native` was made of `parse`, and `native_stmt` planned for it.
unsafe fn route_whole(
    parse: *mut pg_sys::Query,
    native: &NativeQuery,
    native_stmt: *mut pg_sys::PlannedStmt,
    args: PlannerArgs,
) -> Result<Routed> {
    // SAFETY: as the caller's.
    unsafe {
        let (translation, cost) = match choose(parse, native, native_stmt) {
            Ok(chosen) => chosen,
            Err(refused) => return Ok(Err(refused)),
        };
        let stmt = plan::engine_statement(parse, native_stmt, native.server, translation, cost, args)?;
        Ok(Ok((stmt, Decision::Engine)))
    }
}

/// INSERT … SELECT: the SELECT may run in the engine, ModifyTable stays PostgreSQL's.
///
/// # Safety
/// As for [`route`]; `native` was made of `parse`, and `insert_stmt` planned for it.
unsafe fn route_insert(
    parse: *mut pg_sys::Query,
    source: &planner::InsertSource,
    native: &NativeQuery,
    insert_stmt: *mut pg_sys::PlannedStmt,
    args: PlannerArgs,
) -> Result<Routed> {
    let refused = |reason: &str| Ok(Err(Refused::Untranslatable(reason.to_owned())));
    // SAFETY: as the caller's; what is planned is a copy.
    unsafe {
        let chosen = match choose(source.select, native, insert_stmt) {
            Ok(chosen) => chosen,
            Err(refused) => return Ok(Err(refused)),
        };
        let Some(columns) = planner::inserted_columns(parse, source) else {
            return refused("the INSERT leaves out a column of a domain type");
        };
        // What replaces the engine where it fails: a plan of the SELECT alone, without workers, which cannot run beside writes.
        const CURSOR_OPT_PARALLEL_OK: i32 = 0x0800;
        let args = PlannerArgs { cursor_options: args.cursor_options & !CURSOR_OPT_PARALLEL_OK, ..args };
        let select = match NativeQuery::new(source.select)? {
            Some(select) => select.query,
            None => planner::copy(source.select),
        };
        let select_stmt = planner::plan_natively(select, args);
        let stmt = plan::insert_statement(insert_stmt, columns, source.select, select_stmt, native.server, chosen)?;
        match stmt {
            Some(stmt) => Ok(Ok((stmt, Decision::Part("the SELECT of INSERT runs in the engine".to_owned())))),
            None => refused("the plan of the INSERT has no rows from its SELECT"),
        }
    }
}

/// Whether the engine may be used at all here and now.
pub fn usable() -> Result<(), Refusal> {
    let reason = if !guc::enabled() {
        "fusion.enabled is off"
    } else if !catalog::database_is_utf8() {
        "the database encoding is not UTF8"
    } else if planner::is_serializable() {
        "the transaction is serializable"
    } else if planner::is_parallel_worker() {
        "it is run by a worker of a parallel query"
    } else {
        return Ok(());
    };
    Err(Refusal(reason.to_owned()))
}

/// The translation if the query is to run in the engine, with its estimated cost; else the reason why not.
unsafe fn choose(
    parse: *mut pg_sys::Query,
    native: &NativeQuery,
    native_stmt: *mut pg_sys::PlannedStmt,
) -> Result<(Translation, PlanCost), Refused> {
    let unwanted = |reason: &str| Refused::Unwanted(reason.to_owned());
    usable().map_err(|Refusal(reason)| Refused::Unwanted(reason))?;
    // SAFETY: a statement that was just planned.
    let native_cost = unsafe { (*(*native_stmt).planTree).total_cost };
    let is_cheap = !guc::force() && native_cost < guc::min_cost();
    let cheap = "the native plan costs less than fusion.min_cost";
    if is_cheap && !EXPLAINING.get() && native.reason.is_none() {
        return Err(unwanted(cheap));
    }
    let translation = match &native.reason {
        Some(reason) => Err(Refusal(reason.clone())),
        // SAFETY: a rewritten query that nothing has changed, and the statement that was planned for it.
        None => unsafe { translate_query(parse, native, &Leaves::of(native_stmt)) },
    };
    let translation = match translation {
        Ok(_) if is_cheap => return Err(unwanted(cheap)),
        Err(Refusal(reason)) if is_cheap => return Err(Refused::Unwanted(reason)),
        translation => translation?,
    };
    // SAFETY: as above; planning has locked the relations.
    let weighed = unsafe { weigh(native_stmt, &translation) };
    if !weighed.favours_engine {
        return Err(unwanted("the native plan is estimated to be cheaper"));
    }
    Ok((translation, weighed.cost))
}

/// A native statement beside the engine.
struct Weighed {
    /// Whether the engine is to be taken.
    favours_engine: bool,
    /// Time in the engine with its columns cached, nanoseconds.
    time: f64,
    /// For the plan that is made.
    cost: PlanCost,
}

/// Compares how long a statement takes natively and in the engine.
///
/// # Safety
/// `native_stmt` was planned for the query that `translation` was made of, and its relations are locked.
unsafe fn weigh(native_stmt: *mut pg_sys::PlannedStmt, translation: &Translation) -> Weighed {
    // SAFETY: as the caller's.
    let (native, native_cost) =
        unsafe { (planner::PlanEstimate::of(native_stmt), (*(*native_stmt).planTree).total_cost) };
    let estimate = cost::Estimate::new(&native, translation, f64::from(process::cores()));
    estimate.tell("engine");
    Weighed {
        favours_engine: guc::force() || estimate.favours_engine(may_cache(translation), || cached_share(translation)),
        time: estimate.warm,
        cost: PlanCost {
            total: native_cost * estimate.warm / estimate.native.max(1.0),
            native_ms: estimate.native / 1e6,
        },
    }
}

/// Whether columns of all relations of a query can be in the engine's cache.
fn may_cache(translation: &Translation) -> bool {
    let is_permanent = |scan: &translate::ScanRelation| {
        catalog::Relation::open(scan.relation.heap)
            .is_some_and(|relation| relation.persistence() == pg_sys::RELPERSISTENCE_PERMANENT)
    };
    guc::cache_size_mb() != Some(0) && translation.relations.iter().all(is_permanent)
}

/// How much of a query's columns the engine has in its cache, by the blocks of their relations; None where it cannot be asked.
fn cached_share(translation: &Translation) -> Option<f64> {
    let question = |scan: &translate::ScanRelation| {
        let relation = catalog::Relation::open(scan.relation.heap)?;
        let attnums = scan.attnums.iter().filter_map(|&attnum| u16::try_from(attnum).ok()).collect();
        Some(CacheQuestion { file: relation.file(), blocks: relation.blocks()?, attnums })
    };
    let questions: Vec<CacheQuestion> = translation.relations.iter().map(question).collect::<Option<_>>()?;
    let blocks: Vec<f64> = questions.iter().map(|question| f64::from(question.blocks)).collect();
    let shares = session::cache_shares(questions)?;
    let cached: f64 = shares.iter().zip(&blocks).map(|(share, blocks)| f64::from(*share) * blocks).sum();
    Some(cached / blocks.iter().sum::<f64>().max(1.0))
}

/// Translates a query over fusion tables and heap relations.
///
/// # Safety
/// `query` is a rewritten query; `native` was made of it.
pub unsafe fn translate_query(
    query: *mut pg_sys::Query,
    native: &NativeQuery,
    leaves: &Leaves,
) -> Result<Translation, Refusal> {
    let resolve = |_rtindex: u32, rte: *mut pg_sys::RangeTblEntry| -> Result<HeapRelation, Refusal> {
        // SAFETY: the translation passes relation entries of the query.
        let (relid, inherit) = unsafe { ((*rte).relid.to_u32(), (*rte).inh) };
        let heap = match native.tables.iter().find(|table| table.foreign == relid) {
            // Where row security applies, its heap relation stands in its place.
            Some(table) => table.heap.clone(),
            // Where row security applies to it, the rewriter has said so in the query.
            None => relation::plain(relid).map_err(Refusal)?,
        };
        if let Some(reason) = &heap.native_reason {
            return Err(Refusal(reason.clone()));
        }
        leaves.read(heap, inherit)
    };
    // SAFETY: as the caller's; the secured query is a copy of `query`.
    unsafe { translate::translate(native.secured.unwrap_or(query), &resolve) }
}
