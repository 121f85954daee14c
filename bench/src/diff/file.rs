//! Query files of the differential suite: what they hold, and how their directives read.
//!
//! A file holds queries, each ended by a `;` at the end of a line, and comment lines. Comment lines directly before a query are
//! its directives if they have this form; every other comment is for the reader:
//!
//! ```text
//! -- ordered                              rows are compared in order: the query's ORDER BY is total
//! -- set TimeZone = 'Europe/Berlin'       for this query only
//! -- since 16                             left out on older majors
//! -- expect native: REASON                must be refused, with this text in the reason
//! -- expect partial: REASON               parts of it must run in the engine, with this text in what is said of them
//! -- expect fallback: TEXT                the engine must give up at run time, with this text in its message
//! -- expect error: SQLSTATE               must end with it, and with PostgreSQL's message: at planning, or after having gone to the engine
//! -- expect error natively: SQLSTATE      the same, refused by the translation
//! -- expect MODE in en_US: TEXT           any of these, only in databases whose locale begins so
//! -- expect MODE in 15: TEXT              … only on this major
//! ```
//!
//! Without an `expect` in force a query must run in the engine and give PostgreSQL's answer.
//! Invariant: a comment line that looks like a directive and is none is an error, so that no typing mistake weakens a test.

use std::{fs, path::Path};

use crate::error::{Error, Result};

/// What must become of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    Engine,
    /// Part of the reason for which the translation refuses it.
    Native(String),
    /// Part of what is said of the parts that run in the engine.
    Partial(String),
    /// Part of the message with which the engine gives up.
    Fallback(String),
    /// The SQLSTATE, and whether the query is refused by the translation.
    Error {
        sqlstate: String,
        natively: bool,
    },
}

/// Where the suite runs; directives may depend on it.
#[derive(Debug, Clone)]
pub struct Place {
    pub major: u32,
    /// The database's collation, such as C or en_US.UTF-8.
    pub locale: String,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Case {
    /// Line of the query's first word, from 0.
    pub line: usize,
    pub sql: String,
    pub ordered: bool,
    /// Settings such as `TimeZone = 'UTC'`.
    pub settings: Vec<String>,
    pub since: u32,
    pub expectations: Vec<Expectation>,
}

/// An `expect` line.
#[derive(Debug, PartialEq, Eq)]
pub struct Expectation {
    pub line: usize,
    pub only: Option<Only>,
    pub expect: Expect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    Major(u32),
    Locale(String),
}

impl Case {
    /// The expectation in force at a place: one for that place before one for all.
    pub fn expectation(&self, place: &Place) -> Option<&Expectation> {
        let matches = |only: &Only| match only {
            Only::Major(major) => *major == place.major,
            Only::Locale(prefix) => place.locale.starts_with(prefix.as_str()),
        };
        let special = self.expectations.iter().find(|entry| entry.only.as_ref().is_some_and(matches));
        special.or_else(|| self.expectations.iter().find(|entry| entry.only.is_none()))
    }
}

/// Reads and parses a file.
pub fn read(path: &Path) -> Result<Vec<Case>> {
    let text = fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
    parse(&text).map_err(|message| Error::File(format!("{}:{message}", path.display())))
}

/// The queries of a file; an error begins with the line number, from 1.
pub fn parse(text: &str) -> std::result::Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    let mut pending = Directives::default();
    let mut sql: Vec<&str> = Vec::new();
    let mut start = 0;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if sql.is_empty() {
            if trimmed.is_empty() {
                if !pending.is_empty() {
                    return Err(format!("{}: a directive stands directly before its query", number + 1));
                }
                continue;
            }
            if let Some(comment) = trimmed.strip_prefix("--") {
                pending.read(comment.trim(), number).map_err(|message| format!("{}: {message}", number + 1))?;
                continue;
            }
            start = number;
        }
        sql.push(line);
        if trimmed.ends_with(';') {
            let whole = sql.join("\n");
            let sql_text = whole.trim_end().trim_end_matches(';').to_string();
            let directives = std::mem::take(&mut pending);
            cases.push(directives.case(start, sql_text));
            sql.clear();
        }
    }
    if sql.is_empty() { Ok(cases) } else { Err(format!("{}: the query has no end (;)", start + 1)) }
}

#[derive(Default)]
struct Directives {
    ordered: bool,
    settings: Vec<String>,
    since: u32,
    expectations: Vec<Expectation>,
}

impl Directives {
    fn is_empty(&self) -> bool {
        !self.ordered && self.settings.is_empty() && self.since == 0 && self.expectations.is_empty()
    }

    fn read(&mut self, comment: &str, line: usize) -> std::result::Result<(), String> {
        let (word, rest) = comment.split_once(' ').unwrap_or((comment, ""));
        match word {
            "ordered" if rest.is_empty() => self.ordered = true,
            "set" if rest.contains('=') => self.settings.push(rest.to_string()),
            "since" => {
                self.since = rest.parse().map_err(|_| format!("'{comment}': a major version is wanted"))?;
            }
            "expect" => self.expectations.push(expectation(rest, line)?),
            "ordered" | "set" => return Err(format!("'{comment}' looks like a directive and is none")),
            _ => {}
        }
        Ok(())
    }

