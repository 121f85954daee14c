//! What a run may not leave behind: sessions, queries, segments and spill files in the engine, descriptors, threads, backends, snapshots, locks,
//! pins. (Processes are looked for when the cluster stops.)
//!
//! All of it is asked for by SQL, since the server's user may look at the engine's process, and the caller need not.

use std::time::{Duration, Instant};

use crate::{client::Client, error::Result};

/// How long the engine may take to notice that clients are gone.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
/// Descriptors and threads that come and go by themselves.
pub const TOLERANCE: i64 = 4;

/// The engine, and what the server holds for the clients of this program. Memory is in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    pub pid: i64,
    pub sessions: i64,
    pub queries: i64,
    pub waiting: i64,
    pub queries_total: i64,
    pub descriptors: i64,
    pub threads: i64,
    pub resident: i64,
    /// The most that `resident` was.
    pub peak: i64,
    /// Of `resident`, the sessions' segments.
    pub shared: i64,
    /// Of `resident`, what is mapped from the program's file.
    pub file: i64,
    /// Segments that the engine has mapped.
    pub segments: i64,
    pub spill_files: i64,
    /// Other backends of this program: all of them, those that hold a snapshot, and the locks on tables of the suites that any backend holds.
    pub backends: i64,
    pub snapshots: i64,
    pub locks: i64,
}

const STATE: &str = "SELECT pid, sessions, queries, waiting, queries_total, \
    (SELECT count(*) FROM pg_ls_dir('/proc/' || pid || '/fd')), \
    (SELECT count(*) FROM pg_ls_dir('/proc/' || pid || '/task')), \
    substring(status FROM 'VmRSS:\\s+(\\d+)')::int, substring(status FROM 'VmHWM:\\s+(\\d+)')::int, \
    substring(status FROM 'RssShmem:\\s+(\\d+)')::int, substring(status FROM 'RssFile:\\s+(\\d+)')::int, \
    (SELECT count(*) FROM regexp_matches(pg_read_file('/proc/' || pid || '/maps'), '/memfd:', 'g')), \
    (SELECT count(*) FROM pg_ls_dir('pg_fusion/spill', true, false) folder, \
        LATERAL pg_ls_dir('pg_fusion/spill/' || folder, true, false)), \
    (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fusion_bench' AND pid <> pg_backend_pid()), \
    (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fusion_bench' AND pid <> pg_backend_pid() \
        AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)), \
    (SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND relation IN \
        (SELECT oid FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'chaos%' OR nspname IN ('data', 'fast')))) \
    FROM fusion.stat_engine, pg_read_file('/proc/' || pid || '/status') status";

impl State {
    /// Now; None while there is no engine.
    pub fn of(client: &mut Client) -> Result<Option<State>> {
        let answer = client.query(STATE)?;
        let Some(row) = answer.rows().first() else { return Ok(None) };
        let at = |index: usize| {
            let value = row.get(index).and_then(|value| value.as_deref()).unwrap_or_default();
            String::from_utf8_lossy(value).parse().unwrap_or(-1)
        };
        Ok(Some(State {
            pid: at(0),
            sessions: at(1),
            queries: at(2),
            waiting: at(3),
            queries_total: at(4),
            descriptors: at(5),
            threads: at(6),
            resident: at(7),
            peak: at(8),
            shared: at(9),
            file: at(10),
            segments: at(11),
            spill_files: at(12),
            backends: at(13),
            snapshots: at(14),
            locks: at(15),
        }))
    }

    /// Such as `12 descriptors, 5 threads, 211 MB resident (of these 16 MB segments, 48 MB program)`.
    pub fn footprint(&self) -> String {
        format!(
            "{} descriptors, {} threads, {} MB resident (of these {} MB segments, {} MB program)",
            self.descriptors,
            self.threads,
            self.resident / 1024,
            self.shared / 1024,
            self.file / 1024
        )
    }
}

/// Waits until nothing is left of sessions that are gone; says what is after some patience. `before` is a state with no session but this one.
pub fn wait_for_none(client: &mut Client, before: &State) -> Result<std::result::Result<State, String>> {
    wait(client, |state| {
        let mut most = of_idle_sessions(state);
        most.extend([
            ("sessions", state.sessions, 1),
            ("segments", state.segments, 1),
            ("descriptors", state.descriptors, before.descriptors + TOLERANCE),
            ("threads", state.threads, before.threads + TOLERANCE),
            ("backends", state.backends, 0),
        ]);
        most
    })
}

/// Waits until sessions that are open hold nothing.
pub fn wait_for_idle(client: &mut Client) -> Result<std::result::Result<State, String>> {
    wait(client, of_idle_sessions)
}

/// What is counted, how many there are, and how many there may be.
type Most = Vec<(&'static str, i64, i64)>;

fn of_idle_sessions(state: &State) -> Most {
    vec![
        ("queries", state.queries, 0),
        ("waiting queries", state.waiting, 0),
        ("spill files", state.spill_files, 0),
        ("snapshots", state.snapshots, 0),
        ("locks", state.locks, 0),
    ]
}

fn wait(client: &mut Client, most: impl Fn(&State) -> Most) -> Result<std::result::Result<State, String>> {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = match State::of(client)? {
            None => "no engine".to_owned(),
            Some(state) => {
                let found: Vec<String> = most(&state)
                    .iter()
                    .filter(|(_, count, most)| count > most)
                    .map(|(name, count, most)| format!("{count} {name} (at most {most})"))
                    .collect();
                if found.is_empty() {
                    return Ok(Ok(state));
                }
                found.join(", ")
            }
        };
        if Instant::now() >= end {
            return Ok(Err(left));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Buffers that are pinned, where PostgreSQL can tell: None without the extension pg_buffercache, which the embedded one lacks.
pub fn pins(client: &mut Client) -> Result<Option<i64>> {
    let available = client.query("SELECT FROM pg_available_extensions WHERE name = 'pg_buffercache'")?;
    if available.rows().is_empty() {
        return Ok(None);
    }
    client.query("CREATE EXTENSION IF NOT EXISTS pg_buffercache")?;
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = client.query("SELECT count(*) FROM pg_buffercache WHERE pinning_backends > 0")?;
        let count = answer.lines().collect::<String>().parse().unwrap_or(-1);
        // The checkpointer has some, too, but not for long.
        if count == 0 || Instant::now() >= end {
            return Ok(Some(count));
        }
        std::thread::sleep(PAUSE);
    }
}
