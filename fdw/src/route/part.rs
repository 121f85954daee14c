//! Parts of a statement that does not translate as a whole: sub-selects that do run in the engine, the rest in PostgreSQL.
//!
//! ```text
//! query ─ copy ─► parts taken out, stubs in their place ─► PostgreSQL's plan of the rest
//!            └──► each part: planned and translated alone ─┴► ForeignScans in the place of the stubs' scans
//! ```
//!
//! Parts are looked for from the outside in: what translates is taken whole. A part refers to nothing outside itself. Conditions that
//! PostgreSQL has brought down to a stub go into its part, as PostgreSQL would have brought them into the sub-select.
//!
//! Invariants
//! - A sub-select that PostgreSQL would not compute apart is a part only if nothing in it can fail; any other only if it gets the
//!   conditions that PostgreSQL would give it, or cannot fail. So a part raises no error that the whole would not.
//! - Each ForeignScan carries the native plan of its part, which takes over where the engine fails.
//! - The statement checks the rights, locks the relations and has the invalidations of its parts as well, also of those that the
//!   planner has found not to be needed.

use super::leaves::Leaves;
use super::native::NativeQuery;
use super::{Decision, Weighed, cost, fallible, plan, translate_query, weigh};
use crate::error::{Result, report};
use crate::guc;
use crate::pg::executor;
use crate::pg::planner::{self, Graft, Place, PlanEstimate, PlannerArgs, StubScan, SubSelect};
use crate::pg::process;
use crate::translate::{Refusal, Translation};
use fusion_common::{SqlError, SqlState};
use pgrx::{PgLogLevel, pg_sys};

/// Sub-selects that are translated to see whether they are parts; further ones stay native.
const MAX_TRIALS: u32 = 64;
/// Sub-selects deeper than this are not looked at.
const MAX_DEPTH: u32 = 100;
/// Plans of the rest that are made, a part less from one to the next.
const MAX_ROUNDS: u32 = 4;
const CURSOR_OPT_SCROLL: i32 = 0x0002;
const CURSOR_OPT_PARALLEL_OK: i32 = 0x0800;

/// A sub-select that runs in the engine.
struct Part {
    /// Where its stub stands.
    slot: *mut pg_sys::Query,
    /// What stood there.
    original: *mut pg_sys::Query,
    /// What it computes: the same without what nobody asks for.
    query: *mut pg_sys::Query,
    /// For the user.
    what: String,
    /// Its name in the query.
    alias: String,
    /// Some expression of it may raise an error.
    may_fail: bool,
    alone: Alone,
}

/// A query by itself.
struct Alone {
    query: *mut pg_sys::Query,
    native_stmt: *mut pg_sys::PlannedStmt,
    server: pg_sys::Oid,
    translation: Translation,
    cost: plan::PlanCost,
    /// Nanoseconds in the engine with its columns cached, estimated.
    time: f64,
}

impl Alone {
    /// Whether evaluating its parameters cannot raise.
    fn has_safe_params(&self) -> bool {
        // SAFETY: parameters are valid expressions.
        self.translation.params.iter().all(|&param| unsafe { executor::cannot_fail(param) })
    }
}

/// A part in the place of a scan.
struct Restricted {
    /// The part with conditions; None: without.
    alone: Option<Alone>,
    /// The conditions that stay above.
    quals: Vec<*mut pg_sys::Expr>,
}

/// What came of trying a query alone.
enum Trial {
    Chosen(Box<Alone>),
    /// PostgreSQL is cheaper.
    Unwanted,
    Untranslatable,
}

/// A statement and what is said of it.
type InParts = (*mut pg_sys::PlannedStmt, Decision);

