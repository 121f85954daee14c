//! The functions and aggregates that the engine implements, with PostgreSQL's built-ins that they stand for.
//!
//! [`Function::from_oid`] and [`Aggregate::from_oid`] are the whole table: what is not in it does not translate. OIDs are those of
//! pg_proc.dat, the same in 15 to 18.

use fusion_common::Oid;
use serde::{Deserialize, Serialize};

/// The number types that arithmetic is defined on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum NumberType {
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
}

/// `+ - * / %`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ArithOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

/// Fields of `extract` that the engine implements, all exact integers but `Second` and `Epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum DateField {
    Year,
    Quarter,
    Month,
    Day,
    DayOfWeek,
    DayOfYear,
}

impl DateField {
    /// From the text that the parser passes to `extract`; lower case, as `EXTRACT(year …)` gives it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "day" => Self::Day,
            "dow" => Self::DayOfWeek,
            "doy" => Self::DayOfYear,
            _ => return None,
        })
    }
}

/// A strict, immutable function with PostgreSQL's result and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Function {
    /// Arithmetic in one type; narrower integers (floats) of the cross-type operators are widened first.
    /// Integers: 22003 on overflow, 22012 on division by zero, division truncates. Floats: 22003, 22012.
    /// Numeric: PostgreSQL's display scales.
    Arith(ArithOp, NumberType),
    /// Unary minus.
    Neg(NumberType),
    /// Absolute value.
    Abs(NumberType),
    /// Conversion between number types; to an integer it rounds (numeric: half away from zero; float: half to even).
    Cast(NumberType, NumberType),
    /// `numeric(numeric, int4)`: rounds to the typmod, which is the result type's; 22003 if it does not fit.
    NumericTypmod,
    /// `date + int4`.
    DateAddDays,
    /// `date - int4`.
    DateSubDays,
    /// `date - date`, int4.
    DateDiff,
    /// `date::timestamp`.
    DateToTimestamp,
    /// `timestamp::date`.
    TimestampToDate,
    /// `extract(field from date)`: numeric of display scale 0; NULL for infinities where PostgreSQL gives NULL.
    ExtractDate(DateField),
    /// `extract(field from timestamp)`.
    ExtractTimestamp(DateField),
    /// `substring(text, int4)` and `substring(text, int4, int4)`: in characters; 22011 for a negative length.
    Substring,
    /// `text LIKE text`, escape `\`; for bpchar the left side is padded to its length first.
    Like,
    /// `text NOT LIKE text`.
    NotLike,
    /// `bpchar::text`: without the trailing blanks.
    BpcharToText,
    /// `length(text)` in characters; for bpchar without the trailing blanks.
    CharLength,
    /// `octet_length(text)`.
    OctetLength,
    /// A number of rows (int8) as it is; 21000 if it is more than one.
    AtMostOne,
}

use ArithOp::{Add, Div, Mod, Mul, Sub};
use NumberType::{Float4, Float8, Int2, Int4, Int8, Numeric};

