//! What can go wrong: the connection, the server's own errors, files.

use std::{fmt, io, path::Path};

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug)]
pub enum Error {
    /// The socket, or bytes on it that are not the protocol.
    Connection(String),
    /// An ERROR or FATAL of the server.
    Server { sqlstate: String, message: String, detail: String, hint: String },
    /// A file of queries or results.
    File(String),
    /// Another program that is measured: it cannot be run, has ended, or cannot answer a query.
    Child(String),
}

impl Error {
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Error::File(format!("{}: {error}", path.display()))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Connection(format!("connection to the server lost: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connection(text) | Error::File(text) | Error::Child(text) => f.write_str(text),
            Error::Server { sqlstate, message, detail, hint } => {
                write!(f, "{sqlstate}: {message}")?;
                for (label, text) in [("detail", detail), ("hint", hint)] {
                    if !text.is_empty() {
                        write!(f, " ({label}: {text})")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {}
