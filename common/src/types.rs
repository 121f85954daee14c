//! Identities of PostgreSQL's types, and how the engine holds each of them.
//!
//! Two questions are kept apart: *what a value means* ([`TypeRef`]: type OID, typmod, collation, PostgreSQL's own
//! identity) and *how the engine holds it* ([`ColumnType`]: derived from the former, one per representation).

use crate::ids::Oid;
use crate::limits::DECIMAL128_PRECISION;
use serde::{Deserialize, Serialize};

/// OIDs of the built-in types that the engine computes with (pg_type.dat).
pub mod oid {
    use crate::ids::Oid;
    #[allow(missing_docs)]
    pub const BOOL: Oid = 16;
    pub const BYTEA: Oid = 17;
    pub const CHAR: Oid = 18;
    pub const INT8: Oid = 20;
    pub const INT2: Oid = 21;
    pub const INT4: Oid = 23;
    pub const TEXT: Oid = 25;
    pub const OID: Oid = 26;
    pub const FLOAT4: Oid = 700;
    pub const FLOAT8: Oid = 701;
    pub const UNKNOWN: Oid = 705;
    pub const BPCHAR: Oid = 1042;
    pub const VARCHAR: Oid = 1043;
    pub const DATE: Oid = 1082;
    pub const TIMESTAMP: Oid = 1114;
    pub const TIMESTAMPTZ: Oid = 1184;
    pub const INTERVAL: Oid = 1186;
    pub const NUMERIC: Oid = 1700;
    /// `"C"` collation.
    pub const C_COLLATION: Oid = 950;
    /// The database's default collation.
    pub const DEFAULT_COLLATION: Oid = 100;
}

/// A type as PostgreSQL names it: OID, type modifier (-1: none) and collation (0: none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TypeRef {
    /// `pg_type.oid`.
    pub oid: Oid,
    /// `atttypmod`, -1 where there is none.
    pub typmod: i32,
    /// `pg_collation.oid`, 0 where the type is not collatable.
    pub collation: Oid,
}

impl TypeRef {
    /// A type with neither typmod nor collation.
    pub const fn plain(oid: Oid) -> Self {
        Self { oid, typmod: -1, collation: 0 }
    }

    /// Precision and scale of `numeric(p,s)`, as `numeric_typmod_precision` and `numeric_typmod_scale` of numeric.c
    /// give them; None without a typmod or for another type.
    pub fn numeric_precision_scale(&self) -> Option<(u16, i16)> {
        if self.oid != oid::NUMERIC || self.typmod < 4 {
            return None;
        }
        let packed = self.typmod - 4;
        let precision = (packed >> 16) & 0xffff;
        let scale = ((packed & 0x7ff) ^ 1024) - 1024;
        Some((precision as u16, scale as i16))
    }

    /// Characters of `char(n)` or `varchar(n)`; None without a typmod or for another type.
    pub fn char_length(&self) -> Option<u32> {
        if !matches!(self.oid, oid::BPCHAR | oid::VARCHAR) || self.typmod < 4 {
            return None;
        }
        Some((self.typmod - 4) as u32)
    }

    /// How the engine holds a *column or result* of this type.
    pub fn column_type(&self) -> ColumnType {
        match self.oid {
            oid::BOOL => ColumnType::Bool,
            oid::INT2 => ColumnType::Int2,
            oid::INT4 => ColumnType::Int4,
            oid::INT8 => ColumnType::Int8,
            oid::FLOAT4 => ColumnType::Float4,
            oid::FLOAT8 => ColumnType::Float8,
            oid::TEXT | oid::VARCHAR => ColumnType::Text,
            oid::BPCHAR => match self.char_length() {
                Some(length) => ColumnType::Bpchar { length },
                None => ColumnType::Opaque,
            },
            oid::DATE => ColumnType::Date,
            oid::TIMESTAMP => ColumnType::Timestamp,
            oid::TIMESTAMPTZ => ColumnType::Timestamptz,
            oid::NUMERIC => match self.numeric_precision_scale() {
                Some((precision, scale))
                    if scale >= 0 && precision <= u16::from(DECIMAL128_PRECISION) && scale <= precision as i16 =>
                {
                    ColumnType::Numeric { precision: precision as u8, scale: scale as u8 }
                }
                _ => ColumnType::NumericVar,
            },
            _ => ColumnType::Opaque,
        }
    }
}

