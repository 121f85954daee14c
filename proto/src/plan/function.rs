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

/// Fields of `extract`, `date_part` and `date_trunc` that the engine implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum DateField {
    Year,
    Quarter,
    Month,
    Day,
    DayOfWeek,
    DayOfYear,
    Millennium,
    Century,
    Decade,
    IsoYear,
    Week,
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
    Julian,
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
            "millennium" => Self::Millennium,
            "century" => Self::Century,
            "decade" => Self::Decade,
            "isoyear" => Self::IsoYear,
            "week" => Self::Week,
            "isodow" => Self::IsoDayOfWeek,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "milliseconds" => Self::Millisecond,
            "microseconds" => Self::Microsecond,
            "epoch" => Self::Epoch,
            "julian" => Self::Julian,
            _ => return None,
        })
    }

    /// The name in PostgreSQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Day => "day",
            Self::DayOfWeek => "dow",
            Self::DayOfYear => "doy",
            Self::Millennium => "millennium",
            Self::Century => "century",
            Self::Decade => "decade",
            Self::IsoYear => "isoyear",
            Self::Week => "week",
            Self::IsoDayOfWeek => "isodow",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::Millisecond => "milliseconds",
            Self::Microsecond => "microseconds",
            Self::Epoch => "epoch",
            Self::Julian => "julian",
        }
    }

    /// Whether it is a field of a time of day, which a date does not have.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Hour | Self::Minute | Self::Second | Self::Millisecond | Self::Microsecond)
    }

    /// Digits before and behind the point of `extract(field from …)`.
    pub fn digits(self, of_date: bool) -> (u16, u16) {
        match self {
            Self::Second => (2, 6),
            Self::Millisecond => (5, 3),
            Self::Microsecond => (8, 0),
            Self::Epoch if of_date => (16, 0),
            Self::Epoch => (12, 6),
            Self::Julian => (10, 0),
            _ => (7, 0),
        }
    }
}

/// Functions of text; lengths and positions are in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum TextFunction {
    /// `text || text`.
    Concat,
    /// `upper` where only ASCII letters have cases: the C locale.
    Upper,
    Lower,
    /// `upper` in a locale that treats ASCII letters as C does; other characters are left to PostgreSQL.
    UpperAscii,
    LowerAscii,
    TrimBoth,
    TrimLeft,
    TrimRight,
    Left,
    Right,
    /// `strpos(text, text)`, `position`.
    Position,
    Replace,
    PadLeft,
    PadRight,
    Repeat,
    Reverse,
    SplitPart,
    StartsWith,
    Ascii,
    Chr,
    Translate,
}

