//! Dates and timestamps: PostgreSQL's date.c and timestamp.c, on days and microseconds since 1970-01-01.
//!
//! Invariants: ±infinity are the ends of the integers and stay what they are; a finite result is inside PostgreSQL's range.

use super::failure::Failure;
use super::kernel::{Argument, Operand, binary, unary, unary_opt};
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, Date32Builder, TimestampMicrosecondBuilder};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;
use fusion_common::types::PG_EPOCH_DAYS;
use fusion_proto::plan::DateField;
use std::sync::Arc;

/// Microseconds of a day.
pub const DAY_MICROS: i64 = 86_400_000_000;
/// Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i32 = 2_451_545 - PG_EPOCH_DAYS;
/// `DATE_END_JULIAN` as days: the first day that is no date.
const DATE_END: i32 = 2_147_483_494 - EPOCH_JULIAN_DAY;
/// `TIMESTAMP_END_JULIAN` as days: the first day that is no timestamp.
const TIMESTAMP_END: i32 = 109_203_528 - EPOCH_JULIAN_DAY;

fn infinite(date: i32) -> bool {
    date == i32::MAX || date == i32::MIN
}

/// `date + days`.
fn add_days(date: i32, days: i32) -> Result<i32, Failure> {
    if infinite(date) {
        return Ok(date);
    }
    let sum = date.checked_add(days).filter(|sum| (-EPOCH_JULIAN_DAY..DATE_END).contains(sum));
    sum.ok_or(Failure::DateRange)
}

fn subtract_days(date: i32, days: i32) -> Result<i32, Failure> {
    match days.checked_neg() {
        Some(days) => add_days(date, days),
        None if infinite(date) => Ok(date),
        None => Err(Failure::DateRange),
    }
}

/// `date::timestamp`.
pub fn date_to_timestamp(date: i32) -> Result<i64, Failure> {
    match date {
        i32::MAX => Ok(i64::MAX),
        i32::MIN => Ok(i64::MIN),
        TIMESTAMP_END.. => Err(Failure::DateForTimestamp),
        _ => i64::from(date).checked_mul(DAY_MICROS).ok_or(Failure::TimestampEpoch),
    }
}

/// `timestamp::date`.
pub fn timestamp_to_date(timestamp: i64) -> i32 {
    match timestamp {
        i64::MAX => i32::MAX,
        i64::MIN => i32::MIN,
        // Days of 64-bit microseconds fit.
        _ => timestamp.div_euclid(DAY_MICROS) as i32,
    }
}

/// `date + int4`, or `date - int4` where `minus`.
pub fn shift(minus: bool, date: &Argument, days: &Argument) -> Result<ArrayRef> {
    let (date, days) = (date.primitive::<Date32Type>()?, days.primitive::<Int32Type>()?);
    let kernel = if minus { subtract_days } else { add_days };
    binary::<Date32Type, Int32Type, Date32Type>(date, days, &DataType::Date32, kernel)
}

/// `date - date`.
pub fn difference(left: &Argument, right: &Argument) -> Result<ArrayRef> {
    let (left, right) = (left.primitive::<Date32Type>()?, right.primitive::<Date32Type>()?);
    binary::<Date32Type, Date32Type, Int32Type>(left, right, &DataType::Int32, |left, right| {
        if infinite(left) || infinite(right) { Err(Failure::InfiniteDates) } else { Ok(left.wrapping_sub(right)) }
    })
}

/// `date::timestamp`.
pub fn to_timestamp(date: &Argument) -> Result<ArrayRef> {
    let out = DataType::Timestamp(TimeUnit::Microsecond, None);
    unary::<Date32Type, TimestampMicrosecondType>(date.primitive()?, &out, date_to_timestamp)
}

/// `timestamp::date`.
pub fn to_date(timestamp: &Argument) -> Result<ArrayRef> {
    let timestamp = timestamp.primitive::<TimestampMicrosecondType>()?;
    unary::<TimestampMicrosecondType, Date32Type>(timestamp, &DataType::Date32, |value| Ok(timestamp_to_date(value)))
}

/// Year (astronomical), month and day of a day since 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i32) -> (i64, i64, i64) {
    // Years begin in March, so that the leap day is the last of its year; eras of 400 years are all alike.
    let shifted = i64::from(days) + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01 of the first of January of an astronomical year.
