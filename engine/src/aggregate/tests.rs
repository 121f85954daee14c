//! Groups and single groups, in one go and by partial states; all must agree.

use super::*;
use crate::function::number::Number;
use crate::numeric::Payload;
use arrow::array::{Array, ArrayRef, BooleanArray, Decimal64Array, Float64Array, Int16Array, Int32Array, Int64Array};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::EmitTo;
use fusion_common::SqlError;

fn udaf(kind: Kind, output: &DataType) -> PgAggregate {
    PgAggregate {
        kind,
        output: output.clone(),
        distinct: false,
        signature: Signature::user_defined(Volatility::Immutable),
    }
}

/// The results per group, computed in one go and by two partial states.
fn grouped(
    kind: Kind,
    output: DataType,
    values: &ArrayRef,
    groups: &[usize],
    filter: Option<&BooleanArray>,
) -> Result<Vec<ScalarValue>, SqlError> {
    let error = |error| SqlError::from(crate::Error::from(error));
    let udaf = udaf(kind, &output);
    let new = || udaf.groups(values.data_type()).unwrap();
    let total = groups.iter().max().map_or(0, |max| max + 1);
    let mut whole = new();
    whole.update_batch(std::slice::from_ref(values), groups, filter, total).map_err(error)?;
    let whole = whole.evaluate(EmitTo::All).map_err(error)?;

    let mut last = new();
    let half = values.len() / 2;
    for (offset, length) in [(0, half), (half, values.len() - half)] {
        let part = values.slice(offset, length);
        let part_filter = filter.map(|filter| filter.slice(offset, length));
        // Once by an accumulator, once by the direct way of rows to states.
        let (states, indices) = if offset == 0 {
            let mut partial = new();
            let indices = &groups[offset..offset + length];
            partial.update_batch(&[part], indices, part_filter.as_ref(), total).map_err(error)?;
            (partial.state(EmitTo::All).map_err(error)?, (0..total).collect::<Vec<_>>())
        } else {
            let states = new().convert_to_state(&[part], part_filter.as_ref()).map_err(error)?;
            (states, groups[offset..offset + length].to_vec())
        };
        last.merge_batch(&states, &indices, total).map_err(error)?;
    }
    let merged = last.evaluate(EmitTo::All).map_err(error)?;
    assert_eq!(&whole, &merged);
    assert_eq!(*whole.data_type(), output);
    Ok((0..whole.len()).map(|row| ScalarValue::try_from_array(&whole, row).unwrap()).collect())
}

#[test]
fn sums_of_integers() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(i32::MAX), Some(i32::MAX), None, Some(-5), None]));
    let sums = grouped(Kind::Sum, DataType::Int64, &values, &[0, 0, 0, 1, 2], None).unwrap();
    assert_eq!(sums, [Some(2 * i64::from(i32::MAX)), Some(-5), None].map(ScalarValue::Int64));
    let values: ArrayRef = Arc::new(Int16Array::from(vec![1, 2, 3]));
    let filter = BooleanArray::from(vec![Some(true), Some(false), None]);
    let sums = grouped(Kind::Sum, DataType::Int64, &values, &[0, 0, 1], Some(&filter)).unwrap();
    assert_eq!(sums, [Some(1), None].map(ScalarValue::Int64));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX, i64::MIN]));
    let sums = grouped(Kind::Sum, DataType::Decimal128(38, 0), &values, &[0, 0, 1], None).unwrap();
    let expected = [2 * i128::from(i64::MAX), i128::from(i64::MIN)];
    assert_eq!(sums, expected.map(|sum| ScalarValue::Decimal128(Some(sum), 38, 0)));
}

#[test]
fn one_group_is_like_many() {
    let values: ArrayRef = Arc::new(Decimal64Array::from(vec![150, 250, -1]).with_precision_and_scale(15, 2).unwrap());
    let sums = grouped(Kind::Sum, DataType::Decimal128(38, 2), &values, &[0, 0, 0], None).unwrap();
    assert_eq!(sums, [ScalarValue::Decimal128(Some(399), 38, 2)]);
}

