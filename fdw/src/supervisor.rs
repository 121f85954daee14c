//! The background worker that runs the engine: starts it, relays its log, restarts it, ends it.
//!
//! With `shared_preload_libraries` it starts with the server. Otherwise the first session that needs the engine starts it
//! ([`ensure_running`]).
//!
//! Invariants
//! - At most one supervisor works in a data directory: it holds a lock on `pg_fusion/supervisor.lock` for its lifetime, and one that
//!   finds it held ends quietly. Where the supervisor starts with the server, sessions start none.
//! - The engine never outlives its supervisor, nor the supervisor its postmaster. The engine's stdin is a pipe that only the supervisor
//!   holds, and the engine exits at its end; on Linux the kernel kills it besides, should it hang. A crash-restart of the server
//!   ends the supervisor by SIGQUIT, which closes the pipe.
//! - The engine is reaped before the next one starts, so that two never share the socket.
//! - Restarts slow down, to [`LONGEST_PAUSE`], while the engine keeps dying young or cannot be started; settings that are read again end the pause.
//! - An engine that does not answer for `fusion.engine_timeout` is killed: its sessions learn of that, and their queries are run by PostgreSQL.

mod engine;
mod probe;

use crate::error::{OrRaise, Result};
use crate::pg::{self, bgworker};
use engine::{Engine, Start};
use fusion_common::{SqlError, SqlState};
use fusion_proto::SOCKET_FOLDER;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Held by the supervisor while it lives.
const SUPERVISOR_LOCK: &str = "pg_fusion/supervisor.lock";

/// Held by the session that is starting a supervisor.
const START_LOCK: &str = "pg_fusion/start.lock";

/// How long a supervisor tries for its lock, which sessions touch for a moment when they look whether one is running.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// An engine that died earlier than this died young: it is the start that fails, not a query now and then.
const YOUNG: Duration = Duration::from_secs(1);

/// Pauses before a restart: none at first, then doubling between these.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The supervisor looks at the engine at least this often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

const WORKER: bgworker::Worker =
    bgworker::Worker { name: "pg_fusion supervisor", function: "fusion_supervisor_main", restart_seconds: 1 };

/// Whether the supervisor starts with the server. Set in the postmaster, inherited by every process.
static PRELOADED: AtomicBool = AtomicBool::new(false);

/// Called when the library is loaded: registers the supervisor if the server is just starting.
pub fn init() {
    if pg::process::is_preloading() {
        WORKER.register_static();
        PRELOADED.store(true, Ordering::Relaxed);
    }
}

/// Called by a session that finds no engine: starts a supervisor if none runs. Returns before the engine takes connections.
///
/// # Errors
/// HV00N when there is no free worker slot, 58030 when the lock files cannot be made.
pub fn ensure_running() -> Result<()> {
    if PRELOADED.load(Ordering::Relaxed) {
        // The postmaster starts it, and starts it again.
        return Ok(());
    }
    make_folder()?;
    let start = open_lock(START_LOCK)?;
    // Whoever holds it is at it; one session is enough.
    if start.try_lock().is_err() || is_running()? {
        return Ok(());
    }
    if !WORKER.start_dynamic() {
        return Err(SqlError::new(SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION, "could not start the fusion engine")
            .with_detail("There is no free background worker slot for its supervisor.")
            .with_hint("Increase max_worker_processes, or add pg_fusion to shared_preload_libraries."));
    }
    // The process runs; until it has its lock another session would start a second one.
    let deadline = Instant::now() + LOCK_PATIENCE;
    while !is_running()? && Instant::now() < deadline {
        pg::wait::pause(LOCK_PAUSE);
    }
    Ok(())
}

/// The worker's entry point.
#[pgrx::pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn fusion_supervisor_main(_argument: pgrx::pg_sys::Datum) {
    bgworker::begin();
    let lock = take_lock().or_raise();
    if lock.is_some() {
        supervise();
    }
    drop(lock);
    // One that started with the server comes back after pg_terminate_backend(); at shutdown the postmaster does not ask. Another
    // one is started anew by the next session that needs it, or is one too many.
    bgworker::exit(if PRELOADED.load(Ordering::Relaxed) { 1 } else { 0 });
}

