//! Every kernel against facts that a PostgreSQL server stated (`engine/tests/facts/make.sql`), each as constants and as columns.

use super::number::Number;
use super::*;
use crate::error::to_sql;
use crate::numeric::{NAN, NEG_INFINITY, POS_INFINITY, Payload};
use arrow::array::{AsArray, BinaryViewArray, Int32Array, StringViewArray, new_null_array};
use arrow::datatypes::{Date32Type, Decimal64Type, Decimal128Type, Field, Int32Type, TimestampMicrosecondType};
use datafusion::common::config::ConfigOptions;
use fusion_common::TypeRef;
use fusion_common::types::oid;
use fusion_proto::plan::{DateField, call_type};

macro_rules! facts {
    ($name:literal) => {
        include_str!(concat!("../../tests/facts/", $name, ".txt"))
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>())
    };
}

/// A result: the text of the value, NULL, or `!` and an SQLSTATE.
type Fact = String;

fn invoke(function: &StrictFunction, args: Vec<ColumnarValue>, rows: usize) -> Result<ColumnarValue> {
    let arg_fields = args.iter().map(|arg| Arc::new(Field::new("a", arg.data_type(), true))).collect();
    let return_field = Arc::new(Field::new("r", function.output.clone(), true));
    let config_options = Arc::new(ConfigOptions::default());
    function.invoke_with_args(ScalarFunctionArgs { args, arg_fields, number_rows: rows, return_field, config_options })
}

/// One row through the kernel in every way that arguments may come; all must agree.
fn one(kernel: Kernel, args: &[ScalarValue], out: ColumnType, show: impl Fn(&dyn Array) -> String) -> Fact {
    let function = StrictFunction::new(kernel, arrow_type(out));
    let told = |result: Result<ColumnarValue>| match result {
        Ok(ColumnarValue::Scalar(value)) if value.is_null() => "\\N".to_owned(),
        Ok(ColumnarValue::Scalar(value)) => show(&value.to_array().unwrap()),
        Ok(ColumnarValue::Array(array)) if array.is_null(0) => "\\N".to_owned(),
        Ok(ColumnarValue::Array(array)) => {
            assert_eq!(*array.data_type(), arrow_type(out));
            show(&array)
        }
        Err(error) => format!("!{}", to_sql(&error).sqlstate),
    };
    let mut facts = Vec::new();
    // Bit i: argument i is a column.
    for columns in 0..1 << args.len() {
        let column = |(index, value): (usize, &ScalarValue)| match columns >> index & 1 {
            1 => ColumnarValue::Array(value.to_array().unwrap()),
            _ => ColumnarValue::Scalar(value.clone()),
        };
        facts.push(told(invoke(&function, args.iter().enumerate().map(column).collect(), 1)));
        // The same with a NULL row beside each column's value: it must not matter.
        if columns != 0 {
            let column = |(index, value): (usize, &ScalarValue)| match columns >> index & 1 {
                1 => {
                    let (value, null) = (value.to_array().unwrap(), new_null_array(&value.data_type(), 1));
                    ColumnarValue::Array(arrow::compute::concat(&[&value, &null]).unwrap())
                }
                _ => ColumnarValue::Scalar(value.clone()),
            };
            let result = invoke(&function, args.iter().enumerate().map(column).collect(), 2);
            if let Ok(ColumnarValue::Array(array)) = &result {
                assert!(array.len() == 2 && array.is_null(1), "{kernel:?} is strict");
            }
            facts.push(told(result));
        }
    }
    assert!(facts.iter().all(|fact| *fact == facts[0]), "{kernel:?} of {args:?}: {facts:?}");
    facts.swap_remove(0)
}

fn number(text: &str) -> Option<Number> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    Some(Number { unscaled: format!("{whole}{fraction}").parse().ok()?, scale: fraction.len() as u16 })
}

