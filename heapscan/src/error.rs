//! The crate's one error: what is wrong, and where on the page.
//!
//! Code that looks at bytes knows what is wrong with them but not where they lie; whoever calls it adds the block, the
//! line pointer and the attribute on the error's way up ([`Error::at_block`] and its sisters), each only where it is not set.

use fusion_common::{BlockNumber, SqlError, SqlState};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where on a relation's pages: each part is 0 or `u32::MAX` (`InvalidBlockNumber`) as long as it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Block number, `u32::MAX` where unknown.
    pub block: BlockNumber,
    /// Offset number of the line pointer, 1-based; 0: unknown, or the page as a whole.
    pub offset_number: u16,
    /// Attribute number, 1-based; 0: unknown, or the tuple as a whole.
    pub attnum: u16,
}

impl Place {
    /// Nothing known yet.
    pub const UNKNOWN: Self = Self { block: u32::MAX, offset_number: 0, attnum: 0 };
}

/// What can be wrong with a page, a value, or the caller's description of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes that no PostgreSQL server would write. XX001.
    #[error("invalid page in block {}", place.block as i64)]
    Corrupt {
        /// Where.
        place: Place,
        /// What was found: the end of a sentence, without full stop.
        detail: &'static str,
    },
    /// A value that PostgreSQL holds and the engine's representation does not: the native plan answers. 22000.
    #[error("value cannot be represented in the engine: {detail}")]
    NotRepresentable {
        /// Where.
        place: Place,
        /// Which value, without full stop.
        detail: &'static str,
    },
    /// Text that is not UTF-8. 22021.
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    InvalidUtf8 {
        /// Where.
        place: Place,
    },
    /// A needed value lies in the TOAST table, and the backend has sent no flattened tuple for it, as it does for each that says that it has such values
    /// (HEAP_HASEXTERNAL) and is sound. XX001.
    #[error("out-of-line value in a tuple that is not marked to have one")]
    OutOfLine {
        /// Where.
        place: Place,
    },
    /// The caller's attributes and columns do not fit each other: a bug. XX000.
    #[error("layout of column {attnum} is invalid: {detail}")]
    Layout {
        /// Attribute number, 1-based.
        attnum: u16,
        /// What does not fit, without full stop.
        detail: &'static str,
    },
    /// Arrow refused the arrays: a bug. XX000.
    #[error("columns cannot be built: {0}")]
    Arrow(String),
}

impl Error {
    #[cold]
    pub(crate) fn corrupt(detail: &'static str) -> Self {
        Self::Corrupt { place: Place::UNKNOWN, detail }
    }

    #[cold]
    pub(crate) fn not_representable(detail: &'static str) -> Self {
        Self::NotRepresentable { place: Place::UNKNOWN, detail }
    }

    #[cold]
    pub(crate) fn invalid_utf8() -> Self {
        Self::InvalidUtf8 { place: Place::UNKNOWN }
    }

    #[cold]
    pub(crate) fn out_of_line() -> Self {
        Self::OutOfLine { place: Place::UNKNOWN }
    }

    fn place_mut(&mut self) -> Option<&mut Place> {
        match self {
            Self::Corrupt { place, .. }
            | Self::NotRepresentable { place, .. }
            | Self::InvalidUtf8 { place }
            | Self::OutOfLine { place } => Some(place),
            Self::Layout { .. } | Self::Arrow(_) => None,
        }
    }

    /// Where it happened, as far as it is known.
    pub fn place(&self) -> Option<Place> {
        self.clone().place_mut().copied()
    }

    /// Adds the block number.
    #[must_use]
    pub fn at_block(mut self, block: BlockNumber) -> Self {
        if let Some(place) = self.place_mut()
            && place.block == u32::MAX
        {
            place.block = block;
        }
        self
    }

    /// Adds the offset number of the line pointer.
    #[must_use]
    pub fn at_offset_number(mut self, offset_number: u16) -> Self {
        if let Some(place) = self.place_mut()
            && place.offset_number == 0
        {
            place.offset_number = offset_number;
        }
        self
    }

    /// Adds the attribute number.
    #[must_use]
    pub fn at_attribute(mut self, attnum: u16) -> Self {
        if let Some(place) = self.place_mut()
            && place.attnum == 0
        {
            place.attnum = attnum;
        }
        self
    }

    /// The SQLSTATE of this kind.
    pub fn sqlstate(&self) -> SqlState {
        match self {
            Self::Corrupt { .. } | Self::OutOfLine { .. } => SqlState::DATA_CORRUPTED,
            Self::NotRepresentable { .. } => SqlState::DATA_EXCEPTION,
            Self::InvalidUtf8 { .. } => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            Self::Layout { .. } | Self::Arrow(_) => SqlState::INTERNAL_ERROR,
        }
    }
}

/// A sentence for the detail: "Block 7, line pointer 3, column 5: the digits …."
fn sentence(place: Place, detail: &str) -> String {
    let mut parts = Vec::new();
    if place.block != u32::MAX {
        parts.push(format!("block {}", place.block));
    }
    if place.offset_number != 0 {
        parts.push(format!("line pointer {}", place.offset_number));
    }
    if place.attnum != 0 {
        parts.push(format!("column {}", place.attnum));
    }
    let mut text = parts.join(", ");
    match (text.is_empty(), detail.is_empty()) {
        (false, false) => text = format!("{text}: {detail}"),
        (true, _) => text = detail.to_owned(),
        (false, true) => {}
    }
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        let sql = Self::new(error.sqlstate(), error.to_string());
        match &error {
            Error::Corrupt { place, detail } => sql.with_detail(sentence(*place, detail)),
            Error::NotRepresentable { place, .. } | Error::InvalidUtf8 { place } | Error::OutOfLine { place }
                if *place != Place::UNKNOWN =>
            {
                sql.with_detail(sentence(*place, ""))
            }
            _ => sql,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrupt_page_names_its_block() {
        let error = Error::corrupt("a varlena ends beyond its tuple").at_attribute(5).at_offset_number(3).at_block(7);
        let sql = SqlError::from(error);
        assert_eq!(sql.sqlstate, SqlState::DATA_CORRUPTED);
        assert_eq!(sql.message, "invalid page in block 7");
        assert_eq!(sql.detail.as_deref(), Some("Block 7, line pointer 3, column 5: a varlena ends beyond its tuple."));
    }

    #[test]
    fn the_first_place_stays() {
        let error = Error::invalid_utf8().at_block(1).at_block(2).at_offset_number(3).at_offset_number(4);
        assert_eq!(error.place(), Some(Place { block: 1, offset_number: 3, attnum: 0 }));
        assert_eq!(SqlError::from(error).sqlstate.as_str(), "22021");
    }

    #[test]
    fn kinds_map_to_states() {
        let states = [
            (Error::not_representable("NaN"), "22000"),
            (Error::out_of_line(), "XX001"),
            (Error::Layout { attnum: 1, detail: "x" }, "XX000"),
        ];
        for (error, state) in states {
            assert_eq!(SqlError::from(error).sqlstate.as_str(), state);
        }
    }
}
