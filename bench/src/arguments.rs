//! The command line: a few commands with a few `--name value` options each.

use std::path::PathBuf;

use crate::bench::Engine;

pub const USAGE: &str = "usage:
  fusion_bench load [--scale 0.1]
      make and fill the TPC-H tables in schema public of the database PGDATABASE
  fusion_bench run [--queries '1 3 6'] [--runs 3] [--native-only]
      run them on the heap tables (search_path public) and on the fusion tables (search_path fast),
      compare, and print a table; --results writes STEM.csv and STEM.md
  fusion_bench bench [--queries '1 3 6'] [--runs 3] [--engines 'native cold warm routed memory duckdb']
                     [--scale 0.1] [--memory PROGRAM] [--duckdb PROGRAM]
      time them in every engine, in turns; --results writes STEM.csv, STEM-runs.csv, STEM.md and STEM.svg;
      PROGRAM answers queries as bench/memory and bench/duckdb_server.py do
  fusion_bench ingest [--queries '1 3 6'] [--seconds 120] [--percent 1] [--vacuum 30]
      run them natively and in the engine under one snapshot, while another session updates so many per cent of
      lineitem a minute and a third one vacuums it every so many seconds; --results writes STEM.csv, .md and .svg
  fusion_bench tables
      print the TPC-H tables, a line each: name, tabulator, column definitions
  fusion_bench rows --table lineitem [--scale 0.1]
      print the rows of one, values separated by |
  fusion_bench chaos [--seconds 60] [--clients 16] [--kill 2] [--calm] [--seed 1]
      make tables in the schemas chaos and chaos_fast (what is there is dropped), run queries, a third of them generated, natively and in the engine in
      one snapshot from many sessions and compare, while others write, the engine is killed every so many seconds (0: never)
      and the sessions are cancelled and terminated at random (--calm: they are not)
  fusion_bench diff [--directory regress/diff] [--files 'joins windows'] [--rewrite]
      run the query files of the differential suite natively and in the engine, and compare;
      --rewrite changes the expectations in the files to what happened, where the answers are equal
  fusion_bench diff --random 1000 [--seed 1]
      the same with generated queries; those that differ are printed, made as short as they get
  fusion_bench soak [--queries 100000] [--seconds 0] [--clients 24] [--memory 384] [--seed 1]
      make the tables of chaos and diff and a large one (what is there is dropped), restart the engine with a memory limit of so many MB,
      run so many queries, but not longer than so many seconds (0: however long it takes), of many kinds from many sessions, compare, watch what the engine takes, and
      look for what is left behind
  fusion_bench stress [--seconds 60] [--readers 3] [--writers 3] [--seed 1]
      make tables in the schemas stress and stress_fast (what is there is dropped), change them in every way from several
      sessions, and compare native and engine in one snapshot from several others
run, bench and ingest also take [--directory bench/queries/tpch] [--label TEXT] [--results STEM].

The server is reached over the Unix socket in PGHOST, at PGPORT, as PGUSER, in PGDATABASE.";

#[derive(Debug, PartialEq)]
pub enum Command {
    Load(LoadOptions),
    Run(RunOptions),
    Bench(BenchOptions),
    Ingest(IngestOptions),
    Chaos(ChaosOptions),
    Tables,
    Rows(RowsOptions),
    Diff(DiffOptions),
    Soak(SoakOptions),
    Stress(StressOptions),
}

#[derive(Debug, PartialEq)]
pub struct LoadOptions {
    /// TPC-H scale factor; 1 is about 1 GB of text.
    pub scale: f64,
}

/// What `run`, `bench` and `ingest` have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryOptions {
    /// Query numbers, 1 to 22, in the order to run them.
    pub queries: Vec<u32>,
    /// Holds qNN.sql.
    pub directory: PathBuf,
    /// Title of the written results.
    pub label: String,
    /// Where to write the results, without the extension.
    pub results: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub struct RunOptions {
    pub query: QueryOptions,
    /// Timed runs of each query after one warm-up; the median counts.
    pub runs: usize,
    /// Leave the fusion tables out.
    pub native_only: bool,
}