/// Functions of float8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum FloatFunction {
    Round,
    Trunc,
    Ceil,
    Floor,
    Sign,
    Sqrt,
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
    /// A function of text.
    Text(TextFunction),
    /// `varchar(n)`: cuts what is longer, or, where it is no explicit cast, only blanks; else 22001.
    Varchar {
        /// n.
        length: u32,
        /// Of an explicit cast.
        explicit: bool,
    },
    /// `char(n)`, likewise.
    Bpchar {
        /// n.
        length: u32,
        /// Of an explicit cast.
        explicit: bool,
    },
    /// bool, an integer or a numeric as text.
    ToText,
    /// Text as a number. What is not plainly decimal is left to PostgreSQL.
    ParseNumber(NumberType),
    /// Text as a date: `YYYY-MM-DD`; anything else is left to PostgreSQL.
    ParseDate,
    /// A function of float8.
    Float(FloatFunction),
    /// `round(numeric, digits)`, or `trunc`.
    NumericRound {
        /// Digits behind the point; negative: before it.
        digits: i16,
        /// `trunc`.
        trunc: bool,
    },
    /// `ceil(numeric)`.
    NumericCeil,
    /// `floor(numeric)`.
    NumericFloor,
    /// `sign(numeric)`.
    NumericSign,
    /// `div(numeric, numeric)`: the quotient without its fraction.
    NumericDiv,
    /// `& | #` of integers.
    Bits(BitOp, NumberType),
    /// `~`.
    BitNot(NumberType),
    /// `<<` of an integer by an int4; modulo its width, as the processor does it.
    ShiftLeft(NumberType),
    /// `>>`, likewise.
    ShiftRight(NumberType),
    /// `bool::int4`.
    BoolToInt,
    /// `int4::bool`.
    IntToBool,
    /// `date_part(field, timestamp)`: float8.
    DatePart(DateField),
    /// `date_trunc(field, timestamp)`.
    DateTrunc(DateField),
    /// `timestamp + interval`.
    TimestampAddInterval,
    /// `timestamp - interval`.
    TimestampSubInterval,
    /// `date + interval`: timestamp.
    DateAddInterval,
    /// `date - interval`: timestamp.
    DateSubInterval,
    /// `timestamp - timestamp`: interval.
    TimestampDiff,
    /// `make_date(year, month, day)`.
    MakeDate,
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
            1317 | 1318 | 1367 | 1369 | 1372 | 1381 => Self::CharLength,
            1374 => Self::OctetLength,
            1258 => Self::Text(TextFunction::Concat),
            871 => Self::Text(TextFunction::Upper),
            870 => Self::Text(TextFunction::Lower),
            884 | 885 => Self::Text(TextFunction::TrimBoth),
            875 | 881 => Self::Text(TextFunction::TrimLeft),
            876 | 882 => Self::Text(TextFunction::TrimRight),
            3060 => Self::Text(TextFunction::Left),
            3061 => Self::Text(TextFunction::Right),
            849 | 868 => Self::Text(TextFunction::Position),
            2087 => Self::Text(TextFunction::Replace),
            873 => Self::Text(TextFunction::PadLeft),
            874 => Self::Text(TextFunction::PadRight),
            1622 => Self::Text(TextFunction::Repeat),
            3062 => Self::Text(TextFunction::Reverse),
            2088 => Self::Text(TextFunction::SplitPart),
            3696 => Self::Text(TextFunction::StartsWith),
            1620 => Self::Text(TextFunction::Ascii),
            1621 => Self::Text(TextFunction::Chr),
            878 => Self::Text(TextFunction::Translate),
            2971 => Self::ToText,
            1342 => Self::Float(FloatFunction::Round),
            1343 => Self::Float(FloatFunction::Trunc),
            2308 | 2320 => Self::Float(FloatFunction::Ceil),
            2309 => Self::Float(FloatFunction::Floor),
            2310 => Self::Float(FloatFunction::Sign),
            230 | 1344 => Self::Float(FloatFunction::Sqrt),
            1711 | 2167 => Self::NumericCeil,
            1712 => Self::NumericFloor,
            1706 => Self::NumericSign,
            1728 | 1729 => Self::Arith(Mod, Numeric),
            1973 => Self::NumericDiv,
            940 => Self::Arith(Mod, Int2),
            941 => Self::Arith(Mod, Int4),
            947 => Self::Arith(Mod, Int8),
            1892 => Self::Bits(BitOp::And, Int2),
            1898 => Self::Bits(BitOp::And, Int4),
            1904 => Self::Bits(BitOp::And, Int8),
            1893 => Self::Bits(BitOp::Or, Int2),
            1899 => Self::Bits(BitOp::Or, Int4),
            1905 => Self::Bits(BitOp::Or, Int8),
            1894 => Self::Bits(BitOp::Xor, Int2),
            1900 => Self::Bits(BitOp::Xor, Int4),
            1906 => Self::Bits(BitOp::Xor, Int8),
            1895 => Self::BitNot(Int2),
            1901 => Self::BitNot(Int4),
            1907 => Self::BitNot(Int8),
            1896 => Self::ShiftLeft(Int2),
            1902 => Self::ShiftLeft(Int4),
            1908 => Self::ShiftLeft(Int8),
            1897 => Self::ShiftRight(Int2),
            1903 => Self::ShiftRight(Int4),
            1909 => Self::ShiftRight(Int8),
            2558 => Self::BoolToInt,
            2557 => Self::IntToBool,
            236 => Self::Cast(Int2, Float4),
            318 => Self::Cast(Int4, Float4),
            652 => Self::Cast(Int8, Float4),
            238 => Self::Cast(Float4, Int2),
            319 => Self::Cast(Float4, Int4),
            653 => Self::Cast(Float4, Int8),
            237 => Self::Cast(Float8, Int2),
            317 => Self::Cast(Float8, Int4),
            483 => Self::Cast(Float8, Int8),
            312 => Self::Cast(Float8, Float4),
            1783 => Self::Cast(Numeric, Int2),
            1744 => Self::Cast(Numeric, Int4),
            1779 => Self::Cast(Numeric, Int8),
            1745 => Self::Cast(Numeric, Float4),
            1746 => Self::Cast(Numeric, Float8),
            1742 => Self::Cast(Float4, Numeric),
            1743 => Self::Cast(Float8, Numeric),
            2032 => Self::TimestampAddInterval,
            2033 => Self::TimestampSubInterval,
            2071 => Self::DateAddInterval,
            2072 => Self::DateSubInterval,
            2031 => Self::TimestampDiff,
            3846 => Self::MakeDate,
            _ => return None,
        })
    }

    /// Unary plus: the value itself.
    pub fn is_identity(oid: Oid) -> bool {
        matches!(oid, 1910..=1915)
    }

    /// `round(numeric, int4)` or `trunc(numeric, int4)` with constant digits.
    pub fn rounding_from_oid(oid: Oid, digits: i32) -> Option<Self> {
        // `NUMERIC_MAX_RESULT_SCALE` and its negative bound what has a meaning.
        let digits = digits.clamp(-2000, 2000) as i16;
        match oid {
            1707 => Some(Self::NumericRound { digits, trunc: false }),
            1709 => Some(Self::NumericRound { digits, trunc: true }),
            _ => None,
        }
    }

    /// `varchar(varchar, int4, bool)` or `bpchar(bpchar, int4, bool)` with constant length and kind of cast.
    pub fn length_from_oid(oid: Oid, typmod: i32, explicit: bool) -> Option<Self> {
        let length = u32::try_from(typmod - 4).ok().filter(|&length| length > 0)?;
        match oid {
            668 => Some(Self::Bpchar { length, explicit }),
            669 => Some(Self::Varchar { length, explicit }),
            _ => None,
        }
    }

    /// `extract(field from x)`, `date_part(field, timestamp)` or `date_trunc(field, timestamp)` of a built-in and a field; None for
    /// another function or field.
    pub fn extract_from_oid(oid: Oid, field: &str) -> Option<Self> {
        let field = DateField::from_name(field)?;
        match (oid, field) {
            (6199, field) if !field.is_time() => Some(Self::ExtractDate(field)),
            (6202 | 2021 | 2020, DateField::Julian) => None,
            (6202, field) => Some(Self::ExtractTimestamp(field)),
            (2021, field) => Some(Self::DatePart(field)),
            (2020, DateField::DayOfWeek | DateField::DayOfYear | DateField::IsoDayOfWeek | DateField::Epoch) => None,
            (2020, DateField::IsoYear) => None,
            (2020, field) => Some(Self::DateTrunc(field)),
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
    /// `bit_and`, `bit_or`, `bit_xor` of integers.
    Bits(BitOp, NumberType),
    /// The variance family: of integers and numeric numeric, of floats float8.
    Spread(Spread, NumberType),
    /// `string_agg(text, text)`: value, delimiter.
    StringAgg,
    /// `array_agg` of a type that is no array.
    ArrayAgg,
}

/// What [`Aggregate::Spread`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spread {
    /// Of a sample (divided by N - 1), not of the population.
    pub sample: bool,
    /// The standard deviation, not the variance.
    pub root: bool,
}

