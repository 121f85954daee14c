//! `fusion_bench bench`: the queries in every engine, in turns, so that the machine's moods meet all of them.
//!
//! Way of a query: one warm-up in every engine, then rounds; in a round each engine runs it once, in the order of
//! `Engine::ALL`. `engine` says what is measured, `servers` runs it (PostgreSQL through `client`, the others through `child`),
//! `results` holds the times, `table` writes them as CSV and Markdown, `chart` draws them.
//!
//! Invariants: a cold run follows an eviction of the whole column cache and nothing else; every warm or routed run follows a
//! run of the same query that found or filled the cache; every answer of PostgreSQL and of fusion is compared with the first
//! native one, byte for byte, and of the others the number of rows.

mod child;
mod engine;
mod results;
mod servers;
mod table;

pub use self::engine::Engine;
use self::{
    results::{Query, Results, Run},
    servers::{Answered, Outcome, Servers},
};
use crate::{
    answer::difference,
    arguments::BenchOptions,
    client::Answer,
    error::{Error, Result},
};

/// Returns whether every answer is PostgreSQL's, and every forced query ran in the engine.
pub fn run(options: &BenchOptions) -> Result<bool> {
    let mut servers = Servers::start(options)?;
    let mut results = Results::new(options, &mut servers)?;
    for note in &servers.notes {
        println!("    {note}");
    }
    table::print_head(&results.engines);
    for &number in &options.query.queries {
        let query = measure(&mut servers, number, &options.query.sql(number)?, options.runs)?;
        table::print_query(&results.engines, &query);
        results.queries.push(query);
    }
    fill_cache(&mut servers, options)?;
    results.memory = servers.memory()?;
    results.notes.append(&mut servers.notes);
    table::print_foot(&results);
    if let Some(stem) = &options.query.results {
        table::write(&results, stem)?;
    }
    println!("{}", results.summary());
    Ok(results.succeeded())
}

/// The evictions left the last query's columns in the cache: for the figures of memory, those of all queries.
fn fill_cache(servers: &mut Servers, options: &BenchOptions) -> Result<()> {
    if !servers.engines().contains(&Engine::Warm) {
        return Ok(());
    }
    for &number in &options.query.queries {
        match servers.execute(Engine::Warm, number, &options.query.sql(number)?) {
            // Its fault is known from its runs.
            Ok(_) | Err(Error::Server { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Warm-up and rounds of one query.
fn measure(servers: &mut Servers, number: u32, sql: &str, runs: usize) -> Result<Query> {
    let mut query = Query::new(number);
    let engines = servers.engines();
    // Cold and warm share a session.
    let forced = engines.iter().copied().find(|engine| engine.is_forced());
    for engine in forced.into_iter().chain(engines.iter().copied().find(|engine| *engine == Engine::Routed)) {
        let (in_engine, note) = servers.route(engine, sql)?;
        query.in_engine.push((engine, in_engine));
        // Where the default route goes is a finding; that the forced one goes elsewhere is a fault.
        query.notes.extend(note.filter(|_| engine.is_forced()));
    }
    let Outcome { answered: Answered::Rows(expected), .. } = servers.execute(Engine::Native, number, sql)? else {
        return Err(Error::Connection(String::from("PostgreSQL gave no rows")));
    };
    query.rows = expected.rows().len();
    let mut judge = Judge { expected: &expected, query: &mut query };
    for &engine in engines.iter().filter(|engine| **engine != Engine::Native) {
        judge.run(servers, engine, number, sql, None)?;
    }
    for round in 1..=runs {
        for &engine in &engines {
            let evicted = engine == Engine::Cold && servers.evict()?;
            judge.run(servers, engine, number, sql, Some(round))?;
            if evicted {
                // A scan that stopped early, or that a join filter thinned out, may not have filled the cache.
                judge.run(servers, engine, number, sql, None)?;
            }
        }
    }
    Ok(query)
}

/// Compares every answer with the first one of PostgreSQL, and keeps the times.
struct Judge<'a> {
    expected: &'a Answer,
    query: &'a mut Query,
}

impl Judge<'_> {
    /// `round`: None for a warm-up, whose time does not count.
    fn run(
        &mut self,
        servers: &mut Servers,
        engine: Engine,
        number: u32,
        sql: &str,
        round: Option<usize>,
    ) -> Result<()> {
        if self.query.failed(engine) {
            return Ok(());
        }
        match servers.execute(engine, number, sql) {
            Ok(outcome) => {
                if let Some(round) = round {
                    self.query.runs.push(Run { round, engine, time: outcome.time });
                }
                self.compare(engine, &outcome.answered);
            }
            // A query that fails is a result; a lost connection to PostgreSQL is not.
            Err(error @ (Error::Server { .. } | Error::Child(_))) => self.query.fail(engine, &error.to_string()),
            Err(error) => {
                eprintln!("Q{number}, {}: {error}", engine.name());
                return Err(error);
            }
        }
        Ok(())
    }

    fn compare(&mut self, engine: Engine, answered: &Answered) {
        match answered {
            Answered::Rows(answer) => {
                if let Some(text) = difference(self.expected, answer) {
                    self.query.differs(engine, &text);
                }
            }
            Answered::Count(rows) if *rows != self.query.rows => {
                self.query.note(engine, &format!("{rows} rows, PostgreSQL has {}", self.query.rows));
            }
            Answered::Count(_) => {}
        }
    }
}