fn january_first(year: i64) -> i64 {
    let before = year - 1;
    365 * before + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

/// The day since 1970-01-01 of an astronomical year, a month and a day of it, which may be any number.
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, as in `civil`.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The day of a date of the years 1 to 9999, if there is such a date.
pub fn days_from_civil(year: i32, month: i32, day: i32) -> Option<i32> {
    let possible = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let days = day_of(year.into(), month.into(), day.into()) as i32;
    (possible && civil(days) == (year.into(), month.into(), day.into())).then_some(days)
}

/// `make_date(year, month, day)`.
pub fn make_date(arguments: &[Argument], rows: usize) -> Result<ArrayRef> {
    let operands = arguments.iter().map(|a| a.primitive::<Int32Type>()).collect::<Result<Vec<_>>>()?;
    let mut out = Date32Builder::with_capacity(rows);
    for row in 0..rows {
        if arguments.iter().any(|argument| argument.nulls().is_some_and(|nulls| nulls.is_null(row))) {
            out.append_null();
            continue;
        }
        let at = |index: usize| match operands.get(index) {
            Some(Operand::Column(array)) => array.value(row),
            Some(Operand::Constant(value)) => *value,
            None => 0,
        };
        out.append_value(days_from_civil(at(0), at(1), at(2)).ok_or(Failure::DateField)?);
    }
    Ok(Arc::new(out.finish()))
}

/// Monday is 1, Sunday 7.
fn iso_day_of_week(days: i32) -> i64 {
    // 1970-01-01 was a Thursday.
    (i64::from(days) + 3).rem_euclid(7) + 1
}

/// The Thursday that decides to which year the day's week belongs.
fn iso_thursday(days: i32) -> i32 {
    (i64::from(days) - iso_day_of_week(days) + 4) as i32
}

fn day_of_year(days: i32) -> i64 {
    i64::from(days) - january_first(civil(days).0) + 1
}

/// There is no year 0 but 1 BC.
fn shown_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

/// The century (of 100 years) or millennium that an astronomical year lies in.
fn era(year: i64, years: i64) -> i64 {
    if year > 0 { (year + years - 1) / years } else { -((years - 1 - (year - 1)) / years) }
}

/// A field of a finite day.
fn field_of_day(field: DateField, days: i32) -> i64 {
    match field {
        DateField::Year => shown_year(civil(days).0),
        DateField::Quarter => (civil(days).1 - 1) / 3 + 1,
        DateField::Month => civil(days).1,
        DateField::Day => civil(days).2,
        DateField::DayOfWeek => iso_day_of_week(days) % 7,
        DateField::DayOfYear => day_of_year(days),
        DateField::Millennium => era(civil(days).0, 1000),
        DateField::Century => era(civil(days).0, 100),
        DateField::Decade => match civil(days).0 {
            year @ 0.. => year / 10,
            year => -((8 - (year - 1)) / 10),
        },
        DateField::IsoYear => shown_year(civil(iso_thursday(days)).0),
        DateField::Week => (day_of_year(iso_thursday(days)) - 1) / 7 + 1,
        DateField::IsoDayOfWeek => iso_day_of_week(days),
        DateField::Epoch => i64::from(days) * 86_400,
        DateField::Julian => i64::from(days) + i64::from(EPOCH_JULIAN_DAY),
        // The translation does not ask a date for these.
        DateField::Hour | DateField::Minute | DateField::Second | DateField::Millisecond | DateField::Microsecond => 0,
    }
}

/// A field of a finite timestamp, in units of its display scale ([`DateField::digits`]).
fn field_of_timestamp(field: DateField, timestamp: i64) -> i64 {
    let time = timestamp.rem_euclid(DAY_MICROS);
    match field {
        DateField::Hour => time / 3_600_000_000,
        DateField::Minute => time / 60_000_000 % 60,
        DateField::Second | DateField::Millisecond | DateField::Microsecond => time % 60_000_000,
        DateField::Epoch => timestamp,
        _ => field_of_day(field, timestamp_to_date(timestamp)),
    }
}

/// Whether a field goes on with time, so that it is infinite for an infinity; the others go round in circles and are NULL.
fn is_monotonous(field: DateField) -> bool {
    use DateField::{Century, Decade, Epoch, IsoYear, Julian, Millennium, Year};
    matches!(field, Year | Decade | Century | Millennium | Julian | IsoYear | Epoch)
}

/// Of an infinity: a fixed numeric does not hold it.
fn field_of_infinity(field: DateField) -> Result<Option<i64>, Failure> {
    if is_monotonous(field) { Err(Failure::NumericSpecial) } else { Ok(None) }
}

/// `extract(field from date)`.
pub fn extract_date(field: DateField, date: &Argument, out: &DataType) -> Result<ArrayRef> {
    unary_opt::<Date32Type, Decimal64Type>(date.primitive()?, out, |days| {
        if infinite(days) { field_of_infinity(field) } else { Ok(Some(field_of_day(field, days))) }
    })
}

/// `extract(field from timestamp)`.
pub fn extract_timestamp(field: DateField, timestamp: &Argument, out: &DataType) -> Result<ArrayRef> {
    unary_opt::<TimestampMicrosecondType, Decimal64Type>(timestamp.primitive()?, out, |value| match value {
        i64::MAX | i64::MIN => field_of_infinity(field),
        _ => match field_of_timestamp(field, value) {
            value if value.unsigned_abs() < 10u64.pow(18) => Ok(Some(value)),
            _ => Err(Failure::NumericDigits),
        },
    })
}

/// `date_part(field, timestamp)`: a float, computed as timestamp_part_common does.
pub fn date_part(field: DateField, timestamp: &Argument) -> Result<ArrayRef> {
    unary_opt::<TimestampMicrosecondType, Float64Type>(timestamp.primitive()?, &DataType::Float64, |value| {
        if value == i64::MAX || value == i64::MIN {
            let infinity = if value > 0 { f64::INFINITY } else { f64::NEG_INFINITY };
            return Ok(is_monotonous(field).then_some(infinity));
        }
        let whole = field_of_timestamp(field, value);
        let (seconds, micros) = ((whole / 1_000_000) as f64, (whole % 1_000_000) as f64);
        Ok(Some(match field {
            DateField::Second => seconds + micros / 1_000_000.0,
            DateField::Millisecond => seconds * 1000.0 + micros / 1000.0,
            DateField::Microsecond => seconds * 1_000_000.0 + micros,
            DateField::Epoch => whole as f64 / 1_000_000.0,
            _ => whole as f64,
        }))
    })
}

/// The start of the `field` that a timestamp lies in.
fn truncate(field: DateField, timestamp: i64) -> Result<i64, Failure> {
    let unit = match field {
        DateField::Microsecond => 1,
        DateField::Millisecond => 1_000,
        DateField::Second => 1_000_000,
        DateField::Minute => 60_000_000,
        DateField::Hour => 3_600_000_000,
        DateField::Day => DAY_MICROS,
        _ => 0,
    };
    if timestamp == i64::MAX || timestamp == i64::MIN {
        return Ok(timestamp);
    }
    if unit > 0 {
        return Ok(timestamp - timestamp.rem_euclid(unit));
    }
    let days = timestamp_to_date(timestamp);
    let (year, month, _) = civil(days);
    let start = match field {
        DateField::Week => i64::from(days) - iso_day_of_week(days) + 1,
        DateField::Month => day_of(year, month, 1),
        DateField::Quarter => day_of(year, (month - 1) / 3 * 3 + 1, 1),
        DateField::Year => day_of(year, 1, 1),
        DateField::Decade if year > 0 => day_of(year / 10 * 10, 1, 1),
        DateField::Decade => day_of(-((8 - (year - 1)) / 10) * 10, 1, 1),
        DateField::Century => day_of(first_year(year, 100), 1, 1),
        _ => day_of(first_year(year, 1000), 1, 1),
    };
    in_range(start.checked_mul(DAY_MICROS))
}

/// The first astronomical year of the century or millennium that a year lies in.
fn first_year(year: i64, years: i64) -> i64 {
    if year > 0 { era(year, years) * years - (years - 1) } else { era(year, years) * years + 1 }
}

/// `date_trunc(field, timestamp)`.
pub fn date_trunc(field: DateField, timestamp: &Argument) -> Result<ArrayRef> {
    let out = DataType::Timestamp(TimeUnit::Microsecond, None);
    let timestamp = timestamp.primitive::<TimestampMicrosecondType>()?;
    unary::<TimestampMicrosecondType, TimestampMicrosecondType>(timestamp, &out, |value| truncate(field, value))
}

/// `MIN_TIMESTAMP`, on our epoch. The last one is beyond what our epoch holds.
const FIRST_TIMESTAMP: i64 = -(EPOCH_JULIAN_DAY as i64) * DAY_MICROS;

/// A finite timestamp that PostgreSQL has.
fn in_range(timestamp: Option<i64>) -> Result<i64, Failure> {
    timestamp.filter(|timestamp| (FIRST_TIMESTAMP..i64::MAX).contains(timestamp)).ok_or(Failure::TimestampRange)
}

/// An `Interval` of timestamp.h.
#[derive(Clone, Copy)]
struct Interval {
    micros: i64,
    days: i32,
    months: i32,
}

impl Interval {
    /// Of the datum's bytes; infinities, which 17 and later have, are an error.
    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let (Some((micros, rest)), 16) = (bytes.split_first_chunk(), bytes.len()) else {
            return Err(Failure::InfiniteInterval);
        };
        let Some((days, months)) = rest.split_first_chunk() else { return Err(Failure::InfiniteInterval) };
        let months: [u8; 4] = months.try_into().map_err(|_| Failure::InfiniteInterval)?;
        let interval = Self {
            micros: i64::from_le_bytes(*micros),
            days: i32::from_le_bytes(*days),
            months: i32::from_le_bytes(months),
        };
        match interval {
            Self { micros: i64::MAX | i64::MIN, .. } => Err(Failure::InfiniteInterval),
            Self { days: i32::MIN, .. } | Self { months: i32::MIN, .. } => Err(Failure::InfiniteInterval),
            interval => Ok(interval),
        }
    }

    fn negated(self) -> Self {
        Self { micros: -self.micros, days: -self.days, months: -self.months }
    }

    /// `timestamp + self`.
    fn add_to(self, timestamp: i64) -> Result<i64, Failure> {
        add_interval(timestamp, self.months.into(), self.days.into(), self.micros)
    }
}