/// `& | #`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BitOp {
    And,
    Or,
    Xor,
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
            2236 => Self::Bits(BitOp::And, Int2),
            2238 => Self::Bits(BitOp::And, Int4),
            2240 => Self::Bits(BitOp::And, Int8),
            2237 => Self::Bits(BitOp::Or, Int2),
            2239 => Self::Bits(BitOp::Or, Int4),
            2241 => Self::Bits(BitOp::Or, Int8),
            6164 => Self::Bits(BitOp::Xor, Int2),
            6165 => Self::Bits(BitOp::Xor, Int4),
            6166 => Self::Bits(BitOp::Xor, Int8),
            2718..=2723 => Self::spread(oid - 2718, false, false),
            2641..=2646 => Self::spread(oid - 2641, true, false),
            2148..=2153 => Self::spread(oid - 2148, true, false),
            2724..=2729 => Self::spread(oid - 2724, false, true),
            2712..=2717 => Self::spread(oid - 2712, true, true),
            2154..=2159 => Self::spread(oid - 2154, true, true),
            3538 => Self::StringAgg,
            2335 => Self::ArrayAgg,
            _ => return None,
        })
    }

    /// The variance family has an aggregate per number type, in this order.
    fn spread(position: Oid, sample: bool, root: bool) -> Self {
        let number = match position {
            0 => Int8,
            1 => Int4,
            2 => Int2,
            3 => Float4,
            4 => Float8,
            _ => Numeric,
        };
        Self::Spread(Spread { sample, root }, number)
    }

    /// Whether the result depends on the order of the values, so that ORDER BY inside the call has a meaning. Sums of floats
    /// round at every step.
    pub fn is_ordered(self) -> bool {
        match self {
            Self::StringAgg | Self::ArrayAgg => true,
            Self::Sum(number) | Self::Avg(number) | Self::Spread(_, number) => matches!(number, Float4 | Float8),
            _ => false,
        }
    }
}
