//! The text of the benchmark's queries, by number.

use std::fs;

use crate::{
    arguments::QueryOptions,
    error::{Error, Result},
};

impl QueryOptions {
    /// One statement, without the semicolon at its end.
    pub fn sql(&self, number: u32) -> Result<String> {
        let path = self.directory.join(format!("q{number:02}.sql"));
        let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
        Ok(String::from(text.trim_end().trim_end_matches(';')))
    }
}
