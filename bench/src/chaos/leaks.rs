//! What a run may not leave behind: sessions and queries in the engine, descriptors, threads, backends, locks. (Processes are looked for when the cluster stops.)

use std::time::{Duration, Instant};

use crate::{client::Client, error::Result};

/// How long the engine may take to notice that clients are gone.
const PATIENCE: Duration = Duration::from_secs(20);
/// Descriptors and threads that come and go by themselves.
const TOLERANCE: i64 = 4;

/// What the engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    pub descriptors: i64,
    pub threads: i64,
    /// KiB.
    pub resident: i64,
}

const STATE: &str = "SELECT pid, sessions, queries, waiting, \
    (SELECT count(*) FROM pg_ls_dir('/proc/' || pid || '/fd')), \
    (SELECT count(*) FROM pg_ls_dir('/proc/' || pid || '/task')), \
    substring(pg_read_file('/proc/' || pid || '/status') FROM 'VmRSS:\\s+(\\d+)')::int, \
    (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fusion_bench' AND pid <> pg_backend_pid()), \
    (SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND relation IN \
        (SELECT oid FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'chaos%'))) \
    FROM fusion.stat_engine";

impl Footprint {
    /// Of the engine now.
    pub fn of(client: &mut Client) -> Result<Footprint> {
        let state = state(client)?;
        Ok(Footprint { descriptors: at(&state, 4), threads: at(&state, 5), resident: at(&state, 6) })
    }
}

fn at(state: &[i64], index: usize) -> i64 {
    state.get(index).copied().unwrap_or(-1)
}

/// One row of numbers; empty while there is no engine.
fn state(client: &mut Client) -> Result<Vec<i64>> {
    let answer = client.query(STATE)?;
    let number = |value: &Option<Vec<u8>>| {
        String::from_utf8_lossy(value.as_deref().unwrap_or_default()).parse::<i64>().unwrap_or(-1)
    };
    Ok(answer.rows().first().map(|row| row.iter().map(number).collect()).unwrap_or_default())
}

/// Waits until nothing is left; says what is after some patience.
pub fn wait_for_none(client: &mut Client, before: &Footprint) -> Result<Option<String>> {
    let end = Instant::now() + PATIENCE;
    loop {
        let state = state(client)?;
        let left = left(&state, before);
        if left.is_none() {
            println!(
                "    afterwards: {} descriptors (before: {}), {} threads ({}), {} MB resident ({})",
                at(&state, 4),
                before.descriptors,
                at(&state, 5),
                before.threads,
                at(&state, 6) / 1024,
                before.resident / 1024
            );
        }
        if left.is_none() || Instant::now() >= end {
            return Ok(left);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn left(state: &[i64], before: &Footprint) -> Option<String> {
    if state.is_empty() {
        return Some("no engine".to_owned());
    }
    let most = [
        ("sessions", 1, 1),
        ("queries", 2, 0),
        ("waiting queries", 3, 0),
        ("descriptors", 4, before.descriptors + TOLERANCE),
        ("threads", 5, before.threads + TOLERANCE),
        ("backends", 7, 0),
        ("locks", 8, 0),
    ];
    let found: Vec<String> = most
        .iter()
        .filter(|(_, index, most)| at(state, *index) > *most)
        .map(|(name, index, most)| format!("{} {name} (at most {most})", at(state, *index)))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}
