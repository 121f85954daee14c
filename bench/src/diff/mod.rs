//! The differential suite: query files run natively and in the engine under one snapshot, and must do what the files say.
//!
//! Way of a query: `file` (text → case) → `session` (run it both ways) → `judge` (compare with what is expected) → a line of the
//! report, and with `--rewrite` the file's new expectation (`rewrite`). `random` feeds generated queries into the same session.

mod file;
mod judge;
mod random;
mod rewrite;
mod session;

pub use self::{judge::compare, random::generated};

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use self::{
    file::{Case, Expect, Place},
    judge::{Kind, Verdict},
    session::{STATEMENT_TIMEOUT, Session},
};
use crate::{
    arguments::DiffOptions,
    client::Client,
    error::{Error, Result},
};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// Makes the tables; not a query file.
const SCHEMA: &str = "schema";
/// The same file, for suites that bring its tables along.
const TABLES: &str = include_str!("../../../regress/diff/schema.sql");

/// Returns whether every query did what is expected.
pub fn run(options: &DiffOptions) -> Result<bool> {
    if let Some(count) = options.random {
        return random::run(count, options.seed);
    }
    let paths = query_files(options)?;
    let mut session = Session::new(STATEMENT_TIMEOUT)?;
    let place = session.place()?;
    let mut total = Counts::default();
    for path in &paths {
        let cases = file::read(path)?;
        let counts = run_file(&mut session, &place, path, &cases, options.rewrite)?;
        total.add(&counts);
    }
    println!("diff: {}", total.summary());
    Ok(total.deviations() == 0 && total.queries() > 0)
}

/// Makes the suite's tables in a database for other suites: schemas data, fast and heap, and the extension. What is there of them is dropped.
pub fn make_tables(client: &mut Client) -> Result<()> {
    client.query(
        "SET client_min_messages = warning; DROP EXTENSION IF EXISTS pg_fusion CASCADE; DROP SCHEMA IF EXISTS data, fast, heap CASCADE",
    )?;
    let statements = file::parse(TABLES).map_err(|message| Error::File(format!("schema.sql:{message}")))?;
    for statement in statements {
        client.query(&statement.sql)?;
    }
    client.query("RESET ALL").map(|_| ())
}

/// The chosen files, by name.
fn query_files(options: &DiffOptions) -> Result<Vec<PathBuf>> {
    let directory = &options.directory;
    if !options.files.is_empty() {
        return Ok(options.files.iter().map(|name| directory.join(format!("{name}.sql"))).collect());
    }
    let entries = fs::read_dir(directory).map_err(|error| Error::file(directory, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::file(directory, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "sql")
            && path.file_stem().is_some_and(|stem| stem != SCHEMA)
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn run_file(session: &mut Session, place: &Place, path: &Path, cases: &[Case], rewrite: bool) -> Result<Counts> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let start = Instant::now();
    let mut said = start;
    let mut counts = Counts::default();
    let mut changes = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        if said.elapsed() >= PROGRESS_INTERVAL {
            said = Instant::now();
            println!("    {name}: {at} of {} queries ...", cases.len());
        }
        if place.major < case.since {
            counts.left_out += 1;
            continue;
        }
        let expect = case.expectation(place).map_or(Expect::Engine, |entry| entry.expect.clone());
        let verdict = match session.observe(&case.sql, &case.settings) {
            Ok(observed) => judge::judge(&expect, case.ordered, &observed),
            Err(error) => {
                *session = Session::new(STATEMENT_TIMEOUT)?;
                Verdict::Different(format!("the connection was lost: {error}"))
            }
        };
        match verdict {
            Verdict::Good(kind) => counts.good(kind),
            Verdict::OtherWay(way, text) => {
                if rewrite {
                    println!("{}:{}: now {text}", path.display(), case.line + 1);
                    changes.push((case, way));
                    counts.rewritten += 1;
                } else {
                    counts.other_way += 1;
                    print_deviation(path, case, &text);
                }
            }
            Verdict::Different(text) => {
                counts.different += 1;
                print_deviation(path, case, &format!("DIFFERENT\n{text}"));
            }
        }
    }
    if !changes.is_empty() {
        rewrite::rewrite(path, place, &changes)?;
    }
    println!("    {name}: {}, {:.1} s", counts.summary(), start.elapsed().as_secs_f64());
    Ok(counts)
}

fn print_deviation(path: &Path, case: &Case, text: &str) {
    println!("--- {}:{}", path.display(), case.line + 1);
    println!("{};", case.sql);
    for line in text.lines() {
        println!("  {line}");
    }
}

#[derive(Default)]
struct Counts {
    engine: usize,
    partial: usize,
    native: usize,
    errors: usize,
    different: usize,
    /// Equal, but not on the way that the file says.
    other_way: usize,
    rewritten: usize,
    /// Not for this major.
    left_out: usize,
}

impl Counts {
    fn good(&mut self, kind: Kind) {
        match kind {
            Kind::Engine => self.engine += 1,
            Kind::Partial => self.partial += 1,
            Kind::Native => self.native += 1,
            Kind::Error => self.errors += 1,
        }
    }

    fn add(&mut self, other: &Counts) {
        self.engine += other.engine;
        self.partial += other.partial;
        self.native += other.native;
        self.errors += other.errors;
        self.different += other.different;
        self.other_way += other.other_way;
        self.rewritten += other.rewritten;
        self.left_out += other.left_out;
    }

    fn queries(&self) -> usize {
        self.engine + self.partial + self.native + self.errors + self.different + self.other_way + self.rewritten
    }

    fn deviations(&self) -> usize {
        self.different + self.other_way
    }

    /// `612 queries, 530 in the engine, 10 in part, 60 native, 12 errors, 0 different`, and what is rarer.
    fn summary(&self) -> String {
        let mut text = format!(
            "{} queries, {} in the engine, {} in part, {} native, {} errors, {} different",
            self.queries(),
            self.engine,
            self.partial,
            self.native,
            self.errors,
            self.different
        );
        for (count, label) in [
            (self.other_way, "not as the file says"),
            (self.rewritten, "rewritten"),
            (self.left_out, "left out on this major"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {label}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_every_query() {
        let mut counts = Counts::default();
        counts.good(Kind::Engine);
        counts.good(Kind::Partial);
        counts.good(Kind::Native);
        counts.good(Kind::Error);
        assert_eq!(counts.summary(), "4 queries, 1 in the engine, 1 in part, 1 native, 1 errors, 0 different");
        assert_eq!(counts.deviations(), 0);
        counts.other_way += 1;
        counts.different += 1;
        assert_eq!(counts.deviations(), 2);
        assert!(counts.summary().ends_with("1 different, 1 not as the file says"), "{}", counts.summary());
    }
}
