//! Background workers: registering one, and what a worker asks of the server.
//!
//! Invariants: functions for the worker itself (everything below [`begin`]) are called on its main thread; signal handlers
//! are PostgreSQL's own, which only set flags and the latch.

use pgrx::pg_sys;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Name of this library in `$libdir`, as worker registrations want it.
const LIBRARY: &str = "pg_fusion";

/// A worker to register.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// Its name in the process list, and its `backend_type`.
    pub name: &'static str,
    /// Its entry point, an exported function of this library.
    pub function: &'static str,
    /// How long the postmaster waits before it starts it again, seconds.
    pub restart_seconds: i32,
}

impl Worker {
    /// With shared memory and a session of no database, which is what makes it visible in `pg_stat_activity`.
    fn registration(&self) -> pg_sys::BackgroundWorker {
        let mut worker = pg_sys::BackgroundWorker {
            bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION) as c_int,
            // Sessions are let in at the same time, on a standby too.
            bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_ConsistentState,
            bgw_restart_time: self.restart_seconds,
            ..Default::default()
        };
        copy_name(&mut worker.bgw_name, self.name);
        copy_name(&mut worker.bgw_type, self.name);
        copy_name(&mut worker.bgw_library_name, LIBRARY);
        copy_name(&mut worker.bgw_function_name, self.function);
        worker
    }

    /// Registers it to start with the server; only while libraries are preloaded.
    pub fn register_static(&self) {
        let mut worker = self.registration();
        // SAFETY: in the postmaster, while it preloads libraries; the server copies the struct.
        unsafe { pg_sys::RegisterBackgroundWorker(&raw mut worker) };
    }

    /// Starts it now and waits, interruptibly, until it runs or has already ended. False: no free worker slot.
    pub fn start_dynamic(&self) -> bool {
        let mut worker = self.registration();
        worker.bgw_notify_pid = super::process::pid() as pg_sys::pid_t;
        let mut handle = std::ptr::null_mut();
        // SAFETY: in a backend; the server copies the struct, and allocates the handle in the current memory context.
        if !unsafe { pg_sys::RegisterDynamicBackgroundWorker(&raw mut worker, &raw mut handle) } {
            return false;
        }
        let mut pid = 0;
        // SAFETY: `handle` was set just now, and bgw_notify_pid is this process, as the wait needs it.
        unsafe { pg_sys::WaitForBackgroundWorkerStartup(handle, &raw mut pid) };
        true
    }
}

/// Fills a fixed C string field; names are constants that fit.
fn copy_name(field: &mut [c_char], name: &str) {
    debug_assert!(name.len() < field.len());
    for (to, from) in field.iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
}

// Declared anew because a signal handler is called by the kernel, where pgrx's wrappers of the same functions must not run.
unsafe extern "C-unwind" {
    fn SignalHandlerForShutdownRequest(signal: c_int);
    fn SignalHandlerForConfigReload(signal: c_int);
}

/// SIGINT is no way to ask anything of a worker.
extern "C-unwind" fn ignore(_signal: c_int) {}

#[cfg(feature = "pg18")]
fn handle_signal(signal: u32, handler: unsafe extern "C-unwind" fn(c_int)) {
    // SAFETY: a handler that may run at any time: it only sets a flag and the latch, or does nothing.
    unsafe { pg_sys::pqsignal_be(signal as c_int, Some(handler)) };
}

#[cfg(not(feature = "pg18"))]
fn handle_signal(signal: u32, handler: unsafe extern "C-unwind" fn(c_int)) {
    // SAFETY: a handler that may run at any time: it only sets a flag and the latch, or does nothing.
    unsafe { pg_sys::pqsignal(signal as c_int, Some(handler)) };
}

/// First call of a worker: signal handlers, then a session of no database.
pub fn begin() {
    handle_signal(pg_sys::SIGTERM, SignalHandlerForShutdownRequest);
    handle_signal(pg_sys::SIGHUP, SignalHandlerForConfigReload);
    handle_signal(pg_sys::SIGINT, ignore);
    // SAFETY: once, at the start of a worker that was registered with the flag for a database connection.
    unsafe {
        pg_sys::BackgroundWorkerUnblockSignals();
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
}

/// Whether SIGTERM has come.
pub fn shutdown_requested() -> bool {
    // SAFETY: a flag that signal handlers set; a stale read is seen right at the next look.
    unsafe { (&raw const pg_sys::ShutdownRequestPending).read_volatile() != 0 }
}

/// Reads the settings again if SIGHUP has come, and tells so.
pub fn reload_settings() -> bool {
    // SAFETY: as above; the flag is cleared before the files are read, so that a later signal is not lost.
    unsafe {
        let pending = &raw mut pg_sys::ConfigReloadPending;
        let asked = pending.read_volatile() != 0;
        if asked {
            pending.write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
        asked
    }
}

/// Ends the worker. 0: it is done, for good; 1: the postmaster shall start it again.
pub fn exit(code: i32) -> ! {
    // SAFETY: on the main thread, outside any transaction.
    unsafe { pg_sys::proc_exit(code) };
    #[allow(unreachable_code)]
    {
        unreachable!("proc_exit returned")
    }
}

/// `Dl_info` of dlfcn.h.
#[repr(C)]
struct SharedObject {
    file_name: *const c_char,
    base: *mut c_void,
    symbol_name: *const c_char,
    symbol_address: *mut c_void,
}

unsafe extern "C" {
    fn dladdr(address: *const c_void, info: *mut SharedObject) -> c_int;
}

/// The folder that this library was loaded from; None if the loader does not tell.
pub fn library_folder() -> Option<PathBuf> {
    let mut info = SharedObject {
        file_name: std::ptr::null(),
        base: std::ptr::null_mut(),
        symbol_name: std::ptr::null(),
        symbol_address: std::ptr::null_mut(),
    };
    // SAFETY: any address may be asked for; the name belongs to the loader and stays while the library is loaded.
    let file = unsafe {
        if dladdr(library_folder as *const c_void, &raw mut info) == 0 || info.file_name.is_null() {
            return None;
        }
        CStr::from_ptr(info.file_name)
    };
    PathBuf::from(OsStr::from_bytes(file.to_bytes())).parent().map(PathBuf::from)
}
