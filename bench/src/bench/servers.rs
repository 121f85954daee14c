//! The sessions and programs that the queries run in.
//!
//! Invariants: each of native, forced and routed has one session, which keeps its settings; an eviction goes through a session
//! of its own; the programs are idle while PostgreSQL works, and the other way round.

use std::time::{Duration, Instant};

use super::{Engine, child::Child, results::Memory};
use crate::{
    answer::route,
    arguments::BenchOptions,
    cache,
    client::{Answer, Client},
    error::{Error, Result},
    machine,
    statistics::bytes,
};

const NATIVE_SETTINGS: &str = "SET search_path = public";
const FORCED_SETTINGS: &str =
    "SET search_path = fast; SET fusion.enabled = on; SET fusion.force = on; SET fusion.fallback = off";
const ROUTED_SETTINGS: &str = "SET search_path = fast; SET fusion.enabled = on";

pub struct Servers {
    engines: Vec<Engine>,
    native: Client,
    forced: Client,
    routed: Client,
    /// Looks at the extension, and empties its cache.
    admin: Client,
    can_evict: bool,
    memory: Option<Child>,
    duckdb: Option<Child>,
    /// What a reader of the results should know.
    pub notes: Vec<String>,
    /// Memory of the processes before the first query.
    at_rest: Vec<(u32, Option<u64>)>,
}

/// One run of a query.
pub struct Outcome {
    /// From sending the query to having the last row.
    pub time: Duration,
    pub answered: Answered,
}

pub enum Answered {
    Rows(Answer),
    /// Only how many rows there were.
    Count(usize),
}

impl Servers {
    /// Connects, starts the programs, and waits until they have their tables.
    pub fn start(options: &BenchOptions) -> Result<Servers> {
        let mut admin = Client::connect()?;
        let can_evict = cache::can_evict(&mut admin)?;
        let mut notes = Vec::new();
        let engines = possible(&options.engines, can_evict, &mut notes);
        let wanted = |engine| engines.contains(&engine);
        let mut servers = Servers {
            native: connect(NATIVE_SETTINGS)?,
            forced: connect(FORCED_SETTINGS)?,
            routed: connect(ROUTED_SETTINGS)?,
            admin,
            can_evict,
            memory: wanted(Engine::Memory).then(|| start_memory(options)).transpose()?,
            duckdb: wanted(Engine::DuckDb).then(|| start_duckdb(options)).transpose()?,
            notes,
            at_rest: Vec::new(),
            engines,
        };
        let pids: Vec<u32> = servers.processes()?.into_iter().map(|(_, pid)| pid).collect();
        for pid in pids {
            machine::reset_peak(pid);
            servers.at_rest.push((pid, machine::resident(pid)));
        }
        Ok(servers)
    }

    pub fn engines(&self) -> Vec<Engine> {
        self.engines.clone()
    }

    /// Server and programs, with their versions.
    pub fn versions(&mut self) -> Result<Vec<String>> {
        let version: String = self.admin.query("SHOW server_version")?.lines().collect();
        let mut versions = vec![format!("PostgreSQL {version}")];
        versions.extend([&self.memory, &self.duckdb].into_iter().flatten().map(|child| child.version.clone()));
        Ok(versions)
    }

    /// The settings that matter most, such as `shared_buffers = 4GB`.
    pub fn settings(&mut self) -> Result<Vec<String>> {
        let answer = self.admin.query(
            "SELECT name || ' = ' || current_setting(name) FROM pg_settings WHERE name IN ('shared_buffers', 'work_mem', \
             'max_parallel_workers_per_gather', 'fusion.engine_threads', 'fusion.memory_limit', 'fusion.cache_size') \
             ORDER BY name NOT LIKE 'fusion.%' DESC, name",
        )?;
        Ok(answer.lines().collect())
    }

    /// Where an EXPLAIN says that the query goes, as `answer::route` does. An error of planning it is a note.
    pub fn route(&mut self, engine: Engine, sql: &str) -> Result<(bool, Option<String>)> {
        match self.session(engine).query(&format!("EXPLAIN {sql}")) {
            Ok(plan) => Ok(route(&plan)),
            Err(error @ Error::Server { .. }) => Ok((false, Some(error.to_string()))),
            Err(error) => Err(error),
        }
    }

    pub fn execute(&mut self, engine: Engine, number: u32, sql: &str) -> Result<Outcome> {
        let child = match engine {
            Engine::Memory => &mut self.memory,
            Engine::DuckDb => &mut self.duckdb,
            Engine::Native | Engine::Cold | Engine::Warm | Engine::Routed => {
                let client = self.session(engine);
                let start = Instant::now();
                let answer = client.query(sql)?;
                return Ok(Outcome { time: start.elapsed(), answered: Answered::Rows(answer) });
            }
        };
        let child = child.as_mut().ok_or_else(|| Error::Child(format!("{}: not started", engine.name())))?;
        let (rows, time) = child.run(number)?;
        Ok(Outcome { time, answered: Answered::Count(rows) })
    }

