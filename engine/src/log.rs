//! The engine's log: one line per event on stderr, `LEVEL: text`, which the supervisor relays to the server log.

use std::io::Write;

/// Severity, named as PostgreSQL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Level {
    Log,
    Warning,
    Error,
}

/// Writes a line. Line breaks in `text` become spaces; a closed stderr is nothing to stop for.
pub fn line(level: Level, text: &str) {
    let level = match level {
        Level::Log => "LOG",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    };
    let line = format!("{level}: {}\n", text.trim_end().replace(['\n', '\r'], " "));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}
