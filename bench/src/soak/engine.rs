//! The engine's limits for the run, and as they were before.
//!
//! Engine settings are in force when an engine starts, so its supervisor is ended, which PostgreSQL starts again.

use std::time::{Duration, Instant};

use crate::{
    client::Client,
    error::{Error, Result},
};

/// How long another engine may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const SETTINGS: [&str; 2] = ["fusion.cache_size", "fusion.memory_limit"];

pub struct Limits {
    /// fusion.memory_limit
    pub memory_mb: u64,
    /// fusion.cache_size
    pub cache_mb: u64,
}

impl Limits {
    /// The memory limit.
    pub fn memory_kib(&self) -> i64 {
        i64::try_from(self.memory_mb * 1024).unwrap_or(i64::MAX)
    }
}

/// Starts an engine under the limits.
pub fn start_under(client: &mut Client, limits: &Limits) -> Result<()> {
    let [cache, memory] = SETTINGS;
    client.query(&format!("ALTER SYSTEM SET {memory} = '{}MB'", limits.memory_mb))?;
    client.query(&format!("ALTER SYSTEM SET {cache} = '{}MB'", limits.cache_mb))?;
    restart(client)
}

/// Starts an engine under the server's own settings.
pub fn start_as_before(client: &mut Client) -> Result<()> {
    for setting in SETTINGS {
        client.query(&format!("ALTER SYSTEM RESET {setting}"))?;
    }
    restart(client)
}

fn restart(client: &mut Client) -> Result<()> {
    const PID: &str = "SELECT pid FROM fusion.stat_engine";
    client.query("SELECT pg_reload_conf()")?;
    let before: String = client.query(PID)?.lines().collect();
    client
        .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor'")?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        std::thread::sleep(PAUSE);
        let now: String = client.query(PID)?.lines().collect();
        if !now.is_empty() && now != before {
            return Ok(());
        }
    }
    Err(Error::Connection("no other engine has come".to_owned()))
}
