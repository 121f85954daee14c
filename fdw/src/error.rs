//! The one place that raises errors to PostgreSQL, and the crate's error type.
//!
//! Everywhere else functions return [`Result`]; a callback at the border turns it into `ereport` with [`raise`].

use fusion_common::{SqlError, SqlState};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// Result with an error that is ready for a user.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// PostgreSQL's packed form of an SQLSTATE (`MAKE_SQLSTATE` of elog.h).
fn packed(state: SqlState) -> i32 {
    state
        .0
        .iter()
        .enumerate()
        .fold(0, |code, (position, letter)| code | (i32::from(letter.wrapping_sub(b'0')) & 0x3f) << (6 * position))
}

/// An SQLSTATE as pgrx wants it. One that is none, or not of an error, is XX000: the engine sends it as bytes.
pub fn error_code(state: SqlState) -> PgSqlErrorCode {
    let is_error = !matches!(&state.0[..2], b"00" | b"01" | b"02");
    let is_code = state.0.iter().all(|letter| letter.is_ascii_digit() || letter.is_ascii_uppercase());
    PgSqlErrorCode::from(packed(if is_error && is_code { state } else { SqlState::INTERNAL_ERROR }))
}

/// Text that PostgreSQL can hold.
fn printable(mut text: String) -> String {
    text.retain(|letter| letter != '\0');
    text
}

/// The reverse of [`error_code`].
pub fn sqlstate(code: PgSqlErrorCode) -> SqlState {
    let packed = code as i32;
    SqlState(std::array::from_fn(|position| ((packed >> (6 * position)) & 0x3f) as u8 + b'0'))
}

/// Raises `error` as PostgreSQL's ERROR. Does not return; destructors of the caller run.
pub fn raise(error: SqlError) -> ! {
    report(PgLogLevel::ERROR, error);
    unreachable!("ereport(ERROR) returned")
}

/// Reports `error` at a level below ERROR (LOG, WARNING …), or at ERROR as [`raise`] does.
pub fn report(level: PgLogLevel, error: SqlError) {
    let mut report = ErrorReport::new(error_code(error.sqlstate), printable(error.message), "pg_fusion");
    if let Some(detail) = error.detail {
        report = report.set_detail(printable(detail));
    }
    if let Some(hint) = error.hint {
        report = report.set_hint(printable(hint));
    }
    report.report(level);
}

/// Unwraps a result at PostgreSQL's border.
pub trait OrRaise<T> {
    /// The value, or ERROR.
    fn or_raise(self) -> T;
}

impl<T, E: Into<SqlError>> OrRaise<T> for std::result::Result<T, E> {
    fn or_raise(self) -> T {
        match self {
            Ok(value) => value,
            Err(error) => raise(error.into()),
        }
    }
}
