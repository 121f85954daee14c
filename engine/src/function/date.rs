//! Dates and timestamps: PostgreSQL's date.c and timestamp.c, on days and microseconds since 1970-01-01.
//!
//! Invariants: ±infinity are the ends of the integers and stay what they are; a finite result is inside PostgreSQL's range.

use super::failure::Failure;
use super::kernel::{Argument, binary, unary, unary_opt};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, Decimal64Type, Int32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;
use fusion_common::types::PG_EPOCH_DAYS;
use fusion_proto::plan::DateField;

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

/// The day of an astronomical year, month (from 1) and day, as days since 1970-01-01.
fn day_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    day_of_civil(next_year, next_month, 1) - day_of_civil(year, month, 1)
}

/// `timestamp + interval`: months, cut at the end of the month, then days, then microseconds. A result outside PostgreSQL's range is not
/// told apart from one that the engine does not hold.
pub fn add_interval(timestamp: i64, months: i64, days: i64, micros: i64) -> Result<i64, Failure> {
    if timestamp == i64::MAX || timestamp == i64::MIN {
        return Ok(timestamp);
    }
    let (mut day, time) = (timestamp.div_euclid(DAY_MICROS), timestamp.rem_euclid(DAY_MICROS));
    if months != 0 {
        let (year, month, of_month) = civil(i32::try_from(day).map_err(|_| Failure::TimestampEpoch)?);
        let month = year * 12 + month - 1 + months;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        day = day_of_civil(year, month, of_month.min(days_of_month(year, month)));
    }
    let sum = (day + days).checked_mul(DAY_MICROS).and_then(|day| day.checked_add(time)?.checked_add(micros));
    let year = |day: i64| i32::try_from(day).map(|day| civil(day).0);
    match sum {
        // 4714-11-24 BC to 294276 AD.
        Some(sum) if year(sum.div_euclid(DAY_MICROS)).is_ok_and(|year| (-4712..=294_276).contains(&year)) => Ok(sum),
        _ => Err(Failure::TimestampEpoch),
    }
}

/// Days since 1970-01-01 of the first of January of an astronomical year.
fn january_first(year: i64) -> i64 {
    let before = year - 1;
    365 * before + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

/// A field of a finite day.
fn field_of_day(field: DateField, days: i32) -> i64 {
    match field {
        DateField::Year => match civil(days).0 {
            year @ 1.. => year,
            // There is no year 0 but 1 BC.
            year => year - 1,
        },
        DateField::Quarter => (civil(days).1 - 1) / 3 + 1,
        DateField::Month => civil(days).1,
        DateField::Day => civil(days).2,
        // 1970-01-01 was a Thursday; Sunday is 0.
        DateField::DayOfWeek => (i64::from(days) + 4).rem_euclid(7),
        DateField::DayOfYear => i64::from(days) - january_first(civil(days).0) + 1,
    }
}

/// Of an infinity: years are infinite, which a fixed numeric does not hold; what goes round in circles is NULL.
fn field_of_infinity(field: DateField) -> Result<Option<i64>, Failure> {
    if field == DateField::Year { Err(Failure::NumericSpecial) } else { Ok(None) }
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
        _ => Ok(Some(field_of_day(field, timestamp_to_date(value)))),
    })
}
