//! Another program that answers queries by number, over its standard input and output: DataFusion in memory
//! (`bench/memory`) and DuckDB (`bench/duckdb_server.py`).
//!
//! ```text
//! → ready TEXT             once, when its tables are there
//! ← 6
//! → ok ROWS MICROSECONDS   or: error TEXT
//! ```
//!
//! Invariants: one query at a time; the program ends when its standard input does, and is killed when it does not; what it
//! writes to standard error is the user's to read.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::error::{Error, Result};

/// How long a program may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Child {
    name: &'static str,
    process: Process,
    /// None: told to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it said of itself when it was ready.
    pub version: String,
}

impl Child {
    /// Starts the program and waits until it is ready, which may take minutes.
    pub fn start(name: &'static str, program: &Path, arguments: &[(&str, String)]) -> Result<Child> {
        let mut command = Command::new(program);
        for (option, value) in arguments {
            command.arg(option).arg(value);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Child(format!("{name}: cannot run {}: {error}", program.display())))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Error::Child(format!("{name}: no pipes")));
        };
        let mut child =
            Child { name, process, input: Some(input), output: BufReader::new(output), version: String::new() };
        let line = child.line()?;
        child.version = line
            .strip_prefix("ready ")
            .map(String::from)
            .ok_or_else(|| child.failure(&format!("expected \"ready\", got: {line}")))?;
        Ok(child)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Rows of the answer, and the time that the program took for it.
    pub fn run(&mut self, number: u32) -> Result<(usize, Duration)> {
        let input = self.input.as_mut().ok_or_else(|| Error::Child(format!("{}: ended", self.name)))?;
        let sent = writeln!(input, "{number}").and_then(|()| input.flush());
        sent.map_err(|error| self.failure(&error.to_string()))?;
        let line = self.line()?;
        parse(&line).map_err(|text| self.failure(&text))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err(self.failure("it ended")),
            Ok(_) => Ok(String::from(line.trim_end())),
            Err(error) => Err(self.failure(&error.to_string())),
        }
    }

    fn failure(&self, text: &str) -> Error {
        Error::Child(format!("{}: {text}", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.input = None;
        let start = Instant::now();
        while start.elapsed() < END_TIMEOUT {
            match self.process.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                _ => return,
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn parse(line: &str) -> std::result::Result<(usize, Duration), String> {
    if let Some(text) = line.strip_prefix("error ") {
        return Err(String::from(text));
    }
    let mut words = line.strip_prefix("ok ").unwrap_or_default().split(' ');
    let rows = words.next().and_then(|word| word.parse().ok());
    let micros = words.next().and_then(|word| word.parse().ok());
    match (rows, micros, words.next()) {
        (Some(rows), Some(micros), None) => Ok((rows, Duration::from_micros(micros))),
        _ => Err(format!("not an answer: {line}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(parse("ok 4 1500"), Ok((4, Duration::from_micros(1500))));
        assert_eq!(parse("error no such column"), Err(String::from("no such column")));
        for line in ["", "ok", "ok 4", "ok 4 x", "ok 4 5 6", "ready"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_program_answers_until_it_is_told_to_end() {
        let script = "echo ready now; while read n; do echo ok $n 5; done";
        let mut child = Child::start("sh", Path::new("/bin/sh"), &[("-c", String::from(script))]).expect("a shell");
        assert_eq!(child.version, "now");
        assert_eq!(child.run(7).expect("an answer"), (7, Duration::from_micros(5)));
        let start = Instant::now();
        drop(child);
        assert!(start.elapsed() < END_TIMEOUT);
    }

    #[test]
    fn a_program_that_ends_is_an_error() {
        let started = Child::start("true", Path::new("/bin/true"), &[]);
        assert!(matches!(started, Err(Error::Child(_))));
        assert!(matches!(Child::start("none", Path::new("/nowhere"), &[]), Err(Error::Child(_))));
    }
}
