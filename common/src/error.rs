//! The error that reaches a user: an SQLSTATE, a message in PostgreSQL's style, detail and hint.
//!
//! Each crate has one error enum of its own, and each of its variants maps to one [`SqlState`] by `From`.
//! Over the wire only [`SqlError`] travels; only `fdw/src/error.rs` raises it to PostgreSQL.

use serde::{Deserialize, Serialize};

/// Five characters of an SQLSTATE (errcodes.txt of PostgreSQL).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SqlState(pub [u8; 5]);

impl SqlState {
    /// 08P01: a peer broke the protocol.
    pub const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    /// 0A000: what was asked for is not supported.
    pub const FEATURE_NOT_SUPPORTED: Self = Self(*b"0A000");
    /// 22000: a value that the engine does not represent, though PostgreSQL does (a NaN in a fixed numeric):
    /// always answered by the native plan.
    pub const DATA_EXCEPTION: Self = Self(*b"22000");
    /// 22003: number out of range.
    pub const NUMERIC_VALUE_OUT_OF_RANGE: Self = Self(*b"22003");
    /// 22012: division by zero.
    pub const DIVISION_BY_ZERO: Self = Self(*b"22012");
    /// 22021: bytes that are not text in the server's encoding.
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self(*b"22021");
    /// 22023: a setting or argument out of its range.
    pub const INVALID_PARAMETER_VALUE: Self = Self(*b"22023");
    /// 53000: frames, queries or connections are used up.
    pub const INSUFFICIENT_RESOURCES: Self = Self(*b"53000");
    /// 53100: there is no room on the disk.
    pub const DISK_FULL: Self = Self(*b"53100");
    /// 53200: out of memory.
    pub const OUT_OF_MEMORY: Self = Self(*b"53200");
    /// 53400: a limit that a setting sets.
    pub const CONFIGURATION_LIMIT_EXCEEDED: Self = Self(*b"53400");
    /// 54000: a limit of the program.
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self(*b"54000");
    /// 57014: the query was cancelled.
    pub const QUERY_CANCELED: Self = Self(*b"57014");
    /// 58030: the operating system reported an I/O error.
    pub const IO_ERROR: Self = Self(*b"58030");
    /// HV00N: the engine cannot be reached.
    pub const FDW_UNABLE_TO_ESTABLISH_CONNECTION: Self = Self(*b"HV00N");
    /// HV00D: unknown option.
    pub const FDW_INVALID_OPTION_NAME: Self = Self(*b"HV00D");
    /// HV021: the fusion table's columns do not fit the heap relation's.
    pub const FDW_INCONSISTENT_DESCRIPTOR_INFORMATION: Self = Self(*b"HV021");
    /// HV004: a column's type does not fit.
    pub const FDW_INVALID_DATA_TYPE: Self = Self(*b"HV004");
    /// XX000: a bug.
    pub const INTERNAL_ERROR: Self = Self(*b"XX000");
    /// XX001: a heap page that is not one.
    pub const DATA_CORRUPTED: Self = Self(*b"XX001");

    /// The five characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl std::fmt::Debug for SqlState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for SqlState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a user is told, as PostgreSQL's `ereport` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({sqlstate})")]
pub struct SqlError {
    /// Class and code.
    pub sqlstate: SqlState,
    /// Lower case, no full stop.
    pub message: String,
    /// Whole sentences, or nothing.
    pub detail: Option<String>,
    /// Whole sentences, or nothing.
    pub hint: Option<String>,
}

/// Result with a user-facing error.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

impl SqlError {
    /// An error with neither detail nor hint.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into(), detail: None, hint: None }
    }

    /// XX000: something that cannot happen did.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, message)
    }

    /// Adds the detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
