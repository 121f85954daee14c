//! The errors of PostgreSQL's functions, with PostgreSQL's SQLSTATE and text.
//!
//! A data exception of the engine ends the query there; the backend then runs the native plan, which raises PostgreSQL's own error
//! or, where only the engine could not hold a value, gives PostgreSQL's rows. So every text here is one that PostgreSQL has,
//! or names a limit of the engine.

use fusion_common::{SqlError, SqlState};

const DATETIME_FIELD_OVERFLOW: SqlState = SqlState(*b"22008");
const SUBSTRING_ERROR: SqlState = SqlState(*b"22011");
const CARDINALITY_VIOLATION: SqlState = SqlState(*b"21000");
const INVALID_ESCAPE_SEQUENCE: SqlState = SqlState(*b"22025");

/// What a kernel's row failed with. Small and `Copy`, so that hot loops carry it at no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 22012.
    DivisionByZero,
    /// 22003.
    SmallintRange,
    /// 22003.
    IntegerRange,
    /// 22003.
    BigintRange,
    /// 22003: a float that became infinite.
    FloatOverflow,
    /// 22003: a float that became zero.
    FloatUnderflow,
    /// 22003: more digits than `numeric(p,s)` takes.
    NumericField,
    /// 22003: more digits than the engine holds; PostgreSQL may hold them.
    NumericDigits,
    /// 22000: a NaN or an infinity where the engine does not hold one.
    NumericSpecial,
    /// 22008.
    DateRange,
    /// 22008.
    DateForTimestamp,
    /// 22000: a timestamp that the engine's epoch does not hold.
    TimestampEpoch,
    /// 22008.
    InfiniteDates,
    /// 22011.
    NegativeSubstring,
    /// 22025.
    PatternEscape,
    /// 21000.
    SeveralRows,
    /// 22008.
    TimestampRange,
    /// 22008: make_date.
    DateField,
    /// 22000: an interval or timestamp that is infinite.
    InfiniteInterval,
    /// 2201F.
    NegativeRoot,
    /// 22000: a locale decides.
    NotAscii,
    /// 54000.
    LongText,
    /// 22001.
    LongValue,
    /// 22023.
    ZeroField,
    /// 54000.
    NoCharacter,
    /// 22P02, or text that only PostgreSQL reads.
    UnknownText,
}

impl Failure {
    /// SQLSTATE and text.
    #[cold]
    pub fn to_sql(self) -> SqlError {
        let (state, text) = match self {
            Self::DivisionByZero => (SqlState::DIVISION_BY_ZERO, "division by zero"),
            Self::SmallintRange => (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "smallint out of range"),
            Self::IntegerRange => (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"),
            Self::BigintRange => (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"),
            Self::FloatOverflow => (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"),
            Self::FloatUnderflow => (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"),
            Self::NumericField => (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow"),
            Self::NumericDigits => {
                (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric value has more digits than the engine holds")
            }
            Self::NumericSpecial => (SqlState::DATA_EXCEPTION, "the engine does not compute with NaN or infinity"),
            Self::DateRange => (DATETIME_FIELD_OVERFLOW, "date out of range"),
            Self::DateForTimestamp => (DATETIME_FIELD_OVERFLOW, "date out of range for timestamp"),
            Self::TimestampEpoch => (SqlState::DATA_EXCEPTION, "the engine does not hold timestamps so late"),
            Self::InfiniteDates => (DATETIME_FIELD_OVERFLOW, "cannot subtract infinite dates"),
            Self::NegativeSubstring => (SUBSTRING_ERROR, "negative substring length not allowed"),
            Self::SeveralRows => {
                (CARDINALITY_VIOLATION, "more than one row returned by a subquery used as an expression")
            }
            Self::PatternEscape => (INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character"),
            Self::TimestampRange => (DATETIME_FIELD_OVERFLOW, "timestamp out of range"),
            Self::DateField => (DATETIME_FIELD_OVERFLOW, "date field value out of range"),
            Self::InfiniteInterval => (SqlState::DATA_EXCEPTION, "the engine does not compute with infinite intervals"),
            Self::NegativeRoot => (SqlState(*b"2201F"), "cannot take square root of a negative number"),
            Self::NotAscii => (SqlState::DATA_EXCEPTION, "the engine changes the case of ASCII letters only"),
            Self::LongText => (SqlState(*b"54000"), "requested length too large"),
            Self::LongValue => (SqlState(*b"22001"), "value too long for type"),
            Self::ZeroField => (SqlState(*b"22023"), "field position must not be zero"),
            Self::NoCharacter => (SqlState(*b"54000"), "requested character not valid for encoding"),
            Self::UnknownText => (SqlState(*b"22P02"), "invalid input syntax, or one that the engine does not read"),
        };
        SqlError::new(state, text)
    }
}

impl From<Failure> for datafusion::error::DataFusionError {
    fn from(failure: Failure) -> Self {
        crate::error::external(failure.to_sql())
    }
}
