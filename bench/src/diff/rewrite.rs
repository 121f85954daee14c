//! Changes the expectations in a query file to what happened, for `--rewrite`.
//!
//! Used when a feature has landed, or a query has come to be refused. The developer looks at the change before it is committed: a
//! query that falls out of the engine is a regression.
//! Invariant: only `expect` lines change. In a C database on the newest major the general expectation is written, elsewhere one
//! for that locale or major, so that the files stay right for the others.

use std::{fs, path::Path};

use super::file::{self, Case, Expect, Only, Place};
use crate::error::{Error, Result};

/// The major whose expectations are the general ones.
const NEWEST_MAJOR: u32 = 18;

pub fn rewrite(path: &Path, place: &Place, changes: &[(&Case, Expect)]) -> Result<()> {
    let text = fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
    fs::write(path, rewritten(&text, place, changes)).map_err(|error| Error::file(path, &error))
}

fn rewritten(text: &str, place: &Place, changes: &[(&Case, Expect)]) -> String {
    let mut removed = Vec::new();
    let mut inserted = Vec::new();
    for (case, way) in changes {
        let current = case.expectation(place);
        let only = match current {
            Some(entry) if entry.only.is_some() => entry.only.clone(),
            _ => scope(place),
        };
        if let Some(entry) = current.filter(|entry| entry.only == only) {
            removed.push(entry.line);
        }
        // What holds everywhere needs no line of its own.
        let general = case.expectations.iter().find(|entry| entry.only.is_none());
        let general = general.map_or(&Expect::Engine, |entry| &entry.expect);
        if only.is_none() || way != general {
            inserted.extend(file::directive(way, only.as_ref()).map(|line| (case.line, line)));
        }
    }
    let mut result = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        for (_, directive) in inserted.iter().filter(|(at, _)| *at == number) {
            result.push_str(directive);
            result.push('\n');
        }
        if !removed.contains(&number) {
            result.push_str(line);
            result.push('\n');
        }
    }
    result
}

/// Where a new expectation shall hold.
fn scope(place: &Place) -> Option<Only> {
    if !["C", "POSIX"].contains(&place.locale.as_str()) {
        let locale = place.locale.split('.').next().unwrap_or_default();
        Some(Only::Locale(locale.to_string()))
    } else if place.major != NEWEST_MAJOR {
        Some(Only::Major(place.major))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "-- Topic.\n-- ordered\n-- expect native: window\nSELECT 1;\nSELECT 2;\n";

    fn change(text: &str, place: (u32, &str), at: usize, way: Expect) -> String {
        let cases = file::parse(text).expect("cases");
        let place = Place { major: place.0, locale: place.1.to_string() };
        rewritten(text, &place, &[(&cases[at], way)])
    }

    #[test]
    fn the_general_expectation() {
        let native = Expect::Native(String::from("LATERAL"));
        assert_eq!(change(TEXT, (18, "C"), 0, Expect::Engine), "-- Topic.\n-- ordered\nSELECT 1;\nSELECT 2;\n");
        assert_eq!(change(TEXT, (18, "C"), 1, native), TEXT.replace("SELECT 2", "-- expect native: LATERAL\nSELECT 2"));
    }

    #[test]
    fn one_for_a_place() {
        let native = Expect::Native(String::from("collation"));
        let once = change(TEXT, (18, "en_US.UTF-8"), 1, native);
        assert_eq!(once, TEXT.replace("SELECT 2", "-- expect native in en_US: collation\nSELECT 2"));
        // And back.
        assert_eq!(change(&once, (18, "en_US.UTF-8"), 1, Expect::Engine), TEXT);
        assert_eq!(
            change(TEXT, (15, "C"), 0, Expect::Engine),
            TEXT.replace("SELECT 1", "-- expect engine in 15\nSELECT 1")
        );
    }
}
