//! Runs one query natively and in the engine, under one snapshot, and says what came.
//!
//! Invariants: each query has its own REPEATABLE READ transaction, which is rolled back; an error leaves the session usable; a
//! lost connection is an error of `observe`, and `Session::new` makes the next one.

use std::{thread, time::Duration};

use super::file::Place;
use crate::{
    client::{Answer, Client},
    error::{Error, Result},
};

/// A query that takes longer hangs, on data as small as the suite's.
pub const STATEMENT_TIMEOUT: &str = "30s";
/// Attempts to connect, half a second apart: after a crash the server needs some seconds.
const CONNECT_ATTEMPTS: usize = 60;
/// Does not occur in queries, which are quoted with it.
const QUOTE: &str = "$fusion_diff$";

pub struct Session {
    client: Client,
}

/// Rows, or the server's error.
pub type Outcome = std::result::Result<Answer, Failure>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub sqlstate: String,
    pub message: String,
}

/// What happened to one query.
#[derive(Debug)]
pub struct Observed {
    /// With fusion.enabled off.
    pub native: Outcome,
    /// Route and reason, or the error of planning it.
    pub route: std::result::Result<(String, String), Failure>,
    /// With fusion.force on and fusion.fallback off.
    pub engine: Outcome,
    /// With fusion.force and fusion.fallback on: what a user sees. None where `engine` gave rows that came, or in part came, from there.
    pub shown: Option<Outcome>,
}

impl Observed {
    /// As a whole or in part.
    pub fn in_engine(&self) -> bool {
        matches!(&self.route, Ok((route, _)) if route != "native")
    }
}

impl Session {
    /// Connects, and waits for a server that is starting again.
    pub fn new(statement_timeout: &str) -> Result<Session> {
        let mut attempt = 0;
        let mut client = loop {
            match Client::connect() {
                Ok(client) => break client,
                Err(error) if attempt >= CONNECT_ATTEMPTS => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(500)),
            }
            attempt += 1;
        };
        client.query(&format!(
            "SET search_path = fast, heap; SET statement_timeout = '{statement_timeout}'; SET TimeZone = 'UTC'; \
             SET DateStyle = 'ISO, MDY'; SET fusion.force = on"
        ))?;
        Ok(Session { client })
    }

    pub fn place(&mut self) -> Result<Place> {
        let version: String = self.client.query("SHOW server_version_num")?.lines().collect();
        let locale = self
            .client
            .query("SELECT datcollate FROM pg_catalog.pg_database WHERE datname = current_database()")?
            .lines()
            .collect();
        let major =
            version.parse::<u32>().map_err(|_| Error::Connection(format!("server version {version}")))? / 10_000;
        Ok(Place { major, locale })
    }

    pub fn observe(&mut self, sql: &str, settings: &[String]) -> Result<Observed> {
        let mut begin = String::from("BEGIN ISOLATION LEVEL REPEATABLE READ");
        for setting in settings {
            begin.push_str("; SET LOCAL ");
            begin.push_str(setting);
        }
        self.client.query(&format!("{begin}; SAVEPOINT query"))?;
        let native = self.run("SET LOCAL fusion.enabled = off", sql)?;
        let route = self.run("", &format!("SELECT * FROM fusion.explain_route({QUOTE}{sql}{QUOTE})"))?;
        let route = route.map(|answer| {
            let word = |at: usize| {
                let value = answer.rows().first().and_then(|row| row.get(at)).and_then(|value| value.as_deref());
                String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
            };
            (word(0), word(1))
        });
        let engine = self.run("SET LOCAL fusion.fallback = off", sql)?;
        let mut observed = Observed { native, route, engine, shown: None };
        if !observed.in_engine() || observed.engine.is_err() {
            observed.shown = Some(self.run("SET LOCAL fusion.fallback = on", sql)?);
        }
        self.client.query("ROLLBACK")?;
        Ok(observed)
    }

    /// Runs a query under a setting, and undoes the setting.
    fn run(&mut self, setting: &str, sql: &str) -> Result<Outcome> {
        let outcome = match self.client.query(&format!("{setting};{sql}")) {
            Ok(answer) => Ok(answer),
            // FATAL and PANIC end the connection, which the next message notices.
            Err(Error::Server { sqlstate, message, .. }) => Err(Failure { sqlstate, message }),
            Err(error) => return Err(error),
        };
        self.client.query("ROLLBACK TO SAVEPOINT query")?;
        Ok(outcome)
    }
}