impl Function {
    /// The function that a built-in of pg_proc stands for. `extract` is not here: its field comes from an argument
    /// (see [`Function::extract_from_oid`]).
    pub fn from_oid(oid: Oid) -> Option<Self> {
        Some(match oid {
            176 => Self::Arith(Add, Int2),
            177..=179 => Self::Arith(Add, Int4),
            463 | 837 | 841 | 1274 | 1278 => Self::Arith(Add, Int8),
            180 => Self::Arith(Sub, Int2),
            181..=183 => Self::Arith(Sub, Int4),
            464 | 838 | 942 | 1275 | 1279 => Self::Arith(Sub, Int8),
            152 => Self::Arith(Mul, Int2),
            141 | 170 | 171 => Self::Arith(Mul, Int4),
            465 | 839 | 943 | 1276 | 1280 => Self::Arith(Mul, Int8),
            153 => Self::Arith(Div, Int2),
            154 | 172 | 173 => Self::Arith(Div, Int4),
            466 | 840 | 948 | 1277 | 1281 => Self::Arith(Div, Int8),
            155 => Self::Arith(Mod, Int2),
            156 => Self::Arith(Mod, Int4),
            945 => Self::Arith(Mod, Int8),
            204 => Self::Arith(Add, Float4),
            205 => Self::Arith(Sub, Float4),
            202 => Self::Arith(Mul, Float4),
            203 => Self::Arith(Div, Float4),
            218 | 281 | 285 => Self::Arith(Add, Float8),
            219 | 282 | 286 => Self::Arith(Sub, Float8),
            216 | 279 | 283 => Self::Arith(Mul, Float8),
            217 | 280 | 284 => Self::Arith(Div, Float8),
            1724 => Self::Arith(Add, Numeric),
            1725 => Self::Arith(Sub, Numeric),
            1726 => Self::Arith(Mul, Numeric),
            1727 => Self::Arith(Div, Numeric),
            213 => Self::Neg(Int2),
            212 => Self::Neg(Int4),
            462 => Self::Neg(Int8),
            206 => Self::Neg(Float4),
            220 => Self::Neg(Float8),
            1771 => Self::Neg(Numeric),
            1253 | 1398 => Self::Abs(Int2),
            1251 | 1397 => Self::Abs(Int4),
            1230 | 1396 => Self::Abs(Int8),
            207 | 1394 => Self::Abs(Float4),
            221 | 1395 => Self::Abs(Float8),
            1704 | 1705 => Self::Abs(Numeric),
            313 => Self::Cast(Int2, Int4),
            754 => Self::Cast(Int2, Int8),
            314 => Self::Cast(Int4, Int2),
            481 => Self::Cast(Int4, Int8),
            714 => Self::Cast(Int8, Int2),
            480 => Self::Cast(Int8, Int4),
            1782 => Self::Cast(Int2, Numeric),
            1740 => Self::Cast(Int4, Numeric),
            1781 => Self::Cast(Int8, Numeric),
            235 => Self::Cast(Int2, Float8),
            316 => Self::Cast(Int4, Float8),
            482 => Self::Cast(Int8, Float8),
            311 => Self::Cast(Float4, Float8),
            1703 => Self::NumericTypmod,
            1141 => Self::DateAddDays,
            1142 => Self::DateSubDays,
            1140 => Self::DateDiff,
            2024 => Self::DateToTimestamp,
            2029 => Self::TimestampToDate,
            877 | 883 | 936 | 937 => Self::Substring,
            850 | 1569 | 1631 => Self::Like,
            851 | 1570 | 1632 => Self::NotLike,
            401 => Self::BpcharToText,
            1317 | 1318 | 1372 | 1381 => Self::CharLength,
            1374 => Self::OctetLength,
            _ => return None,
        })
    }

    /// `extract(field from x)` of a built-in and a field; None for another function or field.
    pub fn extract_from_oid(oid: Oid, field: &str) -> Option<Self> {
        let field = DateField::from_name(field)?;
        match oid {
            6199 => Some(Self::ExtractDate(field)),
            6202 => Some(Self::ExtractTimestamp(field)),
            _ => None,
        }
    }
}

/// An aggregate with PostgreSQL's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Aggregate {
    /// `count(*)`.
    CountStar,
    /// `count(any)`.
    Count,
    /// `sum`: int2 and int4 give int8, int8 gives numeric, numeric numeric with the largest display scale seen.
    Sum(NumberType),
    /// `avg`: integers and numeric give numeric, floats float8.
    Avg(NumberType),
    /// `min` by the type's order (text: bytes).
    Min,
    /// `max` by the type's order (text: bytes).
    Max,
    /// `bool_and`, `every`.
    BoolAnd,
    /// `bool_or`.
    BoolOr,
    /// The value of a group's only row, of any type. Of a group of more rows it is any value: [`Function::AtMostOne`] over
    /// `count(*)` goes with it.
    Only,
}

impl Aggregate {
    /// The aggregate that a built-in of pg_proc stands for. min and max of text-like types are only these where the
    /// collation is C; the translation looks at that.
    pub fn from_oid(oid: Oid) -> Option<Self> {
        Some(match oid {
            2803 => Self::CountStar,
            2147 => Self::Count,
            2107 => Self::Sum(Int8),
            2108 => Self::Sum(Int4),
            2109 => Self::Sum(Int2),
            2110 => Self::Sum(Float4),
            2111 => Self::Sum(Float8),
            2114 => Self::Sum(Numeric),
            2100 => Self::Avg(Int8),
            2101 => Self::Avg(Int4),
            2102 => Self::Avg(Int2),
            2103 => Self::Avg(Numeric),
            2104 => Self::Avg(Float4),
            2105 => Self::Avg(Float8),
            2115 | 2116 | 2117 | 2119 | 2120 | 2122 | 2126 | 2127 | 2129 | 2130 | 2244 => Self::Max,
            2131 | 2132 | 2133 | 2135 | 2136 | 2138 | 2142 | 2143 | 2145 | 2146 | 2245 => Self::Min,
            2517 | 2519 => Self::BoolAnd,
            2518 => Self::BoolOr,
            _ => return None,
        })
    }
}
