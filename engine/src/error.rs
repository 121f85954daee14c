//! The crate's one error, and how any error of a query becomes what the user is told.
//!
//! Kernels, scans and the lowering raise [`Error`] (or a bare [`SqlError`]) through DataFusion with [`external`]; when the query
//! ends, [`to_sql`] finds it again below whatever DataFusion and Arrow wrapped around it, so that its SQLSTATE survives.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use fusion_common::{SqlError, SqlState};
use rustix::io::Errno;
use std::error::Error as StdError;
use std::io::ErrorKind;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the engine, by kind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error with PostgreSQL's own SQLSTATE and text.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A backend broke the protocol: ends the session.
    #[error(transparent)]
    Protocol(#[from] fusion_proto::Error),
    /// A page or a value on it.
    #[error(transparent)]
    Heap(#[from] fusion_heapscan::Error),
    /// DataFusion said no; see [`to_sql`].
    #[error(transparent)]
    DataFusion(Box<DataFusionError>),
    /// A plan that the engine does not run. 0A000.
    #[error("{0}")]
    Unsupported(String),
    /// A named limit was reached. 53000.
    #[error("{0}")]
    Resources(String),
    /// The backend cancelled the query, or is gone. 57014.
    #[error("canceling statement due to user request")]
    Canceled,
    /// A task of the query panicked. XX000.
    #[error("engine task panicked: {0}")]
    Panic(String),
    /// The operating system said no. 58030.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] std::io::Error),
    /// A bug. XX000.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Wraps an I/O error with what was being done.
    pub fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io(what, error)
    }

    /// A bug: XX000.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal(what.into())
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self::DataFusion(Box::new(error))
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::from(DataFusionError::from(error))
    }
}

/// Sends an error of ours (or a [`SqlError`]) through DataFusion.
pub fn external(error: impl Into<Error>) -> DataFusionError {
    DataFusionError::External(Box::new(error.into()))
}

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        to_sql(&error)
    }
}

