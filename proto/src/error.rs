//! What can be wrong with bytes or words from the other process. Ends the session, never the process.

use fusion_common::{SqlError, SqlState};

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A broken protocol, or an operating-system call that failed on the way.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A message longer than the limit, in bytes.
    #[error("message of {0} bytes is over the limit")]
    MessageTooLarge(usize),
    /// Bytes that are no message.
    #[error("message cannot be decoded: {0}")]
    Codec(#[from] postcard::Error),
    /// A frame whose layout is wrong.
    #[error("invalid frame: {0}")]
    Frame(&'static str),
    /// A message that does not fit the state of the session.
    #[error("unexpected message: {0}")]
    Unexpected(&'static str),
    /// The segment could not be made or mapped.
    #[error("session segment: {0}")]
    Segment(&'static str),
    /// The operating system said no.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] std::io::Error),
}

impl Error {
    /// Wraps an errno with what was being done.
    pub fn io(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self::Io(what, errno.into())
    }
}

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        let state = match &error {
            Error::MessageTooLarge(_) => SqlState::PROGRAM_LIMIT_EXCEEDED,
            Error::Codec(_) | Error::Frame(_) | Error::Unexpected(_) => SqlState::PROTOCOL_VIOLATION,
            Error::Segment(_) => SqlState::INSUFFICIENT_RESOURCES,
            Error::Io(..) => SqlState::IO_ERROR,
        };
        SqlError::new(state, error.to_string())
    }
}
