//! The machine that is measured on: processor, memory, and how much of it a process takes.
//!
//! Invariant: what a system does not tell is left out, never an error.

use std::{fs, thread};

pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Such as `AMD EPYC 7B13, 2 cores, 23.4 GB`.
pub fn description() -> String {
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| String::from(value.trim()))
    };
    let mut parts = Vec::new();
    parts.extend(field("/proc/cpuinfo", "model name"));
    parts.push(format!("{} cores", cores()));
    parts.extend(field("/proc/meminfo", "MemTotal").as_deref().and_then(kilobytes).map(crate::statistics::bytes));
    parts.join(", ")
}

/// Bytes of a process that are in memory now.
pub fn resident(pid: u32) -> Option<u64> {
    status(pid, "VmRSS:")
}

/// The most that `resident` was since the process started, or since `reset_peak`.
pub fn peak(pid: u32) -> Option<u64> {
    status(pid, "VmHWM:")
}

/// Forgets the peak so far, where we may; else the peak is that since the start.
pub fn reset_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// The children of a process, those that have ended and were not waited for among them.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|text| parent(&text) == Some(pid)))
        .collect()
}

/// `PID (NAME) STATE PARENT ...`; the name may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)).and_then(kilobytes)
}

/// `1234 kB` as bytes.
fn kilobytes(text: &str) -> Option<u64> {
    text.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_are_read() {
        assert_eq!(kilobytes("   12 kB"), Some(12 << 10));
        assert_eq!(kilobytes("12"), None);
        assert_eq!(kilobytes("x kB"), None);
    }

    #[test]
    fn the_parent_follows_a_name_of_any_kind() {
        assert_eq!(parent("12 (a) b) (c) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12"), None);
    }

    #[test]
    fn this_process_takes_memory() {
        if fs::metadata("/proc/self/status").is_ok() {
            let (resident, peak) = (resident(std::process::id()), peak(std::process::id()));
            assert!(resident.is_some() && peak >= resident, "{resident:?} {peak:?}");
        }
        assert_eq!(resident(0), None);
    }
}
