//! Who this server process is.

use pgrx::pg_sys;

/// Pid of this process.
pub fn pid() -> u32 {
    // SAFETY: set at process start, read on the main thread.
    unsafe { pg_sys::MyProcPid as u32 }
}

/// OID of the database that this backend is connected to; 0 in a process with none.
pub fn database() -> u32 {
    // SAFETY: set when the backend chose its database, read on the main thread.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}

/// Whether this is a worker of a parallel query.
pub fn is_parallel_worker() -> bool {
    // SAFETY: set at worker start, read on the main thread.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 }
}

/// Whether libraries of `shared_preload_libraries` are being loaded, the one time for static workers.
pub fn is_preloading() -> bool {
    // SAFETY: a plain flag, read on the main thread.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Processors that this process may use, at least 1. Asked once: the answer is read from several files.
pub fn cores() -> u32 {
    static CORES: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32))
}

/// Memory of this machine, or of the control group that it runs in if that has less, MiB. Asked once.
pub fn memory_mb() -> u64 {
    static MEMORY: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *MEMORY.get_or_init(|| {
        let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        });
        let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
        let group = group.and_then(|text| text.trim().parse::<u64>().ok());
        let machine_mb = machine.map_or(4096, |kib| kib / 1024);
        group.map_or(machine_mb, |bytes| machine_mb.min(bytes >> 20))
    })
}