#[derive(Debug, PartialEq)]
pub struct BenchOptions {
    pub query: QueryOptions,
    /// Timed runs of each query in each engine after one warm-up; the median counts.
    pub runs: usize,
    /// In the order of `Engine::ALL`; native is always among them.
    pub engines: Vec<Engine>,
    /// Scale factor of the tables that the other programs make.
    pub scale: f64,
    /// The program with DataFusion in memory.
    pub memory: Option<PathBuf>,
    /// The program with DuckDB.
    pub duckdb: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub struct IngestOptions {
    pub query: QueryOptions,
    /// How long there is writing; every query runs at least once.
    pub seconds: u64,
    /// Of lineitem's rows, to be updated in a minute.
    pub percent: f64,
    /// Seconds between two VACUUMs of lineitem.
    pub vacuum: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ChaosOptions {
    pub seconds: u64,
    /// Sessions that query.
    pub clients: u64,
    /// Seconds between two deaths of the engine; 0: it lives.
    pub kill: u64,
    /// Whether backends are cancelled and terminated.
    pub strikes: bool,
    pub seed: u64,
}

#[derive(Debug, PartialEq)]
pub struct RowsOptions {
    pub table: String,
    pub scale: f64,
}

#[derive(Debug, PartialEq)]
pub struct DiffOptions {
    /// Holds the query files.
    pub directory: PathBuf,
    /// Names of query files, without `.sql`; empty: all.
    pub files: Vec<String>,
    pub rewrite: bool,
    /// Generated queries instead of the files.
    pub random: Option<u64>,
    pub seed: u64,
}

#[derive(Debug, PartialEq)]
pub struct SoakOptions {
    /// The run ends after so many.
    pub queries: u64,
    /// Or after so many; 0: it does not.
    pub seconds: u64,
    /// Sessions that query.
    pub clients: u64,
    /// The engine's memory limit, MB.
    pub memory: u64,
    pub seed: u64,
}

#[derive(Debug, PartialEq)]
pub struct StressOptions {
    pub seconds: u64,
    /// Sessions that compare.
    pub readers: u64,
    /// Sessions that write.
    pub writers: u64,
    pub seed: u64,
}

/// Every option of every command, at its default or as given.
struct Given {
    query: QueryOptions,
    scale: f64,
    runs: usize,
    native_only: bool,
    engines: Vec<Engine>,
    memory: Option<PathBuf>,
    duckdb: Option<PathBuf>,
    seconds: u64,
    percent: f64,
    vacuum: u64,
    chaos: ChaosOptions,
    table: String,
    diff: DiffOptions,
    soak: SoakOptions,
    stress: StressOptions,
}

/// The arguments after the program's name.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments;
    let command = arguments.next().ok_or("a command is missing")?;
    let mut given = Given::default();
    while let Some(name) = arguments.next() {
        match (command.as_str(), name.as_str()) {
            ("run", "--native-only") => given.native_only = true,
            ("chaos", "--calm") => given.chaos.strikes = false,
            ("diff", "--rewrite") => given.diff.rewrite = true,
            _ => {
                let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
                given.set(&command, &name, value)?;
            }
        }
    }
    let Given { query, scale, runs, .. } = given;
    match command.as_str() {
        "load" => Ok(Command::Load(LoadOptions { scale })),
        "run" => Ok(Command::Run(RunOptions { query, runs, native_only: given.native_only })),
        "bench" => Ok(Command::Bench(BenchOptions {
            query,
            runs,
            engines: given.engines,
            scale,
            memory: given.memory,
            duckdb: given.duckdb,
        })),
        "ingest" => Ok(Command::Ingest(IngestOptions {
            query,
            seconds: given.seconds,
            percent: given.percent,
            vacuum: given.vacuum,
        })),
        "chaos" => Ok(Command::Chaos(given.chaos)),
        "tables" => Ok(Command::Tables),
        "rows" => Ok(Command::Rows(RowsOptions { table: given.table, scale })),
        "diff" => Ok(Command::Diff(given.diff)),
        "soak" => Ok(Command::Soak(given.soak)),
        "stress" => Ok(Command::Stress(given.stress)),
        _ => Err(format!("there is no command {command}")),
    }
}

impl Default for Given {
    fn default() -> Self {
        Given {
            query: QueryOptions {
                queries: (1..=22).collect(),
                directory: PathBuf::from("bench/queries/tpch"),
                label: String::from("TPC-H"),
                results: None,
            },
            scale: 0.1,
            runs: 3,
            native_only: false,
            engines: Engine::ALL.to_vec(),
            memory: None,
            duckdb: None,
            seconds: 120,
            percent: 1.0,
            vacuum: 30,
            chaos: ChaosOptions { seconds: 60, clients: 16, kill: 2, strikes: true, seed: 1 },
            table: String::from("lineitem"),
            diff: DiffOptions {
                directory: PathBuf::from("regress/diff"),
                files: Vec::new(),
                rewrite: false,
                random: None,
                seed: 1,
            },
            soak: SoakOptions { queries: 100_000, seconds: 0, clients: 24, memory: 384, seed: 1 },
            stress: StressOptions { seconds: 60, readers: 3, writers: 3, seed: 1 },
        }
    }
}

impl Given {
    fn set(&mut self, command: &str, name: &str, value: String) -> Result<(), String> {
        match (command, name) {
            ("load" | "bench" | "rows", "--scale") => self.scale = parse_scale(&value)?,
            ("run" | "bench" | "ingest", "--queries") => self.query.queries = parse_queries(&value)?,
            ("run" | "bench" | "ingest", "--directory") => self.query.directory = PathBuf::from(value),
            ("run" | "bench" | "ingest", "--label") => self.query.label = value,
            ("run" | "bench" | "ingest", "--results") => self.query.results = Some(PathBuf::from(value)),
            ("run" | "bench", "--runs") => self.runs = parse_runs(&value)?,
            ("bench", "--engines") => self.engines = parse_engines(&value)?,
            ("bench", "--memory") => self.memory = Some(PathBuf::from(value)),
            ("bench", "--duckdb") => self.duckdb = Some(PathBuf::from(value)),
            ("ingest", "--seconds") => self.seconds = parse_count(name, &value)?,
            ("ingest", "--percent") => self.percent = parse_percent(&value)?,
            ("ingest", "--vacuum") => self.vacuum = parse_count(name, &value)?.max(1),
            ("chaos", "--seconds") => self.chaos.seconds = parse_count(name, &value)?,
            ("chaos", "--clients") => self.chaos.clients = parse_count(name, &value)?.clamp(1, 200),
            ("chaos", "--kill") => self.chaos.kill = parse_count(name, &value)?,
            ("chaos", "--seed") => self.chaos.seed = parse_count(name, &value)?,
            ("rows", "--table") => self.table = value,
            ("diff", "--directory") => self.diff.directory = PathBuf::from(value),
            ("diff", "--files") => self.diff.files = words(&value).map(String::from).collect(),
            ("diff", "--random") => self.diff.random = Some(parse_count(name, &value)?),
            ("diff", "--seed") => self.diff.seed = parse_count(name, &value)?,
            ("soak", "--queries") => self.soak.queries = parse_count(name, &value)?,
            ("soak", "--seconds") => self.soak.seconds = parse_count(name, &value)?,
            ("soak", "--clients") => self.soak.clients = parse_count(name, &value)?.clamp(1, 200),
            ("soak", "--memory") => self.soak.memory = parse_count(name, &value)?.max(64),
            ("soak", "--seed") => self.soak.seed = parse_count(name, &value)?,
            ("stress", "--seconds") => self.stress.seconds = parse_count(name, &value)?,
            ("stress", "--readers") => self.stress.readers = parse_sessions(name, &value)?,
            ("stress", "--writers") => self.stress.writers = parse_sessions(name, &value)?,
            ("stress", "--seed") => self.stress.seed = parse_count(name, &value)?,
            _ => return Err(format!("{command} has no option {name}")),
        }
        Ok(())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',']).filter(|word| !word.is_empty())
}