/// The statement in which parts of `parse` run in the engine; None where there are none.
///
/// # Safety
/// `parse` is a rewritten query, `args` those of the hook; `native_stmt` was planned for `parse`.
pub(super) unsafe fn route(
    parse: *mut pg_sys::Query,
    native_stmt: *mut pg_sys::PlannedStmt,
    refusal: &str,
    args: PlannerArgs,
) -> Option<InParts> {
    // SAFETY: as the caller's; planning only reads.
    unsafe {
        if planner::sub_selects(parse).is_empty() || planner::is_in_parallel_mode() {
            return None;
        }
        // The native plan is there: no error may come of looking for another.
        let tried = executor::try_in_subtransaction(|| in_parts(parse, native_stmt, refusal, args));
        tried.and_then(|found| found).unwrap_or_else(|error| {
            let text = format!("fusion: no part runs in the engine: {error}");
            report(PgLogLevel::DEBUG1, SqlError::new(SqlState(*b"00000"), text));
            None
        })
    }
}

/// # Safety
/// As for [`route`].
unsafe fn in_parts(
    parse: *mut pg_sys::Query,
    native_stmt: *mut pg_sys::PlannedStmt,
    refusal: &str,
    args: PlannerArgs,
) -> Result<Option<InParts>> {
    // SAFETY: as the caller's; what is changed is a copy.
    unsafe {
        let whole = planner::copy(parse);
        let mut search = Search {
            withs: planner::inline_withs(whole),
            whole,
            leaves: Leaves::of(native_stmt),
            args,
            trials: MAX_TRIALS,
            parts: Vec::new(),
        };
        search.look_into(whole, 0)?;
        for _ in 0..MAX_ROUNDS {
            if search.parts.iter().all(Option::is_none) {
                break;
            }
            let stmt = search.plan_rest()?;
            let scans = planner::stub_scans(stmt);
            if scans.is_empty() {
                break;
            }
            match search.complete(&scans)? {
                Ok(completed) => return search.finish(stmt, native_stmt, scans, completed, refusal),
                Err(number) => search.put_back(number)?,
            }
        }
        Ok(None)
    }
}

struct Search {
    /// The statement, with stubs in the place of the parts.
    whole: *mut pg_sys::Query,
    /// FROM items that were WITH queries.
    withs: Vec<*mut pg_sys::RangeTblEntry>,
    /// Of the native plan of the whole: enough to see whether a query translates.
    leaves: Leaves,
    args: PlannerArgs,
    trials: u32,
    /// By number; None: put back.
    parts: Vec<Option<Part>>,
}