#[test]
fn sums_beyond_38_digits_are_errors() {
    let large = 10i128.pow(38) - 1;
    let values = arrow::array::Decimal128Array::from(vec![large, 1, -1]).with_precision_and_scale(38, 0).unwrap();
    let values: ArrayRef = Arc::new(values);
    // On the way it may be beyond.
    assert!(grouped(Kind::Sum, DataType::Decimal128(38, 0), &values, &[0, 0, 0], None).is_ok());
    let error = grouped(Kind::Sum, DataType::Decimal128(38, 0), &values, &[0, 0, 1], None).unwrap_err();
    assert_eq!(error.sqlstate.as_str(), "22003");
}

#[test]
fn floats_have_postgresqls_order_and_overflow() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, 1.0, -0.0, f64::INFINITY, f64::NAN, -0.0]));
    let groups = [0, 0, 0, 0, 1, 2];
    let least = grouped(Kind::Min, DataType::Float64, &values, &groups, None).unwrap();
    assert_eq!(least[0], ScalarValue::Float64(Some(-0.0)));
    assert!(matches!(least[1], ScalarValue::Float64(Some(v)) if v.is_nan()));
    let greatest = grouped(Kind::Max, DataType::Float64, &values, &groups, None).unwrap();
    assert!(matches!(greatest[0], ScalarValue::Float64(Some(v)) if v.is_nan()));
    let sums = grouped(Kind::Sum, DataType::Float64, &values, &groups, None).unwrap();
    assert!(matches!(sums[2], ScalarValue::Float64(Some(v)) if v == 0.0 && v.is_sign_negative()));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::MAX, f64::MAX]));
    let error = grouped(Kind::Sum, DataType::Float64, &values, &[0, 0], None).unwrap_err();
    assert_eq!(error.message, "value out of range: overflow");
    assert!(grouped(Kind::AverageSum, DataType::Float64, &values, &[0, 1], None).is_err());
    let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY, 1.0]));
    assert!(grouped(Kind::AverageSum, DataType::Float64, &values, &[0, 0], None).is_ok());
}

fn parse(text: &str) -> Number {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    Number { unscaled: format!("{whole}{fraction}").parse().unwrap(), scale: fraction.len() as u16 }
}

fn payload(number: Number) -> Vec<u8> {
    Payload::new(number.unscaled, number.scale).as_bytes().to_vec()
}

#[test]
fn variable_sums_against_postgresql() {
    for line in include_str!("../../tests/facts/numeric_avg.txt").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let values = arrow::array::BinaryViewArray::from_iter_values(fields[0].split(',').map(parse).map(payload));
        let values: ArrayRef = Arc::new(values);
        let sums = grouped(Kind::Sum, DataType::BinaryView, &values, &vec![0; values.len()], None).unwrap();
        assert_eq!(sums, [ScalarValue::BinaryView(Some(payload(parse(fields[1]))))], "{line}");
    }
}

#[test]
fn a_single_group_and_distinct_values() {
    let output = DataType::Int64;
    let new = || Single::new(udaf(Kind::Sum, &output).groups(&DataType::Int32).unwrap());
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), None, Some(3), Some(4)]));
    let mut single = new();
    assert_eq!(new().evaluate().unwrap(), ScalarValue::Int64(None));
    single.update_batch(&[Arc::clone(&values)]).unwrap();
    single.update_batch(&[values.slice(0, 1)]).unwrap();
    assert_eq!(single.evaluate().unwrap(), ScalarValue::Int64(Some(13)));

    let mut distinct = Distinct::new(DataType::Int32, new());
    distinct.update_batch(&[Arc::clone(&values)]).unwrap();
    let state = distinct.state().unwrap();
    let ScalarValue::List(list) = &state[0] else { panic!("{state:?}") };
    assert_eq!(list.value(0).len(), 2);
    let mut last = Distinct::new(DataType::Int32, new());
    last.merge_batch(&[state[0].to_array().unwrap()]).unwrap();
    last.update_batch(&[values]).unwrap();
    assert_eq!(last.evaluate().unwrap(), ScalarValue::Int64(Some(7)));
    assert_eq!(Distinct::new(DataType::Int32, new()).evaluate().unwrap(), ScalarValue::Int64(None));
}