/// Runs engines until SIGTERM or the postmaster's death.
fn supervise() {
    let mut supervisor = Supervisor::new();
    while !bgworker::shutdown_requested() {
        if bgworker::reload_settings() {
            supervisor.end_pause();
        }
        pg::wait::check_for_interrupts();
        supervisor.look();
        let wakeup = pg::wait::supervisor(supervisor.log_pipe(), supervisor.next_look());
        if wakeup.postmaster_died {
            break;
        }
    }
    if let Some(engine) = supervisor.engine {
        engine.stop();
    }
}

struct Supervisor {
    engine: Option<Engine>,
    /// When the next engine is started, if there is none.
    next_start: Instant,
    /// Engines that died young, one after the other.
    young_deaths: u32,
    restarts: u32,
    /// How the last one ended.
    last_end: Option<String>,
}

impl Supervisor {
    fn new() -> Self {
        Self { engine: None, next_start: Instant::now(), young_deaths: 0, restarts: 0, last_end: None }
    }

    /// Starts an engine if it is time, relays its log, notices its end.
    fn look(&mut self) {
        if self.engine.is_none() && Instant::now() >= self.next_start {
            match Engine::start(&Start { restarts: self.restarts, last_end: self.last_end.as_deref() }) {
                Ok(engine) => self.engine = Some(engine),
                Err(error) => {
                    let pause = self.schedule(true).as_millis();
                    pgrx::warning!("could not start the fusion engine: {error}; next attempt in {pause} ms");
                    self.last_end = Some(format!("could not be started: {error}"));
                }
            }
        }
        let Some(engine) = &mut self.engine else { return };
        engine.relay();
        if let Some(ending) = engine.ending() {
            let (pid, young) = (engine.pid(), engine.age() < YOUNG);
            self.engine = None;
            self.restarts = self.restarts.saturating_add(1);
            match self.schedule(young).as_millis() {
                0 => pgrx::log!("fusion engine (PID {pid}) ended: {ending}; starting it again"),
                pause => pgrx::log!("fusion engine (PID {pid}) ended: {ending}; starting it again in {pause} ms"),
            }
            self.last_end = Some(ending);
        }
    }

    /// Sets the time of the next start and gives the pause until then.
    fn schedule(&mut self, young: bool) -> Duration {
        self.young_deaths = if young { self.young_deaths.saturating_add(1) } else { 0 };
        let pause = pause_after(self.young_deaths);
        self.next_start = Instant::now() + pause;
        pause
    }

    /// What kept the engine from starting may be mended.
    fn end_pause(&mut self) {
        self.young_deaths = 0;
        self.next_start = Instant::now();
    }

    fn log_pipe(&self) -> Option<std::os::fd::RawFd> {
        self.engine.as_ref().and_then(Engine::log_pipe)
    }

    fn next_look(&self) -> Duration {
        match &self.engine {
            // Its log has ended, so it is about to.
            Some(engine) if engine.log_pipe().is_none() => LOCK_PAUSE,
            Some(_) => LOOK_INTERVAL,
            None => self.next_start.saturating_duration_since(Instant::now()).min(LOOK_INTERVAL),
        }
    }
}

/// No pause after the first young death; then [`FIRST_PAUSE`], doubling up to [`LONGEST_PAUSE`].
fn pause_after(young_deaths: u32) -> Duration {
    match young_deaths.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE),
    }
}

fn make_folder() -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(SOCKET_FOLDER)
        .map_err(|error| io_error("could not create folder", SOCKET_FOLDER, &error))
}

fn open_lock(path: &str) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| io_error("could not open file", path, &error))
}

/// The supervisor's lock; None if another supervisor has it.
fn take_lock() -> Result<Option<File>> {
    make_folder()?;
    let lock = open_lock(SUPERVISOR_LOCK)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => pg::wait::pause(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(io_error("could not lock file", SUPERVISOR_LOCK, &error)),
        }
    }
}

fn is_running() -> Result<bool> {
    match open_lock(SUPERVISOR_LOCK)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(io_error("could not lock file", SUPERVISOR_LOCK, &error)),
    }
}

fn io_error(what: &str, path: &str, error: &std::io::Error) -> SqlError {
    SqlError::new(SqlState::IO_ERROR, format!("{what} \"{path}\": {error}"))
}
