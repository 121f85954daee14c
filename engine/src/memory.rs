//! The memory that queries may take: one pool for all of them, with spilling to files in the data directory.
//!
//! Invariant: an operator that reaches the limit spills, or ends its query with SQLSTATE 53200; the process goes on.

use crate::error::{Error, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

/// Consumers named in the error of a query that runs out of memory.
const REPORTED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).unwrap();
/// The limit where the machine does not say how much memory it has, bytes.
const FALLBACK_LIMIT: usize = 1 << 30;
/// The smallest limit, bytes.
const MIN_LIMIT: usize = 16 << 20;

/// A quarter of the machine's memory, bytes.
pub fn default_limit() -> usize {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    total.map_or(FALLBACK_LIMIT, |total| total / 4)
}

fn total_bytes(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

/// The runtime that all queries share. `spill` is a folder of the engine alone: what an earlier process left there is removed.
pub fn runtime(limit: usize, spill: &Path) -> Result<Arc<RuntimeEnv>> {
    match std::fs::remove_dir_all(spill) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::Io("remove old spill files", error));
        }
        _ => {}
    }
    std::fs::create_dir_all(spill).map_err(Error::io("create the spill folder"))?;
    let pool = TrackConsumersPool::new(FairSpillPool::new(limit.max(MIN_LIMIT)), REPORTED_CONSUMERS);
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![spill.to_owned()]));
    Ok(RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(disk).build_arc()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_memory_is_read_in_bytes() {
        assert_eq!(total_bytes("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(total_bytes("MemFree: 1 kB\n"), None);
        assert!(default_limit() > 0);
    }
}