/// A thread's share of a join may be no batch at all: there is no group then, and its state is NULLs.
#[test]
fn the_state_of_no_batch_adds_nothing() {
    let kinds = [
        (Kind::Sum, DataType::Int32, DataType::Int64),
        (Kind::Sum, DataType::Decimal64(15, 2), DataType::Decimal128(38, 2)),
        (Kind::Sum, DataType::BinaryView, DataType::BinaryView),
        (Kind::AverageSum, DataType::Float64, DataType::Float64),
        (Kind::Min, DataType::Float64, DataType::Float64),
        (Kind::Max, DataType::BinaryView, DataType::BinaryView),
        (Kind::PackedSum, packed::packed_type(12, 4), DataType::BinaryView),
        (Kind::PackedSum, packed::packed_type(30, 4), DataType::BinaryView),
        (Kind::Spread(SPREADS[0]), DataType::Float64, DataType::Float64),
        (Kind::Spread(SPREADS[1]), DataType::Int32, DataType::BinaryView),
        (Kind::Spread(SPREADS[2]), DataType::BinaryView, DataType::BinaryView),
    ];
    for (kind, input, output) in kinds {
        let null = ScalarValue::try_from(&output).unwrap();
        for distinct in [false, true] {
            let new = || -> Box<dyn Accumulator> {
                let single = Single::new(udaf(kind, &output).groups(&input).unwrap());
                if distinct { Box::new(Distinct::new(input.clone(), single)) } else { Box::new(single) }
            };
            let mut last = new();
            for _ in 0..2 {
                let state = new().state().unwrap();
                last.merge_batch(&state.iter().map(|part| part.to_array().unwrap()).collect::<Vec<_>>()).unwrap();
            }
            assert_eq!(last.evaluate().unwrap(), null, "{kind:?} of {input}");
        }
    }
}

const SPREADS: [Spread; 4] = [
    Spread { sample: false, root: false },
    Spread { sample: true, root: false },
    Spread { sample: false, root: true },
    Spread { sample: true, root: true },
];

#[test]
fn spreads_of_numerics_against_postgresql() {
    let mut held = 0;
    for line in include_str!("../../tests/facts/numeric_spread.txt").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let numbers: Vec<Number> = fields[0].split(',').map(parse).collect();
        let variable = arrow::array::BinaryViewArray::from_iter_values(numbers.iter().copied().map(payload));
        let variable: ArrayRef = Arc::new(variable);
        let scale = numbers.iter().map(|number| number.scale).max().unwrap();
        let fixed: ArrayRef =
            match numbers.iter().all(|number| number.scale == scale && number.unscaled.abs() < 10i128.pow(18)) {
                true => {
                    let values: Vec<i64> = numbers.iter().map(|number| number.unscaled as i64).collect();
                    Arc::new(Decimal64Array::from(values).with_precision_and_scale(18, scale as i8).unwrap())
                }
                false => Arc::clone(&variable),
            };
        for (spread, expected) in SPREADS.into_iter().zip(&fields[1..]) {
            let digits = expected.bytes().filter(u8::is_ascii_digit).count();
            let expected = (*expected != "\\N" && digits <= 38).then(|| payload(parse(expected)));
            for values in [&variable, &fixed] {
                match grouped(Kind::Spread(spread), DataType::BinaryView, values, &vec![0; values.len()], None) {
                    Ok(found) => {
                        assert_eq!(found, [ScalarValue::BinaryView(expected.clone())], "{spread:?} {line}");
                        held += 1;
                    }
                    // More digits than the engine holds.
                    Err(error) => assert_eq!(error.sqlstate.as_str(), "22003"),
                }
            }
        }
    }
    assert!(held > 1500, "only {held} were computed");
}

#[test]
fn spreads_of_integers_and_floats() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2), None, Some(4), Some(7)]));
    let found = grouped(Kind::Spread(SPREADS[1]), DataType::BinaryView, &values, &[0, 0, 0, 0, 1], None).unwrap();
    let expected = Some(payload(parse("2.3333333333333333")));
    assert_eq!(found, [ScalarValue::BinaryView(expected), ScalarValue::BinaryView(None)]);
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 3.0, 5.0, f64::INFINITY, 2.0]));
    let found = grouped(Kind::Spread(SPREADS[1]), DataType::Float64, &values, &[0, 0, 0, 1, 2], None).unwrap();
    assert_eq!(found[0], ScalarValue::Float64(Some(4.0)));
    assert_eq!(found[1], ScalarValue::Float64(None));
    assert_eq!(found[2], ScalarValue::Float64(None));
    let found = grouped(Kind::Spread(SPREADS[2]), DataType::Float64, &values, &[0, 0, 0, 1, 2], None).unwrap();
    assert!(matches!(found[1], ScalarValue::Float64(Some(v)) if v.is_nan()));
    assert_eq!(found[2], ScalarValue::Float64(Some(0.0)));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1e200, -1e200]));
    assert!(grouped(Kind::Spread(SPREADS[1]), DataType::Float64, &values, &[0, 0], None).is_err());
}

