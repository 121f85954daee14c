//! What was measured: every run's time, and what is computed from them.
//!
//! Invariants: an engine that failed on a query, or whose answer differs, has no time there; totals are over the queries that
//! every engine has a time for; a ratio above 1 means faster than native.

use std::time::Duration;

use super::{Engine, servers::Servers};
use crate::{
    arguments::BenchOptions,
    error::Result,
    machine,
    statistics::{geometric_mean, median, ratio},
};

pub struct Results {
    pub label: String,
    /// Machine, versions and settings, a line each.
    pub setting: Vec<String>,
    pub runs: usize,
    pub engines: Vec<Engine>,
    pub queries: Vec<Query>,
    pub memory: Vec<Memory>,
    pub notes: Vec<String>,
}

/// Memory of one process, in bytes; None where the system does not tell.
pub struct Memory {
    pub name: String,
    /// Before the first query, with its tables loaded.
    pub at_rest: Option<u64>,
    /// The most while the queries ran.
    pub peak: Option<u64>,
}

pub struct Run {
    /// From 1 on.
    pub round: usize,
    pub engine: Engine,
    pub time: Duration,
}

/// What is known of one query.
pub struct Query {
    pub number: u32,
    /// Of PostgreSQL's answer.
    pub rows: usize,
    pub runs: Vec<Run>,
    /// Of forced and of routed fusion, whether EXPLAIN shows the engine.
    pub in_engine: Vec<(Engine, bool)>,
    /// Engines that ended in an error, or gave another answer than PostgreSQL.
    faults: Vec<Engine>,
    pub notes: Vec<String>,
}

impl Query {
    pub fn new(number: u32) -> Query {
        Query { number, rows: 0, runs: Vec::new(), in_engine: Vec::new(), faults: Vec::new(), notes: Vec::new() }
    }

    pub fn time(&self, engine: Engine) -> Option<Duration> {
        let times: Vec<Duration> = self.runs.iter().filter(|run| run.engine == engine).map(|run| run.time).collect();
        (!times.is_empty() && !self.failed(engine)).then(|| median(times))
    }

    pub fn ratio(&self, engine: Engine) -> Option<f64> {
        Some(ratio(self.time(Engine::Native)?, self.time(engine)?))
    }

    pub fn failed(&self, engine: Engine) -> bool {
        self.faults.contains(&engine)
    }

    pub fn fail(&mut self, engine: Engine, text: &str) {
        self.note(engine, text);
        if !self.failed(engine) {
            self.faults.push(engine);
        }
    }

    pub fn differs(&mut self, engine: Engine, text: &str) {
        self.fail(engine, &format!("another answer: {text}"));
    }

    /// The same note once.
    pub fn note(&mut self, engine: Engine, text: &str) {
        let note = format!("{}: {text}", engine.name());
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Whether fusion gave PostgreSQL's answers, and PostgreSQL the same one every time.
    pub fn same(&self) -> bool {
        !self.faults.iter().any(|engine| engine.is_fusion() || *engine == Engine::Native)
    }

    /// Whether the forced runs were in the engine; true when there were none.
    pub fn forced_in_engine(&self) -> bool {
        self.in_engine.iter().all(|(engine, in_engine)| *in_engine || !engine.is_forced())
    }

    /// Where the default route goes.
    pub fn routed_to(&self) -> Option<&'static str> {
        let (_, in_engine) = self.in_engine.iter().find(|(engine, _)| *engine == Engine::Routed)?;
        Some(if *in_engine { "engine" } else { "native" })
    }
}

impl Results {
    pub fn new(options: &BenchOptions, servers: &mut Servers) -> Result<Results> {
        let setting = vec![machine::description(), servers.versions()?.join("; "), servers.settings()?.join(", ")];
        Ok(Results {
            label: options.query.label.clone(),
            setting,
            runs: options.runs,
            engines: servers.engines(),
            queries: Vec::new(),
            memory: Vec::new(),
            notes: Vec::new(),
        })
    }

    pub fn succeeded(&self) -> bool {
        !self.queries.is_empty() && self.queries.iter().all(|query| query.same() && query.forced_in_engine())
    }

