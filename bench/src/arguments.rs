//! The command line: three commands with a few `--name value` options each.

use std::path::PathBuf;

pub const USAGE: &str = "usage:
  fusion_bench load [--scale 0.1]
      make and fill the TPC-H tables in schema public of the database PGDATABASE
  fusion_bench run [--queries '1 3 6'] [--runs 3] [--directory bench/queries/tpch]
                   [--label TEXT] [--results STEM] [--native-only]
      run them on the heap tables (search_path public) and on the fusion tables (search_path fast),
      compare, and print a table; --results also writes STEM.csv and STEM.md
  fusion_bench diff [--directory regress/diff] [--files 'joins windows'] [--rewrite]
      run the query files of the differential suite natively and in the engine, and compare;
      --rewrite changes the expectations in the files to what happened, where the answers are equal
  fusion_bench diff --random 1000 [--seed 1]
      the same with generated queries; those that differ are printed, made as short as they get

The server is reached over the Unix socket in PGHOST, at PGPORT, as PGUSER, in PGDATABASE.";

#[derive(Debug, PartialEq)]
pub enum Command {
    Load(LoadOptions),
    Run(RunOptions),
    Diff(DiffOptions),
}

#[derive(Debug, PartialEq)]
pub struct LoadOptions {
    /// TPC-H scale factor; 1 is about 1 GB of text.
    pub scale: f64,
}

#[derive(Debug, PartialEq)]
pub struct RunOptions {
    /// Query numbers, 1 to 22, in the order to run them.
    pub queries: Vec<u32>,
    /// Timed runs of each query after one warm-up; the median counts.
    pub runs: usize,
    /// Holds qNN.sql.
    pub directory: PathBuf,
    /// Title of the written results.
    pub label: String,
    /// Where to write the table, without the extension.
    pub results: Option<PathBuf>,
    /// Leave the fusion tables out.
    pub native_only: bool,
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

/// The arguments after the program's name.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments;
    let command = arguments.next().ok_or("a command is missing")?;
    let mut load = LoadOptions { scale: 0.1 };
    let mut run = RunOptions {
        queries: (1..=22).collect(),
        runs: 3,
        directory: PathBuf::from("bench/queries/tpch"),
        label: String::from("TPC-H"),
        results: None,
        native_only: false,
    };
    let mut diff = DiffOptions {
        directory: PathBuf::from("regress/diff"),
        files: Vec::new(),
        rewrite: false,
        random: None,
        seed: 1,
    };
    while let Some(name) = arguments.next() {
        if command == "run" && name == "--native-only" {
            run.native_only = true;
            continue;
        }
        if command == "diff" && name == "--rewrite" {
            diff.rewrite = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match (command.as_str(), name.as_str()) {
            ("load", "--scale") => load.scale = parse_scale(&value)?,
            ("run", "--queries") => run.queries = parse_queries(&value)?,
            ("run", "--runs") => run.runs = parse_runs(&value)?,
            ("run", "--directory") => run.directory = PathBuf::from(value),
            ("run", "--label") => run.label = value,
            ("run", "--results") => run.results = Some(PathBuf::from(value)),
            ("diff", "--directory") => diff.directory = PathBuf::from(value),
            ("diff", "--files") => {
                diff.files = value.split([' ', ',']).filter(|word| !word.is_empty()).map(String::from).collect()
            }
            ("diff", "--random") => diff.random = Some(parse_count(&name, &value)?),
            ("diff", "--seed") => diff.seed = parse_count(&name, &value)?,
            _ => return Err(format!("{command} has no option {name}")),
        }
    }
    match command.as_str() {
        "load" => Ok(Command::Load(load)),
        "run" => Ok(Command::Run(run)),
        "diff" => Ok(Command::Diff(diff)),
        _ => Err(format!("there is no command {command}")),
    }
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

fn parse_runs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|runs| (1..=1000).contains(runs))
        .ok_or_else(|| format!("--runs {text}: a number from 1 to 1000"))
}

fn parse_queries(text: &str) -> Result<Vec<u32>, String> {
    let queries = text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .map(|word| word.parse().ok().filter(|number| (1..=22).contains(number)))
        .collect::<Option<Vec<u32>>>();
    match queries {
        Some(queries) if !queries.is_empty() => Ok(queries),
        _ => Err(format!("--queries '{text}': numbers from 1 to 22, separated by blanks or commas")),
    }
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
        assert_eq!((options.queries, options.runs, options.native_only), (vec![6, 1], 5, true));
        let Ok(Command::Diff(options)) = parse_line(&["diff", "--files", "joins, cte", "--random", "9", "--rewrite"])
        else {
            panic!("diff must parse");
        };
        assert_eq!((options.files.len(), options.random, options.seed, options.rewrite), (2, Some(9), 1, true));
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
        ] {
            assert!(parse_line(line).is_err(), "{line:?}");
        }
    }
}
