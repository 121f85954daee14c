//! One run of the engine process: how it is started, its log, its end.
//!
//! Invariants: a started [`Engine`] is reaped by [`Engine::ending`] or by [`Engine::stop`]; its log is read without blocking, and a
//! line longer than [`MAX_LINE`] is cut; whatever the engine writes becomes at most a WARNING.

use super::probe::Probe;
use crate::{guc, pg};
use fusion_proto::SOCKET_PATH;
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// The program, beside the library.
const PROGRAM: &str = "pg_fusion_engine";

/// Longest log line, bytes.
const MAX_LINE: usize = 8192;

/// Reads of one [`Engine::relay`], so that a chatty engine cannot keep the supervisor from its other duties.
const READS_PER_RELAY: usize = 64;

/// How long the engine may take to end after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
const STOP_PAUSE: Duration = Duration::from_millis(10);

/// See the head of this file.
#[derive(Debug)]
pub struct Engine {
    /// Holds the write end of its stdin: the engine exits at the end of that pipe.
    child: Child,
    /// None after its end.
    log: Option<ChildStderr>,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    started: Instant,
    probe: Probe,
    /// For how long it did not answer, if it was killed for that.
    hung: Option<Duration>,
}

/// What an engine is told of those before it.
#[derive(Debug)]
pub struct Start<'a> {
    /// How many ran under this supervisor.
    pub restarts: u32,
    /// How the last one ended.
    pub last_end: Option<&'a str>,
}

impl Engine {
    /// Starts the engine.
    pub fn start(start: &Start<'_>) -> Result<Self, String> {
        let program = program()?;
        // No engine of ours runs now, so a socket that is there is a dead one's, and sessions need not try it. Where it cannot be removed, the engine, which
        // puts its own in its place, says why.
        let _ = fs::remove_file(SOCKET_PATH);
        let mut command = Command::new(&program);
        command
            .args(["--socket", SOCKET_PATH])
            .args(["--restarts", &start.restarts.to_string()])
            .args(start.last_end.iter().flat_map(|end| ["--last-end", end]))
            .args(["--threads", &threads().to_string()])
            .args(["--memory-limit-mb", &guc::engine_memory_mb().to_string()])
            .args(["--cache-size-mb", &cache_size_mb().to_string()])
            .args(["--max-queries", &guc::max_queries().to_string()])
            .args(guc::temp_limit_mb().iter().flat_map(|limit| ["--temp-limit-mb".to_owned(), limit.to_string()]))
            .args(
                guc::temp_dir().iter().flat_map(|path| [OsStr::new("--temp-dir"), OsStr::from_bytes(path.as_bytes())]),
            )
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LIB_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        die_with_parent(&mut command);
        let mut child = command.spawn().map_err(|error| format!("\"{}\": {error}", program.display()))?;
        let log = child.stderr.take();
        let engine = Self { child, log, line: Vec::new(), started: Instant::now(), probe: Probe::new(), hung: None };
        if let Some(log) = &engine.log {
            rustix::io::ioctl_fionbio(log, true).map_err(|errno| format!("pipe: {errno}"))?;
        }
        Ok(engine)
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// For how long it has run.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The pipe of its log, for waits; None after its end.
    pub fn log_pipe(&self) -> Option<RawFd> {
        self.log.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Sends whole lines of its log to the server log.
    pub fn relay(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..READS_PER_RELAY {
            let Some(log) = &self.log else { return };
            match rustix::io::read(log, &mut buffer) {
                Ok(0) => self.end_log(),
                Ok(count) => self.take_bytes(&buffer[..count]),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    pgrx::warning!("could not read the fusion engine's log: {errno}");
                    self.end_log();
                }
            }
        }
    }

    /// How it ended, if it has; the rest of its log is relayed first. One that does not answer is killed.
    pub fn ending(&mut self) -> Option<String> {
        if let (None, Some(patience)) = (self.hung, guc::engine_timeout()) {
            let silent = self.probe.look(self.child.id());
            if silent >= patience {
                pgrx::warning!(
                    "fusion engine (PID {}) has not answered for {} ms, killing it",
                    self.pid(),
                    silent.as_millis()
                );
                self.hung = Some(silent);
                // If it is gone already, it is reaped below.
                let _ = self.child.kill();
            }
        }
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => {
                self.relay();
                self.end_log();
                Some(match self.hung {
                    Some(silent) => format!("killed, as it had not answered for {} ms", silent.as_millis()),
                    None => status.to_string(),
                })
            }
            Err(error) => Some(format!("could not be waited for: {error}")),
        }
    }

    /// Ends it: in good order if it can, by force if not. Its stdin stays open meanwhile: the end of that means a lost supervisor.
    pub fn stop(mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may be gone already; then there is nobody to tell.
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline {
            self.relay();
            if self.ending().is_some() {
                return;
            }
            std::thread::sleep(STOP_PAUSE);
        }
        pgrx::warning!("fusion engine (PID {}) does not end, killing it", self.pid());
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.relay();
        self.end_log();
    }

    fn take_bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.report_line();
            }
        }
    }

    fn end_log(&mut self) {
        self.log = None;
        self.report_line();
    }

    fn report_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        match split_level(line) {
            (Level::Warning, text) => pgrx::warning!("fusion engine: {text}"),
            (Level::Log, text) => pgrx::log!("fusion engine: {text}"),
            (Level::Debug, text) => pgrx::debug1!("fusion engine: {text}"),
        }
    }
}

/// Level of a line in the server log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Warning,
    Log,
    Debug,
}

/// `LEVEL: text`; a line without a level is one that nobody meant to log (a panic, the loader).
fn split_level(line: &str) -> (Level, &str) {
    let level = |word: &str| match word {
        "ERROR" | "WARNING" => Some(Level::Warning),
        "LOG" | "INFO" => Some(Level::Log),
        "DEBUG" => Some(Level::Debug),
        _ => None,
    };
    match line.split_once(": ").and_then(|(word, text)| Some((level(word)?, text))) {
        Some(split) => split,
        None => (Level::Warning, line),
    }
}

/// What to run.
fn program() -> Result<PathBuf, String> {
    match guc::engine_path() {
        Some(path) => Ok(PathBuf::from(OsStr::from_bytes(path.as_bytes()))),
        None => match pg::bgworker::library_folder() {
            Some(folder) => Ok(folder.join(PROGRAM)),
            None => Err("the folder of the library is not known; set fusion.engine_path".into()),
        },
    }
}

fn threads() -> u32 {
    guc::engine_threads().unwrap_or_else(pg::process::cores)
}

fn cache_size_mb() -> u64 {
    guc::cache_size_mb().unwrap_or_else(|| pg::process::memory_mb() / 4)
}

/// The kernel kills the engine when the supervisor has died, even if it hangs and never sees the end of its stdin.
#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let set = || rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into);
    // SAFETY: runs in the child between fork and exec, and makes one system call: it allocates nothing and takes no lock.
    unsafe { command.pre_exec(set) };
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