/// How the engine holds values of a type. The Arrow type of each is given with it; every crate uses this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ColumnType {
    /// `Boolean`.
    Bool,
    /// `Int16`.
    Int2,
    /// `Int32`.
    Int4,
    /// `Int64`.
    Int8,
    /// `Float32`, bits as stored.
    Float4,
    /// `Float64`, bits as stored.
    Float8,
    /// Fixed numeric: `Decimal64(precision, scale)` up to precision 18, `Decimal128(precision, scale)` up to 38;
    /// `0 <= scale <= precision`. Every value has display scale `scale`. NaN is not representable: a data exception.
    Numeric {
        /// Decimal digits, 1 to 38.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// Variable numeric: `BinaryView` holding the payload of PostgreSQL's own numeric varlena (after the varlena header:
    /// `NumericShort` or `NumericLong` of numeric.c), with its display scale; NaN and infinities included.
    NumericVar,
    /// `text` and `varchar`: `Utf8View`.
    Text,
    /// `char(n)`: `Utf8View` **without** the trailing blanks; the encoder pads to `length` characters.
    Bpchar {
        /// n of `char(n)`, characters.
        length: u32,
    },
    /// `Date32`: days since 1970-01-01; PostgreSQL's ±infinity are `i32::MAX`/`i32::MIN` as in PostgreSQL.
    Date,
    /// `Timestamp(Microsecond, None)`: since 1970-01-01 00:00; ±infinity are `i64::MAX`/`i64::MIN`. A finite value
    /// that the shift of epoch would overflow is a data exception.
    Timestamp,
    /// `Timestamp(Microsecond, "+00:00")`, otherwise as [`ColumnType::Timestamp`].
    Timestamptz,
    /// Any other type, only passed through: `BinaryView` of the datum's bytes: for a varlena the payload
    /// (decompressed, without header), otherwise its `attlen` bytes as stored.
    Opaque,
}

/// Days from 1970-01-01 to PostgreSQL's epoch 2000-01-01.
pub const PG_EPOCH_DAYS: i32 = 10_957;
/// Microseconds from 1970-01-01 to PostgreSQL's epoch 2000-01-01.
pub const PG_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// `attalign` of pg_attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AttAlign {
    /// 'c': 1 byte.
    Char,
    /// 's': 2 bytes.
    Short,
    /// 'i': 4 bytes.
    Int,
    /// 'd': 8 bytes.
    Double,
}

impl AttAlign {
    /// The alignment in bytes: 1, 2, 4 or 8.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Char => 1,
            Self::Short => 2,
            Self::Int => 4,
            Self::Double => 8,
        }
    }

    /// From `pg_attribute.attalign`; None for a letter that PostgreSQL does not have.
    pub const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'c' => Some(Self::Char),
            b's' => Some(Self::Short),
            b'i' => Some(Self::Int),
            b'd' => Some(Self::Double),
            _ => None,
        }
    }
}

/// Physical layout of one attribute of a tuple, all that deforming needs to walk over it (`CompactAttribute` of 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attribute {
    /// `attlen`: bytes, or -1 for a varlena. (-2, cstring, does not occur in tables.)
    pub length: i16,
    /// `attalign`.
    pub align: AttAlign,
    /// `attbyval`.
    pub by_value: bool,
    /// A varlena that may take a short (1-byte) header when stored: `attstorage` is not plain.
    pub packable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(precision: i32, scale: i32) -> TypeRef {
        TypeRef { oid: oid::NUMERIC, typmod: ((precision << 16) | (scale & 0x7ff)) + 4, collation: 0 }
    }

    #[test]
    fn numeric_typmod_round_trips() {
        assert_eq!(numeric(15, 2).numeric_precision_scale(), Some((15, 2)));
        assert_eq!(numeric(1000, 1000).numeric_precision_scale(), Some((1000, 1000)));
        assert_eq!(numeric(3, -2).numeric_precision_scale(), Some((3, -2)));
        assert_eq!(TypeRef::plain(oid::NUMERIC).numeric_precision_scale(), None);
    }

    #[test]
    fn only_numerics_that_fit_are_fixed() {
        assert_eq!(numeric(15, 2).column_type(), ColumnType::Numeric { precision: 15, scale: 2 });
        assert_eq!(numeric(39, 2).column_type(), ColumnType::NumericVar);
        assert_eq!(numeric(3, -2).column_type(), ColumnType::NumericVar);
        assert_eq!(numeric(2, 5).column_type(), ColumnType::NumericVar);
        assert_eq!(TypeRef::plain(oid::NUMERIC).column_type(), ColumnType::NumericVar);
    }

    #[test]
    fn bpchar_without_length_is_opaque() {
        assert_eq!(TypeRef::plain(oid::BPCHAR).column_type(), ColumnType::Opaque);
        let char10 = TypeRef { oid: oid::BPCHAR, typmod: 14, collation: 100 };
        assert_eq!(char10.column_type(), ColumnType::Bpchar { length: 10 });
    }
}