/// What the user is told: the innermost error that has an SQLSTATE of its own.
pub fn to_sql(error: &(dyn StdError + 'static)) -> SqlError {
    let mut current = Some(error);
    let mut told = None;
    while let Some(error) = current {
        if let Some(found) = one_to_sql(error) {
            told = Some(found);
        }
        current = error.source();
    }
    told.unwrap_or_else(|| SqlError::internal(error.to_string()))
}

/// The error of one link of the chain, if it says more than "something below me failed".
fn one_to_sql(error: &(dyn StdError + 'static)) -> Option<SqlError> {
    if let Some(sql) = error.downcast_ref::<SqlError>() {
        return Some(sql.clone());
    }
    if let Some(error) = error.downcast_ref::<fusion_heapscan::Error>() {
        return Some(error.clone().into());
    }
    if let Some(error) = error.downcast_ref::<Error>() {
        return own_to_sql(error);
    }
    if let Some(ArrowError::IoError(_, io)) = error.downcast_ref::<ArrowError>() {
        return Some(spill_error(io));
    }
    match error.downcast_ref::<DataFusionError>()? {
        DataFusionError::ResourcesExhausted(text) => {
            Some(SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory in the engine").with_detail(text.clone()))
        }
        DataFusionError::IoError(io) => Some(spill_error(io)),
        _ => None,
    }
}

/// All that DataFusion reads and writes is what it spills.
fn spill_error(io: &std::io::Error) -> SqlError {
    // What writes its files wraps what the system said.
    if let Some(DataFusionError::IoError(inner)) = io.get_ref().and_then(|inner| inner.downcast_ref()) {
        return spill_error(inner);
    }
    // What its disk manager says at the limit; there is no kind for it.
    if io.to_string().contains("exceeded the allowable limit") {
        return SqlError::new(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            "spilled data of the engine exceeds fusion.temp_limit",
        );
    }
    let state = match io.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => SqlState::DISK_FULL,
        _ if matches!(Errno::from_io_error(io), Some(Errno::MFILE | Errno::NFILE)) => SqlState::INSUFFICIENT_RESOURCES,
        _ => SqlState::IO_ERROR,
    };
    SqlError::new(state, "could not spill in the engine").with_detail(format!("{io}."))
}

fn own_to_sql(error: &Error) -> Option<SqlError> {
    let state = match error {
        // Transparent: the chain goes on behind them, or they are looked at here.
        Error::Sql(sql) => return Some(sql.clone()),
        Error::Heap(heap) => return Some(heap.clone().into()),
        Error::DataFusion(inner) => return Some(to_sql(inner.as_ref())),
        Error::Protocol(fusion_proto::Error::Io(..)) | Error::Io(..) => SqlState::IO_ERROR,
        Error::Protocol(fusion_proto::Error::MessageTooLarge(_)) => SqlState::PROGRAM_LIMIT_EXCEEDED,
        Error::Protocol(fusion_proto::Error::Segment(_)) => SqlState::INSUFFICIENT_RESOURCES,
        Error::Protocol(_) => SqlState::PROTOCOL_VIOLATION,
        Error::Unsupported(_) => SqlState::FEATURE_NOT_SUPPORTED,
        Error::Resources(_) => SqlState::INSUFFICIENT_RESOURCES,
        Error::Canceled => SqlState::QUERY_CANCELED,
        Error::Panic(_) | Error::Internal(_) => SqlState::INTERNAL_ERROR,
    };
    Some(SqlError::new(state, error.to_string()))
}

/// The text of a panic's payload.
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn states_survive_what_is_wrapped_around_them() {
        let overflow = || SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
        let arrow = ArrowError::ExternalError(Box::new(external(overflow())));
        let wrapped = [
            external(overflow()),
            DataFusionError::External(Box::new(overflow())),
            DataFusionError::from(arrow).context("while adding"),
            DataFusionError::Shared(Arc::new(external(overflow()))),
            DataFusionError::External(Box::new(Error::from(external(overflow())))),
        ];
        for error in wrapped {
            assert_eq!(SqlError::from(Error::from(error)), overflow());
        }
        let corrupt = fusion_heapscan::Error::Layout { attnum: 1, detail: "x" };
        assert_eq!(to_sql(&external(corrupt)).sqlstate, SqlState::INTERNAL_ERROR);
    }

    #[test]
    fn running_out_of_memory_has_its_state() {
        let error = DataFusionError::ResourcesExhausted("pool".into()).context("sorting");
        assert_eq!(to_sql(&error).sqlstate, SqlState::OUT_OF_MEMORY);
    }

    #[test]
    fn what_cannot_be_spilled_has_its_state() {
        let state = |error: DataFusionError| to_sql(&error).sqlstate;
        let io = |kind| std::io::Error::from(kind);
        assert_eq!(state(DataFusionError::IoError(io(ErrorKind::StorageFull))), SqlState::DISK_FULL);
        assert_eq!(state(DataFusionError::IoError(io(ErrorKind::PermissionDenied))), SqlState::IO_ERROR);
        assert_eq!(state(DataFusionError::IoError(Errno::MFILE.into())), SqlState::INSUFFICIENT_RESOURCES);
        let written = std::io::Error::other(DataFusionError::IoError(io(ErrorKind::StorageFull)));
        assert_eq!(state(ArrowError::IoError("x".into(), written).into()), SqlState::DISK_FULL);
        let limit = std::io::Error::other("it has exceeded the allowable limit of 1 KB");
        let wrapped = DataFusionError::from(ArrowError::IoError("x".into(), limit));
        assert_eq!(state(wrapped), SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    }

    #[test]
    fn the_rest_is_a_bug() {
        assert_eq!(to_sql(&DataFusionError::Plan("no".into())).sqlstate, SqlState::INTERNAL_ERROR);
        assert_eq!(SqlError::from(Error::Canceled).sqlstate, SqlState::QUERY_CANCELED);
    }
}