fn parse_scale(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|scale: &f64| *scale > 0.0 && *scale <= 100.0)
        .ok_or_else(|| format!("--scale {text}: a number above 0, up to 100"))
}

fn parse_count(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name} {text}: a number from 0 on"))
}

/// PostgreSQL has 100 connections if not told otherwise.
fn parse_sessions(name: &str, text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|sessions| (1..=40).contains(sessions))
        .ok_or_else(|| format!("{name} {text}: a number from 1 to 40"))
}

fn parse_runs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|runs| (1..=1000).contains(runs))
        .ok_or_else(|| format!("--runs {text}: a number from 1 to 1000"))
}

fn parse_queries(text: &str) -> Result<Vec<u32>, String> {
    let queries = words(text)
        .map(|word| word.parse().ok().filter(|number| (1..=22).contains(number)))
        .collect::<Option<Vec<u32>>>();
    match queries {
        Some(queries) if !queries.is_empty() => Ok(queries),
        _ => Err(format!("--queries '{text}': numbers from 1 to 22, separated by blanks or commas")),
    }
}

fn parse_percent(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|percent: &f64| *percent > 0.0 && *percent <= 1000.0)
        .ok_or_else(|| format!("--percent {text}: a number above 0, up to 1000"))
}

/// Native is what the others are compared with, so it is always there.
fn parse_engines(text: &str) -> Result<Vec<Engine>, String> {
    let wanted = words(text)
        .map(|word| {
            Engine::named(word).ok_or_else(|| format!("--engines {text}: {word} is none of {}", Engine::names()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Engine::ALL.into_iter().filter(|engine| *engine == Engine::Native || wanted.contains(engine)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &[&str]) -> Result<Command, String> {
        parse(line.iter().map(|word| String::from(*word)))
    }

    #[test]
    fn defaults_and_values() {
        assert_eq!(parse_line(&["load"]), Ok(Command::Load(LoadOptions { scale: 0.1 })));
        assert_eq!(parse_line(&["load", "--scale", "2"]), Ok(Command::Load(LoadOptions { scale: 2.0 })));
        let Ok(Command::Run(options)) = parse_line(&["run", "--queries", "6, 1", "--native-only", "--runs", "5"])
        else {
            panic!("run must parse");
        };
        assert_eq!((options.query.queries, options.runs, options.native_only), (vec![6, 1], 5, true));
        let Ok(Command::Diff(options)) = parse_line(&["diff", "--files", "joins, cte", "--random", "9", "--rewrite"])
        else {
            panic!("diff must parse");
        };
        let Ok(Command::Stress(stress)) = parse_line(&["stress", "--seconds", "20", "--seed", "7"]) else {
            panic!("stress must parse");
        };
        assert_eq!((stress.seconds, stress.seed, stress.readers, stress.writers), (20, 7, 3, 3));
        assert_eq!((options.files.len(), options.random, options.seed, options.rewrite), (2, Some(9), 1, true));
    }

    #[test]
    fn engines_are_in_their_order_with_native() {
        let Ok(Command::Bench(options)) = parse_line(&["bench", "--engines", "duckdb,warm", "--scale", "1"]) else {
            panic!("bench must parse");
        };
        assert_eq!(options.engines, [Engine::Native, Engine::Warm, Engine::DuckDb]);
        assert_eq!(options.scale, 1.0);
        let Ok(Command::Ingest(options)) = parse_line(&["ingest", "--seconds", "5", "--vacuum", "0"]) else {
            panic!("ingest must parse");
        };
        assert_eq!((options.seconds, options.percent, options.vacuum), (5, 1.0, 1));
    }

    #[test]
    fn chaos_may_be_calm() {
        let Ok(Command::Chaos(options)) = parse_line(&["chaos", "--calm", "--kill", "0", "--clients", "200"]) else {
            panic!("chaos must parse");
        };
        assert_eq!((options.strikes, options.kill, options.clients, options.seconds), (false, 0, 200, 60));
    }

    #[test]
    fn a_soak_has_its_own_queries() {
        let Ok(Command::Soak(options)) = parse_line(&["soak", "--queries", "500", "--seconds", "9"]) else {
            panic!("soak must parse");
        };
        assert_eq!((options.queries, options.seconds, options.clients, options.memory), (500, 9, 24, 384));
        assert!(parse_line(&["soak", "--kill", "1"]).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            &[][..],
            &["walk"],
            &["load", "--scale"],
            &["load", "--scale", "0"],
            &["load", "--scale", "nan"],
            &["load", "--runs", "3"],
            &["run", "--queries", "23"],
            &["run", "--queries", ""],
            &["run", "--runs", "0"],
            &["diff", "--seed", "x"],
            &["stress", "--readers", "0"],
            &["stress", "--random", "5"],
            &["bench", "--engines", "oracle"],
            &["ingest", "--percent", "0"],
            &["tables", "--scale", "1"],
        ] {
            assert!(parse_line(line).is_err(), "{line:?}");
        }
    }
}