    /// The engines beside native.
    pub fn others(&self) -> impl Iterator<Item = Engine> {
        self.engines.iter().copied().filter(|engine| *engine != Engine::Native)
    }

    /// Queries that every engine has a time for.
    fn complete(&self) -> impl Iterator<Item = &Query> {
        self.queries.iter().filter(|query| self.engines.iter().all(|engine| query.time(*engine).is_some()))
    }

    /// How many queries the totals are of.
    pub fn complete_count(&self) -> usize {
        self.complete().count()
    }

    pub fn total(&self, engine: Engine) -> Duration {
        self.complete().filter_map(|query| query.time(engine)).sum()
    }

    /// Of the times in seconds, over the same queries as the totals.
    pub fn mean_time(&self, engine: Engine) -> Option<Duration> {
        let times = self.complete().filter_map(|query| query.time(engine));
        geometric_mean(times.map(|time| time.as_secs_f64().max(1e-9))).map(Duration::from_secs_f64)
    }

    /// The geometric mean of the ratios to native, over the queries that the engine has a time for.
    pub fn mean_ratio(&self, engine: Engine) -> Option<f64> {
        geometric_mean(self.queries.iter().filter_map(|query| query.ratio(engine)))
    }

    /// The last line, such as `22 of 22 equal, in the engine; against PostgreSQL (geometric mean): cold 1.9x, warm 4.2x`.
    pub fn summary(&self) -> String {
        let total = self.queries.len();
        let equal = self.queries.iter().filter(|query| query.same()).count();
        let in_engine = self.queries.iter().filter(|query| query.forced_in_engine()).count();
        let mut text = if in_engine == total {
            format!("{equal} of {total} equal, in the engine")
        } else {
            format!("{equal} of {total} equal, {in_engine} of {total} in the engine")
        };
        let means: Vec<String> = self
            .others()
            .filter_map(|engine| Some(format!("{} {:.2}x", engine.name(), self.mean_ratio(engine)?)))
            .collect();
        if !means.is_empty() {
            text.push_str(&format!("; against PostgreSQL (geometric mean): {}", means.join(", ")));
        }
        text
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Two rounds of native at 100 ms and of `engine` at `time` ms.
    pub fn query(number: u32, engine: Engine, time: u64) -> Query {
        let mut query = Query::new(number);
        query.in_engine = vec![(Engine::Cold, true), (Engine::Routed, false)];
        for round in 1..=2 {
            query.runs.push(Run { round, engine: Engine::Native, time: Duration::from_millis(100) });
            query.runs.push(Run { round, engine, time: Duration::from_millis(time) });
        }
        query
    }

    pub fn results(queries: Vec<Query>) -> Results {
        Results {
            label: String::from("t"),
            setting: vec![String::from("a machine")],
            runs: 2,
            engines: vec![Engine::Native, Engine::Cold],
            queries,
            memory: vec![Memory { name: String::from("m"), at_rest: Some(1 << 20), peak: None }],
            notes: vec![],
        }
    }

    #[test]
    fn totals_and_means_leave_out_what_failed() {
        let mut bad = query(3, Engine::Cold, 1);
        bad.fail(Engine::Cold, "out of memory");
        let results = results(vec![query(1, Engine::Cold, 50), query(2, Engine::Cold, 25), bad]);
        assert_eq!(results.complete_count(), 2);
        assert_eq!(results.total(Engine::Native), Duration::from_millis(200));
        assert_eq!(results.total(Engine::Cold), Duration::from_millis(75));
        let mean = results.mean_ratio(Engine::Cold).expect("a mean");
        assert!((mean - 8f64.sqrt()).abs() < 1e-9, "{mean}");
        assert!(!results.succeeded());
        assert_eq!(results.summary(), "2 of 3 equal, in the engine; against PostgreSQL (geometric mean): cold 2.83x");
    }

    #[test]
    fn another_engine_may_fail_and_the_default_route_may_be_native() {
        let mut other = query(1, Engine::Cold, 50);
        other.fail(Engine::DuckDb, "no");
        other.fail(Engine::DuckDb, "no");
        assert_eq!(other.notes, ["duckdb: no"]);
        assert_eq!(other.routed_to(), Some("native"));
        assert!(results(vec![other]).succeeded());
        assert!(!results(vec![]).succeeded());
    }
}