impl Search {
    /// Takes the parts out of `query`, a query of the statement.
    unsafe fn look_into(&mut self, query: *mut pg_sys::Query, depth: u32) -> Result<()> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        // SAFETY: a query of our copy; the stub comes in place of what the part has moved out.
        unsafe {
            for child in planner::sub_selects(query) {
                if matches!(child.place, Place::With { used: false, .. }) {
                    continue;
                }
                match self.part(query, &child)? {
                    Some(part) => self.parts.push(Some(part)),
                    None => self.look_into(child.query, depth + 1)?,
                }
            }
        }
        Ok(())
    }

    /// Takes a sub-select of `parent` out, if it is a part.
    unsafe fn part(&mut self, parent: *mut pg_sys::Query, child: &SubSelect) -> Result<Option<Part>> {
        // SAFETY: queries of our copy; what is changed first is a copy of the sub-select.
        unsafe {
            if !planner::is_self_contained(child.query) {
                return Ok(None);
            }
            let query = planner::copy(child.query);
            let (what, alias, apart) = self.describe(parent, &child.place, query);
            if !planner::has_plain_columns(query) {
                return Ok(None);
            }
            let Trial::Chosen(alone) = self.alone(query)? else { return Ok(None) };
            let may_fail = fallible::may_fail(&alone.translation.plan) || !alone.has_safe_params();
            if may_fail && !apart {
                return Ok(None);
            }
            let rows = (*(*alone.native_stmt).planTree).plan_rows;
            let number = self.parts.len() as u32;
            let original = planner::exchange(child.query, planner::stub(query, number, &alias, rows));
            Ok(Some(Part { slot: child.query, original, query, what, alias, may_fail, alone: *alone }))
        }
    }

    /// What a sub-select is called, its alias, and whether PostgreSQL computes it apart. Takes away from `query`, a copy of it, what
    /// nobody asks for.
    unsafe fn describe(
        &self,
        parent: *mut pg_sys::Query,
        place: &Place,
        query: *mut pg_sys::Query,
    ) -> (String, String, bool) {
        // SAFETY: queries of our copy; `query` is a copy that may be changed.
        unsafe {
            match place {
                Place::From { rtindex, alias, entry } => {
                    if let Some(used) = planner::columns_used(parent, *rtindex) {
                        planner::forget_unused(query, &used);
                    }
                    // An INSERT takes the rows of its SELECT as they are.
                    let is_source = (*parent).commandType == pg_sys::CmdType::CMD_INSERT
                        && planner::has_one_item_unfiltered(parent);
                    let kind = if self.withs.contains(entry) { "WITH query" } else { "subquery" };
                    let what =
                        if is_source { "the SELECT of INSERT".to_owned() } else { format!("{kind} \"{alias}\"") };
                    (what, alias.clone(), is_source || planner::stays_apart(query))
                }
                Place::SetOperation => {
                    // Only into a UNION ALL that is a FROM item may come conditions from outside.
                    let apart = parent == self.whole || !planner::is_flat_union(parent) || planner::stays_apart(query);
                    ("a side of a set operation".to_owned(), "side".to_owned(), apart)
                }
                // Those that the planner inlines are FROM items here.
                Place::With { name, .. } => (format!("WITH query \"{name}\""), name.clone(), true),
                Place::Expression { exists, joins } => {
                    if *exists {
                        planner::reduce_to_existence(query);
                    }
                    let apart = !joins || planner::stays_apart(query);
                    ("a subquery in an expression".to_owned(), "subquery".to_owned(), apart)
                }
            }
        }
    }

    /// Tries a query by itself. That may fail although the whole has been planned: constants are folded that the whole does not come to,
    /// and what a condition around it has made of a join is missing.
    unsafe fn alone(&mut self, query: *mut pg_sys::Query) -> Result<Trial> {
        // SAFETY: as for the function called; planning only reads.
        let tried = unsafe { executor::try_in_subtransaction(|| self.planned_and_translated(query)) };
        tried.unwrap_or(Ok(Trial::Untranslatable))
    }

    /// A query over heap relations, and its translation; None where it does not translate.
    unsafe fn translated(&mut self, query: *mut pg_sys::Query) -> Result<Option<(NativeQuery, Translation)>> {
        // SAFETY: a query that refers to nothing outside itself; what is changed is a copy.
        unsafe {
            let native = match NativeQuery::new(query)? {
                Some(native) => Some(native),
                None => NativeQuery::transparent(query, self.args.cursor_options),
            };
            let Some(native) = native.filter(|native| native.reason.is_none()) else { return Ok(None) };
            if self.trials == 0 {
                return Ok(None);
            }
            self.trials -= 1;
            Ok(translate_query(query, &native, &self.leaves).ok().map(|translation| (native, translation)))
        }
    }

    /// Plans and translates a query by itself.
    unsafe fn planned_and_translated(&mut self, query: *mut pg_sys::Query) -> Result<Trial> {
        // No workers: they cannot be started beside writes or from within a parallel plan.
        let args = PlannerArgs { cursor_options: self.args.cursor_options & !CURSOR_OPT_PARALLEL_OK, ..self.args };
        // SAFETY: a query that refers to nothing outside itself; what is planned is a copy.
        unsafe {
            let Some((native, translation)) = self.translated(query)? else { return Ok(Trial::Untranslatable) };
            let (server, depends_on_role) = (native.server, native.depends_on_role());
            let native_stmt = planner::plan_natively(native.query, args);
            (*native_stmt).dependsOnRole |= depends_on_role;
            if !guc::force() && (*(*native_stmt).planTree).total_cost < guc::min_cost() {
                return Ok(Trial::Unwanted);
            }
            // Its leaves are those of its own plan: conditions around it may have pruned some from the whole.
            let translation = if self.leaves.is_empty() {
                translation
            } else {
                match translate_query(query, &native, &Leaves::of(native_stmt)) {
                    Ok(translation) => translation,
                    Err(Refusal(_)) => return Ok(Trial::Untranslatable),
                }
            };
            let weighed = weigh(native_stmt, &translation);
            if !weighed.favours_engine {
                return Ok(Trial::Unwanted);
            }
            let Weighed { cost, time, .. } = weighed;
            Ok(Trial::Chosen(Box::new(Alone { query, native_stmt, server, translation, cost, time })))
        }
    }

    /// PostgreSQL's plan of the statement with its stubs.
    unsafe fn plan_rest(&self) -> Result<*mut pg_sys::PlannedStmt> {
        // In the leader of a parallel query no parameter can be tried.
        let all_safe = self.parts.iter().flatten().all(|part| part.alone.has_safe_params());
        let unwanted = if all_safe { 0 } else { CURSOR_OPT_PARALLEL_OK };
        let args = PlannerArgs { cursor_options: self.args.cursor_options & !unwanted, ..self.args };
        // SAFETY: a rewritten query, its parts replaced by queries of the same columns; what is planned is a copy.
        unsafe {
            let query = match NativeQuery::new(self.whole)? {
                Some(native) => native.query,
                None => planner::copy(self.whole),
            };
            Ok(planner::plan_natively(query, args))
        }
    }

    /// By scan: its part with the conditions that the planner has brought to it. An error is the number of a part that must not run in the
    /// engine.
    unsafe fn complete(&mut self, scans: &[StubScan]) -> Result<std::result::Result<Vec<Restricted>, u32>> {
        let mut completed = Vec::with_capacity(scans.len());
        for scan in scans {
            let Some(Some(part)) = self.parts.get(scan.number as usize) else { return Ok(Err(scan.number)) };
            // PostgreSQL might not come to the row that fails.
            let mut fits = !part.may_fail || !scan.may_stop_early();
            // PostgreSQL brings no conditions below a LIMIT either.
            // SAFETY: the part's own query.
            let limited = unsafe { !(*part.query).limitCount.is_null() || !(*part.query).limitOffset.is_null() };
            let needs_quals = part.may_fail && !limited;
            // SAFETY: conditions of the finished plan.
            match unsafe { self.restrict(scan)? } {
                Some(restricted) => {
                    // SAFETY: as above.
                    let left = restricted.quals.iter().any(|&qual| unsafe { !planner::stays_above(qual) });
                    fits &= !(left && needs_quals);
                    completed.push(restricted);
                }
                None => fits = false,
            }
            if !fits {
                return Ok(Err(scan.number));
            }
        }
        Ok(Ok(completed))
    }

    /// A part with as many of the conditions on its scan as translate; None where PostgreSQL is cheaper with them.
    unsafe fn restrict(&mut self, scan: &StubScan) -> Result<Option<Restricted>> {
        let quals = scan.quals();
        let unrestricted = Restricted { alone: None, quals: quals.clone() };
        let Some(Some(part)) = self.parts.get(scan.number as usize) else { return Ok(None) };
        let (query, alias) = (part.query, part.alias.clone());
        // SAFETY: the part's own query, and conditions of the finished plan on its columns.
        unsafe {
            // The order of a subquery is seen outside; a condition around it would lose it.
            if !(*query).sortClause.is_null() {
                return Ok(Some(unrestricted));
            }
            let with = |quals: &[*mut pg_sys::Expr]| planner::restricted(query, &alias, quals, scan.rtindex());
            let can = |qual: &*mut pg_sys::Expr| with(std::slice::from_ref(qual)).is_some();
            let (mut pushed, mut kept): (Vec<_>, Vec<_>) = quals.into_iter().partition(can);
            // At first all of them, then those that translate.
            for attempt in 0..2 {
                let Some(restricted) = (!pushed.is_empty()).then(|| with(&pushed)).flatten() else { break };
                match self.alone(restricted)? {
                    Trial::Chosen(alone) => return Ok(Some(Restricted { alone: Some(*alone), quals: kept })),
                    Trial::Unwanted => return Ok(None),
                    Trial::Untranslatable if attempt > 0 => break,
                    Trial::Untranslatable => {}
                }
                for qual in std::mem::take(&mut pushed) {
                    let query = with(&[qual]);
                    let translates = query.is_some_and(|query| self.translates(query));
                    if translates { pushed.push(qual) } else { kept.push(qual) }
                }
            }
            Ok(Some(unrestricted))
        }
    }

    /// Whether a query translates.
    unsafe fn translates(&mut self, query: *mut pg_sys::Query) -> bool {
        // SAFETY: a query that refers to nothing outside itself; translating only reads.
        unsafe {
            let tried = executor::try_in_subtransaction(|| self.translated(query).map(|found| found.is_some()));
            tried.and_then(|found| found).unwrap_or(false)
        }
    }

    /// Puts a part back where it stood, and looks for smaller ones in it.
    unsafe fn put_back(&mut self, number: u32) -> Result<()> {
        let part = self.parts.get_mut(number as usize).and_then(Option::take);
        let Some(Part { slot, original, .. }) = part else { return Ok(()) };
        // SAFETY: the part has moved out what stood there.
        unsafe {
            planner::exchange(slot, original);
            self.look_into(slot, 0)
        }
    }

    /// Builds the statement, if it is expected to be worth it.
    unsafe fn finish(
        &self,
        stmt: *mut pg_sys::PlannedStmt,
        native_stmt: *mut pg_sys::PlannedStmt,
        scans: Vec<StubScan>,
        completed: Vec<Restricted>,
        refusal: &str,
    ) -> Result<Option<InParts>> {
        let mut grafts = Vec::with_capacity(scans.len());
        let (mut time, mut names) = (0.0, Vec::<&str>::new());
        // SAFETY: statements just planned; the scans are those of `stmt`.
        unsafe {
            let (whole, rest) = (PlanEstimate::of(native_stmt), PlanEstimate::of(stmt));
            for part in self.parts.iter().flatten() {
                planner::adopt_relations(stmt, part.alone.native_stmt);
            }
            for (scan, Restricted { alone: own, quals }) in scans.into_iter().zip(&completed) {
                let Some(Some(part)) = self.parts.get(scan.number as usize) else { return Ok(None) };
                let alone = own.as_ref().unwrap_or(&part.alone);
                if own.is_some() {
                    planner::adopt_relations(stmt, alone.native_stmt);
                }
                time += alone.time;
                if !names.contains(&part.what.as_str()) {
                    names.push(&part.what);
                }
                let Alone { query, native_stmt, server, translation, cost, .. } = alone;
                let plan = plan::part_plan(*query, &scan, translation, *native_stmt, *server, *cost)?;
                grafts.push(Graft { scan, plan, quals: quals.clone() });
            }
            let estimate = cost::Estimate::of_parts(&whole, &rest, time, f64::from(process::cores()));
            estimate.tell("parts in the engine");
            if !guc::force() && !estimate.favours_engine(false, || None) {
                return Ok(None);
            }
            planner::graft(stmt, grafts);
            // Also where only the rest reads what has row security.
            (*stmt).dependsOnRole |= (*native_stmt).dependsOnRole;
            if self.args.cursor_options & CURSOR_OPT_SCROLL != 0 {
                planner::make_scrollable(stmt);
            }
            planner::show_types_of(stmt, native_stmt);
        }
        Ok(Some((stmt, Decision::Part(reason(&names, refusal)))))
    }
}

/// What is said of a statement of which these parts run in the engine.
fn reason(names: &[&str], refusal: &str) -> String {
    let (verb, parts) = match names {
        [] => ("run", "parts".to_owned()),
        [only] => ("runs", (*only).to_owned()),
        [first @ .., last] => ("run", format!("{} and {last}", first.join(", "))),
    };
    format!("{parts} {verb} in the engine; not the whole: {refusal}")
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn reasons_name_the_parts() {
        let one = reason(&["subquery \"s\""], "function random is volatile");
        assert_eq!(one, "subquery \"s\" runs in the engine; not the whole: function random is volatile");
        let three = reason(&["a", "b", "c"], "x");
        assert_eq!(three, "a, b and c run in the engine; not the whole: x");
    }
}
