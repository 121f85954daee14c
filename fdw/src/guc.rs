//! Settings: `fusion.*`.
//!
//! Invariants: a value that a getter gives is within its range; settings of the engine take effect at its next start; nothing
//! here is PGC_POSTMASTER, because the library may be loaded after startup.

use crate::pg;
use crate::pg::guc::CheckedInt;
use fusion_common::limits::{DEFAULT_SESSION_MEMORY, FRAME_SIZE, MAX_SESSION_FRAMES, MIN_SESSION_FRAMES};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_guard, pg_sys};
use std::ffi::CString;
use std::time::Duration;

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static TRANSPARENT: GucSetting<bool> = GucSetting::<bool>::new(false);
static FORCE: GucSetting<bool> = GucSetting::<bool>::new(false);
static FALLBACK: GucSetting<bool> = GucSetting::<bool>::new(true);
static LOG_ROUTE: GucSetting<bool> = GucSetting::<bool>::new(false);
static MIN_COST: GucSetting<f64> = GucSetting::<f64>::new(1000.0);
static SESSION_MEMORY_KB: GucSetting<i32> = GucSetting::<i32>::new((DEFAULT_SESSION_MEMORY / 1024) as i32);
static CONNECT_TIMEOUT_MS: GucSetting<i32> = GucSetting::<i32>::new(5000);
static ENGINE_PATH: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static ENGINE_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
static MEMORY_LIMIT_MB: GucSetting<i32> = GucSetting::<i32>::new(0);

static TEMP_DIR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static TEMP_LIMIT_MB: GucSetting<i32> = GucSetting::<i32>::new(-1);
static MAX_QUERIES: GucSetting<i32> = GucSetting::<i32>::new(0);
static ENGINE_TIMEOUT_MS: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static FAULT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static CACHE_SIZE_MB: GucSetting<i32> = GucSetting::<i32>::new(-1);

const MIN_SESSION_MEMORY_KB: i32 = (MIN_SESSION_FRAMES * FRAME_SIZE / 1024) as i32;
const MAX_SESSION_MEMORY_KB: i32 = (MAX_SESSION_FRAMES * FRAME_SIZE / 1024) as i32;

/// Whether queries are routed to the engine at all.
pub fn enabled() -> bool {
    ENABLED.get()
}

/// Whether queries that name only heap relations are routed as well.
pub fn transparent() -> bool {
    TRANSPARENT.get()
}

/// Whether the cost test is skipped.
pub fn force() -> bool {
    FORCE.get()
}

/// Whether a query that fails in the engine is run again in PostgreSQL.
pub fn fallback() -> bool {
    FALLBACK.get()
}

/// Whether route and reason of every query are logged.
pub fn log_route() -> bool {
    LOG_ROUTE.get()
}

/// Smallest cost of the native plan, in the planner's units, for which the engine is considered.
pub fn min_cost() -> f64 {
    MIN_COST.get()
}

/// Frames of a new session's segment.
pub fn session_frames() -> u16 {
    let frames = SESSION_MEMORY_KB.get() as usize * 1024 / FRAME_SIZE;
    frames.clamp(MIN_SESSION_FRAMES, MAX_SESSION_FRAMES) as u16
}

/// How long a session waits for an engine that is starting.
pub fn connect_timeout() -> Duration {
    Duration::from_millis(CONNECT_TIMEOUT_MS.get() as u64)
}

/// The engine's program; None: beside this library.
pub fn engine_path() -> Option<CString> {
    ENGINE_PATH.get().filter(|path| !path.is_empty())
}

/// Threads of the engine; None: one per core.
pub fn engine_threads() -> Option<u32> {
    u32::try_from(ENGINE_THREADS.get()).ok().filter(|threads| *threads > 0)
}

/// Memory of the column cache, in MiB; None: a quarter of the machine's.
pub fn cache_size_mb() -> Option<u64> {
    u64::try_from(CACHE_SIZE_MB.get()).ok()
}

/// Memory of the engine, column cache included, in MiB.
pub fn engine_memory_mb() -> u64 {
    let set = u64::try_from(MEMORY_LIMIT_MB.get()).ok().filter(|limit| *limit > 0);
    set.unwrap_or_else(|| pg::process::memory_mb() / 2).max(1)
}

/// Where queries of the engine spill to; None: the data directory.
pub fn temp_dir() -> Option<CString> {
    TEMP_DIR.get().filter(|path| !path.is_empty())
}

/// Most that all of them may spill, MiB; None: what there is.
pub fn temp_limit_mb() -> Option<u32> {
    u32::try_from(TEMP_LIMIT_MB.get()).ok()
}

/// Queries that run in the engine at a time; 0: eight per thread.
pub fn max_queries() -> u32 {
    u32::try_from(MAX_QUERIES.get()).unwrap_or(0)
}