    /// Empties the column cache; false when there is nothing to empty it with.
    pub fn evict(&mut self) -> Result<bool> {
        if self.can_evict {
            cache::evict(&mut self.admin)?;
        }
        Ok(self.can_evict)
    }

    /// What the processes take, and the engine's column cache.
    pub fn memory(&mut self) -> Result<Vec<Memory>> {
        let mut list = Vec::new();
        for (name, pid) in self.processes()? {
            let at_rest = self.at_rest.iter().find(|(other, _)| *other == pid).and_then(|(_, memory)| *memory);
            list.push(Memory { name, at_rest, peak: machine::peak(pid) });
        }
        for (name, value) in cache::counters(&mut self.admin)? {
            let text = match u64::try_from(value) {
                Ok(value) if name.contains("bytes") => bytes(value),
                _ => value.to_string(),
            };
            self.notes.push(format!("fusion.stat_cache: {name} = {text}"));
        }
        Ok(list)
    }

    /// The engine process and the programs.
    fn processes(&mut self) -> Result<Vec<(String, u32)>> {
        let mut list = Vec::new();
        let engine: String = self.admin.query("SELECT pid FROM fusion.stat_engine")?.lines().collect();
        if let Ok(pid) = engine.parse() {
            list.push((String::from("pg_fusion engine"), pid));
        }
        for (engine, child) in [(Engine::Memory, &self.memory), (Engine::DuckDb, &self.duckdb)] {
            list.extend(child.as_ref().map(|child| (String::from(engine.title()), child.pid())));
        }
        Ok(list)
    }

    fn session(&mut self, engine: Engine) -> &mut Client {
        match engine {
            Engine::Cold | Engine::Warm => &mut self.forced,
            Engine::Routed => &mut self.routed,
            Engine::Native | Engine::Memory | Engine::DuckDb => &mut self.native,
        }
    }
}

/// The engines that can be measured: without a way to empty the cache, warm is not another thing than cold.
fn possible(wanted: &[Engine], can_evict: bool, notes: &mut Vec<String>) -> Vec<Engine> {
    if can_evict || !wanted.contains(&Engine::Warm) {
        return wanted.to_vec();
    }
    notes.push(String::from("this pg_fusion has no fusion.cache_evict: every run counts as cold, none as warm"));
    let wanted = |engine: &Engine| match engine {
        Engine::Warm => false,
        Engine::Cold => true,
        other => wanted.contains(other),
    };
    Engine::ALL.into_iter().filter(wanted).collect()
}

fn connect(settings: &str) -> Result<Client> {
    let mut client = Client::connect()?;
    client.query(settings)?;
    Ok(client)
}

fn start_memory(options: &BenchOptions) -> Result<Child> {
    let program = options.memory.as_ref().ok_or_else(|| Error::Child(String::from("memory needs --memory PROGRAM")))?;
    Child::start(Engine::Memory.name(), program, &arguments(options))
}

fn start_duckdb(options: &BenchOptions) -> Result<Child> {
    let program = options.duckdb.as_ref().ok_or_else(|| Error::Child(String::from("duckdb needs --duckdb PROGRAM")))?;
    let this = std::env::current_exe().map_err(|error| Error::Child(format!("this program has no path: {error}")))?;
    let mut arguments = arguments(options);
    // It has the rows from `fusion_bench rows`.
    arguments.push(("--generator", this.to_string_lossy().into_owned()));
    Child::start(Engine::DuckDb.name(), program, &arguments)
}

fn arguments(options: &BenchOptions) -> Vec<(&'static str, String)> {
    vec![
        ("--scale", options.scale.to_string()),
        ("--threads", machine::cores().to_string()),
        ("--queries", options.query.directory.to_string_lossy().into_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_eviction_warm_is_cold() {
        let mut notes = Vec::new();
        let wanted = [Engine::Native, Engine::Warm, Engine::DuckDb];
        assert_eq!(possible(&wanted, true, &mut notes), wanted);
        assert!(notes.is_empty());
        assert_eq!(possible(&wanted, false, &mut notes), [Engine::Native, Engine::Cold, Engine::DuckDb]);
        assert_eq!(notes.len(), 1);
        assert_eq!(possible(&[Engine::Native, Engine::Memory], false, &mut notes), [Engine::Native, Engine::Memory]);
    }
}