fn decimal_text(unscaled: i128, scale: u16) -> String {
    let digits = format!("{:0>1$}", unscaled.unsigned_abs(), usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn show_numeric(array: &dyn Array) -> String {
    match array.data_type() {
        DataType::Decimal64(_, scale) => {
            decimal_text(array.as_primitive::<Decimal64Type>().value(0).into(), *scale as u16)
        }
        DataType::Decimal128(_, scale) => decimal_text(array.as_primitive::<Decimal128Type>().value(0), *scale as u16),
        _ => {
            let number = Number::decode(array.as_binary_view().value(0)).unwrap();
            decimal_text(number.unscaled, number.scale)
        }
    }
}

fn variable(number: Number) -> ScalarValue {
    ScalarValue::BinaryView(Some(Payload::new(number.unscaled, number.scale).as_bytes().to_vec()))
}

/// As a fixed numeric of just enough digits, with how it is held; None if 38 are not enough.
fn fixed(number: Number) -> Option<(ScalarValue, ColumnType)> {
    let digits = number.unscaled.unsigned_abs().checked_ilog10().map_or(1, |log| log as u8 + 1);
    let (precision, scale) = (digits.max(number.scale as u8), number.scale as u8);
    let value = match precision {
        0..=18 => ScalarValue::Decimal64(Some(number.unscaled as i64), precision, scale as i8),
        19..=38 => ScalarValue::Decimal128(Some(number.unscaled), precision, scale as i8),
        _ => return None,
    };
    Some((value, ColumnType::Numeric { precision, scale }))
}

fn op_of(text: &str) -> ArithOp {
    match text {
        "+" => ArithOp::Add,
        "-" => ArithOp::Sub,
        "*" => ArithOp::Mul,
        "/" => ArithOp::Div,
        _ => ArithOp::Mod,
    }
}

#[test]
fn numeric_arithmetic() {
    const NUMERIC: TypeRef = TypeRef::plain(oid::NUMERIC);
    let (mut held, mut all) = (0, 0);
    for fact in facts!("numeric_arith") {
        let [a, op, b, expected] = fact[..] else { panic!("{fact:?}") };
        let (Some(a), Some(b)) = (number(a), number(b)) else { continue };
        let function = Function::Arith(op_of(op), NumberType::Numeric);
        let check = |found: Fact| {
            // An error of the engine's own limits leads to the native plan; never other digits.
            assert!(
                found == expected
                    || (found == "!22003"
                        && number(expected).is_none_or(|n| n.unscaled.unsigned_abs() > 10u128.pow(37))),
                "{fact:?}: {found}"
            );
            found == expected
        };
        all += 1;
        let kernel = Kernel::Function(function, None);
        held += u32::from(check(one(kernel, &[variable(a), variable(b)], ColumnType::NumericVar, show_numeric)));
        if let (Some((a, a_type)), Some((b, b_type))) = (fixed(a), fixed(b)) {
            let out = call_type(function, &[a_type, b_type], NUMERIC).unwrap();
            check(one(kernel, &[a, b], out, show_numeric));
        }
    }
    assert!(held > all * 9 / 10, "only {held} of {all} were computed");
}

#[test]
fn averages() {
    for fact in facts!("numeric_avg") {
        let [values, sum, average] = fact[..] else { panic!("{fact:?}") };
        let values: Vec<Number> = values.split(',').filter_map(number).collect();
        let total = values.iter().copied().reduce(|a, b| a.checked_add(b).unwrap()).unwrap();
        assert_eq!(decimal_text(total.unscaled, total.scale), sum);
        let count = ScalarValue::Int64(Some(values.len() as i64));
        let found =
            one(Kernel::NumericAverage, &[variable(total), count.clone()], ColumnType::NumericVar, show_numeric);
        assert_eq!(found, average, "{fact:?}");
        let (total, _) = fixed(total).unwrap();
        assert_eq!(one(Kernel::NumericAverage, &[total, count], ColumnType::NumericVar, show_numeric), average);
    }
}

#[test]
fn numeric_typmods() {
    for fact in facts!("numeric_typmod") {
        let [value, precision, scale, expected] = fact[..] else { panic!("{fact:?}") };
        let value = number(value).unwrap();
        let out = ColumnType::Numeric { precision: precision.parse().unwrap(), scale: scale.parse().unwrap() };
        let kernel = Kernel::Function(Function::NumericTypmod, None);
        assert_eq!(one(kernel, &[variable(value)], out, show_numeric), expected, "{fact:?}");
        assert_eq!(one(kernel, &[fixed(value).unwrap().0], out, show_numeric), expected, "{fact:?}");
    }
}

#[test]
fn numeric_keys_have_the_order_of_numerics() {
    let key = |text: &str| {
        let payload = match text {
            "NaN" => NAN.to_vec(),
            "Infinity" => POS_INFINITY.to_vec(),
            "-Infinity" => NEG_INFINITY.to_vec(),
            text => {
                let number = number(text)?;
                Payload::new(number.unscaled, number.scale).as_bytes().to_vec()
            }
        };
        let mut key = Vec::new();
        number::append_key(&payload, &mut key).unwrap();
        Some(key)
    };
    let mut compared = 0;
    for fact in facts!("numeric_order") {
        let [a, b, expected] = fact[..] else { panic!("{fact:?}") };
        if let (Some(a), Some(b)) = (key(a), key(b)) {
            assert_eq!((a.cmp(&b) as i8).to_string(), expected, "{fact:?}");
            compared += 1;
        }
    }
    assert!(compared > 400);
}

fn text(value: &str) -> ScalarValue {
    ScalarValue::Utf8View(Some(value.to_owned()))
}

fn show_bool(array: &dyn Array) -> String {
    array.as_boolean().value(0).to_string()
}

#[test]
fn like_patterns() {
    for fact in facts!("like") {
        let [value, pattern, expected] = fact[..] else { panic!("{fact:?}") };
        let args = [text(value), text(pattern)];
        let found = one(Kernel::Function(Function::Like, None), &args, ColumnType::Bool, show_bool);
        assert_eq!(found, expected, "{fact:?}");
        let found = one(Kernel::Function(Function::NotLike, None), &args, ColumnType::Bool, show_bool);
        let negated = match expected {
            "true" => "false",
            "false" => "true",
            error => error,
        };
        assert_eq!(found, negated, "{fact:?}");
    }
}

#[test]
fn like_patterns_of_bpchar() {
    for fact in facts!("like_bpchar") {
        let [value, pattern, expected] = fact[..] else { panic!("{fact:?}") };
        let kernel = Kernel::Function(Function::Like, Some(6));
        assert_eq!(one(kernel, &[text(value), text(pattern)], ColumnType::Bool, show_bool), expected, "{fact:?}");
    }
}

#[test]
fn substrings() {
    let show = |array: &dyn Array| array.as_string_view().value(0).to_owned();
    let kernel = Kernel::Function(Function::Substring, None);
    for fact in facts!("substring") {
        let [value, first, length, expected, to_the_end] = fact[..] else { panic!("{fact:?}") };
        let integer = |text: &str| ScalarValue::Int32(Some(text.parse().unwrap()));
        let args = [text(value), integer(first), integer(length)];
        assert_eq!(one(kernel, &args, ColumnType::Text, show), expected, "{fact:?}");
        assert_eq!(one(kernel, &args[..2], ColumnType::Text, show), to_the_end, "{fact:?}");
    }
}

#[test]
fn lengths() {
    let show = |array: &dyn Array| array.as_primitive::<Int32Type>().value(0).to_string();
    for (value, characters, bytes) in [("", "0", "0"), ("abc", "3", "3"), ("äöü€x and more", "14", "19")] {
        let characters_found =
            one(Kernel::Function(Function::CharLength, None), &[text(value)], ColumnType::Int4, show);
        let bytes_found = one(Kernel::Function(Function::OctetLength, None), &[text(value)], ColumnType::Int4, show);
        assert_eq!((characters_found.as_str(), bytes_found.as_str()), (characters, bytes));
    }
}

#[test]
fn date_fields() {
    use DateField::{Day, DayOfWeek, DayOfYear, Month, Quarter, Year};
    for fact in facts!("dates") {
        let day: i32 = fact[0].parse().unwrap();
        let micros: i64 = fact[7].parse().unwrap();
        let out = ColumnType::Numeric { precision: 7, scale: 0 };
        for (index, field) in [Year, Quarter, Month, Day, DayOfWeek, DayOfYear].into_iter().enumerate() {
            let kernel = Kernel::Function(Function::ExtractDate(field), None);
            let found = one(kernel, &[ScalarValue::Date32(Some(day))], out, show_numeric);
            assert_eq!(found, fact[index + 1], "{field:?} of {fact:?}");
            let kernel = Kernel::Function(Function::ExtractTimestamp(field), None);
            for late in [0, 1, 86_399_999_999] {
                let timestamp = ScalarValue::TimestampMicrosecond(Some(micros + late), None);
                assert_eq!(one(kernel, &[timestamp], out, show_numeric), fact[index + 1], "{field:?} of {fact:?}");
            }
        }
        let show = |array: &dyn Array| array.as_primitive::<TimestampMicrosecondType>().value(0).to_string();
        let kernel = Kernel::Function(Function::DateToTimestamp, None);
        let found = one(kernel, &[ScalarValue::Date32(Some(day))], ColumnType::Timestamp, show);
        assert_eq!(found, fact[7], "{fact:?}");
        let kernel = Kernel::Function(Function::TimestampToDate, None);
        let timestamp = ScalarValue::TimestampMicrosecond(Some(micros + 86_399_999_999), None);
        assert_eq!(one(kernel, &[timestamp], ColumnType::Date, show_date), fact[0], "{fact:?}");
    }
}

fn show_date(array: &dyn Array) -> String {
    array.as_primitive::<Date32Type>().value(0).to_string()
}

#[test]
fn date_arithmetic() {
    for fact in facts!("date_arith") {
        let date = ScalarValue::Date32(Some(fact[0].parse().unwrap()));
        let days = ScalarValue::Int32(Some(fact[1].parse().unwrap()));
        for (function, expected) in [(Function::DateAddDays, fact[2]), (Function::DateSubDays, fact[3])] {
            let kernel = Kernel::Function(function, None);
            assert_eq!(one(kernel, &[date.clone(), days.clone()], ColumnType::Date, show_date), expected, "{fact:?}");
        }
        let show = |array: &dyn Array| array.as_primitive::<Int32Type>().value(0).to_string();
        let epoch = ScalarValue::Date32(Some(fusion_common::types::PG_EPOCH_DAYS));
        let kernel = Kernel::Function(Function::DateDiff, None);
        assert_eq!(one(kernel, &[date.clone(), epoch], ColumnType::Int4, show), fact[4], "{fact:?}");
        let out = ColumnType::Numeric { precision: 7, scale: 0 };
        let kernel = Kernel::Function(Function::ExtractDate(DateField::Month), None);
        assert_eq!(one(kernel, &[date], out, show_numeric), fact[5], "{fact:?}");
    }
}

#[test]
fn infinite_years_are_not_held() {
    let out = ColumnType::Numeric { precision: 7, scale: 0 };
    let kernel = Kernel::Function(Function::ExtractDate(DateField::Year), None);
    assert_eq!(one(kernel, &[ScalarValue::Date32(Some(i32::MAX))], out, show_numeric), "!22000");
}

#[test]
fn integer_arithmetic() {
    for fact in facts!("integers") {
        let [ty, a, op, b, expected] = fact[..] else { panic!("{fact:?}") };
        let value = |text: &str| match ty {
            "int2" => (ScalarValue::Int16(Some(text.parse().unwrap())), NumberType::Int2, ColumnType::Int2),
            "int4" => (ScalarValue::Int32(Some(text.parse().unwrap())), NumberType::Int4, ColumnType::Int4),
            _ => (ScalarValue::Int64(Some(text.parse().unwrap())), NumberType::Int8, ColumnType::Int8),
        };
        let (a, number_type, out) = value(a);
        let kernel = Kernel::Function(Function::Arith(op_of(op), number_type), None);
        let show = |array: &dyn Array| ScalarValue::try_from_array(array, 0).unwrap().to_string();
        assert_eq!(one(kernel, &[a, value(b).0], out, show), expected, "{fact:?}");
    }
}

#[test]
fn float_arithmetic() {
    for fact in facts!("floats") {
        let [ty, a, op, b, expected] = fact[..] else { panic!("{fact:?}") };
        let single = ty == "float4";
        let value = |text: &str| match single {
            true => ScalarValue::Float32(Some(text.parse().unwrap())),
            false => ScalarValue::Float64(Some(text.parse().unwrap())),
        };
        let (number_type, out) = match single {
            true => (NumberType::Float4, ColumnType::Float4),
            false => (NumberType::Float8, ColumnType::Float8),
        };
        // NaN has many bits and -0 is not 0: compared by what PostgreSQL prints.
        let show = |array: &dyn Array| match ScalarValue::try_from_array(array, 0).unwrap() {
            ScalarValue::Float32(Some(v)) => format!("{:?} {}", v.to_bits() * u32::from(!v.is_nan()), v.is_nan()),
            ScalarValue::Float64(Some(v)) => format!("{:?} {}", v.to_bits() * u64::from(!v.is_nan()), v.is_nan()),
            other => format!("{other}"),
        };
        let kernel = Kernel::Function(Function::Arith(op_of(op), number_type), None);
        let found = one(kernel, &[value(a), value(b)], out, show);
        let expected =
            if expected.starts_with('!') { expected.to_owned() } else { show(&value(expected).to_array().unwrap()) };
        assert_eq!(found, expected, "{fact:?}");
    }
}

#[test]
fn casts_and_signs() {
    let show = |array: &dyn Array| ScalarValue::try_from_array(array, 0).unwrap().to_string();
    let cast =
        |value: ScalarValue, from, to, out| one(Kernel::Function(Function::Cast(from, to), None), &[value], out, show);
    use NumberType::{Float4, Float8, Int2, Int4, Int8, Numeric};
    assert_eq!(cast(ScalarValue::Int64(Some(-32_768)), Int8, Int2, ColumnType::Int2), "-32768");
    assert_eq!(cast(ScalarValue::Int64(Some(32_768)), Int8, Int2, ColumnType::Int2), "!22003");
    assert_eq!(cast(ScalarValue::Int64(Some(1 << 31)), Int8, Int4, ColumnType::Int4), "!22003");
    assert_eq!(cast(ScalarValue::Int16(Some(-5)), Int2, Int8, ColumnType::Int8), "-5");
    assert_eq!(cast(ScalarValue::Float32(Some(0.1)), Float4, Float8, ColumnType::Float8), "0.10000000149011612");
    let out = ColumnType::Numeric { precision: 19, scale: 0 };
    let kernel = Kernel::Function(Function::Cast(Int8, Numeric), None);
    assert_eq!(one(kernel, &[ScalarValue::Int64(Some(i64::MIN))], out, show_numeric), "-9223372036854775808");
    for function in [Function::Neg(Int4), Function::Abs(Int4)] {
        let kernel = Kernel::Function(function, None);
        assert_eq!(one(kernel, &[ScalarValue::Int32(Some(i32::MIN))], ColumnType::Int4, show), "!22003");
    }
    let kernel = Kernel::Function(Function::Abs(Numeric), None);
    let (value, held) = fixed(number("-1.50").unwrap()).unwrap();
    assert_eq!(one(kernel, &[value], held, show_numeric), "1.50");
    assert_eq!(one(kernel, &[variable(number("-1.500").unwrap())], ColumnType::NumericVar, show_numeric), "1.500");
}

#[test]
fn a_failure_under_a_null_is_none() {
    let function =
        StrictFunction::new(Kernel::Function(Function::Arith(ArithOp::Div, NumberType::Int4), None), DataType::Int32);
    let nulls = arrow::buffer::NullBuffer::from(vec![true, false]);
    let divisor = Int32Array::new(vec![2, 0].into(), Some(nulls));
    let args = vec![ColumnarValue::Scalar(ScalarValue::Int32(Some(7))), ColumnarValue::Array(Arc::new(divisor))];
    let ColumnarValue::Array(result) = invoke(&function, args, 2).unwrap() else { panic!() };
    assert_eq!(result.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(3), None]);
}

#[test]
fn what_is_no_numeric_is_an_error() {
    let kernel = Kernel::Function(Function::Arith(ArithOp::Add, NumberType::Numeric), None);
    let one_row = |payload: &[u8]| {
        let bad = ScalarValue::BinaryView(Some(payload.to_vec()));
        one(kernel, &[bad.clone(), variable(number("1").unwrap())], ColumnType::NumericVar, show_numeric)
    };
    assert_eq!(one_row(&NAN), "!22000");
    assert_eq!(one_row(&POS_INFINITY), "!22000");
    assert_eq!(one_row(&[0]), "!XX001");
}

#[test]
fn views_longer_than_inline_ones() {
    let texts = StringViewArray::from(vec![Some("a text that is longer than twelve bytes"), None, Some("short")]);
    let function = StrictFunction::new(Kernel::Function(Function::Like, None), DataType::Boolean);
    let pattern = ColumnarValue::Scalar(text("%longer%twelve%"));
    let ColumnarValue::Array(result) =
        invoke(&function, vec![ColumnarValue::Array(Arc::new(texts)), pattern], 3).unwrap()
    else {
        panic!()
    };
    assert_eq!(result.as_boolean().iter().collect::<Vec<_>>(), [Some(true), None, Some(false)]);
    let payloads = BinaryViewArray::from_iter_values([Payload::new(10i128.pow(37), 30).as_bytes()]);
    assert!(payloads.value(0).len() > 12 || !payloads.is_empty());
}

/// A text that stands between bars.
fn barred(text: &str) -> &str {
    text.strip_prefix('|').and_then(|text| text.strip_suffix('|')).unwrap_or(text)
}

fn show_barred(array: &dyn Array) -> String {
    format!("|{}|", array.as_string_view().value(0))
}

fn show_any(array: &dyn Array) -> String {
    match array.data_type() {
        DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::BinaryView => show_numeric(array),
        _ => ScalarValue::try_from_array(array, 0).unwrap().to_string(),
    }
}

/// Whether the engine told what PostgreSQL tells, or gave up on digits that it does not hold.
fn is_told(found: &str, expected: &str) -> bool {
    let digits = expected.bytes().filter(u8::is_ascii_digit).count();
    found == expected || (matches!(found, "!22003" | "!22000") && digits > 30)
}

#[test]
fn numeric_roundings() {
    const NUMERIC: TypeRef = TypeRef::plain(oid::NUMERIC);
    for fact in facts!("numeric_functions") {
        let [a, function, digits, expected] = fact[..] else { panic!("{fact:?}") };
        let value = number(a).unwrap();
        let digits: i16 = digits.parse().unwrap();
        let function = match function {
            "round" => Function::NumericRound { digits, trunc: false },
            "trunc" => Function::NumericRound { digits, trunc: true },
            "ceil" => Function::NumericCeil,
            "floor" => Function::NumericFloor,
            _ => Function::NumericSign,
        };
        let kernel = Kernel::Function(function, None);
        let out = call_type(function, &[ColumnType::NumericVar], NUMERIC).unwrap();
        assert!(is_told(&one(kernel, &[variable(value)], out, show_numeric), expected), "{fact:?}");
        let (value, held) = fixed(value).unwrap();
        let out = call_type(function, &[held], NUMERIC).unwrap();
        assert!(is_told(&one(kernel, &[value], out, show_numeric), expected), "{fact:?}");
    }
}

#[test]
fn numeric_remainders() {
    const NUMERIC: TypeRef = TypeRef::plain(oid::NUMERIC);
    for fact in facts!("numeric_mod") {
        let [a, b, rest, quotient] = fact[..] else { panic!("{fact:?}") };
        let (a, b) = (number(a).unwrap(), number(b).unwrap());
        let arith = Function::Arith(ArithOp::Mod, NumberType::Numeric);
        for (function, expected) in [(arith, rest), (Function::NumericDiv, quotient)] {
            let kernel = Kernel::Function(function, None);
            let out = call_type(function, &[ColumnType::NumericVar; 2], NUMERIC).unwrap();
            assert!(is_told(&one(kernel, &[variable(a), variable(b)], out, show_numeric), expected), "{fact:?}");
            let ((a, a_type), (b, b_type)) = (fixed(a).unwrap(), fixed(b).unwrap());
            let out = call_type(function, &[a_type, b_type], NUMERIC).unwrap();
            assert!(is_told(&one(kernel, &[a, b], out, show_numeric), expected), "{fact:?}");
        }
    }
}

/// A float as PostgreSQL reads what it prints.
fn show_float(array: &dyn Array) -> String {
    match ScalarValue::try_from_array(array, 0).unwrap() {
        ScalarValue::Float32(Some(v)) => float_text(v.into(), v == 0.0 && v.is_sign_negative()),
        ScalarValue::Float64(Some(v)) => float_text(v, v == 0.0 && v.is_sign_negative()),
        other => other.to_string(),
    }
}

fn float_text(value: f64, negative_zero: bool) -> String {
    if value.is_nan() { "NaN".into() } else { format!("{:x} {negative_zero}", value.to_bits()) }
}

#[test]
fn casts_between_numbers() {
    let mut told = 0;
    for fact in facts!("number_casts") {
        let [from, a, to, expected] = fact[..] else { panic!("{fact:?}") };
        let type_of = |name: &str| match name {
            "int2" => (NumberType::Int2, ColumnType::Int2),
            "int4" => (NumberType::Int4, ColumnType::Int4),
            "int8" => (NumberType::Int8, ColumnType::Int8),
            "float4" => (NumberType::Float4, ColumnType::Float4),
            "float8" => (NumberType::Float8, ColumnType::Float8),
            _ => (NumberType::Numeric, ColumnType::NumericVar),
        };
        let value = match from {
            "numeric" => variable(number(a).unwrap()),
            "float8" => ScalarValue::Float64(Some(a.parse().unwrap())),
            "float4" => ScalarValue::Float32(Some(a.parse().unwrap())),
            _ => ScalarValue::Int64(Some(a.parse().unwrap())),
        };
        let (from_type, (to_type, mut out)) = (type_of(from).0, type_of(to));
        let mut function = Function::Cast(from_type, to_type);
        if to == "text" {
            (function, out) = (Function::ToText, ColumnType::Text);
        } else if from == "int8" && to == "numeric" {
            out = ColumnType::Numeric { precision: 19, scale: 0 };
        }
        let show = |array: &dyn Array| match array.data_type() {
            DataType::BinaryView => match array.as_binary_view().value(0) {
                payload if payload == NAN => "NaN".to_owned(),
                payload if payload == POS_INFINITY => "Infinity".to_owned(),
                payload if payload == NEG_INFINITY => "-Infinity".to_owned(),
                _ => show_numeric(array),
            },
            DataType::Float32 | DataType::Float64 => show_float(array),
            _ => show_any(array),
        };
        let kernel = Kernel::Function(function, None);
        let expected = match out {
            _ if expected.starts_with('!') => expected.to_owned(),
            ColumnType::Float4 => {
                show_float(&ScalarValue::Float32(Some(expected.parse().unwrap())).to_array().unwrap())
            }
            ColumnType::Float8 => {
                show_float(&ScalarValue::Float64(Some(expected.parse().unwrap())).to_array().unwrap())
            }
            _ => expected.to_owned(),
        };
        let found = one(kernel, std::slice::from_ref(&value), out, show);
        assert!(is_told(&found, &expected), "{fact:?}: {found} is not {expected}");
        told += u32::from(found == expected);
        if let ("numeric", Some((value, _))) = (from, number(a).and_then(fixed)) {
            let found = one(kernel, &[value], out, show);
            assert!(is_told(&found, &expected), "{fact:?}: {found}");
        }
    }
    assert!(told > 1100, "only {told}");
}

#[test]
fn functions_of_floats() {
    use fusion_proto::plan::FloatFunction as F;
    for fact in facts!("float_functions") {
        let [a, function, expected] = fact[..] else { panic!("{fact:?}") };
        let function = match function {
            "round" => F::Round,
            "trunc" => F::Trunc,
            "ceil" => F::Ceil,
            "floor" => F::Floor,
            "sign" => F::Sign,
            _ => F::Sqrt,
        };
        let value = |text: &str| ScalarValue::Float64(Some(text.parse().unwrap()));
        let found = one(Kernel::Function(Function::Float(function), None), &[value(a)], ColumnType::Float8, show_float);
        let expected = if expected.starts_with('!') {
            expected.to_owned()
        } else {
            show_float(&value(expected).to_array().unwrap())
        };
        assert_eq!(found, expected, "{fact:?}");
    }
}

#[test]
fn bits_of_integers() {
    use fusion_proto::plan::BitOp;
    for fact in facts!("bits") {
        let [ty, a, op, b, expected] = fact[..] else { panic!("{fact:?}") };
        let value = |text: &str| match ty {
            "int2" => (ScalarValue::Int16(Some(text.parse().unwrap())), NumberType::Int2, ColumnType::Int2),
            "int4" => (ScalarValue::Int32(Some(text.parse().unwrap())), NumberType::Int4, ColumnType::Int4),
            _ => (ScalarValue::Int64(Some(text.parse().unwrap())), NumberType::Int8, ColumnType::Int8),
        };
        let (a, number_type, out) = value(a);
        let by = ScalarValue::Int32(Some(b.parse().unwrap()));
        let (function, args) = match op {
            "&" => (Function::Bits(BitOp::And, number_type), vec![a, value(b).0]),
            "|" => (Function::Bits(BitOp::Or, number_type), vec![a, value(b).0]),
            "#" => (Function::Bits(BitOp::Xor, number_type), vec![a, value(b).0]),
            "<<" => (Function::ShiftLeft(number_type), vec![a, by]),
            ">>" => (Function::ShiftRight(number_type), vec![a, by]),
            _ => (Function::BitNot(number_type), vec![a]),
        };
        assert_eq!(one(Kernel::Function(function, None), &args, out, show_any), expected, "{fact:?}");
    }
    let truth = ScalarValue::Boolean(Some(true));
    assert_eq!(one(Kernel::Function(Function::BoolToInt, None), &[truth], ColumnType::Int4, show_any), "1");
    let two = ScalarValue::Int32(Some(2));
    assert_eq!(one(Kernel::Function(Function::IntToBool, None), &[two], ColumnType::Bool, show_any), "true");
}

#[test]
fn functions_of_text() {
    use fusion_proto::plan::TextFunction as F;
    for fact in facts!("text_functions") {
        let [call, a, b, c, expected] = fact[..] else { panic!("{fact:?}") };
        let call = call.trim_start_matches("'|' || ").trim_end_matches(" || '|'");
        let (a, b, c) = (text(barred(a)), barred(b), barred(c));
        let integer = |text: &str| ScalarValue::Int32(Some(text.parse().unwrap()));
        let (function, args, out) = match call {
            "upper($1 collate \"C\")" => (F::Upper, vec![a], ColumnType::Text),
            "lower($1 collate \"C\")" => (F::Lower, vec![a], ColumnType::Text),
            "reverse($1)" => (F::Reverse, vec![a], ColumnType::Text),
            "ascii($1)" => (F::Ascii, vec![a], ColumnType::Int4),
            "btrim($1)" => (F::TrimBoth, vec![a], ColumnType::Text),
            "ltrim($1)" => (F::TrimLeft, vec![a], ColumnType::Text),
            "rtrim($1)" => (F::TrimRight, vec![a], ColumnType::Text),
            "btrim($1, $2)" => (F::TrimBoth, vec![a, text(b)], ColumnType::Text),
            "ltrim($1, $2)" => (F::TrimLeft, vec![a, text(b)], ColumnType::Text),
            "rtrim($1, $2)" => (F::TrimRight, vec![a, text(b)], ColumnType::Text),
            "strpos($1, $2)" => (F::Position, vec![a, text(b)], ColumnType::Int4),
            "starts_with($1, $2)" => (F::StartsWith, vec![a, text(b)], ColumnType::Bool),
            "($1 || $2)" => (F::Concat, vec![a, text(b)], ColumnType::Text),
            "left($1, $2)" => (F::Left, vec![a, integer(b)], ColumnType::Text),
            "right($1, $2)" => (F::Right, vec![a, integer(b)], ColumnType::Text),
            "repeat($1, $2)" => (F::Repeat, vec![a, integer(b)], ColumnType::Text),
            "lpad($1, $2, $3)" => (F::PadLeft, vec![a, integer(b), text(c)], ColumnType::Text),
            "rpad($1, $2, $3)" => (F::PadRight, vec![a, integer(b), text(c)], ColumnType::Text),
            "replace($1, $2, $3)" => (F::Replace, vec![a, text(b), text(c)], ColumnType::Text),
            "translate($1, $2, $3)" => (F::Translate, vec![a, text(b), text(c)], ColumnType::Text),
            "split_part($1, $2, $3)" => (F::SplitPart, vec![a, text(b), integer(c)], ColumnType::Text),
            other => panic!("{other}"),
        };
        let show = if out == ColumnType::Text { show_barred } else { show_any };
        assert_eq!(one(Kernel::Function(Function::Text(function), None), &args, out, show), expected, "{fact:?}");
    }
    let kernel = |function| Kernel::Function(Function::Text(function), None);
    assert_eq!(one(kernel(F::UpperAscii), &[text("Ab1")], ColumnType::Text, show_barred), "|AB1|");
    assert_eq!(one(kernel(F::LowerAscii), &[text("Ä")], ColumnType::Text, show_barred), "!22000");
    let code = |code: i32| one(kernel(F::Chr), &[ScalarValue::Int32(Some(code))], ColumnType::Text, show_barred);
    assert_eq!((code(8364), code(0), code(0xd800)), ("|€|".into(), "!54000".into(), "!54000".into()));
}

#[test]
fn lengths_of_strings() {
    for fact in facts!("text_lengths") {
        let value = text(barred(fact[0]));
        let length: u32 = fact[1].parse().unwrap();
        for (index, explicit) in [(2, true), (4, false)] {
            let varchar = Kernel::Function(Function::Varchar { length, explicit }, None);
            let found = one(varchar, std::slice::from_ref(&value), ColumnType::Text, show_barred);
            assert_eq!(found, fact[index], "{fact:?}");
            let bpchar = Kernel::Function(Function::Bpchar { length, explicit }, None);
            let found = one(bpchar, std::slice::from_ref(&value), ColumnType::Bpchar { length }, show_barred);
            assert_eq!(found, fact[index + 1], "{fact:?}");
        }
    }
}

#[test]
fn text_as_numbers_and_dates() {
    let mut read = 0;
    for fact in facts!("text_parse") {
        let [value, ty, expected] = fact[..] else { panic!("{fact:?}") };
        let (function, out) = match ty {
            "int2" => (Function::ParseNumber(NumberType::Int2), ColumnType::Int2),
            "int4" => (Function::ParseNumber(NumberType::Int4), ColumnType::Int4),
            "int8" => (Function::ParseNumber(NumberType::Int8), ColumnType::Int8),
            "numeric" => (Function::ParseNumber(NumberType::Numeric), ColumnType::NumericVar),
            "float4" => (Function::ParseNumber(NumberType::Float4), ColumnType::Float4),
            "float8" => (Function::ParseNumber(NumberType::Float8), ColumnType::Float8),
            _ => (Function::ParseDate, ColumnType::Date),
        };
        let show = |array: &dyn Array| match array.data_type() {
            DataType::Float32 | DataType::Float64 => show_float(array),
            _ => show_any(array),
        };
        let found = one(Kernel::Function(function, None), &[text(barred(value))], out, show);
        if found.starts_with('!') {
            // Left to PostgreSQL, which may read it.
            continue;
        }
        let expected = match out {
            ColumnType::Float4 => {
                show_float(&ScalarValue::Float32(Some(expected.parse().unwrap())).to_array().unwrap())
            }
            ColumnType::Float8 => {
                show_float(&ScalarValue::Float64(Some(expected.parse().unwrap())).to_array().unwrap())
            }
            _ => expected.to_owned(),
        };
        assert_eq!(found, expected, "{fact:?}");
        read += 1;
    }
    assert!(read > 80, "only {read}");
}

fn field_of(name: &str) -> DateField {
    DateField::from_name(name).unwrap()
}

#[test]
fn timestamp_fields() {
    for fact in facts!("timestamps") {
        let [micros, field, extracted, part, start] = fact[..] else { panic!("{fact:?}") };
        let timestamp = ScalarValue::TimestampMicrosecond(Some(micros.parse().unwrap()), None);
        let field = field_of(field);
        let (whole, fraction) = field.digits(false);
        let out = ColumnType::Numeric { precision: (whole + fraction) as u8, scale: fraction as u8 };
        let kernel = Kernel::Function(Function::ExtractTimestamp(field), None);
        assert_eq!(one(kernel, std::slice::from_ref(&timestamp), out, show_numeric), extracted, "{fact:?}");
        let kernel = Kernel::Function(Function::DatePart(field), None);
        let expected = show_float(&ScalarValue::Float64(Some(part.parse().unwrap())).to_array().unwrap());
        assert_eq!(one(kernel, std::slice::from_ref(&timestamp), ColumnType::Float8, show_float), expected, "{fact:?}");
        if start != "\\N" {
            let show = |array: &dyn Array| array.as_primitive::<TimestampMicrosecondType>().value(0).to_string();
            let kernel = Kernel::Function(Function::DateTrunc(field), None);
            let found = one(kernel, std::slice::from_ref(&timestamp), ColumnType::Timestamp, show);
            assert_eq!(found, start, "{fact:?}");
        }
    }
    let infinity = ScalarValue::TimestampMicrosecond(Some(i64::MIN), None);
    let part = |field| {
        let kernel = Kernel::Function(Function::DatePart(field_of(field)), None);
        one(kernel, std::slice::from_ref(&infinity), ColumnType::Float8, |array| show_any(array))
    };
    assert_eq!((part("year"), part("week")), ("-inf".to_owned(), "\\N".to_owned()));
}

#[test]
fn timestamps_and_intervals() {
    let show = |array: &dyn Array| array.as_primitive::<TimestampMicrosecondType>().value(0).to_string();
    for fact in facts!("timestamp_interval") {
        let [timestamp, months, days, micros, sum, difference] = fact[..] else { panic!("{fact:?}") };
        let timestamp = ScalarValue::TimestampMicrosecond(Some(timestamp.parse().unwrap()), None);
        let interval = [
            &micros.parse::<i64>().unwrap().to_le_bytes()[..],
            &days.parse::<i32>().unwrap().to_le_bytes(),
            &months.parse::<i32>().unwrap().to_le_bytes(),
        ];
        let args = [timestamp, ScalarValue::BinaryView(Some(interval.concat()))];
        for (function, expected) in
            [(Function::TimestampAddInterval, sum), (Function::TimestampSubInterval, difference)]
        {
            assert_eq!(one(Kernel::Function(function, None), &args, ColumnType::Timestamp, show), expected, "{fact:?}");
        }
    }
    let day = ScalarValue::Date32(Some(30));
    let month = ScalarValue::BinaryView(Some([&[0; 12][..], &1i32.to_le_bytes()].concat()));
    let kernel = Kernel::Function(Function::DateAddInterval, None);
    let found = one(kernel, &[day, month], ColumnType::Timestamp, show);
    assert_eq!(found, (58 * date::DAY_MICROS).to_string(), "1970-01-31 and a month is 1970-02-28");
    let stamp = |micros| ScalarValue::TimestampMicrosecond(Some(micros), None);
    let kernel = Kernel::Function(Function::TimestampDiff, None);
    let bytes = |array: &dyn Array| format!("{:?}", array.as_binary_view().value(0));
    let expected = [&(-5i64).to_le_bytes()[..], &(-2i32).to_le_bytes(), &[0; 4]].concat();
    let found = one(kernel, &[stamp(0), stamp(2 * date::DAY_MICROS + 5)], ColumnType::Opaque, bytes);
    assert_eq!(found, format!("{expected:?}"));
    assert_eq!(one(kernel, &[stamp(0), stamp(i64::MAX)], ColumnType::Opaque, bytes), "!22000");
}

#[test]
fn dates_from_parts() {
    let date = |parts: [i32; 3]| {
        let args = parts.map(|part| ScalarValue::Int32(Some(part)));
        one(Kernel::Function(Function::MakeDate, None), &args, ColumnType::Date, show_date)
    };
    assert_eq!(date([1970, 1, 2]), "1");
    assert_eq!(date([2000, 2, 29]), "11016");
    assert_eq!(date([2001, 2, 29]), "!22008");
    assert_eq!(date([2001, 13, 1]), "!22008");
}