/// How long the engine may leave the supervisor without an answer; None: for ever.
pub fn engine_timeout() -> Option<Duration> {
    u64::try_from(ENGINE_TIMEOUT_MS.get()).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

/// What the next queries of this session are to suffer in an engine that tests have started.
pub fn fault() -> Option<String> {
    FAULT.get().filter(|fault| !fault.is_empty()).and_then(|fault| fault.into_string().ok())
}

/// Defines the settings. Called once, when the library is loaded.
pub fn init() {
    init_routing();
    init_session();
    init_engine();
    pg::guc::reserve_prefix(c"fusion");
}

fn init_routing() {
    GucRegistry::define_bool_guc(
        c"fusion.enabled",
        c"Runs queries on fusion tables in the fusion engine.",
        c"When off, they run as queries on the heap relations.",
        &ENABLED,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_bool_guc(
        c"fusion.transparent",
        c"Considers the fusion engine for queries on heap tables, too.",
        c"When off, only queries that name a fusion table are considered.",
        &TRANSPARENT,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_bool_guc(
        c"fusion.force",
        c"Runs every query that the engine can run exactly in the engine, whatever it costs.",
        c"",
        &FORCE,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_bool_guc(
        c"fusion.fallback",
        c"Runs a query that fails in the engine again in PostgreSQL.",
        c"When off, the engine's error is raised.",
        &FALLBACK,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"fusion.log_route",
        c"Logs the route of each query on fusion tables, and the reason.",
        c"",
        &LOG_ROUTE,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"fusion.min_cost",
        c"Sets the smallest cost of the native plan for which the engine is considered.",
        c"",
        &MIN_COST,
        0.0,
        f64::MAX,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
}

fn init_session() {
    GucRegistry::define_int_guc(
        c"fusion.session_memory",
        c"Sets the shared memory through which a session exchanges pages and rows with the engine.",
        c"Applies to sessions that connect to the engine afterwards.",
        &SESSION_MEMORY_KB,
        MIN_SESSION_MEMORY_KB,
        MAX_SESSION_MEMORY_KB,
        GucContext::Suset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"fusion.connect_timeout",
        c"Sets how long a session waits for the engine to start or to answer.",
        c"",
        &CONNECT_TIMEOUT_MS,
        1,
        600_000,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
}

fn init_engine() {
    GucRegistry::define_string_guc(
        c"fusion.engine_path",
        c"Sets the program that is started as the engine.",
        c"Empty: pg_fusion_engine beside the library. Takes effect when the engine is started next.",
        &ENGINE_PATH,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"fusion.engine_threads",
        c"Sets the number of cores that one query uses in the engine.",
        c"A query is divided into as many parts. 0 means one per core. Takes effect when the engine is started next.",
        &ENGINE_THREADS,
        0,
        1024,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"fusion.memory_limit",
        c"Sets how much memory the engine's operators and its column cache may use together.",
        c"0 means half of the machine's memory. Takes effect when the engine is started next.",
        &MEMORY_LIMIT_MB,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MB,
    );
    GucRegistry::define_string_guc(
        c"fusion.temp_dir",
        c"Sets the folder to which queries of the engine spill what does not fit in fusion.memory_limit.",
        c"Empty: pg_fusion/spill in the data directory. Takes effect when the engine is started next.",
        &TEMP_DIR,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"fusion.temp_limit",
        c"Sets how much all queries of the engine together may spill.",
        c"-1 means no limit. Takes effect when the engine is started next.",
        &TEMP_LIMIT_MB,
        -1,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MB,
    );
    GucRegistry::define_int_guc(
        c"fusion.max_queries",
        c"Sets how many queries run in the engine at a time.",
        c"Others wait for their turn, but not longer than PostgreSQL's own plan is estimated to take. 0 means eight per thread. Takes effect when the engine is started next.",
        &MAX_QUERIES,
        0,
        100_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"fusion.engine_timeout",
        c"Sets how long the engine may leave its supervisor without an answer before it is killed and started again.",
        c"0 means for ever.",
        &ENGINE_TIMEOUT_MS,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_string_guc(
        c"fusion.fault",
        c"Makes queries fail in an engine that was started for tests.",
        c"",
        &FAULT,
        GucContext::Suset,
        GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE,
    );
    // SAFETY: the hook is one of an integer setting.
    unsafe {
        pg::guc::define_checked(
            CheckedInt {
                name: c"fusion.cache_size",
                short: c"Sets how much of fusion.memory_limit decoded columns may take.",
                long: c"0 turns the column cache off, -1 means a quarter of the machine's memory. Takes effect when the engine is started next.",
                setting: &CACHE_SIZE_MB,
                range: (-1, i32::MAX),
                context: GucContext::Sighup,
                flags: GucFlags::UNIT_MB,
            },
            check_cache_size,
        );
    }
}

/// The smallest column cache, MiB: some chunks of some columns.
const MIN_CACHE_MB: i32 = 16;

#[pg_guard]
unsafe extern "C-unwind" fn check_cache_size(
    value: *mut std::ffi::c_int,
    _extra: *mut *mut std::ffi::c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes the new value.
    unsafe { pg::guc::check(value, refuse_cache_size) }
}

/// Why a cache size cannot be, if it cannot.
fn refuse_cache_size(size_mb: i32) -> Option<String> {
    let limit_mb = engine_memory_mb();
    if (1..MIN_CACHE_MB).contains(&size_mb) {
        return Some(format!(
            "The column cache takes at least {MIN_CACHE_MB} MB, which holds a few chunks, or 0, which turns it off."
        ));
    }
    (u64::try_from(size_mb).is_ok_and(|size_mb| size_mb > limit_mb))
        .then(|| format!("The engine may use {limit_mb} MB in all (fusion.memory_limit)."))
}