#[test]
fn extremes_of_variable_numerics() {
    let values = ["1.10", "-3", "1.1", "200"].map(|text| payload(parse(text)));
    let values = values.into_iter().chain([crate::numeric::NAN.to_vec(), crate::numeric::NEG_INFINITY.to_vec()]);
    let values: ArrayRef = Arc::new(arrow::array::BinaryViewArray::from_iter_values(values));
    let groups = [0, 0, 1, 0, 2, 2];
    let view = |text: &str| ScalarValue::BinaryView(Some(payload(parse(text))));
    let found = grouped(Kind::Min, DataType::BinaryView, &values, &groups, None).unwrap();
    assert_eq!(found, [view("-3"), view("1.1"), ScalarValue::BinaryView(Some(crate::numeric::NEG_INFINITY.to_vec()))]);
    let filter = BooleanArray::from(vec![true, true, false, false, true, true]);
    let found = grouped(Kind::Max, DataType::BinaryView, &values, &groups, Some(&filter)).unwrap();
    let nan = ScalarValue::BinaryView(Some(crate::numeric::NAN.to_vec()));
    assert_eq!(found, [view("1.10"), ScalarValue::BinaryView(None), nan]);
}

#[test]
fn packed_sums_show_the_largest_scale_seen() {
    let of = |numbers: &[&str], large: bool| -> ArrayRef {
        let packed = numbers.iter().map(|text| {
            let number = parse(text);
            packed::pack_value(number.unscaled, number.scale as u8, 4).unwrap()
        });
        match large {
            true => Arc::new(
                packed.map(Some).collect::<arrow::array::Decimal128Array>().with_data_type(packed::packed_type(30, 4)),
            ),
            false => {
                let packed: Decimal64Array = packed.map(|value| Some(value as i64)).collect();
                Arc::new(packed.with_data_type(packed::packed_type(12, 4)))
            }
        }
    };
    let view = |text: &str| ScalarValue::BinaryView(Some(payload(parse(text))));
    for large in [false, true] {
        let values = of(&["0", "12.3400", "0", "-5", "-0.50", "0"], large);
        let sums = grouped(Kind::PackedSum, DataType::BinaryView, &values, &[0, 0, 1, 1, 2, 2], None).unwrap();
        assert_eq!(sums, [view("12.3400"), view("-5"), view("-0.50")]);
        let filter = BooleanArray::from(vec![false, false, true, true, true, false]);
        let sums = grouped(Kind::PackedSum, DataType::BinaryView, &values, &[0, 0, 1, 1, 2, 2], Some(&filter)).unwrap();
        assert_eq!(sums, [ScalarValue::BinaryView(None), view("-5"), view("-0.50")]);
    }
}

#[test]
fn distinct_floats_are_taken_in_order() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1e16, 1.0, -0.0, 0.0, 1.0, -1e16, f64::NAN]));
    let new = || Single::new(udaf(Kind::Sum, &DataType::Float64).groups(&DataType::Float64).unwrap());
    let mut distinct = Distinct::new(DataType::Float64, new());
    distinct.update_batch(&[values.slice(0, 6)]).unwrap();
    // -1e16 + 0 + 1 + 1e16, in this order.
    assert_eq!(distinct.evaluate().unwrap(), ScalarValue::Float64(Some(-1e16 + 0.0 + 1.0 + 1e16)));
    let mut distinct = Distinct::new(DataType::Float64, new());
    distinct.update_batch(&[values]).unwrap();
    assert!(matches!(distinct.evaluate().unwrap(), ScalarValue::Float64(Some(v)) if v.is_nan()));
}