/// `timestamp + interval`: months first, a day that the month lacks becomes its last; then days, then time. What is beyond PostgreSQL's
/// range on the way, or beyond what the engine's epoch holds, is an error.
pub fn add_interval(timestamp: i64, months: i64, days: i64, micros: i64) -> Result<i64, Failure> {
    if timestamp == i64::MAX || timestamp == i64::MIN {
        return Ok(timestamp);
    }
    let (mut day, time) = (i64::from(timestamp_to_date(timestamp)), timestamp.rem_euclid(DAY_MICROS));
    let at = |day: i64| in_range(day.checked_mul(DAY_MICROS).and_then(|day| day.checked_add(time)));
    if months != 0 {
        let (year, month, of_month) = civil(day as i32);
        let total = year * 12 + month - 1 + months;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        let length = day_of(if month == 12 { year + 1 } else { year }, month % 12 + 1, 1) - day_of(year, month, 1);
        day = day_of(year, month, of_month.min(length));
        at(day)?;
    }
    in_range(at(day + days)?.checked_add(micros))
}

/// `from + interval`, or minus it; `from` is a timestamp or a date.
pub fn add_intervals(minus: bool, from: &Argument, interval: &Argument) -> Result<ArrayRef> {
    let timestamps;
    let from = if *from.array.data_type() == DataType::Date32 {
        timestamps = Argument { array: to_timestamp(from)?, constant: from.constant };
        &timestamps
    } else {
        from
    };
    let starts = from.primitive::<TimestampMicrosecondType>()?;
    let intervals = interval.array.as_binary_view();
    let rows = if from.constant { intervals.len() } else { from.array.len() };
    let fixed = if interval.constant { Some(Interval::read(intervals.value(0))?) } else { None };
    let mut out = TimestampMicrosecondBuilder::with_capacity(rows);
    for row in 0..rows {
        let null = |argument: &Argument| argument.nulls().is_some_and(|nulls| nulls.is_null(row));
        if null(from) || null(interval) {
            out.append_null();
            continue;
        }
        let step = fixed.map_or_else(|| Interval::read(intervals.value(row)), Ok)?;
        let start = match starts {
            Operand::Column(array) => array.value(row),
            Operand::Constant(value) => value,
        };
        out.append_value(if minus { step.negated() } else { step }.add_to(start)?);
    }
    Ok(Arc::new(out.finish()))
}

/// `timestamp - timestamp`: days and time of the interval.
pub fn timestamp_difference(left: &Argument, right: &Argument) -> Result<ArrayRef> {
    let (l, r) = (left.primitive::<TimestampMicrosecondType>()?, right.primitive::<TimestampMicrosecondType>()?);
    let micros =
        binary::<TimestampMicrosecondType, TimestampMicrosecondType, Int64Type>(l, r, &DataType::Int64, |l, r| {
            let finite = |value: i64| value != i64::MAX && value != i64::MIN;
            if finite(l) && finite(r) {
                l.checked_sub(r).ok_or(Failure::InfiniteInterval)
            } else {
                Err(Failure::InfiniteInterval)
            }
        })?;
    let mut out = BinaryViewBuilder::with_capacity(micros.len());
    for micros in micros.as_primitive::<Int64Type>() {
        out.append_option(micros.map(|micros| {
            let (days, time) = ((micros / DAY_MICROS) as i32, micros % DAY_MICROS);
            [&time.to_le_bytes()[..], &days.to_le_bytes()[..], &0i32.to_le_bytes()[..]].concat()
        }));
    }
    Ok(Arc::new(out.finish()))
}