    fn case(self, line: usize, sql: String) -> Case {
        let Directives { ordered, settings, since, expectations } = self;
        Case { line, sql, ordered, settings, since, expectations }
    }
}

/// `MODE [in PLACE]: TEXT`.
fn expectation(rest: &str, line: usize) -> std::result::Result<Expectation, String> {
    let complaint =
        || format!("'expect {rest}': expect native|partial|fallback|error|error natively|engine [in PLACE]: TEXT");
    let (head, text) = rest.split_once(':').unwrap_or((rest, ""));
    let (mode, only) = match head.split_once(" in ") {
        Some((mode, place)) => {
            (mode, Some(place.parse().map_or_else(|_| Only::Locale(place.trim().to_string()), Only::Major)))
        }
        None => (head, None),
    };
    let text = text.trim();
    let expect = match (mode.trim(), text.is_empty()) {
        ("engine", true) if only.is_some() => Expect::Engine,
        ("native", false) => Expect::Native(text.to_string()),
        ("partial", false) => Expect::Partial(text.to_string()),
        ("fallback", false) => Expect::Fallback(text.to_string()),
        ("error", false) => Expect::Error { sqlstate: text.to_string(), natively: false },
        ("error natively", false) => Expect::Error { sqlstate: text.to_string(), natively: true },
        _ => return Err(complaint()),
    };
    Ok(Expectation { line, only, expect })
}

/// The directive line that says `expect` at this place only, or everywhere; None for the engine everywhere, which needs no line.
pub fn directive(expect: &Expect, only: Option<&Only>) -> Option<String> {
    let place = match only {
        None => String::new(),
        Some(Only::Major(major)) => format!(" in {major}"),
        Some(Only::Locale(locale)) => format!(" in {locale}"),
    };
    Some(match expect {
        Expect::Engine if only.is_none() => return None,
        Expect::Engine => format!("-- expect engine{place}"),
        Expect::Native(reason) => format!("-- expect native{place}: {reason}"),
        Expect::Partial(reason) => format!("-- expect partial{place}: {reason}"),
        Expect::Fallback(text) => format!("-- expect fallback{place}: {text}"),
        Expect::Error { sqlstate, natively: false } => format!("-- expect error{place}: {sqlstate}"),
        Expect::Error { sqlstate, natively: true } => format!("-- expect error natively{place}: {sqlstate}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(major: u32, locale: &str) -> Place {
        Place { major, locale: locale.to_string() }
    }

    #[test]
    fn queries_and_directives() {
        let text = "-- A topic.\n\nSELECT 1;\n-- ordered\n-- set TimeZone = 'UTC'\n-- expect native: window functions\n\
                    SELECT a\n  FROM b\n ORDER BY a;\n";
        let cases = parse(text).expect("cases");
        assert_eq!(cases.len(), 2);
        assert_eq!((cases[0].sql.as_str(), cases[0].ordered, cases[0].line), ("SELECT 1", false, 2));
        assert_eq!(cases[1].sql, "SELECT a\n  FROM b\n ORDER BY a");
        assert!(cases[1].ordered);
        assert_eq!(cases[1].settings, ["TimeZone = 'UTC'"]);
        let entry = cases[1].expectation(&place(18, "C")).expect("expectation");
        assert_eq!(entry.expect, Expect::Native(String::from("window functions")));
    }

    #[test]
    fn the_place_decides() {
        let text =
            "-- expect native in en_US: collation\n-- expect error natively in 15: 42883\nSELECT max(t) FROM txt;";
        let cases = parse(text).expect("cases");
        let expect = |place: &Place| cases[0].expectation(place).map(|entry| entry.expect.clone());
        assert_eq!(expect(&place(18, "C")), None);
        assert_eq!(expect(&place(18, "en_US.UTF-8")), Some(Expect::Native(String::from("collation"))));
        let error = Expect::Error { sqlstate: String::from("42883"), natively: true };
        assert_eq!(expect(&place(15, "C")), Some(error));
    }

    #[test]
    fn mistakes_are_errors() {
        for text in [
            "-- expect nativ: x\nSELECT 1;",
            "-- expect native:\nSELECT 1;",
            "-- expect engine\nSELECT 1;",
            "-- ordered by id\nSELECT 1;",
            "-- ordered\n\nSELECT 1;",
            "-- since x\nSELECT 1;",
            "SELECT 1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_directive_reads_as_written() {
        for line in [
            "-- expect native in en_US: order",
            "-- expect partial: subquery",
            "-- expect error natively: 22012",
            "-- expect engine in 18",
        ] {
            let rest = line.trim_start_matches("-- expect ");
            let entry = expectation(rest, 0).expect("directive");
            assert_eq!(directive(&entry.expect, entry.only.as_ref()).as_deref(), Some(line));
        }
    }
}
