//! `pg_fusion_engine`: started by the supervisor in the data directory.
//!
//! ```text
//! pg_fusion_engine [--socket PATH] [--restarts N] [--last-end TEXT] [--threads N] [--memory-limit-mb N] [--cache-size-mb N]
//!                  [--temp-dir PATH] [--temp-limit-mb N] [--max-queries N] [--max-sessions N]
//! ```
//! Invariants: it never outlives its supervisor – the end of stdin, a pipe from there, ends it at once, and so does the death
//! signal of the parent; descriptors that a postmaster left open are closed before anything else happens.

use fusion_engine::fault;
use fusion_engine::log::{self, Level};
use fusion_engine::resident::Allocator;
use fusion_engine::server::{Config, Server};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::ffi::{c_int, c_long};
use std::io::Read;
use std::os::fd::{AsFd, RawFd};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    close_inherited_descriptors();
    std::panic::set_hook(Box::new(|panic| log::line(Level::Error, &panic.to_string())));
    let config = match config(std::env::args().skip(1)) {
        Ok(config) => config,
        Err(error) => {
            log::line(Level::Error, &error);
            return ExitCode::from(2);
        }
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::line(Level::Error, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> fusion_engine::Result<()> {
    end_with_supervisor();
    offer_to_be_killed();
    raise_descriptor_limit();
    let text = format!(
        "engine {} started, {} threads, {} MB for queries, of these {} MB for the column cache, socket {}",
        env!("CARGO_PKG_VERSION"),
        config.threads,
        config.memory_limit >> 20,
        config.cache_size.min(config.memory_limit) >> 20,
        config.socket.display()
    );
    let server = Server::start(config)?;
    let stopped = server.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // Whoever reads this may send signals.
        log::line(Level::Log, &text);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    });
    stopped.unwrap_or(Ok(())).map_err(fusion_engine::Error::io("wait for signals"))?;
    log::line(Level::Log, "engine stopped");
    drop(server);
    Ok(())
}

/// Reads the command line.
fn config(mut args: impl Iterator<Item = String>) -> Result<Config, String> {
    fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
        value.parse().map_err(|_| format!("invalid value for {name}: \"{value}\""))
    }
    let mut config = Config::new(fusion_proto::SOCKET_PATH);
    config.faults = std::env::var_os(fault::ALLOWED).is_some();
    config.allocator = Some(Allocator { give_back, keep });
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--socket" => config.socket = value.into(),
            "--restarts" => config.restarts = number(&name, &value)?,
            "--threads" => config.threads = number::<usize>(&name, &value)?.clamp(1, 1024),
            "--memory-limit-mb" => config.memory_limit = number::<usize>(&name, &value)?.saturating_mul(1 << 20),
            "--cache-size-mb" => config.cache_size = number::<usize>(&name, &value)?.saturating_mul(1 << 20),
            "--temp-dir" => config.temp_dir = Some(value.into()),
            "--temp-limit-mb" => config.temp_limit = number::<u64>(&name, &value)?.saturating_mul(1 << 20),
            "--max-queries" => config.max_queries = number(&name, &value)?,
            "--last-end" => config.last_end = Some(value),
            "--max-sessions" => config.max_sessions = number(&name, &value)?,
            _ => return Err(format!("unknown argument \"{name}\"")),
        }
    }
    Ok(config)
}

unsafe extern "C" {
    fn mi_collect(force: bool);
    fn mi_option_set(option: c_int, value: c_long);
}

/// Returns empty pages of this thread's heap to the system.
fn give_back() {
    // SAFETY: mimalloc is the allocator of this program, and lets any thread call this at any time.
    unsafe { mi_collect(true) }
}

/// Whether mimalloc keeps pages that have become empty for a second, as it does by default, or returns them at once.
fn keep(keeps: bool) {
    /// `mi_option_purge_delay` (mimalloc.h), milliseconds.
    const PURGE_DELAY: c_int = 15;
    // SAFETY: as above; a number is set.
    unsafe { mi_option_set(PURGE_DELAY, if keeps { 1000 } else { 0 }) }
}

/// Closes what the parent left open, so that no file of the server is held and no socket of a client kept alive.
fn close_inherited_descriptors() {
    let Ok(folder) = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd")) else {
        return;
    };
    let names: Vec<_> = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok()).collect();
    for descriptor in names {
        if descriptor > 2 {
            // SAFETY: this is the first thing that the process does; it has opened nothing that is still open, so no
            // owner of the descriptor exists in it. (The one of the listing is closed already, which is harmless.)
            unsafe { rustix::io::close(descriptor) };
        }
    }
}

/// Where memory runs out, the kernel is to end the engine, which comes back, and not a backend, whose death makes the server restart.
fn offer_to_be_killed() {
    const SCORE: &str = "500";
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", SCORE) {
        log::line(Level::Warning, &format!("could not set oom_score_adj: {error}"));
    }
}

/// Lets the process open as many files as it may: a query that spills has tens of them, and each session a socket and a segment.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        log::line(Level::Warning, &format!("could not raise the limit of open files: {error}"));
    }
}

/// Ends the process when the supervisor is gone.
fn end_with_supervisor() {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let stdin = std::io::stdin();
    let is_pipe = rustix::fs::fstat(stdin.as_fd()).is_ok_and(|stat| {
        let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
        kind.is_fifo() || kind.is_socket()
    });
    if !is_pipe {
        // Started by hand.
        return;
    }
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while stdin.lock().read(&mut buffer).is_ok_and(|read| read > 0) {}
        log::line(Level::Log, "engine stopped: the supervisor is gone");
        std::process::exit(0);
    });
}
